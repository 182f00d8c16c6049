"""What the relay lets through untouched, and the few things that it keeps, edits or answers itself."""

import base64
import json
from typing import Any

import pytest

from tests.app.serving import ask_json
from tests.relay.relaying import (
    ITEM,
    KEY,
    MODEL,
    REPLY,
    SPOKEN_ANSWER,
    Conversation,
    RawTalk,
    configured,
    conversation,
    history,
    raw_talk,
    relay,
)
from tests.transports.peers import run
from vivavoce.core.relay.setting import RelaySetting
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.vocabulary import ClientMessage
from vivavoce.core.spending import NoSpending
from vivavoce.runtime.clock import RandomIds
from vivavoce.testing import upstream_faults as faults
from vivavoce.testing.upstream import Upstream, scripted_upstream
from vivavoce.testing.upstream_hearing import silence, speech
from vivavoce.testing.upstream_objects import EXPIRES_AT
from vivavoce.testing.upstream_replies import Reply

SESSION_EVENTS = ("session.created", "session.updated")
UPDATE = '{"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}'
ASK = '{"type": "response.create"}'


def message(event: dict[str, Any]) -> str:
    return json.dumps(event)


def user_item(text: str, item_id: str | None = None) -> dict[str, Any]:
    """Return a request that adds what the user writes."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return {"type": "conversation.item.create", "item": item if item_id is None else {"id": item_id, **item}}


# From the upstream --------------------------------------------------------------------------------------------------


def test_events_of_the_upstream_reach_the_client_byte_for_byte() -> None:
    async def work() -> None:
        async with scripted_upstream("strange") as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address) as talk:
                for sent in (UPDATE, message(user_item("hi")), ASK):
                    await talk.send(sent)

                await talk.read_to("rate_limits.updated")

                sent_on = [one for one in upstream.link.sent if json.loads(one)["type"] not in SESSION_EVENTS]
                came = [one for one in talk.messages if json.loads(one)["type"] not in SESSION_EVENTS]
                assert came == sent_on
                assert json.loads(came[0])["type"] == "weather.changed"

    run(work())


def test_spoken_answers_reach_the_client_byte_for_byte() -> None:
    async def work() -> None:
        async with scripted_upstream("strange") as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address) as talk:
                await talk.send(ASK)

                await talk.read_to("rate_limits.updated")

                assert talk.messages[1:] == upstream.link.sent[1:]
                assert talk.types()[2:] == SPOKEN_ANSWER

    run(work())


def test_session_objects_keep_their_unknown_fields_and_the_order_of_their_keys() -> None:
    async def work() -> None:
        async with scripted_upstream("strange") as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address) as talk:
                await talk.send(UPDATE)

                await talk.read_to("session.updated")

                told = [json.loads(one) for one in upstream.link.sent if json.loads(one)["type"] in SESSION_EVENTS]
                seen = [event for event in talk.events if event["type"] in SESSION_EVENTS]
                for ours, theirs in zip(seen, told, strict=True):
                    assert ours["session"].pop("vivavoce")["engine"] == "upstream"
                    assert list(ours["session"]) == list(theirs["session"])
                    for key in ("id", "expires_at"):
                        del ours["session"][key], theirs["session"][key]
                    assert ours["session"] == theirs["session"]

    run(work())


def test_a_large_event_of_the_upstream_passes_whole() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address) as talk:
                await talk.read_to("session.created")
                large = b'{"type":"future.large","body":"' + b"x" * 4_000_000 + b'"}'

                upstream.link.send_text(large)
                await talk.read_to("future.large")

                assert talk.messages[-1] == large

    run(work())


# From the client ----------------------------------------------------------------------------------------------------

AUDIO = base64.b64encode(speech(20)).decode()
STRANGE_MESSAGES = [
    '{"x_odd" : 1.50, "type":"future.request" ,"n":[1e3, -0.0, "\\u00e9\\/é😀", null, 12345678901234567890]} ',
    '\n{"event_id":"e1",\t"type" : "session.update","session":{"x_new":{"deep":[0.10]},"type":"realtime"}}',
    '{"type":"input_audio_buffer.append","audio":"' + AUDIO + '"}',
    '{"type": "input_audio_buffer.append", "audio": "' + AUDIO + '"}',
    '{"audio":"' + AUDIO + '" , "type":"input_audio_buffer.append","x_gain":1.0}',
    '{"event_id": "a1", "type": "input_audio_buffer.append", "audio": "' + AUDIO + '"}',
    '{"type":"conversation.item.create","item":{"x_mood":"calm","type":"message","role":"user","content":'
    '[{"type":"input_text","text":"\\u0041 word","x_lang":"en"}]},"previous_item_id":null}',
    '{"type":"response.create","response":{"x_depth":1e1,"metadata":{"b":"2","a":"1"}}}',
    '{"type":"output_audio_buffer.clear"}',
]


@pytest.mark.parametrize("text", STRANGE_MESSAGES, ids=range(len(STRANGE_MESSAGES)))
def test_messages_of_the_client_reach_the_upstream_byte_for_byte(text: str) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address) as talk:
                await talk.read_to("session.created")

                await talk.send(text)
                await upstream.wait_until(lambda: bool(upstream.received))

                assert [got.message for got in upstream.received] == [text.encode()]

    run(work())


def test_a_large_message_of_the_client_passes_in_its_place() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address) as talk:
                await talk.read_to("session.created")
                texts = [message(user_item("one")), message(user_item("x" * 1_000_000)), message(user_item("three"))]

                for text in texts:
                    await talk.send(text)
                await upstream.wait_until(lambda: len(upstream.received) == 3)

                assert [got.message for got in upstream.received] == [text.encode() for text in texts]

    run(work())


NOT_PASSED = [
    ("{", "invalid_event"),
    ("[]", "invalid_event"),
    ("{}", "missing_required_parameter"),
    ('{"type": 1}', "invalid_type"),
    ('{"type": "response.create", "type": "response.cancel"}', "invalid_event"),
    ('{"type": "session.update", "session": {"type": "realtime", "type": "realtime"}}', "invalid_event"),
    ('{"type": "session.update", "session": {"speed": NaN}}', "invalid_event"),
]


@pytest.mark.parametrize(("text", "code"), NOT_PASSED, ids=range(len(NOT_PASSED)))
def test_what_is_no_event_is_answered_here(text: str, code: str) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address) as talk:
                await talk.read_to("session.created")
                await talk.send(text)

                error = await talk.read_to("error")
                await talk.send('{"type": "future.request"}')
                await upstream.wait_until(lambda: bool(upstream.received))

                assert error["error"]["type"] == "invalid_request_error"
                assert error["error"]["code"] == code
                assert upstream.events() == [{"type": "future.request"}]

    run(work())


# What nobody else may see -------------------------------------------------------------------------------------------


def test_the_upstream_gets_the_servers_key_and_nothing_of_the_clients() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            names = {"X-Client": "client-name", "OpenAI-Safety-Identifier": "user-7"}
            async with raw_talk(address, query="&x_own=1", **names) as talk:
                await talk.read_to("session.created")

            (shake,) = upstream.handshakes
            assert (shake.path, shake.query) == ("/v1/realtime", {"model": MODEL})
            assert shake.headers["authorization"] == f"Bearer {KEY}"
            assert shake.headers["openai-safety-identifier"] == "user-7"
            assert "openai-beta" not in shake.headers
            assert not {"x-client", "origin", "cookie", "sec-websocket-extensions"} & shake.headers.keys()
            assert "client-key" not in str(shake.headers)

    run(work())


def test_the_client_sees_neither_key_nor_address_of_the_upstream() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address) as talk:
                await talk.send(ASK)
                await talk.read_to("rate_limits.updated")

                headers = str(talk.socket.response.headers if talk.socket.response is not None else None)
                everything = headers + b"".join(talk.messages).decode()
                assert KEY not in everything
                assert str(upstream.port) not in headers

    run(work())


# Ours ---------------------------------------------------------------------------------------------------------------


def test_the_session_has_our_id_and_our_end() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address) as talk:
                created = await talk.read_to("session.created")
                await talk.send(UPDATE)
                updated = await talk.read_to("session.updated")

                assert created["session"]["id"].startswith("sess_")
                assert "_up" not in created["session"]["id"]
                assert 0 < created["session"]["expires_at"] < EXPIRES_AT
                for key in ("id", "expires_at", "model"):
                    assert updated["session"][key] == created["session"][key]
                assert created["session"]["vivavoce"]["engine"] == "upstream"

    run(work())


def test_the_model_is_the_pinned_one_whatever_the_client_asks_for() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url, model="gpt-pinned")) as address:
            async with raw_talk(address, model="gpt-realtime-dear") as talk:
                created = await talk.read_to("session.created")
                await talk.send({"type": "session.update", "session": {"type": "realtime", "model": "gpt-dearer"}})
                await talk.read_to("session.updated")

                assert upstream.handshakes[0].query["model"] == "gpt-pinned"
                assert created["session"]["model"] == "gpt-pinned"
                assert "gpt-dearer" not in str(upstream.events())

    run(work())


def test_locked_fields_stay_and_what_they_forbid_is_not_passed_on() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            secret = await secret_for(address, instructions="Stay polite.", vivavoce={"locked": ["instructions"]})
            async with raw_talk(address, key=secret) as talk:
                await talk.read_to("session.created")
                told = upstream.session.config["instructions"]
                change = {"type": "realtime", "instructions": "Be rude."}
                await talk.send({"type": "session.update", "event_id": "e1", "session": change})
                first = await talk.read_to("error")
                await talk.send({"type": "response.create", "response": {"instructions": "Be rude."}})
                second = await talk.read_to("error")
                await talk.send('{"type": "future.request"}')
                await upstream.wait_until(lambda: upstream.count("future.request") == 1)

                assert told == "Stay polite."
                assert (first["error"]["code"], first["error"]["event_id"]) == ("parameter_locked", "e1")
                assert second["error"]["param"] == "response.instructions"
                assert "rude" not in str(upstream.events())

    run(work())


async def secret_for(address: str, **session: object) -> str:
    """Return a client secret for a session of the relayed model."""
    body = {"session": {"type": "realtime", "model": MODEL, **session}}
    answer = await ask_json(int(address.partition(":")[2]), "POST /v1/realtime/client_secrets", body)
    assert answer.status == 200, answer.body
    return str(answer.json["value"])


def test_what_a_secret_configures_is_told_to_every_connection_and_shown_at_once() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            secret = await secret_for(address, instructions="Stay polite.", output_modalities=["text"])
            async with raw_talk(address, key=secret) as talk:
                created = await talk.read_to("session.created")
                upstream.strike(faults.RESET)
                await upstream.wait_until(lambda: upstream.count("session.update", 2) == 1)

                assert created["session"]["instructions"] == "Stay polite."
                for session in upstream.sessions:
                    assert session.config["instructions"] == "Stay polite."
                    assert session.config["output_modalities"] == ["text"]
                    assert session.config["audio"]["input"]["turn_detection"]["type"] == "server_vad"

    run(work())


def test_a_model_that_is_not_relayed_stays_here() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address, model="vivavoce-scripted") as talk:
                created = await talk.read_to("session.created")

                assert created["session"]["vivavoce"]["engine"] == "scripted"
                assert upstream.handshakes == []

    run(work())


# Never uninvited ----------------------------------------------------------------------------------------------------

PASSIVE = {"turn_detection": {"type": "server_vad", "create_response": False}}


def test_fifty_passive_turns_ask_for_no_response() -> None:
    async def work() -> None:
        async with conversation() as talk:
            client, upstream = talk.client, talk.upstream
            await client.configure(audio={"input": {**PASSIVE, "transcription": {"model": "whisper-1"}}})
            transcribed = "conversation.item.input_audio_transcription.completed"

            for turn in range(50):
                if turn == 25:
                    upstream.strike(faults.RESET)
                since = client.here
                await client.append(speech(100) + silence(300))
                await client.wait_for(transcribed, since)
            passive = upstream.count("response.create"), client.of_type("response.created")
            await client.respond()

            assert passive == (0, [])
            assert upstream.count("response.create") == 1
            assert len(upstream.sessions) == 2
            assert len(upstream.session.responses[0].context) == 50

    run(work())


# Items from before a change of connections --------------------------------------------------------------------------


async def talk_and_lose(talk: Conversation) -> str:
    """Greet each other and lose the connection; return the id of what the assistant said."""
    answer = await talk.client.ask("hi")
    await talk.client.wait_for("rate_limits.updated")
    talk.upstream.strike(faults.RESET)
    await talk.upstream.wait_until(lambda: len(talk.upstream.sessions) == 2 and len(talk.upstream.session.items) == 2)
    since = talk.client.here
    await talk.client.configure(instructions="Be brief.")  # its answer comes behind all about the items
    assert talk.client.types(since) == ["session.updated"]
    return str(answer.response["output"][0]["id"])


def test_an_old_item_is_retrieved() -> None:
    async def work() -> None:
        async with conversation() as talk:
            item_id = await talk_and_lose(talk)

            await talk.client.send({"type": "conversation.item.retrieve", "item_id": item_id})
            retrieved = await talk.client.wait_for("conversation.item.retrieved")

            assert retrieved["item"]["id"] == item_id
            assert retrieved["item"]["content"][0]["transcript"] == REPLY

    run(work())


def test_an_old_answer_is_truncated_and_its_upstream_told() -> None:
    async def work() -> None:
        async with conversation() as talk:
            item_id = await talk_and_lose(talk)
            cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 200}

            await talk.client.send(cut)
            truncated = await talk.client.wait_for("conversation.item.truncated")
            await talk.client.ask("again")

            assert (truncated["item_id"], truncated["audio_end_ms"]) == (item_id, 200)
            context = history(talk.upstream.session.responses[0].context)
            assert context[0] == ("user", "hi")
            assert context[1][0] == "assistant"
            assert REPLY.startswith(context[1][1])
            assert 0 < len(context[1][1]) < len(REPLY)
            assert context[2] == ("user", "again")
            assert "error" not in talk.client.types()

    run(work())


def test_more_of_an_old_answer_than_there_was_is_refused() -> None:
    async def work() -> None:
        async with conversation() as talk:
            item_id = await talk_and_lose(talk)
            cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 5000}

            await talk.client.send({"event_id": "mine", **cut})
            error = await talk.client.wait_for("error")

            assert (error["error"]["code"], error["error"]["event_id"]) == ("invalid_value", "mine")
            assert "600" in error["error"]["message"]

    run(work())


def test_an_old_item_is_deleted_here_and_there() -> None:
    async def work() -> None:
        async with conversation() as talk:
            item_id = await talk_and_lose(talk)

            await talk.client.send({"type": "conversation.item.delete", "item_id": item_id})
            deleted = await talk.client.wait_for("conversation.item.deleted")
            await talk.client.ask("again")

            assert deleted["item_id"] == item_id
            assert history(talk.upstream.session.responses[0].context) == [("user", "hi"), ("user", "again")]

    run(work())


@pytest.mark.parametrize("deed", ["retrieve", "delete", "truncate"])
def test_an_unknown_item_is_an_error_after_a_loss_too(deed: str) -> None:
    async def work() -> None:
        async with conversation() as talk:
            await talk_and_lose(talk)
            asked = {"type": f"conversation.item.{deed}", "item_id": "item_x", "content_index": 0, "audio_end_ms": 0}

            await talk.client.send({"event_id": "mine", **asked})
            error = await talk.client.wait_for("error")

            code = f"item_{deed}_invalid_item_id"
            assert (error["error"]["code"], error["error"]["event_id"]) == (code, "mine")

    run(work())


def test_an_utterance_that_was_heard_again_is_known_by_the_id_that_was_announced() -> None:
    async def work() -> None:
        async with conversation() as talk:
            client, upstream = talk.client, talk.upstream
            await client.configure(audio={"input": PASSIVE})
            await client.append(speech(300))
            item_id = (await client.wait_for("input_audio_buffer.speech_started"))["item_id"]
            upstream.strike(faults.RESET)
            await upstream.wait_until(lambda: len(upstream.sessions) == 2 and upstream.session.hearing.is_speech)
            await client.append(silence(300))
            await client.wait_for("conversation.item.done")
            since = client.here

            await client.send({"type": "conversation.item.retrieve", "item_id": item_id})
            retrieved = await client.wait_for("conversation.item.retrieved", since)
            await client.send({**user_item("next"), "previous_item_id": item_id})
            added = await client.wait_for("conversation.item.added", since)
            await client.send({"type": "conversation.item.delete", "item_id": item_id})
            deleted = await client.wait_for("conversation.item.deleted", since)

            assert retrieved["item"]["id"] == added["previous_item_id"] == deleted["item_id"] == item_id
            assert history(upstream.session.items) == [("user", "next")]

    run(work())


# Roll-over ----------------------------------------------------------------------------------------------------------

SOON_MIN = 0.005  # 300 ms


async def until_session(upstream: Upstream, number: int) -> None:
    await upstream.wait_until(lambda: len(upstream.sessions) >= number)


def test_three_roll_overs_are_not_seen_and_lose_nothing() -> None:
    async def work() -> None:
        async with conversation(rollover_min=SOON_MIN) as talk:
            client, upstream = talk.client, talk.upstream
            said: list[tuple[str, str]] = []
            await client.configure(instructions="Be brief.")
            for number in (1, 2, 3, 4):
                since = client.here
                await until_session(upstream, number)
                await client.ask(f"question {number}")
                await client.wait_for("rate_limits.updated", since)
                said += [("user", f"question {number}"), ("assistant", REPLY)]
                assert client.types(since) == ITEM + SPOKEN_ANSWER
            context = history(upstream.session.responses[-1].context) if upstream.session.responses else []

            assert len(upstream.sessions) >= 4
            assert context in ([], said[:-1])
            assert "error" not in client.types()
            assert upstream.session.config["instructions"] == "Be brief."
            asked = [upstream.count("response.create", one.number) for one in upstream.connections]
            assert sum(asked) == 4

    run(work())


def test_a_roll_over_waits_for_the_end_of_an_answer() -> None:
    async def work() -> None:
        async with conversation(rollover_min=SOON_MIN) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.script.replies.append(Reply(hold_after=2))
            await client.write("hi")
            await client.send({"type": "response.create"})
            await client.wait_until(lambda: len(client.of_type("response.output_audio.delta")) == 2)
            first = upstream.session

            await upstream.wait_until(lambda: len(upstream.sessions) == 2)
            first.release()
            done = await client.wait_for("response.done")
            await client.ask("again")

            assert done["response"]["status"] == "completed"
            whole = [("user", "hi"), ("assistant", REPLY), ("user", "again"), ("assistant", REPLY)]
            assert history(upstream.session.items)[: len(whole)] == whole

    run(work())


def test_a_roll_over_waits_for_the_end_of_what_the_user_says() -> None:
    async def work() -> None:
        async with conversation(rollover_min=SOON_MIN) as talk:
            client, upstream = talk.client, talk.upstream
            await client.append(speech(300))
            started = await client.wait_for("input_audio_buffer.speech_started")

            await upstream.wait_until(lambda: len(upstream.sessions) == 2)
            await client.append(speech(100) + silence(300))
            committed = await client.wait_for("input_audio_buffer.committed")
            await client.answer(0)

            assert committed["item_id"] == started["item_id"]
            assert len(upstream.sessions[0].responses) == 1
            assert client.types().count("input_audio_buffer.speech_started") == 1

    run(work())


def test_a_roll_over_that_fails_is_not_seen_and_the_old_connection_serves_on() -> None:
    async def work() -> None:
        async with conversation(rollover_min=SOON_MIN) as talk:
            client, upstream = talk.client, talk.upstream
            upstream.fail_next(faults.STATUS_503, 9)

            await upstream.wait_until(lambda: len(upstream.handshakes) == 2)
            answer = await client.ask("hi")

            assert answer.text == REPLY
            assert len(upstream.sessions) == 1
            assert "error" not in client.types()

    run(work())


def test_old_connections_are_closed_in_order() -> None:
    async def work() -> None:
        async with conversation(rollover_min=SOON_MIN) as talk:
            upstream: Upstream = talk.upstream

            await upstream.wait_until(lambda: len(upstream.sessions) == 2)
            await upstream.wait_until(lambda: upstream.connections[0].close_code is not None)

            assert upstream.connections[0].close_code == 1000

    run(work())


def test_the_state_of_a_session_is_its_own() -> None:
    setting = RelaySetting(session_id="sess_1", targets=("upstream",))
    first, second = (RelayState(setting, RandomIds(), NoSpending()) for _ in range(2))

    first.client.held.append(ClientMessage(b"{}"))
    first.client.updates.append({"type": "realtime"})

    assert not second.client.held
    assert not second.client.updates


def test_two_sessions_know_nothing_of_each_other() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            upstream.fail_next(faults.STATUS_503)
            async with raw_talk(address) as first, raw_talk(address) as second:
                await first.send(message(user_item("secret of the first")))
                await second.send(message(user_item("secret of the second")))
                for talk in (first, second):
                    await talk.read_to("conversation.item.done")

                assert [len(session.items) for session in upstream.sessions] == [1, 1]
                assert seen_secret(first) == {"secret of the first"}
                assert seen_secret(second) == {"secret of the second"}

    run(work())


def seen_secret(talk: RawTalk) -> set[str]:
    """Return the texts of the items that a client has seen."""
    return {part["text"] for event in talk.events if "item" in event for part in event["item"]["content"]}
