"""Onset of the user's speech to `speech_started` and to the last audio delta, while the assistant speaks."""

import asyncio
from typing import Final

import msgspec

from bench.client import SpeakingClient, speaking_client
from bench.figures import Figure, spread
from bench.server import running_server
from bench.speech import Utterance, onset_s, utterances

TURNS: Final = 20
ALLOWED_MS: Final = 250.0
SPEAKING_S: Final = 1.0  # the assistant has spoken this long when it is interrupted


class Interruption(msgspec.Struct, frozen=True):
    """From the first sound of the interruption, in ms."""

    started_ms: float
    last_delta_ms: float


async def _interrupt(client: SpeakingClient, utterance: Utterance) -> Interruption:
    since = len(client.arrivals)
    await client.send({"type": "response.create"})
    await client.wait_for("response.output_audio.delta", since)
    await asyncio.sleep(SPEAKING_S)
    onset_at = client.say(utterance.pcm) + onset_s(utterance.pcm)
    started = await client.wait_for("input_audio_buffer.speech_started", since)
    await client.wait_for("response.done", since)
    await client.wait_for("input_audio_buffer.committed", since)
    deltas = [a.at for a in client.arrivals[since:] if a.event["type"] == "response.output_audio.delta"]
    return Interruption((started.at - onset_at) * 1000, (deltas[-1] - onset_at) * 1000)


async def _talk(url: str, spoken: list[Utterance]) -> list[Interruption]:
    detection = {"type": "server_vad", "create_response": False}
    async with speaking_client(url, audio={"input": {"turn_detection": detection}}) as client:
        found: list[Interruption] = []
        for utterance in spoken:
            found.append(await _interrupt(client, utterance))
            await asyncio.sleep(utterance.end_s)  # a pause within the utterance may have committed it early
        return found


def run() -> list[Figure]:
    """Return how fast an interruption is noticed and obeyed."""
    with running_server(module=("bench.mixed_server",)) as server:
        found = asyncio.run(_talk(server.url("vivavoce-local"), utterances(TURNS)))
    return [
        *spread("onset to speech_started", [one.started_ms for one in found], "ms", ALLOWED_MS),
        *spread("onset to the last audio delta", [one.last_delta_ms for one in found], "ms", ALLOWED_MS),
    ]
