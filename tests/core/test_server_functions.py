"""Functions of the server in a local session: the generator calls them, the client never sees it."""

import json
from typing import Any

import pytest

from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.requests import ContextMessage, ContextToolCall, ContextToolOutput, FunctionSpec
from vivavoce.core.session import LocalSession
from vivavoce.core.state import Profile
from vivavoce.core.vocabulary import (
    CallMcpTool,
    CancelMcp,
    Disconnected,
    Generate,
    GenerationFinished,
    McpCallFailed,
    McpCallReturned,
    TextGenerated,
    ToolCallGenerated,
)
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.items import McpToolExecutionError
from vivavoce.testing.driver import SessionDriver, plain_session

Json = dict[str, Any]
HOURS = FunctionSpec("hours", "Tell when a branch is open.", {"type": "object"})
LOOK_UP: Json = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}


def opened() -> SessionDriver:
    profile = Profile("realtime", SessionPolicy(), RateLimits(), "Be kind.", functions=(HOURS,))
    return SessionDriver(LocalSession.with_profile(plain_session(), CountingIds(), profile))


def update(driver: SessionDriver, **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def begin(driver: SessionDriver) -> str:
    """Ask for a response in text; return its id."""
    driver.client({"type": "response.create", "response": {"output_modalities": ["text"]}})
    return driver.last_generation()


def call(driver: SessionDriver, response_id: str, *, preamble: str = "") -> str:
    """Have the generator call the function and end; return the id of the call."""
    if preamble:
        driver.post(TextGenerated(response_id, preamble))
    driver.post(ToolCallGenerated(response_id, "hours", '{"branch": "main"}'))
    driver.post(GenerationFinished(response_id))
    return last_call(driver).item_id


def last_call(driver: SessionDriver) -> CallMcpTool:
    asked: CallMcpTool = driver.asked(CallMcpTool)[-1]
    return asked


def finish(driver: SessionDriver, response_id: str, text: str) -> Json:
    """Have the generator answer; return the response as it is done."""
    driver.post(TextGenerated(response_id, text))
    driver.post(GenerationFinished(response_id))
    assert driver.events[-1]["type"] == "response.done"
    response: Json = driver.events[-1]["response"]
    return response


def last_request(driver: SessionDriver) -> Generate:
    asked: Generate = driver.asked(Generate)[-1]
    return asked


def test_the_generator_is_offered_what_the_client_does_not_see() -> None:
    driver = opened()
    (updated,) = update(driver, tools=[LOOK_UP])

    begin(driver)

    assert [tool["name"] for tool in updated["session"]["tools"]] == ["look_up"]
    assert [spec.name for spec in last_request(driver).request.tools] == ["hours", "look_up"]


def test_a_call_is_made_and_the_response_goes_on_with_what_it_returned() -> None:
    driver = opened()
    response_id = begin(driver)
    call_id = call(driver, response_id)
    assert (last_call(driver).name, last_call(driver).arguments) == ("hours", '{"branch": "main"}')

    driver.post(McpCallReturned(call_id, "9 to 5"))
    response = finish(driver, response_id, "From nine to five.")

    assert last_request(driver).response_id == response_id
    made = ContextToolCall(call_id, "hours", '{"branch": "main"}')
    assert last_request(driver).request.items == (made, ContextToolOutput(call_id, "9 to 5"))
    assert [item["type"] for item in response["output"]] == ["message"]
    assert response["status"] == "completed"
    assert driver.types().count("response.created") == driver.types().count("response.done") == 1


def test_nothing_of_a_call_reaches_the_client() -> None:
    driver = opened()
    response_id = begin(driver)
    driver.post(McpCallReturned(call(driver, response_id), "9 to 5"))
    finish(driver, response_id, "From nine to five.")

    told = json.dumps(driver.events)

    assert "hours" not in told
    assert "9 to 5" not in told
    assert "call_" not in told
    assert "mcp" not in told


def test_what_was_said_before_the_call_stands_before_it() -> None:
    driver = opened()
    response_id = begin(driver)

    driver.post(McpCallReturned(call(driver, response_id, preamble="Let me see. "), "9 to 5"))

    assert [type(item) for item in last_request(driver).request.items] == [
        ContextMessage,
        ContextToolCall,
        ContextToolOutput,
    ]


def test_later_responses_know_what_was_called_and_returned() -> None:
    driver = opened()
    response_id = begin(driver)
    driver.post(McpCallReturned(call(driver, response_id, preamble="Let me see. "), "9 to 5"))
    finish(driver, response_id, "From nine to five.")

    begin(driver)

    items = last_request(driver).request.items
    assert [type(item) for item in items] == [ContextMessage, ContextToolCall, ContextToolOutput, ContextMessage]
    assert [item.text for item in items if isinstance(item, ContextMessage)] == ["Let me see. ", "From nine to five."]


def test_deleting_the_answer_deletes_what_it_was_made_from() -> None:
    driver = opened()
    response_id = begin(driver)
    driver.post(McpCallReturned(call(driver, response_id), "9 to 5"))
    response = finish(driver, response_id, "From nine to five.")

    driver.client({"type": "conversation.item.delete", "item_id": response["output"][0]["id"]})
    begin(driver)

    assert last_request(driver).request.items == ()


def test_a_call_of_the_client_beside_one_of_the_server_is_the_clients_to_answer() -> None:
    driver = opened()
    update(driver, tools=[LOOK_UP])
    response_id = begin(driver)
    driver.post(ToolCallGenerated(response_id, "look_up", "{}"))
    call_id = call(driver, response_id)

    driver.post(McpCallReturned(call_id, "9 to 5"))

    response = driver.events[-1]["response"]
    assert [item["name"] for item in response["output"]] == ["look_up"]
    output = {"type": "function_call_output", "call_id": response["output"][0]["call_id"], "output": "found"}
    driver.client({"type": "conversation.item.create", "item": output})
    begin(driver)
    outputs = [item.output for item in last_request(driver).request.items if isinstance(item, ContextToolOutput)]
    assert sorted(str(output) for output in outputs) == ["9 to 5", "found"]


def test_a_failure_is_told_to_the_generator() -> None:
    driver = opened()
    response_id = begin(driver)

    driver.post(McpCallFailed(call(driver, response_id), McpToolExecutionError(message="There is no such branch.")))

    output = last_request(driver).request.items[-1]
    assert isinstance(output, ContextToolOutput)
    assert output.output == "The tool failed: There is no such branch."


@pytest.mark.parametrize("ending", ["response.cancel", "disconnect"])
def test_a_call_ends_with_its_response(ending: str) -> None:
    driver = opened()
    response_id = begin(driver)
    call_id = call(driver, response_id)

    if ending == "disconnect":
        driver.post(Disconnected())
    else:
        driver.client({"type": ending})
    driver.post(McpCallReturned(call_id, "9 to 5"))

    assert [cancelled.item_id for cancelled in driver.asked(CancelMcp)] == [call_id]
    assert len(driver.asked(Generate)) == 1


def test_the_last_round_may_call_nothing() -> None:
    driver = opened()
    response_id = begin(driver)

    for _ in range(7):
        driver.post(McpCallReturned(call(driver, response_id), "9 to 5"))

    assert last_request(driver).request.tool_choice == "none"
    driver.post(ToolCallGenerated(response_id, "hours", "{}"))
    assert len(driver.asked(CallMcpTool)) == 7
    assert finish(driver, response_id, "So it is.")["status"] == "completed"


def test_a_client_that_wants_no_calls_gets_none() -> None:
    driver = opened()
    update(driver, tool_choice="none")
    response_id = begin(driver)

    driver.post(ToolCallGenerated(response_id, "hours", "{}"))

    assert last_request(driver).request.tool_choice == "none"
    assert driver.asked(CallMcpTool) == []


@pytest.mark.parametrize("place", ["session", "response"])
def test_a_client_cannot_put_its_own_function_in_the_place_of_one_of_the_server(place: str) -> None:
    driver = opened()
    taken = {**LOOK_UP, "name": "hours"}

    if place == "session":
        (error,) = update(driver, tools=[LOOK_UP, taken])
    else:
        (error,) = driver.client({"type": "response.create", "response": {"tools": [LOOK_UP, taken]}})

    assert (error["error"]["code"], error["error"]["param"]) == ("invalid_value", f"{place}.tools[1].name")
    assert "the server has a function 'hours' of its own" in error["error"]["message"]
