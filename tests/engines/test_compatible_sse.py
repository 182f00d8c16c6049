"""Server-sent events come out whole, wherever their bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.compatible.sse import EventTooLargeError, ServerSentEvent, SseReader

# What the servers in question send: the hosted API, one with comments and CRLF, one that speaks of other things.
STREAMS = {
    "hosted": 'data: {"choices":[{"delta":{"content":"Grüße, 世界 🌍"}}]}\n\ndata: [DONE]\n\n',
    "crlf": ': ping\r\n\r\nevent: response.created\r\ndata: {"type":\r\ndata: "a"}\r\n\r\ndata: 2\r\n\r\n',
    "cr": "id: 7\rretry: 10\rdata:no space\r\rdata:  two spaces\rdata\r\r",
    "mixed": '\ufeffdata: ä\n: comment\r\ndata: ö\r\n\ndata: {"x":1}\r\r\ndata: last\n\n',
}
EXPECTED = {
    "hosted": ['{"choices":[{"delta":{"content":"Grüße, 世界 🌍"}}]}', "[DONE]"],
    "crlf": ['{"type":\n"a"}', "2"],
    "cr": ["no space", " two spaces\n"],
    "mixed": ["ä\nö", '{"x":1}', "last"],
}


def read(*pieces: bytes) -> list[ServerSentEvent]:
    reader = SseReader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.finish()


def texts(events: list[ServerSentEvent]) -> list[str]:
    return [event.data.decode() for event in events]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_gives_the_same_events_when_cut_at_any_one_byte(name: str) -> None:
    stream = STREAMS[name].encode()

    read_apart = [read(stream[:at], stream[at:]) for at in range(len(stream) + 1)]

    assert [texts(events) for events in read_apart] == [EXPECTED[name]] * len(read_apart)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_gives_the_same_events_byte_by_byte(name: str) -> None:
    stream = STREAMS[name].encode()

    assert texts(read(*(stream[at : at + 1] for at in range(len(stream))))) == EXPECTED[name]


LINES = st.sampled_from(
    [b"data: a", b"data:b", b"data", b": c", b"event: d", b"other: e", b"", b"", "data: é".encode()]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(st.lists(st.tuples(LINES, ENDS), max_size=12), st.lists(st.integers(0, 200), max_size=8))
def test_any_lines_with_any_ends_are_read_alike_in_pieces_and_whole(
    lines: list[tuple[bytes, bytes]], places: list[int]
) -> None:
    stream = b"".join(line + end for line, end in lines)
    cuts = sorted({min(place, len(stream)) for place in places} | {0, len(stream)})

    pieces = [stream[start:end] for start, end in zip(cuts, cuts[1:], strict=False)]

    assert read(*pieces) == read(stream)


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_garbage_gives_events_or_none_and_never_an_exception(pieces: list[bytes]) -> None:
    read(*pieces)


def test_the_name_of_an_event_belongs_to_that_event_only() -> None:
    events = read(b"event: error\ndata: 1\n\ndata: 2\n\n")

    assert [event.name for event in events] == ["error", ""]


def test_an_event_without_data_is_none() -> None:
    assert read(b"event: ping\n\n: comment\n\n") == []


def test_an_event_without_the_last_empty_line_is_given_at_the_end() -> None:
    assert texts(read(b"data: 1\n\ndata: [DO", b"NE]")) == ["1", "[DONE]"]


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 200, b"data: x\n" * 100, b": " + b"x" * 200])
def test_an_event_beyond_the_bound_is_an_error(stream: bytes) -> None:
    reader = SseReader(max_event_bytes=100)

    with pytest.raises(EventTooLargeError, match="more than 100 bytes"):
        reader.feed(stream)


def test_many_events_in_one_piece_do_not_add_up_to_the_bound() -> None:
    reader = SseReader(max_event_bytes=100)

    assert len(reader.feed(b"data: 0123456789\n\n" * 50)) == 50
