"""MCP work and responses that are ended from outside: expiry, draining, leaving, speech, tools taken away."""

from typing import Any

import pytest

from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    CallMcpTool,
    CancelMcp,
    Close,
    Disconnected,
    Draining,
    Generate,
    GenerationFinished,
    ListMcpTools,
    McpCallReturned,
    McpToolsListed,
    SpeechSynthesized,
    SynthesisFinished,
    TextGenerated,
    ToolCallGenerated,
)
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.items import McpListedTool
from vivavoce.testing.driver import SessionDriver, plain_session

Json = dict[str, Any]
DOCS: Json = {
    "type": "mcp",
    "server_label": "docs",
    "server_url": "https://docs.example/mcp",
    "require_approval": "never",
}
SEARCH = McpListedTool(name="search", input_schema={"type": "object"})
SPEECH = [1.0] * 10  # 320 ms


def listed(limits: RateLimits | None = None, **policy: Any) -> SessionDriver:
    """Return a session that has listed the tools of a server."""
    policy = {"mcp_hosts": ("docs.example",), **policy}
    driver = SessionDriver(LocalSession(plain_session(), CountingIds(), SessionPolicy(**policy), limits=limits))
    update(driver, tools=[DOCS])
    driver.post(McpToolsListed(driver.asked(ListMcpTools)[-1].item_id, (SEARCH,)))
    return driver


def update(driver: SessionDriver, **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def calling(driver: SessionDriver, preamble: str = "") -> CallMcpTool:
    """Let a response call a tool, after some words if there are any."""
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    if preamble:
        driver.post(TextGenerated(response_id, preamble))
    driver.post(ToolCallGenerated(response_id, "search", "{}"))
    driver.post(GenerationFinished(response_id))
    call: CallMcpTool = driver.asked(CallMcpTool)[-1]
    return call


def on_item(driver: SessionDriver, kind: str, item_id: str) -> list[Json]:
    extra = {"content_index": 0, "audio_end_ms": 0} if kind == "truncate" else {}
    return driver.client({"type": f"conversation.item.{kind}", "item_id": item_id, **extra})


def errors(events: list[Json]) -> list[Any]:
    return [event["error"]["code"] for event in events if event["type"] == "error"]


def last_response(driver: SessionDriver) -> Json:
    response: Json = [event["response"] for event in driver.events if event["type"] == "response.done"][-1]
    return response


# The session ends -------------------------------------------------------------------------------------------------


def test_a_session_that_expires_during_a_call_closes_everything_it_opened() -> None:
    driver = listed(RateLimits(requests_per_min=9), lifetime_s=60.0)
    call = calling(driver)

    events = driver.advance(61)

    assert driver.types(events) == [
        "response.mcp_call.failed",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
        "error",
    ]
    assert CancelMcp(call.item_id) in driver.asked(CancelMcp)
    assert [close.code for close in driver.asked(Close)] == [1001]
    assert driver.post(McpCallReturned(call.item_id, "late")) == []


def test_draining_lets_a_call_return_and_its_answer_be_given() -> None:
    driver = listed()
    update(driver, output_modalities=["text"])
    call = calling(driver)

    driver.post(Draining())
    driver.post(McpCallReturned(call.item_id, "found"))
    driver.post(TextGenerated(driver.last_generation(), "Here."))
    early = driver.asked(Close)
    driver.post(GenerationFinished(driver.last_generation()))

    assert early == []
    assert last_response(driver)["status"] == "completed"
    assert len(driver.asked(Close)) == 1


def test_the_end_of_draining_gives_a_call_up() -> None:
    driver = listed()
    call = calling(driver)
    driver.post(Draining())

    driver.post(Draining(is_final=True))

    assert driver.asked(CancelMcp) == [CancelMcp(call.item_id)]
    assert last_response(driver)["status"] == "cancelled"
    assert len(driver.asked(Close)) == 1


def test_a_client_that_leaves_twice_leaves_once() -> None:
    limits = RateLimits(tokens_per_min=1_000)
    driver = listed(limits)
    calling(driver)
    driver.post(Disconnected())
    remaining = limits.report(driver.now)[0].remaining
    outputs = len(driver.outputs)

    driver.post(Disconnected())

    assert limits.report(driver.now)[0].remaining == remaining
    assert len(driver.outputs) == outputs


# Interrupted between rounds ---------------------------------------------------------------------------------------


def test_speech_during_a_call_cancels_the_response_and_cuts_its_preamble_to_what_was_heard() -> None:
    driver = listed()
    call = calling(driver, "Let me look that up for you.")
    speak = driver.last_speech()
    driver.post(SpeechSynthesized(speak.response_id, speak.segment, bytes(96_000), 48_000))
    driver.post(SynthesisFinished(speak.response_id, speak.segment))
    driver.advance(1.0)

    driver.hear(*SPEECH)
    driver.client({"type": "response.create", "response": {"conversation": "none"}})

    output = last_response(driver)["output"]
    assert last_response(driver)["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert [item["type"] for item in output] == ["message", "mcp_call"]
    assert output[0]["status"] == "completed"
    assert output[1]["id"] == call.item_id and output[1]["error"]["type"] == "tool_execution_error"
    said = driver.asked(Generate)[-1].request.items[0]
    assert said.is_cut and said.text == "Let me look that"


def test_the_second_round_speaks_in_an_item_of_its_own_after_the_preamble() -> None:
    driver = listed()
    call = calling(driver, "Let me look that up for you.")
    driver.post(McpCallReturned(call.item_id, "found"))
    driver.post(TextGenerated(driver.last_generation(), "Here it is, I have found it. "))
    driver.post(GenerationFinished(driver.last_generation()))

    for segment in range(2):
        driver.post(SpeechSynthesized(driver.last_generation(), segment, bytes(4_800), 2_400))
        driver.post(SynthesisFinished(driver.last_generation(), segment))

    transcripts = [part["transcript"] for item in last_response(driver)["output"] for part in item.get("content", [])]
    assert transcripts == ["Let me look that up for you.", "Here it is, I have found it. "]
    assert last_response(driver)["status"] == "completed"


def test_tools_that_are_taken_away_during_a_listing_do_not_leave_a_response_waiting() -> None:
    driver = SessionDriver(LocalSession(plain_session(), CountingIds(), SessionPolicy(mcp_hosts=("docs.example",))))
    update(driver, tools=[DOCS])
    driver.client({"type": "response.create"})
    update(driver, tools=[])

    waiting = len(driver.asked(Generate))
    driver.advance(3.1)

    assert waiting == 0
    assert len(driver.asked(Generate)) == 1


# Items of calls ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code"),
    [("delete", "item_delete_invalid_item_id"), ("truncate", "item_truncate_invalid_item_id"), ("retrieve", None)],
)
def test_an_item_of_a_call_under_way_can_only_be_looked_at(kind: str, code: str | None) -> None:
    driver = listed()
    call = calling(driver)

    events = on_item(driver, kind, call.item_id)

    assert errors(events) == ([] if code is None else [code])
    assert driver.types(events) == (["conversation.item.retrieved"] if code is None else ["error"])


def test_a_call_whose_item_is_deleted_is_out_of_the_next_context() -> None:
    driver = listed()
    update(driver, output_modalities=["text"])
    call = calling(driver)
    driver.post(McpCallReturned(call.item_id, "found"))
    driver.post(GenerationFinished(driver.last_generation()))

    deleted = on_item(driver, "delete", call.item_id)
    driver.client({"type": "response.create"})

    assert driver.types(deleted) == ["conversation.item.deleted"]
    assert driver.asked(Generate)[-1].request.items == ()


def test_a_listing_whose_item_is_deleted_still_serves() -> None:
    driver = listed()
    on_item(driver, "delete", driver.asked(ListMcpTools)[-1].item_id)

    update(driver, instructions="x")
    driver.client({"type": "response.create"})

    assert [spec.name for spec in driver.asked(Generate)[-1].request.tools] == ["search"]
    assert len(driver.asked(ListMcpTools)) == 1


# Function calls beside MCP calls ----------------------------------------------------------------------------------


def test_a_response_with_a_function_call_and_a_remote_call_waits_for_the_remote_one_and_ends() -> None:
    driver = listed()
    update(driver, tools=[DOCS, {"type": "function", "name": "look_up"}])
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    driver.post(ToolCallGenerated(response_id, "look_up", "{}"))
    driver.post(ToolCallGenerated(response_id, "search", "{}"))
    during = driver.post(GenerationFinished(response_id))

    driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "found"))

    assert during == []
    assert [item["type"] for item in last_response(driver)["output"]] == ["function_call", "mcp_call"]
    assert len(driver.asked(Generate)) == 1


def test_out_of_band_calls_touch_no_conversation() -> None:
    driver = listed()
    driver.client({"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"]}})
    before = len(driver.events)
    driver.post(ToolCallGenerated(driver.last_generation(), "search", "{}"))
    driver.post(GenerationFinished(driver.last_generation()))
    driver.hear(*SPEECH)
    driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "found"))
    driver.post(GenerationFinished(driver.last_generation()))

    types = driver.types(driver.events[before:])
    assert not [kind for kind in types if kind.startswith("conversation.")]
    assert last_response(driver)["status"] == "completed"
