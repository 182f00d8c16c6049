"""Wishes that the responder knows it cannot fulfil, unless a tool of the session does."""

from typing import Final

from vivavoce.engines.llm.turn import Turn

_LIMITS: Final = (
    (("speak louder", "speak slower", "speak faster", "speak up", "louder", "slower", "faster", "speak more slowly"),
     "change how I speak"),
    (("weather", "forecast", "temperature outside", "rain", "umbrella"), "look up the weather"),
    (("news", "headlines"), "read the news"),
    (("search", "google", "look up", "internet", "website", "wikipedia"), "search the internet"),
    (("timer", "alarm", "remind me", "reminder", "wake me"), "set timers or reminders"),
    (("play music", "play a song", "play some", "some music", "play the song", "play a game"), "play music or games"),
    (("call my", "phone", "dial", "text my", "send a message", "send an email", "email", "send a text"),
    "call or write to anyone"),
    (("translate", "translation"), "translate"),
    (("turn on", "turn off", "switch on", "switch off", "the lights", "the light", "thermostat"),
    "switch anything on or off"),
    (("order", "buy", "book a", "reserve", "reservation"), "order or book anything"),
    (("stock", "stocks", "share price", "exchange rate", "bitcoin"), "look up prices"),
    (("picture", "photo", "image", "draw", "look at", "can you see"), "see or draw pictures"),
    (("doctor", "medicine", "medical", "diagnosis", "lawyer", "legal advice", "invest"),
    "give medical, legal or financial advice"),
)  # fmt: skip
_ASKS: Final = (
    "can you",
    "could you",
    "please",
    "will you",
    "would you",
    "i want you to",
    "i need you to",
    "i would like",
)


def answer(turn: Turn) -> str | None:
    for cues, deed in _LIMITS:
        if turn.has(*cues) and (turn.is_question or turn.has(*_ASKS) or _is_command(turn, cues)):
            return f"I cannot {deed}. I am the built-in offline responder and know only what you tell me."
    return None


def _is_command(turn: Turn, cues: tuple[str, ...]) -> bool:
    """Whether the utterance begins with what is wished: "play some music", "set a timer"."""
    return turn.starts(*cues) or turn.starts(
        "speak", "talk", "set", "send", "make", "show", "find", "check", "start", "give", "tell", "get", "read"
    )
