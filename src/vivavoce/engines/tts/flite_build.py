"""What the two builds of Flite, the system's library and the WebAssembly program, have in common.

A build speaks one clause at a time: it tells the listener first where the words lie, then hands over the sound,
pcm16le, mono, 16 kHz, as Flite makes it: with its silences and at its own level.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

FLITE_RATE_HZ: Final = 16_000
SPEAKERS: Final = ("slt", "rms", "awb", "kal16")


class Prosody(msgspec.Struct, frozen=True):
    """How Flite shall speak.

    `pitch_hz` and `pitch_range_hz` are mean and standard deviation of F0; None leaves the speaker's own. The speaker
    rms takes its F0 from another model (SPAM) and heeds neither. `stretch` multiplies every duration.
    """

    speaker: str
    stretch: float = 1.0
    pitch_hz: float | None = None
    pitch_range_hz: float | None = None

    @property
    def features(self) -> dict[str, float]:
        """The settings by the names of Flite's features."""
        features = {
            "duration_stretch": self.stretch,
            "int_f0_target_mean": self.pitch_hz,
            "int_f0_target_stddev": self.pitch_range_hz,
        }
        return {name: value for name, value in features.items() if value is not None}


class Timeline(msgspec.Struct, frozen=True):
    """Where the words of a clause lie in Flite's sound, in seconds; one span for each word asked for."""

    spans: tuple[tuple[float, float], ...]

    @property
    def speech_end_s(self) -> float:
        """The end of the last word: what follows is silence."""
        return self.spans[-1][1] if self.spans else 0.0


class Listener(Protocol):
    """Takes what a build speaks, on the build's thread."""

    def begin(self, timeline: Timeline) -> None:
        """Called once, before the first sound."""
        ...

    def hear(self, pcm: bytes) -> bool:
        """Take more sound, pcm16le, mono, 16 kHz; False ends the clause early."""
        ...


class FliteBuild(Protocol):
    """A build of Flite that is loaded and ready. Safe to use from several threads at once."""

    @property
    def name(self) -> str: ...

    @property
    def is_streaming(self) -> bool:
        """Whether sound comes while the clause is still being made."""
        ...

    def speak(self, words: Sequence[str], prosody: Prosody, listener: Listener) -> None:
        """Speak one clause; returns when it is spoken or the listener has had enough.

        Args:
            words: printable ASCII without white space, each with at least one letter or digit.

        Raises:
            EngineError: Flite failed.
        """
        ...

    def close(self) -> None: ...
