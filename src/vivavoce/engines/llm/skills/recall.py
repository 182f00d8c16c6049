"""Answers from the conversation itself."""

from typing import Final

from vivavoce.core.requests import ContextMessage, ContextToolOutput
from vivavoce.engines.llm.memory_of_conversation import ASKED_NAME
from vivavoce.engines.llm.speakable import shortened
from vivavoce.engines.llm.spoken_numbers import is_number_word
from vivavoce.engines.llm.turn import Turn
from vivavoce.engines.llm.understand import content_words, swap_person, words_of

_QUOTE_CHARS: Final = 200
_MAX_TOPICS: Final = 6
_NO_TOPICS: Final = frozenset("hello today went want going thing things please thanks something talk made time".split())


def answer(turn: Turn) -> str | None:
    for topic in (_how_long, _how_many, _note, _what_you_said, _what_i_said, _facts, _summary):
        if (text := topic(turn)) is not None:
            return text
    return None


def quoted(text: str) -> str:
    """A message as part of a sentence, without its last stop."""
    return shortened(" ".join(text.split()), _QUOTE_CHARS).rstrip(" .!?")


def _how_long(turn: Turn) -> str | None:
    if not (turn.has("how long") and turn.has("talking", "talked", "talk", "speaking", "spoken", "been here",
        "chatting",
                                              "conversation", "session", "call", "been talking")):  # fmt: skip
        return None
    return f"We have been talking for {span_of(turn.elapsed_s)}."


def span_of(seconds: float) -> str:
    """A length of time in hours, minutes and seconds; the smallest unit is dropped above an hour."""
    total = max(0, int(seconds))
    parts = [(total // 3600, "hour"), (total // 60 % 60, "minute"), (total % 60 if total < 3600 else 0, "second")]
    named = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count]
    return " and ".join(named) or "less than a second"


def _how_many(turn: Turn) -> str | None:
    if not turn.has("how many", "how often"):
        return None
    if turn.has("have i said", "did i say", "have i asked", "did i ask", "i have said", "have i spoken", "i said",
                "messages", "turns", "have i talked"):  # fmt: skip
        count = len(turn.memory.earlier_user_texts)
        return f"Before this question you said {count} thing{'' if count == 1 else 's'}."
    if turn.has("have you said", "did you say", "have you answered", "you have said"):
        count = len(turn.memory.answers)
        return f"I have said {count} thing{'' if count == 1 else 's'} so far."
    return None


def _what_you_said(turn: Turn) -> str | None:
    if not turn.has("did you say", "did you just say", "have you said", "you said", "were you saying",
        "did you tell me",
                    "did you answer", "you just said", "was your answer", "was your last answer"):  # fmt: skip
        return None
    if not turn.has("what", "tell me", "repeat"):
        return None
    answers = turn.memory.answers
    if not answers:
        return "I have not said anything yet."
    is_first = turn.has("first", "at the beginning", "at the start")
    said = answers[0] if is_first else answers[-1]
    cut = " before you interrupted me" if said.is_cut else ""
    return f"{'First ' if is_first else ''}I said{cut}: {quoted(said.text)}."


def _what_i_said(turn: Turn) -> str | None:
    if not turn.has("did i say", "did i just say", "did i just tell you", "did i just ask",  "have i said",
        "i said", "did i tell you", "did i ask",
        "i just said",
                    "i have said", "was my question", "was my last question", "did i ask you", "i asked",
                    "was my first question", "have i asked"):  # fmt: skip
        return None
    if not turn.has("what", "tell me", "repeat", "remember"):
        return None
    said = turn.memory.earlier_user_texts
    if not said:
        return "You have not said anything before this question."
    if turn.has("first", "at the beginning", "at the start"):
        return f"First you said: {quoted(said[0])}."
    return _said_about(turn, said) or f"You said: {quoted(said[-1])}."


def _said_about(turn: Turn, said: list[str]) -> str | None:
    about = turn.after("about")
    topics = content_words(tuple(about.split())) if about else ()
    if not topics:
        return None
    for text in reversed(said[-200:]):
        if any(topic in words_of(text) for topic in topics):
            return f"You said: {quoted(text)}."
    return f"You have not said anything about {' '.join(topics)}."


def _note(turn: Turn) -> str | None:
    if turn.has("asked you to remember", "ask you to remember", "told you to remember", "want you to remember",
                "should you remember", "tell you to remember") and turn.has("what"):  # fmt: skip
        note = turn.memory.facts.get("note")
        return (
            f"You asked me to remember that {swap_person(note)}."
            if note
            else "You did not ask me to remember anything."
        )
    return None


def _facts(turn: Turn) -> str | None:
    facts = turn.memory.facts
    if turn.has("is my name", "what my name", "was my name", "say my name", "my name is what", "am i called",
        "do you know my name", "know my name",
        "remember my name",
                "who am i", "who i am", "what my name is") and not facts_just_told(turn):  # fmt: skip
        return (
            f"Your name is {facts['name']}." if "name" in facts else f"You have not told me your name yet. {ASKED_NAME}"
        )
    if turn.has("where do i live", "where i live", "where am i from", "do i live", "i come from") and turn.has("where"):
        return (
            f"You told me you are from or live in {facts['place']}."
            if "place" in facts
            else "You have not told me where you live."
        )
    if turn.has("what do i like", "what i like", "what do i love", "do i enjoy", "i like to do"):
        return f"You like {swap_person(facts['like'])}." if "like" in facts else "You have not told me what you like."
    if turn.has("do i not like", "do i hate", "do i dislike"):
        return f"You do not like {swap_person(facts['dislike'])}." if "dislike" in facts else "You have not told me."
    if turn.has("know about me", "remember about me", "told you about me", "have you learned about me"):
        return _all_facts(facts)
    return _owned_fact(turn, facts)


def facts_just_told(turn: Turn) -> bool:
    """Whether the utterance itself gives the name: "my name is what it is" does not."""
    return turn.has("my name is") and not turn.has("is my name", "what my name is", "my name is what")


def _owned_fact(turn: Turn, facts: dict[str, str]) -> str | None:
    """ "what is my favorite color" from "my favorite color is blue"."""
    subject = turn.after("what is my", "who is my", "where is my", "when is my", "remember my", "how old is my")
    if not subject:
        return None
    known = subject.removesuffix(" please").removesuffix(" called").removesuffix("'s name").removesuffix(" name")
    if value := facts.get(subject) or facts.get(known):
        return f"You told me that your {known} is {swap_person(value)}."
    return f"You have not told me about your {known}."


def _all_facts(facts: dict[str, str]) -> str:
    forms = {"name": "your name is {}", "place": "you are from or live in {}", "like": "you like {}",
             "dislike": "you do not like {}", "note": "I should remember that {}"}  # fmt: skip
    known = [forms.get(subject, f"your {subject} is {{}}").format(swap_person(value) if subject != "name" else value)
             for subject, value in facts.items() if "{" not in subject]  # fmt: skip
    if not known:
        return "You have not told me anything about yourself yet."
    return f"You told me that {', and '.join(known[:6])}."


def _summary(turn: Turn) -> str | None:
    if not turn.has("summarize", "summary", "sum up", "talk about so far", "talked about", "did we talk about",
                    "have we discussed", "did we discuss", "were we talking about",
                    "are we talking about"):  # fmt: skip
        return None
    said = turn.memory.earlier_user_texts
    if not said:
        return "We have not talked about anything yet."
    topics = topics_of(said)
    about = (
        f" We talked about {', '.join(topics[:-1])}{' and ' if len(topics) > 1 else ''}{topics[-1]}." if topics else ""
    )
    counted = f"{len(said)} thing{'' if len(said) == 1 else 's'}"
    return f"You said {counted}.{about} The last thing was: {quoted(said[-1])}.{_called_tools(turn)}"


def topics_of(texts: list[str]) -> list[str]:
    """The content words of the messages in the order in which they came, the most frequent six."""
    counts: dict[str, int] = {}
    for text in texts[-100:]:
        for word in content_words(words_of(text)):
            if word.isalpha() and len(word) > 3 and word not in _NO_TOPICS and not is_number_word(word):
                counts[word] = counts.get(word, 0) + 1
    best = sorted(counts, key=lambda word: -counts[word])[:_MAX_TOPICS]
    return [word for word in counts if word in best]


def _called_tools(turn: Turn) -> str:
    outputs = sum(isinstance(item, ContextToolOutput) for item in turn.memory.items)
    cut = sum(isinstance(item, ContextMessage) and item.is_cut for item in turn.memory.items)
    tools = f" I used a tool {outputs} time{'' if outputs == 1 else 's'}." if outputs else ""
    return tools + (f" You interrupted me {cut} time{'' if cut == 1 else 's'}." if cut else "")
