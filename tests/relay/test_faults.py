"""What a client sees of its upstream's faults, and what the next upstream is told: every fault in every phase."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest

from bench.checked_client import CheckedClient
from tests.relay.relaying import (
    ITEM,
    KEY,
    REPLY,
    SPOKEN_ANSWER,
    Conversation,
    configured,
    conversation,
    history,
    raw_talk,
    relay,
)
from tests.transports.peers import run
from vivavoce.testing import upstream_faults as faults
from vivavoce.testing.upstream import Upstream, scripted_upstream
from vivavoce.testing.upstream_faults import Fault
from vivavoce.testing.upstream_hearing import silence, speech
from vivavoce.testing.upstream_replies import Call, Reply, Say

CUT_ANSWER = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
TURN_END = ["input_audio_buffer.speech_stopped", "input_audio_buffer.committed", *ITEM]
GREETING = [("user", "hi"), ("assistant", REPLY)]


# A connection is lost, or cannot be had at first, and another is had: nobody notices but by a cut answer.
PASSING = (
    *faults.LINK_FAULTS,
    *faults.PASSING_FAULTS,
    *(faults.at_start(fault) for fault in (faults.CLOSE_1013, faults.GARBAGE, faults.EOF_WITHOUT_CLOSE)),
)


class End(NamedTuple):
    """A fault after which no upstream is left: how the session ends, and after how many handshakes."""

    fault: Fault
    code: str
    close: int
    handshakes: int
    retry_s: float = 5.0
    connect_s: float = 5.0
    times: int = 1


ENDING = (
    End(faults.CLOSE_1008, "upstream_unauthorized", 1011, 1),
    End(faults.CLOSE_3000, "upstream_unauthorized", 1011, 1),
    End(faults.CLOSE_4001, "upstream_unauthorized", 1011, 1),
    End(faults.STATUS_401, "upstream_unauthorized", 1011, 2),
    End(faults.STATUS_403, "upstream_unauthorized", 1011, 2),
    End(faults.STATUS_404, "model_not_found", 1011, 2),
    End(faults.STATUS_429_QUOTA, "insufficient_quota", 1011, 2),
    End(faults.STATUS_429_LATE, "rate_limit_exceeded", 1013, 2),
    End(faults.STATUS_429, "rate_limit_exceeded", 1013, 3, retry_s=0.3, times=9),
    End(faults.STATUS_503, "upstream_unavailable", 1013, 3, retry_s=0.3, times=9),
    End(faults.REDIRECT, "upstream_unavailable", 1013, 3, retry_s=0.3, times=9),
    End(faults.REFUSED, "upstream_unavailable", 1013, 1, retry_s=0.3),
    End(faults.NO_ANSWER, "upstream_timeout", 1013, 2, retry_s=0.1, connect_s=0.2, times=9),
    End(faults.SILENT, "upstream_timeout", 1013, 2, retry_s=0.1, connect_s=0.2, times=9),
)


# Phases -----------------------------------------------------------------------------------------------------------


async def be_idle(talk: Conversation) -> None:
    """Greet each other."""
    await talk.client.configure(instructions="Be brief.")
    await talk.client.ask("hi")
    await talk.client.wait_for("rate_limits.updated")


async def let_user_speak(talk: Conversation) -> None:
    """Be in the middle of what the user says."""
    await be_idle(talk)
    await talk.client.append(silence(400) + speech(300))
    await talk.client.wait_for("input_audio_buffer.speech_started")


async def let_assistant_speak(talk: Conversation) -> None:
    """Be in the middle of what the assistant says: two words of it have come."""
    await be_idle(talk)
    talk.upstream.script.replies.append(Reply(hold_after=2))
    since = talk.client.here
    await talk.client.write("again")
    await talk.client.send({"type": "response.create"})
    await talk.client.wait_until(lambda: len(talk.client.of_type("response.output_audio.delta", since)) == 2)


async def until_seeded(upstream: Upstream, items: int, sessions: int = 2) -> None:
    """Wait until the next session has been told the conversation."""
    await upstream.wait_until(lambda: len(upstream.sessions) == sessions and len(upstream.session.items) == items)


def asked(upstream: Upstream) -> list[int]:
    """Return how many responses were asked for, session by session."""
    numbers = [connection.number for connection in upstream.connections if connection.session is not None]
    return [upstream.count("response.create", number) for number in numbers]


async def ask(client: CheckedClient, text: str) -> None:
    """Ask for an answer and wait for all of it."""
    since = client.here
    await client.ask(text)
    await client.wait_for("rate_limits.updated", since)


# The matrix: nothing is left of it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_a_loss_in_silence_is_not_seen(fault: Fault) -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            await be_idle(talk)
            since = talk.client.here

            talk.upstream.strike(fault)
            await until_seeded(talk.upstream, items=2)
            await ask(talk.client, "again")

            assert talk.client.types(since) == ITEM + SPOKEN_ANSWER
            assert history(talk.upstream.session.responses[0].context) == [*GREETING, ("user", "again")]
            assert talk.upstream.session.config["instructions"] == "Be brief."
            assert asked(talk.upstream) == [1, 1]

    run(work())


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_a_loss_while_the_user_speaks_is_not_seen(fault: Fault) -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            await let_user_speak(talk)
            started = talk.client.of_type("input_audio_buffer.speech_started")[0]
            since = talk.client.here

            talk.upstream.strike(fault)
            await talk.upstream.wait_until(
                lambda: len(talk.upstream.sessions) == 2 and talk.upstream.session.hearing.is_speech
            )
            await talk.client.append(silence(300))
            await talk.client.wait_for("rate_limits.updated", since)

            assert talk.client.types(since) == TURN_END + SPOKEN_ANSWER
            stopped, committed, added, done = talk.client.events[since : since + 4]
            ids = {stopped["item_id"], committed["item_id"], added["item"]["id"], done["item"]["id"]}
            assert ids == {started["item_id"]}
            assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (100, 900)
            record = talk.upstream.session.responses[0]
            assert record.is_automatic
            assert history(record.context) == [*GREETING, ("user", "(audio)")]
            assert speech(300) in bytes(talk.upstream.session.conversation.sound_of(record.context[-1]["id"]) or b"")
            assert asked(talk.upstream) == [1, 0]

    run(work())


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_a_loss_cuts_what_the_assistant_says(fault: Fault) -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            await let_assistant_speak(talk)
            since = talk.client.here

            talk.upstream.strike(fault)
            done = await talk.client.wait_for("response.done", since)
            await until_seeded(talk.upstream, items=4)
            await ask(talk.client, "more")

            assert talk.client.types(since) == CUT_ANSWER + ITEM + SPOKEN_ANSWER
            check_cut(done["response"])
            told = [*GREETING, ("user", "again"), ("assistant", "Hello there,"), ("user", "more")]
            assert history(talk.upstream.session.responses[0].context) == told
            assert asked(talk.upstream) == [2, 1]

    run(work())


def check_cut(response: dict[str, object]) -> None:
    """Check how a response ends whose upstream is gone."""
    assert response["status"] == "failed"
    details = response["status_details"]
    assert isinstance(details, dict)
    error = details["error"]
    assert (error["type"], error["code"]) == ("server_error", "upstream_disconnected")
    output = response["output"]
    assert isinstance(output, list)
    assert [(item["status"], item["content"]) for item in output] == [
        ("incomplete", [{"type": "output_audio", "transcript": "Hello there,"}])
    ]


# The matrix: the session ends ---------------------------------------------------------------------------------------

Enter = Callable[[Conversation], Awaitable[None]]
PHASES: list[tuple[str, Enter, list[str]]] = [
    ("idle", be_idle, []),
    ("user", let_user_speak, []),
    ("assistant", let_assistant_speak, CUT_ANSWER),
]


@pytest.mark.parametrize("end", ENDING, ids=lambda end: repr(end.fault))
@pytest.mark.parametrize(("enter", "before"), [row[1:] for row in PHASES], ids=[row[0] for row in PHASES])
def test_a_session_without_an_upstream_ends_with_one_error(end: End, enter: Enter, before: list[str]) -> None:
    async def work() -> None:
        async with conversation(is_cut=True, retry_s=end.retry_s, connect_s=end.connect_s) as talk:
            await enter(talk)
            since, asked_before = talk.client.here, asked(talk.upstream)

            if end.times > 1:
                talk.upstream.fail_next(end.fault, end.times - 1)
            talk.upstream.strike(end.fault)
            await talk.client.wait_until(lambda: talk.client.closed is not None)

            assert talk.client.types(since) == [*before, "error"]
            check_error(talk.client.events[-1]["error"], end.code)
            assert close_code(talk.client) == end.close
            assert len(talk.upstream.handshakes) == end.handshakes
            assert asked(talk.upstream) == asked_before

    run(work())


@pytest.mark.parametrize(("enter", "before"), [row[1:] for row in PHASES], ids=[row[0] for row in PHASES])
def test_an_upstream_that_ends_for_want_of_quota_is_told_once(enter: Enter, before: list[str]) -> None:
    async def work() -> None:
        async with conversation(is_cut=True, retry_s=5) as talk:
            await enter(talk)
            since = talk.client.here

            talk.upstream.strike(faults.NO_QUOTA)
            await talk.client.wait_until(lambda: talk.client.closed is not None)

            assert sorted(talk.client.types(since)) == sorted([*before, "error"])
            (error,) = talk.client.of_type("error", since)
            assert error["error"]["code"] == "insufficient_quota"
            assert close_code(talk.client) == 1011
            assert len(talk.upstream.handshakes) == 1

    run(work())


def check_error(error: dict[str, object], code: str) -> None:
    """Check an error of the upstream: it is not the client's, and tells neither key nor address."""
    assert (error["type"], error["code"]) == ("server_error", code)
    assert KEY not in str(error)
    assert "127.0.0.1" not in str(error)


def close_code(client: CheckedClient) -> int | None:
    """Return the code of the server's close frame."""
    return client.closed.rcvd.code if client.closed is not None and client.closed.rcvd is not None else None


# At the start -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [*faults.LINK_FAULTS, *faults.PASSING_FAULTS], ids=repr)
def test_a_fault_at_the_start_is_not_seen_and_messages_wait(fault: Fault) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url, retry_s=5)) as address:
            upstream.fail_next(fault)
            async with raw_talk(address) as talk:
                await talk.send({"type": "session.update", "session": {"type": "realtime", "instructions": "Early."}})
                await talk.send({"type": "response.create"})

                await talk.read_to("rate_limits.updated")

                assert talk.types() == ["session.created", "session.updated", *SPOKEN_ANSWER]
                assert upstream.session.responses[0].instructions == "Early."
                assert [one.fault for one in upstream.handshakes] == [fault.name, None]

    run(work())


@pytest.mark.parametrize(
    "end", [end for end in ENDING if end.fault is not faults.REFUSED], ids=lambda end: repr(end.fault)
)
def test_a_start_without_an_upstream_ends_with_one_error(end: End) -> None:
    async def work() -> None:
        settings = {"retry_s": end.retry_s, "connect_s": end.connect_s}
        async with scripted_upstream() as upstream, relay(configured(upstream.url, **settings)) as address:
            upstream.fail_next(end.fault, end.times)
            async with raw_talk(address) as talk:
                await talk.read_to_close()

                assert talk.types() == ["error"]
                check_error(talk.events[0]["error"], end.code)
                assert talk.close_code == end.close

    run(work())


def test_a_start_where_nobody_listens_ends_with_one_error() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url, retry_s=0.3)) as address:
            upstream.stop_listening()
            async with raw_talk(address) as talk:
                await talk.read_to_close()

                assert talk.types() == ["error"]
                check_error(talk.events[0]["error"], "upstream_unavailable")
                assert talk.close_code == 1013

    run(work())


# What was asked and not answered --------------------------------------------------------------------------------------


def test_a_request_that_was_not_answered_is_sent_again() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            await be_idle(talk)
            talk.upstream.script.replies.append(Reply(is_withheld=True))
            since = talk.client.here
            await talk.client.write("again")
            await talk.client.wait_for("conversation.item.done", since)
            await talk.client.send({"type": "response.create"})
            await talk.upstream.wait_until(lambda: talk.upstream.session.active is not None)

            talk.upstream.strike(faults.RESET)
            answer = await talk.client.answer(since)
            await talk.client.wait_for("rate_limits.updated", since)

            assert answer.text == REPLY
            assert talk.client.types(since)[-len(SPOKEN_ANSWER) :] == SPOKEN_ANSWER
            assert "error" not in talk.client.types(since)
            assert asked(talk.upstream) == [2, 1]

    run(work())


def test_an_automatic_answer_that_had_not_begun_is_told_and_not_asked_for() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            await be_idle(talk)
            talk.upstream.script.replies.append(Reply(is_withheld=True))
            since = talk.client.here
            await talk.client.append(speech(300) + silence(300))
            await talk.client.wait_for("conversation.item.done", since)

            talk.upstream.strike(faults.RESET)
            error = await talk.client.wait_for("error", since)
            await until_seeded(talk.upstream, items=3)

            check_error(error["error"], "upstream_disconnected")
            assert talk.client.types(since) == ["input_audio_buffer.speech_started", *TURN_END, "error"]
            assert talk.upstream.session.responses == []
            assert asked(talk.upstream) == [1, 0]

    run(work())


def test_both_open_items_of_a_lost_response_end() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            outputs = (Say("One moment."), Call("look_up", '{"city":"Paris"}'))
            talk.upstream.script.replies.append(Reply(outputs=outputs, overlaps=True, hold_after=3))
            since = talk.client.here
            await talk.client.write("use the tool")
            await talk.client.send({"type": "response.create"})
            await talk.client.wait_for("response.function_call_arguments.delta", since)

            talk.upstream.strike(faults.EOF_WITHOUT_CLOSE)
            done = await talk.client.wait_for("response.done", since)
            await ask(talk.client, "more")

            statuses = [(item["type"], item["status"]) for item in done["response"]["output"]]
            assert statuses == [("message", "incomplete"), ("function_call", "incomplete")]
            assert talk.client.types(since).count("response.output_item.done") == 3
            assert done["response"]["output"][0]["content"][0]["transcript"] == "One moment."

    run(work())


def test_what_was_sent_while_no_upstream_was_there_is_carried_out_in_order() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            await be_idle(talk)
            talk.upstream.fail_next(faults.STATUS_503, 2)
            talk.upstream.strike(faults.RESET)
            await talk.upstream.wait_until(lambda: len(talk.upstream.handshakes) == 2)
            since = talk.client.here

            await talk.client.write("one")
            await talk.client.write("two")
            await ask(talk.client, "three")

            assert talk.client.types(since) == ITEM * 3 + SPOKEN_ANSWER
            told = [*GREETING, ("user", "one"), ("user", "two"), ("user", "three")]
            assert history(talk.upstream.session.responses[0].context) == told

    run(work())


def test_a_second_loss_after_the_first_is_not_seen_either() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            await be_idle(talk)
            since = talk.client.here
            for count in (2, 3, 4):
                talk.upstream.strike(faults.RESET)
                await until_seeded(talk.upstream, items=2, sessions=count)

            await ask(talk.client, "again")

            assert talk.client.types(since) == ITEM + SPOKEN_ANSWER
            assert history(talk.upstream.session.responses[0].context) == [*GREETING, ("user", "again")]

    run(work())


def test_a_lost_conversation_goes_on_in_another_engine_where_configured() -> None:
    async def work() -> None:
        async with conversation(retry_s=0.3, failover="scripted") as talk:
            await be_idle(talk)
            since = talk.client.here

            talk.upstream.strike(faults.REFUSED)
            updated = await talk.client.wait_for("session.updated", since)
            answer = await talk.client.ask("again")

            assert updated["session"]["vivavoce"]["engine"] == "scripted"
            assert answer.status == "completed"
            assert "error" not in talk.client.types(since)

    run(work())
