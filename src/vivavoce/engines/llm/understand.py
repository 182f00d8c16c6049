"""Reads an utterance loosely: lower case, no punctuation, contractions and symbols as words.

Typed and recognised text come out alike, so that "What's 12×7?" and "what is twelve times seven" meet the same rules.
All work is linear in at most `MAX_CHARS` characters.
"""

import re
import unicodedata
from typing import Final

MAX_CHARS: Final = 2_000  # of an utterance; what was said last is what is answered

MAX_WORDS: Final = 160  # more than a minute of speech

_EXPANSIONS: Final = {
    "i'm": "i am", "im": "i am", "i've": "i have", "ive": "i have", "i'll": "i will", "i'd": "i would",
    "you're": "you are", "youre": "you are", "you've": "you have", "you'll": "you will", "you'd": "you would",
    "we're": "we are", "we've": "we have", "we'll": "we will", "they're": "they are", "they've": "they have",
    "it's": "it is", "that's": "that is", "thats": "that is", "what's": "what is", "whats": "what is",
    "who's": "who is", "whos": "who is", "where's": "where is", "wheres": "where is", "how's": "how is",
    "hows": "how is", "when's": "when is", "there's": "there is", "here's": "here is", "he's": "he is",
    "she's": "she is", "name's": "name is", "time's": "time is", "let's": "let us", "lets": "let us",
    "don't": "do not", "dont": "do not", "doesn't": "does not", "didn't": "did not", "can't": "cannot",
    "cant": "cannot", "won't": "will not", "isn't": "is not", "aren't": "are not", "wasn't": "was not",
    "weren't": "were not", "couldn't": "could not", "wouldn't": "would not", "shouldn't": "should not",
    "haven't": "have not", "hasn't": "has not", "ain't": "is not", "gonna": "going to", "wanna": "want to",
    "gimme": "give me", "favourite": "favorite", "colour": "color", "colours": "colors", "o'clock": "oclock",
    "metre": "meter", "metres": "meters", "kilometre": "kilometer", "kilometres": "kilometers", "litre": "liter",
    "litres": "liters", "centimetre": "centimeter", "centimetres": "centimeters", "summarise": "summarize",
    "ok": "okay", "goodbye": "goodbye", "bye-bye": "goodbye", "whaddya": "what do you",
}  # fmt: skip
_SYMBOLS: Final = {
    "+": "plus", "*": "times", "×": "times", "÷": "divided by", "/": "divided by", "^": "to the power of",
    "%": "percent", "&": "and", "√": "square root of", "°": "degrees", "€": "euros", "$": "dollars", "£": "pounds",
}  # fmt: skip
# A word with inner apostrophes or hyphens, a time of day, a number, or a symbol that has a name.
_TOKEN: Final = re.compile(
    r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d{1,2}:\d{2}|\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|[-+*×÷/^%&√°€$£]"
)


def tail(text: str) -> str:
    """The last `MAX_CHARS` characters, in composed form, with straight apostrophes."""
    composed = unicodedata.normalize("NFKC", text[-MAX_CHARS:])[-MAX_CHARS:]
    return composed.replace("\u2019", "'").replace("\u2018", "'").replace("\u2212", "-").replace("\u2013", "-")


def words_of(text: str) -> tuple[str, ...]:
    """The words in lower case: contractions expanded, hyphens split, symbols named, digits left as digits."""
    words: list[str] = []
    tokens = [found[0] for found in _TOKEN.finditer(tail(text).lower())]
    for place, token in enumerate(tokens):
        if token == "-":
            words += ["minus"] if _is_number_at(tokens, place + 1) else []
        elif token in _SYMBOLS:
            words += _SYMBOLS[token].split()
        elif token[0].isdigit():
            words.append(token.replace(",", ""))
        else:
            words += _plain_words(token)
    return tuple(words[-MAX_WORDS:])


def _is_number_at(tokens: list[str], place: int) -> bool:
    return place < len(tokens) and tokens[place][0].isdigit()


def _plain_words(token: str) -> list[str]:
    if token in _EXPANSIONS:
        return _EXPANSIONS[token].split()
    if "-" in token:
        return [word for part in token.split("-") for word in _plain_words(part)]
    return [token]


def line_of(words: tuple[str, ...]) -> str:
    """The words in one line with a space at both ends, so that a phrase is found by " phrase "."""
    return f" {' '.join(words)} "


def has_phrase(line: str, *phrases: str) -> bool:
    """Whether any of the phrases stands in the line as whole words."""
    return any(f" {phrase} " in line for phrase in phrases)


def words_after(line: str, *phrases: str) -> str | None:
    """What follows the first of the phrases that is found, None without one."""
    for phrase in phrases:
        _, found, after = line.partition(f" {phrase} ")
        if found:
            return after.strip()
    return None


STOP_WORDS: Final = frozenset(
    "a an and are am as at be been but by can could did do does for from had has have he her hers him his how i if in "
    "into is it its just me my mine no not of off on or our out please she should so some than that the their them "
    "then there these they this those to too up us was we were what when where which who whom whose why will with "
    "would you your yours about again all also any because before after get go got let much many more most now very "
    "really well yes okay oh hey um uh like know think say said tell".split()
)


def content_words(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words that carry the topic."""
    return tuple(word for word in words if word not in STOP_WORDS and len(word) > 1)


def stem(word: str) -> str:
    """A crude stem, enough to match plurals and verb forms: "cities" and "city", "playing" and "play"."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return (word[: -len(ending)] + instead).rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


_SWAPS: Final = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself",
    "your": "my", "yours": "mine", "yourself": "myself",
}  # fmt: skip
# After these, or at the start, "you" is the subject and becomes "I"; elsewhere it becomes "me".
_BEFORE_SUBJECT: Final = frozenset(
    "that if when because and but do did does can could would will should what how why where think know hope".split()
)


def swap_person(text: str) -> str:
    """The words as seen from the other side: "i love my dog" becomes "you love your dog"."""
    words = text.split()
    swapped: list[str] = []
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if word == "you":
            swapped.append("I" if not before or before in _BEFORE_SUBJECT or before in ("are", "were") else "me")
        elif word in ("am", "are", "was", "were"):
            swapped.append(_swapped_be(word, before, words[place + 1] if place + 1 < len(words) else ""))
        else:
            swapped.append(_SWAPS.get(word, word))
    return " ".join(swapped)


def _swapped_be(word: str, before: str, after: str) -> str:
    if "i" in (before, after):
        return {"am": "are", "was": "were"}.get(word, word)
    if before == "you" or (after == "you" and before != "i"):
        return {"are": "am", "were": "was"}.get(word, word)
    return word
