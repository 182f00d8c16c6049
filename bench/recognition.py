"""What pocketsphinx makes of speech: a check of how intelligible the answers are.

The decoder has the library's own settings and normalises each recording as a whole, so that the verdict depends on
nothing that came before, and not on how our own recogniser is tuned for live human speech.
"""

import functools
from typing import Any

from pocketsphinx import Decoder

from vivavoce.audio.resample import resample_file
from vivavoce.engines.base import TRANSCRIBER_RATE_HZ

SILENCE = bytes(300 * TRANSCRIBER_RATE_HZ // 1000 * 2)  # 0.3 s before and after, as a turn has it


@functools.cache
def _decoder() -> Any:  # untyped library
    return Decoder(cmn="batch", loglevel="FATAL")


def recognised(pcm: bytes, rate_hz: int = 24_000) -> str:
    """Return the words that are recognised in pcm16le, mono. Takes about a fifth of its duration."""
    decoder = _decoder()
    decoder.start_utt()
    decoder.process_raw(SILENCE + resample_file(pcm, rate_hz, TRANSCRIBER_RATE_HZ) + SILENCE, False, True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return str(hypothesis.hypstr) if hypothesis else ""
