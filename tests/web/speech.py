"""Speech for the browser's microphone, and words out of what the browser played."""

import asyncio
from pathlib import Path

from tests.require import require
from vivavoce.assets.errors import AssetError
from vivavoce.audio.resample import resample_file
from vivavoce.audio.wav import write_wav
from vivavoce.config.load import load
from vivavoce.core.requests import SpeechRequest
from vivavoce.wiring import build_engines

WIRE_RATE_HZ = 24_000
RECOGNISER_RATE_HZ = 16_000
LEAD_S = 1.5  # the browser loses what is said before its worklets run


def write_microphone(path: Path, text: str) -> Path:
    """Write a wav in which `text` is spoken after a pause."""
    silence = bytes(2 * int(LEAD_S * WIRE_RATE_HZ))
    write_wav(path, silence + asyncio.run(_spoken(text)) + silence, WIRE_RATE_HZ)
    return path


async def _spoken(text: str) -> bytes:
    try:
        synthesizer = build_engines("embedded", load(environment={}).configuration).synthesizer
    except AssetError as error:
        require(False, f"the model files of the embedded engines ({error})")
        raise
    await synthesizer.start()
    try:
        request = SpeechRequest(text=text, voice="ash", speed=0.9)
        return b"".join([chunk.pcm async for chunk in synthesizer.synthesize(request)])
    finally:
        await synthesizer.close()


def recognise(pcm: bytes) -> str:
    """Return the words in pcm16le, mono, 24 kHz."""
    from pocketsphinx import Decoder

    decoder = Decoder(fwdflat=False, bestpath=False, lw=6.5, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(resample_file(pcm, WIRE_RATE_HZ, RECOGNISER_RATE_HZ), False, True)
    decoder.end_utt()
    best = decoder.hyp()
    return "" if best is None else str(best.hypstr)
