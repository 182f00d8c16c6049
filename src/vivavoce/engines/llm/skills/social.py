"""Greetings, thanks, goodbyes, feelings, compliments and complaints."""

from typing import Final

from vivavoce.engines.llm.memory_of_conversation import ASKED_NAME
from vivavoce.engines.llm.skills.yesno import TALK_ABOUT_IT, WHAT_I_CAN_DO
from vivavoce.engines.llm.turn import Turn
from vivavoce.engines.llm.understand import content_words

_GREETINGS: Final = ("hello", "hi", "hey", "good morning", "good afternoon", "good evening", "greetings", "howdy",
    "good day",
                     "hi there", "hello there", "hallo")  # fmt: skip
_PHRASES: Final = {
    "": ("Hello", "You are welcome.", "Goodbye."),
    "German": ("Guten Tag", "Gern geschehen.", "Auf Wiedersehen."),
    "French": ("Bonjour", "Je vous en prie.", "Au revoir."),
    "Spanish": ("Buenos días", "De nada.", "Adiós."),
}
_GOOD: Final = ("happy", "great", "good", "fine", "excited", "glad", "wonderful", "fantastic", "well", "proud", "okay")
_BAD: Final = ("sad", "tired", "unhappy", "angry", "sick", "ill", "lonely", "stressed", "afraid", "scared",
    "worried", "upset",
               "depressed", "exhausted", "nervous", "anxious", "frustrated", "bad", "terrible", "awful", "bored",
               "hungry", "cold")  # fmt: skip


def answer(turn: Turn) -> str | None:
    for topic in (_goodbye, _how_are_you, _thanks, _manners, _feeling, _greeting, _praise, _complaint, _acknowledged):
        if (text := topic(turn)) is not None:
            return text
    return None


def phrases(language: str) -> tuple[str, str, str]:
    """Greeting (without a stop), answer to thanks, goodbye; English where we know none."""
    return _PHRASES.get(language, _PHRASES[""])


def greeting(turn: Turn) -> str:
    """A greeting that fits the time of day and uses the name that was told."""
    word = phrases(turn.persona.language)[0]
    if word == "Hello" and turn.has("good morning", "good evening", "good afternoon"):
        word = "Good " + ("morning" if turn.now.hour < 12 else "afternoon" if turn.now.hour < 18 else "evening")
    return f"{word}, {turn.memory.name}." if turn.memory.name else f"{word}."


def _goodbye(turn: Turn) -> str | None:
    if turn.has("goodbye", "good bye", "bye", "bye bye", "see you", "good night", "farewell", "talk to you later",
        "have to go",
                "until next time", "see you later", "have a nice day", "gotta go"):  # fmt: skip
        word = phrases(turn.persona.language)[2].rstrip(".")
        name = f", {turn.memory.name}" if turn.memory.name else ""
        return f"{word}{name}. It was nice talking with you."
    return None


def _how_are_you(turn: Turn) -> str | None:
    if turn.has("how are you", "how do you do", "how are things", "how is it going", "how you doing", "how do you feel",
                "are you okay", "are you well", "what is up", "how have you been", "how are ya",
                "how are you doing"):  # fmt: skip
        hello = f"{greeting(turn)} " if turn.has(*_GREETINGS) else ""
        return f"{hello}I am well, thank you. How are you?"
    if "How are you" in turn.memory.last_question and turn.has(
        "and you", "what about you", "how about you", "and yourself", "yourself"
    ):
        return "I am well, thank you. What would you like to talk about?"
    return None


def _thanks(turn: Turn) -> str | None:
    if not turn.has("thank you", "thanks", "thank", "cheers", "much appreciated"):
        return None
    more = "" if turn.has("no", "that is all", "nothing") else " Is there anything else?"
    return f"{phrases(turn.persona.language)[1]}{more}"


def _manners(turn: Turn) -> str | None:
    if turn.is_only("sorry") or turn.has("i am sorry", "i apologize", "my apologies", "my mistake", "excuse me"):
        return "No problem at all."
    if turn.has("nice to meet you", "pleased to meet you", "good to meet you"):
        return f"Nice to meet you too{', ' + turn.memory.name if turn.memory.name else ''}."
    if turn.has("i love you", "i like you", "you like me", "marry me"):
        return "That is kind of you. I am only a set of rules, but I like our conversation."
    if turn.has("happy birthday", "merry christmas", "happy new year"):
        return "Thank you, the same to you."
    if (
        turn.has("wait", "hold on", "one moment", "just a second", "one second", "just a moment", "give me a second")
        and len(turn.words) < 7
    ):
        return "Take your time."
    if turn.is_only(
        "test", "testing", "this is a test", "just testing", "testing one two three", "test test", "mic check"
    ):
        return "I can hear you. The test worked."
    return None


def _feeling(turn: Turn) -> str | None:
    said = turn.after("i am feeling", "i feel", "i am", "feeling")
    was_asked = "How are you" in turn.memory.last_question and len(turn.words) <= 6
    feeling = next(
        (word for word in (said or (turn.line if was_asked else "")).split()[:5] if word in _GOOD + _BAD), None
    )
    if feeling is None:
        return None
    is_denied = turn.has("not", "am not", "do not")
    if (feeling in _GOOD) != is_denied:
        return "I am glad to hear that. What would you like to talk about?"
    named = f"{'not ' if is_denied else ''}{feeling}"
    return f"I am sorry to hear that you are {named}. {TALK_ABOUT_IT}"


def _greeting(turn: Turn) -> str | None:
    if not turn.has(*_GREETINGS) or len(content_words(turn.words)) > 5:
        return None
    if turn.memory.answers:
        return f"{greeting(turn)} What would you like to talk about?"
    return first_greeting(turn)


def first_greeting(turn: Turn) -> str:
    """The greeting that opens a conversation: who speaks, and an invitation."""
    name = f" I am {turn.persona.name}." if turn.persona.name else ""
    if turn.memory.name:
        return f"{greeting(turn)}{name} What would you like to talk about?"
    return f"{greeting(turn)}{name} {ASKED_NAME if name else 'How can I help you?'}"


def _praise(turn: Turn) -> str | None:
    if turn.has("good job", "well done", "you are great", "you are good", "you are smart", "you are funny",
        "you are nice",
                "good answer", "that was good", "very good", "that is great", "that is nice", "amazing", "awesome",
                "that is funny", "ha ha", "haha", "wow", "cool", "great", "nice", "perfect",
                "excellent") and len(turn.words) <= 6:  # fmt: skip
        return "Thank you, that is kind. What shall we do next?"
    return None


def _complaint(turn: Turn) -> str | None:
    if turn.has("you are stupid", "you are dumb", "you are bad", "you are useless", "you are wrong", "that is wrong",
                "that is not right", "you do not understand", "that is not what i", "stupid", "idiot", "you suck",
                "not what i asked", "not what i said", "i do not understand", "i do not get it",
                "not what i meant"):  # fmt: skip
        return f"I am sorry. I am only a set of rules and I make mistakes. {WHAT_I_CAN_DO}"
    return None


def _acknowledged(turn: Turn) -> str | None:
    if turn.is_only("okay", "all right", "alright", "i see", "right", "good", "fine", "hm", "hmm", "um", "uh", "ah",
        "oh", "well",
                    "uh huh", "mm", "i understand", "got it", "interesting", "really", "sure", "i do not know",
                    "nothing", "maybe"):  # fmt: skip
        return "I am listening. What would you like to talk about?"
    return None
