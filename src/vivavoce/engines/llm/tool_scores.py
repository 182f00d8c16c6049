"""Which function does an utterance ask for? By the overlap of its words with the function's own.

A hit in the name counts most, by the share of the name that was said; then the options and names of parameters,
then the description. A function that changes something is never called unless its own verb was said.
"""

import functools
from itertools import islice
from typing import Final

from vivavoce.core.requests import FunctionSpec
from vivavoce.engines.llm.schemas import is_json_object, name_words, options_of, properties_of, resolved
from vivavoce.engines.llm.understand import STOP_WORDS, stem, words_of

THRESHOLD: Final = 2.5
_NAME_WEIGHT, _OPTION_WEIGHT, _PARAMETER_WEIGHT, _DESCRIPTION_WEIGHT = 3.0, 1.5, 0.5, 0.5
_MAX_DESCRIPTION_HITS: Final = 4
_MAX_CANDIDATES, _MAX_PARAMETERS = 6, 16
_MAX_DESCRIPTION_CHARS: Final = 400

_SYNONYMS: Final = (
    "weather forecast rain sunny temperature snow windy umbrella", "play start listen", "song music track tune",
    "call phone dial ring", "email mail", "message text sms", "light lamp lights lighting",
    "find search look lookup browse",
    "buy order purchase", "book reserve reservation booking", "schedule arrange plan", "appointment meeting",
    "cancel abort", "delete remove erase clear", "add append put insert", "create make new", "send write post",
    "price cost expensive", "stock share stocks", "remind reminder", "timer alarm", "turn switch set change adjust",
    "show list display", "open unlock", "close shut lock", "flight fly plane", "hotel room",
    "restaurant eat food dinner",
    "news headline headlines", "translate translation", "account balance money", "calculate compute calculator",
    "roll throw", "transfer escalate forward", "human agent operator person representative", "end hang finish",
    "track status where", "product item", "location place city", "calendar event", "direction route navigate way",
)  # fmt: skip
_CANONICAL: Final = {stem(word): group.split()[0] for group in _SYNONYMS for word in reversed(group.split())}
# Verbs of which every function is full: they are no evidence by themselves.
_GENERIC: Final = frozenset(
    stem(word) for word in "get set do make find search fetch run use show tell current function tool call check "
    "create update add remove turn new user info information data the by to for of in and on a look".split()
)  # fmt: skip
# A function that begins with one of these is called only if the verb itself was said.
_GRAVE: Final = frozenset(
    stem(word) for word in "delete remove cancel send buy order pay transfer book unlock lock submit reset clear close "
    "end stop refund escalate reserve purchase".split()
)  # fmt: skip
# One that begins with one of these is not called by a question, unless the verb was said: "what time zone is this".
_CHANGING: Final = frozenset(
    stem(word) for word in "set create add update schedule write post start turn change move make put save".split()
)  # fmt: skip
_POLITE: Final = ("please", "can", "could", "would", "will", "you", "i", "want", "to", "like", "now", "okay", "and")
_ASKING: Final = ("what", "who", "which", "where", "when", "why", "how", "is", "are", "do", "does", "did")


def canonical(word: str) -> str:
    """The stem of a word, or of the word that stands for its synonyms."""
    found = stem(word)
    return _CANONICAL.get(found, found)


@functools.lru_cache(maxsize=4096)  # a pure function of names and descriptions, which come back every turn
def _canonical_words(text: str) -> frozenset[str]:
    return frozenset(canonical(word) for word in words_of(text) if word not in STOP_WORDS)


@functools.lru_cache(maxsize=4096)
def _name_parts(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The telling words of a name and its generic words."""
    words = name_words(name)
    stems = frozenset(stem(word) for word in words)
    telling = frozenset(canonical(word) for word in words if stem(word) not in _GENERIC and word not in STOP_WORDS)
    return telling, stems & _GENERIC


def score(tool: FunctionSpec, words: tuple[str, ...]) -> float:
    """How much the words ask for the function; `THRESHOLD` and more is a call."""
    said = frozenset(canonical(word) for word in words)
    named = _named(tool, words, said)
    return named + _parameters(tool, words, said) if named else 0.0


def _named(tool: FunctionSpec, words: tuple[str, ...], said: frozenset[str]) -> float:
    """The part of the score that comes from the name and the description."""
    telling, generic = _name_parts(tool.name)
    is_named = f" {' '.join(name_words(tool.name))} " in f" {' '.join(words)} "
    if not is_named and _lacks_its_verb(tool.name, words, said):
        return 0.0
    name = _NAME_WEIGHT * len(telling & said) / len(telling) if telling else 0.0
    verbs = 1.0 * _begins_with_its_verb(tool.name, words) + 0.5 * len(generic & frozenset(map(stem, words)))
    if not telling:
        verbs += 2.0 * is_named
    described = _canonical_words(tool.description[:_MAX_DESCRIPTION_CHARS]) & said
    return name + verbs + is_named + _described(len(described))


def changes_something(name: str) -> bool:
    """Whether the name of a function begins with a verb that changes something in the world."""
    return stem(next(iter(name_words(name)), "")) in _GRAVE | _CHANGING


def _lacks_its_verb(name: str, words: tuple[str, ...], said: frozenset[str]) -> bool:
    verb = next(iter(name_words(name)), "")
    if canonical(verb) in said:
        return False
    return stem(verb) in _GRAVE or (stem(verb) in _CHANGING and words[:1] != () and words[0] in _ASKING)


def _begins_with_its_verb(name: str, words: tuple[str, ...]) -> bool:
    """Whether the utterance commands what the name begins with: "play hey jude" and play_music."""
    verb = next(iter(name_words(name)), "")
    spoken = [word for word in words[:5] if word not in _POLITE]
    return stem(verb) not in _GENERIC | _GRAVE and spoken[:1] != [] and canonical(spoken[0]) == canonical(verb)


def _described(hits: int) -> float:
    return _DESCRIPTION_WEIGHT * min(hits, _MAX_DESCRIPTION_HITS)


def _parameters(tool: FunctionSpec, words: tuple[str, ...], said: frozenset[str]) -> float:
    root = tool.parameters
    if not is_json_object(root):
        return 0.0
    total = 0.0
    line = f" {' '.join(words)} "
    for parameter in islice(properties_of(resolved(root, root), root), _MAX_PARAMETERS):
        total += _PARAMETER_WEIGHT * bool(_canonical_words(" ".join(parameter.words)) & said)
        options = [" ".join(name_words(option)) for option in options_of(parameter.schema) if isinstance(option, str)]
        total += _OPTION_WEIGHT * any(
            option and option not in STOP_WORDS and f" {option} " in line for option in options
        )
    return total


def best_tool(tools: tuple[FunctionSpec, ...], words: tuple[str, ...]) -> tuple[FunctionSpec | None, float]:
    """The function with the highest score (the first of equals) and its score.

    Parameters are looked at for the few functions whose names and descriptions fit best.
    """
    said = frozenset(canonical(word) for word in words)
    named = [(points, tool) for tool in tools if (points := _named(tool, words, said))]
    named.sort(key=lambda entry: -entry[0])
    scored = [(points + _parameters(tool, words, said), tool) for points, tool in named[:_MAX_CANDIDATES]]
    points, best = max(scored, key=lambda entry: entry[0], default=(0.0, None))
    return best, points
