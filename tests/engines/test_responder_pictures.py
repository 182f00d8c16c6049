"""The embedded responder says that it sees no pictures, and answers the words beside them."""

from datetime import datetime

import pytest

from vivavoce.core.requests import (
    ContextImage,
    ContextItem,
    ContextMessage,
    ContextToolCall,
    ContextToolOutput,
    FunctionSpec,
    GenerationRequest,
)
from vivavoce.engines.llm.respond import Reply, respond

NOW = datetime(2026, 11, 21, 15, 20)
PICTURE = ContextImage("data:image/png;base64,AA==")
WEATHER = FunctionSpec(
    "get_weather", "Get the weather", {"properties": {"city": {"type": "string"}}, "required": ["city"]}
)


def reply(*items: ContextItem, instructions: str = "", tools: tuple[FunctionSpec, ...] = ()) -> Reply:
    return respond(GenerationRequest(instructions, items, tools), NOW)


def shown(text: str, count: int = 1) -> ContextMessage:
    return ContextMessage("user", text, images=(PICTURE,) * count)


@pytest.mark.parametrize("text", ["", "what is in this picture?", "Look at this!", "describe the photo and the image"])
def test_a_picture_alone_is_not_seen(text: str) -> None:
    assert reply(shown(text)).text == "I cannot see the picture. Please tell me about it in words."


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("what time is it", "It is three twenty in the afternoon."),
        ("look at this and tell me the time", "It is three twenty in the afternoon."),
        ("Here is a photo. What is twelve times seven?", "Twelve times seven is eighty four."),
    ],
)
def test_the_words_beside_it_are_answered(text: str, answer: str) -> None:
    assert reply(shown(text)).text == f"I cannot see the picture. {answer}"


def test_several_pictures_are_several() -> None:
    assert reply(shown("hello", 2)).text.startswith("I cannot see the pictures. Hello.")


def test_the_note_does_not_count_towards_a_limit_of_sentences() -> None:
    answer = reply(shown("what time is it"), instructions="Answer in one sentence.")

    assert answer.text == "I cannot see the picture. It is three twenty in the afternoon."


def test_only_the_newest_message_counts() -> None:
    items = (shown("hello"), ContextMessage("assistant", "I cannot see the picture. Hello."))

    assert reply(*items, ContextMessage("user", "what time is it")).text == "It is three twenty in the afternoon."
    assert "picture" not in reply(*items).text


def test_a_function_is_called_and_the_note_stands_before_its_result() -> None:
    asked = shown("what is the weather in paris")
    called = (ContextToolCall("c", "get_weather", "{}"), ContextToolOutput("c", "sunny"))

    assert [call.name for call in reply(asked, tools=(WEATHER,)).calls] == ["get_weather"]
    assert reply(asked, *called, tools=(WEATHER,)).text == "I cannot see the picture. Sunny."


def test_an_answer_that_was_cut_goes_on_where_it_was() -> None:
    full = reply(shown("tell me a story")).text
    heard = " ".join(full.split()[:8])
    items = (shown("tell me a story"), ContextMessage("assistant", heard, is_cut=True), ContextMessage("user", "go on"))

    assert reply(*items).text.lower() == " ".join(full.split()[8:]).lower()
