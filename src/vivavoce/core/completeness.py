"""How complete an utterance sounds from its words alone: what `semantic_vad` knows before the silence is long.

Theory of operation. The last words decide nearly everything: nobody ends on "the" or "because". Rules look at the
utterance in order, from phrases known as a whole over the last one to three words to its clauses, and the first rule
that has an opinion gives the score. They are tables of English; of other languages only punctuation tells. Words that
a recogniser got wrong mislead the rules as they mislead a listener, hence scores close to 0 or 1 are rare.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

Words = Sequence[str]
Rule = Callable[[Words], float | None]

NEUTRAL: Final = 0.5
LOOKED_AT_CHARACTERS: Final = 200  # about 40 words: what was said before says nothing on the end, and costs time
WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*'?")
CLOSING: Final = ".!?。！？؟।"
CONTINUING: Final = ",;:-–—…、，"  # also "..."
WEIGHT_OF_CLOSING: Final = 0.6  # recognisers put a full stop after cut sentences, too
SCORE_OF_CONTINUING: Final = 0.15


def _table(rows: Mapping[float, str]) -> dict[tuple[str, ...], float]:
    """Phrases, separated by commas, with their score."""
    return {tuple(phrase.split()): score for score, phrases in rows.items() for phrase in phrases.split(",")}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Utterances as a whole, after openers such as "and" or "well" were taken off.
WHOLE: Final = _table(
    {
        0.97: "yes, no, yeah, yep, nope, sure, stop, okay, ok, right, exactly, correct, absolutely, definitely, maybe, "
        "never, nothing, hello, hi, hey, goodbye, bye, thanks, please, sorry, continue, cancel, repeat, help, next, "
        "of course, of course not, why not, not really, not yet, not at all, i do, i see, i know, go on, go ahead, "
        "come on, come in, carry on, never mind, that's it, that's all, that is all, i agree, me too, excuse me, "
        "i don't know, i do not know, i don't think so, i think so, i hope so, i guess so, so do i, neither do i, "
        "good morning, good night, good evening, all right, no way, no problem, no thanks, not now, what else, "
        "how are you, who are you, where are you, where am i, who am i, how come, you too, guess what, "
        "how much, which one",
        0.85: "really, why, what, who, where, when, how, again, later, possibly, "
        "probably, sometimes, always, not, hmm, mhm, i can, i will, i am, i did, i have, it is, it was, it does, "
        "they are, he is, she is, wait, hold on",
        0.12: "on the other hand, for example, for instance, first of all, in fact, the thing is, you know, i mean, "
        "let me see, let me think, let me, to be honest, to be fair, after that, at first, in my opinion, "
        "as far as i know, i think, i believe, i guess, i suppose, i would say, i'd say, i wonder, i was wondering, "
        "tell me, please tell me, show me, give me, remind me, can you tell me, do you know, i want, i need, "
        "can you please, could you please, would you please, will you please, i would please",
    }
)
# The last words, longest phrase first.
ENDINGS: Final = _table(
    {
        0.03: "and, or, but, because, if, unless, although, though, whereas, than, the, a, an, my, your, our, their, "
        "its, every, um, uh, er, erm, going to, want to, wants to, wanted to, have to, has to, had to, need to, "
        "needs to, used to, able to, like to, love to, got to, how to, trying to, supposed to, about to, such as, "
        "because of, instead of, as well as, as soon as, even if, so that, kind of, sort of, lot of, cup of, i'm, "
        "we're, they're, you're, i've, we've, you've, they've, i'll, we'll, you'll, he'll, she'll, it'll, they'll, "
        "i'd, we'd, you'd, he'd, she'd, they'd, it's, he's, she's, there's, where's, who's, what's, how's, let's, "
        "whose, either, both, a very, so many, other, nor, via, per",
        0.08: "i, we, to, of, from, with, at, into, onto, as, for, by, between, during, towards, "
        "without, against, among, beside, despite, until, while, whether, upon, under, since, is, are, was, were, am, "
        "be, been, will, would, could, should, can, may, might, must, shall, does, did, do, has, have, had, having, "
        "being, very, also, just, basically, especially, usually, actually, and then, and so, said that, says that, "
        "reason is that, think that, thinks that, thought that, know that, told me that, told us that, believe that, "
        "hope that, feel that, thing that, things that, fact that, sure that, one that, so, which, who",
        0.15: "in, on, about, like, that's, some, any, no, each, another, several, few, many, more and, really, "
        "quite, rather, pretty, not, never, don't, doesn't, didn't, won't, can't, couldn't, wouldn't, shouldn't, "
        "isn't, aren't, wasn't, weren't, haven't, hasn't, how many, what kind, tell me, show me, give me, give him, "
        "give her, remind me, let me, let us, a bit, a little, too, when, where, why, after, before, through, near, "
        "behind, around, across, over the, this is, that is, almost, only, maybe, perhaps, these, those, is that, "
        "get to, go to, talk to",
        0.3: "he, she, they, what, how, want, wants, need, needs, get, give, make, take, put, send, let, tell, show, "
        "find, said, told, wanted, needed, got, made, took, sent, found, bought, mean, means, called, think, wish, "
        "buy, bring, call, use, say, see that, say that, mr, mrs, doctor, the best, the same, the most, at least, "
        "you know",
        0.6: "this, that, it, you, him, her, them, more, much, off, out, up, down, over, along, together",
        0.92: "thank you, thanks, very much, so much, please, think so, hope so, guess so, say so, hope not, or not, "
        "rather not, too much, how much, as well, right now, at all, to me, to you, with me, with you, for me, "
        "for you, about it, about that, with it, to it, on it, of it, do it, tell you, see you, help you, help me, "
        "call me, tell me more, go on, come in, come on, me too, you too, either way, one more, any more, anymore, "
        "so far, once more, all over, is over, i do, do that, did that, mean that, like that, like this, like it, "
        "it too, of them, some more, no more, not yet, going on",
    }
)
LONGEST_PHRASE: Final = 4
OPENERS: Final = _words("and but so well okay ok um uh er erm ah oh hmm now then please look listen hey like yeah")
SUBORDINATORS: Final = _words("if when while although though unless once whenever until after before since as because")
AUXILIARIES: Final = _words(
    "is are was were am do does did has have had can could will would shall should may might must isn't aren't wasn't "
    "don't doesn't didn't can't couldn't won't wouldn't haven't hasn't"
)
FORMS_OF_BE: Final = _words("is are was were am isn't aren't wasn't weren't what's where's who's how's")
SUBJECTS: Final = _words(
    "i you he she it we they there somebody someone nobody everybody everyone that's it's i'm i'll i'd i've you're "
    "you'll you'd you've we're we'll we'd we've they're they'll they'd they've he's he'll she's she'll let's there's"
)
PERSONS: Final = _words("i you he she it we they there")
IMPERATIVES: Final = _words("call tell remind turn send please stop let play give open close put ask wake show start")
QUESTION_WORDS: Final = _words("what where who whom whose which why how when what's where's who's how's when's")
STRANDABLE: Final = _words(
    "to of from with at for by in on about like into under through near after over "
    "want wants need get make made take put send find buy bought mean say think use call tell see"
)
PARTICLE_VERBS: Final = _words("turn switch come go carry hold keep log sign move turned switched turning switching")
LONGEST_WITH_PARTICLE: Final = 7  # words
PARTICLES: Final = _words("on off in out up down over back away")
ANSWERS: Final = _words("yes no yeah nope sorry sure so neither because")
DETERMINERS: Final = _words("the a an my your his her our their this that every another")
ADJECTIVES: Final = _words(
    "first second third next last best worst same new old other main whole only big little small good great long "
    "short young nice most more very right wrong red blue green black white favourite favorite different"
)
SPOKEN_DIGITS: Final = _words("zero oh one two three four five six seven eight nine double triple")
COMMON: Final = (
    AUXILIARIES
    | SUBJECTS
    | QUESTION_WORDS
    | DETERMINERS
    | ANSWERS
    | OPENERS
    | STRANDABLE
    | SPOKEN_DIGITS
    | IMPERATIVES
    | PARTICLE_VERBS
    | PARTICLES
    | _words("and or me not to be that this some any at please thanks good hello stop if because then here there")
)


def completeness(text: str, language: str | None = None) -> float:
    """Return in [0, 1] how complete `text` sounds; 0.5 where its words do not tell, as for empty text.

    Args:
        text: an utterance as a recogniser writes it, with or without capitals and punctuation.
        language: ISO-639-1, None: English unless the words tell otherwise.
    """
    tail = text[-LOOKED_AT_CHARACTERS:].replace("’", "'").rstrip().lower()
    words = WORD.findall(tail)
    if not words:
        return NEUTRAL
    score = _of_words(words) if _is_english(words, language) else NEUTRAL
    if tail.endswith(("...", *CONTINUING)):
        return min(score, SCORE_OF_CONTINUING)
    if tail.endswith(tuple(CLOSING)):
        return score + (1 - score) * WEIGHT_OF_CLOSING
    return score


def _of_words(words: Words) -> float:
    start = next((place for place, word in enumerate(words) if word not in OPENERS), len(words) - 1)
    said = words[start:]
    for rule in RULES:
        score = rule(said)
        if score is not None:
            return score
    return 0.75 if len(said) <= 2 else 0.9


def _whole(words: Words) -> float | None:
    return WHOLE.get(tuple(words))


def _read_out(words: Words) -> float | None:
    """Digits or letters one by one: a telephone number, a name that is spelled. More may follow."""
    run = 0
    while run < len(words) and _is_read_out(words[-1 - run]):
        run += 1
    if run < 2:
        return None
    return 0.35 if run < 7 else 0.55


def _is_read_out(word: str) -> bool:
    return word in SPOKEN_DIGITS or len(word) == 1


def _short_answer(words: Words) -> float | None:
    """ "Yes I do", "no I haven't": pronoun and auxiliary after an answer; "what time it is", within a question."""
    if len(words) < 3 or words[-1] not in AUXILIARIES or words[-2] not in PERSONS:
        return None
    if words[0] in ANSWERS and len(words) <= 4:
        return 0.92
    if words[-1] not in FORMS_OF_BE:
        return None
    if any(word in QUESTION_WORDS for word in words[-4:-2]):
        return 0.85
    return 0.3 if len(words) > 4 else None  # the question word may have been misheard


def _open_question(words: Words) -> float | None:
    """Auxiliary and subject without a verb, as "could you"; complete with a question word and "be": "where are you"."""
    if len(words) < 2 or words[-1] not in PERSONS or words[-2] not in AUXILIARIES:
        return None
    if words[-2] not in FORMS_OF_BE:
        return 0.05
    return 0.85 if words[0] in QUESTION_WORDS else 0.3


def _stranded(words: Words) -> float | None:
    """A question with its preposition or verb at the end: "where are you from"; a particle: "turn the light on"."""
    if words[-1] in STRANDABLE and _is_question(words) and tuple(words[-2:]) not in ENDINGS:
        return 0.8
    if words[-1] in PARTICLES and 2 < len(words) <= LONGEST_WITH_PARTICLE and not PARTICLE_VERBS.isdisjoint(words[:4]):
        return 0.85
    return None


def _is_question(words: Words) -> bool:
    if words[0] not in QUESTION_WORDS or len(words) < 4:
        return False
    inverted = any(verb in AUXILIARIES and subject in PERSONS for verb, subject in pairwise(words))
    return inverted or "'" in words[0] or any(word in AUXILIARIES for word in words[1:4])


def _ending(words: Words) -> float | None:
    for length in range(min(LONGEST_PHRASE, len(words)), 0, -1):
        score = ENDINGS.get(tuple(words[-length:]))
        if score is not None:
            return score
    return None


def _open_noun_phrase(words: Words) -> float | None:
    """An article or the like with an adjective after it: "my old"."""
    is_open = len(words) >= 2 and words[-1] in ADJECTIVES and words[-2] in DETERMINERS
    return 0.25 if is_open else None


def _open_clause(words: Words) -> float | None:
    """ "If it rains tomorrow": a subordinate clause at the start that no main clause has followed."""
    if words[0] not in SUBORDINATORS or len(words) < 3 or words[1] in AUXILIARIES:
        return None
    if words[0] == "because":
        return 0.7
    subjects = sum(word in SUBJECTS for word in words[1:-1])
    verbs = sum(word in AUXILIARIES for word in words[2:])
    has_main = max(subjects, verbs) > 1 or not IMPERATIVES.isdisjoint(words[3:])
    return None if has_main else 0.15


RULES: Final[tuple[Rule, ...]] = (
    _whole,
    _read_out,
    _short_answer,
    _open_question,
    _stranded,
    _ending,
    _open_noun_phrase,
    _open_clause,
)


def _is_english(words: Words, language: str | None) -> bool:
    if language is not None:
        return language.lower().split("-")[0] == "en"
    if not all(word.isascii() for word in words):
        return False
    return len(words) < 4 or any(word in COMMON or (word,) in ENDINGS or len(word) == 1 for word in words)
