"""What an utterance asks for: one function, several, or the same one again for something else."""

from typing import Final

import msgspec

from vivavoce.core.requests import FunctionSpec, GenerationRequest
from vivavoce.engines.llm.arguments import Filled, Value, fill, parameters_of
from vivavoce.engines.llm.schemas import Property, name_words
from vivavoce.engines.llm.tool_scores import THRESHOLD, best_tool, changes_something
from vivavoce.engines.llm.turn import Turn
from vivavoce.engines.llm.understand import words_of

MAX_CALLS: Final = 4  # in one answer
_MAX_CLAUSES: Final = 20
_MAX_REPEAT_WORDS: Final = 5  # of "and in New York"
_JOINTS: Final = (
    ", and ", " and then ", " then ", " and also ", " also ", " as well as ", " plus ", " And ", "; ", ". ", "? ",
)  # fmt: skip
_BEFORE_ANOTHER: Final = ("in", "for", "at", "to", "from", "of", "on")
_PLACES: Final = frozenset("city location place town country".split())


class Wish(msgspec.Struct, frozen=True):
    """A function that was asked for, in whose words, and what later answers gave for its parameters.

    `values` are arguments that are known already: those of the wish before, and what is different in this one.
    """

    tool: FunctionSpec
    text: str
    given: dict[str, str] = {}
    values: dict[str, Value] = {}


def filled(wish: Wish, turn: Turn) -> Filled:
    """The arguments that a wish has."""
    found = fill(wish.tool, wish.text, turn.now, wish.given)
    missing = tuple(parameter for parameter in found.missing if parameter.name not in wish.values)
    return Filled({**found.values, **wish.values}, missing)


def wished(request: GenerationRequest, turn: Turn) -> list[Wish]:
    """The functions that the utterance asks for: one, or several where "and" joins clauses that ask for them."""
    if turn.has("do not", "never", "without calling") and not turn.is_question and not turn.has("do not forget"):
        return []
    wishes: list[Wish] = []
    for clause in _clauses(turn.text, request.tools):
        if (wish := _next_wish(clause, request.tools, wishes, turn)) is not None:
            wishes.append(wish)
    if len(wishes) > 1:
        return wishes[:MAX_CALLS]
    tool = _asked_in(turn.text, request.tools)
    return [Wish(tool, turn.text)] if tool is not None else []


def said_values(tool: FunctionSpec, text: str, turn: Turn) -> dict[str, Value]:
    """The arguments that the words themselves give, without defaults."""
    given = fill(tool, text, turn.now).values
    unsaid = fill(tool, "", turn.now).values
    return {name: value for name, value in given.items() if name not in unsaid or unsaid[name] != value}


def _clauses(text: str, tools: tuple[FunctionSpec, ...]) -> list[str]:
    text = text.replace("both the ", "the ")
    for joint in _JOINTS:
        text = text.replace(joint, " and ")
    clauses: list[str] = []
    for clause in text.split(" and ")[:_MAX_CLAUSES]:
        clauses += _parts(clause, tools)
    return [clause for clause in clauses if clause.strip()][:_MAX_CLAUSES]


def _parts(clause: str, tools: tuple[FunctionSpec, ...]) -> list[str]:
    """The clause cut at its commas if the parts ask for different functions: "in Paris, France" stays whole."""
    parts = clause.split(", ")[:_MAX_CLAUSES]
    asked = {tool.name for part in parts if (tool := _asked_in(part, tools)) is not None} if len(parts) > 1 else set()
    return parts if len(asked) > 1 else [clause]


def _asked_in(text: str, tools: tuple[FunctionSpec, ...]) -> FunctionSpec | None:
    tool, points = best_tool(tools, words_of(text))
    return tool if points >= THRESHOLD else None


def _next_wish(clause: str, tools: tuple[FunctionSpec, ...], before: list[Wish], turn: Turn) -> Wish | None:
    tool = _asked_in(clause, tools)
    if tool is None:
        return _repeated(before[-1], clause, turn) if before and _goes_on(before[-1].tool, clause, turn) else None
    same = next((wish for wish in reversed(before) if wish.tool.name == tool.name), None)
    return Wish(tool, clause) if same is None else _repeated(same, clause, turn)


def _goes_on(tool: FunctionSpec, clause: str, turn: Turn) -> bool:
    """Whether a clause without a function of its own may ask for the one before: "and in Rome", or just "Rome"."""
    words = tuple(word for word in words_of(clause) if word != "please")
    if not words or len(words) > _MAX_REPEAT_WORDS or changes_something(tool.name):
        return False
    return words[0] in _BEFORE_ANOTHER or _is_place(tool, words, turn)


def _is_place(tool: FunctionSpec, words: tuple[str, ...], turn: Turn) -> bool:
    """Whether the words are a place that the function needs, and nothing else."""
    places = {known.name for known in parameters_of(tool) if known.is_required and _PLACES & set(known.words)}
    said = said_values(tool, " ".join(words), turn)
    return any(name in places and words_of(str(value)) == words for name, value in said.items())


def _repeated(wish: Wish, clause: str, turn: Turn) -> Wish | None:
    """The wish again if the clause gives other values for what was said, and nothing else."""
    if any(parameter.kind == "array" for parameter in parameters_of(wish.tool)):
        return None  # what follows "and" is another entry of the list
    said, other = said_values(wish.tool, wish.text, turn), said_values(wish.tool, clause, turn)
    if not other or any(name not in said or said[name] == value for name, value in other.items()):
        return None
    return Wish(wish.tool, clause, values={**fill(wish.tool, wish.text, turn.now).values, **other})


def needed(tool: FunctionSpec, parameter: Property) -> str:
    """Says which parameter of which function has no value; the next utterance is understood by it."""
    return f"For {' '.join(name_words(tool.name))} I need the {' '.join(parameter.words) or 'value'}"


def question(tool: FunctionSpec, parameter: Property) -> str:
    """Asks for a required parameter."""
    asked = "Yes or no?" if parameter.kind == "boolean" else "What should it be?"
    return f"{needed(tool, parameter)}. {asked}"
