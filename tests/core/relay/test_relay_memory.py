"""What a relayed session keeps: bounded, and in order."""

import base64

from vivavoce.core.relay.journal import KEPT_SILENCE_MS, MAX_JOURNAL_BYTES, Asked, Journal, message_of
from vivavoce.core.relay.mirror import MAX_ITEMS, MAX_KEPT_AUDIO_BYTES, Mirror, MirrorItem, cut_words
from vivavoce.core.relay.replay import joined_base64


def item(number: int) -> MirrorItem:
    body = {"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    return MirrorItem(f"item_{number}", body, 1)


def test_the_oldest_audio_goes_first_and_then_the_oldest_request() -> None:
    journal = Journal()
    journal.keeps_silence_only = False
    block = b"x" * (MAX_JOURNAL_BYTES // 4)
    journal.ask(b"first" + block, "response.create", None)
    for number in range(4):
        journal.hear(b"%d" % number + block, 4800)
    assert [message_of(entry)[:1] for entry in journal] == [b"f", b"2", b"3"]

    for _ in range(4):
        journal.ask(b"r" + block, "session.update", None)

    assert [message_of(entry)[:1] for entry in journal] == [b"r"] * 3
    assert journal.size_bytes <= MAX_JOURNAL_BYTES


def test_silence_behind_a_request_that_nobody_answers_is_bounded() -> None:
    journal = Journal()
    journal.ask(b"{}", "response.create", None)
    block = b"x" * (MAX_JOURNAL_BYTES // 8)

    for _ in range(100):
        journal.hear(block, 4800)

    assert journal.size_bytes <= MAX_JOURNAL_BYTES
    assert isinstance(next(iter(journal)), Asked)


def test_silence_is_kept_as_long_as_a_detector_needs_it() -> None:
    journal = Journal()

    for _ in range(100):
        journal.hear(b"x", 960)  # 20 ms

    assert journal.clock_ms == 2000.0
    assert journal.clock_ms - journal.origin_ms() == KEPT_SILENCE_MS + 20.0


def test_a_request_is_settled_by_the_answer_that_names_it() -> None:
    journal = Journal()
    for key in (None, "item_1", "item_2"):
        journal.ask(b"{}", "conversation.item.create", None, key)

    assert [getattr(journal.settle("conversation.item.added", key), "key", "none") for key in ("item_2", "item_7")] == [
        "item_2",
        None,
    ]
    assert journal.settle("conversation.item.added", "item_7") is None
    assert journal.is_waiting("conversation.item.create")


def test_only_recent_audio_without_words_is_kept() -> None:
    mirror = Mirror()
    piece = "A" * (MAX_KEPT_AUDIO_BYTES // 4)
    for number in range(6):
        mirror.add(item(number))
        mirror.keep_audio(mirror.at(number), [piece])

    assert [bool(one.audio) for one in mirror] == [False, False, True, True, True, True]
    mirror.transcribe(mirror.at(5), 0, "hello")
    mirror.remove("item_4")
    assert mirror.kept_audio_bytes == 2 * len(piece)


def test_the_oldest_of_too_many_items_is_forgotten() -> None:
    mirror = Mirror()

    for number in range(MAX_ITEMS + 1):
        mirror.add(item(number))

    assert len(mirror) == MAX_ITEMS
    assert mirror.get("item_0") is None


def test_later_states_of_an_item_keep_the_words_that_only_we_know() -> None:
    mirror = Mirror()
    mirror.add(item(1))
    known = mirror.at(0)
    mirror.transcribe(known, 0, "hello")

    mirror.change(known, item(1).body)

    assert known.parts() == [{"type": "input_audio", "transcript": "hello"}]


def test_words_are_cut_at_their_ends() -> None:
    text = "One two three."

    assert [cut_words(text, share) for share in (0.0, 0.15, 0.5, 0.9, 1.0)] == ["", "", "One two", "One two", text]


def test_base64_of_pieces_is_joined_whatever_their_padding() -> None:
    pieces = [bytes(range(3)), bytes(range(4)), bytes(range(5))]
    encoded = [base64.b64encode(piece).decode() for piece in pieces]

    assert base64.b64decode(joined_base64(encoded)) == b"".join(pieces)
    assert joined_base64([encoded[1], "~", encoded[0]]) == base64.b64encode(pieces[1] + pieces[0]).decode()
