"""Who the responder is and what it can do."""

from typing import Final

from vivavoce.engines.llm.turn import Turn

WHAT_I_AM: Final = "the built-in offline responder, a set of rules and not an AI model"
ABILITIES: Final = (
    "I can talk about what you told me, tell the time and date, calculate, convert units, count, spell, repeat after "
    "you, and tell a joke or a fact."
)


def answer(turn: Turn) -> str | None:
    if turn.has("your name", "are you called", "should i call you", "do i call you", "name yourself"):
        return _name(turn)
    if turn.has("what can you do", "what do you do", "can you help me with", "what you can do", "help me",
        "your abilities",
                "what are you able", "what can i ask", "what can i say", "how does this work", "what else can you do",
                "what are you capable of", "what are you good at", "what can you help") or turn.is_only("help",
                "help please"):  # fmt: skip
        return f"I am {WHAT_I_AM}. {ABILITIES}{tools_sentence(turn)}"
    if turn.has("something about you", "who are you", "what are you", "about yourself", "introduce yourself",
        "who am i talking to",
        "who is this",
                "who am i speaking to", "who i am talking to"):  # fmt: skip
        return f"{_name(turn)} {ABILITIES}" if not turn.persona.name else f"I am {turn.persona.name}, {WHAT_I_AM}."
    if turn.has("are you a", "are you an", "are you", "you are a") and turn.has(
        "robot", "human", "person", "ai", "a i", "real", "machine", "computer", "model", "bot", "alive",
        "artificial", "g p t", "chat gpt",
        "chatgpt", "program", "conscious"
    ):  # fmt: skip
        return f"I am {WHAT_I_AM}. I am a program, not a person."
    if turn.has("how old are you", "your age", "your birthday", "when were you born"):
        return "I have no age. I start afresh with every conversation."
    if turn.has("where are you", "where do you live", "where are you from", "where do you come from"):
        return "I live in the server that you are talking to. I need no network."
    if turn.has("who made you", "who built you", "who created you", "who programmed you", "who wrote you"):
        return "I am part of viva voce, the voice server that you are talking to."
    return _abilities(turn)


def _abilities(turn: Turn) -> str | None:
    if turn.has(
        "do you speak",
        "can you speak",
        "speak german",
        "speak french",
        "speak spanish",
        "do you understand",
        "do you know any",
    ):
        return "I understand and speak English only." if turn.has(*_LANGUAGES) else None
    if turn.has(
        "can you hear me",
        "do you hear me",
        "are you there",
        "are you listening",
        "you there",
        "still there",
        "hear me now",
    ):
        return "Yes, I can hear you."
    if turn.is_only("are you sure", "are you certain", "really are you sure"):
        return "As sure as a set of rules can be."
    if turn.has("do you remember me", "have we met", "do you know me"):
        known = turn.memory.name
        return f"You are {known}, you told me in this conversation." if known else "I remember only this conversation."
    return None


_LANGUAGES: Final = ("german", "french", "spanish", "italian", "english", "language", "languages", "chinese",
    "japanese",
                     "russian", "portuguese", "dutch", "polish", "arabic", "hindi", "turkish",
                     "other languages")  # fmt: skip


def _name(turn: Turn) -> str:
    if turn.persona.name:
        return f"My name is {turn.persona.name}."
    return f"I have no name of my own. I am {WHAT_I_AM}."


def tools_sentence(turn: Turn) -> str:
    """What the session's tools add, or ""."""
    names = [tool.name.replace("_", " ").replace("-", " ") for tool in turn.tools[:5]]
    if not names:
        return ""
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f" In this session I can also use {listed}."
