"""Ways through a relay besides the plain one: within the process, two in a row, and on in an engine of its own."""

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from bench.checked_client import CheckedClient
from tests.relay.relaying import KEY, MODEL, Conversation, configured, conversation, history, raw_talk, relay
from tests.transports.peers import run
from vivavoce.cli.peers import local_peer
from vivavoce.config.model import Configuration
from vivavoce.testing import upstream_faults as faults
from vivavoce.testing.upstream import scripted_upstream
from vivavoce.testing.upstream_hearing import silence

HUM = b"\x40\x1f" * 120 + b"\xc0\xe0" * 120  # 10 ms that every detector takes for speech
TOOL = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}


def by_default(configuration: Configuration, **upstream: Any) -> Configuration:  # fields of its section
    """Return a configuration that relays sessions without a model as well."""
    engines = configuration.engines.model_copy(update={"default": "upstream"})
    changed = configuration.upstream.model_copy(update=upstream)
    return configuration.model_copy(update={"engines": engines, "upstream": changed})


# Within the process -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [None, MODEL])
def test_talking_within_the_process_goes_through_the_relay(model: str | None) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream:
            configuration = by_default(configured(upstream.url))
            async with local_peer(configuration, model) as peer:
                await peer.send({"type": "response.create"})
                async for event in peer.events():
                    if event["type"] == "response.done":
                        break

            assert upstream.count("response.create") == 1

    run(work())


def test_talking_within_the_process_to_an_own_model_stays_here() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream:
            async with local_peer(by_default(configured(upstream.url)), "vivavoce-scripted") as peer:
                async for event in peer.events():
                    assert event["session"]["vivavoce"]["engine"] == "scripted"
                    break

            assert upstream.handshakes == []

    run(work())


# Who goes there ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "settings", "wanted"),
    [
        ("", {}, {}),
        ("", {"model": "pinned"}, {"model": "pinned"}),
        (MODEL, {"model": "pinned"}, {"model": "pinned"}),
        ("anything", {"models": ()}, {"model": "anything"}),
    ],
)
def test_the_upstream_is_asked_for_the_model_that_counts(
    asked: str, settings: dict[str, Any], wanted: dict[str, str]
) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream:
            async with relay(by_default(configured(upstream.url), **settings)) as address:
                async with raw_talk(address, asked) as talk:
                    await talk.read_to("session.created")

            assert upstream.handshakes[0].query == wanted

    run(work())


def test_the_clients_key_and_headers_stay_here() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            headers = {"Cookie": "a=b", "X-Trace": "t", "OpenAI-Organization": "org", "OpenAI-Safety-Identifier": "u1"}
            async with raw_talk(address, key="client-secret-key", **headers) as talk:
                await talk.read_to("session.created")

            got = upstream.handshakes[0].headers
            assert got["authorization"] == f"Bearer {KEY}"
            assert got["openai-safety-identifier"] == "u1"
            assert not {"cookie", "x-trace", "openai-organization", "x-forwarded-for"} & got.keys()
            assert "client-secret-key" not in str(got)

    run(work())


# Limits -----------------------------------------------------------------------------------------------------------


def test_a_session_that_waits_for_its_upstream_counts_and_counts_no_more_when_its_client_left() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream:
            configuration = configured(upstream.url)
            server = configuration.server.model_copy(update={"max_sessions": 1})
            async with relay(configuration.model_copy(update={"server": server})) as address:
                upstream.fail_next(faults.NO_ANSWER)
                async with raw_talk(address) as talk:
                    await talk.send({"type": "session.update", "session": {"type": "realtime"}})
                    await upstream.wait_until(lambda: len(upstream.handshakes) == 1)
                    with pytest.raises(InvalidStatus) as full:
                        async with raw_talk(address):
                            pass
                    assert full.value.response.status_code == 503
                await upstream.wait_until(lambda: not upstream.connections[0].is_open)

                async with raw_talk(address) as talk:
                    await talk.read_to("session.created")

    run(work())


# Two in a row -----------------------------------------------------------------------------------------------------


def test_two_relays_in_a_row_behave_as_one() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as inner:
            async with relay(configured(f"http://{inner}/v1")) as outer, raw_talk(outer) as talk:
                created = await talk.read_to("session.created")
                session = {"type": "realtime", "instructions": "Be brief.", "vivavoce": {"cost": True}}
                await talk.send({"type": "session.update", "session": session})
                updated = await talk.read_to("session.updated")
                upstream.link.reset()
                await upstream.wait_until(lambda: len(upstream.sessions) == 2)
                await talk.send({"type": "response.create"})
                done = await talk.read_to("response.done")

            assert created["session"]["vivavoce"]["engine"] == "upstream"
            assert updated["session"]["id"] == created["session"]["id"]
            assert done["response"]["status"] == "completed"
            assert upstream.session.config["instructions"] == "Be brief."
            assert "error" not in talk.types()

    run(work())


# On in an engine of this server -----------------------------------------------------------------------------------


async def fail_over(talk: Conversation, since: int) -> dict[str, Any]:
    """Take the upstream away; return the session as it goes on."""
    talk.upstream.strike(faults.REFUSED)
    updated = await talk.client.wait_for("session.updated", since)
    session: dict[str, Any] = updated["session"]
    return session


async def retrieved(client: CheckedClient, item_id: str) -> dict[str, Any]:
    since = client.here
    await client.send({"type": "conversation.item.retrieve", "item_id": item_id})
    event = await client.wait(lambda event: event["type"] in ("conversation.item.retrieved", "error"), since)
    item: dict[str, Any] = event["item"]
    return item


def test_a_conversation_goes_on_here_with_its_configuration_and_its_items() -> None:
    async def work() -> None:
        async with conversation(retry_s=0.2, failover="scripted") as talk:
            audio = {"input": {"transcription": {"model": "whisper-1"}}}
            await talk.client.configure(instructions="Be brief.", tools=[TOOL], audio=audio)
            await talk.client.ask("hi")
            await talk.client.wait_for("rate_limits.updated")
            items = [event["item"]["id"] for event in talk.client.of_type("conversation.item.done")]
            since = talk.client.here

            session = await fail_over(talk, since)
            answer = await talk.client.ask("again")

            assert session["instructions"] == "Be brief."
            assert [tool["name"] for tool in session["tools"]] == ["look_up"]
            assert session["audio"]["input"]["transcription"]["model"] == "whisper-1"
            assert session["model"] == MODEL
            assert answer.status == "completed"
            told = [await retrieved(talk.client, item_id) for item_id in items]
            assert [who for who, _ in history(told)] == ["user", "assistant"]
            assert "error" not in talk.client.types(since)

    run(work())


def test_a_voice_that_only_the_upstream_has_does_not_keep_a_conversation_from_going_on_here() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream:
            settings = {"retry_s": 0.2, "failover": "scripted"}
            async with relay(configured(upstream.url, **settings)) as address, raw_talk(address) as talk:
                await talk.read_to("session.created")
                audio = {"output": {"voice": "nova-2027"}}
                session = {"type": "realtime", "instructions": "Be brief.", "audio": audio}
                await talk.send({"type": "session.update", "session": session})
                await talk.read_to("session.updated")

                upstream.strike(faults.REFUSED)
                updated = await talk.read_to("session.updated")
                await talk.send({"type": "response.create"})
                done = await talk.read_to("response.done")

            assert updated["session"]["instructions"] == "Be brief."
            assert done["response"]["status"] == "completed"

    run(work())


def test_what_the_user_is_saying_is_heard_by_the_engine_that_goes_on() -> None:
    async def work() -> None:
        async with conversation(retry_s=0.2, failover="scripted") as talk:
            await talk.client.configure(instructions="Be brief.")
            await talk.client.append(silence(400) + HUM * 60)
            await talk.client.wait_for("input_audio_buffer.speech_started")
            since = talk.client.here

            await fail_over(talk, since)
            await talk.client.append(silence(1500))
            done = await talk.client.wait_for("response.done", since)

            assert done["response"]["status"] == "completed"
            assert "input_audio_buffer.speech_started" not in talk.client.types(since)

    run(work())


# What a client may send -------------------------------------------------------------------------------------------


def test_audio_that_is_no_text_ends_the_client_and_not_its_upstream() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            async with raw_talk(address) as talk:
                await talk.read_to("session.created")
                await talk.send(b'{"type":"input_audio_buffer.append","audio":"AAAA"}')
                await upstream.wait_until(lambda: upstream.count("input_audio_buffer.append") == 1)
                await talk.send(b'{"type":"input_audio_buffer.append","event_id":"\xff","audio":"AAAA"}')
                await talk.read_to_close()

            assert talk.close_code == 1007
            assert upstream.count("input_audio_buffer.append") == 1
            assert len(upstream.handshakes) == 1

    run(work())
