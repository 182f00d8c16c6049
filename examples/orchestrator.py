"""Your own orchestrator: the server hears and speaks, this program thinks.

The session is passive (`create_response: false`): spoken turns are transcribed and nothing is answered by itself. Each
transcript goes to `think`, which may call tools, and the text it returns is spoken exactly as it stands, out of band,
through `response.create` with `vivavoce.say`. When the user speaks again, what is still being said is cancelled.

    python examples/orchestrator.py question.wav [--out answer.wav] [--url http://127.0.0.1:8040/v1]

The WAV file holds what the user says: PCM, 16 bit, mono, 24 kHz, sent at the speed of speech.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import wave
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

RATE_HZ = 24_000
CHUNK_MS = 40
TRAILING_SILENCE_MS = 1_200  # so that the last turn ends
QUIET_S = 3.0  # after the last answer, with nothing under way, the conversation is over

# Thinking ---------------------------------------------------------------------------------------------------------


async def tell_time() -> str:
    """A tool: what your system knows."""
    return datetime.now().strftime("%H:%M")


async def count_orders() -> str:
    """Another tool; ask your database here."""
    return "three"


TOOLS: dict[str, Callable[[], Awaitable[str]]] = {"time": tell_time, "order": count_orders}


async def think(heard: str, history: list[dict[str, str]]) -> str:
    """Return what is to be said. Put your language model here; `history` holds the turns so far."""
    results = {name: await tool() for name, tool in TOOLS.items() if name in heard.lower()}
    if "time" in results:
        return f"It is {results['time']}."
    if "order" in results:
        return f"You have {results['order']} open orders."
    return f"I heard: {heard}. That is turn number {len(history) // 2 + 1}."


# Hearing and speaking ---------------------------------------------------------------------------------------------


class Orchestrator:
    """The loop: transcript, thought, tools, speech. `spoken` is the audio that was said."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self._connection = connection
        self._history: list[dict[str, str]] = []
        self._saying: str | None = None  # the response that is being spoken
        self.spoken = bytearray()
        self.last_event = asyncio.Event()

    async def run(self) -> None:
        """Follow the session until it is closed."""
        async for event in self._connection:
            await self._take(event)
            self.last_event.set()

    @property
    def is_idle(self) -> bool:
        return self._saying is None

    async def _take(self, event: Any) -> None:
        match event.type:
            case "input_audio_buffer.speech_started" if self._saying is not None:
                await self._connection.response.cancel(response_id=self._saying)
            case "conversation.item.input_audio_transcription.completed" if event.transcript:
                await self._answer(event.transcript)
            case "response.created" if (event.response.metadata or {}).get("purpose") == "say":
                self._saying = event.response.id
            case "response.output_audio.delta":
                self.spoken += base64.b64decode(event.delta)
            case "response.done" if event.response.id == self._saying:
                self._saying = None
            case "error" if event.error.code != "response_cancel_not_active":
                raise RuntimeError(event.error.message)

    async def _answer(self, heard: str) -> None:
        text = await think(heard, self._history)
        self._history += [{"role": "user", "text": heard}, {"role": "assistant", "text": text}]
        print(json.dumps({"heard": heard, "said": text}), flush=True)
        await self._say(text)

    async def _say(self, text: str) -> None:
        """Speak a text exactly; it stays out of the conversation that the server keeps."""
        response: Any = {  # `vivavoce` is the server's extension, which the client's types do not know
            "conversation": "none",
            "output_modalities": ["audio"],
            "metadata": {"purpose": "say"},
            "vivavoce": {"say": text},
        }
        await self._connection.response.create(response=response)


async def stream(connection: AsyncRealtimeConnection, path: Path) -> None:
    """Send a WAV file as a microphone would."""
    with wave.open(str(path)) as file:
        shape = (file.getframerate(), file.getnchannels(), file.getsampwidth())
        if shape != (RATE_HZ, 1, 2):
            raise SystemExit(f"expected 24000 Hz, mono, 16 bit, but {path} has {shape}")
        pcm = file.readframes(file.getnframes()) + bytes(2 * RATE_HZ * TRAILING_SILENCE_MS // 1000)
    size = 2 * RATE_HZ * CHUNK_MS // 1000
    started = asyncio.get_running_loop().time()
    for index, start in enumerate(range(0, len(pcm), size)):
        chunk = base64.b64encode(pcm[start : start + size]).decode()
        await connection.input_audio_buffer.append(audio=chunk)
        due = started + (index + 1) * CHUNK_MS / 1000
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))  # noqa: TID251  # a microphone's pace


async def until_quiet(orchestrator: Orchestrator) -> None:
    """Return when nothing has happened for a while and nothing is being said."""
    while True:
        orchestrator.last_event.clear()
        try:
            await asyncio.wait_for(orchestrator.last_event.wait(), QUIET_S)
        except TimeoutError:
            if orchestrator.is_idle:
                return


async def main(wav: Path, out: Path | None, url: str) -> None:
    """Hold the conversation of a WAV file and write what was said."""
    client = AsyncOpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "any"))
    async with client.realtime.connect(model="vivavoce-local") as connection:
        await connection.session.update(
            session={
                "type": "realtime",
                "audio": {
                    "input": {
                        "transcription": {"model": "whisper-1"},
                        "turn_detection": {"type": "server_vad", "create_response": False},
                    }
                },
            }
        )
        orchestrator = Orchestrator(connection)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(orchestrator.run())
            await stream(connection, wav)
            await until_quiet(orchestrator)
            following.cancel()
    if out is not None:
        with contextlib.closing(wave.open(str(out), "wb")) as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(bytes(orchestrator.spoken))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wav", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8040/v1")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.wav, arguments.out, arguments.url))
