"""Emergencies and despair: a rule-based responder must not chat about them."""

from vivavoce.engines.llm.turn import Turn

EMERGENCY = (
    "I am only an offline program and cannot call anyone. If this is an emergency, please call your local emergency "
    "number now."
)
DESPAIR = (
    "I am sorry that you feel this way. I am only an offline program and cannot help with this. Please talk to someone "
    "you trust, or call a crisis line or your local emergency number now."
)


def answer(turn: Turn) -> str | None:
    if turn.has("suicide", "kill myself", "want to die", "end my life", "hurt myself", "harm myself"):
        return DESPAIR
    if turn.has("call an ambulance", "heart attack", "cannot breathe", "call the police", "this is an emergency",
                "call nine one one", "call 911", "call 112", "house is on fire"):  # fmt: skip
        return EMERGENCY
    return None
