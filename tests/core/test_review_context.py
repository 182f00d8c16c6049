"""What fits into a model's input, and what a response is said to have cost."""

from typing import Any

import pytest

from vivavoce.core.conversation import Conversation, Entry
from vivavoce.core.limits import MAX_ITEM_CHARACTERS
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.requests import ContextMessage, ContextToolOutput
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    CallMcpTool,
    Disconnected,
    Generate,
    GenerationFinished,
    ListMcpTools,
    McpCallReturned,
    McpToolsListed,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFinalized,
)
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.items import InputText, McpListedTool, Message
from vivavoce.testing.driver import SessionDriver, plain_session

Json = dict[str, Any]
SPEECH, SILENCE = [1.0] * 10, [0.0] * 16  # 320 ms, 512 ms
DOCS: Json = {
    "type": "mcp",
    "server_label": "docs",
    "server_url": "https://docs.example/mcp",
    "require_approval": "never",
}


def opened(limits: RateLimits | None = None, **policy: Any) -> SessionDriver:
    """Return a session that writes its answers."""
    core = LocalSession(plain_session(), CountingIds(), SessionPolicy(**policy), limits=limits)
    driver = SessionDriver(core)
    update(driver, output_modalities=["text"])
    return driver


def update(driver: SessionDriver, **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def create(driver: SessionDriver, **response: Any) -> list[Json]:
    return driver.client({"type": "response.create", "response": response})


def add(driver: SessionDriver, **item: Any) -> None:
    driver.client({"type": "conversation.item.create", "item": item})


def write(driver: SessionDriver, text: str) -> None:
    add(driver, type="message", role="user", content=[{"type": "input_text", "text": text}])


def call(driver: SessionDriver, call_id: str, output: str) -> None:
    add(driver, type="function_call", call_id=call_id, name="look_up", arguments="{}")
    add(driver, type="function_call_output", call_id=call_id, output=output)


def usage_of(events: list[Json]) -> Json:
    usage: Json = next(event["response"]["usage"] for event in events if event["type"] == "response.done")
    details = usage["input_token_details"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_tokens"] == details["text_tokens"] + details["audio_tokens"] + details["image_tokens"]
    assert 0 <= details["cached_tokens"] <= usage["input_tokens"]
    return usage


# What fits --------------------------------------------------------------------------------------------------------


def test_outputs_of_functions_count_when_the_oldest_items_are_left_out() -> None:
    driver = opened(context_tokens=502)
    for number in range(4):
        call(driver, f"call_{number}", f"{number}" * 800)  # 200 tokens each

    create(driver)

    outputs = [i.output for i in driver.asked(Generate)[-1].request.items if isinstance(i, ContextToolOutput)]
    assert [output[0] for output in outputs if output] == ["2", "3"]


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_a_result_stays_with_its_call_however_little_may_be_kept(ratio: float) -> None:
    driver = opened(context_tokens=302)
    update(driver, truncation={"type": "retention_ratio", "retention_ratio": ratio})
    write(driver, "a" * 400)
    write(driver, "b" * 400)
    call(driver, "call_1", "c" * 1_150)

    create(driver)

    request = driver.asked(Generate)[-1].request
    assert [type(item).__name__ for item in request.items] == ["ContextToolCall", "ContextToolOutput"]


def test_the_newest_words_stay_although_an_item_without_words_follows_them() -> None:
    driver = opened(context_tokens=302, mcp_hosts=("docs.example",))
    update(driver, truncation={"type": "retention_ratio", "retention_ratio": 0.0})
    write(driver, "a" * 800)
    write(driver, "b" * 800)
    update(driver, tools=[DOCS])
    driver.post(McpToolsListed(driver.asked(ListMcpTools)[-1].item_id, ()))

    create(driver)

    texts = [i.text[0] for i in driver.asked(Generate)[-1].request.items if isinstance(i, ContextMessage)]
    assert texts == ["b"]


def test_the_schemas_of_tools_take_room_too() -> None:
    driver = opened(context_tokens=402)
    schema = {"type": "object", "description": "d" * 800}  # 200 tokens and a few
    update(driver, tools=[{"type": "function", "name": "look_up", "parameters": schema}])
    for letter in "abc":
        write(driver, letter * 320)  # 80 tokens each

    create(driver)

    texts = [i.text[0] for i in driver.asked(Generate)[-1].request.items if isinstance(i, ContextMessage)]
    assert texts == ["b", "c"]


def test_a_context_that_is_too_long_is_measured_by_the_limit_that_counts() -> None:
    driver = opened()
    limits = {"post_instructions": 10}
    update(driver, truncation={"type": "retention_ratio", "retention_ratio": 1.0, "token_limits": limits})
    write(driver, "a" * 400)

    events = create(driver)

    message = events[-1]["response"]["status_details"]["error"]["message"]
    assert "about 102 tokens, the model takes 12" in message


def test_a_limit_of_nothing_leaves_instructions_only() -> None:
    driver = opened()
    limits = {"post_instructions": 0}
    update(driver, truncation={"type": "retention_ratio", "retention_ratio": 0.0, "token_limits": limits})

    create(driver)

    assert driver.asked(Generate)[-1].request.items == ()


def test_a_message_that_was_left_out_and_then_deleted_may_come_back_under_its_id() -> None:
    driver = opened(context_tokens=152)
    add(driver, type="message", id="item_a", role="user", content=[{"type": "input_text", "text": "a" * 400}])
    write(driver, "b" * 400)
    create(driver)
    driver.post(GenerationFinished(driver.last_generation()))
    driver.client({"type": "conversation.item.delete", "item_id": "item_a"})
    add(driver, type="message", id="item_a", role="user", content=[{"type": "input_text", "text": "again"}])

    create(driver)

    texts = [i.text for i in driver.asked(Generate)[-1].request.items if isinstance(i, ContextMessage)]
    assert texts[-1] == "again"


# What it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(-5, -3, -9), (3, 7, 90), (0, 0, 5)])
def test_whatever_a_generator_counts_the_usage_adds_up(counts: tuple[int, int, int]) -> None:
    driver = opened()
    write(driver, "a" * 40)
    create(driver)
    response_id = driver.last_generation()
    driver.post(TextGenerated(response_id, "Twelve chars"))

    tokens_in, tokens_out, cached = counts
    events = driver.post(GenerationFinished(response_id, tokens_in, tokens_out, "stop", cached))

    usage = usage_of(events)
    assert usage["output_tokens"] >= 0 and usage["input_token_details"]["text_tokens"] >= 0


def test_a_round_that_was_not_counted_is_estimated_beside_the_others() -> None:
    driver = opened(mcp_hosts=("docs.example",))
    update(driver, tools=[DOCS])
    tools = (McpListedTool(name="search", input_schema={}),)
    driver.post(McpToolsListed(driver.asked(ListMcpTools)[-1].item_id, tools))
    create(driver)
    response_id = driver.last_generation()
    driver.post(ToolCallGenerated(response_id, "search", "{}"))
    driver.post(GenerationFinished(response_id, 50, 7))
    driver.post(McpCallReturned(driver.asked(CallMcpTool)[-1].item_id, "x"))
    driver.post(TextGenerated(response_id, "a" * 400))

    events = driver.client({"type": "response.cancel"})

    assert usage_of(events)["output_tokens"] == 107


def test_user_audio_that_was_left_out_of_the_context_is_not_counted() -> None:
    driver = opened(context_tokens=152)
    update(driver, audio={"input": {"turn_detection": {"type": "server_vad", "create_response": False}}})
    driver.hear(*SPEECH, *SILENCE)
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "a" * 400))
    write(driver, "b" * 400)

    create(driver)
    events = driver.post(GenerationFinished(driver.last_generation()))

    assert usage_of(events)["input_token_details"]["audio_tokens"] == 0


# Limits -----------------------------------------------------------------------------------------------------------


def test_a_client_that_leaves_before_the_end_is_charged_for_what_it_used() -> None:
    limits = RateLimits(tokens_per_min=100)
    driver = opened(limits)
    create(driver)
    driver.post(TextGenerated(driver.last_generation(), "a" * 4_000))

    driver.post(Disconnected())

    assert limits.report(driver.now)[0].remaining == 0


def test_a_refusal_tells_how_long_it_lasts() -> None:
    limits = RateLimits(tokens_per_min=60)
    driver = opened(limits)
    create(driver)
    driver.post(TextGenerated(driver.last_generation(), "a" * 1_200))
    driver.post(GenerationFinished(driver.last_generation()))

    events = create(driver)
    message = events[1]["response"]["status_details"]["error"]["message"]
    wait_s = int(message.rsplit("Try again in ", 1)[1].split(" s")[0])
    driver.advance(wait_s - 2)
    early = create(driver)
    driver.advance(2)
    late = create(driver)

    assert early[1]["response"]["status"] == "failed"
    assert driver.types(late) == ["response.created"]


def test_limits_are_told_after_every_end_of_a_response() -> None:
    driver = opened(RateLimits(requests_per_min=2))
    create(driver)
    cancelled = driver.client({"type": "response.cancel"})
    create(driver, conversation="none")
    finished = driver.post(GenerationFinished(driver.last_generation()))
    refused = create(driver)

    for events in (cancelled, finished, refused):
        assert driver.types(events)[-2:] == ["response.done", "rate_limits.updated"]


def test_what_clients_write_into_a_conversation_is_bounded_until_they_delete_some_of_it() -> None:
    conversation = Conversation("conv_1")
    text = "x" * (MAX_ITEM_CHARACTERS // 4 + 1)
    for number in range(3):
        conversation.insert(entry(f"item_{number}", text), None)

    with pytest.raises(ClientError) as refused:
        conversation.insert(entry("item_3", text), None)
    conversation.delete("item_0")
    conversation.insert(entry("item_4", text), "root")

    assert (refused.value.detail.code, refused.value.detail.param) == ("invalid_value", "item")
    assert conversation.ids() == ("item_4", "item_1", "item_2")


def entry(item_id: str, text: str) -> Entry:
    return Entry(item=Message(id=item_id, role="user", status="completed", content=(InputText(text),)))
