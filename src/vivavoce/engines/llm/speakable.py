"""Makes text fit to be spoken: plain words, no symbols, numbers as words, Latin letters only."""

import re
import unicodedata
from typing import Final

from vivavoce.engines.llm.spoken_numbers import cardinal, in_words, ordinal

MAX_ANSWER_CHARS: Final = 1_500  # about a minute and a half of speech
_NAMED: Final = {
    "%": " percent ", "&": " and ", "@": " at ", "#": " number ", "+": " plus ", "=": " equals ", "°": " degrees ",
    "$": " dollars ", "€": " euros ", "£": " pounds ", "/": " ", "_": " ", "×": " times ", "÷": " divided by ",
    "ß": "ss", "æ": "ae", "ø": "o", "Ø": "O", "ł": "l",
}  # fmt: skip
_NAMES_TABLE: Final = str.maketrans(_NAMED)
_LINK: Final = re.compile(r"\b(?:https?://|www\.)\S+")
_TIME: Final = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?\b")
_ORDINAL: Final = re.compile(r"\b(\d{1,3})(?:st|nd|rd|th)\b")
_GROUPED: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_MINUS: Final = re.compile(r"(?<![\w.])-(?=\d)")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_UNSPEAKABLE: Final = re.compile(r"[^A-Za-z' ,.?!-]+")
_SPACE_BEFORE: Final = re.compile(r" +([,.?!])")
_SPACES: Final = re.compile(r"\s+")
_SENTENCE_START: Final = re.compile(r"(?:^|[.?!] )[a-z]")
_STOPS: Final = re.compile(r"[,.?!](?:\s*[,.?!])+")


def speakable(text: str) -> str:
    """The text in words that an English voice can say; may be empty.

    Letters lose their accents; other scripts, emoji and markup are dropped.
    """
    text = _LINK.sub(" a link ", text[: 2 * MAX_ANSWER_CHARS])
    text = _TIME.sub(lambda found: time_words(int(found[1]), int(found[2])), text)
    text = _ORDINAL.sub(lambda found: ordinal(int(found[1])), text)
    text = _MINUS.sub("minus ", _GROUPED.sub("", text))
    text = _NUMBER.sub(lambda found: f" {in_words(_ascii_digits(found[0]))} ", text)
    plain = unicodedata.normalize("NFKD", text.translate(_NAMES_TABLE))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return tidy(_UNSPEAKABLE.sub(" ", plain.replace("\u2019", "'").replace(";", ",").replace(":", ",")))


def tidy(text: str) -> str:
    """Single spaces, no space before a stop, no doubled stops, at most `MAX_ANSWER_CHARS` characters."""
    text = _SPACE_BEFORE.sub(r"\1", _SPACES.sub(" ", text)).strip(" ,")
    text = _STOPS.sub(lambda found: next(stop for stop in "?!.," if stop in found[0]), text)
    return shortened(_SENTENCE_START.sub(lambda found: found[0].upper(), text), MAX_ANSWER_CHARS)


def shortened(text: str, max_chars: int) -> str:
    """The text, cut after a word if it is too long."""
    if len(text) <= max_chars:
        return text
    return text[:max_chars].rpartition(" ")[0].rstrip(" ,.;:") + "."


def time_words(hour: int, minute: int) -> str:
    """A time on the twelve-hour clock: "three o'clock", "three oh five", "three twenty"."""
    spoken = cardinal((hour - 1) % 12 + 1)
    if minute == 0:
        return f"{spoken} o'clock"
    return f"{spoken} {'oh ' if minute < 10 else ''}{cardinal(minute)}"


def _ascii_digits(text: str) -> str:
    return "".join(letter if letter == "." else str(unicodedata.digit(letter)) for letter in text)
