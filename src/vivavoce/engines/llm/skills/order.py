"""What the responder can talk about, one topic per module, each with `answer(turn) -> str | None`.

`SKILLS` is the order in which they are asked; the first that answers wins. To add a topic, write a module with
such a function and put it in its place here.
"""

from collections.abc import Callable
from typing import Final

from vivavoce.engines.llm.skills import (
    arithmetic,
    care,
    chance,
    clock,
    control,
    identity,
    introduce,
    language,
    limits,
    recall,
    recite,
    reflect,
    social,
    trivia,
    units,
    yesno,
)
from vivavoce.engines.llm.turn import Turn

Skill = Callable[[Turn], str | None]

SKILLS: Final[tuple[Skill, ...]] = (
    language.answer,
    recite.answer,  # before all that looks inside the words: "say what time is it" is to be said
    care.answer,
    control.answer,
    yesno.answer,
    recall.answer,
    units.answer,
    arithmetic.answer,
    clock.answer,
    chance.answer,
    trivia.answer,
    identity.answer,
    introduce.answer,
    limits.answer,
    social.answer,
    reflect.answer,
)
