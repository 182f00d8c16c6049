"""`/v1/realtime/translations` over real sockets: the stock client, refusals, secrets, the ends of a session."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.translations.translations import AsyncTranslationsConnection
from openai.types.realtime import RealtimeTranslationServerEvent
from pydantic import TypeAdapter
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.app.serving import Answer, ask, serving, upgrade_head
from tests.app.test_realtime import client_of
from tests.transports.peers import run
from vivavoce.app.models import ModelCard, ModelCatalogue
from vivavoce.app.server import AppSettings
from vivavoce.core.policy import SessionPolicy
from vivavoce.engines.base import Capabilities, TranslationOptions, Translator
from vivavoce.engines.llm.scripted import ScriptedGenerator
from vivavoce.engines.script import load_script
from vivavoce.engines.stt.scripted import ScriptedTranscriber
from vivavoce.engines.translation.scripted import Deliver, ScriptedTranslator, tone
from vivavoce.engines.tts.scripted import ScriptedSynthesizer
from vivavoce.engines.vad.scripted import ScriptedDetector
from vivavoce.protocol.ids import CountingIds
from vivavoce.runtime.clock import SystemClock
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.registry import Registry, SessionSettings
from vivavoce.testing.matrix import SEEN

PATH = "/v1/realtime/translations"
TRANSLATING = f"{PATH}?model=translating"
SCRIPT = """
translations = [
    { audio_ms = 600, source = "guten Morgen", target = "good morning ({language})" },
    { audio_ms = 400, source = "Herr Doktor", target = "doctor" },
]
"""
MODELS = ModelCatalogue((ModelCard("plain"), ModelCard("translating")), is_strict=False)
KEYED = AppSettings(api_keys=("sk-good",))

Json = dict[str, Any]
_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeTranslationServerEvent)


class HoldingTranslator:
    """Takes audio and gives nothing back."""

    capabilities = Capabilities(name="holding")

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def open(self, options: TranslationOptions, deliver: Deliver) -> "HoldingStream":
        return HoldingStream()


class HoldingStream:
    pending_ms = 0.0

    def feed(self, pcm: bytes) -> None: ...

    def change(self, options: TranslationOptions) -> None: ...

    def finish(self) -> None: ...

    def abort(self) -> None: ...


def engines(translator: Translator | None) -> EngineSet:
    script = load_script("")
    return EngineSet(
        name="scripted",
        detector=ScriptedDetector(script),
        transcriber=ScriptedTranscriber(script),
        generator=ScriptedGenerator(script),
        synthesizer=ScriptedSynthesizer(script),
        translator=translator,
    )


def registry_of(translator: Translator, **settings: Any) -> Registry:
    """Return a host of two models of which one translates; its default does not."""
    defaults = {"default_model": "plain", "voice": "alloy", "instructions": "", **settings}
    sets = {"plain": engines(None), "translating": engines(translator)}
    return Registry(sets, SessionSettings(**defaults), SystemClock(), CountingIds())


def scripted_registry(script: str = SCRIPT, **settings: Any) -> Registry:
    return registry_of(ScriptedTranslator(load_script(script)), **settings)


def checked(message: bytes | str) -> Json:
    """Return an event after it was read as the openai package reads it, strictly."""
    _EVENT.validate_json(message, strict=True)
    event: Json = json.loads(message)
    if event["type"] == "error":
        SEEN.note_error(event["error"]["code"])
    return event


@contextlib.asynccontextmanager
async def stock_client(port: int, key: str = "any") -> AsyncIterator[AsyncTranslationsConnection]:
    async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0) as api:
        async with api.realtime.translations.connect(model="translating") as connection:
            yield connection


async def events_until_the_end(connection: AsyncTranslationsConnection) -> tuple[list[Json], ConnectionClosed]:
    events: list[Json] = []
    try:
        while True:
            events.append(checked(await connection.recv_bytes()))
    except ConnectionClosed as closed:
        return events, closed


def append_event(ms: int) -> Json:
    return {"type": "session.input_audio_buffer.append", "audio": base64.b64encode(bytes(48 * ms)).decode()}


async def closed_after(websocket: ClientConnection) -> tuple[list[Json], int | None]:
    """Return what still comes and the close code."""
    events = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            events.append(checked(await websocket.recv()))
    return events, websocket.close_code


# The stock client ---------------------------------------------------------------------------------------------------


def test_the_stock_client_has_its_speech_translated_and_ends_with_closed_and_1000() -> None:
    async def scenario() -> tuple[list[Json], int]:
        async with serving(scripted_registry(), models=MODELS) as port, stock_client(port) as connection:
            await connection.session.update(
                session={"audio": {"input": {"transcription": {"model": "any"}}, "output": {"language": "fr"}}}
            )
            for _ in range(6):
                audio = base64.b64encode(bytes(48 * 200)).decode()
                await connection.session.input_audio_buffer.append(audio=audio)
            await connection.session.close()
            events, closed = await events_until_the_end(connection)
            assert closed.rcvd is not None
            return events, closed.rcvd.code

    events, code = run(scenario())

    assert [event["type"] for event in events[:2]] == ["session.created", "session.updated"]
    assert events[-1]["type"] == "session.closed"
    assert code == 1000
    heard = "".join(event["delta"] for event in events if event["type"] == "session.input_transcript.delta")
    read = "".join(event["delta"] for event in events if event["type"] == "session.output_transcript.delta")
    assert heard == "guten Morgen Herr Doktor scripted source 3"
    assert read == "good morning (fr) doctor scripted fr 3"
    audio = [event for event in events if event["type"] == "session.output_audio.delta"]
    spoken = b"".join(base64.b64decode(event["delta"]) for event in audio)
    assert spoken == tone(24 * 600) + tone(24 * 400) + tone(24 * 200)
    assert {(e["sample_rate"], e["channels"], e["format"]) for e in audio} == {(24_000, 1, "pcm16")}
    assert [e["elapsed_ms"] for e in events if e["type"] == "session.output_transcript.delta"] == [600, 1000, 1200]
    assert len({event["event_id"] for event in events}) == len(events)


def test_the_created_session_is_of_the_type_translation_and_names_the_model_that_was_asked_for() -> None:
    async def scenario() -> Json:
        async with (
            serving(scripted_registry(), models=MODELS) as port,
            client_of(port, TRANSLATING) as c,
        ):
            return checked(await c.recv())

    session = run(scenario())["session"]

    assert (session["type"], session["model"], session["audio"]["output"]) == (
        "translation",
        "translating",
        {"language": "en"},
    )
    assert session["id"].startswith("sess_")
    assert session["expires_at"] > 1_700_000_000
    assert session["vivavoce"]["engine"] == "scripted"


def test_a_mistake_is_told_with_the_clients_event_id_and_the_session_goes_on() -> None:
    mistakes = [
        {"type": "session.update", "event_id": "e1", "session": {"type": "translation"}},
        {"type": "session.update", "event_id": "e2", "session": {"audio": {"output": {"language": "tlh"}}}},
        {"type": "input_audio_buffer.append", "event_id": "e3", "audio": ""},
        {"type": "session.input_audio_buffer.append", "event_id": "e4", "audio": "?"},
    ]

    async def scenario() -> list[Json]:
        async with (
            serving(scripted_registry(), models=MODELS) as port,
            client_of(port, TRANSLATING) as c,
        ):
            for mistake in mistakes:
                await c.send(json.dumps(mistake))
            await c.send(b"binary")
            await c.send(json.dumps({"type": "session.close"}))
            return (await closed_after(c))[0]

    events = run(scenario())

    assert [(e["error"]["event_id"], e["error"]["code"], e["error"]["param"]) for e in events[1:-1]] == [
        ("e1", "unknown_parameter", "session.type"),
        ("e2", "invalid_value", "session.audio.output.language"),
        ("e3", "invalid_value", "type"),
        ("e4", "invalid_value", "audio"),
        (None, "invalid_event", None),
    ]
    assert events[-1]["type"] == "session.closed"


def test_one_append_of_15_mebibytes_is_translated_to_its_end() -> None:
    script = "translations = [{ audio_ms = 3_600_000, target = 'all of it' }]"
    audio_ms = 15 * 1024 * 1024 // 48

    async def scenario() -> tuple[list[Json], int | None]:
        registry = scripted_registry(script)
        async with serving(registry, models=MODELS) as port:
            async with client_of(port, TRANSLATING, max_size=None) as websocket:
                await websocket.send(json.dumps(append_event(audio_ms)))
                await websocket.send(json.dumps({"type": "session.close"}))
                return await closed_after(websocket)

    events, code = run(scenario())

    spoken = sum(len(base64.b64decode(e["delta"])) for e in events if e["type"] == "session.output_audio.delta")
    assert spoken == 48 * audio_ms
    assert max(len(e["delta"]) for e in events if e["type"] == "session.output_audio.delta") <= 200 * 48 * 4 // 3
    assert (events[-1]["type"], code) == ("session.closed", 1000)


# Refused ------------------------------------------------------------------------------------------------------------


def refusal_of(head: str, settings: AppSettings | None = None, models: ModelCatalogue = MODELS) -> Answer:
    async def scenario() -> Answer:
        registry = scripted_registry()
        async with serving(registry, settings, models=models) as port:
            answer = await ask(port, head)
            assert len(registry) == 0
            return answer

    return run(scenario())


@pytest.mark.parametrize("target", [f"{PATH}?model=plain", f"{PATH}?model=gpt-realtime-translate", PATH])
def test_a_model_without_a_translating_engine_is_refused_with_404_before_the_upgrade(target: str) -> None:
    answer = refusal_of(upgrade_head(target, "Authorization: Bearer any"))

    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")
    assert "no translating engine is configured" in answer.error["message"]


def test_a_browser_is_told_of_it_by_an_event_and_closed_with_4004() -> None:
    async def scenario() -> tuple[Json, int | None, str | None]:
        async with serving(scripted_registry(), models=MODELS) as port:
            async with client_of(port, f"{PATH}?model=plain", protocols=("realtime",)) as websocket:
                events, _ = await closed_after(websocket)
                return events[0], websocket.close_code, websocket.close_reason

    event, code, reason = run(scenario())

    assert event["error"]["code"] == "model_not_found"
    assert "no translating engine is configured" in event["error"]["message"]
    assert (code, reason) == (4004, "invalid_request_error.model_not_found")


def test_a_strict_server_does_not_know_other_names() -> None:
    answer = refusal_of(upgrade_head(f"{PATH}?model=nobody"), models=ModelCatalogue(MODELS.cards, is_strict=True))

    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert "does not exist" in answer.error["message"]


def test_without_the_key_translations_are_refused_like_conversations() -> None:
    answer = refusal_of(upgrade_head(TRANSLATING), KEYED)

    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")


def test_the_beta_has_no_translations() -> None:
    async def scenario() -> tuple[str, int | None]:
        async with serving(scripted_registry(), models=MODELS) as port:
            headers = {"OpenAI-Beta": "realtime=v1"}
            async with client_of(port, TRANSLATING, additional_headers=headers) as websocket:
                events, code = await closed_after(websocket)
                return events[0]["error"]["type"], code

    assert run(scenario()) == ("invalid_request_error", 4000)


def test_translations_count_towards_the_limit_of_sessions() -> None:
    async def scenario() -> tuple[int, int]:
        async with serving(scripted_registry(max_sessions=1), models=MODELS) as port:
            async with client_of(port, TRANSLATING):
                full = await ask(port, upgrade_head(TRANSLATING))
                other = await ask(port, upgrade_head("/v1/realtime?model=plain"))
                return full.status, other.status

    assert run(scenario()) == (503, 503)


# Secrets ------------------------------------------------------------------------------------------------------------


def test_a_secret_brings_model_and_configuration_and_opens_no_conversation() -> None:
    session: Any = {
        "model": "translating",
        "audio": {"input": {"transcription": {"model": "any"}}, "output": {"language": "ja"}},
    }

    async def scenario() -> tuple[Json, Json, Answer]:
        async with serving(scripted_registry(), KEYED, models=MODELS) as port:
            async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-good", max_retries=0) as api:
                minted = await api.realtime.translations.client_secrets.create(session=session)
            bearer = {"Authorization": f"Bearer {minted.value}"}
            async with client_of(port, PATH, additional_headers=bearer) as websocket:
                created = checked(await websocket.recv())["session"]
            refused = await ask(port, upgrade_head("/v1/realtime", f"Authorization: Bearer {minted.value}"))
            return minted.session.model_dump(), created, refused

    minted, created, refused = run(scenario())

    assert (created["model"], created["audio"]["output"]["language"]) == ("translating", "ja")
    assert created["audio"]["input"]["transcription"] == {"model": "any"}
    assert minted["audio"]["output"]["language"] == "ja"
    assert (refused.status, refused.error["code"]) == (403, "insufficient_permissions")


def test_a_secret_for_conversations_opens_no_translation() -> None:
    async def scenario() -> Answer:
        async with serving(scripted_registry(), KEYED, models=MODELS) as port:
            async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-good", max_retries=0) as api:
                minted = await api.realtime.client_secrets.create(session={"type": "realtime"})
            head = upgrade_head(TRANSLATING, f"Authorization: Bearer {minted.value}")
            return await ask(port, head)

    refused = run(scenario())

    assert (refused.status, refused.error["code"]) == (403, "insufficient_permissions")


# Ends ---------------------------------------------------------------------------------------------------------------


def test_a_translator_that_fails_is_told_and_closes_with_1011() -> None:
    script = "translations = [{ audio_ms = 200, target = 'one', failure = { message = 'it broke' } }]"

    async def scenario() -> tuple[list[Json], int | None]:
        async with serving(scripted_registry(script), models=MODELS) as port:
            async with client_of(port, TRANSLATING) as websocket:
                await websocket.send(json.dumps(append_event(400)))
                return await closed_after(websocket)

    events, code = run(scenario())

    assert events[-1]["error"] == {
        "type": "server_error",
        "code": "server_error",
        "message": "it broke",
        "param": None,
        "event_id": None,
    }
    assert code == 1011


def test_a_server_that_shuts_down_gives_the_rest_and_closes_with_1012() -> None:
    async def scenario() -> tuple[list[Json], int | None]:
        async with asyncio.TaskGroup() as tasks:
            async with serving(scripted_registry(), models=MODELS) as port:
                websocket = await client_of(port, TRANSLATING)
                await websocket.send(json.dumps(append_event(200)))
                await websocket.send(json.dumps({"type": "session.update", "session": {}}))
                while checked(await websocket.recv())["type"] != "session.updated":
                    pass
                reading = tasks.create_task(closed_after(websocket))
        return reading.result()

    events, code = run(scenario())

    assert "".join(e["delta"] for e in events if e["type"] == "session.output_transcript.delta") == "good morning (en)"
    assert events[-1]["type"] == "session.output_audio.delta"
    assert code == 1012


def test_a_lifetime_that_is_over_is_told_and_closes_with_1001() -> None:
    async def scenario() -> tuple[list[Json], int | None]:
        registry = registry_of(HoldingTranslator(), policy=SessionPolicy(lifetime_s=0.05))
        async with serving(registry, models=MODELS) as port:
            async with client_of(port, TRANSLATING) as websocket:
                await websocket.send(json.dumps(append_event(200)))
                return await closed_after(websocket)

    events, code = run(scenario())

    assert events[-1]["error"]["code"] == "session_expired"
    assert code == 1001


def test_what_is_sent_after_the_client_closed_its_session_is_refused() -> None:
    async def scenario() -> Json:
        async with serving(registry_of(HoldingTranslator()), models=MODELS) as port:
            async with client_of(port, TRANSLATING) as websocket:
                for event in (append_event(200), {"type": "session.close"}, {**append_event(200), "event_id": "late"}):
                    await websocket.send(json.dumps(event))
                while True:
                    answer = checked(await websocket.recv())
                    if answer["type"] == "error":
                        return answer

    error = run(scenario())["error"]

    assert (error["code"], error["event_id"]) == ("session_closing", "late")
