"""The transcriber over Realtime transcription sessions: against our own server, and against servers that misbehave."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import msgspec
import pytest

from tests.engines.compatible_servers import DEADLINE_S, KEY, Json, Server, gives, started
from tests.engines.realtime_upstream import Peer, Play, Upstream
from tests.repository.serving import served
from vivavoce.core.requests import TranscriptOptions
from vivavoce.engines.base import EngineError, Final, Partial
from vivavoce.engines.compatible.settings import CompatibleServer, Timeouts
from vivavoce.engines.stt.hosted_realtime import (
    HostedRealtimeSettings,
    HostedRealtimeStream,
    HostedRealtimeTranscriber,
)
from vivavoce.protocol.server_events import DurationUsage, TokensUsage, TranscriptTokenDetails

SECOND = bytes(range(256)) * 125  # pcm16le, mono, 16 kHz
CHUNK_BYTES = 640  # 20 ms

Result = Partial | Final | EngineError


class Heard:
    """What was delivered. `is_partial` is set by the first partial result, `is_over` by the final one."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.is_partial = asyncio.Event()
        self.is_over = asyncio.Event()

    def deliver(self, result: Result) -> None:
        self.results.append(result)
        (self.is_partial if isinstance(result, Partial) else self.is_over).set()

    @property
    def last(self) -> Result:
        return self.results[-1]


def feed(stream: HostedRealtimeStream, pcm: bytes = SECOND) -> None:
    for start in range(0, len(pcm), CHUNK_BYTES):
        stream.feed(pcm[start : start + CHUNK_BYTES])


async def hear(
    engine: HostedRealtimeTranscriber, pcm: bytes = SECOND, options: TranscriptOptions | None = None
) -> list[Result]:
    """Return all results of one utterance."""
    heard = Heard()
    stream = engine.open(options or TranscriptOptions(), heard.deliver)
    feed(stream, pcm)
    stream.finish()
    stream.finish()
    await heard.is_over.wait()
    assert stream.pending_ms == 0
    return heard.results


# Our own server -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the base URL of a scripted server."""
    folder = tmp_path_factory.mktemp("upstream")
    settings = ("ENGINES__DEFAULT=scripted", 'MODELS__TABLE={"vivavoce-local": "scripted"}', f"SERVER__API_KEYS={KEY}")
    (folder / ".env").write_text("".join(f"VIVAVOCE_{setting}\n" for setting in settings))
    with served([sys.executable, "-m", "vivavoce"], folder) as url:
        yield f"{url}/v1"


def own(base_url: str, **options: Any) -> HostedRealtimeTranscriber:
    settings = HostedRealtimeSettings(
        CompatibleServer(base_url, KEY), model="gpt-live-transcribe", hints=("delay",), **options
    )
    return HostedRealtimeTranscriber(settings)


def says(heard: Json | str) -> TranscriptOptions:
    """Return options that let the scripted server hear this."""
    script = msgspec.json.encode({"turns": [{"heard": heard}]}).decode()
    return TranscriptOptions(language="en", prompt=f"vivavoce-script: {script}")


def texts(results: Iterable[Result]) -> list[str]:
    """Return the texts of final results."""
    return [result.text for result in results if isinstance(result, Final)]


def run_own(base_url: str, options: TranscriptOptions, **settings: Any) -> list[Result]:
    async def run() -> list[Result]:
        async with asyncio.timeout(DEADLINE_S), started(own(base_url, **settings)) as engine:
            return await hear(engine, options=options)

    return asyncio.run(run())


@pytest.mark.e2e
def test_our_own_server_transcribes_with_partial_results(own_server: str) -> None:
    results = run_own(own_server, says("guten Tag allerseits"))

    partials = [result for result in results if isinstance(result, Partial)]
    assert results[-1] == Final("guten Tag allerseits", usage=DurationUsage(seconds=1.0))
    assert partials
    assert all("guten Tag allerseits".startswith(partial.stable) for partial in partials)


@pytest.mark.e2e
def test_a_session_serves_one_utterance_after_the_other_each_with_its_own_options(own_server: str) -> None:
    async def run() -> list[Result]:
        async with asyncio.timeout(DEADLINE_S), started(own(own_server)) as engine:
            script = msgspec.json.encode({"turns": [{"heard": "first"}, {"heard": "second"}]}).decode()
            options = TranscriptOptions(prompt=f"vivavoce-script: {script}")
            return [(await hear(engine, options=options))[-1] for _ in range(2)]

    assert texts(asyncio.run(run())) == ["first", "second"]  # the server counts utterances by session


@pytest.mark.e2e
def test_utterances_at_the_same_time_do_not_mix(own_server: str) -> None:
    said = [f"speaker {number} says this" for number in range(6)]

    async def run() -> list[list[Result]]:
        async with asyncio.timeout(DEADLINE_S), started(own(own_server)) as engine:
            return await asyncio.gather(*(hear(engine, options=says(text)) for text in said))

    assert texts(results[-1] for results in asyncio.run(run())) == said


@pytest.mark.e2e
@pytest.mark.parametrize("pcm", [b"", bytes(320)])
def test_an_utterance_too_short_to_commit_is_filled_up_with_silence(own_server: str, pcm: bytes) -> None:
    async def run() -> list[Result]:
        async with asyncio.timeout(DEADLINE_S), started(own(own_server)) as engine:
            return await hear(engine, pcm, says("hm"))

    assert texts(asyncio.run(run())[-1:]) == ["hm"]


@pytest.mark.e2e
def test_a_failed_transcript_is_an_engine_error(own_server: str) -> None:
    error = run_own(own_server, TranscriptOptions(prompt="vivavoce-script: {"))[-1]

    assert isinstance(error, EngineError)
    assert error.code == "server_error"


@pytest.mark.e2e
def test_settings_that_the_server_refuses_are_an_engine_error(own_server: str) -> None:
    error = run_own(own_server, TranscriptOptions(delay="for ever"))[-1]

    assert isinstance(error, EngineError)
    assert "reported an error" in str(error)


@pytest.mark.e2e
def test_a_wrong_key_is_told_and_not_shown(own_server: str) -> None:
    async def run() -> Result:
        settings = HostedRealtimeSettings(CompatibleServer(own_server, "sk-wrong-key"))
        async with asyncio.timeout(DEADLINE_S), started(HostedRealtimeTranscriber(settings)) as engine:
            return (await hear(engine))[-1]

    error = asyncio.run(run())

    assert isinstance(error, EngineError)
    assert "401" in str(error)
    assert "sk-wrong-key" not in str(error)


# Servers that follow a script ---------------------------------------------------------------------------------


def with_upstream(
    play: Play, work: Callable[[Upstream, HostedRealtimeTranscriber], Awaitable[None]], **options: Any
) -> Upstream:
    """Run `work` with an engine before a server; return the server as it is afterwards."""
    upstream = Upstream(play)

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), upstream.listening():
            async with started(upstream.engine(**options)) as engine:
                await work(upstream, engine)

    asyncio.run(run())
    return upstream


def failure(play: Play, **options: Any) -> EngineError:
    """Return the only result of an utterance."""
    results: list[Result] = []

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        results.extend(await hear(engine))

    with_upstream(play, work, **options)
    (error,) = results
    assert isinstance(error, EngineError)
    assert KEY not in str(error)
    return error


def test_the_session_is_set_up_as_the_hosted_api_wants_it() -> None:
    sessions: list[Json] = []
    utterances: list[bytes] = []

    async def play(peer: Peer) -> None:
        sessions.append(await peer.greet())
        utterances.append(await peer.utterance())
        await peer.complete(" Hello. ")

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        options = TranscriptOptions(1, "en", "not taken", ("en",), ("Wien",), "low")
        assert await hear(engine, options=options) == [Final("Hello.")]

    upstream = with_upstream(play, work)

    assert upstream.paths == ["/v1/realtime?intent=transcription"]
    assert upstream.keys == [f"Bearer {KEY}"]
    transcription = {"model": "gpt-realtime-whisper", "language": "en", "delay": "low"}
    audio = {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24_000},
            "transcription": transcription,
            "turn_detection": None,
        }
    }
    assert sessions == [{"type": "transcription", "audio": audio}]
    assert len(utterances[0]) == len(SECOND) * 3 // 2


def test_a_session_may_choose_among_the_models_and_each_gets_what_it_takes() -> None:
    asked: list[Json] = []

    async def play(peer: Peer) -> None:
        while True:
            update = await peer.receive() if asked else {"session": await peer.greet()}
            asked.append(update["session"]["audio"]["input"]["transcription"])
            if len(asked) > 1:
                await peer.send("session.updated", session=update["session"])
            await peer.utterance()
            await peer.complete("Hello.")

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        for model in ("quick", None, "unknown"):
            await hear(engine, options=TranscriptOptions(prompt="Names.", keywords=("Wien",), delay="low", model=model))
        assert engine.capabilities.models == ("gpt-realtime-whisper", "quick")
        assert engine.capabilities.hints == ()
        assert engine.capabilities.ignores == ("audio.input.transcription.prompt",)

    with_upstream(play, work, models=(("quick", "gpt-live-transcribe"),))

    quick = {"model": "gpt-live-transcribe", "prompt": "Names.", "keywords": ["Wien"]}
    whisper = {"model": "gpt-realtime-whisper", "delay": "low"}
    assert asked == [quick, whisper, whisper]


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (
            {
                "type": "tokens",
                "input_tokens": 14,
                "output_tokens": 45,
                "total_tokens": 59,
                "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
            },
            TokensUsage(
                input_tokens=14,
                output_tokens=45,
                total_tokens=59,
                input_token_details=TranscriptTokenDetails(text_tokens=0, audio_tokens=14),
            ),
        ),
        ({"type": "duration", "seconds": 2.5}, DurationUsage(seconds=2.5)),
        ({"type": "tokens", "input_tokens": -1, "output_tokens": 0, "total_tokens": 0}, None),
        ({"type": "stars", "count": 5}, None),
        (None, None),
    ],
)
def test_the_usage_is_that_of_the_server_if_it_is_one(told: Any, usage: TokensUsage | DurationUsage | None) -> None:
    results: list[Result] = []

    async def play(peer: Peer) -> None:
        await peer.greet()
        await peer.utterance()
        await peer.send("conversation.item.input_audio_transcription.completed", transcript="Hm.", usage=told)

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        results.extend(await hear(engine))

    with_upstream(play, work)

    assert results == [Final("Hm.", usage=usage)]


def test_query_parameters_follow_the_intent() -> None:
    async def play(peer: Peer) -> None:
        await peer.greet()
        await peer.utterance()
        await peer.complete("Hello.")

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        await hear(engine)

    upstream = with_upstream(play, work, query=(("api-version", "2025-04-01 preview"),))

    assert upstream.paths == ["/v1/realtime?intent=transcription&api-version=2025-04-01+preview"]


def test_partial_results_come_while_the_speaker_still_speaks() -> None:
    async def play(peer: Peer) -> None:
        await peer.greet()
        await peer.receive()
        await peer.send("conversation.item.input_audio_transcription.delta", item_id="i", delta=" Once")
        await peer.utterance()
        await peer.send("conversation.item.input_audio_transcription.delta", item_id="i", delta=" more")
        await peer.complete("Once more.")

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        heard = Heard()
        stream = engine.open(TranscriptOptions(), heard.deliver)
        feed(stream)
        await heard.is_partial.wait()
        feed(stream)
        stream.finish()
        await heard.is_over.wait()
        assert heard.results == [Partial("Once", "Once"), Partial("Once more", "Once more"), Final("Once more.")]

    with_upstream(play, work)


def test_nothing_connects_before_the_first_utterance() -> None:
    async def play(peer: Peer) -> None:
        await peer.greet()

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        assert upstream.connections == 0

    assert with_upstream(play, work).connections == 0


async def answers_all(peer: Peer) -> None:
    """Transcribe utterance after utterance, each greeted."""
    await peer.send("session.created")
    while True:
        await peer.receive()
        await peer.send("session.updated")
        await peer.utterance()
        await peer.complete("yes")


@pytest.mark.parametrize(("keeps_s", "connections"), [(60.0, 1), (0.0, 3)])
def test_a_session_is_kept_for_the_next_utterance_as_configured(keeps_s: float, connections: int) -> None:
    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        for _ in range(3):
            assert (await hear(engine))[-1] == Final("yes")

    assert with_upstream(answers_all, work, keeps_s=keeps_s).connections == connections


def test_a_kept_session_that_the_server_has_closed_is_replaced_unseen() -> None:
    async def play(peer: Peer) -> None:
        await peer.greet()
        await peer.utterance()
        await peer.complete("yes")
        peer.abort()

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        for _ in range(3):
            assert await hear(engine) == [Final("yes")]

    assert with_upstream(play, work).connections == 3


def test_a_kept_session_is_closed_when_its_time_is_over() -> None:
    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        await hear(engine)
        await upstream.hung_up.wait()

    with_upstream(answers_all, work, keeps_s=0.05)


async def _drops_at_once(peer: Peer) -> None:
    peer.abort()


async def _drops_while_speaking(peer: Peer) -> None:
    await peer.greet()
    await peer.receive()
    peer.abort()


async def _closes_after_the_commit(peer: Peer) -> None:
    await peer.greet()
    await peer.utterance()
    await peer.close(1011)


async def _fails(peer: Peer) -> None:
    await peer.greet()
    await peer.utterance()
    error = {"type": "server_error", "message": f"no {KEY}"}
    await peer.send("conversation.item.input_audio_transcription.failed", item_id="i", error=error)


async def _is_limited(peer: Peer) -> None:
    await peer.send("error", error={"type": "invalid_request_error", "code": "rate_limit_exceeded", "message": KEY})


async def _sends_garbage(peer: Peer) -> None:
    await peer.greet()
    await peer.send_raw(b"\xff\x00")


async def _sends_too_much(peer: Peer) -> None:
    await peer.greet()
    await peer.send("x", delta="y" * 1_100_000)


@pytest.mark.parametrize(
    ("play", "code", "is_retryable"),
    [
        (_drops_at_once, "engine_unavailable", True),
        (_drops_while_speaking, "engine_unavailable", True),
        (_closes_after_the_commit, "engine_unavailable", True),
        (_fails, "server_error", True),
        (_is_limited, "engine_unavailable", True),
        (_sends_garbage, "server_error", False),
        (_sends_too_much, "engine_unavailable", True),
    ],
)
def test_a_fault_of_the_server_is_one_engine_error(play: Play, code: str, is_retryable: bool) -> None:
    error = failure(play)

    assert (error.code, error.is_retryable) == (code, is_retryable)


async def _never_confirms(peer: Peer) -> None:
    await peer.send("session.created")


async def _never_transcribes(peer: Peer) -> None:
    await peer.greet()
    await peer.utterance()


@pytest.mark.parametrize(
    ("play", "awaited"), [(_never_confirms, "session.updated"), (_never_transcribes, "transcript")]
)
def test_a_server_that_does_not_answer_in_time_is_a_timeout(play: Play, awaited: str) -> None:
    error = failure(play, timeouts=Timeouts(connect_s=0.3), final_s=0.3)

    assert error.code == "engine_timeout"
    assert f"no {awaited} within" in str(error)


def test_the_time_for_the_transcript_begins_with_the_end_of_the_utterance() -> None:
    heard = Heard()

    async def play(peer: Peer) -> None:
        await peer.greet()
        await peer.receive()
        await peer.send("conversation.item.input_audio_transcription.delta", item_id="i", delta="Once")
        await peer.utterance()

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        stream = engine.open(TranscriptOptions(), heard.deliver)
        feed(stream)
        await heard.is_partial.wait()
        stream.finish()
        await heard.is_over.wait()

    with_upstream(play, work, final_s=0.2)

    assert isinstance(heard.last, EngineError)
    assert heard.last.code == "engine_timeout"


def test_a_server_that_refuses_the_handshake_is_told_by_its_status() -> None:
    async def run() -> Result:
        async with asyncio.timeout(DEADLINE_S), Server(gives({}, "403 No")).listening() as server:
            async with started(HostedRealtimeTranscriber(HostedRealtimeSettings(server.settings()))) as engine:
                return (await hear(engine))[-1]

    error = asyncio.run(run())

    assert isinstance(error, EngineError)
    assert "answered 403" in str(error)


def test_a_redirect_to_another_origin_is_not_followed() -> None:
    other = Server(gives({}))

    async def run() -> Result:
        async with asyncio.timeout(DEADLINE_S), other.listening():
            location = f"location: ws://127.0.0.1:{other.port}/v1/realtime"
            async with Server(gives({}, "307 Elsewhere", location)).listening() as server:
                async with started(HostedRealtimeTranscriber(HostedRealtimeSettings(server.settings()))) as engine:
                    return (await hear(engine))[-1]

    assert isinstance(asyncio.run(run()), EngineError)
    assert other.requests == []


def test_neither_the_key_nor_what_is_said_stands_in_any_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "websockets.server")  # the other side of this test
    caplog.set_level(logging.DEBUG)

    async def play(peer: Peer) -> None:
        await peer.greet()
        await peer.utterance()
        await peer.complete("a secret word")

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        assert await hear(engine) == [Final("a secret word")]

    with_upstream(play, work)

    assert caplog.records
    assert all(text not in str(record.__dict__) for text in (KEY, "a secret word") for record in caplog.records)


def test_aborting_delivers_nothing_and_hangs_up_on_the_server() -> None:
    heard = Heard()

    async def play(peer: Peer) -> None:
        await peer.greet()
        await peer.receive()
        await peer.send("conversation.item.input_audio_transcription.delta", item_id="i", delta="Once")

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        stream = engine.open(TranscriptOptions(), heard.deliver)
        feed(stream)
        await heard.is_partial.wait()
        stream.abort()
        stream.feed(SECOND)
        stream.finish()
        await upstream.hung_up.wait()

    with_upstream(play, work)

    assert heard.results == [Partial("Once", "Once")]


def test_aborting_before_the_session_is_ready_delivers_nothing() -> None:
    heard = Heard()

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        stream = engine.open(TranscriptOptions(), heard.deliver)
        feed(stream)
        assert stream.pending_ms > 900
        stream.abort()
        assert stream.pending_ms == 0

    with_upstream(_never_confirms, work)

    assert heard.results == []


def test_closing_the_engine_fails_what_is_under_way_once() -> None:
    heard = Heard()

    async def work(upstream: Upstream, engine: HostedRealtimeTranscriber) -> None:
        stream = engine.open(TranscriptOptions(), heard.deliver)
        feed(stream)
        stream.finish()
        await engine.close()
        await engine.close()

    with_upstream(_never_transcribes, work)

    assert [type(result) for result in heard.results] == [EngineError]


def test_the_models_are_asked_for_at_the_start_where_that_is_configured() -> None:
    async def run() -> tuple[list[str], EngineError]:
        async with asyncio.timeout(DEADLINE_S), Server(gives({"data": []}), gives({}, "401 No")).listening() as server:
            settings = HostedRealtimeSettings(server.settings(checks_models=True))
            async with started(HostedRealtimeTranscriber(settings)):
                pass
            with pytest.raises(EngineError) as refused:
                await HostedRealtimeTranscriber(settings).start()
            return [request.path for request in server.requests], refused.value

    paths, error = asyncio.run(run())

    assert paths == ["/v1/models"] * 2
    assert (error.engine, error.is_retryable) == ("hosted-realtime", False)
