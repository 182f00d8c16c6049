"""The heard-text ledger of one spoken item: which words lie where in its audio, and what a listener heard of them."""

from itertools import pairwise

import msgspec

from vivavoce.core.limits import SAMPLES_PER_CHARACTER, SAMPLES_PER_MS
from vivavoce.core.requests import Word


class SpokenSegment(msgspec.Struct):
    """A piece of text and the audio it became; positions are samples (24 kHz) within the item's audio."""

    text: str
    start_sample: int
    end_sample: int
    words: list[Word]
    is_complete: bool = True  # False while more audio of the text may come


def heard_text(segments: list[SpokenSegment], heard_samples: int) -> str:
    """Return the words whose middle was heard, as a prefix of the segments' text.

    A segment whose speech was never finished counts with the words that were made.
    """
    heard: list[str] = []
    for segment in segments:
        if segment.is_complete and heard_samples >= segment.end_sample:
            heard.append(segment.text)
            continue
        if heard_samples > segment.start_sample:
            heard.append(_heard_prefix(segment, heard_samples - segment.start_sample))
        break
    return "".join(heard).rstrip()


def _heard_prefix(segment: SpokenSegment, heard_samples: int) -> str:
    tokens = segment.text.split()
    middles = _word_middles(segment, len(tokens))
    count = sum(1 for middle in middles if middle <= heard_samples)
    return " ".join(tokens[:count])


def _word_middles(segment: SpokenSegment, token_count: int) -> list[float]:
    """Return where each token of the text is half spoken; without matching word times they are spread by length."""
    if len(segment.words) == token_count or (segment.words and not segment.is_complete):
        return [(word.start_ms + word.end_ms) / 2 * SAMPLES_PER_MS for word in segment.words]
    total = segment.end_sample - segment.start_sample
    ends = [0.0]
    characters = max(1, sum(len(token) for token in segment.text.split()))
    if not segment.is_complete:
        total = max(total, characters * SAMPLES_PER_CHARACTER)
    for token in segment.text.split():
        ends.append(ends[-1] + total * len(token) / characters)
    return [(start + end) / 2 for start, end in pairwise(ends)]
