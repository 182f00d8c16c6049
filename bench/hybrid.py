"""The hybrid pipeline with stages of known delay: our own share of the answer time, cancelling, CPU per text delta."""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from bench import stage_servers
from bench.client import SpeakingClient, speaking_client
from bench.figures import Figure, spread
from bench.resources import cpu_s
from bench.server import RunningServer, running_server
from bench.speech import Utterance, utterances
from bench.stage_servers import StageServer
from vivavoce.engines.compatible.failures import Failures
from vivavoce.engines.compatible.sse import SseReader
from vivavoce.engines.llm.chat_completions import ChatAnswer
from vivavoce.engines.llm.compatible_generator import Written

TURNS: Final = 30
SILENCE_MS: Final = 200
HEARING_S, WRITING_S, SPEAKING_S = 0.080, 0.120, 0.090
KNOWN_MS: Final = (HEARING_S + WRITING_S + SPEAKING_S) * 1000
ALLOWED_MS: Final = 60.0
CANCELS: Final = 20
ALLOWED_CANCEL_MS: Final = 50.0
DELTAS: Final = 2_000
DELTA_PAUSE_S: Final = 0.002
PARSED_DELTAS: Final = 20_000
PAUSE_S: Final = 0.5
MODEL: Final = "vivavoce-hybrid"


class Stages(msgspec.Struct):
    """The stand-ins for the three stages."""

    transcriber: StageServer
    generator: StageServer
    synthesizer: StageServer

    def settings(self) -> dict[str, str]:
        """Return the environment of a server that uses them."""
        servers = {
            "transcriber": self.transcriber.settings("transcriptions"),
            "generator": self.generator.settings("chat-completions"),
            "synthesizer": self.synthesizer.settings("speech"),
        }
        chosen = {
            f"VIVAVOCE_HYBRID__{stage}__{name}".upper(): value
            for stage, settings in servers.items()
            for name, value in settings.items()
        }
        return {"VIVAVOCE_ENGINES__DEFAULT": "hybrid", **chosen}

    def answer(self) -> None:
        """Let every stage answer after its delay."""
        self.transcriber.answer = stage_servers.hears(HEARING_S)
        self.generator.answer = stage_servers.writes(WRITING_S)
        self.synthesizer.answer = stage_servers.speaks(SPEAKING_S)


class TurnTiming(msgspec.Struct, frozen=True):
    """One turn, in ms to the first audio: from the last sound, and from the moment the silence was complete."""

    response_ms: float
    compute_ms: float


# Turns ------------------------------------------------------------------------------------------------------------


async def _turn(client: SpeakingClient, utterance: Utterance) -> TurnTiming | None:
    since = len(client.arrivals)
    spoken_until = client.say(utterance.pcm) + utterance.end_s
    first = await client.wait_for("response.output_audio.delta", since)
    await client.wait_for("response.done", since)
    stopped = [a for a in client.arrivals[since:] if a.event["type"] == "input_audio_buffer.speech_stopped"]
    await asyncio.sleep(PAUSE_S)
    if len(stopped) != 1:
        return None  # the speaker paused within the utterance
    silence_complete = client.audio_time(stopped[0].event["audio_end_ms"])
    return TurnTiming((first.at - spoken_until) * 1000, (first.at - silence_complete) * 1000)


async def _turns(url: str, spoken: list[Utterance]) -> list[TurnTiming]:
    detection = {"type": "server_vad", "silence_duration_ms": SILENCE_MS, "interrupt_response": False}
    async with speaking_client(url, audio={"input": {"turn_detection": detection}}) as client:
        await asyncio.sleep(PAUSE_S)
        found = [await _turn(client, utterance) for utterance in spoken]
    return [timing for timing in found if timing is not None]


# Cancelling -------------------------------------------------------------------------------------------------------


async def _hung_up_ms(client: SpeakingClient, server: StageServer, event: dict[str, Any]) -> float:
    """Send an event; return how long it takes until the server's client has hung up."""
    server.closed.clear()
    sent_at = asyncio.get_running_loop().time()
    await client.send(event)
    await server.closed.wait()
    return (server.closed_at - sent_at) * 1000


async def _cancel_response(client: SpeakingClient, server: StageServer, begun: str) -> float:
    since = len(client.arrivals)
    await client.send({"type": "response.create"})
    await client.wait_for(begun, since)
    taken_ms = await _hung_up_ms(client, server, {"type": "response.cancel"})
    await client.wait_for("response.done", since)
    return taken_ms


async def _cancel_transcript(client: SpeakingClient, server: StageServer) -> float:
    since = len(client.arrivals)
    server.asked.clear()
    await asyncio.sleep(PAUSE_S)  # for enough audio
    await client.send({"type": "input_audio_buffer.commit"})
    committed = await client.wait_for("input_audio_buffer.committed", since)
    await server.asked.wait()
    return await _hung_up_ms(
        client, server, {"type": "conversation.item.delete", "item_id": committed.event["item_id"]}
    )


async def _cancels(url: str, stages: Stages) -> dict[str, list[float]]:
    audio = {"input": {"turn_detection": None, "transcription": {"model": "stand-in"}}}
    stages.transcriber.answer = stage_servers.stalls()
    async with speaking_client(url, audio=audio) as client:
        transcripts = [await _cancel_transcript(client, stages.transcriber) for _ in range(CANCELS)]
        stages.answer()
        stages.generator.answer = stage_servers.stalls(
            "text/event-stream", stage_servers.word(stage_servers.FIRST_CLAUSE)
        )
        begun = "response.output_audio_transcript.delta"
        answers = [await _cancel_response(client, stages.generator, begun) for _ in range(CANCELS)]
        stages.answer()
        stages.synthesizer.answer = stage_servers.stalls("audio/pcm", bytes(9600))
        begun = "response.output_audio.delta"
        speech = [await _cancel_response(client, stages.synthesizer, begun) for _ in range(CANCELS)]
    return {"transcription": transcripts, "answer": answers, "speech": speech}


# CPU --------------------------------------------------------------------------------------------------------------


def _parse_us() -> float:
    """Return the CPU time for a delta within the adapter, from bytes to text, in microseconds."""
    events = [stage_servers.word(f"word{number} ") for number in range(PARSED_DELTAS)]
    reader, answer, written = SseReader(), ChatAnswer(Failures("bench", "here", ())), Written()
    started = time.process_time()
    for data in events:
        for event in reader.feed(data):
            for _ in written.pass_on(answer.take(event.data)):
                pass
    return (time.process_time() - started) / PARSED_DELTAS * 1e6


async def _served_us(server: RunningServer, stages: Stages) -> float:
    """Return the CPU time of the whole server for a delta, from the chat server to the client, in microseconds."""
    stages.generator.answer = stage_servers.streams_words(DELTAS, DELTA_PAUSE_S)
    async with speaking_client(server.url(MODEL), audio={"input": {"turn_detection": None}}) as client:
        before = cpu_s(server.pid)
        started = time.monotonic()
        await asyncio.sleep(1.0)
        idle = (cpu_s(server.pid) - before) / (time.monotonic() - started)  # the microphone goes on
        before, started = cpu_s(server.pid), time.monotonic()
        await client.send({"type": "response.create", "response": {"output_modalities": ["text"]}})
        await client.wait_for("response.done")
        used = cpu_s(server.pid) - before - idle * (time.monotonic() - started)
    return used / DELTAS * 1e6


# All --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for a process that is started in the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


async def _measure(spoken: list[Utterance]) -> tuple[list[TurnTiming], dict[str, list[float]], float]:
    stages = Stages(*(StageServer(stage_servers.stalls()) for _ in range(3)))
    stages.answer()
    async with contextlib.AsyncExitStack() as stack:
        for server in (stages.transcriber, stages.generator, stages.synthesizer):
            await stack.enter_async_context(server.listening())
        with _environment(stages.settings()), running_server() as running:
            timings = await _turns(running.url(MODEL), spoken)
            cancels = await _cancels(running.url(MODEL), stages)
            return timings, cancels, await _served_us(running, stages)


def run() -> list[Figure]:
    """Return our share of the answer time, how fast a cancel reaches each stage, and the CPU time of a text delta."""
    timings, cancels, served_us = asyncio.run(_measure(utterances(TURNS)))
    compute = [timing.compute_ms - KNOWN_MS for timing in timings]
    response = [timing.response_ms - KNOWN_MS - SILENCE_MS for timing in timings]
    figures = [
        Figure("known delays: transcription, first words, first audio", KNOWN_MS, "ms"),
        *spread("our share, from the complete silence to the first audio", compute, "ms", ALLOWED_MS),
        *spread(f"  from the last sound, less {SILENCE_MS} ms of silence", response, "ms"),
    ]
    for stage, taken_ms in cancels.items():
        figures += spread(f"cancel to the closed stream of the {stage}", taken_ms, "ms", ALLOWED_CANCEL_MS)
    return [
        *figures,
        Figure("CPU per text delta, in the adapter", _parse_us(), "us"),
        Figure(f"CPU per text delta, whole server, {1 / DELTA_PAUSE_S:.0f} a second at most", served_us, "us"),
    ]
