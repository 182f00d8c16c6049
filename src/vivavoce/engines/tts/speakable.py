"""Text as it is written into words as an English synthesizer can speak them, cut into clauses.

Each piece of the text between white space keeps its place: it is spoken as no, one or several words. So word times can
be given in the pieces of the text, one for each, whatever was left out or written in full. Left out are markup, emoji,
control characters and letters outside the Latin alphabet.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

MAX_WORD_CHARACTERS: Final = 40  # Flite works out unknown words letter by letter; no English word is longer
MAX_WORD_DIGITS: Final = 20
MAX_PIECE_CHARACTERS: Final = 120  # spoken; what a longer one has more is left out
DIGIT_CHARACTERS: Final = 5  # a digit may be spoken as a word of its own
SENTENCE_ENDS: Final = (".", "!", "?")
CLAUSE_ENDS: Final = (*SENTENCE_ENDS, ",", ";", ":")
ABBREVIATIONS: Final = frozenset(
    "mr. mrs. ms. dr. prof. st. vs. etc. e.g. i.e. no. fig. approx. inc. ltd. jr. sr. dept.".split()
)
SPELLED: Final = frozenset("AI API APIs UI URL URLs CPU CPUs GPU GPUs ID IDs USA EU IP OS AWS IDE IO".split())

# Characters as they are spoken, where their decomposition by Unicode (NFKD) would not do.
_SPOKEN: Final = str.maketrans(
    {
        "’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
        "—": ", ", "–": ", ", "−": "-", "‐": "-", "‑": "-", "…": ".", "•": " ", "·": " ", "→": ", ",
        "&": " and ", "+": " plus ", "=": " equals ", "@": " at ", "×": " times ", "÷": " divided by ",
        "≈": " about ", "≤": " at most ", "≥": " at least ", "±": " plus or minus ", "°": " degrees ",
        "€": " euros ", "£": " pounds ", "¥": " yen ", "§": " section ", "№": " number ",
        "½": " one half ", "¼": " one quarter ", "¾": " three quarters ", "µ": "micro",
        "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i",
        "©": " ", "®": " ", "™": " ",
    }
)  # fmt: skip

Rewrite = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

# Rewritten in this order before and after `_SPOKEN`.
_BEFORE: Final[tuple[Rewrite, ...]] = (
    (re.compile(r"\]\([^)]*\)|\]\[[^\]]*\]"), " "),  # the address in [text](address)
    (re.compile(r"(?i)\b(?:https?|ftp)://(?:www\.)?([^\s/?#]+)[^\s,;]*"), r" \1 "),  # an address is its host
    (re.compile(r"(?<=\d)[–—](?=\d)"), "-"),  # a range of numbers
    (re.compile(r"\$(\d[\d,.]*\d|\d)\s?[kK]\b"), r" \1 thousand dollars "),
    (re.compile(r"\$(\d[\d,.]*\d|\d)\s?(?:M|m|mn)\b"), r" \1 million dollars "),
    (re.compile(r"\$(\d[\d,.]*\d|\d)\s?(?:B|bn)\b"), r" \1 billion dollars "),
    (re.compile(r"([€£¥])(\d[\d,.]*\d|\d)"), r"\2\1"),
    (re.compile(r"(\d+)([/-])(\d+)\2(\d+)"), r" \1 \3 \4 "),  # a date
    (re.compile(r"#(?=\d)"), " number "),
)
_AFTER: Final[tuple[Rewrite, ...]] = (
    (re.compile("\N{FRACTION SLASH}"), "/"),
    (re.compile(r"[*`~#|<>\\^{}\[\]_]+"), " "),  # markup
    (re.compile(r"[^A-Za-z0-9 .,;:!?'\"()$%/-]"), " "),
    (re.compile(r"(?<=[A-Za-z])\.(?=[A-Za-z]{2})"), " dot "),  # example.com
    (re.compile(r"\d+(?:\.\d+){2,}"), lambda number: number[0].replace(".", " dot ")),  # 1.2.3
    (re.compile(r"--+|(?<![A-Za-z0-9])-(?![0-9.])|-(?![A-Za-z0-9.])"), " "),  # a dash that is no hyphen and no minus
    (re.compile(r"/+(?![A-Za-z0-9])|(?<![A-Za-z0-9])/+"), " "),
    (re.compile(r"([.,;:!?])[.,;:!?]+"), r"\1"),
    (re.compile(r"([^A-Za-z0-9 ])\1+"), r"\1"),
    (re.compile(r"(?<![\w.])%"), " percent "),
)
_SOUND: Final = re.compile(r"[A-Za-z0-9]")
_PAUSES: Final = frozenset(("-", "--", "---", "–", "—", "...", "…"))
_INITIALS: Final = re.compile(r"(?:[A-Za-z]\.)+")


class Piece(msgspec.Struct, frozen=True):
    """A piece of the text between white space and the words it is spoken as: printable ASCII, maybe none."""

    text: str
    spoken: tuple[str, ...]


Clause = tuple[Piece, ...]


def clauses(text: str, max_characters: int) -> Iterator[Clause]:
    """Yield the text clause by clause, each with a word to speak; nothing for a text without any.

    A clause is a sentence or a line, or a part of a longer one that is spoken as at most `max_characters` (one word may
    be longer). The pieces of all clauses are the pieces of the text, `text.split()`.
    """
    ready: list[Piece] = []  # a complete clause; it waits for pieces without a word that follow it
    for part in _parts(text, max_characters):
        if ready and _is_spoken(ready) and _is_spoken(part):
            yield tuple(ready)
            ready = []
        ready += part
    if _is_spoken(ready):
        yield tuple(ready)


def spoken_words(piece: str) -> tuple[str, ...]:
    """Return the words as which a piece of text without white space is spoken."""
    text = piece[: 10 * MAX_PIECE_CHARACTERS]  # markup and addresses come off it yet
    for pattern, replacement in _BEFORE:
        text = pattern.sub(replacement, text)
    text = unicodedata.normalize("NFKD", text.translate(_SPOKEN))
    text = "".join(character for character in text if not unicodedata.combining(character))
    for pattern, replacement in _AFTER:
        text = pattern.sub(replacement, text)
    return tuple(_shortened(word for found in _with_sound(text.split()) for word in _pronounceable(found)))


def ends_sentence(word: str) -> bool:
    """Whether a spoken word ends its sentence; abbreviations and initials do not."""
    bare = word.strip("\"'()")
    return bare.endswith(SENTENCE_ENDS) and bare.lower() not in ABBREVIATIONS and not _INITIALS.fullmatch(bare)


def _parts(text: str, max_characters: int) -> Iterator[list[Piece]]:
    """Yield lines, cut after sentences and where they are too long."""
    for line in text.splitlines():
        pending: list[Piece] = []
        for piece in _pieces(line):
            while pending and _length([*pending, piece]) > max_characters:
                cut = _best_cut(pending)
                yield pending[:cut]
                pending = pending[cut:]
            pending.append(piece)
            if piece.spoken and ends_sentence(piece.spoken[-1]):
                yield pending
                pending = []
        if pending:
            yield pending


def _pieces(line: str) -> list[Piece]:
    texts = line.split()
    pieces = []
    for n, text in enumerate(texts):
        spoken = spoken_words(text)
        if spoken and n + 1 < len(texts) and texts[n + 1] in _PAUSES and not spoken[-1].endswith(CLAUSE_ENDS):
            spoken = (*spoken[:-1], spoken[-1] + ",")
        pieces.append(Piece(text, spoken))
    return pieces


def _best_cut(pieces: list[Piece]) -> int:
    """Return after how many pieces to cut: at the last comma of the second half, else at the end."""
    for count in range(len(pieces), len(pieces) // 2, -1):
        spoken = pieces[count - 1].spoken
        if spoken and spoken[-1].endswith(CLAUSE_ENDS):
            return count
    return len(pieces)


def _length(pieces: list[Piece]) -> int:
    return sum(_spoken_characters(word) for piece in pieces for word in piece.spoken)


def _spoken_characters(word: str) -> int:
    return 1 + sum(DIGIT_CHARACTERS if character.isdigit() else 1 for character in word)


def _shortened(words: Iterable[str]) -> Iterator[str]:
    characters = 0
    for word in words:
        characters += _spoken_characters(word)
        if characters > MAX_PIECE_CHARACTERS:
            return
        yield word


def _is_spoken(pieces: list[Piece]) -> bool:
    return any(piece.spoken for piece in pieces)


def _with_sound(parts: list[str]) -> list[str]:
    """Append parts that are punctuation alone to the word before them."""
    words: list[str] = []
    for part in parts:
        if _SOUND.search(part):
            words.append(part)
        elif words and part[0] in CLAUSE_ENDS and not words[-1].endswith(CLAUSE_ENDS):
            words[-1] += part[0]
    return words


def _pronounceable(word: str) -> list[str]:
    """Spell what the lexicon would read as a word, and cut what is too long for one."""
    bare = word.strip("\"'().,;:!?")
    if bare in SPELLED:
        letters = list(bare.rstrip("s"))
        tail = "'s" if bare.endswith("s") else ""
        return [*letters[:-1], letters[-1] + tail + _punctuation(word)]
    digits = sum(character.isdigit() for character in word)
    size = MAX_WORD_DIGITS if digits > MAX_WORD_DIGITS else MAX_WORD_CHARACTERS
    parts = [word[start : start + size] for start in range(0, len(word), size)]
    return [part for part in parts if _SOUND.search(part)]


def _punctuation(word: str) -> str:
    return word[-1] if word.endswith(CLAUSE_ENDS) else ""
