"""Remote MCP servers in a session: listing, calls, approval, failure; the client sees every step and no secret."""

import re
from typing import Any

import pytest

from vivavoce.core.policy import SessionPolicy
from vivavoce.core.requests import ContextMessage, ContextToolCall, ContextToolOutput, McpServer
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    CallMcpTool,
    CancelMcp,
    Disconnected,
    Generate,
    GenerationFinished,
    ListMcpTools,
    McpCallFailed,
    McpCallReturned,
    McpListingFailed,
    McpToolsListed,
    TextGenerated,
    ToolCallGenerated,
)
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.items import McpHttpError, McpListedTool, McpToolExecutionError
from vivavoce.testing.driver import SessionDriver, plain_session

Json = dict[str, Any]
SERVER: Json = {
    "type": "mcp",
    "server_label": "docs",
    "server_url": "https://docs.example/mcp",
    "authorization": "secret-token",
    "headers": {"x-team": "secret-team"},
    "require_approval": "never",
}
SEARCH = McpListedTool(name="search", input_schema={"type": "object"}, description="Searches.")
ERASE = McpListedTool(name="erase", input_schema={"type": "object"}, annotations={"readOnlyHint": False})
READ = McpListedTool(name="read", input_schema={"type": "object"}, annotations={"readOnlyHint": True})


def opened(*hosts: str) -> SessionDriver:
    policy = SessionPolicy(mcp_hosts=hosts or ("docs.example", "other.example"))
    return SessionDriver(LocalSession(plain_session(), CountingIds(), policy))


def updated(driver: SessionDriver, **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def listing_of(driver: SessionDriver) -> ListMcpTools:
    listing: ListMcpTools = driver.asked(ListMcpTools)[-1]
    return listing


def listed(*tools: McpListedTool, **changes: Any) -> SessionDriver:
    """Return a text session that has listed a server's tools."""
    driver = opened()
    updated(driver, tools=[SERVER | changes], output_modalities=["text"])
    driver.post(McpToolsListed(listing_of(driver).item_id, tools or (SEARCH,)))
    return driver


def called(driver: SessionDriver, name: str = "search", arguments: str = '{"q":"x"}') -> CallMcpTool:
    """Let a response call a tool; returns what the server was asked."""
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    driver.post(ToolCallGenerated(response_id, name, arguments))
    driver.post(GenerationFinished(response_id))
    call: CallMcpTool = driver.asked(CallMcpTool)[-1]
    return call


def errors(events: list[Json]) -> list[tuple[Any, Any]]:
    return [(event["error"]["code"], event["error"]["param"]) for event in events if event["type"] == "error"]


def test_a_server_is_listed_when_the_session_names_it() -> None:
    driver = opened()

    first = updated(driver, tools=[SERVER])
    second = driver.post(McpToolsListed(listing_of(driver).item_id, (SEARCH,)))

    assert driver.types(first) == ["session.updated", "conversation.item.added", "mcp_list_tools.in_progress"]
    assert driver.types(second) == ["mcp_list_tools.completed", "conversation.item.done"]
    assert second[1]["item"]["tools"] == [
        {"name": "search", "input_schema": {"type": "object"}, "description": "Searches."}
    ]
    assert listing_of(driver).server == McpServer(
        "docs", "https://docs.example/mcp", "secret-token", (("x-team", "secret-team"),)
    )


def test_a_failed_listing_leaves_the_session_as_it_is() -> None:
    driver = opened()
    updated(driver, tools=[SERVER])

    events = driver.post(McpListingFailed(listing_of(driver).item_id, McpHttpError(code=502, message="down")))

    assert driver.types(events) == ["mcp_list_tools.failed", "conversation.item.done"]
    assert events[1]["item"]["tools"] == []


def test_a_secret_is_never_shown() -> None:
    driver = listed()

    updated(driver, instructions="x")

    assert "secret" not in str(driver.events)
    assert driver.events[1]["session"]["tools"][0]["authorization"] == "[redacted]"
    assert "secret-token" not in repr(listing_of(driver))


def test_the_same_label_is_not_listed_again_even_with_redacted_secrets() -> None:
    driver = listed()
    shown = driver.events[1]["session"]["tools"]

    events = updated(driver, tools=shown)

    assert driver.types(events) == ["session.updated"]
    assert len(driver.asked(ListMcpTools)) == 1


def test_another_address_under_the_same_label_is_listed_anew() -> None:
    driver = listed()

    updated(driver, tools=[SERVER | {"server_url": "https://other.example/mcp"}])

    assert [asked.server.url for asked in driver.asked(ListMcpTools)][-1] == "https://other.example/mcp"


def test_a_redacted_secret_of_an_unknown_server_is_refused() -> None:
    events = updated(opened(), tools=[SERVER | {"authorization": "[redacted]"}])

    assert errors(events) == [("invalid_value", "session.tools[0].authorization")]


def test_a_server_that_is_replaced_while_it_is_listed_is_given_up() -> None:
    driver = opened()
    updated(driver, tools=[SERVER])
    first = listing_of(driver).item_id

    events = updated(driver, tools=[SERVER | {"server_url": "https://other.example/mcp"}])
    late = driver.post(McpToolsListed(first, (SEARCH,)))

    assert driver.asked(CancelMcp) == [CancelMcp(first)]
    assert driver.types(events)[1:3] == ["mcp_list_tools.failed", "conversation.item.done"]
    assert late == []


@pytest.mark.parametrize("where", ["session", "response"])
def test_a_server_that_is_not_allowed_is_refused(where: str) -> None:
    driver = opened("elsewhere.example")
    event: Json = {"type": "response.create", "response": {"tools": [SERVER]}}

    events = updated(driver, tools=[SERVER]) if where == "session" else driver.client(event)

    assert errors(events) == [("invalid_value", f"{where}.tools[0].server_url")]
    assert driver.asked(ListMcpTools) == [] and driver.asked(Generate) == []


def test_a_call_runs_within_the_response_and_its_result_is_told() -> None:
    driver = listed()

    call = called(driver)
    returned = driver.post(McpCallReturned(call.item_id, "found it"))
    again: Generate = driver.asked(Generate)[-1]
    told = driver.post(TextGenerated(again.response_id, "Here it is."))
    ended = driver.post(GenerationFinished(again.response_id))

    assert (call.name, call.arguments) == ("search", '{"q":"x"}')
    assert driver.types(returned) == [
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
    ]
    assert returned[-1]["item"]["output"] == "found it"
    assert again.request.items == (
        ContextToolCall(call.item_id, "search", '{"q":"x"}'),
        ContextToolOutput(call.item_id, "found it"),
    )
    assert driver.types(told)[0] == "response.output_item.added"
    assert [item["type"] for item in ended[-1]["response"]["output"]] == ["mcp_call", "message"]
    assert ended[-1]["response"]["status"] == "completed"


def test_what_was_said_before_a_call_is_known_after_it() -> None:
    driver = listed()
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    driver.post(TextGenerated(response_id, "Let me look."))
    driver.post(ToolCallGenerated(response_id, "search", "{}"))
    driver.post(GenerationFinished(response_id))

    driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "x"))

    assert driver.asked(Generate)[-1].request.items[0] == ContextMessage("assistant", "Let me look.")


def test_a_result_that_comes_before_the_generator_ends_waits_for_it() -> None:
    driver = listed()
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    driver.post(ToolCallGenerated(response_id, "search", "{}"))

    driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "x"))
    asked_before = len(driver.asked(Generate))
    driver.post(GenerationFinished(response_id))

    assert (asked_before, len(driver.asked(Generate))) == (1, 2)


def test_several_calls_return_in_any_order_before_the_next_round() -> None:
    driver = listed(SEARCH, READ)
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    for name in ("search", "read"):
        driver.post(ToolCallGenerated(response_id, name, "{}"))
    driver.post(GenerationFinished(response_id))
    first, second = driver.asked(CallMcpTool)

    driver.post(McpCallReturned(second.item_id, "b"))
    rounds_before = len(driver.asked(Generate))
    driver.post(McpCallReturned(first.item_id, "a"))

    assert (rounds_before, len(driver.asked(Generate))) == (1, 2)
    assert [item.output for item in driver.asked(Generate)[-1].request.items[1::2]] == ["a", "b"]


def test_a_failed_call_is_told_to_the_generator_and_the_client() -> None:
    driver = listed()
    call = called(driver)

    events = driver.post(McpCallFailed(call.item_id, McpToolExecutionError(message="no such page")))

    assert driver.types(events)[0] == "response.mcp_call.failed"
    assert events[-1]["item"]["error"] == {"type": "tool_execution_error", "message": "no such page"}
    assert driver.asked(Generate)[-1].request.items[-1].output == "The tool failed: no such page"


def test_a_cancelled_response_gives_its_calls_up() -> None:
    driver = listed()
    call = called(driver)

    events = driver.client({"type": "response.cancel"})
    late = driver.post(McpCallReturned(call.item_id, "late"))

    assert driver.asked(CancelMcp) == [CancelMcp(call.item_id)]
    assert driver.types(events) == [
        "response.mcp_call.failed",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert late == []


def test_a_client_that_leaves_gives_up_calls_and_listings() -> None:
    driver = listed()
    call = called(driver)
    updated(driver, tools=[SERVER | {"server_label": "more"}])

    driver.post(Disconnected())

    assert {output.item_id for output in driver.asked(CancelMcp)} == {call.item_id, listing_of(driver).item_id}


def test_a_tool_that_needs_approval_is_asked_for_and_made_when_it_is_given() -> None:
    driver = listed(require_approval="always")
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    asked = driver.post(ToolCallGenerated(response_id, "search", '{"q":1}'))
    driver.post(GenerationFinished(response_id))
    request = asked[-1]["item"]

    approved = approve(driver, request["id"], True)

    assert driver.types(asked) == [
        "response.output_item.added",
        "conversation.item.added",
        "conversation.item.done",
        "response.output_item.done",
    ]
    assert (request["type"], request["name"], request["arguments"]) == ("mcp_approval_request", "search", '{"q":1}')
    assert driver.types(approved)[:3] == ["conversation.item.added", "conversation.item.done", "response.created"]
    assert driver.asked(CallMcpTool)[-1].arguments == '{"q":1}'
    assert approved[3]["item"]["approval_request_id"] == request["id"]
    assert len(driver.asked(Generate)) == 1
    call_id = driver.asked(CallMcpTool)[-1].item_id
    driver.post(McpCallReturned(call_id, "found"))
    assert driver.asked(Generate)[-1].request.items == (
        ContextToolCall(call_id, "search", '{"q":1}'),
        ContextToolOutput(call_id, "found"),
    )


def approve(driver: SessionDriver, request_id: str, approve: bool, **answer: Any) -> list[Json]:
    item = {"type": "mcp_approval_response", "approval_request_id": request_id, "approve": approve, **answer}
    return driver.client({"type": "conversation.item.create", "item": item})


def asked_for(driver: SessionDriver) -> str:
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    events = driver.post(ToolCallGenerated(response_id, "search", "{}"))
    driver.post(GenerationFinished(response_id))
    request_id: str = events[-1]["item"]["id"]
    return request_id


def test_a_refused_call_is_not_made_and_the_generator_learns_why() -> None:
    driver = listed(require_approval="always")
    request_id = asked_for(driver)

    events = approve(driver, request_id, False, reason="Not now.")
    driver.client({"type": "response.create"})

    assert driver.types(events) == ["conversation.item.added", "conversation.item.done"]
    assert driver.asked(CallMcpTool) == []
    assert driver.asked(Generate)[-1].request.items == (
        ContextToolCall(request_id, "search", "{}"),
        ContextToolOutput(request_id, "The user did not approve this call. Not now."),
    )


def test_approval_during_another_response_waits_for_its_end() -> None:
    driver = listed(require_approval="always")
    request_id = asked_for(driver)
    driver.client({"type": "response.create"})
    other = driver.last_generation()

    during = approve(driver, request_id, True)
    after = driver.post(GenerationFinished(other))

    assert driver.types(during) == ["conversation.item.added", "conversation.item.done"]
    assert driver.types(after)[:2] == ["response.done", "response.created"]
    assert len(driver.asked(CallMcpTool)) == 1


@pytest.mark.parametrize("request_id", ["item_unknown", "answered"])
def test_an_answer_to_no_open_request_is_refused(request_id: str) -> None:
    driver = listed(require_approval="always")
    if request_id == "answered":
        request_id = asked_for(driver)
        approve(driver, request_id, False)

    events = approve(driver, request_id, True)

    assert errors(events) == [("invalid_value", "item.approval_request_id")]


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("never", []),
        ("always", ["search", "read", "erase"]),
        ({"never": {"read_only": True}}, ["search", "erase"]),
        ({"never": {"tool_names": ["search"]}}, ["read", "erase"]),
        ({"always": {"tool_names": ["erase"]}, "never": {"tool_names": ["erase", "read"]}}, ["search", "erase"]),
        (None, ["search", "read", "erase"]),
    ],
)
def test_approval_is_needed_unless_the_client_says_that_it_is_not(rule: Any, names: list[str]) -> None:
    driver = listed(SEARCH, READ, ERASE, require_approval=rule)
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()

    for name in ("search", "read", "erase"):
        driver.post(ToolCallGenerated(response_id, name, "{}"))

    requests = [e["item"]["name"] for e in driver.events if e["type"] == "response.output_item.added"]
    made = [call.name for call in driver.asked(CallMcpTool)]
    assert [name for name in requests if name not in made] == names


@pytest.mark.parametrize(
    ("allowed", "names"),
    [(["read"], ["read"]), ({"read_only": True}, ["read"]), ({"tool_names": ["erase"]}, ["erase"]), ([], [])],
)
def test_only_allowed_tools_are_offered(allowed: Any, names: list[str]) -> None:
    driver = listed(SEARCH, READ, ERASE, allowed_tools=allowed)

    driver.client({"type": "response.create"})

    assert [spec.name for spec in driver.asked(Generate)[-1].request.tools] == names


def test_a_name_that_a_function_has_is_offered_with_its_label() -> None:
    driver = listed()
    updated(driver, tools=[{"type": "function", "name": "search"}, SERVER])
    driver.client({"type": "response.create"})

    names = [spec.name for spec in driver.asked(Generate)[-1].request.tools]
    driver.post(ToolCallGenerated(driver.last_generation(), "docs__search", "{}"))

    assert names == ["search", "docs__search"]
    assert driver.asked(CallMcpTool)[-1].name == "search"


def test_names_that_no_generator_takes_are_offered_in_a_form_that_it_does() -> None:
    odd = [
        McpListedTool(name=name, input_schema={}) for name in ("files/read me", "files.read me", "x" * 128, "x" * 70)
    ]
    driver = listed(*odd)
    driver.client({"type": "response.create"})

    names = [spec.name for spec in driver.asked(Generate)[-1].request.tools]
    driver.post(ToolCallGenerated(driver.last_generation(), names[1], "{}"))

    assert names[0] == "files_read_me"
    assert len(set(names)) == 4 and all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", name) for name in names)
    assert driver.asked(CallMcpTool)[-1].name == "files.read me"


@pytest.mark.parametrize(
    ("changes", "param"),
    [({"authorization": "a\nb"}, "authorization"), ({"headers": {"host": "x"}}, "headers")],
)
def test_credentials_that_cannot_be_sent_are_refused(changes: Json, param: str) -> None:
    (code, found) = errors(updated(opened(), tools=[SERVER | changes]))[0]

    assert code == "invalid_value" and str(found).startswith(f"session.tools[0].{param}")


def test_a_function_call_beside_an_mcp_call_ends_the_response_for_the_client_to_answer() -> None:
    driver = listed()
    updated(driver, tools=[{"type": "function", "name": "own"}, SERVER])
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    for name in ("search", "own"):
        driver.post(ToolCallGenerated(response_id, name, "{}"))
    driver.post(GenerationFinished(response_id))

    events = driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "x"))

    assert driver.types(events)[-1] == "response.done"
    assert len(driver.asked(Generate)) == 1


def test_a_response_waits_for_tools_that_are_being_listed_but_not_for_ever() -> None:
    driver = opened()
    updated(driver, tools=[SERVER], output_modalities=["text"])

    driver.client({"type": "response.create"})
    asked_at_once = len(driver.asked(Generate))
    driver.advance(3.1)

    assert (asked_at_once, len(driver.asked(Generate))) == (0, 1)
    assert driver.asked(Generate)[-1].request.tools == ()
    assert driver.advance(60) == []


def test_a_response_begins_as_soon_as_its_tools_are_listed() -> None:
    driver = opened()
    updated(driver, tools=[SERVER], output_modalities=["text"])
    driver.client({"type": "response.create"})

    driver.post(McpToolsListed(listing_of(driver).item_id, (SEARCH,)))

    assert [spec.name for spec in driver.asked(Generate)[-1].request.tools] == ["search"]


@pytest.mark.parametrize(
    ("choice", "expected", "names"),
    [
        ({"type": "mcp", "server_label": "docs", "name": "read"}, "function:read", ["own", "search", "read"]),
        ({"type": "mcp", "server_label": "docs"}, "required", ["search", "read"]),
        ("required", "required", ["own", "search", "read"]),
    ],
)
def test_a_server_or_one_of_its_tools_can_be_forced_for_one_round(choice: Any, expected: str, names: list[str]) -> None:
    driver = listed(SEARCH, READ)
    updated(driver, tools=[{"type": "function", "name": "own"}, SERVER])
    driver.client({"type": "response.create", "response": {"tool_choice": choice}})
    request = driver.asked(Generate)[-1].request
    driver.post(ToolCallGenerated(driver.last_generation(), "read", "{}"))
    driver.post(GenerationFinished(driver.last_generation()))
    driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "x"))

    assert (request.tool_choice, [spec.name for spec in request.tools]) == (expected, names)
    assert driver.asked(Generate)[-1].request.tool_choice == "auto"


def test_a_server_that_is_still_listed_cannot_be_forced() -> None:
    driver = opened()
    updated(driver, tools=[SERVER])
    choice = {"type": "mcp", "server_label": "docs"}

    events = driver.client({"type": "response.create", "response": {"tool_choice": choice}})

    assert errors(events) == [("bad_response_create", "response.tool_choice.server_label")]


def test_a_tool_that_the_server_does_not_have_cannot_be_forced() -> None:
    choice = {"type": "mcp", "server_label": "docs", "name": "nothing"}

    events = listed().client({"type": "response.create", "response": {"tool_choice": choice}})

    assert errors(events) == [("invalid_value", "response.tool_choice.name")]


def test_rounds_have_an_end() -> None:
    driver = listed()
    called(driver)
    for _ in range(20):
        if not driver.session.next_deadline() or driver.types()[-1] == "response.done":
            break
        driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "x"))
        if driver.types()[-1] == "response.done":
            break
        driver.post(ToolCallGenerated(driver.last_generation(), "search", "{}"))
        driver.post(GenerationFinished(driver.last_generation()))

    assert len(driver.asked(Generate)) == 8
    assert driver.asked(Generate)[-1].request.tool_choice == "none"
    assert driver.types()[-1] == "response.done"


def test_out_of_band_only_tools_without_approval_are_offered() -> None:
    driver = listed(SEARCH, READ, require_approval={"never": {"tool_names": ["read"]}})

    driver.client({"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"]}})

    assert [spec.name for spec in driver.asked(Generate)[-1].request.tools] == ["read"]


def test_history_of_mcp_items_can_be_given_back() -> None:
    driver = opened()
    items: list[Json] = [
        {"type": "mcp_list_tools", "id": "a", "server_label": "docs", "tools": []},
        {"type": "mcp_call", "id": "b", "server_label": "docs", "name": "search", "arguments": "{}", "output": "x"},
    ]

    for item in items:
        driver.client({"type": "conversation.item.create", "item": item})
    driver.client({"type": "response.create"})

    assert driver.asked(Generate)[-1].request.items == (
        ContextToolCall("b", "search", "{}"),
        ContextToolOutput("b", "x"),
    )
