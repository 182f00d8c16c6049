"""The transcriber over `/audio/transcriptions` against servers that behave, and that do not."""

import asyncio
import io
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest

from tests.engines.compatible_servers import (
    DEADLINE_S,
    KEY,
    Answer,
    Out,
    Request,
    Server,
    breaks,
    gives,
    sse,
    stalls,
    started,
    streams,
)
from vivavoce.audio.wav import read_wav
from vivavoce.core.requests import TranscriptOptions, Word
from vivavoce.engines.base import EngineError, Final, Partial
from vivavoce.engines.compatible.settings import CompatibleServer, Timeouts
from vivavoce.engines.stt.transcriptions import TranscriptionsSettings, TranscriptionsTranscriber
from vivavoce.protocol.server_events import DurationUsage, TokensUsage

SECOND = bytes(range(256)) * 125  # pcm16le, mono, 16 kHz
STREAMED = sse(
    {"type": "transcript.text.delta", "delta": " Grüße,"},
    {"type": "transcript.text.delta", "delta": " 世界."},
    {"type": "transcript.text.done", "text": " Grüße, 世界.", "usage": {"type": "tokens"}},
)

Result = Partial | Final | EngineError


class Heard:
    """What was delivered; `is_over` is set by the final result."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.is_over = asyncio.Event()

    def deliver(self, result: Result) -> None:
        self.results.append(result)
        if not isinstance(result, Partial):
            self.is_over.set()


def exchange(
    answer: Answer, known: TranscriptOptions | None = None, pcm: bytes = SECOND, **options: Any
) -> tuple[list[Result], Server]:
    server = Server(answer)

    async def run() -> list[Result]:
        heard = Heard()
        async with asyncio.timeout(DEADLINE_S), server.listening():
            settings = TranscriptionsSettings(server.settings(options.pop("timeouts", None)), "small", **options)
            async with started(TranscriptionsTranscriber(settings)) as transcriber:
                stream = transcriber.open(known or TranscriptOptions(), heard.deliver)
                for start in range(0, len(pcm), 640):
                    stream.feed(pcm[start : start + 640])
                stream.finish()
                stream.finish()
                await heard.is_over.wait()
        return heard.results

    return asyncio.run(run()), server


def failure(answer: Answer, **options: Any) -> EngineError:
    results, _ = exchange(answer, **options)
    error = results[-1]
    assert isinstance(error, EngineError)
    assert KEY not in str(error)
    return error


def parts(request: Request) -> list[tuple[str, bytes]]:
    """Return names and contents of a form, as the standard library reads it."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message: Message = message_from_bytes(head + request.body)
    fields = message.get_payload()
    assert isinstance(fields, list)
    found = []
    for field in fields:
        assert isinstance(field, Message)
        content = field.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((str(field.get_param("name", header="content-disposition")), content))
    return found


# The transcript -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece_bytes", [0, 1, 5])
def test_a_streamed_transcript_grows_and_ends(piece_bytes: int) -> None:
    results, _ = exchange(streams(STREAMED, piece_bytes=piece_bytes))

    assert results == [Partial("Grüße,", "Grüße,"), Partial("Grüße, 世界.", "Grüße, 世界."), Final("Grüße, 世界.")]


def test_a_server_that_does_not_stream_gives_the_transcript_at_once() -> None:
    results, _ = exchange(gives({"text": " Hello there. ", "usage": {"type": "duration", "seconds": 1}}))

    assert results == [Final("Hello there.", usage=DurationUsage(seconds=1))]


def test_the_tokens_of_a_streamed_transcript_are_told() -> None:
    used = {"type": "tokens", "input_tokens": 10, "output_tokens": 4, "total_tokens": 14}

    results, _ = exchange(streams(sse({"type": "transcript.text.done", "text": "Hm.", "usage": used})))

    assert results == [Final("Hm.", usage=TokensUsage(input_tokens=10, output_tokens=4, total_tokens=14))]


@pytest.mark.parametrize(
    ("asked", "model", "hint"),
    [
        (None, b"small", None),
        ("unknown", b"small", None),
        ("best", b"gpt-transcribe", b"Wien"),
        ("who", b"gpt-4o-transcribe-diarize", None),
    ],
)
def test_a_session_may_choose_among_the_models_and_each_gets_what_it_takes(
    asked: str | None, model: bytes, hint: bytes | None
) -> None:
    known = TranscriptOptions(prompt="Names.", keywords=("Wien",), model=asked)
    table = (("best", "gpt-transcribe"), ("who", "gpt-4o-transcribe-diarize"))

    _, server = exchange(gives({"text": "Hm."}), known, models=table)

    fields = dict(parts(server.requests[0]))
    assert fields["model"] == model
    assert fields.get("keywords[]") == hint
    assert fields.get("prompt") == (None if asked == "who" else b"Names.")


def test_what_all_models_take_is_told() -> None:
    server = CompatibleServer("http://host/v1")
    several = TranscriptionsTranscriber(TranscriptionsSettings(server, "gpt-transcribe", models=(("x", "whisper-1"),)))
    one = TranscriptionsTranscriber(TranscriptionsSettings(server, "gpt-transcribe"))

    assert (several.capabilities.models, several.capabilities.hints) == (("gpt-transcribe", "x"), ())
    assert (one.capabilities.models, one.capabilities.hints) == (("gpt-transcribe",), ("keywords", "languages"))


def test_words_have_their_times_where_the_server_gives_them() -> None:
    words = [{"word": " Hello", "start": 0.1, "end": 0.42}, {"word": "there.", "start": 0.5, "end": 0.9}]

    results, server = exchange(gives({"text": "Hello there.", "words": words}), has_word_times=True)

    assert results == [Final("Hello there.", (Word("Hello", 100, 420), Word("there.", 500, 900)))]
    assert ("response_format", b"verbose_json") in parts(server.requests[0])
    assert ("timestamp_granularities[]", b"word") in parts(server.requests[0])


def test_the_transcript_does_not_wait_for_the_end_of_the_answer_and_the_connection_stays() -> None:
    first, second = Heard(), Heard()

    async def ends_when_heard(request: Request, out: Out) -> None:
        out.head("text/event-stream")
        out.chunk(STREAMED)
        await first.is_over.wait()
        out.chunk(b"")

    async def run() -> int:
        server = Server(ends_when_heard)
        async with asyncio.timeout(DEADLINE_S), server.listening():
            settings = TranscriptionsSettings(server.settings(max_connections=1), "small")
            async with started(TranscriptionsTranscriber(settings)) as transcriber:
                for heard in (first, second):
                    stream = transcriber.open(TranscriptOptions(), heard.deliver)
                    stream.feed(SECOND)
                    stream.finish()
                    await heard.is_over.wait()
        return len(server.connections)

    assert asyncio.run(run()) == 1
    assert first.results[-1] == second.results[-1] == Final("Grüße, 世界.")


def test_silence_may_have_an_empty_transcript() -> None:
    assert exchange(gives({"text": ""}))[0] == [Final("")]


def test_less_than_the_api_takes_is_not_sent() -> None:
    results, server = exchange(gives({"text": "?"}), pcm=bytes(3198))

    assert (results, server.requests) == ([Final("")], [])


# The request --------------------------------------------------------------------------------------------------


def test_the_audio_is_sent_as_a_wav_file_with_all_hints() -> None:
    known = TranscriptOptions(3, "de", "Namen: Ärmel\r\n--x", ("de", "en"), ("Wien", "Linz"))

    _, server = exchange(streams(STREAMED), known, hints=("keywords", "languages"), extra=(("temperature", "0"),))

    fields = parts(server.requests[0])
    *texts, (file_name, file) = fields
    audio = read_wav(io.BytesIO(file))
    assert server.requests[0].path == "/v1/audio/transcriptions"
    assert (file_name, audio.pcm, audio.rate_hz) == ("file", SECOND, 16_000)
    assert texts == [
        ("model", b"small"),
        ("response_format", b"json"),
        ("stream", b"true"),
        ("language", b"de"),
        ("prompt", "Namen: Ärmel\r\n--x".encode()),
        ("languages[]", b"de"),
        ("languages[]", b"en"),
        ("keywords[]", b"Wien"),
        ("keywords[]", b"Linz"),
        ("temperature", b"0"),
    ]


def test_hints_that_the_model_does_not_take_are_not_sent() -> None:
    known = TranscriptOptions(1, None, "a prompt", ("de",), ("Wien",))

    _, server = exchange(streams(STREAMED), known, takes_prompt=False, streams=False)

    assert [name for name, _ in parts(server.requests[0])] == ["model", "response_format", "file"]


# Failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (gives({"error": {"message": KEY, "code": "x"}}, "400 No"), "server_error"),
        (gives({}, "401 No"), "engine_unavailable"),
        (gives({}, "503 No"), "engine_unavailable"),
        (gives({"language": "en"}), "server_error"),
        (gives(b"plain text"), "server_error"),
        (streams(sse({"type": "transcript.text.delta", "delta": "Once"})), "engine_unavailable"),
        (breaks(sse({"type": "transcript.text.delta", "delta": "Once"})), "engine_unavailable"),
        (streams(sse({"type": "error", "error": {"code": "server_error"}})), "server_error"),
    ],
)
def test_failures_are_told_by_their_kind(answer: Answer, code: str) -> None:
    assert failure(answer).code == code


def test_silence_of_the_server_beyond_the_deadline_is_a_timeout() -> None:
    assert failure(stalls(), timeouts=Timeouts(first_s=0.2)).code == "engine_timeout"


def test_an_utterance_beyond_the_bound_is_a_failure_and_nothing_is_sent() -> None:
    results, server = exchange(gives({"text": "?"}), max_utterance_s=0.5)

    assert len(results) == 1
    assert isinstance(results[0], EngineError)
    assert "longer than 0.5 s" in str(results[0])
    assert server.requests == []


def test_aborting_delivers_nothing_and_hangs_up_on_the_server() -> None:
    server, heard = Server(stalls()), Heard()

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), server.listening():
            async with started(TranscriptionsTranscriber(TranscriptionsSettings(server.settings(), "m"))) as engine:
                stream = engine.open(TranscriptOptions(), heard.deliver)
                stream.feed(SECOND)
                stream.finish()
                await server.asked.wait()
                stream.abort()
                await server.hung_up.wait()

    asyncio.run(run())

    assert heard.results == []


@pytest.mark.parametrize("is_asked", [False, True])
def test_closing_the_engine_fails_what_is_under_way_once(is_asked: bool) -> None:
    server, heard = Server(stalls()), Heard()

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), server.listening():
            async with started(TranscriptionsTranscriber(TranscriptionsSettings(server.settings(), "m"))) as engine:
                stream = engine.open(TranscriptOptions(), heard.deliver)
                stream.feed(SECOND)
                stream.finish()
                if is_asked:
                    await server.asked.wait()
                await engine.close()

    asyncio.run(run())

    assert [type(result) for result in heard.results] == [EngineError]
