"""Flite as tests use it: a synthesizer on each build, or a skip that says what is absent."""

import asyncio
from ctypes.util import find_library
from pathlib import Path
from typing import Literal

from tests.require import require
from vivavoce.assets.cache import AssetCache, default_directory
from vivavoce.assets.errors import AssetMissing
from vivavoce.config.voices import load_voices
from vivavoce.engines.tts.flite import FliteSynthesizer
from vivavoce.testing.engines import Speech, check_speech, speak

Build = Literal["library", "wasm"]


def wasm_path() -> Path:
    try:
        return AssetCache(default_directory()).path("flite-wasm")
    except AssetMissing as error:
        require(False, f"the asset flite-wasm ({error})")
        raise


def synthesizer(build: Build) -> FliteSynthesizer:
    """Return one that is not started yet."""
    if build == "library":
        require(find_library("flite_cmu_us_slt"), "the Debian package libflite1")
        return FliteSynthesizer(load_voices(), build="library")
    return FliteSynthesizer(load_voices(), wasm_path(), "wasm")


class Speaker:
    """A started synthesizer with a loop of its own, for tests that only want to hear something."""

    def __init__(self, build: Build) -> None:
        self.engine = synthesizer(build)
        self._runner = asyncio.Runner()
        self._runner.run(self.engine.start())

    def speak(self, text: str, voice: str = "alloy", speed: float = 1.0) -> Speech:
        """Return the speech of a text, checked against the contract."""
        speech = self._runner.run(speak(self.engine, text, voice, speed))
        if speech.chunks:
            check_speech(speech, text, self.engine)
        return speech

    def close(self) -> None:
        self._runner.run(self.engine.close())
        self._runner.close()
