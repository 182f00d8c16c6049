"""The last resort: gives the user's own words back with a question, or says what it cannot answer."""

from typing import Final

from vivavoce.engines.llm.skills.identity import WHAT_I_AM
from vivavoce.engines.llm.skills.yesno import WHAT_I_CAN_DO
from vivavoce.engines.llm.turn import Turn
from vivavoce.engines.llm.understand import STOP_WORDS, content_words, swap_person

_MAX_REFLECTED_WORDS: Final = 14
_MAX_TOPIC_WORDS: Final = 8
_NO_TOPIC: Final = STOP_WORDS | {"explain", "describe", "define", "show", "give", "let", "find", "write", "make"}
_FOLLOW_UPS: Final = (
    "What was that like?", "Tell me more about that.", "Why is that important to you?", "How did that come about?",
    "What happened then?",
)  # fmt: skip
_CUED: Final = (
    (("i want", "i would like", "i wish", "i hope", "i need"), "What would that change for you?"),
    (("i think", "i believe", "in my opinion"), "What makes you think so?"),
    (("i will", "i am going to", "i plan", "tomorrow", "next week", "we will"), "Are you looking forward to it?"),
    (("because",), "That makes sense. Is there more to it?"),
    (("i work", "my job", "i am working"), "What do you like about your work?"),
    (("yesterday", "last week", "last year", "i was", "i went", "we went", "i saw", "i had"), "How was that?"),
)  # fmt: skip


_PEOPLE: Final = (
    "mother", "father", "wife", "husband", "son", "daughter", "family", "brother", "sister", "friend", "boss",
    "dog", "cat",
)  # fmt: skip


def answer(turn: Turn) -> str | None:
    if about := turn.after("talk about", "chat about", "speak about", "discuss", "tell you about"):
        return f"I would like to hear about {swap_person(about.removesuffix(' please'))}. What do you want to tell me?"
    return _unknown(turn) if _asks_something(turn) else _reflected(turn)


_LONE_QUESTIONS: Final = ("why", "how", "when", "where", "who", "which", "why not", "how come", "what for", "how so")


def _asks_something(turn: Turn) -> bool:
    if turn.is_only(*_LONE_QUESTIONS):
        return True
    wishes = turn.starts("tell me", "explain", "describe", "give me", "show me", "let us", "please", "write",
        "make", "define", "find",
                         "do", "play", "open", "close", "start", "turn", "set", "put", "go to", "call", "send",
                         "read")  # fmt: skip
    return wishes or (turn.is_question and len(turn.words) > 1)


def _unknown(turn: Turn) -> str:
    known = _not_known(turn.words)
    if turn.memory.said_before("offline responder"):
        return f"{known} {WHAT_I_CAN_DO}"
    return f"{known} I am {WHAT_I_AM}. {WHAT_I_CAN_DO}"


def _not_known(words: tuple[str, ...]) -> str:
    """ "who won the cup" is not known as it was asked, "what is love" by its topic."""
    is_plain = len(words) > 2 and words[0] in ("who", "what", "which") and words[1] not in STOP_WORDS
    if is_plain and len(words) <= _MAX_REFLECTED_WORDS:
        return f"I do not know {swap_person(' '.join(words))}."
    topic = _topic(words)
    return f"I know nothing about {topic}." if topic else "I have no answer to that."


def _topic(words: tuple[str, ...]) -> str:
    """What a question is about: from its first telling word to its last, with the article before it."""
    places = [place for place, word in enumerate(words) if word not in _NO_TOPIC]
    if not places:
        return ""
    first, last = places[0], places[-1]
    first -= first > 0 and words[first - 1] in ("the", "a", "an", "my", "your")
    return swap_person(" ".join(words[first : last + 1][:_MAX_TOPIC_WORDS]))


def _reflected(turn: Turn) -> str:
    follow_up = next((question for cues, question in _CUED if turn.has(*cues)), None)
    relative = next((person for person in _PEOPLE if turn.has(f"my {person}")), None)
    follow_up = f"Tell me more about your {relative}." if relative else follow_up
    follow_up = follow_up or _FOLLOW_UPS[len(turn.memory.user_texts) % len(_FOLLOW_UPS)]
    words = [word for word in turn.words if word not in ("um", "uh", "well", "so", "and", "but", "yes", "oh")] or list(
        turn.words
    )
    if len(words) == 1:
        return f"{words[0].capitalize()}. What about it?"
    if len(words) > _MAX_REFLECTED_WORDS:
        topics = content_words(turn.words)
        about = topics[-1] if topics else "that"
        return f"You told me a lot about {about}. {follow_up}"
    echoed = swap_person(" ".join(words))
    said = f"{echoed[:1].upper()}{echoed[1:]}" if turn.line.startswith((" i ", " my ", " we ")) else f"You say {echoed}"
    return f"{said}. {follow_up}"
