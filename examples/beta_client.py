"""A client of the beta API, as programs of 2024 were written, unchanged but for the address.

    pip install "openai[realtime]==1.60.*"
    python examples/beta_client.py question.wav [--out answer.wav] [--url ws://127.0.0.1:8040/v1]

The WAV file holds what the user says: PCM, 16 bit, mono, 24 kHz. The program speaks the beta throughout: the header
`OpenAI-Beta`, `client.beta.realtime`, flat session fields, `response.audio.delta`. The server understands it, whatever
engine answers.
"""

import argparse
import asyncio
import base64
import json
import os
import wave
from pathlib import Path

from openai import AsyncOpenAI

RATE_HZ = 24_000
CHUNK_BYTES = 9_600


async def main(question: Path, out: Path | None, url: str, model: str) -> None:
    client = AsyncOpenAI(api_key=os.environ.get("OPENAI_API_KEY", "none"), websocket_base_url=url)
    async with client.beta.realtime.connect(model=model) as connection:
        await connection.session.update(
            session={
                "modalities": ["audio", "text"],
                "instructions": "Answer in one short sentence.",
                "voice": "alloy",
                "input_audio_format": "pcm16",
                "output_audio_format": "pcm16",
                "input_audio_transcription": {"model": "whisper-1"},
                "turn_detection": None,  # push to talk
                "temperature": 0.8,
            }
        )
        with wave.open(str(question), "rb") as file:
            pcm = file.readframes(file.getnframes())
        for start in range(0, len(pcm), CHUNK_BYTES):
            chunk = base64.b64encode(pcm[start : start + CHUNK_BYTES]).decode()
            await connection.input_audio_buffer.append(audio=chunk)
        await connection.input_audio_buffer.commit()
        await connection.response.create()
        audio = await listen(connection)
    if out:
        with wave.open(str(out), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(audio)


async def listen(connection) -> bytes:
    """Print what was heard and said; return the spoken answer."""
    audio, heard, said = bytearray(), None, None
    async for event in connection:
        if event.type == "response.audio.delta":
            audio += base64.b64decode(event.delta)
        elif event.type == "response.audio_transcript.done":
            said = event.transcript
        elif event.type == "conversation.item.input_audio_transcription.completed":
            heard = event.transcript
        elif event.type == "error":
            raise RuntimeError(event.error.message)
        elif event.type == "response.done" and event.response.status != "completed":
            raise RuntimeError(f"the response is {event.response.status}")
        if heard is not None and said is not None:
            break
    print(json.dumps({"heard": heard, "said": said, "seconds": round(len(audio) / 2 / RATE_HZ, 2)}))
    return bytes(audio)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask a question in the beta API.")
    parser.add_argument("question", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--url", default="ws://127.0.0.1:8040/v1")
    parser.add_argument("--model", default="gpt-4o-realtime-preview")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.question, arguments.out, arguments.url, arguments.model))
