"""Transcripts that tell speakers apart reach the client piece by piece, before the whole."""

import asyncio

from bench.checked_client import CheckedClient
from tests.e2e.talking import SCRIPTED, SILENCE, scripted, talking

PARTS = [
    {"text": "Is it open?", "speaker": "A", "start_ms": 0, "end_ms": 700},
    {"text": "It is.", "speaker": "B", "start_ms": 800, "end_ms": 1_500},
]
LOUD = b"\x00\x20" * 24_000


def test_who_said_what_is_told_before_the_whole_transcript(open_server: str) -> None:
    async def conversation(client: CheckedClient) -> None:
        prompt = scripted(turns=[{"heard": {"text": "Is it open? It is.", "parts": PARTS}}])
        detection = {"type": "server_vad", "create_response": False}
        transcription = {"model": "gpt-4o-transcribe-diarize", "prompt": prompt}
        await client.configure(audio={"input": {"transcription": transcription, "turn_detection": detection}})

        await client.append(LOUD + SILENCE)
        whole = await client.wait_for("conversation.item.input_audio_transcription.completed")

        segments = client.of_type("conversation.item.input_audio_transcription.segment")
        assert [(s["speaker"], s["text"], s["start"], s["end"]) for s in segments] == [
            ("A", "Is it open?", 0.0, 0.7),
            ("B", "It is.", 0.8, 1.5),
        ]
        assert len({s["id"] for s in segments}) == 2
        assert {s["item_id"] for s in segments} == {whole["item_id"]}
        assert client.events.index(segments[-1]) < client.events.index(whole)

    async def connected() -> None:
        async with talking(open_server, SCRIPTED) as client:
            await conversation(client)

    asyncio.run(connected())
