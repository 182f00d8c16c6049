"""Sessions side by side: what one does, suffers or leaves undone touches no other."""

import asyncio
import base64
import json
import socket
import struct
from typing import Any

import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from bench.checked_client import CheckedClient, checked_client
from tests.e2e.conftest import Say
from tests.e2e.talking import SCRIPTED, SILENCE, said, scripted, talking

ENDLESS = scripted(otherwise={"say": "One more sentence is being said here. ", "is_endless": True})
DEADLINE_S = 20.0
LONG_WORDS = 800
WORD_MS = 250  # a word and its gap in the voice of the built-in script


def test_two_conversations_at_once_do_not_mix(server: str, say: Say) -> None:
    introductions = {"Peter": say("Hello, my name is Peter.", "ash"), "Robert": say("Hello, my name is Robert.")}

    async def introduce(name: str) -> str:
        async with talking(server) as client:
            since = client.here
            await client.append(introductions[name] + SILENCE)
            await client.answer(since)
            return (await client.ask("What is my name?")).text

    async def conversation() -> None:
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            answers = {name: group.create_task(introduce(name)) for name in introductions}

        assert {name: name in answer.result() for name, answer in answers.items()} == {"Peter": True, "Robert": True}

    asyncio.run(conversation())


@pytest.mark.parametrize(
    "failing",
    [
        {"instructions": scripted(otherwise={"failure": {"message": "out of words"}})},
        {"instructions": scripted(otherwise={"say": "Half an answer. ", "failure": {"message": "out of words"}})},
        {"instructions": "vivavoce-script: {this is no script"},
    ],
    ids=["at once", "in the middle", "unreadable script"],
)
def test_a_failing_answer_ends_as_failed_and_touches_no_other_session(server: str, failing: dict[str, Any]) -> None:
    async def conversation() -> None:
        async with talking(server, SCRIPTED) as other, talking(server, SCRIPTED, **failing) as client:
            failed = await client.ask("Hello.")
            elsewhere = await other.ask("Hello.")
            await client.configure(instructions=scripted(otherwise={"say": "Here again."}))
            recovered = await client.ask("Hello.")

        assert failed.status == "failed"
        assert failed.response["status_details"]["error"]["code"]
        assert elsewhere.status == "completed"
        assert recovered.text == "Here again."

    asyncio.run(conversation())


def test_a_failing_transcript_is_told_and_the_session_goes_on(server: str, say: Say) -> None:
    words = say("Hello.")
    prompt = scripted(turns=[{"heard": {"failure": {"message": "no ears"}}}, {"heard": "hello again"}])

    async def conversation() -> None:
        audio = {"input": {"transcription": {"model": "whisper-1", "prompt": prompt}}}
        async with talking(server, SCRIPTED, audio=audio) as client:
            await client.append(words + SILENCE)
            failed = await client.wait_for("conversation.item.input_audio_transcription.failed")
            since = client.here
            await client.append(words + SILENCE)
            heard = await client.wait_for("conversation.item.input_audio_transcription.completed", since)
            answer = await client.answer(client.events.index(heard))

        assert failed["error"]["message"]
        assert heard["transcript"] == "hello again"
        assert answer.status == "completed"

    asyncio.run(conversation())


def test_a_server_at_capacity_says_so_before_the_upgrade_and_when_to_come_again(server_for_one: str) -> None:
    async def conversation() -> None:
        async with checked_client(server_for_one):
            with pytest.raises(InvalidStatus) as refused:
                async with checked_client(server_for_one):
                    pass
        async with talking(server_for_one) as client:
            answer = await client.ask("Hello.")

        response = refused.value.response
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert json.loads(response.body or b"")["error"]["message"]
        assert answer.status == "completed"

    asyncio.run(conversation())


def test_a_connection_that_is_reset_while_the_server_speaks_makes_room_for_the_next(server_for_one: str) -> None:
    async def conversation() -> None:
        for _ in range(3):
            async with asyncio.timeout(DEADLINE_S):
                await speak_and_reset(server_for_one)
        async with asyncio.timeout(DEADLINE_S):
            answer = await ask_when_admitted(server_for_one)

        assert answer == "completed"

    asyncio.run(conversation())


async def speak_and_reset(address: str) -> None:
    """Have the server speak without end, and vanish with a reset in the middle."""
    connection = await admitted(address)
    update = {"type": "session.update", "session": {"type": "realtime", "instructions": ENDLESS}}
    await connection.send(json.dumps(update))
    await connection.send(json.dumps({"type": "response.create"}))
    async for message in connection:
        if json.loads(message)["type"] == "response.output_audio.delta":
            break
    peer: socket.socket = connection.transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close sends a reset
    connection.transport.abort()
    await connection.wait_closed()


async def admitted(address: str) -> ClientConnection:
    """Connect as soon as the server has noticed that the session before is gone."""
    while True:
        try:
            return await connect(f"ws://{address}/v1/realtime?model={SCRIPTED}", max_size=None)
        except InvalidStatus as refused:
            assert refused.response.status_code == 503


async def ask_when_admitted(address: str) -> str:
    await (await admitted(address)).close()
    while True:
        try:
            async with talking(address) as client:
                return (await client.ask("Hello.")).status
        except InvalidStatus as refused:
            assert refused.response.status_code == 503


def test_a_client_that_does_not_read_loses_nothing_and_delays_nobody(server: str) -> None:
    instructions = scripted(otherwise={"say": "word " * LONG_WORDS})

    async def conversation() -> None:
        async with narrow_connection(server) as slow:
            session = {"type": "realtime", "instructions": instructions}
            await slow.send(json.dumps({"type": "session.update", "session": session}))
            await slow.send(json.dumps({"type": "response.create"}))
            async with talking(server) as other:
                meanwhile = await other.ask("What is twelve times seven?")
            audio_ms = 0.0
            async with asyncio.timeout(DEADLINE_S):
                async for message in slow:
                    event = json.loads(message)
                    if event["type"] == "response.output_audio.delta":
                        audio_ms += len(base64.b64decode(event["delta"])) / 48
                    if event["type"] == "response.done":
                        break

        assert meanwhile.status == "completed"
        assert event["response"]["status"] == "completed"
        assert abs(audio_ms - LONG_WORDS * WORD_MS) < WORD_MS

    asyncio.run(conversation())


def narrow_connection(address: str) -> Any:
    """Connect with a small receive buffer and a library that stops reading after one message."""
    host, port = address.split(":")
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    peer.connect((host, int(port)))
    peer.setblocking(False)
    return connect(f"ws://{address}/v1/realtime?model={SCRIPTED}", sock=peer, max_size=None, max_queue=1)


def test_the_models_are_listed_to_the_stock_client(server: str) -> None:
    async def conversation() -> None:
        async with AsyncOpenAI(base_url=f"http://{server}/v1", api_key="any") as api:
            names = [model.id async for model in api.models.list()]

        assert {"vivavoce-local", SCRIPTED} <= set(names)

    asyncio.run(conversation())


def test_the_scripted_model_repeats_itself_exactly(server: str) -> None:
    async def once(client: CheckedClient) -> tuple[list[str], str, bytes]:
        answer = await client.ask("Hello.")
        return client.types(), answer.text, answer.audio

    async def conversation() -> None:
        async with talking(server, SCRIPTED) as first, talking(server, SCRIPTED) as second:
            one, other = await once(first), await once(second)

        assert one == other
        assert said(one[1]) == "you said hello"

    asyncio.run(conversation())
