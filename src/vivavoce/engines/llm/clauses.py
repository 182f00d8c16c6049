"""Cuts a finished answer into the pieces in which it is streamed."""

import re
from typing import Final

_CLAUSE: Final = re.compile(r"[^,.?!;:]*[,.?!;:]*\s*")
_SENTENCE: Final = re.compile(r"[^.?!]*(?:\.(?=\d)[^.?!]*)*[.?!]*\s*")


def clauses(text: str) -> list[str]:
    """Clauses with their punctuation and the space after it; joined they are the text again."""
    return [piece for piece in _CLAUSE.findall(text) if piece]


def sentences(text: str) -> list[str]:
    """Sentences, stripped; a point between digits does not end one."""
    return [piece.strip() for piece in _SENTENCE.findall(text) if piece.strip()]
