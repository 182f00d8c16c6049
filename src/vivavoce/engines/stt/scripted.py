"""A transcriber that hears what the script says, whatever the audio is."""

import asyncio
from collections.abc import Callable

from vivavoce.core.requests import TranscriptOptions, Word
from vivavoce.engines.base import TRANSCRIBER_RATE_HZ, Capabilities, EngineError, Final, Partial
from vivavoce.engines.script import Heard, PartialText, Script, script_in_prompt, turn_numbered

PARTIAL_EVERY_MS = 200  # of audio, where the script gives no partials of its own
_BYTES_PER_MS = 2 * TRANSCRIBER_RATE_HZ // 1000
_NAME = "scripted"

Deliver = Callable[[Partial | Final | EngineError], None]


class ScriptedTranscriber:
    """Gives the n-th utterance the `heard` of the n-th turn, without one the words "scripted turn N".

    Each session counts its own utterances. A transcription prompt may carry its own script, see
    docs/guides/scripted.md.
    """

    def __init__(self, script: Script) -> None:
        self._script = script

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name=_NAME,
            is_verbatim=True,
            has_word_times=True,
            is_streaming=True,
            note="Hears what its script says; made for tests.",
        )

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to release."""

    def open(self, options: TranscriptOptions, deliver: Deliver) -> "ScriptedTranscriberStream":
        """Start the next utterance. Must be called on a running event loop."""
        return ScriptedTranscriberStream(self._heard(options), deliver)

    def _heard(self, options: TranscriptOptions) -> Heard | EngineError:
        try:
            script = script_in_prompt(options.prompt or "", _NAME) or self._script
        except EngineError as error:
            return error
        turn = turn_numbered(script, options.number)
        heard = turn.hearing if turn else None
        return heard or Heard(f"scripted turn {options.number}")


class ScriptedTranscriberStream:
    """One utterance. Partials come as audio is fed, the final transcript `delay_ms` after `finish`."""

    def __init__(self, heard: Heard | EngineError, deliver: Deliver) -> None:
        self._heard = heard if isinstance(heard, Heard) else Heard(partials=())
        self._error = heard if isinstance(heard, EngineError) else None
        self._deliver = deliver
        self._fed_bytes = 0
        self._due = list(_partials(self._heard))
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    @property
    def pending_ms(self) -> float:
        """Nothing waits: audio is decoded as it comes."""
        return 0.0

    def feed(self, pcm: bytes) -> None:
        """Count the audio and deliver the partials that are due."""
        if self._is_over:
            return
        self._fed_bytes += len(pcm)
        while self._due and self._due[0].at_ms <= self._fed_ms:
            partial = self._due.pop(0)
            self._deliver(Partial(stable=partial.stable, text=partial.text))

    def finish(self) -> None:
        """Deliver the final transcript or the scripted failure after the scripted delay."""
        if self._is_over:
            return
        self._is_over = True
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._heard.delay_ms / 1000, self._deliver, self._result())

    def abort(self) -> None:
        """Deliver nothing any more."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    @property
    def _fed_ms(self) -> int:
        return self._fed_bytes // _BYTES_PER_MS

    def _result(self) -> Final | EngineError:
        if self._error is not None:
            return self._error
        if self._heard.failure is not None:
            return self._heard.failure.as_error(_NAME)
        words = self._heard.words
        words = spread(self._heard.text, self._fed_ms) if words is None else words
        return Final(self._heard.text, words, self._heard.parts)


def _partials(heard: Heard) -> list[PartialText]:
    if heard.partials is not None:
        return sorted(heard.partials, key=lambda partial: partial.at_ms)
    words = heard.text.split()
    return [
        PartialText(" ".join(words[:n]), stable=" ".join(words[: n - 1]), at_ms=n * PARTIAL_EVERY_MS)
        for n in range(1, len(words) + 1)
    ]


def spread(text: str, total_ms: int) -> tuple[Word, ...]:
    """The words of the text, evenly over `total_ms` of audio."""
    words = text.split()
    return tuple(
        Word(word, start_ms=n * total_ms // len(words), end_ms=(n + 1) * total_ms // len(words), confidence=1.0)
        for n, word in enumerate(words)
    )
