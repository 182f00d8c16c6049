"""Both voices on one clock: what plays when, and what an interruption leaves."""

import struct

from vivavoce.cli.tracks import Tracks

MS = 48  # bytes of pcm16 at 24 kHz


def test_an_answer_plays_when_it_comes() -> None:
    tracks = Tracks()
    tracks.hear(bytes(100 * MS))

    tracks.play("item_1", b"\x01" * 20 * MS)

    assert tracks.assistant() == bytes(100 * MS) + b"\x01" * 20 * MS


def test_audio_that_comes_faster_than_it_plays_queues_up() -> None:
    tracks = Tracks()
    tracks.play("item_1", b"\x01" * 20 * MS)
    tracks.hear(bytes(10 * MS))

    tracks.play("item_1", b"\x02" * 20 * MS)

    assert tracks.playout_end == 40 * 24
    assert tracks.is_playing


def test_playing_is_over_when_the_clock_has_passed_it() -> None:
    tracks = Tracks()
    tracks.play("item_1", b"\x01" * 20 * MS)

    tracks.hear(bytes(20 * MS))

    assert not tracks.is_playing
    assert tracks.interrupt() == []


def test_an_interruption_drops_the_rest_and_tells_how_much_was_heard() -> None:
    tracks = Tracks()
    tracks.hear(bytes(100 * MS))
    tracks.play("item_1", b"\x01" * 500 * MS)
    tracks.hear(bytes(120 * MS))

    cuts = tracks.interrupt()

    assert [(cut.item_id, cut.audio_end_ms) for cut in cuts] == [("item_1", 120)]
    assert tracks.playout_end == 220 * 24
    assert not tracks.is_playing


def test_an_item_that_waits_behind_another_is_cut_to_nothing() -> None:
    tracks = Tracks()
    tracks.play("item_1", bytes(50 * MS))
    tracks.play("item_2", bytes(50 * MS))
    tracks.hear(bytes(30 * MS))

    cuts = tracks.interrupt()

    assert [(cut.item_id, cut.audio_end_ms) for cut in cuts] == [("item_1", 30), ("item_2", 0)]


def test_an_item_that_was_played_out_is_not_cut() -> None:
    tracks = Tracks()
    tracks.play("item_1", bytes(50 * MS))
    tracks.play("item_2", bytes(50 * MS))
    tracks.hear(bytes(70 * MS))

    cuts = tracks.interrupt()

    assert [(cut.item_id, cut.audio_end_ms) for cut in cuts] == [("item_2", 20)]


def test_both_voices_are_interleaved_and_padded_to_the_longer() -> None:
    tracks = Tracks()
    tracks.hear(struct.pack("<3h", 1, 2, 3))
    tracks.play("item_1", struct.pack("<2h", 10, 20))

    samples = struct.unpack("<10h", tracks.stereo())

    assert samples[0::2] == (1, 2, 3, 0, 0)
    assert samples[1::2] == (0, 0, 0, 10, 20)
