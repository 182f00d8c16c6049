"""Last speech sample to first audio delta, over spoken turns in real time."""

import asyncio
import statistics
from typing import Final

import msgspec

from bench.client import SpeakingClient, speaking_client
from bench.figures import Figure, spread
from bench.server import running_server
from bench.speech import Utterance, utterances

TURNS: Final = 20
SILENCES_MS: Final = (500, 200)
ALLOWED_MS: Final = 150.0
PAUSE_S: Final = 0.3


class TurnTiming(msgspec.Struct, frozen=True):
    """One turn, in ms to the first audio: from the last speech sample, and from the moment the silence was complete."""

    response_ms: float
    compute_ms: float


async def _turn(client: SpeakingClient, utterance: Utterance) -> TurnTiming | None:
    since = len(client.arrivals)
    started = client.say(utterance.pcm)
    spoken_until = started + utterance.end_s
    first = await client.wait(lambda e: e["type"] in ("response.output_audio.delta", "response.done"), since)
    stopped = [a for a in client.arrivals[since:] if a.event["type"] == "input_audio_buffer.speech_stopped"]
    await client.send({"type": "response.cancel"})
    await client.wait_for("response.done", since)
    if first.event["type"] == "response.done" or len(stopped) != 1:
        return None  # nothing was understood, or the speaker paused within the utterance
    silence_complete = client.audio_time(stopped[0].event["audio_end_ms"])
    return TurnTiming((first.at - spoken_until) * 1000, (first.at - silence_complete) * 1000)


async def _talk(url: str, silence_ms: int, spoken: list[Utterance]) -> list[TurnTiming]:
    # Barge-in is off: what is measured is the answer, and a pause within an utterance would cancel it.
    detection = {"type": "server_vad", "silence_duration_ms": silence_ms, "interrupt_response": False}
    timings: list[TurnTiming] = []
    async with speaking_client(url, audio={"input": {"turn_detection": detection}}) as client:
        await asyncio.sleep(PAUSE_S)
        for utterance in spoken:
            timing = await _turn(client, utterance)
            if timing is not None:
                timings.append(timing)
            await asyncio.sleep(utterance.end_s * 0 + PAUSE_S + 1.0)
    return timings


def run() -> list[Figure]:
    """Return the latency of spoken turns per silence duration, and how the first turn compares."""
    figures: list[Figure] = []
    spoken = utterances(TURNS + 4)
    for silence_ms in SILENCES_MS:
        with running_server() as server:
            timings = asyncio.run(_talk(server.url("vivavoce-local"), silence_ms, spoken))
        response = [timing.response_ms for timing in timings]
        name = f"last speech sample to first audio, silence {silence_ms} ms"
        figures += spread(name, response, "ms", silence_ms + ALLOWED_MS)
        figures += spread(
            f"  of which after the silence was complete ({silence_ms})", [t.compute_ms for t in timings], "ms"
        )
        figures.append(
            Figure(f"  first turn over the median ({silence_ms})", response[0] / statistics.median(response), "x", 2.0)
        )
    return figures
