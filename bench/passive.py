"""Passive mode: spoken turns cause no response, and out-of-band responses during speech disturb nothing."""

import asyncio
import statistics
import sys
from typing import Any, Final

import msgspec

from bench.checked_client import Answer, CheckedClient, Json, checked_client
from bench.figures import Figure
from bench.server import running_server
from bench.speech import Utterance, utterances

TURNS: Final = 50
OUT_OF_BAND: Final = 50
PACE_FACTOR: Final = 4.0
TOLERANCE_BYTES: Final = 48 * 20  # 20 ms
SILENCE: Final = bytes(48 * 900)
STORY: Final = "Tell me a story."
QUESTION: Final = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is two plus three?"}]}
]


class Passive(msgspec.Struct, kw_only=True):
    """What 50 spoken turns without automatic responses have caused."""

    committed: int
    transcribed: int
    responses: int


class Overlap(msgspec.Struct, kw_only=True):
    """What a spoken answer and a user's turn were like with out-of-band responses beside them, and without."""

    completed: int
    items_added: int
    turn_faults: int
    is_same_speech: bool
    first_audio_ms: tuple[float, float]  # alone, with out-of-band responses
    faults: list[str]


async def _passive_turns(client: CheckedClient, spoken: list[Utterance]) -> Passive:
    detection = {"type": "server_vad", "create_response": False, "silence_duration_ms": 500}
    await client.configure(audio={"input": {"transcription": {"model": "whisper-1"}, "turn_detection": detection}})
    for utterance in spoken:
        since = client.here
        await client.append(utterance.pcm + SILENCE, pace_factor=PACE_FACTOR)
        await client.wait_for("conversation.item.input_audio_transcription.completed", since)
    return Passive(
        committed=len(client.of_type("input_audio_buffer.committed")),
        transcribed=len(client.of_type("conversation.item.input_audio_transcription.completed")),
        responses=len(client.of_type("response.created")),
    )


async def _answer_ms(client: CheckedClient, **response: Any) -> tuple[Answer, float]:
    """Have the conversation answered; return the answer and how long its first audio took."""
    loop, since = asyncio.get_running_loop(), client.here
    started = loop.time()
    await client.send({"type": "response.create", "response": response})
    await client.wait(lambda e: e["type"] == "response.output_audio.delta", since)
    first_ms = (loop.time() - started) * 1000
    return await client.answer(since), first_ms


async def _out_of_band(client: CheckedClient, number: int) -> None:
    modality = "audio" if number % 2 else "text"
    response: Json = {
        "conversation": "none",
        "input": QUESTION,
        "output_modalities": [modality],
        "metadata": {"number": str(number)},
    }
    await client.send({"type": "response.create", "response": response})


def _is_main(event: Json) -> bool:
    return event["type"] == "response.created" and event["response"]["conversation_id"] is not None


async def _alone(address: str) -> tuple[Answer, float]:
    async with checked_client(address) as client:
        await client.write(STORY)
        return await _answer_ms(client)


async def _overlapped(address: str, spoken: Utterance) -> tuple[Answer, float, CheckedClient]:
    """Half of the out-of-band responses run beside a spoken answer, half beside a user's turn."""
    async with checked_client(address) as client:
        detection = {"type": "server_vad", "create_response": False, "interrupt_response": False}
        await client.configure(audio={"input": {"transcription": {"model": "m"}, "turn_detection": detection}})
        await client.write(STORY)
        for number in range(OUT_OF_BAND // 2):
            await _out_of_band(client, number)
        since, started = client.here, asyncio.get_running_loop().time()
        await client.send({"type": "response.create"})
        created = await client.wait(_is_main, since)
        own_id = created["response"]["id"]
        await client.wait(lambda e: e["type"] == "response.output_audio.delta" and e["response_id"] == own_id, since)
        first_ms = (asyncio.get_running_loop().time() - started) * 1000
        done = await client.wait(lambda e: e["type"] == "response.done" and e["response"]["id"] == own_id, since)
        half = len(spoken.pcm) // 4 * 2
        await client.append(spoken.pcm[:half], pace_factor=PACE_FACTOR)
        for number in range(OUT_OF_BAND // 2, OUT_OF_BAND):
            await _out_of_band(client, number)
        await client.append(spoken.pcm[half:] + SILENCE, pace_factor=PACE_FACTOR)
        await client.wait_for("conversation.item.input_audio_transcription.completed", since)
        await client.wait_until(lambda: len(client.of_type("response.done")) == OUT_OF_BAND + 1)
        return client.answer_of(done["response"]), first_ms, client


async def _overlap(address: str, spoken: Utterance) -> Overlap:
    alone = [await _alone(address) for _ in range(3)]
    beside, first_ms, client = await _overlapped(address, spoken)
    responses = [event["response"] for event in client.of_type("response.done")]
    added = {event["item"]["id"] for event in client.of_type("conversation.item.added")}
    turn = ("speech_started", "speech_stopped", "committed")
    return Overlap(
        completed=sum(r["status"] == "completed" and r["conversation_id"] is None for r in responses),
        items_added=len(added),
        turn_faults=sum(abs(len(client.of_type(f"input_audio_buffer.{name}")) - 1) for name in turn),
        is_same_speech=beside.text == alone[0][0].text and _is_as_long(beside, alone[0][0]),
        first_audio_ms=(statistics.median(ms for _, ms in alone), first_ms),
        faults=[str(violation) for violation in client.violations()] + client.invalid,
    )


def _is_as_long(answer: Answer, other: Answer) -> bool:
    """The voices' timing varies by some samples from time to time."""
    return abs(len(answer.audio) - len(other.audio)) <= TOLERANCE_BYTES


async def _measure(address: str, spoken: list[Utterance]) -> tuple[Passive, Overlap]:
    async with checked_client(address) as client:
        passive = await _passive_turns(client, spoken)
    return passive, await _overlap(address, spoken[0])


def run() -> list[Figure]:
    """Return what passive turns caused, and what 50 out-of-band responses changed."""
    spoken = utterances(TURNS)
    with running_server() as server:
        passive, overlap = asyncio.run(_measure(server.address, spoken))
    for fault in overlap.faults:
        print(f"  {fault}", file=sys.stderr)
    return [
        Figure("spoken turns committed without create_response", passive.committed, "turns"),
        Figure("  of which transcribed", passive.transcribed, "turns"),
        Figure("responses that they caused", passive.responses, "responses", 0),
        Figure("out-of-band responses during speech, not completed", OUT_OF_BAND - overlap.completed, "responses", 0),
        Figure("items in the conversation: question, answer, turn", overlap.items_added, "items", 3),
        Figure("events of the user's turn missing or doubled", overlap.turn_faults, "events", 0),
        Figure("main answer different from the one alone", not overlap.is_same_speech, "answers", 0),
        Figure("violations and unknown shapes", len(overlap.faults), "events", 0),
        Figure("first audio of the main answer, alone", overlap.first_audio_ms[0], "ms"),
        Figure("first audio beside 25 out-of-band responses", overlap.first_audio_ms[1], "ms"),
    ]
