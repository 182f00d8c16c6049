"""MCP calls when something else happens: choices, replaced servers, withdrawn approvals, speech, big results."""

from typing import Any

import pytest

from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.requests import ContextMessage, ContextToolOutput
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    CallMcpTool,
    Generate,
    GenerationFinished,
    ListMcpTools,
    McpCallReturned,
    McpToolsListed,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFinalized,
)
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.items import McpListedTool
from vivavoce.testing.driver import SessionDriver, plain_session

Json = dict[str, Any]
DOCS: Json = {
    "type": "mcp",
    "server_label": "docs",
    "server_url": "https://docs.example/mcp",
    "authorization": "secret",
    "require_approval": "never",
}
OTHER: Json = DOCS | {"server_url": "https://other.example/mcp"}
FORCED: Json = {"type": "mcp", "server_label": "docs"}
SEARCH = McpListedTool(name="search", input_schema={"type": "object"})
SPEECH, SILENCE = [1.0] * 10, [0.0] * 16  # 320 ms, 512 ms


def listed(*tools: McpListedTool, context_tokens: int = 28_224, **changes: Any) -> SessionDriver:
    """Return a text session that has listed the tools of a server."""
    policy = SessionPolicy(mcp_hosts=("docs.example", "other.example"), context_tokens=context_tokens)
    driver = SessionDriver(LocalSession(plain_session(), CountingIds(), policy))
    update(driver, tools=[DOCS | changes], output_modalities=["text"])
    driver.post(McpToolsListed(driver.asked(ListMcpTools)[-1].item_id, tools or (SEARCH,)))
    return driver


def update(driver: SessionDriver, **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def create(driver: SessionDriver, **response: Any) -> list[Json]:
    return driver.client({"type": "response.create", "response": response})


def write(driver: SessionDriver, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    driver.client({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}})


def generated(driver: SessionDriver, name: str = "search") -> str:
    """Let the generator of the last response call a tool and end; returns the response."""
    response_id = driver.last_generation()
    driver.post(ToolCallGenerated(response_id, name, "{}"))
    driver.post(GenerationFinished(response_id))
    return response_id


def asked_for(driver: SessionDriver) -> str:
    """Let a response ask for the approval of a call; returns the request."""
    create(driver)
    generated(driver)
    request: str = next(e["item"]["id"] for e in driver.events[::-1] if "mcp_approval_request" in str(e.get("item")))
    return request


def approve(driver: SessionDriver, request_id: str) -> list[Json]:
    item = {"type": "mcp_approval_response", "approval_request_id": request_id, "approve": True}
    return driver.client({"type": "conversation.item.create", "item": item})


def delete(driver: SessionDriver, item_id: str) -> None:
    driver.client({"type": "conversation.item.delete", "item_id": item_id})


def failure(events: list[Json]) -> tuple[Any, Any]:
    error = events[-1]["response"]["status_details"]["error"]
    return error["type"], error["code"]


def errors(events: list[Json]) -> list[tuple[Any, Any]]:
    return [(event["error"]["code"], event["error"]["param"]) for event in events if event["type"] == "error"]


# The choice of tools ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["search", "look_up"])
def test_a_generator_that_calls_although_it_may_not_calls_nothing(name: str) -> None:
    driver = listed()
    create(driver, tool_choice="none", tools=[DOCS, {"type": "function", "name": "look_up"}])

    generated(driver, name)

    assert driver.asked(CallMcpTool) == []
    assert driver.events[-1]["response"]["status"] == "completed"
    assert driver.events[-1]["response"]["output"] == []


def test_the_last_round_calls_nothing_whatever_the_generator_wants() -> None:
    driver = listed()
    create(driver)
    for _ in range(7):
        generated(driver)
        driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "more"))

    generated(driver)

    assert len(driver.asked(Generate)) == 8
    assert len(driver.asked(CallMcpTool)) == 7
    assert driver.events[-1]["response"]["status"] == "completed"


def test_a_server_that_is_replaced_during_a_call_does_not_fail_the_response_that_was_forced_to_it() -> None:
    driver = listed()
    create(driver, tool_choice=FORCED)
    response_id = generated(driver)
    update(driver, tools=[OTHER])

    driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "found"))
    driver.post(TextGenerated(response_id, "Here."))
    events = driver.post(GenerationFinished(response_id))

    assert events[-1]["response"]["status"] == "completed"


def test_a_running_response_keeps_the_servers_that_it_started_with() -> None:
    driver = listed()
    create(driver)
    generated(driver)
    update(driver, tools=[OTHER])
    driver.post(McpToolsListed(driver.asked(ListMcpTools)[-1].item_id, (SEARCH,)))
    driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "found"))

    generated(driver)

    assert [call.server.url for call in driver.asked(CallMcpTool)] == [DOCS["server_url"]] * 2


@pytest.mark.parametrize("changes", [{"server_url": OTHER["server_url"]}, {"authorization": "another"}])
def test_a_response_cannot_put_another_server_under_a_label_of_the_session(changes: Json) -> None:
    driver = listed(require_approval="always")

    events = create(driver, conversation="none", tools=[DOCS | changes])
    later = update(driver, instructions="Be brief.")

    assert errors(events) == [("invalid_value", "response.tools[0].server_label")]
    assert driver.types(later) == ["session.updated"]
    assert driver.asked(Generate) == []


def test_a_response_may_repeat_a_server_of_the_session_with_other_rules() -> None:
    driver = listed(require_approval="always")

    create(driver, tools=[DOCS])
    generated(driver)

    assert driver.asked(CallMcpTool)[-1].name == "search"
    assert len(driver.asked(ListMcpTools)) == 1


def test_two_responses_with_different_servers_under_one_label_do_not_mix_them_up() -> None:
    driver = listed()
    update(driver, tools=[])
    create(driver, conversation="none", tools=[OTHER])
    listing = driver.asked(ListMcpTools)[-1]

    create(driver, conversation="none", tools=[DOCS])
    driver.post(McpToolsListed(driver.asked(ListMcpTools)[-1].item_id, (SEARCH,)))

    assert listing.server.url == OTHER["server_url"]
    assert [len(generate.request.tools) for generate in driver.asked(Generate)] == [0, 1]


@pytest.mark.parametrize("choice", [FORCED, FORCED | {"name": "search"}, "required"])
def test_a_forced_tool_that_cannot_be_offered_fails_the_response(choice: Any) -> None:
    driver = listed(require_approval="always")

    events = create(driver, conversation="none", tools=[DOCS | {"require_approval": "always"}], tool_choice=choice)

    assert driver.types(events) == ["response.created", "response.done"]
    assert failure(events) == ("invalid_request_error", "bad_response_create")
    assert driver.asked(Generate) == []


def test_a_tool_without_a_name_is_offered_under_one_that_generators_take() -> None:
    driver = listed(McpListedTool(name="", input_schema={}))

    create(driver)

    assert [spec.name for spec in driver.asked(Generate)[-1].request.tools] == ["docs__"]


# Results ----------------------------------------------------------------------------------------------------------


def test_a_big_result_takes_its_room_from_the_oldest_items() -> None:
    driver = listed(context_tokens=400)
    for number in range(5):
        write(driver, f"{number}" * 160)  # 40 tokens each
    create(driver)
    generated(driver)

    driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "x" * 1_000))

    request = driver.asked(Generate)[-1].request
    assert [item.text[0] for item in request.items if isinstance(item, ContextMessage)] == ["2", "3", "4"]
    assert request.items[-1].output == "x" * 1_000


def test_a_result_that_no_model_can_read_fails_the_response() -> None:
    driver = listed(context_tokens=400)
    create(driver)
    generated(driver)

    events = driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "x" * 10_000))

    assert failure(events) == ("invalid_request_error", "context_length_exceeded")


# Approval ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["request", "answer"])
def test_an_approval_that_is_deleted_before_the_call_is_withdrawn(what: str) -> None:
    driver = listed(require_approval="always")
    request_id = asked_for(driver)
    create(driver)
    answer_id = approve(driver, request_id)[0]["item"]["id"]

    delete(driver, request_id if what == "request" else answer_id)
    driver.post(GenerationFinished(driver.last_generation()))

    assert driver.asked(CallMcpTool) == []


def test_an_approved_call_does_not_begin_to_answer_while_the_user_speaks() -> None:
    driver = listed(require_approval="always")
    request_id = asked_for(driver)
    create(driver)
    approve(driver, request_id)

    interrupted = driver.hear(*SPEECH)
    during = driver.asked(CallMcpTool)
    stopped = driver.hear(*SILENCE)
    answered = driver.post(TranscriptFinalized(driver.last_finished_transcript(), "And this?"))

    assert driver.types(interrupted)[-1] == "response.done"
    assert during == []
    assert "input_audio_buffer.committed" in driver.types(stopped)
    assert driver.types(answered)[0] == "response.created"
    assert len(driver.asked(CallMcpTool)) == 1


def test_speech_that_is_cleared_lets_an_approved_call_go_on() -> None:
    driver = listed(require_approval="always")
    request_id = asked_for(driver)
    driver.hear(*SPEECH)
    approve(driver, request_id)

    driver.client({"type": "input_audio_buffer.clear"})

    assert len(driver.asked(CallMcpTool)) == 1


def test_an_approved_call_that_the_limits_refuse_may_be_approved_once_more() -> None:
    policy = SessionPolicy(mcp_hosts=("docs.example",))
    limits = RateLimits(requests_per_min=1)
    driver = SessionDriver(LocalSession(plain_session(), CountingIds(), policy, limits=limits))
    update(driver, tools=[DOCS | {"require_approval": "always"}])
    driver.post(McpToolsListed(driver.asked(ListMcpTools)[-1].item_id, (SEARCH,)))
    request_id = asked_for(driver)
    refused = approve(driver, request_id)
    driver.advance(61)

    again = approve(driver, request_id)

    assert refused[3]["response"]["status"] == "failed"
    assert "response.mcp_call.in_progress" in driver.types(again)
    assert len(driver.asked(CallMcpTool)) == 1


def test_what_was_said_after_an_approved_call_is_answered_from_its_result() -> None:
    driver = listed(require_approval="always")
    request_id = asked_for(driver)
    approve(driver, request_id)
    call = driver.asked(CallMcpTool)[-1]

    driver.post(McpCallReturned(call.item_id, "found"))

    assert ContextToolOutput(call.item_id, "found") in driver.asked(Generate)[-1].request.items
