"""The generator over `/responses` against servers that behave, and that do not."""

import asyncio
from typing import Any

import pytest

from tests.engines.compatible_servers import (
    DEADLINE_S,
    KEY,
    Answer,
    Json,
    Server,
    breaks,
    gives,
    sse,
    stalls,
    started,
    streams,
)
from vivavoce.core.requests import (
    ContextImage,
    ContextMessage,
    ContextToolCall,
    ContextToolOutput,
    FunctionSpec,
    GenerationRequest,
)
from vivavoce.engines.base import EngineError, Finished, TextDelta, ToolCall
from vivavoce.engines.llm.compatible_generator import GeneratorSettings
from vivavoce.engines.llm.responses_api import responses_generator

HELLO = GenerationRequest(instructions="Be brief.", items=(ContextMessage("user", "Hello?"),))
USAGE = {"input_tokens": 20, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 16}, "total_tokens": 25}

Made = TextDelta | ToolCall | Finished


def event(type: str, **fields: Any) -> Json:
    return {"type": f"response.{type}", "sequence_number": 1, **fields}


def text(delta: str, index: int = 0) -> Json:
    return event("output_text.delta", item_id="msg_1", output_index=index, content_index=0, delta=delta)


def function(arguments: str, name: str = "get_weather") -> Json:
    return {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name, "arguments": arguments}


def completed(kind: str = "completed", **fields: Any) -> Json:
    return event(kind, response={"id": "resp_1", "object": "response", "status": kind, "usage": USAGE, **fields})


SPOKEN = sse(
    event("created", response={"id": "resp_1", "status": "in_progress", "output": [], "usage": None, "error": None}),
    event("output_item.added", output_index=0, item={"type": "message", "id": "msg_1", "content": []}),
    event("content_part.added", output_index=0, content_index=0, part={"type": "output_text", "text": ""}),
    text("Grüße, "),
    text("世界."),
    event("output_text.done", output_index=0, content_index=0, text="Grüße, 世界."),
    completed(output=[{"type": "message", "content": [{"type": "output_text", "text": "Grüße, 世界."}]}]),
)


def exchange(answer: Answer, request: GenerationRequest = HELLO, **options: Any) -> tuple[list[Made], Server]:
    server = Server(answer)

    async def run() -> list[Made]:
        async with asyncio.timeout(DEADLINE_S), server.listening():
            settings = GeneratorSettings(server.settings(), "small-model", **options)
            async with started(responses_generator(settings)) as generator:
                return [made async for made in generator.generate(request)]

    return asyncio.run(run()), server


def answers(*events: Json) -> list[Made]:
    return exchange(streams(sse(*events)))[0]


def failure(answer: Answer) -> EngineError:
    with pytest.raises(EngineError) as failed:
        exchange(answer)
    assert KEY not in str(failed.value)
    return failed.value


# The answer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece_bytes", [0, 1, 7])
def test_text_comes_once_and_ends_with_the_servers_usage(piece_bytes: int) -> None:
    made, _ = exchange(streams(SPOKEN, piece_bytes=piece_bytes))

    assert made == [TextDelta("Grüße, "), TextDelta("世界."), Finished(20, 5, "stop", 16)]


def test_events_between_that_mean_nothing_here_are_passed_over() -> None:
    thinking = event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="Hm.")

    assert answers(event("queued"), thinking, text("Yes.", 1), event("of.tomorrow", x={}), completed())[:-1] == [
        TextDelta("Yes.")
    ]


def test_text_that_is_only_told_as_done_is_given() -> None:
    done = event("output_text.done", output_index=0, content_index=0, text="Yes.")

    assert answers(done, completed())[0] == TextDelta("Yes.")


def test_a_refusal_is_spoken_like_any_text() -> None:
    assert answers(event("refusal.delta", output_index=0, content_index=0, delta="No."), completed())[0] == TextDelta(
        "No."
    )


def test_calls_come_one_by_one_while_others_are_written() -> None:
    made = answers(
        event("output_item.added", output_index=0, item=function("")),
        event("output_item.added", output_index=1, item=function("", "get_time")),
        event("function_call_arguments.delta", output_index=0, delta='{"city"'),
        event("function_call_arguments.delta", output_index=1, delta='{"zone":'),
        event("function_call_arguments.delta", output_index=0, delta=':"Rom"}'),
        event("function_call_arguments.done", output_index=0, arguments='{"city":"Rom"}'),
        event("output_item.done", output_index=0, item=function('{"city":"Rom"}')),
        event("function_call_arguments.delta", output_index=1, delta='"CET"}'),
        event("output_item.done", output_index=1, item=function('{"zone":"CET"}', "get_time")),
        completed(output=[function('{"city":"Rom"}'), function('{"zone":"CET"}', "get_time")]),
    )

    assert made[:-1] == [ToolCall("get_weather", '{"city":"Rom"}'), ToolCall("get_time", '{"zone":"CET"}')]


def test_a_call_without_the_done_of_its_item_is_given_at_the_end() -> None:
    made = answers(
        event("output_item.added", output_index=0, item=function("")),
        event("function_call_arguments.delta", output_index=0, delta='{"city":"Rom"}'),
        completed(),
    )

    assert made[:-1] == [ToolCall("get_weather", '{"city":"Rom"}')]


def test_a_call_that_is_only_in_the_completed_response_is_given() -> None:
    assert answers(completed(output=[function("{}")]))[:-1] == [ToolCall("get_weather", "{}")]


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_an_incomplete_response_tells_why_and_leaves_out_a_call_that_was_cut_off(reason: str) -> None:
    made = answers(
        text("Well"),
        event("output_item.added", output_index=1, item=function('{"ci')),
        completed("incomplete", incomplete_details={"reason": reason}),
    )

    assert made == [TextDelta("Well"), Finished(20, 5, reason, 16)]  # type: ignore[arg-type]  # one of its literals


def test_a_server_that_does_not_stream_is_understood() -> None:
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hello."}]}
    whole = {"object": "response", "status": "completed", "output": [message, function("{}")], "usage": USAGE}

    made, _ = exchange(gives(whole))

    assert made == [TextDelta("Hello."), ToolCall("get_weather", "{}"), Finished(20, 5, "stop", 16)]


# The request --------------------------------------------------------------------------------------------------


def test_the_request_holds_the_conversation_and_is_not_stored() -> None:
    request = GenerationRequest(
        "Be brief.",
        (
            ContextMessage("user", "Look", images=(ContextImage("data:image/png;base64,aGk="),)),
            ContextMessage("assistant", "One moment."),
            ContextToolCall("a", "f", '{"x":1}'),
            ContextToolOutput("a", "1"),
            ContextMessage("user", ""),
        ),
        (FunctionSpec("f", "Does", {"type": "object"}),),
        "function:f",
    )

    _, server = exchange(streams(SPOKEN), request, sees_images=True)

    assert server.requests[0].path == "/v1/responses"
    assert server.requests[0].json == {
        "model": "small-model",
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look"},
                    {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"},
                ],
            },
            {"role": "assistant", "content": "One moment."},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":1}'},
            {"type": "function_call_output", "call_id": "a", "output": "1"},
        ],
        "tools": [
            {
                "type": "function",
                "name": "f",
                "description": "Does",
                "parameters": {"type": "object"},
                "strict": False,
            }
        ],
        "tool_choice": {"type": "function", "name": "f"},
        "stream": True,
        "store": False,
    }


# Failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code", "is_retryable"),
    [
        (streams(sse(text("a"), completed("failed", error={"code": "server_error"}))), "server_error", True),
        (streams(sse({"type": "error", "code": "rate_limit_exceeded", "message": KEY})), "engine_unavailable", True),
        (streams(sse({"error": {"code": "invalid_prompt"}})), "server_error", False),
        (streams(sse(text("a"), event("cancelled"))), "engine_unavailable", True),
        (streams(sse(text("a"))), "engine_unavailable", True),
        (streams(sse(text("a"), '{"type":')), "server_error", False),
        (breaks(sse(text("a"))), "engine_unavailable", True),
        (gives({"object": "response", "status": "failed", "error": {"code": "x"}}), "server_error", False),
        (gives({"error": {"message": KEY}}, "401 No"), "engine_unavailable", False),
    ],
)
def test_failures_are_told_by_their_kind(answer: Answer, code: str, is_retryable: bool) -> None:
    error = failure(answer)

    assert (error.code, error.is_retryable) == (code, is_retryable)


def test_closing_the_stream_hangs_up_on_the_server_at_once() -> None:
    server = Server(stalls(sse(text("Once"))))

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), server.listening():
            async with started(responses_generator(GeneratorSettings(server.settings(), "m"))) as generator:
                stream = generator.generate(HELLO)
                assert await anext(stream) == TextDelta("Once")
                await stream.aclose()  # type: ignore[attr-defined]  # a generator has it, its interface does not say so
                await server.hung_up.wait()

    asyncio.run(run())
