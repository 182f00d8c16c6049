"""What the session's instructions ask of the responder, as far as it understands them.

Only plain wishes are understood: a name, a language, brevity, a form of address, an opening, a beginning or ending
for every answer, no questions. Everything else in the instructions has no effect on a rule-based responder.
"""

import functools
import re
from typing import Final

import msgspec

from vivavoce.engines.llm.spoken_numbers import number_at
from vivavoce.engines.llm.understand import words_of

MAX_READ_CHARS: Final = 8_000  # of the instructions; wishes stand near the start

_LANGUAGES: Final = {
    "german": "German", "deutsch": "German", "french": "French", "français": "French", "francais": "French",
    "spanish": "Spanish", "español": "Spanish", "espanol": "Spanish", "italian": "Italian", "portuguese": "Portuguese",
    "dutch": "Dutch", "polish": "Polish", "russian": "Russian", "chinese": "Chinese", "mandarin": "Chinese",
    "japanese": "Japanese", "korean": "Korean", "arabic": "Arabic", "hindi": "Hindi", "turkish": "Turkish",
    "swedish": "Swedish", "english": "English",
}  # fmt: skip


class Persona(msgspec.Struct, frozen=True):
    """Wishes found in the instructions; an empty text or None means: no wish.

    `max_words` and `max_sentences` bound an answer; `address` is how the user wants to be called.
    """

    name: str = ""
    language: str = ""
    max_words: int | None = None
    max_sentences: int | None = None
    address: str = ""
    opening: str = ""
    beginning: str = ""
    ending: str = ""
    asks_questions: bool = True
    is_brief: bool = False


def persona_of(instructions: str) -> Persona:
    """The persona that the instructions describe."""
    return _read(instructions[:MAX_READ_CHARS])


@functools.lru_cache(maxsize=64)  # a pure function; a session asks again with the same instructions every turn
def _read(text: str) -> Persona:
    return Persona(
        name=_name(text),
        language=_language(text),
        max_words=_max_words(text),
        max_sentences=_max_sentences(text),
        address=_address(text),
        opening=_quoted_wish(text, _OPENING),
        beginning=_quoted_wish(text, _BEGINNING),
        ending=_quoted_wish(text, _ENDING),
        asks_questions=not _NO_QUESTIONS.search(text),
        is_brief=bool(_BRIEF.search(text)) and not _NOT_BRIEF.search(text),
    )


# A capital after "You are" makes a name: "You are Ada", not "You are a helpful assistant".
_NAME: Final = re.compile(
    r"(?:\b[Yy]our name is|\b[Yy]ou are (?:now |called |named )|\b[Yy]ou are|\b[Yy]ou're|\b[Aa]ct as|\b[Yy]ou go by|"
    r"\b[Cc]all yourself|\b[Pp]lay the role of) (?:the name )?[\"'“]?([A-Z][\w'-]{0,30}(?: [A-Z][\w'-]{0,30})?)"
)
_LOWER_NAME: Final = re.compile(r"\b(?:your name is|you are called|you are named) [\"'“]?([a-z][\w-]{1,30})", re.I)
_NOT_NAMES: Final = frozenset("A An The AI I ChatGPT You Not My Our One OpenAI Always Never".split())


def _name(text: str) -> str:
    for found in _NAME.finditer(text):
        if found[1].split()[0] not in _NOT_NAMES:
            return found[1]
    found_lower = _LOWER_NAME.search(text)
    return found_lower[1].capitalize() if found_lower and found_lower[1].lower() not in ("the", "not", "an") else ""


_LANGUAGE: Final = re.compile(
    r"\b(?:speak|speaks|answer|respond|reply|talk|greet|address|converse|write|communicate|use|only)\b([^.\n]{0,60}?)\b("
    + "|".join(_LANGUAGES)
    + r")\b",
    re.I,
)
_REFUSAL: Final = re.compile(r"\b(?:not|never|don't|if|when)\b", re.I)


def _language(text: str) -> str:
    """The first language that is asked for without "not" or "if"."""
    for found in _LANGUAGE.finditer(text):
        before = re.split(r"[.!?\n]", text[max(0, found.start() - 60) : found.start()])[-1]
        if not _REFUSAL.search(found[1]) and not _REFUSAL.search(before):
            language = _LANGUAGES[found[2].lower()]
            return "" if language == "English" else language
    return ""


_WORD_LIMIT: Final = re.compile(
    r"\b(?:at most|no more than|not more than|maximum of|max(?:imum)?|up to|under|within|fewer than|less than|"
    r"limit(?:ed)? to|exactly|only|in)\s+([\w-]{1,20}(?:[ -][\w-]{1,20})?)\s+(words?|sentences?)\b",
    re.I,
)
_SENTENCE_LIMIT: Final = re.compile(r"\b(one|two|three|a single|single|1|2|3)[- ](?:short )?sentences?\b", re.I)


def _limit(text: str, unit: str) -> int | None:
    for found in _WORD_LIMIT.finditer(text):
        words = words_of(found[1])
        number = number_at(words, 0) if words else None
        if found[2].lower().startswith(unit) and number is not None and number.value >= 1:
            return min(int(number.value), 10_000)
    return None


def _max_words(text: str) -> int | None:
    return _limit(text, "word")


def _max_sentences(text: str) -> int | None:
    found = _SENTENCE_LIMIT.search(text)
    plain = {"one": 1, "a single": 1, "single": 1, "1": 1, "two": 2, "2": 2, "three": 3, "3": 3}
    return plain[found[1].lower()] if found else _limit(text, "sentence")


_BRIEF: Final = re.compile(
    r"\b(?:be|keep|stay|answer|speak|talk|reply|respond)\b[^.\n]{0,40}?"
    r"\b(?:brief|concise|short|terse|briefly|concisely|succinct|succinctly)\b"
    r"|\b(?:short|brief|concise) (?:answers|replies|responses)",
    re.I,
)
_NOT_BRIEF: Final = re.compile(r"\b(?:not|never|don't) (?:be |too )?(?:brief|short|terse)\b", re.I)
_NO_QUESTIONS: Final = re.compile(
    r"\b(?:never|don't|do not|without|avoid|no)\b[^.\n]{0,20}?\b(?:ask|asking|follow-up|followup|counter)\b"
    r"[^.\n]{0,20}?\bquestions?\b|\bno questions\b",
    re.I,
)
_ADDRESS: Final = re.compile(
    r"\b(?:address|call|refer to)\s+(?:the\s+)?(?:user|me|caller|customer|them|him|her|listener|guest)\s+"
    r"(?:as\s+|by\s+)?"
    r"[\"'“]?([A-Z][\w-]{0,30}(?-i:(?: [A-Z][\w-]{0,30})?)|sir|madam|captain|boss|doctor|master|friend|my friend)",
    re.I,
)


def _address(text: str) -> str:
    found = _ADDRESS.search(text)
    if not found:
        return ""
    word = found[1].split()[0]
    written = found[1] if word[0].isupper() or found[1].lower() in ("my friend", "friend", "sir", "madam") else word
    return written if word.lower() not in ("by", "as", "in", "with", "the", "politely", "formally", "when") else ""


_WISHED: Final = (
    r"[^.\n\"“']{0,40}?[:,]?\s*(?:[\"“]([^\"”\n]{1,300})[\"”]|'([^\n]{1,300}?)'(?!\w)|([^\n\"“.!?]{1,200}[.!?]?))"
)
_OPENING: Final = re.compile(
    r"\b(?:(?:greet|welcome)(?:\s+(?:the\s+)?(?:user|caller|customer|them|everyone|people|guest))?\s+"
    r"(?:with|by saying)|"
    r"(?<!always )(?<!must )(?:start|begin|open)(?:\s+the\s+(?:conversation|call|session))?\s+"
    r"(?:by saying|with saying|with the words|with the phrase|with)|"
    r"say exactly|your (?:first|opening) (?:words|line|sentence|message) (?:are|is|must be|should be)|"
    r"say(?=:?\s*[\"“']))"
    rf"{_WISHED}",
    re.I,
)
_BEGINNING: Final = re.compile(
    r"\b(?:(?:always|must)\s+(?:start|begin)(?:\s+(?:your|every|each|all)[^.\n\"“']{0,20}?)?|"
    r"(?:start|begin)\s+(?:every|each|all(?:\s+your)?|your)\s+(?:answers?|replies|reply|responses?|sentences?|messages?))"
    rf"\s+(?:with|by saying){_WISHED}",
    re.I,
)
_ENDING: Final = re.compile(
    r"\b(?:always\s+(?:end|finish|close)(?:\s+(?:your|every|each|all)[^.\n\"“']{0,20}?)?|"
    r"(?:end|finish|close)\s+(?:every|each|all(?:\s+your)?|your)\s+(?:answers?|replies|reply|responses?|sentences?|messages?))"
    rf"\s+(?:with|by saying){_WISHED}",
    re.I,
)


def _quoted_wish(text: str, pattern: re.Pattern[str]) -> str:
    found = pattern.search(text)
    if not found:
        return ""
    return next(part for part in found.groups() if part is not None).strip(" \t'\"“”")
