"""Steers the conversation: stop, never mind, repeat that, go on."""

from vivavoce.engines.llm.turn import Turn

STOPPED = "All right, I will stop."
NOTHING_TO_REPEAT = "I have not said anything yet."


def answer(turn: Turn) -> str | None:
    """Answers "stop" and "never mind"; "repeat that" where nothing was cut (see `respond` for where it was)."""
    if turn.is_only("stop", "stop it", "stop please", "please stop", "be quiet", "quiet", "shut up", "enough",
                    "that is enough", "stop talking", "stop stop", "okay stop", "hush", "silence"):  # fmt: skip
        return STOPPED
    if turn.starts("stop talking", "please stop", "stop it"):
        return STOPPED
    if turn.is_only("never mind", "nevermind", "forget it", "cancel", "cancel that", "cancel it", "no never mind",
                    "forget about it", "oh never mind", "it does not matter"):  # fmt: skip
        return "All right. What would you like instead?"
    if turn.starts("do not", "please do not") and not turn.has("forget", "call me", "you", "know"):
        return "All right, I will not do that."
    if wants_repetition(turn):
        last = turn.memory.last_answer
        return last.text if last else _nothing_said(turn)
    if wants_continuation(turn):
        return "That was all I had to say about it. What shall we talk about?"
    return None


def _nothing_said(turn: Turn) -> str | None:
    """ "Sorry" before anything was said is an excuse, no question."""
    return None if turn.has("sorry", "excuse me", "pardon me") else NOTHING_TO_REPEAT


def wants_repetition(turn: Turn) -> bool:
    """Whether the last answer is to be said again."""
    if turn.is_only("what", "pardon", "pardon me", "sorry", "excuse me", "again", "once more", "what was that",
                    "come again", "sorry what", "say again", "huh", "repeat", "repeat please", "please repeat",
                    "one more time"):  # fmt: skip
        return True
    return len(turn.words) <= 9 and turn.has(
        "repeat that", "repeat it", "say that again", "say it again", "repeat what you said", "repeat your answer",
        "repeat yourself", "did not hear you", "did not catch that", "did not understand you", "did not get that",
        "repeat your last answer", "repeat the last answer", "tell me that again",
    )  # fmt: skip


def wants_continuation(turn: Turn) -> bool:
    """Whether the last answer is to go on."""
    return turn.is_only(
        "go on", "continue", "please continue", "please go on", "keep going", "and then", "carry on", "go ahead",
        "go on please", "continue please", "you were saying", "what were you saying", "okay go on",
        "finish your sentence",
    )  # fmt: skip
