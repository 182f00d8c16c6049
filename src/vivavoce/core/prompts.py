"""Stored prompts: texts with places for variables, which sessions and responses name by id."""

import re
from collections.abc import Mapping
from typing import Final

from vivavoce.protocol.errors import invalid_content, prompt_missing
from vivavoce.protocol.session import Prompt, PromptText

_PLACE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_-]+)\s*\}\}")


def resolve(prompts: Mapping[str, str], prompt: Prompt, param: str) -> str:
    """Return the text of a stored prompt with its variables filled in.

    Args:
        prompts: texts by `id` and `id@version`.
        param: where the prompt stands in the client's event.

    Raises:
        ClientError: `prompt_not_found`; `invalid_value` for a variable that the text does not name and for a place
            that no variable fills.
    """
    key = prompt.id if prompt.version is None else f"{prompt.id}@{prompt.version}"
    text = prompts.get(key)
    if text is None:
        raise prompt_missing(
            key, f"{param}.id" if prompt.version is None or prompt.id not in prompts else f"{param}.version"
        )
    values = {name: _text(value) for name, value in (prompt.variables or {}).items()}
    places = set(_PLACE.findall(text))
    for name in values:
        if name not in places:
            raise invalid_content(f"{param}.variables.{name}", f"the prompt '{key}' has no such variable")
    for name in sorted(places - values.keys()):
        raise invalid_content(f"{param}.variables", f"the prompt '{key}' needs the variable '{name}'")
    return _PLACE.sub(lambda place: values[place[1]], text)


def _text(value: str | PromptText) -> str:
    return value if isinstance(value, str) else value.text
