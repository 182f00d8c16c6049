"""One turn as the skills see it: what was said, what was said before, who is asked, and when."""

from datetime import datetime

import msgspec

from vivavoce.core.requests import FunctionSpec, GenerationRequest
from vivavoce.engines.llm.memory_of_conversation import Memory
from vivavoce.engines.llm.persona import Persona
from vivavoce.engines.llm.understand import has_phrase, line_of, tail, words_after, words_of


class Turn(msgspec.Struct, frozen=True):
    """Everything a skill may look at. `line` holds the words between spaces, see `understand.line_of`."""

    text: str
    words: tuple[str, ...]
    line: str
    memory: Memory
    persona: Persona
    now: datetime
    elapsed_s: float = 0.0
    tools: tuple[FunctionSpec, ...] = ()

    def has(self, *phrases: str) -> bool:
        """Whether any of the words or phrases was said."""
        return has_phrase(self.line, *phrases)

    def has_each(self, *phrases: str) -> bool:
        """Whether all of the words or phrases were said."""
        return all(has_phrase(self.line, phrase) for phrase in phrases)

    def starts(self, *phrases: str) -> bool:
        """Whether the utterance starts with one of the phrases."""
        return any(self.line.startswith(f" {phrase} ") for phrase in phrases)

    def is_only(self, *phrases: str) -> bool:
        """Whether nothing but one of the phrases was said."""
        return self.line.strip() in phrases

    def after(self, *phrases: str) -> str | None:
        """The words after the first of the phrases that was said, None without one."""
        return words_after(self.line, *phrases)

    @property
    def is_question(self) -> bool:
        """Whether it sounds like a question."""
        return self.text.rstrip().endswith("?") or (self.starts(*_QUESTION_WORDS) and not self.starts("do not"))

    def saying(self, text: str) -> "Turn":
        """The same turn as if the user had said `text`."""
        words = words_of(text)
        return msgspec.structs.replace(self, text=text, words=words, line=line_of(words))


_QUESTION_WORDS = (
    "what", "who", "whom", "whose", "where", "when", "why", "how", "which", "is", "are", "am", "do", "does", "did",
    "can", "could", "will", "would", "should", "may", "have", "has",
)  # fmt: skip


def turn_of(request: GenerationRequest, persona: Persona, memory: Memory, now: datetime) -> Turn:
    """The turn that the request asks to answer."""
    text = tail(memory.last_user_text)
    words = words_of(text)
    return Turn(
        text=text,
        words=words,
        line=line_of(words),
        memory=memory,
        persona=persona,
        now=now,
        elapsed_s=request.elapsed_s,
        tools=request.tools,
    )
