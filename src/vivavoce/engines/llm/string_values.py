"""Chooses the words of an utterance that are the value of a string parameter, by the parameter's name."""

from collections.abc import Sequence
from typing import Final

from vivavoce.engines.llm.schemas import Property
from vivavoce.engines.llm.utterance_pool import Pool, Segment

# (words in the parameter's name, prepositions before its value, in order of preference)
_CLASSES: Final = (
    ("origin from source departure", "from"),
    ("destination to target arrival", "to into for"),
    ("recipient contact person receiver callee whom attendee guest", "to with for named called"),
    ("city location place country town address where region area state room zone restaurant hotel shop store venue",
     "in at near for to from on about of"),
    ("artist band author singer", "by from"),
    ("song track album movie", "called named titled"),
    ("name title label", "called named titled for about"),
    ("query topic subject question keyword keywords q term search about", "about for on regarding of"),
    ("symbol ticker company product language currency category team", "of for in to into about from"),
)  # fmt: skip
_CUES: Final = {word: cues.split() for words, cues in reversed(_CLASSES) for word in words.split()}
_NAMED: Final = frozenset("city location place country town region recipient contact person attendee guest callee "
                          "origin destination name artist company state restaurant hotel venue".split())  # fmt: skip
_MESSAGES: Final = frozenset("message text body content note reason comment description summary".split())
_MESSAGE_CUES: Final = ("saying", "that", "says", "because", "message", "text", "note", "about")
_TOPICS: Final = frozenset("query topic subject question keyword keywords q term search".split())
_DEFAULT: Final = ("called", "named", "for", "about", "of", "with", "on", "in", "to", "at")


def string_value(parameter: Property, pool: Pool) -> str:
    """The value with its words handed out, or "" if nothing in the utterance fits."""
    if parameter.schema.get("format") in ("email", "uri", "url"):
        return _written_token(parameter, pool)
    segment = _message(parameter, pool) or _chosen(parameter, pool)
    if segment is None:
        return ""
    pool.take(segment.start, segment.end)
    return _cut(parameter, _capitalised(parameter, pool.written(segment.start, segment.end)))


def is_free_text(parameter: Property) -> bool:
    """Whether the value may be any text: a message or a topic."""
    return bool((_MESSAGES | _TOPICS) & set(parameter.words))


def list_value(parameter: Property, pool: Pool) -> list[str]:
    """The values of an array of strings: the words split at "and" and at commas in the text."""
    segment = _chosen(parameter, pool)
    if segment is None:
        return []
    pool.take(segment.start, segment.end)
    written = pool.written(segment.start, segment.end)
    if "," not in written and (listed := _listed(pool, segment)):
        written = listed
    parts = [part.strip() for chunk in written.split(",") for part in f" {chunk} ".split(" and ")]
    return [_capitalised(parameter, part) for part in parts if part]


def _listed(pool: Pool, segment: Segment) -> str:
    """The list with its commas as the user wrote it: from the first word of the segment to its last."""
    lowered = pool.text.lower()
    start = lowered.find(pool.words[segment.start])
    last = pool.words[segment.end - 1]
    end = lowered.rfind(last) + len(last)
    return pool.text[start:end] if 0 <= start < end and "," in pool.text[start:end] else ""


def _message(parameter: Property, pool: Pool) -> Segment | None:
    """A message runs to the end of the utterance, whatever stands in it."""
    if not _MESSAGES & set(parameter.words):
        return None
    for cue in _MESSAGE_CUES:
        segment = pool.after(cue)
        if segment is not None and pool.is_free(segment.start, segment.end):
            return segment
    return None


def _chosen(parameter: Property, pool: Pool) -> Segment | None:
    segments = pool.segments(with_dates=not _is_named(parameter))
    bare = [segment for segment in segments if not segment.preposition]
    cues = next((cues for word in parameter.words if (cues := _CUES.get(word) or _CUES.get(word.rstrip("s")))), None)
    if cues is None:
        return _first(bare, segments, _DEFAULT) or next(iter(segments), None)
    is_topic = bool(_TOPICS & set(parameter.words))
    found = _by_preposition(segments, cues)
    if is_topic and (bare or found):
        return _to_the_end(bare[0] if bare else found, pool)
    return found or (bare[0] if bare and (parameter.is_required or len(bare) == 1) else None)


def _first(bare: list[Segment], segments: list[Segment], cues: Sequence[str]) -> Segment | None:
    return bare[0] if bare else _by_preposition(segments, cues)


def _by_preposition(segments: list[Segment], cues: Sequence[str]) -> Segment | None:
    for cue in cues:
        for segment in segments:
            if segment.preposition == cue:
                return segment
    return None


def _to_the_end(segment: Segment | None, pool: Pool) -> Segment | None:
    """A topic takes its prepositions along: "restaurants near the river"."""
    if segment is None:
        return None
    end = segment.end
    while end < len(pool.words) and pool.is_free(end, end + 1) and pool.words[end] not in ("please", "now", "thanks"):
        end += 1
    return Segment(segment.preposition, segment.start, end)


def _written_token(parameter: Property, pool: Pool) -> str:
    """An address as typed; spoken ones cannot be told from other words."""
    mark = "@" if parameter.schema.get("format") == "email" else "://"
    return next((token.strip(".,;") for token in pool.text.split() if mark in token), "")


def _is_named(parameter: Property) -> bool:
    """Whether values are names of people or places, one or several."""
    return any(word in _NAMED or word.rstrip("s") in _NAMED for word in parameter.words)


def _capitalised(parameter: Property, text: str) -> str:
    if _is_named(parameter) and text == text.lower():
        return " ".join(word[:1].upper() + word[1:] for word in text.split())
    return text


def _cut(parameter: Property, text: str) -> str:
    """The text within the schema's lengths; "" if it is too short for them."""
    least, most = parameter.schema.get("minLength"), parameter.schema.get("maxLength")
    if isinstance(most, int) and not isinstance(most, bool) and most >= 0:
        text = text[:most]
    return "" if isinstance(least, int) and len(text) < least else text
