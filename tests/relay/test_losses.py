"""A connection that is lost after any event of a turn: the client's events stay in order, and nothing said is lost."""

import pytest

from bench.checked_client import CheckedClient
from tests.relay.relaying import Conversation, conversation, history
from tests.transports.peers import run
from vivavoce.testing import upstream_faults as faults
from vivavoce.testing.upstream_hearing import silence, speech
from vivavoce.testing.upstream_replies import Call, Reply, Say

SHORT = Reply(outputs=(Say("Yes indeed."),))
WRITTEN_TURN = [
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    *["response.output_audio_transcript.delta", "response.output_audio.delta"] * 2,
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]
HEARD_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    *WRITTEN_TURN,
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
]


def after(events: list[str]) -> pytest.MarkDecorator:
    """Parametrise `count`, how many events come before the loss; the test is named after the last of them."""
    names = ["nothing", *events]
    counts = range(len(events))
    return pytest.mark.parametrize("count", counts, ids=[f"{count}-{names[count]}" for count in counts])


async def end_of_turn(client: CheckedClient, since: int) -> None:
    """Wait until no answer is to come: one ended, or an error says that none will."""
    await client.wait(lambda event: event["type"] in ("response.done", "error"), since)


async def ask_again(talk: Conversation) -> None:
    """Have the conversation go on, and wait for all of it."""
    since = talk.client.here
    await talk.client.ask("more")
    await talk.client.wait_for("rate_limits.updated", since)


@after(WRITTEN_TURN)
def test_a_written_turn_survives_a_loss_after_any_event(count: int) -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.reply = SHORT
            upstream.link.lets_through = count
            since = client.here
            await client.write("hi")
            await client.send({"type": "response.create"})
            await upstream.wait_until(lambda: len(upstream.session.responses) == 1)

            upstream.strike(faults.EOF_WITHOUT_CLOSE)
            await end_of_turn(client, since)
            await ask_again(talk)

            context = history(upstream.session.responses[-1].context)
            assert context[0] == ("user", "hi")
            assert context[-1] == ("user", "more")
            assert [role for role, _ in context].count("user") == 2
            assert "error" not in client.types(since)
            is_lost = count <= WRITTEN_TURN.index("response.created")
            assert upstream.count("response.create", 2) == (2 if is_lost else 1)
            statuses = [event["response"]["status"] for event in client.of_type("response.done", since)]
            is_cut = not is_lost and count <= WRITTEN_TURN.index("response.done")
            assert statuses == ["failed" if is_cut else "completed", "completed"]

    run(work())


@after(HEARD_TURN)
def test_a_spoken_turn_survives_a_loss_after_any_event(count: int) -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            await client.configure(audio={"input": {"transcription": {"model": "whisper-1"}}})
            upstream.script.reply = SHORT
            upstream.link.lets_through = count
            since = client.here
            await client.append(speech(300) + silence(300))
            await upstream.wait_until(lambda: len(upstream.session.responses) == 1)

            upstream.strike(faults.EOF_WITHOUT_CLOSE)
            await end_of_turn(client, since)
            await ask_again(talk)

            context = history(upstream.session.responses[-1].context)
            assert context[0] in (("user", "hello"), ("user", "(audio)"))
            assert [role for role, _ in context].count("user") == 2
            kinds = client.types(since)
            for kind in HEARD_TURN[:3]:
                assert kinds.count(kind) == 1
            assert upstream.count("response.create", 2) == 1
            over = [kind for kind in kinds if kind.endswith(("transcription.completed", "transcription.failed"))]
            assert len(over) == 1

    run(work())


MANUAL_TURN = ["input_audio_buffer.committed", *WRITTEN_TURN]


@after(MANUAL_TURN)
def test_a_turn_that_the_client_commits_survives_a_loss_after_any_event(count: int) -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            await client.configure(audio={"input": {"turn_detection": None}})
            upstream.script.reply = SHORT
            upstream.link.lets_through = count
            since = client.here
            await client.append(speech(300))
            await client.send({"type": "input_audio_buffer.commit"})
            await client.send({"type": "response.create"})
            await upstream.wait_until(lambda: len(upstream.session.responses) == 1)

            upstream.strike(faults.EOF_WITHOUT_CLOSE)
            await end_of_turn(client, since)
            await ask_again(talk)

            context = upstream.session.responses[-1].context
            assert history(context)[0] == ("user", "(audio)")
            assert upstream.session.conversation.sound_of(context[0]["id"]) == speech(300)
            assert [item.get("role") for item in context].count("user") == 2
            assert client.types(since).count("input_audio_buffer.committed") == 1
            assert "error" not in client.types(since)

    run(work())


def test_audio_that_was_not_committed_is_sent_again_in_whole() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            await client.configure(audio={"input": {"turn_detection": None}})
            await client.append(speech(1500))
            await upstream.wait_until(lambda: upstream.session.hearing.buffered_ms == 1500)

            upstream.strike(faults.RESET)
            await upstream.wait_until(lambda: len(upstream.sessions) == 2)
            await client.append(speech(100))
            await client.send({"type": "input_audio_buffer.commit"})
            item = (await client.wait_for("conversation.item.done"))["item"]

            assert upstream.session.conversation.sound_of(item["id"]) == speech(1600)

    run(work())


def test_audio_that_was_cleared_is_not_sent_again() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            await client.configure(audio={"input": {"turn_detection": None}})
            await client.append(speech(500))
            await client.send({"type": "input_audio_buffer.clear"})
            await client.wait_for("input_audio_buffer.cleared")

            upstream.strike(faults.RESET)
            await upstream.wait_until(lambda: len(upstream.sessions) == 2)
            await client.append(speech(200))
            await client.send({"type": "input_audio_buffer.commit"})
            item = (await client.wait_for("conversation.item.done"))["item"]

            assert upstream.session.conversation.sound_of(item["id"]) == speech(200)

    run(work())


def test_an_update_without_an_answer_is_sent_again_and_answered_once() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.link.lets_through = 0
            update = {"type": "realtime", "instructions": "In flight."}
            await client.send({"type": "session.update", "session": update})
            await upstream.wait_until(lambda: upstream.count("session.update") == 1)

            upstream.strike(faults.EOF_WITHOUT_CLOSE)
            updated = await client.wait_for("session.updated")
            await ask_again(talk)

            assert updated["session"]["instructions"] == "In flight."
            assert client.types().count("session.updated") == 1
            assert upstream.session.responses[0].instructions == "In flight."

    run(work())


def test_a_call_of_the_client_that_was_cut_is_incomplete_and_can_be_answered_no_more() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.append(Reply(outputs=(Call("look_up", '{"city":"Paris"}'),), hold_after=1))
            await client.write("look it up")
            await client.send({"type": "response.create"})
            await client.wait_for("response.function_call_arguments.delta")

            upstream.strike(faults.RESET)
            done = await client.wait_for("response.done")
            await ask_again(talk)

            (item,) = done["response"]["output"]
            assert (item["status"], item["arguments"]) == ("incomplete", '{"city":')
            assert "function_call" not in [role for role, _ in history(upstream.session.responses[0].context)]

    run(work())


def test_a_call_that_waits_for_its_output_is_told_to_the_next_connection() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.append(Reply(outputs=(Call("look_up", '{"city":"Paris"}'),)))
            call = (await client.ask("look it up")).calls[0]
            upstream.strike(faults.RESET)
            await upstream.wait_until(lambda: len(upstream.sessions) == 2 and len(upstream.session.items) == 2)

            output = {"type": "function_call_output", "call_id": call["call_id"], "output": "found"}
            await client.send({"type": "conversation.item.create", "item": output})
            answer = await client.respond()

            assert answer.status == "completed"
            context = history(upstream.session.responses[0].context)
            assert context[1:] == [("function_call", "look_up"), ("function_call_output", "found")]

    run(work())


def test_an_out_of_band_response_that_is_lost_ends_and_leaves_the_conversation_alone() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.append(Reply(hold_after=2))
            await client.send({"type": "response.create", "response": {"conversation": "none", "input": []}})
            await client.wait_until(lambda: len(client.of_type("response.output_audio.delta")) == 2)

            upstream.strike(faults.RESET)
            done = await client.wait_for("response.done")
            await ask_again(talk)

            assert (done["response"]["status"], done["response"]["conversation_id"]) == ("failed", None)
            assert history(upstream.session.responses[0].context) == [("user", "more")]

    run(work())


def test_a_truncation_before_a_loss_holds_after_it() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            answer = await client.ask("hi")
            item_id = answer.response["output"][0]["id"]
            cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 0}
            await client.send(cut)
            await client.wait_for("conversation.item.truncated")

            upstream.strike(faults.RESET)
            await ask_again(talk)

            said = [words for role, words in history(upstream.session.responses[0].context) if role == "assistant"]
            assert said in ([], [""])

    run(work())


def test_an_item_that_was_put_first_is_first_on_the_next_connection() -> None:
    async def work() -> None:
        async with conversation(retry_s=5) as talk:
            client, upstream = talk.client, talk.upstream
            await client.write("second")
            content = [{"type": "input_text", "text": "first"}]
            item = {"type": "message", "role": "system", "content": content}
            first = {"type": "conversation.item.create", "previous_item_id": "root", "item": item}
            await client.send(first)
            await client.wait_until(lambda: len(client.of_type("conversation.item.done")) == 2)

            upstream.strike(faults.RESET)
            await ask_again(talk)

            context = history(upstream.session.responses[0].context)
            assert context == [("system", "first"), ("user", "second"), ("user", "more")]

    run(work())
