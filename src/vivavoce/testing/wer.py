"""How well recognised speech matches what was said: word error rate and recall of content words.

Both compare normalised words: lower case, no punctuation, apostrophes kept inside words.
"""

import re
from collections import Counter
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")

# English function words: they carry grammar rather than content, and recognisers confuse them most.
STOP_WORDS: Final = frozenset(
    """
    a an the this that these those some any each every no
    i me my mine you your yours he him his she her hers it its we us our ours they them their theirs
    who whom whose which what there here
    am is are was were be been being do does did done have has had having
    can could will would shall should may might must
    i'm i'll i've i'd you're you'll you've you'd he's she's it's we're we'll we've they're they'll they've
    that's there's what's who's let's isn't aren't wasn't weren't don't doesn't didn't haven't hasn't hadn't
    can't couldn't won't wouldn't shouldn't
    and or but nor so yet if then than because as while when where why how though
    of in on at to from by with without for about into onto over under up down out off through between
    not just very too also only even still again more most much many such own same both all
    oh uh um er ah well okay ok yes yeah
    """.split()
)


def words_of(text: str) -> list[str]:
    """Return the normalised words of a text, in order."""
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Return the edits (substituted, left out, added words) per reference word; above 1 where much was added.

    Raises:
        ValueError: the reference has no words.
    """
    expected, heard = words_of(reference), words_of(hypothesis)
    if not expected:
        raise ValueError("the reference has no words, so no error rate")
    distances = list(range(len(heard) + 1))  # of the empty prefix of the reference to each prefix of what was heard
    for row, word in enumerate(expected, start=1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(heard, start=1):
            best = min(distances[column] + 1, distances[column - 1] + 1, diagonal + (word != other))
            diagonal, distances[column] = distances[column], best
    return distances[-1] / len(expected)


def content_words(text: str) -> list[str]:
    """Return the words of a text that are no stop words; all words where nothing else remains."""
    words = words_of(text)
    return [word for word in words if word not in STOP_WORDS] or words


def content_word_recall(reference: str, hypothesis: str) -> float:
    """Return the share of the reference's content words that were heard, each as often as it was said, in [0, 1].

    Raises:
        ValueError: the reference has no words.
    """
    expected = Counter(content_words(reference))
    if not expected:
        raise ValueError("the reference has no words, so no recall")
    return (expected & Counter(words_of(hypothesis))).total() / expected.total()
