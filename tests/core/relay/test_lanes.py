"""The shortest way of audio takes what the longer way would take, counts the same, and nothing else."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.core.relay.journal import Journal
from vivavoce.core.relay.lanes import Lane, Turn, client_lane
from vivavoce.core.relay.messages import appended_bytes

AUDIO = base64.b64encode(bytes(range(240))).decode()
FORMS = (
    '{"type":"input_audio_buffer.append","audio":"%s"}',
    '{"type": "input_audio_buffer.append", "audio": "%s"}',
    '{"event_id":"event_1","type":"input_audio_buffer.append","audio":"%s"}',
    '{"type":"input_audio_buffer.append","event_id":"event_12","audio":"%s"}',
    '{"event_id": "e", "type": "input_audio_buffer.append", "audio": "%s"}',
)


class Upstream:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def send(self, message: bytes) -> None:
        self.received.append(message)


def lane_with(journal: Journal, upstream: Upstream, *before: bytes, turn: int = 1_000_000) -> Lane:
    lane = client_lane(journal, Turn(turn), upstream)
    for message in before:
        lane(message)
    return lane


def test_every_usual_form_is_taken_and_counted() -> None:
    for form in FORMS:
        journal, upstream, message = Journal(), Upstream(), (form % AUDIO).encode()

        assert lane_with(journal, upstream)(message), form

        assert upstream.received == [message]
        assert journal.clock_ms == 240 / 48


def test_what_only_looks_like_the_message_before_is_not_taken() -> None:
    known = (FORMS[2] % AUDIO).encode()
    different = (
        known.replace(b'"audio":"', b'"audio":"AA","type":"session.update","x":"', 1),
        known.replace(b"event_1", b"event\\1"),
        known.replace(b"event_1", b'ev"nt_1'),
        known.replace(b"AAEC", b'AA"C'),
        known.replace(b"AAEC", "AAÄ".encode()),
        known.replace(b"append", b"commit"),
        known[:-2] + b'",}',
        known[:-1],
        known + b" ",
    )
    for message in different:
        journal, upstream = Journal(), Upstream()

        assert not lane_with(journal, upstream, known)(message), message

        assert upstream.received == [known]


def test_a_turn_ends_and_then_nothing_is_taken() -> None:
    journal, upstream, message = Journal(), Upstream(), (FORMS[0] % AUDIO).encode()
    lane = lane_with(journal, upstream, turn=3)

    assert [lane(message) for _ in range(4)] == [True, True, False, False]


def test_silence_is_kept_for_a_second_while_a_detector_listens_and_all_of_it_otherwise() -> None:
    for keeps_silence_only, kept in ((True, 200), (False, 400)):
        journal, message = Journal(), (FORMS[0] % AUDIO).encode()
        journal.keeps_silence_only = keeps_silence_only

        lane_with(journal, Upstream(), *[message] * 400)

        assert abs(len(journal.entries) - kept) <= 1
        assert journal.size_bytes == len(journal.entries) * len(message)


@given(st.lists(st.tuples(st.sampled_from(FORMS), st.binary(max_size=12), st.integers(0, 80), st.binary(max_size=3))))
def test_the_short_way_takes_nothing_that_the_longer_way_would_not(
    pieces: list[tuple[str, bytes, int, bytes]],
) -> None:
    journal, upstream = Journal(), Upstream()
    lane = client_lane(journal, Turn(1_000_000), upstream)
    total = 0
    for form, audio, at, noise in pieces:
        message = (form % base64.b64encode(audio).decode()).encode()
        message = message[:at] + noise + message[at + len(noise) :]
        size_bytes = appended_bytes(message)

        if lane(message):
            assert size_bytes is not None, message
            assert message.isascii()
            total += size_bytes

    assert round(journal.clock_ms * 48) == total
