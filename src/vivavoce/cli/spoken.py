"""Speaks a recording into a conversation: at the pace of a microphone, or as fast as the server listens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from vivavoce.audio.pcm import bytes_for_ms
from vivavoce.audio.resample import resample_file
from vivavoce.audio.wav import read_wav
from vivavoce.cli.conversation import Conversation
from vivavoce.core.requests import SAMPLE_RATE_HZ
from vivavoce.testing.pacer import pace, split_chunks

CHUNK_MS: Final = 40
CHUNK_BYTES: Final = bytes_for_ms(CHUNK_MS, SAMPLE_RATE_HZ)
CLOSING_SILENCE_MS: Final = 1500  # after the recording, so that the detector hears the last turn end
SILENCE: Final = bytes(CHUNK_BYTES)


def read_speech(path: Path) -> bytes:
    """Return a recording as pcm16le, mono, 24 kHz; raises WavError or OSError."""
    audio = read_wav(path)
    return resample_file(audio.pcm, audio.rate_hz, SAMPLE_RATE_HZ)


def chunks_of(speech: bytes) -> Iterator[bytes]:
    """Yield a recording and its closing silence in chunks of 40 ms; the last chunk of speech is filled with silence."""
    for chunk in split_chunks(speech, CHUNK_BYTES):
        yield chunk + bytes(CHUNK_BYTES - len(chunk))
    for _ in range(CLOSING_SILENCE_MS // CHUNK_MS):
        yield SILENCE


async def speak_in_real_time(conversation: Conversation, speech: bytes) -> None:
    """Say a recording as a microphone would, then stay silent until all is answered and played."""

    async def microphone() -> AsyncIterator[bytes]:
        for chunk in chunks_of(speech):
            yield chunk
        while not _is_finished(conversation):
            yield SILENCE

    await pace(microphone(), CHUNK_MS, conversation.say)


async def speak_at_full_speed(conversation: Conversation, speech: bytes) -> None:
    """Say a recording as fast as the server reads, as a polite speaker: each answer is heard out in silence."""
    for chunk in chunks_of(speech):
        await _listen_politely(conversation)
        await conversation.say(chunk)
        await conversation.settled()
    while not _is_finished(conversation):
        await _listen_politely(conversation)
        await conversation.say(SILENCE)
        await conversation.settled()
        await conversation.until(lambda: _is_finished(conversation), timeout_s=CHUNK_MS / 1000)


async def _listen_politely(conversation: Conversation) -> None:
    loop = asyncio.get_running_loop()
    while conversation.floor.is_answering(loop.time()):
        await conversation.until(lambda: not conversation.floor.is_answering(loop.time()), timeout_s=0.1)
    while conversation.tracks.is_playing and not conversation.floor.is_speaking:
        await conversation.say(SILENCE)
        await conversation.settled()


def _is_finished(conversation: Conversation) -> bool:
    now = asyncio.get_running_loop().time()
    return conversation.floor.is_idle(now) and not conversation.tracks.is_playing
