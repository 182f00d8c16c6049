"""What is done with the user's voice before anybody answers: turns by meaning, noise, push to talk with pre-roll."""

import asyncio
import base64
from typing import Any

import numpy as np
import pytest

from bench.checked_client import CheckedClient, Json
from tests.e2e.conftest import Say
from tests.e2e.talking import said, talking
from vivavoce.audio.pcm import to_float

TRANSCRIPTION = {"model": "whisper-1"}
BYTES_PER_MS = 48
LONG_SILENCE = bytes(BYTES_PER_MS * 4_500)  # longer than any turn of medium eagerness waits


async def retrieved_audio(client: CheckedClient, item_id: str) -> bytes:
    await client.send({"type": "conversation.item.retrieve", "item_id": item_id})
    event = await client.wait_for("conversation.item.retrieved")
    return base64.b64decode(event["item"]["content"][0]["audio"])


def noise(length_bytes: int) -> bytes:
    """Return white noise, -30 dBFS, the same every time."""
    samples = np.random.default_rng(7).normal(0, 1_000, length_bytes // 2)
    return samples.clip(-32_768, 32_767).astype("<i2").tobytes()


def level_db(pcm: bytes) -> float:
    return float(10 * np.log10(np.mean(to_float(pcm) ** 2) + 1e-12))


@pytest.mark.parametrize("eagerness", ["low", "medium", "high", "auto"])
def test_a_turn_ends_by_its_meaning_and_is_answered(server: str, say: Say, eagerness: str) -> None:
    question = say("What time is it?")

    async def conversation() -> None:
        detection = {"type": "semantic_vad", "eagerness": eagerness}
        audio = {"input": {"turn_detection": detection, "transcription": TRANSCRIPTION}}
        async with talking(server, audio=audio) as client:
            await client.append(question + LONG_SILENCE * 2)
            started = await client.wait_for("input_audio_buffer.speech_started")
            stopped = await client.wait_for("input_audio_buffer.speech_stopped")
            answer = await client.answer(0)

        longest_ms = {"low": 8_000, "high": 2_000}.get(eagerness, 4_000)
        spoken_ms = len(question) // BYTES_PER_MS
        assert stopped["item_id"] == started["item_id"]
        assert stopped["audio_end_ms"] <= spoken_ms + longest_ms + 32
        assert answer.audio and answer.status == "completed"

    asyncio.run(conversation())


def test_noise_is_reduced_before_anyone_hears_it(server: str) -> None:
    pcm = noise(BYTES_PER_MS * 2_000)

    async def committed(client: CheckedClient) -> bytes:
        await client.append(pcm)
        await client.send({"type": "input_audio_buffer.commit"})
        event = await client.wait_for("input_audio_buffer.committed")
        return await retrieved_audio(client, event["item_id"])

    async def conversation() -> None:
        heard: dict[str, bytes] = {}
        for kind in ("near_field", "far_field"):
            audio: Json = {"input": {"turn_detection": None, "noise_reduction": {"type": kind}}}
            async with talking(server, audio=audio) as client:
                heard[kind] = await committed(client)

        assert {len(audio) for audio in heard.values()} == {len(pcm)}
        second_half = slice(len(pcm) // 2, None)  # once the noise is known
        before = level_db(pcm[second_half])
        assert level_db(heard["near_field"][second_half]) < before - 6
        assert level_db(heard["far_field"][second_half]) < level_db(heard["near_field"][second_half]) - 6

    asyncio.run(conversation())


def test_push_to_talk_keeps_the_word_that_came_before_the_button(server: str, say: Say) -> None:
    speech = say("What time is it?")
    early, rest = speech[: BYTES_PER_MS * 200], speech[BYTES_PER_MS * 200 :]

    async def conversation(**extension: Any) -> Json:
        audio = {"input": {"turn_detection": None, "transcription": TRANSCRIPTION}}
        async with talking(server, audio=audio, vivavoce=extension) as client:
            await client.append(bytes(BYTES_PER_MS * 300) + early)
            await client.send({"type": "input_audio_buffer.clear"})
            await client.append(rest)
            await client.send({"type": "input_audio_buffer.commit"})
            return await client.wait_for("conversation.item.input_audio_transcription.completed")

    whole = asyncio.run(conversation(pre_roll_ms=500))

    assert whole["usage"]["seconds"] == pytest.approx(len(speech) / BYTES_PER_MS / 1000 + 0.3, abs=0.01)
    assert "time" in said(whole["transcript"])
