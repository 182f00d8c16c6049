"""Client secrets for relayed models: the upstream judges the session, this server what is its own."""

import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.app.serving import Answer, ask_json
from tests.relay.relaying import MODEL, RawTalk, configured, raw_talk, relay
from tests.transports.peers import run
from vivavoce.testing.upstream import scripted_upstream

PATH = "POST /v1/realtime/client_secrets"
STRANGE = {
    "type": "realtime",
    "model": MODEL,
    "instructions": "Be brief.",
    "audio": {"output": {"voice": "nova-2027", "mood": "calm"}, "input": {"echo_cancellation": {"type": "far"}}},
    "thinking": {"budget": 7},
}


async def made(address: str, session: object, path: str = PATH) -> Answer:
    """Ask for a secret."""
    return await ask_json(int(address.rpartition(":")[2]), path, {"session": session})


def secret_of(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    value: str = answer.json["value"]
    return value


async def told(talk: RawTalk, event: dict[str, Any]) -> dict[str, Any]:
    """Send an event; return the error, or the session that answers it."""
    await talk.send(event)
    return await talk.read_until(lambda got: got["type"] in ("error", "session.updated", "conversation.item.added"))


def test_voices_and_fields_that_only_the_upstream_knows_pass() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            answer = await made(address, STRANGE)
            async with raw_talk(address, key=secret_of(answer)) as talk:
                created = await talk.read_to("session.created")

            shown = answer.json["session"]
            assert shown["type"] == "realtime"
            assert shown["model"] == MODEL
            assert shown["thinking"] == {"budget": 7}
            assert shown["audio"]["output"]["voice"] == "nova-2027"
            assert shown["audio"]["input"]["echo_cancellation"] == {"type": "far"}
            assert shown["vivavoce"]["engine"] == "upstream"
            (update,) = upstream.events("session.update")
            assert update["session"] == {name: value for name, value in STRANGE.items() if name != "model"}
            assert created["session"]["audio"]["output"]["voice"] == "nova-2027"

    run(work())


def test_the_beta_route_lets_them_pass_as_well() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            port = int(address.rpartition(":")[2])
            body = {"model": MODEL, "voice": "nova-2027", "thinking": {"budget": 7}}
            answer = await ask_json(port, "POST /v1/realtime/sessions", body)
            assert answer.status == 200, answer.body
            async with raw_talk(address, key=answer.json["client_secret"]["value"]) as talk:
                await talk.read_to("session.created")

            assert answer.json["voice"] == "nova-2027"
            (update,) = upstream.events("session.update")
            assert update["session"]["audio"]["output"]["voice"] == "nova-2027"
            assert update["session"]["thinking"] == {"budget": 7}

    run(work())


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"type": "realtime", "model": MODEL, "vivavoce": {"locked": ["nothing"]}}, "session.vivavoce.locked[0]"),
        ({"type": "realtime", "model": MODEL, "vivavoce": {"engin": 1}}, "session.vivavoce.engin"),
        ({"type": "nothing", "model": MODEL}, "session.type"),
        ({"model": MODEL}, "session.type"),
    ],
)
def test_what_is_this_servers_own_is_judged_here(session: dict[str, object], param: str) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            answer = await made(address, session)

            assert answer.status == 400
            assert answer.error["param"] == param

    run(work())


def test_a_model_of_this_server_is_judged_here() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            answer = await made(address, {**STRANGE, "model": "vivavoce-scripted"})

            assert answer.status == 400
            assert upstream.handshakes == []

    run(work())


def test_a_secret_of_a_relayed_model_opens_no_session_here_that_could_not_be_had() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            secret = secret_of(await made(address, STRANGE))

            with pytest.raises(InvalidStatus) as refused:
                async with raw_talk(address, "vivavoce-scripted", key=secret):
                    pass

            assert refused.value.response.status_code == 400
            assert json.loads(refused.value.response.body or b"")["error"]["param"].startswith("session.")

    run(work())


def test_locks_hold_for_a_relayed_session_and_for_fields_beside_them() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            locked = {**STRANGE, "vivavoce": {"locked": ["instructions", "model", "audio.output.voice"]}}
            secret = secret_of(await made(address, locked))
            async with raw_talk(address, key=secret) as talk:
                created = await talk.read_to("session.created")
                forbidden = {"type": "session.update", "session": {"type": "realtime", "instructions": "Swear."}}
                refused = await told(talk, forbidden)
                voice = {"type": "realtime", "audio": {"output": {"voice": "alloy"}}}
                refused_voice = await told(talk, {"type": "session.update", "session": voice})
                free = {"type": "session.update", "session": {"type": "realtime", "thinking": {"budget": 8}}}
                updated = await told(talk, free)

            assert created["session"]["vivavoce"]["locked"] == ["instructions", "model", "audio.output.voice"]
            assert refused["error"]["code"] == refused_voice["error"]["code"] == "parameter_locked"
            assert updated["type"] == "session.updated"
            assert all("vivavoce" not in event["session"] for event in upstream.events("session.update"))
            with pytest.raises(InvalidStatus) as other_model:
                async with raw_talk(address, "gpt-realtime-mini", key=secret):
                    pass
            assert other_model.value.response.status_code == 403

    run(work())


def test_a_session_from_a_secret_is_configured_again_after_a_loss() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            secret = secret_of(await made(address, STRANGE))
            async with raw_talk(address, key=secret) as talk:
                await talk.read_to("session.created")
                upstream.link.reset()
                await upstream.wait_until(lambda: upstream.count("session.update") == 2)

                first, second = upstream.events("session.update")
                assert first["session"] == second["session"]

    run(work())


def test_transcription_secrets_go_where_sessions_without_a_model_go() -> None:
    async def work() -> None:
        session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "scribe-2027"}}}}
        async with scripted_upstream() as upstream:
            flags = configured(upstream.url)
            engines = flags.engines.model_copy(update={"default": "upstream"})
            async with relay(flags.model_copy(update={"engines": engines})) as address:
                secret = secret_of(await made(address, session))
                async with raw_talk(address, "", key=secret) as talk:
                    await talk.read_to("session.created")

                assert upstream.handshakes[0].query == {"intent": "transcription"}
                (update,) = upstream.events("session.update")
                assert update["session"] == session

    run(work())


@pytest.mark.parametrize("model", [MODEL, "gpt-realtime-translate"])
def test_translation_with_a_relayed_model_is_refused_clearly(model: str) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            port = int(address.rpartition(":")[2])
            body = {"session": {"model": model, "audio": {"output": {"language": "de"}}}}
            answer = await ask_json(port, "POST /v1/realtime/translations/client_secrets", body)

            assert answer.status in (400, 404)
            assert model in answer.error["message"]
            assert upstream.handshakes == []

    run(work())


def test_call_ids_are_refused_before_anything_is_dialled() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url)) as address:
            with pytest.raises(InvalidStatus) as refused:
                async with raw_talk(address, query="&call_id=rtc_1"):
                    pass

            assert refused.value.response.status_code == 404
            assert upstream.handshakes == []

    run(work())
