"""The generator over `/chat/completions` against servers that behave, and that do not."""

import asyncio
import contextlib
import logging
from typing import Any

import pytest

from tests.engines.compatible_servers import (
    DEADLINE_S,
    KEY,
    Answer,
    Json,
    Out,
    Request,
    Server,
    breaks,
    gives,
    pauses,
    sse,
    stalls,
    started,
    streams,
    vanishes,
)
from vivavoce.core.requests import (
    ContextImage,
    ContextItem,
    ContextMessage,
    ContextToolCall,
    ContextToolOutput,
    FunctionSpec,
    GenerationRequest,
)
from vivavoce.engines.base import EngineError, Finished, TextDelta, ToolCall
from vivavoce.engines.compatible.settings import CompatibleServer, Timeouts
from vivavoce.engines.llm.chat_completions import chat_completions_generator
from vivavoce.engines.llm.compatible_generator import CompatibleGenerator, GeneratorSettings

HELLO = GenerationRequest(instructions="Be brief.", items=(ContextMessage("user", "Hello?"),))
WEATHER = FunctionSpec("get_weather", "Weather of a city", {"type": "object", "properties": {"city": {}}})
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 16}}

Made = TextDelta | ToolCall | Finished


def delta(finish_reason: str | None = None, **fields: Any) -> Json:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}],
        "usage": None,
    }


def piece(index: int | None, name: str | None = None, arguments: str | None = None, id: str | None = None) -> Json:
    fields = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return delta(tool_calls=[{key: value for key, value in fields.items() if value is not None}])


SPOKEN = sse(
    delta(role="assistant", content=""),
    delta(content="Grüße, "),
    delta(content="世界."),
    delta("stop"),
    {"choices": [], "usage": USAGE},
    "[DONE]",
)


def answers(answer: Answer | list[Answer], request: GenerationRequest = HELLO, **options: Any) -> list[Made]:
    """Return all that one generation makes; the options are those of the settings."""
    made, _ = exchange(answer, request, **options)
    return made


def exchange(
    answer: Answer | list[Answer], request: GenerationRequest = HELLO, **options: Any
) -> tuple[list[Made], Server]:
    server = Server(*(answer if isinstance(answer, list) else [answer]))

    async def run() -> list[Made]:
        async with asyncio.timeout(DEADLINE_S), server.listening():
            timeouts = options.pop("timeouts", None)
            settings = GeneratorSettings(server.settings(timeouts), "small-model", **options)
            async with started(chat_completions_generator(settings)) as generator:
                return [event async for event in generator.generate(request)]

    return asyncio.run(run()), server


def failure(answer: Answer | list[Answer], **options: Any) -> EngineError:
    with pytest.raises(EngineError) as failed:
        answers(answer, **options)
    assert KEY not in str(failed.value)
    return failed.value


def body_of(request: GenerationRequest, **options: Any) -> Json:
    """Return the body that is sent for a request."""
    _, server = exchange(streams(SPOKEN), request, **options)
    return server.requests[0].json


def conversation(*items: ContextItem, **options: Any) -> list[Json]:
    messages: list[Json] = body_of(GenerationRequest("", items), **options)["messages"]
    return messages


# Text ---------------------------------------------------------------------------------------------------------


def test_text_comes_as_it_is_streamed_and_ends_with_the_servers_usage() -> None:
    assert answers(streams(SPOKEN)) == [TextDelta("Grüße, "), TextDelta("世界."), Finished(20, 5, "stop", 16)]


def test_an_answer_that_comes_byte_by_byte_is_the_same() -> None:
    assert answers(streams(SPOKEN, piece_bytes=1)) == answers(streams(SPOKEN))


def test_a_server_that_does_not_stream_is_understood() -> None:
    message = {"role": "assistant", "content": "Hello.", "tool_calls": None}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}

    assert answers(gives(whole)) == [TextDelta("Hello."), Finished(20, 5, "stop", 16)]


def test_without_usage_tokens_are_estimated() -> None:
    stream = sse(delta(content="Eight ch"), delta("stop"), "[DONE]")

    assert answers(streams(stream))[-1] == Finished(input_tokens=3 + 2, output_tokens=2)


def test_a_refusal_is_spoken_like_any_text() -> None:
    stream = sse(delta(refusal="I cannot "), delta(refusal="do that."), delta("stop"), "[DONE]")

    assert answers(streams(stream))[:2] == [TextDelta("I cannot "), TextDelta("do that.")]


@pytest.mark.parametrize(
    ("reason", "end"), [("length", "max_output_tokens"), ("content_filter", "content_filter"), ("eos", "stop")]
)
def test_the_reason_of_the_end_is_told(reason: str, end: str) -> None:
    finished = answers(streams(sse(delta(content="Well"), delta(reason), "[DONE]")))[-1]

    assert isinstance(finished, Finished)
    assert finished.reason == end


def test_a_stream_that_ends_after_its_finish_reason_without_done_is_whole() -> None:
    assert answers(streams(sse(delta(content="Yes."), delta("stop"))))[0] == TextDelta("Yes.")


def test_what_a_model_thinks_is_not_spoken() -> None:
    stream = sse(delta(reasoning_content="Hm."), delta(content="Yes."), delta("stop"), "[DONE]")

    assert answers(streams(stream))[:-1] == [TextDelta("Yes.")]


def test_a_server_that_stays_open_after_the_end_does_not_hold_the_answer() -> None:
    stream = sse(delta(content="Yes."), delta("stop"))

    assert len(answers(stalls(stream))) == 2


def test_the_connection_is_used_again_after_a_whole_answer() -> None:
    server = Server(streams(SPOKEN))

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), server.listening():
            settings = GeneratorSettings(server.settings(), "m")
            async with started(chat_completions_generator(settings)) as generator:
                for _ in range(3):
                    _ = [event async for event in generator.generate(HELLO)]

    asyncio.run(run())

    assert (len(server.requests), len(server.connections)) == (3, 1)


# Calls --------------------------------------------------------------------------------------------------------

PARALLEL = [ToolCall("get_weather", '{"city":"Rom"}'), ToolCall("get_time", '{"zone":"CET"}')]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [
                piece(0, "get_weather", "", "call_a"),
                piece(0, arguments='{"ci'),
                piece(0, arguments='ty":"Rom"}'),
                piece(1, "get_time", "", "call_b"),
                piece(1, arguments='{"zone":"CET"}'),
            ],
            id="as documented",
        ),
        pytest.param(
            [
                piece(0, "get_weather", '{"city":', "call_a"),
                piece(1, "get_time", '{"zone":', "call_b"),
                piece(0, arguments='"Rom"}'),
                piece(1, arguments='"CET"}'),
            ],
            id="interleaved",
        ),
        pytest.param(
            [piece(0, "get_weather", '{"city":"Rom"}', "a"), piece(0, "get_time", '{"zone":"CET"}', "b")],
            id="all at index 0",
        ),
        pytest.param(
            [piece(None, "get_weather", '{"city":"Rom"}'), piece(None, "get_time", '{"zone":"CET"}')],
            id="neither index nor id",
        ),
        pytest.param(
            [
                piece(0, "get_weather", '{"city":'),
                piece(0, "get_weather", '"Rom"}'),
                piece(1, "get_time", '{"zone"'),
                piece(1, "get_time", ':"CET"}'),
            ],
            id="names repeated, no ids",
        ),
    ],
)
def test_parallel_calls_are_put_together(pieces: list[Json]) -> None:
    stream = sse(*pieces, delta("tool_calls"), "[DONE]")

    assert answers(streams(stream))[:-1] == PARALLEL


def test_the_same_function_may_be_called_twice_without_ids() -> None:
    stream = sse(piece(0, "roll", '{"n":1}'), piece(0, "roll", '{"n":2}'), delta("tool_calls"), "[DONE]")

    assert answers(streams(stream))[:-1] == [ToolCall("roll", '{"n":1}'), ToolCall("roll", '{"n":2}')]


def test_the_same_function_may_be_called_twice_at_one_index_with_ids() -> None:
    stream = sse(piece(0, "roll", '{"n":1}', "a"), piece(0, "roll", '{"n":2}', "b"), delta("tool_calls"), "[DONE]")

    assert answers(streams(stream))[:-1] == [ToolCall("roll", '{"n":1}'), ToolCall("roll", '{"n":2}')]


@pytest.mark.parametrize("size", range(1, 16))
def test_arguments_may_be_split_anywhere(size: int) -> None:
    arguments = '{"city":"Zürich"}'
    parts = [arguments[at : at + size] for at in range(0, len(arguments), size)]
    stream = sse(piece(0, "get_weather", ""), *(piece(0, arguments=part) for part in parts), delta("stop"), "[DONE]")

    assert answers(streams(stream))[:-1] == [ToolCall("get_weather", arguments)]


def test_arguments_as_an_object_become_text_and_none_an_empty_object() -> None:
    function = {"name": "a", "arguments": {"x": 1}}
    stream = sse(delta(tool_calls=[{"function": function}]), piece(1, "b"), delta("tool_calls"), "[DONE]")

    assert answers(streams(stream))[:-1] == [ToolCall("a", '{"x":1}'), ToolCall("b", "{}")]


def test_a_call_that_the_limit_cut_off_is_left_out() -> None:
    stream = sse(piece(0, "a", "{}", "1"), piece(1, "b", '{"x":', "2"), delta("length"), "[DONE]")

    assert answers(streams(stream))[:-1] == [ToolCall("a", "{}")]


# The request --------------------------------------------------------------------------------------------------


def test_the_request_has_the_key_the_model_and_asks_for_a_stream_with_usage() -> None:
    _, server = exchange(streams(SPOKEN), extra={"temperature": 0.5})
    request = server.requests[0]

    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept-encoding"] == "identity"
    assert request.json == {
        "model": "small-model",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
    }


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("function:get_weather", {"type": "function", "function": {"name": "get_weather"}}),
    ],
)
def test_tools_and_the_choice_among_them_are_sent(choice: str, sent: object) -> None:
    body = body_of(GenerationRequest("", HELLO.items, (WEATHER,), choice), asks_usage=False)

    assert body["tool_choice"] == sent
    function = {"name": "get_weather", "description": "Weather of a city", "parameters": WEATHER.parameters}
    assert body["tools"] == [{"type": "function", "function": function}]
    assert "stream_options" not in body


def call(call_id: str, name: str = "f") -> ContextToolCall:
    return ContextToolCall(call_id, name, "{}")


def sent_call(*ids: str, content: str | None = None) -> Json:
    calls = [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def sent_output(call_id: str, content: str) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def test_words_calls_and_outputs_of_a_turn_are_in_the_order_of_the_api() -> None:
    messages = conversation(
        ContextMessage("user", "go"),
        ContextMessage("assistant", "One moment."),
        call("a"),
        call("b"),
        ContextToolOutput("b", "2"),
        ContextToolOutput("a", "1"),
        call("c"),
        ContextToolOutput("c", "3"),
    )

    assert messages[1:] == [
        sent_call("a", "b", content="One moment."),
        sent_output("a", "1"),
        sent_output("b", "2"),
        sent_call("c"),
        sent_output("c", "3"),
    ]


def test_an_open_call_has_a_placeholder() -> None:
    messages = conversation(call("a"), ContextToolOutput("a", None), ContextMessage("user", "well?"))

    assert messages[0] == sent_call("a")
    assert messages[1]["role"] == "tool"
    assert "still running" in messages[1]["content"]
    assert messages[2] == {"role": "user", "content": "well?"}


def test_a_call_whose_output_came_after_more_words_stands_with_its_output() -> None:
    messages = conversation(
        call("a"),
        ContextMessage("user", "well?"),
        ContextMessage("assistant", "Wait."),
        ContextToolOutput("a", "1"),
    )

    assert messages == [
        {"role": "user", "content": "well?"},
        sent_call("a", content="Wait."),
        sent_output("a", "1"),
    ]


def test_an_output_whose_call_is_gone_and_empty_messages_are_left_out() -> None:
    messages = conversation(
        ContextToolOutput("gone", "1"),
        ContextMessage("user", "  "),
        ContextMessage("assistant", "", is_cut=True),
        ContextMessage("system", "Be kind."),
    )

    assert messages == [{"role": "system", "content": "Be kind."}]


def test_what_was_cut_off_is_marked() -> None:
    messages = conversation(ContextMessage("assistant", "Once upon a", is_cut=True))

    assert messages[0]["content"].startswith("Once upon a …")
    assert "interrupted" in messages[0]["content"]


def test_pictures_go_to_models_that_see_and_become_a_note_for_others() -> None:
    shown = ContextMessage("user", "Look", images=(ContextImage("data:image/png;base64,aGk=", "low"),))

    seen, unseen = conversation(shown, sees_images=True), conversation(shown)

    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}}
    assert seen[0]["content"] == [{"type": "text", "text": "Look"}, image]
    assert "cannot see" in unseen[0]["content"]


# Failures -----------------------------------------------------------------------------------------------------

ERROR = {"error": {"message": f"bad key {KEY}: Once upon a time", "type": "some_error", "code": KEY, "param": "x"}}


@pytest.mark.parametrize(
    ("status", "code", "is_retryable"),
    [
        (302, "engine_unavailable", False),
        (400, "server_error", False),
        (401, "engine_unavailable", False),
        (403, "engine_unavailable", False),
        (404, "engine_unavailable", False),
        (408, "engine_timeout", True),
        (409, "engine_unavailable", True),
        (422, "server_error", False),
        (429, "engine_unavailable", True),
        (500, "engine_unavailable", True),
        (503, "engine_unavailable", True),
        (504, "engine_timeout", True),
    ],
)
def test_an_http_error_is_told_without_the_key_and_the_servers_words(
    status: int, code: str, is_retryable: bool
) -> None:
    answer = gives(ERROR, f"{status} No", "retry-after: 0", "location: http://127.0.0.1:1/")

    error = failure(answer)

    assert (error.code, error.is_retryable, error.engine) == (code, is_retryable, "chat-completions")
    assert f"answered {status}" in str(error)
    assert "some_error x" in str(error)
    assert "Once upon" not in str(error)


@pytest.mark.parametrize("first", [gives({}, "429 No", "retry-after: 0"), gives({}, "503 No"), vanishes])
def test_there_is_one_more_try_before_the_answer_began(first: Answer) -> None:
    made, server = exchange([first, streams(SPOKEN)])

    assert made[0] == TextDelta("Grüße, ")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(gives({}, "429 No", "retry-after: 3600"), id="the wait is longer than the deadline"),
        pytest.param(gives({"error": {"code": "insufficient_quota"}}, "429 No"), id="no waiting helps"),
        pytest.param(gives({}, "500 No", "x-should-retry: false"), id="the server advises against it"),
        pytest.param(gives({}, "400 No"), id="the request is at fault"),
    ],
)
def test_there_is_no_second_try_where_it_cannot_help(first: Answer) -> None:
    failure([first, streams(SPOKEN)])


def test_a_second_failure_is_final() -> None:
    assert failure([gives({}, "503 No"), gives({}, "503 No"), streams(SPOKEN)]).is_retryable


def test_a_connection_that_breaks_within_the_answer_is_a_failure_without_a_second_try() -> None:
    error = failure([breaks(sse(delta(content="Once"))), streams(SPOKEN)])

    assert (error.code, error.is_retryable) == ("engine_unavailable", True)


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (sse(delta(content="a"), {"error": {"message": "no", "type": "server_error"}}), "server_error"),
        (sse(delta(content="a"), {"error": {"code": "rate_limit_exceeded"}}), "engine_unavailable"),
        (sse(delta(content="a"), {"error": "out of memory"}), "server_error"),
        (sse(delta(content="a"), delta("error")), "server_error"),
        (sse(delta(content="a")), "engine_unavailable"),
        (sse(delta(content="a"), '{"choices":'), "server_error"),
        (sse('{"choices": 5}'), "server_error"),
        (b"data: \xff\xfe\n\n", "server_error"),
        (sse("[" * 100_000), "server_error"),
        (b"data: " + b"x" * 1_100_000, "server_error"),
        (b"", "engine_unavailable"),
    ],
)
def test_an_error_or_garbage_within_the_stream_is_a_failure(stream: bytes, code: str) -> None:
    assert failure(streams(stream + b" ")).code == code


def test_a_stream_with_an_error_and_no_text_fails_too() -> None:
    assert failure(gives({"error": {"code": "model_overloaded"}})).code == "server_error"


def test_a_compressed_answer_is_refused() -> None:
    assert "compressed" in str(failure(gives({}, "200 OK", "content-encoding: gzip")))


def test_a_refused_connection_is_unavailable() -> None:
    async def run() -> None:
        async with Server(vanishes).listening() as server:
            settings = GeneratorSettings(server.settings(), "m")
        async with started(chat_completions_generator(settings)) as generator:
            _ = [event async for event in generator.generate(HELLO)]

    with pytest.raises(EngineError, match="does not accept connections") as failed:
        asyncio.run(run())

    assert failed.value.code == "engine_unavailable"


SHORT = Timeouts(connect_s=5.0, first_s=0.2, silence_s=0.2)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(stalls(), id="no answer"),
        pytest.param(pauses(*[b": waiting\n\n"] * 200, pause_s=0.05), id="comments only"),
        pytest.param(stalls(sse(delta(content="Once"))), id="silence in the middle"),
    ],
)
def test_silence_beyond_the_deadline_is_a_timeout(answer: Answer) -> None:
    assert failure(answer, timeouts=SHORT).code == "engine_timeout"


def test_nothing_is_asked_at_the_start_unless_it_is_wanted() -> None:
    unasked, asked = Server(gives({"data": []})), Server(gives({"data": []}))

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), unasked.listening(), asked.listening():
            for server, checks in ((unasked, False), (asked, True)):
                settings = GeneratorSettings(server.settings(checks_models=checks), "m")
                async with started(chat_completions_generator(settings)):
                    pass

    asyncio.run(run())

    assert unasked.connections == []
    assert [(request.method, request.path) for request in asked.requests] == [("GET", "/v1/models")]


def test_a_closed_engine_refuses() -> None:
    async def run() -> None:
        async with Server(streams(SPOKEN)).listening() as server:
            generator = chat_completions_generator(GeneratorSettings(server.settings(), "m"))
            await generator.start()
            await generator.close()
            await generator.close()
            _ = [event async for event in generator.generate(HELLO)]

    with pytest.raises(EngineError, match="closed"):
        asyncio.run(run())


def test_neither_the_key_nor_what_is_said_stands_in_any_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    stream = sse(delta(content="a secret word"), delta("stop"), "[DONE]")

    exchange([gives(ERROR, "503 No", "retry-after: 0"), streams(stream)])

    assert caplog.records
    assert all(text not in str(record.__dict__) for text in (KEY, "a secret word") for record in caplog.records)


# Cancelling ---------------------------------------------------------------------------------------------------


def test_closing_the_stream_hangs_up_on_the_server_at_once() -> None:
    server = Server(stalls(sse(delta(content="Once"))))

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), server.listening():
            settings = GeneratorSettings(server.settings(), "m")
            async with started(chat_completions_generator(settings)) as generator:
                stream = generator.generate(HELLO)
                assert await anext(stream) == TextDelta("Once")
                await stream.aclose()  # type: ignore[attr-defined]  # a generator has it, its interface does not say so
                await server.hung_up.wait()

    asyncio.run(run())


@pytest.mark.parametrize("answer", [stalls(), stalls(sse(delta(content="Once")))])
def test_cancelling_the_consumer_hangs_up_on_the_server_at_once(answer: Answer) -> None:
    server = Server(answer)

    async def consume(generator: CompatibleGenerator) -> None:
        async for _ in generator.generate(HELLO):
            pass

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), server.listening(), asyncio.TaskGroup() as tasks:
            settings = GeneratorSettings(server.settings(), "m")
            async with started(chat_completions_generator(settings)) as generator:
                task = tasks.create_task(consume(generator))
                await server.asked.wait()
                task.cancel()
                await server.hung_up.wait()

    asyncio.run(run())


def test_text_is_passed_on_before_the_server_writes_more() -> None:
    told = asyncio.Event()

    async def answer(request: Request, out: Out) -> None:
        out.head("text/event-stream")
        out.chunk(sse(delta(content="Once ")))
        await told.wait()
        out.chunk(sse(delta(content="more."), delta("stop"), "[DONE]"))
        out.chunk(b"")

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), Server(answer).listening() as server:
            settings = GeneratorSettings(server.settings(), "m")
            async with started(chat_completions_generator(settings)) as generator:
                texts = []
                async for event in generator.generate(HELLO):
                    told.set()
                    texts.append(event)
                assert texts[:2] == [TextDelta("Once "), TextDelta("more.")]

    asyncio.run(run())


def test_thoughts_in_the_answer_are_left_out_and_count_as_written() -> None:
    thinking = sse(
        delta(role="assistant", content="<thi"), delta(content="nk>Hm.</th"), delta(content="ink>\n\nHello."), "[DONE]"
    )

    made = answers(streams(thinking))

    assert made[:-1] == [TextDelta("Hello.")]
    assert isinstance(made[-1], Finished)
    assert made[-1].output_tokens == 7


def test_text_that_looked_like_a_tag_goes_before_a_call_and_before_the_end() -> None:
    call = sse(delta(content="a <"), piece(0, "get_weather", "{}", "c"), delta("tool_calls"), "[DONE]")
    text = sse(delta(content="a <"), delta("stop"), "[DONE]")

    assert answers(streams(call))[:-1] == [TextDelta("a "), TextDelta("<"), ToolCall("get_weather", "{}")]
    assert answers(streams(text))[:-1] == [TextDelta("a "), TextDelta("<")]


def test_neighbours_of_one_role_are_one_message() -> None:
    picture = ContextImage("data:image/png;base64,AA==")
    items = (
        ContextMessage("system", "Speak German."),
        ContextMessage("user", "One."),
        ContextMessage("user", "Two.", images=(picture,)),
        ContextMessage("assistant", "Well", is_cut=True),
        ContextMessage("assistant", "Yes."),
        ContextToolCall("c", "get_weather", "{}"),
        ContextToolOutput("c", "rain"),
        ContextMessage("user", "Three."),
    )

    _, server = exchange(streams(SPOKEN), GenerationRequest("Be brief.", items), sees_images=True)

    messages = server.requests[0].json["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "user"]
    assert messages[0]["content"] == "Be brief.\nSpeak German."
    assert [part["type"] for part in messages[1]["content"]] == ["text", "image_url"]
    assert messages[1]["content"][0]["text"] == "One.\nTwo."
    assert messages[2]["content"] == "Well … [interrupted by the user]\nYes."
    assert messages[2]["tool_calls"][0]["id"] == "c"


def test_query_parameters_go_with_every_request() -> None:
    async def run() -> list[str]:
        async with asyncio.timeout(DEADLINE_S), Server(gives({"data": []}), streams(SPOKEN)).listening() as server:
            azure = server.settings(query=(("api-version", "2024-10-21"), ("a b", "c&d")), checks_models=True)
            async with started(chat_completions_generator(GeneratorSettings(azure, "m"))) as generator:
                assert [made async for made in generator.generate(HELLO)]
            return [request.path for request in server.requests]

    query = "?api-version=2024-10-21&a+b=c%26d"
    assert asyncio.run(run()) == [f"/v1/models{query}", f"/v1/chat/completions{query}"]


def test_an_answer_that_does_not_end_is_given_up() -> None:
    words = [sse(delta(content=f"{number} ")) for number in range(1000)]
    error = failure(pauses(*words, pause_s=0.05), timeouts=Timeouts(total_s=0.3))

    assert error.code == "engine_timeout"
    assert "no end of the answer within 0.3 s" in str(error)


def test_whoever_reads_slowly_is_not_taken_for_a_silent_server() -> None:
    async def run() -> list[Made]:
        timeouts = Timeouts(first_s=5.0, silence_s=0.01, total_s=0.5)
        async with asyncio.timeout(DEADLINE_S), Server(streams(SPOKEN, piece_bytes=60)).listening() as server:
            async with started(chat_completions_generator(GeneratorSettings(server.settings(timeouts), "m"))) as engine:
                made = []
                async for one in engine.generate(HELLO):
                    made.append(one)
                    await _pass(0.05)
                return made

    assert asyncio.run(run())[-1] == Finished(20, 5, "stop", 16)


async def _pass(seconds: float) -> None:
    """Let time pass: this is what the deadlines are about."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


# Settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("ftp://host/v1", ""),
        ("http://user:pass@host/v1", ""),
        ("http://host/v1?key=1", ""),
        ("http://host/v1", "two words"),
        ("http://host/v1", "line\r\nX: y"),
        ("http://host/v1", "sk-\u00e9"),
    ],
)
def test_an_address_or_key_that_cannot_be_sent_is_refused_without_showing_the_key(url: str, key: str) -> None:
    with pytest.raises(ValueError, match="base_url|api_key") as refused:
        CompatibleServer(url, key)

    assert not key or key not in str(refused.value)


def test_settings_do_not_show_the_key() -> None:
    settings = GeneratorSettings(CompatibleServer("http://host/v1", KEY, (("X-Key", "other-secret"),)), "m")

    assert KEY not in repr(settings)
    assert "other-secret" not in repr(settings)
