"""Applies the persona's wishes to an answer: language, questions, length, address, beginning and ending."""

from typing import Final

from vivavoce.engines.llm.clauses import sentences
from vivavoce.engines.llm.persona import Persona
from vivavoce.engines.llm.speakable import tidy
from vivavoce.engines.llm.understand import STOP_WORDS

_KNOWN_LANGUAGES: Final = ("German", "French", "Spanish")
_BRIEF_SENTENCES: Final = 2
_HELLO: Final = {"German": "Guten Tag.", "French": "Bonjour.", "Spanish": "Buenos días."}


def finished(text: str, persona: Persona, *, is_first: bool) -> str:
    """The answer as the persona says it; never empty. `is_first`: nothing was said in this conversation before."""
    spoken = sentences(text)
    if not persona.asks_questions:
        spoken = [sentence for sentence in spoken if not sentence.endswith("?")] or ["All right."]
    if limit := _sentence_limit(persona):
        spoken = spoken[:limit]
    if persona.language and is_first:
        spoken = _with_language_note(persona.language, spoken)
    if persona.address and spoken:
        spoken[0] = addressed(spoken[0], persona.address)
    bounded = _bounded(" ".join(spoken), persona)
    return tidy(
        " ".join(part for part in (_as_sentence(persona.beginning), bounded, _as_sentence(persona.ending)) if part)
    )


def _sentence_limit(persona: Persona) -> int | None:
    if persona.max_sentences is not None:
        return persona.max_sentences
    return _BRIEF_SENTENCES if persona.is_brief else None


def _with_language_note(language: str, spoken: list[str]) -> list[str]:
    """The sentences with a greeting in the language and a word about what to expect."""
    if language not in _KNOWN_LANGUAGES:
        return [f"I am asked to speak {language}, but I speak English only.", *spoken]
    note = f"I am asked to speak {language}, but I know only a few phrases of it and this voice speaks English."
    greets = bool(spoken) and spoken[0].startswith(_HELLO[language].rstrip("."))
    hello, rest = (spoken[0], spoken[1:]) if greets else (_HELLO[language], spoken)
    return [hello, note, *rest]


def addressed(sentence: str, address: str) -> str:
    """The sentence with the form of address before its stop: "It is noon, Captain."."""
    if address.lower() in sentence.lower():
        return sentence
    body = sentence.rstrip(".!?")
    return f"{body}, {address}{sentence[len(body) :] or '.'}"


def _bounded(text: str, persona: Persona) -> str:
    """The text within the persona's words: whole sentences if the first fits, else cut."""
    limit = persona.max_words
    if limit is None:
        return text
    limit = max(1, limit - len(persona.ending.split()) - len(persona.beginning.split()))
    if len(text.split()) <= limit:
        return text
    kept: list[str] = []
    for sentence in sentences(text):
        if len(" ".join([*kept, sentence]).split()) > limit:
            break
        kept.append(sentence)
    return " ".join(kept) or _cut(text.split()[:limit])


def _cut(words: list[str]) -> str:
    """The words without those at the end that lead to nothing: "I have no name" of "I have no name of"."""
    while len(words) > 1 and words[-1].lower() in STOP_WORDS:
        words = words[:-1]
    return " ".join(words).rstrip(",;:.?!") + "."


def _as_sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?" else f"{text}."
