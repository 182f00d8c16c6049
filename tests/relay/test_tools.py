"""Functions that run on the server: the model calls them, the client never sees it, and audio goes on meanwhile."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.relay.relaying import (
    ITEM,
    REPLY,
    SPOKEN_ANSWER,
    configured,
    conversation,
    history,
    raw_talk,
    relay,
)
from tests.transports.peers import run
from vivavoce.core.requests import FunctionSpec
from vivavoce.runtime.upstreams import ToolError
from vivavoce.testing import upstream_faults as faults
from vivavoce.testing.upstream import Upstream, scripted_upstream
from vivavoce.testing.upstream_hearing import silence, speech
from vivavoce.testing.upstream_replies import Call, Reply, Say

PARTS = {"type": "object", "properties": {"part": {"type": "string"}}}
STOCK = FunctionSpec("stock_level", "How many there are.", PARTS)
CALL = Call("stock_level", '{"part":"bolt"}')
CLIENT_TOOL = {"type": "function", "name": "get_weather", "description": "", "parameters": {"type": "object"}}


class Stock:
    """A tool box whose only function returns when the test lets it."""

    def __init__(self, *, is_ready: bool = True) -> None:
        self.called: list[tuple[str, str]] = []
        self.cancelled = 0
        self.error: Exception | None = None
        self.ready = asyncio.Event()
        self.running = asyncio.Event()
        if is_ready:
            self.ready.set()

    @property
    def functions(self) -> Sequence[FunctionSpec]:
        return (STOCK,)

    async def call(self, name: str, arguments: str) -> str:
        self.called.append((name, arguments))
        self.running.set()
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return "12 bolts"


def outputs(upstream: Upstream) -> list[str]:
    """Return the outputs of functions that upstreams were given."""
    items = [event["item"] for event in upstream.events("conversation.item.create")]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


def test_a_function_of_the_server_is_called_and_answered_without_the_client_seeing_it() -> None:
    async def work() -> None:
        stock = Stock()
        async with conversation(tools=stock) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.extend([Reply(outputs=(CALL,)), Reply()])
            since = client.here

            await client.write("how many bolts?")
            await client.send({"type": "response.create"})
            await client.wait_until(lambda: len(client.of_type("response.done", since)) == 2)

            assert stock.called == [("stock_level", '{"part":"bolt"}')]
            assert outputs(upstream) == ["12 bolts"]
            assert upstream.count("response.create") == 2
            seen = json.dumps(client.events)
            assert "stock_level" not in seen
            assert "12 bolts" not in seen
            assert "function_call" not in seen
            assert client.of_type("response.done", since)[0]["response"]["output"] == []
            context = history(upstream.session.responses[1].context)
            assert context == [
                ("user", "how many bolts?"),
                ("function_call", "stock_level"),
                ("function_call_output", "12 bolts"),
            ]
            assert client.types(since)[: len(ITEM)] == ITEM
            assert client.of_type("conversation.item.added", since)[-1]["previous_item_id"] in (
                client.of_type("conversation.item.added", since)[0]["item"]["id"],
            )

    run(work())


def test_a_spoken_preamble_is_heard_and_the_call_beside_it_is_not_seen() -> None:
    async def work() -> None:
        stock = Stock()
        async with conversation(tools=stock) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.extend([Reply(outputs=(Say("One moment."), CALL), overlaps=True), Reply()])
            since = client.here

            await client.write("how many bolts?")
            await client.send({"type": "response.create"})
            await client.wait_until(lambda: len(client.of_type("response.done", since)) == 2)

            first, second = client.of_type("response.done", since)
            assert [item["content"][0]["transcript"] for item in first["response"]["output"]] == ["One moment."]
            assert [item["content"][0]["transcript"] for item in second["response"]["output"]] == [REPLY]
            assert "function_call" not in json.dumps(client.events)

    run(work())


def test_audio_goes_on_while_a_function_runs() -> None:
    async def work() -> None:
        stock = Stock(is_ready=False)
        async with conversation(tools=stock) as talk:
            client, upstream = talk.client, talk.upstream
            passive = {"type": "server_vad", "create_response": False, "interrupt_response": False}
            await client.configure(audio={"input": {"turn_detection": passive}})
            upstream.script.replies.extend([Reply(outputs=(Say("One moment."), CALL)), Reply(), Reply()])
            await client.write("how many bolts?")
            await client.send({"type": "response.create"})
            await client.wait_for("response.done")
            await stock.running.wait()
            since = client.here

            await client.append(speech(300) + silence(300))
            await client.wait_for("conversation.item.done", since)
            beside = await client.respond(conversation="none", input=[])
            stock.ready.set()
            await upstream.wait_until(lambda: outputs(upstream) == ["12 bolts"])

            assert len(beside.audio) == 6 * 4800
            assert len(client.of_type("response.output_audio.delta", since)) == 6

    run(work())


def test_an_answer_asked_for_while_a_function_runs_waits_for_its_output() -> None:
    async def work() -> None:
        stock = Stock(is_ready=False)
        async with conversation(tools=stock) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.extend([Reply(outputs=(CALL,)), Reply()])
            await client.write("how many bolts?")
            await client.send({"type": "response.create"})
            await client.wait_for("response.done")
            await stock.running.wait()
            since = client.here

            await client.write("and quickly")
            await client.send({"type": "response.create"})
            await client.wait_for("conversation.item.done", since)
            stock.ready.set()
            await client.answer(since)

            context = history(upstream.session.responses[1].context)
            assert ("function_call_output", "12 bolts") in context
            assert ("user", "and quickly") in context
            assert upstream.count("response.create") == 2

    run(work())


@pytest.mark.parametrize(
    ("error", "told"), [(ToolError("The stock is closed."), "The stock is closed."), (ValueError("at line 7"), None)]
)
def test_a_function_that_fails_is_told_to_the_model(error: Exception, told: str | None) -> None:
    async def work() -> None:
        stock = Stock()
        stock.error = error
        async with conversation(tools=stock) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.extend([Reply(outputs=(CALL,)), Reply()])

            await client.write("how many bolts?")
            await client.send({"type": "response.create"})
            await client.wait_until(lambda: len(client.of_type("response.done")) == 2)

            (output,) = outputs(upstream)
            assert told is None or output == told
            assert "at line 7" not in output
            assert "error" not in client.types()

    run(work())


def test_functions_of_the_server_are_told_to_the_upstream_and_not_to_the_client() -> None:
    async def work() -> None:
        async with conversation(tools=Stock()) as talk:
            session = await talk.client.configure(tools=[CLIENT_TOOL])

            names = [tool["name"] for tool in talk.upstream.session.config["tools"]]
            assert sorted(names) == ["get_weather", "stock_level"]
            assert [tool["name"] for tool in session["tools"]] == ["get_weather"]
            assert "stock_level" not in json.dumps(talk.client.events)

    run(work())


def test_a_client_cannot_take_the_place_of_a_function_of_the_server() -> None:
    async def work() -> None:
        async with conversation(tools=Stock()) as talk:
            mine = {**CLIENT_TOOL, "name": "stock_level"}

            with pytest.raises(ValueError, match="stock_level"):
                await talk.client.configure(tools=[mine])

            assert talk.upstream.count("session.update") <= 1

    run(work())


def test_calls_of_the_client_reach_it_and_are_not_answered_here() -> None:
    async def work() -> None:
        stock = Stock()
        async with conversation(tools=stock) as talk:
            client, upstream = talk.client, talk.upstream
            await client.configure(tools=[CLIENT_TOOL])
            upstream.script.replies.append(Reply(outputs=(Call("get_weather", '{"city":"Paris"}'),)))

            answer = await client.ask("the weather?")
            call = answer.calls[0]
            item: dict[str, Any] = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
            await client.send({"type": "conversation.item.create", "item": item})
            after = await client.respond()

            assert stock.called == []
            assert after.text == REPLY
            assert upstream.count("response.create") == 2

    run(work())


def test_with_calls_of_both_the_client_asks_for_the_answer() -> None:
    async def work() -> None:
        stock = Stock()
        async with conversation(tools=stock) as talk:
            client, upstream = talk.client, talk.upstream
            await client.configure(tools=[CLIENT_TOOL])
            upstream.script.replies.append(Reply(outputs=(Call("get_weather", "{}"), CALL)))

            answer = await client.ask("both")
            await upstream.wait_until(lambda: outputs(upstream) == ["12 bolts"])
            (call,) = answer.calls
            item = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
            await client.send({"type": "conversation.item.create", "item": item})
            await client.respond()

            assert call["name"] == "get_weather"
            assert sorted(outputs(upstream)) == ["12 bolts", "sunny"]
            assert upstream.count("response.create") == 2

    run(work())


def test_visible_output_items_are_counted_from_zero() -> None:
    async def work() -> None:
        async with conversation(tools=Stock()) as talk:
            await talk.client.configure(tools=[CLIENT_TOOL])
            talk.upstream.script.replies.append(Reply(outputs=(CALL, Call("get_weather", "{}"))))

            await talk.client.ask("both")

            assert talk.client.of_type("response.output_item.added")[0]["output_index"] == 0

    run(work())


def test_a_loss_while_a_function_runs_keeps_its_output_for_the_next_connection() -> None:
    async def work() -> None:
        stock = Stock(is_ready=False)
        async with conversation(tools=stock) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.extend([Reply(outputs=(CALL,)), Reply()])
            await client.write("how many bolts?")
            await client.send({"type": "response.create"})
            await client.wait_for("response.done")
            await stock.running.wait()
            since = client.here

            upstream.strike(faults.RESET)
            await upstream.wait_until(lambda: len(upstream.sessions) == 2 and len(upstream.session.items) == 2)
            stock.ready.set()
            await client.answer(since)
            await client.wait_for("rate_limits.updated", since)

            assert client.types(since) == SPOKEN_ANSWER
            context = history(upstream.session.responses[0].context)
            assert context[-2:] == [("function_call", "stock_level"), ("function_call_output", "12 bolts")]
            assert len(stock.called) == 1

    run(work())


def test_what_a_function_did_is_told_to_the_next_connection() -> None:
    async def work() -> None:
        stock = Stock()
        async with conversation(tools=stock) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.extend([Reply(outputs=(CALL,)), Reply()])
            await client.write("how many bolts?")
            await client.send({"type": "response.create"})
            await client.wait_until(lambda: len(client.of_type("rate_limits.updated")) == 2)
            since = client.here

            upstream.strike(faults.RESET)
            await client.ask("thanks")
            await client.wait_for("rate_limits.updated", since)

            assert client.types(since) == ITEM + SPOKEN_ANSWER
            assert history(upstream.session.responses[0].context) == [
                ("user", "how many bolts?"),
                ("function_call", "stock_level"),
                ("function_call_output", "12 bolts"),
                ("assistant", REPLY),
                ("user", "thanks"),
            ]
            assert [tool["name"] for tool in upstream.session.config["tools"]] == ["stock_level"]

    run(work())


def test_speech_while_a_function_runs_is_answered_once_and_with_the_output() -> None:
    async def work() -> None:
        stock = Stock(is_ready=False)
        async with conversation(tools=stock) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.extend([Reply(outputs=(CALL,)), Reply()])
            await client.write("how many bolts?")
            await client.send({"type": "response.create"})
            await client.wait_for("response.done")
            await stock.running.wait()
            since = client.here

            await client.append(speech(300))
            await client.wait_for("input_audio_buffer.speech_started", since)
            stock.ready.set()
            await upstream.wait_until(lambda: outputs(upstream) == ["12 bolts"])
            await client.append(silence(300))
            await client.answer(since)

            assert upstream.count("response.create") == 1
            assert [record.is_automatic for record in upstream.session.responses] == [False, True]
            assert ("function_call_output", "12 bolts") in history(upstream.session.responses[1].context)

    run(work())


def test_a_client_that_leaves_stops_its_function() -> None:
    async def work() -> None:
        stock = Stock(is_ready=False)
        async with scripted_upstream() as upstream, relay(configured(upstream.url), tools=stock) as address:
            upstream.script.replies.append(Reply(outputs=(CALL,)))
            async with raw_talk(address) as talk:
                await talk.send({"type": "response.create"})
                await stock.running.wait()
            await upstream.wait_until(lambda: not upstream.link.is_open)

            assert stock.cancelled == 1

    run(work())
