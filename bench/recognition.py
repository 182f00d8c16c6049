"""What our own recogniser makes of speech: a check of how intelligible the answers are."""

import functools

from vivavoce.audio.resample import resample_file
from vivavoce.engines.base import TRANSCRIBER_RATE_HZ
from vivavoce.engines.stt.pocketsphinx_worker import STEP_BYTES, Recogniser
from vivavoce.testing.pacer import split_chunks

LEAD_MS = 300  # silence before and after, as a turn has it
SILENCE = bytes(LEAD_MS * TRANSCRIBER_RATE_HZ // 1000 * 2)


@functools.cache
def _recogniser() -> Recogniser:
    return Recogniser()


def recognised(pcm: bytes, rate_hz: int = 24_000) -> str:
    """Return the words that are recognised in pcm16le, mono. Takes about a third of its duration."""
    recogniser = _recogniser()
    recogniser.start()
    for chunk in split_chunks(SILENCE + resample_file(pcm, rate_hz, TRANSCRIBER_RATE_HZ) + SILENCE, STEP_BYTES):
        recogniser.decode(chunk)
    return recogniser.finish()["text"]
