"""Stored prompts are filled in, or the mistake is named."""

import pytest

from vivavoce.core.prompts import resolve
from vivavoce.protocol.admission import MAX_INSTRUCTIONS_BYTES
from vivavoce.protocol.errors import ClientError, ErrorDetail
from vivavoce.protocol.session import Prompt, PromptText

PROMPTS = {
    "greeter": "Greet {{name}} in {{ city }}. Be kind to {{name}}.",
    "greeter@2": "Say hello.",
    "dated@1": "Only a version.",
    "braces": "Answer as {json}, {{not a place}} and {{}}.",
}


def mistake(prompt: Prompt) -> ErrorDetail:
    with pytest.raises(ClientError) as refused:
        resolve(PROMPTS, prompt, "session.prompt")
    return refused.value.detail


def test_every_place_of_a_variable_is_filled() -> None:
    prompt = Prompt(id="greeter", variables={"name": "Ada", "city": PromptText(text="Paris")})

    assert resolve(PROMPTS, prompt, "session.prompt") == "Greet Ada in Paris. Be kind to Ada."


def test_a_version_has_its_own_text() -> None:
    assert resolve(PROMPTS, Prompt(id="greeter", version="2"), "p") == "Say hello."


def test_a_value_is_no_template() -> None:
    prompt = Prompt(id="greeter", variables={"name": "{{city}} \\1", "city": "{{name}}"})

    assert resolve(PROMPTS, prompt, "p") == "Greet {{city}} \\1 in {{name}}. Be kind to {{city}} \\1."


def test_braces_that_name_no_variable_stay() -> None:
    assert resolve(PROMPTS, Prompt(id="braces"), "p") == PROMPTS["braces"]


@pytest.mark.parametrize(
    ("prompt", "param", "named"),
    [
        (Prompt(id="nobody"), "session.prompt.id", "'nobody'"),
        (Prompt(id="nobody", version="1"), "session.prompt.id", "'nobody'"),
        (Prompt(id="greeter", version="9"), "session.prompt.version", "'greeter@9'"),
        (Prompt(id="dated"), "session.prompt.id", "'dated'"),
        (Prompt(id="dated", version="2"), "session.prompt.version", "'dated@2'"),
        (Prompt(id="greeter@2"), "session.prompt.id", "'greeter@2'"),
    ],
)
def test_a_prompt_that_is_not_stored_is_not_found(prompt: Prompt, param: str, named: str) -> None:
    detail = mistake(prompt)

    assert (detail.code, detail.param) == ("prompt_not_found", param)
    assert named in detail.message


def test_a_variable_that_the_text_does_not_name_is_refused() -> None:
    detail = mistake(Prompt(id="greeter", variables={"name": "a", "city": "b", "age": "c"}))

    assert (detail.code, detail.param) == ("invalid_value", "session.prompt.variables.age")


@pytest.mark.parametrize("variables", [None, {}, {"name": "a"}])
def test_a_place_without_a_value_is_refused(variables: dict[str, str | PromptText] | None) -> None:
    detail = mistake(Prompt(id="greeter", variables=variables))

    assert (detail.code, detail.param) == ("invalid_value", "session.prompt.variables")
    assert ("'city'" if variables else "'name'") in detail.message


def test_a_text_may_not_grow_beyond_the_length_of_instructions() -> None:
    long = "ä" * (MAX_INSTRUCTIONS_BYTES // 4)  # two bytes each, in two places

    detail = mistake(Prompt(id="greeter", variables={"name": long, "city": ""}))

    assert (detail.code, detail.param) == ("invalid_value", "session.prompt.variables")
    assert str(MAX_INSTRUCTIONS_BYTES) in detail.message
