"""What the responder says to pictures: that it cannot see them, and still something to the words beside them."""

import re
from typing import Final

from vivavoce.engines.llm.memory_of_conversation import Memory
from vivavoce.engines.llm.turn import Turn
from vivavoce.engines.llm.understand import has_phrase, line_of, words_of

ONE: Final = "I cannot see the picture."
SEVERAL: Final = "I cannot see the pictures."
ASK: Final = "Please tell me about it in words."
_ABOUT_IT: Final = (
    "picture", "pictures", "photo", "photos", "photograph", "image", "images", "screenshot", "drawing", "see",
    "look", "looking", "shown", "showing", "describe", "what is this", "what are these", "who is this", "what is that",
)  # fmt: skip
_JOINT: Final = re.compile(r"(?<=[.?!;])\s+|,?\s+and\s+(?:then\s+)?", re.IGNORECASE)


def beside(turn: Turn) -> Turn | None:
    """The turn without what is said about its pictures; None if nothing else is said."""
    clauses = [clause for clause in _JOINT.split(turn.text) if words_of(clause)]
    others = [clause for clause in clauses if not has_phrase(line_of(words_of(clause)), *_ABOUT_IT)]
    if not others:
        return None
    return turn if len(others) == len(clauses) else turn.saying(" and ".join(others))


def noted(text: str, memory: Memory) -> str:
    """The answer with a note before it that the pictures of the user's last message were not seen."""
    if not memory.pictures or not memory.is_waiting_for_answer:
        return text
    return f"{ONE if memory.pictures == 1 else SEVERAL} {text}"
