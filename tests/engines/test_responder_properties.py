"""Whatever is said, declared or returned: the responder answers, the same every time, in words that can be spoken."""

import asyncio
import re
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.core.requests import (
    ContextItem,
    ContextMessage,
    ContextToolCall,
    ContextToolOutput,
    FunctionSpec,
    GenerationRequest,
)
from vivavoce.engines.base import Finished, TextDelta, ToolCall
from vivavoce.engines.llm.embedded import EmbeddedResponder
from vivavoce.engines.llm.respond import Reply, respond
from vivavoce.engines.llm.understand import MAX_WORDS, words_of

NOW = datetime(2026, 11, 21, 15, 20)
SPEAKABLE = re.compile(r"[A-Za-z' ,.?!-]+")
# Words that lead into the rules, so that drawn text does not end in the last resort every time.
CUES = (
    "what is my name call me i am live like how many time day date plus minus times divided by percent of square root "
    "to the power one two twenty hundred thousand point half count from spell say exactly repeat that after me joke "
    "fact yes no stop never mind go on feet mile celsius in convert you said first remember and weather paris timer "
    "minutes tomorrow at seven pm next friday 7 12.5 3:45 % + - / minus minutes a the not do not what about"
).split()
utterances = st.text(max_size=120) | st.lists(st.sampled_from(CUES), max_size=14).map(" ".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
kinds = st.sampled_from(["string", "number", "integer", "boolean", "array", "object", "null", "odd", 7, None])
names = st.sampled_from(["city", "on", "text", "minutes", "date", "time", "items", "to", "", "query", "x" * 300, "ß"])


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """A JSON Schema, more or less."""
    schema = draw(
        st.fixed_dictionaries(
            {"type": kinds | st.lists(kinds, max_size=3)},
            optional={
                "enum": json_values,
                "const": json_values,
                "default": json_values,
                "minimum": json_values,
                "maximum": json_values,
                "minLength": json_values,
                "maxLength": json_values,
                "format": json_values | st.sampled_from(["date", "time", "date-time", "email"]),
                "description": json_values,
                "anyOf": json_values,
                "$ref": st.sampled_from(["#", "#/properties/city", "#/nowhere", "x", "#/properties/x/items"]),
            },
        )
    )
    return schema


@st.composite
def tools(draw: st.DrawFn) -> FunctionSpec:
    """A function whose schema may be anything."""
    properties = draw(st.dictionaries(names, schemas() | json_values, max_size=4) | json_values)
    nested = {"type": "object", "properties": {"inner": draw(schemas())}, "required": ["inner"]}
    array = {"type": "array", "items": draw(schemas())}
    if isinstance(properties, dict) and draw(st.booleans()):
        properties = {**properties, "nested": nested, "list": array}
    name = draw(st.sampled_from(["get_weather", "set_timer", "yes", "delete_all", "x", "_", "tell_joke", "ß"]))
    parameters = {"type": "object", "properties": properties, "required": draw(st.lists(names) | json_values)}
    return FunctionSpec(name, draw(st.sampled_from(["", "the weather in a city", "yes no"])), parameters)


def is_speakable(text: str) -> bool:
    return bool(SPEAKABLE.fullmatch(text)) and any(letter.isalpha() for letter in text)


def check(reply: Reply) -> None:
    """An answer that can be spoken, or calls with valid JSON; never both and never neither."""
    assert bool(reply.text) != bool(reply.calls)
    assert not reply.text or is_speakable(reply.text)
    for call in reply.calls:
        assert isinstance(msgspec.json.decode(call.arguments), dict)


@given(
    st.lists(utterances, min_size=1, max_size=4), st.text(max_size=80) | st.sampled_from(["Be brief.", "Use 3 words."])
)
def test_any_conversation_is_answered_in_speakable_words(said: list[str], instructions: str) -> None:
    items: list[ContextItem] = []
    for text in said:
        items.append(ContextMessage("user", text))
        request = GenerationRequest(instructions, tuple(items), elapsed_s=3.5)
        reply = respond(request, NOW)
        check(reply)
        assert respond(request, NOW) == reply
        items.append(ContextMessage("assistant", reply.text[: len(text) + 1], is_cut=len(text) % 2 == 0))


@given(
    utterances,
    st.lists(tools(), min_size=1, max_size=3),
    st.sampled_from(["auto", "none", "required", "function:get_weather", "function:"]),
)
def test_any_functions_are_called_with_valid_arguments(said: str, specs: list[FunctionSpec], choice: str) -> None:
    items: tuple[ContextItem, ...] = (ContextMessage("user", said),)
    request = GenerationRequest("", items, tuple(specs), choice)

    reply = respond(request, NOW)

    check(reply)
    assert respond(request, NOW) == reply
    assert {call.name for call in reply.calls} <= {tool.name for tool in specs}
    assert choice != "none" or not reply.calls
    assert choice != "required" or reply.calls
    if reply.text:
        after = (*items, ContextMessage("assistant", reply.text), ContextMessage("user", said))
        check(respond(GenerationRequest("", after, tuple(specs), choice), NOW))


@given(json_values | st.text(max_size=60))
def test_any_output_of_a_function_is_spoken(value: object) -> None:
    output = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    items = (
        ContextMessage("user", "go"),
        ContextToolCall("c", "get_weather", "{}"),
        ContextToolOutput("c", output),
    )

    check(respond(GenerationRequest("", items), NOW))


@pytest.mark.parametrize(
    "pattern",
    [
        "one ",
        "and ",
        "((((",
        "2+",
        "square root of ",
        "say ",
        "my name is ",
        "in ",
        "a" * 50,
        "'-",
        "1:2",
        "٣",
        "😀",
        "\n",
    ],
)
def test_a_megabyte_of_speech_is_cut_to_its_end(pattern: str) -> None:
    text = pattern * (1024 * 1024 // len(pattern))
    tool = FunctionSpec("get_weather", "", {"properties": {"city": {"type": "string"}}, "required": ["city"]})

    assert len(words_of(text)) <= MAX_WORDS
    check(respond(GenerationRequest(text, (ContextMessage("user", text),), (tool,)), NOW))


def test_schemas_that_refer_to_themselves_end() -> None:
    loop = {"$ref": "#/properties/city"}
    tool = FunctionSpec(
        "get_weather", "", {"properties": {"city": loop, "deep": {"type": "object"}}, "required": ["city"]}
    )
    inner: dict[str, Any] = {"type": "object"}
    inner["properties"] = {"again": inner}
    endless = FunctionSpec("set_timer", "", {"properties": {"a": inner}, "required": ["a"]})
    items = (ContextMessage("user", "get the weather and set the timer"),)

    check(respond(GenerationRequest("", items, (tool, endless), "function:set_timer"), NOW))
    check(respond(GenerationRequest("", items, (tool, endless)), NOW))


# The engine ---------------------------------------------------------------------------------------------------


def generate(request: GenerationRequest) -> list[TextDelta | ToolCall | Finished]:
    async def collect() -> list[TextDelta | ToolCall | Finished]:
        engine = EmbeddedResponder(clock=lambda: NOW)
        await engine.start()
        return [event async for event in engine.generate(request)]

    return asyncio.run(collect())


def test_an_answer_is_streamed_clause_by_clause_and_finished() -> None:
    events = generate(GenerationRequest("abcd", (ContextMessage("user", "tell me a joke"),)))

    texts = [event.text for event in events[:-1] if isinstance(event, TextDelta)]
    assert texts[:2] == ["My microphone and I broke up. ", "It said I never listened in stereo. "]
    assert events[-1] == Finished(input_tokens=1 + 4, output_tokens=-(-len("".join(texts)) // 4))


def test_calls_are_streamed_and_finished() -> None:
    tool = FunctionSpec("get_weather", "", {"properties": {"city": {"type": "string"}}})

    events = generate(GenerationRequest("", (ContextMessage("user", "weather in paris"),), (tool,)))

    assert events[0] == ToolCall("get_weather", '{"city":"Paris"}')
    assert isinstance(events[-1], Finished) and len(events) == 2


def test_the_capabilities_say_that_it_is_no_model() -> None:
    assert "not an AI model" in EmbeddedResponder(clock=lambda: NOW).capabilities.note
