"""A client's side of a conversation, against a peer that follows a script."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from vivavoce.cli.conversation import Conversation
from vivavoce.cli.faults import CommandError
from vivavoce.cli.peers import Json
from vivavoce.testing.virtual import run_virtual

CONFIRM: Json = {"type": "session.updated", "session": {}}


class ScriptedPeer:
    """Answers each client event with what the script makes of it; the session ends at an event of type "end"."""

    def __init__(self, answer: Callable[[Json], list[Json]]) -> None:
        self.sent: list[Json] = []
        self._answer = answer
        self._events: asyncio.Queue[Json] = asyncio.Queue()

    async def send(self, event: Json) -> None:
        self.sent.append(event)
        for answer in self._answer(event):
            self._events.put_nowait(answer)

    async def settled(self) -> None:
        await self._events.join()

    async def events(self) -> AsyncIterator[Json]:
        while (event := await self._events.get())["type"] != "end":
            yield event
            self._events.task_done()


def by_type(**answers: list[Json]) -> Callable[[Json], list[Json]]:
    return lambda event: answers.get(event["type"].replace(".", "_"), [])


async def converse(peer: ScriptedPeer, *turns: str, session: Json | None = None) -> list[str]:
    lines: list[str] = []
    conversation = Conversation(peer, lines.append, lines.append)
    async with conversation.listening():
        await conversation.configure(session or {})
        for turn in turns:
            await conversation.write(turn)
    return lines


def test_a_written_turn_waits_for_its_answer() -> None:
    item = {"type": "message", "status": "completed", "content": [{"type": "output_text", "text": "Hello."}]}
    done = {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}}
    answer = [{"type": "response.output_item.done", "item": item}, done]
    peer = ScriptedPeer(by_type(session_update=[CONFIRM], response_create=answer))

    lines = run_virtual(converse(peer, "hi", "again"))

    assert lines == ["assistant: Hello.", "assistant: Hello."]
    assert [event["type"] for event in peer.sent] == [
        "session.update",
        *["conversation.item.create", "response.create"] * 2,
    ]


def test_a_refused_session_is_a_fault() -> None:
    refusal = {"type": "error", "error": {"message": "No such voice."}}
    peer = ScriptedPeer(by_type(session_update=[refusal]))

    with pytest.raises(CommandError, match="No such voice"):
        run_virtual(converse(peer))


def test_a_session_that_ends_early_is_a_fault() -> None:
    peer = ScriptedPeer(by_type(session_update=[CONFIRM], response_create=[{"type": "end"}]))

    with pytest.raises(CommandError, match="ended the session"):
        run_virtual(converse(peer, "hi"))


def test_an_error_later_on_is_shown_and_the_conversation_goes_on() -> None:
    done = {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}}
    answer = [{"type": "error", "error": {"message": "Slow down."}}, done]
    peer = ScriptedPeer(by_type(session_update=[CONFIRM], response_create=answer))

    lines = run_virtual(converse(peer, "hi"))

    assert lines == ["error: Slow down."]


def test_speech_over_the_answer_stops_it_and_tells_the_server_what_was_heard() -> None:
    delta: Json = {"type": "response.output_audio.delta", "item_id": "item_2", "delta": "AAAA" * 1600}  # 100 ms
    started: Json = {"type": "input_audio_buffer.speech_started", "item_id": "item_3", "audio_start_ms": 0}
    answers: Iterator[list[Json]] = iter([[delta], [started]])
    peer = ScriptedPeer(lambda event: next(answers) if event["type"] == "input_audio_buffer.append" else [CONFIRM])

    lines: list[str] = []

    async def run() -> None:
        conversation = Conversation(peer, lines.append, lines.append)
        async with conversation.listening():
            await conversation.configure({})
            for _ in range(2):
                await conversation.say(bytes(48 * 40))
                await conversation.settled()

    run_virtual(run())

    assert lines == ["(interrupted after 0.0 s)"]
    assert peer.sent[-1] == {
        "type": "conversation.item.truncate",
        "item_id": "item_2",
        "content_index": 0,
        "audio_end_ms": 40,
    }
