"""A few jokes, facts and short stories; each is told once before the first comes again."""

from typing import Final

from vivavoce.engines.llm.skills.yesno import ANOTHER_FACT, ANOTHER_JOKE
from vivavoce.engines.llm.turn import Turn

JOKES: Final = (
    "My microphone and I broke up. It said I never listened in stereo.",
    "I asked the clock for advice. It told me to take my time.",
    "A vowel and a consonant walk into a recorder. Only one of them comes out.",
    "I wanted to tell you a joke about silence, but there is nothing to say.",
    "Why did the loudspeaker go to school? It wanted to be a little brighter.",
    "My memory is so short that every goodbye is also a first date.",
)
FACTS: Final = (
    "Sound travels more than four times faster in water than in air.",
    "A day on Venus is longer than its year.",
    "Honey can stay good for many hundreds of years if it is sealed.",
    "An octopus has three hearts.",
    "Bananas are berries in the language of botany, and strawberries are not.",
    "Light from the sun needs about eight minutes to reach us.",
)
STORIES: Final = (
    "Once a lighthouse grew tired of blinking. It stopped for one night, and all the ships came to ask how it was.",
    "Once a key lost its door. It tried every lock in town, and in the end it opened a bakery.",
)
POEM: Final = (
    "The word goes out, the word comes back, a little late, a little slack, and in between the two of us, a pause."
)


def answer(turn: Turn) -> str | None:
    topic = _topic(turn)
    if topic == "joke":
        return f"{_next(turn, JOKES)} {ANOTHER_JOKE}"
    if topic == "fact":
        return f"{_next(turn, FACTS)} {ANOTHER_FACT}"
    if topic == "story":
        return _next(turn, STORIES)
    return POEM if topic == "poem" else None


def _topic(turn: Turn) -> str:
    if turn.has("joke", "jokes", "something funny", "make me laugh"):
        return "joke"
    if turn.has(
        "a fact", "fun fact", "facts", "something interesting", "random fact", "interesting fact", "teach me something"
    ):
        return "fact"
    if turn.has("story", "stories") and turn.has("tell", "hear", "another", "read"):
        return "story"
    if turn.has("poem", "poetry", "sing", "a song") and turn.has("tell", "say", "recite", "sing", "write", "make"):
        return "poem"
    if turn.is_only("another", "another one", "one more", "tell me another", "tell me another one", "next", "more"):
        return _last_topic(turn)
    return ""


def _last_topic(turn: Turn) -> str:
    last = turn.memory.last_answer.text if turn.memory.last_answer else ""
    for topic, told in (("joke", JOKES), ("fact", FACTS), ("story", STORIES)):
        if any(text in last for text in told):
            return topic
    return ""


def _next(turn: Turn, texts: tuple[str, ...]) -> str:
    """The first text after the one that was told last."""
    for item in reversed(turn.memory.answers[-200:]):
        for place, text in enumerate(texts):
            if text in item.text or (item.is_cut and len(item.text) > 12 and item.text.strip(" .") in text):
                return texts[(place + 1) % len(texts)]
    return texts[0]
