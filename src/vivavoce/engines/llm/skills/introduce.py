"""Takes in what the user tells about themselves, and asks back."""

from vivavoce.engines.llm.memory_of_conversation import facts_in
from vivavoce.engines.llm.turn import Turn
from vivavoce.engines.llm.understand import swap_person


def answer(turn: Turn) -> str | None:
    if turn.is_question and not turn.has("my name is"):
        return None
    last = turn.memory.last_answer
    facts = facts_in(turn.text, last.text if last else "")
    if name := facts.get("name"):
        return _met(turn, name)
    for subject, say in _SAID.items():
        if subject in facts:
            return say.format(swap_person(facts[subject]))
    for subject, value in facts.items():
        return f"I will remember that your {_brace(subject)} is {_brace(swap_person(value))}. {_about(subject)}"
    return None


_SAID = {
    "note": "I will remember that {}.",
    "place": "How nice. What is {} like?",
    "dislike": "I see, you do not like {}. What do you like instead?",
    "like": "You like {}. What do you like most about it?",
}


def _met(turn: Turn, name: str) -> str:
    earlier = [text for text in turn.memory.earlier_user_texts[-50:] if facts_in(text).get("name") not in (None, name)]
    if earlier or turn.has("no my name", "not my name", "my name is not"):
        return f"All right, I will call you {name}."
    asks = {True: "How are you today?", False: "What would you like to talk about?"}
    return f"Nice to meet you, {name}. {asks[turn.has('hello', 'hi', 'hey')]}"


def _about(subject: str) -> str:
    return "Why is that?" if subject.startswith("favorite") else "Can you tell me more about that?"


def _brace(text: str) -> str:
    return text.replace("{", "").replace("}", "")
