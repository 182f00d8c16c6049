"""Cuts generated text into speakable pieces: a short first clause for an early start, then whole sentences.

The pieces of a text joined together are the text, white space included.
"""

import re
from typing import Final

from vivavoce.core.limits import FIRST_CLAUSE_CHARACTERS, MAX_SEGMENT_CHARACTERS

# A sentence ends at a stop that white space follows, so that "3.5" and "e.g" stay whole; closing quotes belong to it.
# Each run of stops is looked at once: text may be nothing else.
_SENTENCE_END: Final = re.compile(r"(?<![.!?…])[.!?…]++[\"')\]]*+\s+|\n+\s*")
_CLAUSE_END: Final = re.compile(r"[,;:][\"')\]]*\s+|\s[-–—]\s+")


class Segmenter:
    """Collects the text of one message."""

    def __init__(self) -> None:
        self._pending = ""
        self._is_first = True

    def feed(self, text: str) -> list[str]:
        """Take more text; return the pieces that are complete."""
        pieces: list[str] = []
        for start in range(0, len(text), MAX_SEGMENT_CHARACTERS):  # what is pending, and searched, stays short
            self._pending += text[start : start + MAX_SEGMENT_CHARACTERS]
            while (end := self._boundary()) is not None:
                piece, self._pending = self._pending[:end], self._pending[end:]
                self._is_first = False
                pieces.append(piece)
        return pieces

    def finish(self) -> list[str]:
        """Return what is left as the last piece."""
        rest, self._pending = self._pending, ""
        return [rest] if rest else []

    def _boundary(self) -> int | None:
        text = self._pending
        start = len(text) - len(text.lstrip())
        sentence = _SENTENCE_END.search(text, start)
        if sentence is not None and sentence.end() <= MAX_SEGMENT_CHARACTERS and not self._is_first:
            return sentence.end()
        if self._is_first:
            return self._first_boundary(sentence, start)
        return self._forced_boundary(start)

    def _first_boundary(self, sentence: re.Match[str] | None, start: int) -> int | None:
        clause = _CLAUSE_END.search(self._pending, start + FIRST_CLAUSE_CHARACTERS)
        ends = [match.end() for match in (sentence, clause) if match is not None]
        if ends and min(ends) <= MAX_SEGMENT_CHARACTERS:
            return min(ends)
        return self._forced_boundary(start)

    def _forced_boundary(self, start: int) -> int | None:
        if len(self._pending) - start <= MAX_SEGMENT_CHARACTERS:
            return None
        space = self._pending.rfind(" ", start, start + MAX_SEGMENT_CHARACTERS)
        return space + 1 if space > start else start + MAX_SEGMENT_CHARACTERS
