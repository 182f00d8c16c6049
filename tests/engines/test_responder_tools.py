"""The embedded responder calls the functions that were asked for, asks for what is missing, and speaks results."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from vivavoce.core.requests import (
    ContextItem,
    ContextMessage,
    ContextToolCall,
    ContextToolOutput,
    FunctionSpec,
    GenerationRequest,
)
from vivavoce.engines.llm.respond import Reply, respond

NOW = datetime(2026, 11, 21, 15, 20)
STRING, INTEGER, NUMBER, BOOLEAN = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}


def function(name: str, description: str, required: str = "", /, **properties: dict[str, Any]) -> FunctionSpec:
    schema = {"type": "object", "properties": properties, "required": required.split()}
    return FunctionSpec(name, description, schema)


WEATHER = function(
    "get_weather",
    "Get the current weather for a city",
    "city",
    city=STRING,
    unit={"enum": ["celsius", "fahrenheit"]},
    days={"type": "integer", "minimum": 1, "maximum": 7},
)
TIMER = function("set_timer", "Set a timer", "minutes", minutes=INTEGER, label=STRING)
MESSAGE = function("send_message", "Send a text message to a contact", "recipient text", recipient=STRING, text=STRING)
LIGHT = function(
    "control_light",
    "Turn a light on or off",
    "room on",
    room=STRING,
    on=BOOLEAN,
    color={"enum": ["red", "blue", "warm white"]},
)
MUSIC = function("play_music", "Play a song", "song", song=STRING, artist=STRING)
FLIGHTS = function(
    "searchFlights",
    "Search for flights between two cities",
    "origin destination date",
    origin=STRING,
    destination=STRING,
    date={"type": "string", "format": "date"},
    passengers=INTEGER,
)
SHOPPING = function("add_to_shopping_list", "Add items to the list", "items", items={"type": "array", "items": STRING})
SEARCH = function("search_web", "Search the web", "query", query=STRING)
DICE = function("roll_dice", "Roll dice", sides={"type": "integer", "default": 6})
TABLE = function(
    "book_table",
    "Book a table in a restaurant",
    "restaurant time guests",
    restaurant=STRING,
    time=STRING,
    guests=INTEGER,
)
DELETE = function("delete_file", "Delete a file", "name", name=STRING)
THERMOSTAT = function("set_temperature", "Set the thermostat", "value", value={"type": "number", "maximum": 30})
NESTED = function(
    "schedule_meeting",
    "Schedule a meeting",
    "slot",
    slot={
        "type": "object",
        "properties": {"start": {"type": "string", "format": "date-time"}, "minutes": INTEGER},
        "required": ["start"],
    },
    attendees={"type": "array", "items": STRING},
)
EVERY = (WEATHER, TIMER, MESSAGE, LIGHT, MUSIC, FLIGHTS, SHOPPING, SEARCH, DICE, TABLE, DELETE, THERMOSTAT, NESTED)

Calls = list[tuple[str, dict[str, Any]]]


def reply(*items: ContextItem, tools: tuple[FunctionSpec, ...] = EVERY, choice: str = "auto") -> Reply:
    return respond(GenerationRequest("", items, tools, choice), NOW)


def user(text: str) -> ContextMessage:
    return ContextMessage("user", text)


def calls_of(answer: Reply) -> Calls:
    return [(call.name, msgspec.json.decode(call.arguments)) for call in answer.calls]


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        ("what is the weather in paris", "get_weather", {"city": "Paris"}),
        ("weather paris", "get_weather", {"city": "Paris"}),
        ("will it rain in london", "get_weather", {"city": "London"}),
        ("what's the forecast for New York tomorrow", "get_weather", {"city": "New York"}),
        ("weather in rome in fahrenheit", "get_weather", {"city": "Rome", "unit": "fahrenheit"}),
        ("weather in rome for three days", "get_weather", {"city": "Rome", "days": 3}),
        ("weather in rome for thirty days", "get_weather", {"city": "Rome"}),
        ("set a timer for ten minutes", "set_timer", {"minutes": 10}),
        ("timer for an hour and a half", "set_timer", {"minutes": 90}),
        ("set a timer for five minutes called pasta", "set_timer", {"minutes": 5, "label": "pasta"}),
        ("send a message to bob saying i will be late", "send_message", {"recipient": "Bob", "text": "i will be late"}),
        ("send a text to Anna that dinner is ready", "send_message", {"recipient": "Anna", "text": "dinner is ready"}),
        ("turn on the light in the kitchen", "control_light", {"room": "kitchen", "on": True}),
        ("turn the kitchen light off", "control_light", {"room": "kitchen", "on": False}),
        (
            "turn on the bedroom lights in warm white",
            "control_light",
            {"room": "bedroom", "on": True, "color": "warm white"},
        ),
        ("play hey jude by the beatles", "play_music", {"song": "hey jude", "artist": "Beatles"}),
        (
            "find flights from berlin to rome tomorrow for two passengers",
            "searchFlights",
            {"origin": "Berlin", "destination": "Rome", "date": "2026-11-22", "passengers": 2},
        ),
        ("add milk, eggs and bread to my shopping list", "add_to_shopping_list", {"items": ["milk", "eggs", "bread"]}),
        ("add milk and eggs to the shopping list", "add_to_shopping_list", {"items": ["milk", "eggs"]}),
        ("search the web for restaurants near the river", "search_web", {"query": "restaurants near the river"}),
        ("roll the dice", "roll_dice", {"sides": 6}),
        ("roll a dice with twenty sides", "roll_dice", {"sides": 20}),
        (
            "book a table at luigi's at 7:30 pm for four people",
            "book_table",
            {"restaurant": "Luigi's", "time": "19:30", "guests": 4},
        ),
        ("delete the file called notes", "delete_file", {"name": "Notes"}),
        ("set the temperature to twenty one point five", "set_temperature", {"value": 21.5}),
        (
            "schedule a meeting with bob and anna tomorrow at nine am",
            "schedule_meeting",
            {"slot": {"start": "2026-11-22T09:00:00"}, "attendees": ["Bob", "Anna"]},
        ),
        (
            "schedule a meeting tomorrow at nine am",
            "schedule_meeting",
            {"slot": {"start": "2026-11-22T09:00:00"}},
        ),
    ],
)
def test_an_utterance_calls_the_function_it_asks_for(said: str, name: str, arguments: dict[str, Any]) -> None:
    assert calls_of(reply(user(said))) == [(name, arguments)]


@pytest.mark.parametrize(
    "said",
    [
        "hello",
        "my name is bob",
        "tell me a joke",
        "what is twelve times seven",
        "do not send a message to bob",
        "never delete the file called notes",
        "i have a file",
        "what is your name",
        "thank you",
    ],
)
def test_an_utterance_that_asks_for_no_function_calls_none(said: str) -> None:
    assert reply(user(said)).calls == ()


def test_two_functions_are_called_where_two_are_asked_for() -> None:
    answer = reply(user("what is the weather in paris and set a timer for five minutes"))

    assert calls_of(answer) == [("get_weather", {"city": "Paris"}), ("set_timer", {"minutes": 5})]


TIME = function("get_current_time", "Returns the current time")
ZONE = function("get_time", "Get the local time for a timezone", "timezone", timezone=STRING)
ROUTE = function("search_flights", "Search for flights", "origin destination", origin=STRING, destination=STRING)


@pytest.mark.parametrize(
    ("said", "calls"),
    [
        (
            "what time is it and what is the weather in paris",
            [("get_current_time", {}), ("get_weather", {"city": "Paris"})],
        ),
        (
            "What's the weather in Rome? And what time is it?",
            [("get_weather", {"city": "Rome"}), ("get_current_time", {})],
        ),
        (
            "tell me both the time and the weather in rome",
            [("get_current_time", {}), ("get_weather", {"city": "Rome"})],
        ),
        (
            "check the weather in paris as well as the time",
            [("get_weather", {"city": "Paris"}), ("get_current_time", {})],
        ),
        ("weather in Paris, time please", [("get_weather", {"city": "Paris"}), ("get_current_time", {})]),
        (
            "weather in paris and set a timer for five minutes and tell me the time",
            [("get_weather", {"city": "Paris"}), ("set_timer", {"minutes": 5}), ("get_current_time", {})],
        ),
    ],
)
def test_one_answer_calls_all_functions_that_were_asked_for(said: str, calls: Calls) -> None:
    assert calls_of(reply(user(said), tools=(*EVERY, TIME))) == calls


@pytest.mark.parametrize(
    ("said", "calls"),
    [
        ("weather in paris and in rome", [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]),
        ("weather in paris and london", [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "London"})]),
        (
            "find flights from berlin to rome and to paris",
            [
                ("search_flights", {"origin": "Berlin", "destination": "Rome"}),
                ("search_flights", {"origin": "Berlin", "destination": "Paris"}),
            ],
        ),
        (
            "set a timer for five minutes and set a timer for ten minutes",
            [("set_timer", {"minutes": 5}), ("set_timer", {"minutes": 10})],
        ),
    ],
)
def test_a_function_is_called_again_for_something_else(said: str, calls: Calls) -> None:
    assert calls_of(reply(user(said), tools=(WEATHER, TIMER, ROUTE))) == calls


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("play guns and roses", "play_music"),
        ("weather in Paris, France", "get_weather"),
        ("delete the file called notes and for good", "delete_file"),
        ("send a message to bob saying come in and have tea in rome", "send_message"),
        ("book a table at luigi's at 7:30 pm for four people and at the window", "book_table"),
        ("add milk and eggs to the shopping list", "add_to_shopping_list"),
        ("weather in paris and tell me a joke", "get_weather"),
    ],
)
def test_words_after_and_that_ask_for_nothing_else_make_no_second_call(said: str, name: str) -> None:
    assert [called for called, _ in calls_of(reply(user(said)))] == [name]


def test_what_is_complete_is_called_and_the_rest_asked_for_with_the_result() -> None:
    asked = user("what time is it and what is the weather in paris")
    items: list[ContextItem] = [asked]

    first = reply(*items, tools=(WEATHER, ZONE))
    items += [ContextToolCall("c", "get_weather", '{"city":"Paris"}'), ContextToolOutput("c", "sunny")]
    second = reply(*items, tools=(WEATHER, ZONE))
    items += [ContextMessage("assistant", second.text), user("Rome")]
    third = reply(*items, tools=(WEATHER, ZONE))

    assert calls_of(first) == [("get_weather", {"city": "Paris"})]
    assert second.text == "Sunny. For get time I need the timezone. What should it be?"
    assert calls_of(third) == [("get_time", {"timezone": "Rome"})]


# The choice of tools ------------------------------------------------------------------------------------------


def test_without_choice_no_function_is_called() -> None:
    assert reply(user("weather in paris"), choice="none").calls == ()


def test_a_required_call_is_made_whatever_was_said() -> None:
    assert calls_of(reply(user("hello"), choice="required")) == [("get_weather", {"city": "Hello"})]


def test_a_named_function_is_called_with_plain_values() -> None:
    answer = reply(user("weather in paris"), choice="function:book_table")

    assert [name for name, _ in calls_of(answer)] == ["book_table"]
    assert calls_of(answer)[0][1]["guests"] == 0


def test_a_named_function_that_does_not_exist_is_not_called() -> None:
    assert reply(user("hello"), tools=(TIMER,), choice="function:other").calls == ()


BOTH = "what time is it and what is the weather in paris"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("auto", ["get_current_time", "get_weather"]),
        ("required", ["get_current_time", "get_weather"]),
        ("none", []),
        ("function:get_weather", ["get_weather"]),
        ("function:set_timer", ["set_timer"]),
    ],
)
def test_the_choice_decides_among_several_functions(choice: str, names: list[str]) -> None:
    answer = reply(user(BOTH), tools=(WEATHER, TIME, TIMER), choice=choice)

    assert [name for name, _ in calls_of(answer)] == names


# What is missing ----------------------------------------------------------------------------------------------


def dialogue(*said: str, tools: tuple[FunctionSpec, ...] = EVERY) -> Reply:
    """The last answer of a dialogue in which the responder's answers stand as given."""
    items: list[ContextItem] = []
    answer = Reply()
    for text in said:
        items.append(user(text))
        answer = reply(*items, tools=tools)
        items.append(ContextMessage("assistant", answer.text))
    return answer


def test_a_missing_argument_is_asked_for() -> None:
    assert dialogue("what is the weather").text == "For get weather I need the city. What should it be?"


@pytest.mark.parametrize("said", ["paris", "in paris please", "Paris."])
def test_the_next_utterance_is_the_missing_argument(said: str) -> None:
    assert calls_of(dialogue("what is the weather", said)) == [("get_weather", {"city": "Paris"})]


def test_several_missing_arguments_are_asked_for_one_by_one() -> None:
    answer = dialogue("book a table", "luigi's", "half past seven in the evening", "four")

    assert calls_of(answer) == [("book_table", {"restaurant": "Luigi's", "time": "19:30", "guests": 4})]


def test_yes_is_a_value_for_a_missing_boolean() -> None:
    answer = dialogue("make the light in the bedroom blue", "yes")

    assert calls_of(answer) == [("control_light", {"room": "bedroom", "on": True, "color": "blue"})]


def test_a_message_is_taken_word_by_word() -> None:
    answer = dialogue("send a message", "bob", "i will be late")

    assert calls_of(answer) == [("send_message", {"recipient": "Bob", "text": "i will be late"})]


@pytest.mark.parametrize("said", ["never mind", "forget it", "stop"])
def test_a_question_about_a_call_can_be_dismissed(said: str) -> None:
    assert dialogue("set a timer", said).calls == ()


def test_a_question_instead_of_a_value_is_answered() -> None:
    assert dialogue("set a timer", "what time is it").text == "It is three twenty in the afternoon."


def test_a_question_that_was_interrupted_still_counts() -> None:
    items = (
        user("what is the weather"),
        ContextMessage("assistant", "For get weather I need the city", is_cut=True),
        user("paris"),
    )

    assert calls_of(reply(*items)) == [("get_weather", {"city": "Paris"})]


def test_what_about_calls_again_with_what_changed() -> None:
    items = (
        user("weather in paris in celsius"),
        ContextToolCall("c", "get_weather", '{"city":"Paris","unit":"celsius"}'),
        ContextToolOutput("c", "sunny"),
        ContextMessage("assistant", "Sunny."),
        user("what about london"),
    )

    assert calls_of(reply(*items)) == [("get_weather", {"city": "London", "unit": "celsius"})]


# Schemas ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "said", "value"),
    [
        ({"$ref": "#/$defs/City"}, "weather in paris", "Paris"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, "weather in paris", "Paris"),
        ({"type": ["null", "string"]}, "weather in paris", "Paris"),
        ({"type": "string", "maxLength": 3}, "weather in paris", "Par"),
        ({"enum": ["Paris", "Rome"]}, "weather in rome", "Rome"),
        ({"enum": ["NEW_YORK", "ROME"]}, "weather in new york", "NEW_YORK"),
        ({"const": "Oslo"}, "weather in rome", "Oslo"),
        ({"type": "array", "items": {"type": "integer"}}, "weather at one two and three", [1, 2, 3]),
        ({"type": "array", "items": {"enum": ["a1", "rome", "oslo"]}}, "weather in rome and oslo", ["rome", "oslo"]),
        ({"type": "object", "properties": {"city": STRING}}, "weather in paris", {"city": "Paris"}),
        ({"type": "string", "format": "email"}, "weather for a@b.org", "a@b.org"),
        ({}, "weather in paris", "Paris"),
    ],
)
def test_arguments_follow_the_schema(schema: dict[str, Any], said: str, value: object) -> None:
    parameters = {"properties": {"city": schema}, "required": ["city"], "$defs": {"City": STRING}}
    tool = FunctionSpec("get_weather", "", parameters)

    assert calls_of(reply(user(said), tools=(tool,))) == [("get_weather", {"city": value})]


@pytest.mark.parametrize(
    "parameters", [{}, {"type": "object"}, {"properties": []}, {"properties": {"a": 1}, "required": 2}]
)
def test_a_function_without_usable_parameters_is_called_without(parameters: dict[str, Any]) -> None:
    answer = reply(user("get the weather"), tools=(FunctionSpec("get_weather", "", parameters),))

    assert [name for name, _ in calls_of(answer)] == ["get_weather"]


# Results ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "spoken"),
    [
        ('{"temp_c": 2.5, "sky": "dry"}', "The temp is two point five degrees celsius and the sky is dry."),
        ('{"ok": true}', "Done."),
        ('{"success": true, "order_id": 42}', "The order id is forty two."),
        ('{"error": "city not found"}', "Get weather did not work, city not found."),
        ('{"error": {"message": "quota"}}', "Get weather did not work, quota."),
        ('{"ok": false, "reason": "closed"}', "Get weather did not work, closed."),
        ("Error: no network", "Get weather did not work, no network."),
        ("It is sunny.", "It is sunny."),
        ("42", "The result is forty two."),
        ("true", "The result is yes."),
        ("null", "The result is nothing."),
        ("[]", "Nothing was found."),
        ('["tea", "milk"]', "Tea and milk."),
        ('[{"name": "A"}, {"name": "B"}]', "Two results, the name is A, the name is B."),
        ('{"result": {"price_usd": 5}}', "The price is five dollars."),
        ('{"date": "2026-12-24"}', "The date is December twenty four, two thousand twenty six."),
        ('{"a": {"b": {"c": {"d": {"e": 1}}}}}', "A, b, c, d has one entries."),
        ("", "Get weather returned nothing."),
        ("{broken", "Broken."),
    ],
)  # fmt: skip
def test_results_are_spoken_in_a_sentence(output: str, spoken: str) -> None:
    items = (user("weather"), ContextToolCall("c", "get_weather", "{}"), ContextToolOutput("c", output))

    assert reply(*items).text == spoken


def test_an_open_call_is_waited_for() -> None:
    items = (user("weather"), ContextToolCall("c", "get_weather", "{}"), ContextToolOutput("c", None))

    assert reply(*items).text == "I am still waiting for get weather."


def test_several_results_are_told_apart() -> None:
    items = (
        user("weather and dice"),
        ContextToolCall("a", "get_weather", "{}"),
        ContextToolCall("b", "roll_dice", "{}"),
        ContextToolOutput("a", "sunny"),
        ContextToolOutput("b", "4"),
    )

    assert reply(*items).text == "For get weather, sunny. For roll dice, the result is four."


def test_the_responder_names_the_functions_it_can_use() -> None:
    answer = reply(user("what can you do"), tools=(WEATHER, TIMER))

    assert answer.text.endswith("In this session I can also use get weather and set timer.")


@pytest.mark.parametrize(
    ("output", "spoken"),
    [
        ("The tool failed: no route to the host", "The tool failed, no route to the host."),
        ("The user did not approve this call. Too dear.", "The user did not approve this call. Too dear."),
        ('{"temperature_c": 21}', "The temperature is twenty one degrees celsius."),
    ],
)
def test_what_an_mcp_server_returned_within_the_response_is_spoken(output: str, spoken: str) -> None:
    items = (
        user("weather in paris"),
        ContextToolCall("mcp_1", "get_weather", "{}"),
        ContextToolOutput("mcp_1", output),
    )

    assert reply(*items, tools=(WEATHER,)).text == spoken
