"""Yes and no to the responder's own questions."""

from typing import Final

from vivavoce.engines.llm.turn import Turn

_YES: Final = frozenset("yes yeah yep yup sure okay please definitely absolutely certainly correct right true".split())
_NO: Final = frozenset("no nope nah not never".split())
_WITH: Final = (
    _YES
    | _NO
    | frozenset("i do of course go ahead would like to thanks thank you really at all course do it that is".split())
)

# What a yes to these questions asks for.
ANOTHER_JOKE: Final = "Would you like another joke?"
ANOTHER_FACT: Final = "Would you like another fact?"
WHAT_I_CAN_DO: Final = "Would you like to hear what I can do?"
TALK_ABOUT_IT: Final = "Would you like to talk about it?"
ARE_YOU_THERE: Final = "Are you still there?"
_AFTER_YES: Final = {ANOTHER_JOKE: "tell me a joke", ANOTHER_FACT: "tell me a fact", WHAT_I_CAN_DO: "what can you do"}
_SPOKEN_YES: Final = {TALK_ABOUT_IT: "I am listening. What happened?", ARE_YOU_THERE: "Good. What can I do for you?"}


def meaning(turn: Turn) -> bool | None:
    """True for yes, False for no, None if it is neither."""
    if not turn.words or len(turn.words) > 6 or not all(word in _WITH for word in turn.words):
        return None
    if turn.words[0] in _NO or turn.has("do not", "not really"):
        return False
    return True if any(word in _YES for word in turn.words) or turn.has("of course", "go ahead", "i do") else None


def as_if_asked(turn: Turn) -> Turn:
    """The turn with the question's own request in place of a yes to it."""
    wanted = next((text for question, text in _AFTER_YES.items() if question in turn.memory.last_question), None)
    return turn.saying(wanted) if wanted and meaning(turn) else turn


def answer(turn: Turn) -> str | None:
    agreed = meaning(turn)
    question = turn.memory.last_question
    if agreed is None or (not question and len(turn.words) > 1 and turn.has("thanks", "thank you")):
        return None
    if not question:
        return "Good. What would you like to talk about?" if agreed else "All right. What would you like instead?"
    if agreed:
        return next((text for asked, text in _SPOKEN_YES.items() if asked in question), "Good. Tell me more about it.")
    return "All right. What would you like to talk about instead?"
