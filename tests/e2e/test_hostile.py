"""Malformed and hostile messages by the hundred over one socket."""

import asyncio

import pytest

from bench.hostile import prepare, provoke
from bench.hostile_messages import KINDS, hostile_messages
from tests.e2e.conftest import Say
from tests.e2e.talking import SILENCE, said, talking

MESSAGES = 600


@pytest.mark.slow
def test_each_hostile_message_gets_one_error_and_the_session_still_answers_speech(server: str, say: Say) -> None:
    question = say("What is twelve times seven?")

    async def conversation() -> None:
        async with talking(server) as client:
            await prepare(client)
            wrong = await provoke(client, hostile_messages(MESSAGES, seed=11))
            since = client.here
            await client.append(question + SILENCE)
            answer = await client.answer(since)

        assert [str(mismatch) for mismatch in wrong] == []
        assert "eighty four" in said(answer.text)

    asyncio.run(conversation())


@pytest.mark.slow
def test_hostile_messages_disturb_no_other_session(server: str) -> None:
    async def conversation() -> None:
        async with talking(server) as other, talking(server) as client:
            await prepare(client)
            async with asyncio.TaskGroup() as group:
                provoking = group.create_task(provoke(client, hostile_messages(MESSAGES // 2, seed=12)))
                answers = [await other.ask("What is twelve times seven?") for _ in range(3)]

        assert provoking.result() == []
        assert ["eighty four" in said(answer.text) for answer in answers] == [True] * 3

    asyncio.run(conversation())


def test_there_are_hostile_messages_of_thirty_kinds_and_more() -> None:
    drawn = {message.kind.name for message in hostile_messages(MESSAGES, seed=11)}

    assert drawn == {kind.name for kind in KINDS}
    assert len(drawn) >= 30
