"""What the conversation holds: who said what, and the facts that the user told about themselves.

It is read afresh from the request's items for every answer; the responder itself remembers nothing.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from vivavoce.core.requests import ContextItem, ContextMessage, ContextToolOutput
from vivavoce.engines.llm.clauses import sentences
from vivavoce.engines.llm.names import FIRST_NAMES, capitalised_place, name_at_start
from vivavoce.engines.llm.understand import has_phrase, line_of, tail, words_after, words_of

MAX_READ: Final = 100  # of the user's latest messages, and as many of the first: facts in between are forgotten
ASKED_NAME: Final = "What should I call you?"
_CUES: Final = (
    "name",
    "call me",
    "i am",
    "i'm",
    "im ",
    "live",
    "from",
    "like",
    "love",
    "enjoy",
    "my",
    "remember",
    "hate",
)
_END: Final = frozenset(
    "and but because so what who where when how do can could please which then now is right".split()
)
MAX_FACT_WORDS: Final = 8


class Memory:
    """The conversation up to the message that is to be answered.

    Facts are read on first use; a later statement replaces an earlier one.
    """

    def __init__(self, items: tuple[ContextItem, ...]) -> None:
        self.items = items
        self._messages = [item for item in items if isinstance(item, ContextMessage)]
        self.user_texts = [item.text for item in self._messages if item.role == "user"]
        self.answers = [item for item in self._messages if item.role == "assistant" and item.text.strip()]

    @property
    def last_user_text(self) -> str:
        return self.user_texts[-1] if self.user_texts else ""

    @property
    def pictures(self) -> int:
        """How many pictures came with the user's last message."""
        last = next((item for item in reversed(self._messages) if item.role == "user"), None)
        return len(last.images) if last is not None else 0

    @property
    def earlier_user_texts(self) -> list[str]:
        """What the user said before the message that is to be answered, without empty messages."""
        return [text for text in self.user_texts[:-1] if text.strip()]

    @property
    def last_answer(self) -> ContextMessage | None:
        return self.answers[-1] if self.answers else None

    @property
    def last_question(self) -> str:
        """The question with which the assistant's last message ends, or ""."""
        spoken = sentences(self.last_answer.text) if self.last_answer else []
        return next((text for text in reversed(spoken[-2:]) if text.endswith("?")), "")

    @property
    def tool_outputs(self) -> list[ContextToolOutput]:
        """The function outputs since the last message."""
        outputs: list[ContextToolOutput] = []
        for item in reversed(self.items):
            if isinstance(item, ContextMessage):
                break
            if isinstance(item, ContextToolOutput):
                outputs.insert(0, item)
        return outputs

    @property
    def is_waiting_for_answer(self) -> bool:
        """Whether the last message is the user's."""
        spoken = [item for item in self._messages[-20:] if item.role != "system"]
        return bool(spoken) and spoken[-1].role == "user"

    def said_before(self, phrase: str) -> bool:
        """Whether the assistant said the phrase in one of its last twenty messages."""
        return any(phrase in item.text for item in self.answers[-20:])

    def count_asked(self, *cues: str) -> int:
        """How many of the user's last 100 earlier messages hold one of the words."""
        return sum(any(cue in text.lower() for cue in cues) for text in self.user_texts[:-1][-100:])

    @cached_property
    def facts(self) -> dict[str, str]:
        """What the user told, by subject: "name", "place", "like", "dislike", "note", and "X" of "my X is ..."."""
        facts: dict[str, str] = {}
        for text, question in self._told():
            facts.update(facts_in(text, question))
        return facts

    @property
    def name(self) -> str:
        return self.facts.get("name", "")

    def _told(self) -> Iterator[tuple[str, str]]:
        """The user's messages that may hold a fact, each with the assistant's message before it."""
        messages = self._messages
        if len(messages) > 4 * MAX_READ:
            messages = messages[: 2 * MAX_READ] + messages[-2 * MAX_READ :]
        before = ""
        for item in messages:
            if item.role == "user":
                lowered = item.text[-2_000:].lower()
                if ASKED_NAME in before or any(cue in lowered for cue in _CUES):
                    yield item.text, before
            before = item.text


def facts_in(text: str, question: str = "") -> dict[str, str]:
    """The facts that one message of the user tells; `question` is what the assistant said before it."""
    words = words_of(text)
    line = line_of(words)
    original = tail(text)
    facts = _owned_facts(line)
    if name := _name_in(words, line, original, ASKED_NAME in question):
        facts["name"] = name
    for subject, phrases in _SUBJECTS.items():
        after = words_after(line, *phrases)
        if after and (value := _until_end(after, joins=subject != "place")):
            facts[subject] = capitalised_place(value, original) if subject == "place" else value
    return facts


_SUBJECTS: Final = {
    "place": ("i live in", "i am living in", "i am from", "i come from", "i moved to"),
    "like": ("i like", "i love", "i enjoy", "i really like", "i really love", "i am fond of", "i am interested in"),
    "dislike": ("i do not like", "i hate", "i dislike", "i cannot stand"),
    "note": ("remember that", "please remember", "do not forget that"),
}


def _until_end(after: str, *, joins: bool = False) -> str:
    """The words up to the next clause; with `joins`, "and" goes on unless a clause about someone follows."""
    taken: list[str] = []
    words = after.split()[: MAX_FACT_WORDS + 1]
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        is_joint = joins and word == "and" and following not in ("", *_SUBJECT_WORDS, *_END)
        if (word in _END and taken and not is_joint) or len(taken) == MAX_FACT_WORDS:
            break
        taken.append(word)
    joined = " ".join(taken)
    return "" if joined in ("it", "that", "this", "you", "to", "them") else joined


_SUBJECT_WORDS: Final = ("i", "my", "you", "we", "he", "she", "they", "it", "this", "that", "tell", "give", "then")


def _owned_facts(line: str) -> dict[str, str]:
    """ "my favorite color is blue" and "my dog is called rex" as {"favorite color": "blue", "dog": "called rex"}."""
    _, found, after = line.partition(" my ")
    subject, is_told, value = after.partition(" is ")
    if not (found and is_told) or len(subject.split()) > 3 or has_phrase(f" {subject} ", "name", "i", "and", "that"):
        return {}
    told = _until_end(value.strip())
    return {subject.strip(): told} if told and not told.startswith(("not ", "what", "very ")) else {}


def _name_in(words: tuple[str, ...], line: str, original: str, was_asked: bool) -> str:
    told = words_after(
        line, "my name is", "my name was", "you can call me", "please call me", "people call me", "call me"
    )
    if told is not None and not has_phrase(line, "do not call me", "never call me"):
        return name_at_start(tuple(told.split()), original) if told else ""
    said = words_after(line, "i am", "this is")
    if said and (name := _name_after_i_am(said, line, original)):
        return name
    if was_asked and len(words) <= 3:
        return name_at_start(words, original)
    return ""


def _name_after_i_am(said: str, line: str, original: str) -> str:
    """ "I am X" tells a name only if X is a known first name, or is written as one."""
    words = tuple(said.split())
    first = words[0]
    is_name = first in FIRST_NAMES and (len(words) < 3 or not line.startswith(" this is"))
    is_written_so = f"I am {first.capitalize()}" in original or f"I'm {first.capitalize()}" in original
    return name_at_start(words, original) if is_name or (is_written_so and original != original.upper()) else ""
