"""The scripted upstream keeps the recorded orders, by the stock client; its faults are what they say."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from bench.checked_client import CheckedClient, checked_client
from tests.transports.peers import run
from vivavoce.testing import upstream_faults as faults
from vivavoce.testing.upstream import Upstream, scripted_upstream
from vivavoce.testing.upstream_faults import Fault
from vivavoce.testing.upstream_hearing import silence, speech
from vivavoce.testing.upstream_replies import Call, Reply, Say


@contextlib.asynccontextmanager
async def talking(upstream: Upstream, **query: str) -> AsyncIterator[CheckedClient]:
    """Connect the stock client; at the end every event must have been valid and no invariant broken."""
    async with checked_client(f"127.0.0.1:{upstream.port}", "gpt-realtime", **query) as client:
        yield client
    assert client.invalid == []
    assert [str(violation) for violation in client.violations()] == []


TEXT_TURN = [
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    *["response.output_text.delta"] * 6,
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


def test_a_text_turn_has_the_recorded_order() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            await client.configure(output_modalities=["text"])
            since = client.here

            answer = await client.ask("hi", metadata={"client_event_id": "c2"})

            assert client.types(since)[: len(TEXT_TURN)] == TEXT_TURN
            assert answer.text == "Hello there, this is the reply."
            assert answer.response["metadata"] == {"client_event_id": "c2"}
            assert [item["role"] for item in upstream.session.items] == ["user", "assistant"]

    run(work())


SPOKEN_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]


def test_a_spoken_turn_is_heard_transcribed_and_answered() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            await client.configure(audio={"input": {"transcription": {"model": "whisper-1"}}})
            since = client.here

            await client.append(silence(400) + speech(600) + silence(400))
            answer = await client.answer(since)
            await client.wait_for("conversation.item.input_audio_transcription.completed", since)

            assert client.types(since)[: len(SPOKEN_TURN)] == SPOKEN_TURN
            started, stopped = client.events[since : since + 2]
            assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (100, 1200)
            assert len(answer.audio) == 6 * 48 * 100
            assert upstream.session.responses[0].is_automatic

    run(work())


def test_passive_detection_answers_nothing() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            await client.configure(
                audio={"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}
            )

            await client.append(speech(300) + silence(300))
            await client.wait_for("conversation.item.done")

            assert upstream.session.responses == []
            assert client.of_type("response.created") == []

    run(work())


def test_a_manual_turn_is_committed_and_answered_on_request() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            await client.configure(audio={"input": {"turn_detection": None}})

            await client.append(speech(300))
            await client.send({"type": "input_audio_buffer.commit"})
            answer = await client.respond()

            assert answer.status == "completed"
            assert "input_audio_buffer.speech_started" not in client.types()
            assert upstream.session.responses[0].context[0]["content"][0]["type"] == "input_audio"

    run(work())


def test_a_preamble_and_a_call_can_overlap() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            outputs = (Say("One moment.", phase="commentary"), Call("get_weather", '{"city":"Paris"}'))
            upstream.script.replies.append(Reply(outputs=outputs, overlaps=True))

            answer = await client.ask("use the tool")
            call_id = answer.calls[0]["call_id"]
            output = {"type": "function_call_output", "call_id": call_id, "output": "{}"}
            await client.send({"type": "conversation.item.create", "item": output})
            after = await client.respond()

            kinds = [kind for kind in client.types() if kind.startswith("response.output_item")]
            assert kinds[:4] == ["response.output_item.added"] * 2 + ["response.output_item.done"] * 2
            assert answer.calls[0]["arguments"] == '{"city":"Paris"}'
            assert after.status == "completed"

    run(work())


def test_a_held_response_waits_and_speech_interrupts_it() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            upstream.script.replies.append(Reply(hold_after=2))
            await client.write("hi")
            await client.send({"type": "response.create"})
            await client.wait_until(lambda: len(client.of_type("response.output_audio.delta")) == 2)
            since = client.here

            await client.append(speech(300))
            done = await client.wait_for("response.done", since)

            assert client.types(since)[0] == "input_audio_buffer.speech_started"
            assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
            item_id = done["response"]["output"][0]["id"]
            cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 50}
            await client.send(cut)
            await client.wait_for("conversation.item.truncated", since)
            await client.append(silence(300))
            await client.answer(since)

    run(work())


def test_a_held_response_goes_on_when_it_is_released() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            upstream.script.replies.append(Reply(is_withheld=True))
            await client.write("hi")
            await client.send({"type": "response.create"})
            await upstream.wait_until(lambda: upstream.session.active is not None)

            upstream.session.release()
            done = await client.wait_for("response.done")

            assert done["response"]["status"] == "completed"

    run(work())


def test_text_that_was_replayed_cannot_be_truncated() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            item = {"id": "item_1", "type": "message", "role": "assistant"}
            content = [{"type": "output_text", "text": "said before"}]
            await client.send({"type": "conversation.item.create", "item": {**item, "content": content}})
            cut = {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 0}

            await client.send(cut)
            error = await client.wait_for("error")

            assert error["error"]["code"] == "invalid_value"

    run(work())


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"type": "nonsense.event"}, "invalid_value"),
    ({"type": "response.cancel"}, "response_cancel_not_active"),
    ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty"),
    ({"type": "conversation.item.retrieve", "item_id": "item_x"}, "item_retrieve_invalid_item_id"),
    ({"type": "conversation.item.delete", "item_id": "item_x"}, "item_delete_invalid_item_id"),
    (
        {"type": "conversation.item.truncate", "item_id": "item_x", "content_index": 0, "audio_end_ms": 0},
        "item_truncate_invalid_item_id",
    ),
]


@pytest.mark.parametrize(("event", "code"), MISTAKES, ids=[code for _, code in MISTAKES])
def test_a_mistake_is_answered_by_its_code(event: dict[str, Any], code: str) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            await client.send({"event_id": "mine", **event})

            error = await client.wait_for("error")

            assert (error["error"]["code"], error["error"]["event_id"]) == (code, "mine")

    run(work())


def test_an_out_of_band_response_leaves_the_conversation_alone() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            answer = await client.respond(conversation="none", output_modalities=["text"], input=[])

            assert answer.response["conversation_id"] is None
            assert upstream.session.items == []

    run(work())


def test_strange_events_are_valid_json_with_unusual_spellings() -> None:
    async def work() -> None:
        async with scripted_upstream("strange") as upstream, connect(upstream.url.replace("http", "ws")) as socket:
            messages = [await socket.recv(decode=False) for _ in range(2)]

            assert messages == upstream.link.sent
            assert b"1.50" in messages[0]
            assert json.loads(messages[1])["type"] == "weather.changed"
            again = json.dumps(json.loads(messages[0])).encode()
            assert again != messages[0]

    run(work())


# Faults ---------------------------------------------------------------------------------------------------------------

ENDS: list[tuple[Fault, int | None]] = [
    (faults.RESET, None),
    (faults.EOF_WITHOUT_CLOSE, None),
    (faults.CLOSE_1000, 1000),
    (faults.CLOSE_1001, 1001),
    (faults.CLOSE_1008, 1008),
    (faults.CLOSE_1011, 1011),
    (faults.CLOSE_1012, 1012),
    (faults.CLOSE_1013, 1013),
    (faults.CLOSE_3000, 3000),
    (faults.CLOSE_4001, 4001),
    (faults.EXPIRED, 1001),
    (faults.NO_QUOTA, 1000),
]


@pytest.mark.parametrize(("fault", "code"), ENDS, ids=[fault.name for fault, _ in ENDS])
@pytest.mark.parametrize("is_at_once", [False, True], ids=["open", "handshake"])
def test_a_connection_ends_as_the_fault_says(fault: Fault, code: int | None, is_at_once: bool) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream:
            if is_at_once:
                upstream.fail_next(fault)
            async with connect(upstream.url.replace("http", "ws")) as socket:
                if not is_at_once:
                    upstream.strike(fault)
                with pytest.raises(ConnectionClosed) as closed:
                    while True:
                        await socket.recv(decode=False)

            assert (closed.value.rcvd.code if closed.value.rcvd is not None else None) == code
            assert upstream.handshakes[0].fault == (fault.name if is_at_once else None)

    run(work())


STATUSES: list[tuple[Fault, int, str | None]] = [
    (faults.STATUS_401, 401, None),
    (faults.STATUS_403, 403, None),
    (faults.STATUS_404, 404, None),
    (faults.STATUS_429, 429, None),
    (faults.STATUS_429_SOON, 429, "0"),
    (faults.STATUS_429_LATE, 429, "3600"),
    (faults.STATUS_429_QUOTA, 429, None),
    (faults.STATUS_500, 500, None),
    (faults.STATUS_503, 503, None),
]


@pytest.mark.parametrize(("fault", "status", "retry_after"), STATUSES, ids=[fault.name for fault, _, _ in STATUSES])
def test_a_handshake_is_refused_with_the_status(fault: Fault, status: int, retry_after: str | None) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream:
            upstream.fail_next(fault)

            with pytest.raises(InvalidStatus) as refused:
                await connect(upstream.url.replace("http", "ws"), process_exception=lambda error: error)

            assert refused.value.response.status_code == status
            assert refused.value.response.headers.get("Retry-After") == retry_after
            assert "error" in json.loads(refused.value.response.body or b"")

    run(work())


def test_a_fault_of_handshakes_drops_the_open_connection_first() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, connect(upstream.url.replace("http", "ws")) as socket:
            upstream.strike(faults.NOT_HTTP)

            with pytest.raises(ConnectionClosed):
                while True:
                    await socket.recv(decode=False)
            with pytest.raises(InvalidMessage):
                await connect(upstream.url.replace("http", "ws"), process_exception=lambda error: error)
            async with connect(upstream.url.replace("http", "ws")):
                assert [one.fault for one in upstream.handshakes] == [None, "not_http", None]

    run(work())


def test_a_stopped_upstream_refuses_until_it_listens_again() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream:
            upstream.stop_listening()

            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", upstream.port)
            await upstream.listen()

            async with connect(upstream.url.replace("http", "ws")):
                assert len(upstream.sessions) == 1

    run(work())


def test_everything_received_is_kept_with_its_bytes() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream:
            headers = {"Authorization": "Bearer key"}
            async with connect(
                f"{upstream.url.replace('http', 'ws')}/realtime?model=m", additional_headers=headers
            ) as socket:
                message = b'{ "type" : "future.event", "n": 1.0}'
                await socket.send(message, text=True)
                await upstream.wait_until(lambda: bool(upstream.received))

            assert upstream.received[0].message == message
            assert upstream.handshakes[0].query == {"model": "m"}
            assert upstream.handshakes[0].headers["authorization"] == "Bearer key"

    run(work())


def test_sound_in_items_is_kept_for_retrieval() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, talking(upstream) as client:
            content = [{"type": "input_audio", "audio": base64.b64encode(speech(10)).decode()}]
            item = {"id": "item_1", "type": "message", "role": "user", "content": content}
            await client.send({"type": "conversation.item.create", "item": item})

            await client.send({"type": "conversation.item.retrieve", "item_id": "item_1"})
            retrieved = await client.wait_for("conversation.item.retrieved")

            assert base64.b64decode(retrieved["item"]["content"][0]["audio"]) == speech(10)

    run(work())
