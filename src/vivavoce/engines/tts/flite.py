"""The embedded synthesizer: Flite as the system's library, else as a WebAssembly program, with our voices.

A request is spoken clause by clause. Each clause is one job of a small thread pool; its chunks reach the event loop
as they are made. The next clause starts when the consumer has taken the last: at most one clause of sound waits for a
slow consumer, 200 spoken characters, and no thread ever waits for anyone.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Final, Literal

from vivavoce.config.voices import Voice
from vivavoce.core.requests import SpeechRequest
from vivavoce.engines.base import Capabilities, EngineError, SpeechChunk
from vivavoce.engines.tts.clause_audio import ClauseAudio
from vivavoce.engines.tts.flite_build import FliteBuild, Prosody, Timeline
from vivavoce.engines.tts.flite_library import FliteLibrary
from vivavoce.engines.tts.flite_wasm import FliteWasm
from vivavoce.engines.tts.speakable import CLAUSE_ENDS, Clause, clauses, ends_sentence
from vivavoce.engines.tts.thread_stream import Deliver, stream_from_thread

NAME: Final = "flite"
NOTE: Final = "Reads English; words in other alphabets are left out. A plain synthetic voice of the year 2010."
MIN_SPEED, MAX_SPEED = 0.25, 1.5  # the API's range
MAX_THREADS: Final = 4
MAX_CLAUSE_CHARACTERS: Final = 200  # about 13 s of speech, analysed in 40 ms before its first sound
MAX_WHOLE_CLAUSE_CHARACTERS: Final = 100  # where a clause is delivered only when all of it is made
LAST_TAIL_MS: Final = 120  # silence after the request's last word
SENTENCE_PAUSE_MS: Final = 260  # between sentences and lines
CLAUSE_PAUSE_MS: Final = 130  # after a comma
CUT_PAUSE_MS: Final = 30  # where a long sentence had to be cut

BuildChoice = Literal["auto", "library", "wasm"]


class FliteSynthesizer:
    """Speaks with Flite."""

    def __init__(self, voices: Mapping[str, Voice], wasm: Path | None = None, build: BuildChoice = "auto") -> None:
        """Prepare; nothing is loaded before `start`.

        Args:
            voices: the recipes by name, see config.voices.
            wasm: the file `flite.wasm`, None where it is not installed.
            build: "auto" takes the system's library if it is there, else the WebAssembly program.
        """
        self._voices = dict(voices)
        self._wasm = wasm
        self._choice = build
        self._build: FliteBuild | None = None
        self._threads = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "flite")

    @property
    def capabilities(self) -> Capabilities:
        """The name is the build's, "flite" or "flite-wasm"; "flite" before `start`."""
        name = NAME if self._build is None else self._build.name
        return Capabilities(
            name, has_word_times=True, is_streaming=True, languages=("en",), voices=tuple(self._voices), note=NOTE
        )

    async def start(self) -> None:
        """Load Flite and speak a word with every speaker: the first call of each is the slow one.

        Raises:
            EngineError: neither build can be used.
        """
        self._build = await asyncio.get_running_loop().run_in_executor(self._threads, self._load)

    async def close(self) -> None:
        """Drop what is being spoken and release the threads."""
        build, self._build = self._build, None
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._threads.shutdown)
        if build is not None:
            build.close()

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        """Yield the speech as it is made.

        There is one word for each piece of the text between white space, in order; pieces that cannot be spoken (an
        emoji, a dash) have no length. A text without anything to speak yields nothing.

        Raises:
            EngineError: an unknown voice, a speed out of range, Flite failed or is closed.
        """
        voice, build = self._checked(request)
        limit = MAX_CLAUSE_CHARACTERS if build.is_streaming else MAX_WHOLE_CLAUSE_CHARACTERS
        spoken_samples = 0
        for clause, is_last in _marking_last(clauses(request.text, limit)):
            gain = 10 ** (voice.gain_db / 20)
            audio = ClauseAudio(clause, voice.formant_ratio, gain, _tail_ms(clause, is_last), spoken_samples)
            speak = _clause_job(build, _prosody(voice, request.speed), clause, audio)
            async with aclosing(stream_from_thread(self._threads, speak)) as chunks:
                async for chunk in chunks:
                    yield chunk
                    spoken_samples += len(chunk.pcm) // 2
            self._check_open()

    def _checked(self, request: SpeechRequest) -> tuple[Voice, FliteBuild]:
        build = self._check_open()
        voice = self._voices.get(request.voice)
        if voice is None:
            known = ", ".join(self._voices)
            raise EngineError(NAME, f"voice must be one of {known}; got {request.voice!r}.", code="server_error")
        if not MIN_SPEED <= request.speed <= MAX_SPEED:
            message = f"speed must be between {MIN_SPEED} and {MAX_SPEED}, got {request.speed}."
            raise EngineError(NAME, message, code="server_error")
        return voice, build

    def _check_open(self) -> FliteBuild:
        if self._build is None:
            raise EngineError(NAME, "Flite is not started or was closed.")
        return self._build

    def _load(self) -> FliteBuild:
        build = self._open()
        for speaker in sorted({voice.speaker for voice in self._voices.values()}):
            build.speak(["Ready."], Prosody(speaker), _Nobody())
        return build

    def _open(self) -> FliteBuild:
        if self._choice == "library":
            return FliteLibrary()
        if self._choice == "wasm":
            return self._open_wasm()
        try:
            return FliteLibrary()
        except EngineError as error:
            if self._wasm is None:
                raise EngineError(NAME, f"{error} The WebAssembly build is not installed either.") from error
            return self._open_wasm()

    def _open_wasm(self) -> FliteBuild:
        if self._wasm is None:
            raise EngineError(NAME, "The WebAssembly build of Flite is not installed.")
        return FliteWasm(self._wasm)


class _Nobody:
    """Listens to the warm-up."""

    def begin(self, timeline: Timeline) -> None:
        pass

    def hear(self, pcm: bytes) -> bool:
        return True


class _Deliverer:
    """Hands a clause on to its consumer, chunk by chunk."""

    def __init__(self, audio: ClauseAudio, deliver: Deliver[SpeechChunk]) -> None:
        self._audio = audio
        self._deliver = deliver

    def begin(self, timeline: Timeline) -> None:
        self._audio.begin(timeline)

    def hear(self, pcm: bytes) -> bool:
        chunk = self._audio.feed(pcm)
        is_wanted = chunk is None or self._deliver(chunk)
        return is_wanted and not self._audio.has_all_sound


def _clause_job(
    build: FliteBuild, prosody: Prosody, clause: Clause, audio: ClauseAudio
) -> Callable[[Deliver[SpeechChunk]], None]:
    words = [word for piece in clause for word in piece.spoken]

    def speak(deliver: Deliver[SpeechChunk]) -> None:
        build.speak(words, prosody, _Deliverer(audio, deliver))
        rest = audio.finish()
        if rest is not None:
            deliver(rest)

    return speak


def _prosody(voice: Voice, speed: float) -> Prosody:
    """Return what Flite has to do so that, after the resampling by formant_ratio, the voice has its pitch and pace."""
    ratio = voice.formant_ratio
    return Prosody(
        voice.speaker,
        stretch=ratio / (voice.pace * speed),
        pitch_hz=None if voice.pitch_hz is None else voice.pitch_hz / ratio,
        pitch_range_hz=None if voice.pitch_range_hz is None else voice.pitch_range_hz / ratio,
    )


def _tail_ms(clause: Clause, is_last: bool) -> int:
    if is_last:
        return LAST_TAIL_MS
    word = next(piece.spoken[-1] for piece in reversed(clause) if piece.spoken)
    if word.endswith(CLAUSE_ENDS) and not ends_sentence(word):
        return CLAUSE_PAUSE_MS
    return SENTENCE_PAUSE_MS if ends_sentence(word) else CUT_PAUSE_MS


def _marking_last(items: Iterable[Clause]) -> Iterator[tuple[Clause, bool]]:
    """Yield each item and whether it is the last."""
    before: Clause | None = None
    for item in items:
        if before is not None:
            yield before, False
        before = item
    if before is not None:
        yield before, True
