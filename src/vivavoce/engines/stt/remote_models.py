"""Which models of a server a session may choose, and what each takes besides the language.

What is known of the hosted models follows the Realtime API reference, `transcription`.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from vivavoce.core.requests import TranscriptOptions

Hint = Literal["keywords", "languages", "delay"]

KNOWN_HINTS: Final[Mapping[str, tuple[Hint, ...]]] = {
    "gpt-transcribe": ("keywords", "languages"),
    "gpt-live-transcribe": ("keywords", "languages"),
    "gpt-realtime-whisper": ("delay",),
}
TAKE_NO_PROMPT: Final = frozenset({"gpt-realtime-whisper", "gpt-4o-transcribe-diarize"})


class RemoteModels(msgspec.Struct, frozen=True):
    """The models of one transcriber. `table` maps the names that sessions give to the server's; others get `model`."""

    model: str
    table: tuple[tuple[str, str], ...] = ()
    takes_prompt: bool = True
    hints: tuple[Hint, ...] = ()  # what models take that are not known here

    @property
    def names(self) -> tuple[str, ...]:
        """Return what a session may ask for and get."""
        return tuple(dict.fromkeys((self.model, *(name for name, _ in self.table))))

    @property
    def common_hints(self) -> tuple[str, ...]:
        """Return the hints that every model takes."""
        first, *others = (self.hints_of(model) for model in self._all)
        return tuple(hint for hint in first if all(hint in hints for hints in others))

    @property
    def ignores(self) -> tuple[str, ...]:
        """Return the session fields, by path, that some model takes nothing of."""
        return () if all(self.prompts(model) for model in self._all) else ("audio.input.transcription.prompt",)

    def chosen(self, options: TranscriptOptions) -> str:
        """Return the server's name of the model for an utterance."""
        return dict(self.table).get(options.model or "", self.model)

    def hints_of(self, model: str) -> tuple[Hint, ...]:
        """Return the hints that a model takes."""
        return tuple(dict.fromkeys((*self.hints, *KNOWN_HINTS.get(model, ()))))

    def prompts(self, model: str) -> bool:
        """Tell whether a model takes a prompt."""
        return self.takes_prompt and model not in TAKE_NO_PROMPT

    @property
    def _all(self) -> Iterable[str]:
        return dict.fromkeys((self.model, *(model for _, model in self.table)))
