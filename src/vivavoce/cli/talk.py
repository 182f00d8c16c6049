"""`vivavoce talk`: a conversation in the terminal, against a server or within this process."""

import asyncio
import sys
import threading
import wave
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import msgspec
import typer

from vivavoce.cli.conversation import Conversation
from vivavoce.cli.faults import CommandError, faults_as_sentences, load_configuration
from vivavoce.cli.peers import Json, Peer, local_peer, remote_peer
from vivavoce.cli.spoken import read_speech, speak_at_full_speed, speak_in_real_time
from vivavoce.cli.tracks import SAMPLE_BYTES
from vivavoce.core.requests import SAMPLE_RATE_HZ

TRANSCRIPTION_MODEL: Final = "whisper-1"  # a name that every server of this API takes


class TalkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for."""

    url: str | None = None
    wav: Path | None = None
    out: Path | None = None
    is_stereo: bool = False
    is_fast: bool = False
    model: str | None = None
    voice: str | None = None
    instructions: str | None = None
    api_key: str | None = None


def run_talk(request: TalkRequest, config_path: Path | None) -> None:
    """Hold the conversation and write what was asked for."""
    with faults_as_sentences():
        speech = read_speech(request.wav) if request.wav is not None else None
        if request.out is not None and not request.out.absolute().parent.is_dir():
            raise CommandError(f"There is no folder {request.out.absolute().parent} for --out.")
        asyncio.run(_talk(request, config_path, speech))


async def _talk(request: TalkRequest, config_path: Path | None, speech: bytes | None) -> None:
    async with _peer(request, config_path) as peer:
        conversation = Conversation(peer, typer.echo, lambda line: typer.echo(line, err=True))
        try:
            async with conversation.listening():
                await conversation.configure(_session(request))
                await _converse(conversation, request, speech)
        finally:
            if request.out is not None:
                _write(request.out, conversation, is_stereo=request.is_stereo)


def _peer(request: TalkRequest, config_path: Path | None) -> AbstractAsyncContextManager[Peer]:
    if request.url is not None:
        return remote_peer(request.url, request.model, request.api_key)
    return local_peer(load_configuration(config_path).configuration, request.model)


def _session(request: TalkRequest) -> Json:
    is_spoken = request.wav is not None or request.out is not None
    transcription = {"model": TRANSCRIPTION_MODEL} if request.wav is not None else None
    audio: Json = {"input": {"transcription": transcription}}
    if request.voice is not None:
        audio["output"] = {"voice": request.voice}
    session: Json = {"output_modalities": ["audio" if is_spoken else "text"], "audio": audio}
    if request.instructions is not None:
        session["instructions"] = request.instructions
    return session


async def _converse(conversation: Conversation, request: TalkRequest, speech: bytes | None) -> None:
    if speech is None:
        async for line in _lines():
            await conversation.write(line)
    elif request.is_fast:
        await speak_at_full_speed(conversation, speech)
    else:
        await speak_in_real_time(conversation, speech)


async def _lines() -> AsyncIterator[str]:
    """Yield the lines of standard input that are not blank.

    A thread of its own reads them: it may wait for ever, and must not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in iter(sys.stdin.readline, ""):
            loop.call_soon_threadsafe(arrived.put_nowait, line)
        loop.call_soon_threadsafe(arrived.put_nowait, "")

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while line := await arrived.get():
        if not line.strip():
            continue
        if not sys.stdin.isatty():
            typer.echo(f"you: {line.strip()}")
        yield line.strip()


def _write(path: Path, conversation: Conversation, *, is_stereo: bool) -> None:
    tracks = conversation.tracks
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2 if is_stereo else 1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(tracks.stereo() if is_stereo else tracks.assistant())
