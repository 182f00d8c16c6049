"""A link to an upstream of the beta, over a real socket."""

import asyncio
import json
import logging
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from tests.transports.peers import run
from tests.transports.upstream_peers import Heard, linked, settings, upstream
from vivavoce.runtime.upstreams import UpstreamLink
from vivavoce.transports.upstream_beta import BetaLink
from vivavoce.transports.upstream_websocket import UpstreamWebSocket

Json = dict[str, Any]  # JSON boundary

UPDATE = {
    "type": "session.update",
    "session": {"type": "realtime", "output_modalities": ["text"], "audio": {"output": {"voice": "marin"}}},
}
AUDIO = {
    "type": "response.audio.delta",
    "event_id": "e",
    "response_id": "r",
    "item_id": "i",
    "output_index": 0,
    "content_index": 0,
    "delta": "AAAA",
}


def encoded(event: Json) -> bytes:
    return json.dumps(event).encode()


def test_events_are_those_of_today_here_and_those_of_the_beta_there() -> None:
    async def scenario() -> tuple[Json, Json]:
        sent: asyncio.Future[Json] = asyncio.get_running_loop().create_future()

        async def serve(connection: ServerConnection) -> None:
            sent.set_result(json.loads(await connection.recv()))
            await connection.send(json.dumps(AUDIO))
            await connection.wait_closed()

        heard = Heard()
        async with upstream(serve) as port:
            async with linked(UpstreamWebSocket(settings(port, dialect="beta")), heard) as link:
                link.send(encoded(UPDATE))
                return await sent, json.loads(await heard.messages.get())

    told, shown = run(scenario())

    assert told["session"] == {"modalities": ["text"], "voice": "marin"}
    assert shown == {**AUDIO, "type": "response.output_audio.delta"}


class Wire:
    """A link that keeps what it is told to do."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.sent: list[Json] = []

    def send(self, message: bytes) -> None:
        self.sent.append(json.loads(message))

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")

    def close(self) -> None:
        self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")


class Notes:
    """A listener that keeps what it is told; it pauses when a message of one type comes, and answers others."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.codes: list[int] = []
        self.link: UpstreamLink | None = None
        self.pauses_on = ""
        self.answers: dict[str, bytes] = {}

    def receive(self, message: bytes) -> None:
        event = json.loads(message)
        self.events.append(event)
        assert self.link is not None
        if event["type"] == self.pauses_on:
            self.link.pause_reading()
        if event["type"] in self.answers:
            self.link.send(self.answers[event["type"]])

    def link_failed(self, fault: object) -> None:
        """Not the subject here."""

    def block_writing(self) -> None:
        """Not the subject here."""

    def unblock_writing(self) -> None:
        """Not the subject here."""

    def link_closed(self, code: int, reason: str) -> None:
        self.codes.append(code)

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


def beta() -> tuple[BetaLink, Notes, Wire]:
    notes, wire = Notes(), Wire()
    link = BetaLink(notes)
    link.begin(wire)
    notes.link = link
    return link, notes, wire


def test_a_message_that_the_dialect_refuses_is_answered_and_not_sent() -> None:
    link, notes, wire = beta()

    link.send(encoded({"type": "response.create", "event_id": "mine", "response": {"modalities": ["text"]}}))

    [event] = notes.events
    assert (event["type"], event["error"]["param"]) == ("error", "response.modalities")
    assert event["error"]["event_id"] == "mine"
    assert wire.sent == []


def test_one_event_of_the_beta_may_be_two_and_a_pause_between_them_holds_the_second() -> None:
    link, notes, wire = beta()
    notes.pauses_on = "conversation.item.added"
    item = {"id": "i", "type": "message", "role": "user", "status": "completed", "content": []}

    link.receive(encoded({"type": "conversation.item.created", "event_id": "e", "item": item}))
    held = list(notes.types)
    link.resume_reading()

    assert held == ["conversation.item.added"]
    assert notes.types == ["conversation.item.added", "conversation.item.done"]
    assert wire.done == ["pause", "resume"]


def test_an_error_of_the_dialect_comes_after_what_was_held() -> None:
    link, notes, _ = beta()
    link.pause_reading()
    link.receive(encoded(AUDIO))
    link.receive(encoded({"type": "rate_limits.updated"}))
    notes.answers["response.output_audio.delta"] = encoded({"type": "response.create", "response": {"modalities": []}})

    link.resume_reading()

    assert notes.types == ["response.output_audio.delta", "rate_limits.updated", "error"]


def test_what_was_held_comes_before_the_end() -> None:
    link, notes, _ = beta()
    link.pause_reading()

    link.receive(encoded(AUDIO))
    link.link_closed(1001, "")

    assert notes.types == ["response.output_audio.delta"]
    assert notes.codes == [1001]


@pytest.mark.parametrize("end", ["close", "abort"])
def test_after_the_end_nothing_that_was_held_is_delivered(end: str) -> None:
    link, notes, wire = beta()
    link.pause_reading()
    link.receive(encoded(AUDIO))

    link.close() if end == "close" else link.abort()
    link.resume_reading()
    link.link_closed(1000, "")

    assert notes.events == []
    assert end in wire.done


def test_fields_that_the_beta_lacks_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    link, _, wire = beta()
    update = {"type": "session.update", "session": {"type": "realtime", "parallel_tool_calls": True}}

    link.send(encoded(update))
    link.send(encoded(update))

    assert [record.__dict__["fields"] for record in caplog.records] == [["session.parallel_tool_calls"]]
    assert len(wire.sent) == 2
