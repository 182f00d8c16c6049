"""Stored prompts: texts with places for variables, which sessions and responses name by id."""

import re
from collections.abc import Mapping
from typing import Final

from vivavoce.protocol.admission import MAX_INSTRUCTIONS_BYTES
from vivavoce.protocol.errors import ClientError, invalid_content, prompt_missing, quoted
from vivavoce.protocol.session import Prompt, PromptText

PLACE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_-]+)\s*\}\}")


def resolve(prompts: Mapping[str, str], prompt: Prompt, param: str) -> str:
    """Return the text of a stored prompt with its variables filled in.

    Args:
        prompts: texts by `id` and `id@version`.
        param: where the prompt stands in the client's event.

    Raises:
        ClientError: `prompt_not_found`; `invalid_value` for a variable that the text does not name, for a place
            that no variable fills, and for a text that gets longer than instructions may be.
    """
    key = prompt.id if prompt.version is None else f"{prompt.id}@{prompt.version}"
    text = None if "@" in prompt.id else prompts.get(key)
    if text is None:
        raise _missing(prompts, prompt, param)
    values = {name: _text(value) for name, value in (prompt.variables or {}).items()}
    _check_variables(PLACE.findall(text), values, key, f"{param}.variables")
    _check_size(text, values, f"{param}.variables")
    return PLACE.sub(lambda place: values[place[1]], text)


def _missing(prompts: Mapping[str, str], prompt: Prompt, param: str) -> ClientError:
    """Return the error that names the version if there are others, else the id."""
    is_known = prompt.id in prompts or any(key.startswith(f"{prompt.id}@") for key in prompts)
    if is_known and prompt.version is not None:
        return prompt_missing(f"{prompt.id}@{prompt.version}", f"{param}.version")
    return prompt_missing(prompt.id, f"{param}.id")


def _check_variables(places: list[str], values: Mapping[str, str], key: str, path: str) -> None:
    for name in values:
        if name not in places:
            raise invalid_content(f"{path}.{quoted(name)}", f"the prompt '{key}' has no such variable")
    for name in places:
        if name not in values:
            raise invalid_content(path, f"the prompt '{key}' needs the variable '{name}'")


def _check_size(text: str, values: Mapping[str, str], path: str) -> None:
    sizes = {name: len(value.encode()) for name, value in values.items()}
    size = len(text.encode()) + sum(sizes[name] for name in PLACE.findall(text))
    if size > MAX_INSTRUCTIONS_BYTES:
        raise invalid_content(path, f"expected a prompt of at most {MAX_INSTRUCTIONS_BYTES} bytes, but got {size}")


def _text(value: str | PromptText) -> str:
    return value if isinstance(value, str) else value.text
