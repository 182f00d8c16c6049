"""Human speech for tests, out of Debian's package pocketsphinx-testdata: 16 kHz, with transcripts; none kept here."""

import re
from pathlib import Path

import msgspec

from tests.require import require
from vivavoce.audio.wav import read_wav

FOLDER = Path("/usr/share/pocketsphinx/test/data")


class Clip(msgspec.Struct, frozen=True):
    """A recording, pcm16le, mono, 16 kHz, and what is said in it."""

    pcm: bytes
    text: str


def clip(name: str, text: str) -> Clip:
    """Return one headerless recording such as "goforward"."""
    _require_testdata()
    return Clip((FOLDER / f"{name}.raw").read_bytes(), text)


def transcribed_clips(folder: str, transcription: str) -> tuple[Clip, ...]:
    """Return the recordings of a folder that has a file of lines `<s> words </s> (name)`."""
    _require_testdata()
    lines = re.findall(r"<s> (.*?) *</s> \((.*)\)", (FOLDER / folder / transcription).read_text())
    return tuple(Clip(read_wav(FOLDER / folder / f"{name}.wav").pcm, text) for text, name in lines)


def _require_testdata() -> None:
    require(FOLDER.is_dir(), "human speech from the Debian package pocketsphinx-testdata")
