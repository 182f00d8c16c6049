"""Utterances that hold no English word."""

from vivavoce.engines.llm.turn import Turn

NOTHING_HEARD = "I did not hear any words. Could you say that again?"
OTHER_SCRIPT = "I understand English only. Could you say that in English?"


def answer(turn: Turn) -> str | None:
    """Asks again when there are no words, or none in Latin letters."""
    if not turn.words:
        return NOTHING_HEARD
    if not any(letter.isascii() and letter.isalnum() for letter in turn.line):
        return OTHER_SCRIPT
    return None
