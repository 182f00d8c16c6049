"""Tells names from other words. The recogniser writes everything in lower case, so capitals are only a hint."""

from typing import Final

FIRST_NAMES: Final = frozenset(
    "aaron adam adrian ahmed aisha alan albert alex alexander alice alison amanda amy ana ada andrea andrew angela "
    "anita anna anne anthony arthur ben benjamin bernard bill bob brian bruce carl carla carlos carmen caroline "
    "catherine charles charlie charlotte chris christian christina christine christopher claire clara colin daniel "
    "dave david deborah dennis diana diego donald donna dorothy doug dylan edward elena elizabeth ellen emily emma "
    "eric erik ethan eva evelyn fatima felix fiona francis frank fred gary george georgia gloria grace greg hannah "
    "harry heather helen henry ian ibrahim ingrid irene isaac isabel ivan jack jacob james jan jane janet jason "
    "jean jeff jennifer jenny jerry jessica jim joan joe john jonathan jordan jose joseph joshua juan judith judy "
    "julia julian julie karen karl kate katherine keith kelly ken kevin kim larry laura lauren leah leo leon linda "
    "lisa liz louis lucas lucy luis luke maja margaret maria marie mark marta martha martin mary matthew maya megan "
    "michael michelle mike miriam mohammed monica nancy natalie nathan nicholas nick nicole nina nora olga oliver "
    "olivia oscar pablo pat patricia patrick paul pedro peter phil philip rachel ralph raymond rebecca richard rob "
    "robert roger ron rosa rose roy ruth ryan sally sam samantha samuel sandra sara sarah scott sean sharon simon "
    "sofia sonia sophia sophie stella stephanie stephen steve steven stuart sue susan sylvia tanya ted teresa theo "
    "thomas tim tina tobias tom tony valerie vera victor victoria vincent virginia walter wendy william yasmin yuki "
    "zoe".split()
)
# Words that end a name, or show that no name was given.
_NO_NAME: Final = frozenset(
    "a an and are as at be but by can do for from going good great have here how i if in into is it just like me my no "
    "none not now of okay on or our please secret so sorry still sure that the their there this to too today unknown "
    "very what when where which who why will with would yes you your difficult important long hard later tomorrow "
    "something someone anything everything again tell say hello hi thanks thank".split()
)
_MAX_NAME_WORDS: Final = 2


def name_at_start(words: tuple[str, ...], original: str = "") -> str:
    """The name with which the words begin, with capitals, or "".

    A second word belongs to it only if it ends the words or is written with a capital in `original`.
    """
    taken: list[str] = []
    for place, word in enumerate(words[:_MAX_NAME_WORDS]):
        is_word = word not in _NO_NAME and word[0].isalpha() and len(word) <= 30
        if not is_word or (place and len(words) > place + 1 and word.capitalize() not in original):
            break
        taken.append(capitalised(word, original))
    return " ".join(taken)


def capitalised(word: str, original: str = "") -> str:
    """The word as it is written in `original` if that has capitals, else with a capital first letter."""
    place = original.lower().find(word)
    written = original[place : place + len(word)] if place >= 0 else ""
    return written if written != written.lower() else word[:1].upper() + word[1:]


def capitalised_place(words: str, original: str = "") -> str:
    """The words of a place with capitals, except the small ones: "new york", "the south of france"."""
    small = (
        "the",
        "a",
        "of",
        "in",
        "near",
        "on",
        "by",
        "south",
        "north",
        "east",
        "west",
        "big",
        "small",
        "city",
        "town",
    )
    return " ".join(word if word in small else capitalised(word, original) for word in words.split())
