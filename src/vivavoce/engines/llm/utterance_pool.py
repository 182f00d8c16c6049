"""The words of an utterance while they are handed out as arguments: each word is used once."""

from datetime import datetime
from typing import Final

import msgspec

from vivavoce.engines.llm.dates import date_in, time_in
from vivavoce.engines.llm.understand import STOP_WORDS, stem, words_of

_PREPOSITIONS: Final = frozenset(
    "in at to from for with on by about saying called named near into onto titled regarding until between that".split()
)
_ENDS: Final = frozenset("please now then thanks".split())
_TRIMMED: Final = (STOP_WORDS - {"hey"}) | frozenset(
    "want need give show find set make put turn search tell create start".split()
)
_EDGES: Final = frozenset("the a an my your our some and please is it".split())


class Segment(msgspec.Struct, frozen=True):
    """A run of free words and the preposition before it, "" without one."""

    preposition: str
    start: int
    end: int


class Pool:
    """The words still free. `tool_words` are the function's own words, which are no values."""

    def __init__(self, text: str, now: datetime, tool_words: tuple[str, ...] = ()) -> None:
        self.text = text
        self.now = now
        self.words = words_of(text)
        self.used: set[int] = set()
        stems = {stem(word) for word in tool_words}
        self._dated = self._date_places()
        self._own = {place for place, word in enumerate(self.words) if stem(word) in stems}

    def take(self, start: int, end: int) -> None:
        """Hand out words."""
        self.used.update(range(start, end))

    def is_free(self, start: int, end: int) -> bool:
        """Whether none of the words was handed out."""
        return self.used.isdisjoint(range(start, end))

    def find(self, phrase: tuple[str, ...]) -> int:
        """Where the phrase stands among the free words, compared by stems; -1 if nowhere."""
        stems = [stem(word) for word in phrase]
        for start in range(len(self.words) - len(phrase) + 1):
            end = start + len(phrase)
            if [stem(word) for word in self.words[start:end]] == stems and self.is_free(start, end):
                return start
        return -1

    def _date_places(self) -> set[int]:
        found = (date_in(self.words, self.now.date()), time_in(self.words))
        return {place for span in found if span is not None for place in range(span.start, span.end)}

    def segments(self, *, with_dates: bool = True) -> list[Segment]:
        """The runs of free words between prepositions, used words and the function's own words.

        Without dates a run ends before "tomorrow" or "at nine" too.
        """
        barred = self.used | self._own | (set() if with_dates else self._dated)
        found: list[Segment] = []
        preposition, start = "", 0
        for place, word in enumerate((*self.words, "please")):
            is_preposition = word in _PREPOSITIONS
            if is_preposition or word in _ENDS or place in barred:
                found += self._trimmed(preposition, start, place)
                preposition, start = (word if is_preposition else ""), place + 1
        return found

    def _trimmed(self, preposition: str, start: int, end: int) -> list[Segment]:
        """The run without the words at its edges that belong to no value; nothing if none is left."""
        edges = _EDGES if preposition else _TRIMMED
        while start < end and self.words[start] in edges:
            start += 1
        while end > start and self.words[end - 1] in (_EDGES if preposition else STOP_WORDS):
            end -= 1
        return [Segment(preposition, start, end)] if start < end else []

    def after(self, cue: str) -> Segment | None:
        """Everything after a free cue word up to the end of the utterance."""
        for place, word in enumerate(self.words):
            if word == cue and place not in self.used and place + 1 < len(self.words):
                end = len(self.words) - (self.words[-1] in _ENDS)
                return Segment(cue, place + 1, end) if end > place + 1 else None
        return None

    def written(self, start: int, end: int) -> str:
        """The words as the user wrote them, where they can be found in the text."""
        joined = " ".join(self.words[start:end])
        place = self.text.lower().find(joined)
        return self.text[place : place + len(joined)] if place >= 0 else joined
