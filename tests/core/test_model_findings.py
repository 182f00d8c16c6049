"""What random conversations and the model check found in the core, each as the shortest conversation that shows it."""

from tests.core.conversations import BROKE, FAULT, REMOTE, create_item, opened, take_engine_step, take_turn, update
from vivavoce.core.conversation import Entry
from vivavoce.core.truncation import fit_context
from vivavoce.core.vocabulary import (
    CallMcpTool,
    DetectionFailed,
    GenerationFinished,
    McpCallFailed,
    SpeechScored,
    ToolCallGenerated,
    TranscriptFailed,
)
from vivavoce.protocol.items import FunctionCall, FunctionCallOutput, InputText, Message
from vivavoce.protocol.session import RetentionRatio, TokenLimits
from vivavoce.testing.driver import SessionDriver


def test_scores_of_windows_from_before_a_failure_of_the_detector_begin_no_turn() -> None:
    driver = SessionDriver()
    driver.hear(*[0.0] * 4)
    driver.client({"type": "input_audio_buffer.append", "audio": "AAAA" * 8000})
    driver.post(DetectionFailed(1, FAULT))

    late = [driver.post(SpeechScored(1, 768 * window, 1.0)) for window in range(5, 9)]

    assert late == [[]] * 4


def asked_for_approval() -> SessionDriver:
    """Return a session where the client is asked to approve a call, and the words of a turn are still to come."""
    driver = opened()
    update(driver, tools=[REMOTE], audio={"input": {"turn_detection": {"type": "server_vad"}}})
    take_engine_step(driver, ("listed", True))
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    driver.post(ToolCallGenerated(response_id, "search", "{}"))
    update(driver, audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 64}}})
    driver.post(GenerationFinished(response_id))
    take_turn(driver, None)
    return driver


def approve(driver: SessionDriver) -> list[str]:
    asked = next(e["item"] for e in driver.events if e.get("item", {}).get("type") == "mcp_approval_request")
    answer = {"type": "mcp_approval_response", "approval_request_id": asked["id"], "approve": True}
    return driver.types(driver.client(create_item(answer)))


def test_cancelling_the_response_that_waits_to_make_an_approved_call_brings_no_other() -> None:
    driver = asked_for_approval()
    driver.advance(0.4)
    driver.client({"type": "response.cancel"})
    approved = approve(driver)

    cancelled = driver.types(driver.client({"type": "response.cancel"}))

    assert approved[-1] == "response.created"
    assert cancelled == ["response.done"]


def test_an_approved_call_is_made_although_the_words_of_the_turn_before_it_were_lost() -> None:
    driver = asked_for_approval()
    approve(driver)
    driver.advance(0.4)

    driver.post(TranscriptFailed(driver.last_finished_transcript(), FAULT))
    (call,) = driver.asked(CallMcpTool)
    ended = driver.types(driver.post(McpCallFailed(call.item_id, BROKE)))

    assert ended[0] == "response.mcp_call.failed"
    assert driver.checker.finish(is_cut=True) == []


# Contexts -----------------------------------------------------------------------------------------------------


def test_what_tools_returned_counts_when_the_context_is_cut() -> None:
    call = FunctionCall(id="call", name="look", call_id="call_1", arguments="{}")
    result = FunctionCallOutput(id="result", call_id="call_1", output="x" * 300)
    question = Message(id="question", role="user", content=(InputText("x" * 100),))
    entries = [Entry(item=question, text="x" * 100), Entry(item=call), Entry(item=result)]

    count, items = fit_context(entries, "auto", limit_tokens=90, fixed_tokens=0)

    assert (count, len(items)) == (1, 2)


def test_a_result_that_is_kept_keeps_its_call() -> None:
    call = FunctionCall(id="call", name="look", call_id="call_1", arguments="{}")
    result = FunctionCallOutput(id="result", call_id="call_1", output="x" * 300)
    truncation = RetentionRatio(retention_ratio=0.0, token_limits=TokenLimits(post_instructions=80))
    question = Message(id="question", role="user", content=(InputText("x" * 100),))
    entries = [Entry(item=question, text="x" * 100), Entry(item=call), Entry(item=result)]

    count, items = fit_context(entries, truncation, limit_tokens=90, fixed_tokens=0)

    assert (count, len(items)) == (1, 2)
