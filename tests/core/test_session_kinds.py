"""Transcription sessions, first configurations, locks and limits: what a session is from its first moment on."""

from typing import Any

import pytest

from vivavoce.core.configuring import configured
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.session import LocalSession
from vivavoce.core.state import Profile
from vivavoce.core.vocabulary import (
    Generate,
    GenerationFinished,
    ReduceNoise,
    StartTrace,
    TextGenerated,
    TranscriptFinalized,
)
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.session import RealtimeSession, SessionPatch
from vivavoce.protocol.session_body import decode_session
from vivavoce.protocol.session_fields import SessionKind
from vivavoce.testing.driver import SessionDriver, plain_session

Json = dict[str, Any]
SPEECH, SILENCE = [1.0] * 10, [0.0] * 16  # 320 ms, 512 ms
USER_TEXT: Json = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}


def profile(kind: SessionKind = "realtime", **policy: Any) -> Profile:
    return Profile(kind, SessionPolicy(**policy), RateLimits(), "Be kind.")


def opened(
    session: RealtimeSession | None = None,
    kind: SessionKind = "realtime",
    limits: RateLimits | None = None,
    **policy: Any,
) -> SessionDriver:
    core = LocalSession(session or plain_session(), CountingIds(), SessionPolicy(**policy), kind=kind, limits=limits)
    return SessionDriver(core)


def from_secret(body: Json, **policy: Any) -> SessionDriver:
    """Return a session that opens with the configuration of a client secret."""
    patch = decode_session(body)
    assert patch is not None, "a session was given"
    session = configured(plain_session(), patch, profile(patch.type, **policy))
    return opened(session, patch.type, **policy)


def error_of(events: list[Json]) -> tuple[Any, Any, str]:
    (event,) = events
    return event["error"]["code"], event["error"]["param"], event["error"]["message"]


def update(driver: SessionDriver, kind: str = "realtime", **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": kind, **session}})


# Transcription ----------------------------------------------------------------------------------------------------


def test_a_transcription_session_shows_only_what_it_has() -> None:
    driver = opened(kind="transcription")

    session = driver.events[0]["session"]

    assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
    assert set(session["audio"]) == {"input"}
    assert not {"instructions", "tools", "model", "output_modalities"} & set(session)


def test_speech_is_transcribed_and_never_answered() -> None:
    driver = opened(kind="transcription")
    update(driver, "transcription", audio={"input": {"transcription": {"model": "any"}}})

    events = driver.hear(*SPEECH, *SILENCE)
    events += driver.post(TranscriptFinalized(driver.last_finished_transcript(), "hello there"))
    driver.advance(120)

    assert driver.types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert driver.asked(Generate) == []


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.create"},
        {"type": "response.cancel"},
        {"type": "conversation.item.create", "item": USER_TEXT},
        {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 0},
    ],
    ids=lambda event: str(event["type"]),
)
def test_a_transcription_session_has_no_conversation(event: Json) -> None:
    code, param, message = error_of(opened(kind="transcription").client(event))

    assert (code, param) == ("invalid_event", "type")
    assert message == f"The event '{event['type']}' is not allowed in a transcription session."


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"instructions": "x"}, "session.instructions"),
        ({"tools": []}, "session.tools"),
        ({"audio": {"output": {"voice": "ash"}}}, "session.audio.output"),
    ],
)
def test_a_field_of_conversations_is_unknown_to_a_transcription_session(fields: Json, param: str) -> None:
    code, found, _ = error_of(update(opened(kind="transcription"), "transcription", **fields))

    assert (code, found) == ("unknown_parameter", param)


@pytest.mark.parametrize(("kind", "other"), [("realtime", "transcription"), ("transcription", "realtime")])
def test_the_kind_of_a_session_does_not_change(kind: SessionKind, other: str) -> None:
    _, _, message = error_of(update(opened(kind=kind), other))

    assert message == f"Passing a {other} session update event to a {kind} session is not allowed."


# First configuration ----------------------------------------------------------------------------------------------


def test_a_session_opens_with_the_configuration_of_its_secret() -> None:
    driver = from_secret({"type": "realtime", "instructions": "Be brief.", "audio": {"output": {"voice": "ash"}}})

    session = driver.events[0]["session"]

    assert driver.types() == ["session.created"]
    assert (session["instructions"], session["audio"]["output"]["voice"]) == ("Be brief.", "ash")


def test_what_a_session_opens_with_takes_effect_at_once() -> None:
    reduction = {"type": "far_field", "strength": 0.5}
    driver = from_secret({"type": "realtime", "tracing": "auto", "audio": {"input": {"noise_reduction": reduction}}})

    assert [output.reduction.type for output in driver.asked(ReduceNoise)] == ["far_field"]
    assert [output.tracing for output in driver.asked(StartTrace)] == ["auto"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "realtime", "prompt": {"id": "missing"}}, "prompt_not_found"),
        ({"type": "realtime", "tool_choice": {"type": "function", "name": "f"}}, "invalid_value"),
        ({"type": "transcription", "instructions": "x"}, "unknown_parameter"),
    ],
)
def test_a_configuration_that_cannot_be_had_is_refused(body: Json, code: str) -> None:
    with pytest.raises(ClientError) as raised:
        from_secret(body)

    assert raised.value.detail.code == code


def test_noise_reduction_follows_updates_and_the_format() -> None:
    driver = opened()

    update(driver, audio={"input": {"noise_reduction": {"type": "near_field"}}})
    update(driver, instructions="x")
    update(driver, audio={"input": {"format": {"type": "audio/pcmu"}}})
    update(driver, audio={"input": {"noise_reduction": None}})

    asked = [(o.reduction and o.reduction.type, o.encoding.value) for o in driver.asked(ReduceNoise)]
    assert asked == [("near_field", "audio/pcm"), ("near_field", "audio/pcmu"), (None, "audio/pcmu")]


def test_fields_that_no_engine_honours_are_listed_until_they_are_cleared() -> None:
    driver = opened()

    listed = update(driver, include=["item.input_audio_transcription.logprobs"], reasoning={"effort": "low"})
    cleared = update(driver, include=[])

    assert listed[0]["session"]["vivavoce"]["ignored"] == ["reasoning", "include"]
    assert cleared[0]["session"]["vivavoce"]["ignored"] == ["reasoning"]


# Locks ------------------------------------------------------------------------------------------------------------

LOCKED: Json = {
    "type": "realtime",
    "instructions": "Sell only shoes.",
    "vivavoce": {"locked": ["instructions", "tools", "audio.output", "max_output_tokens"]},
}


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ({"type": "session.update", "session": {"instructions": "x"}}, "session.instructions"),
        ({"type": "session.update", "session": {"tools": [{"type": "function", "name": "f"}]}}, "session.tools"),
        ({"type": "session.update", "session": {"audio": {"output": {"speed": 1.5}}}}, "session.audio.output"),
        ({"type": "session.update", "session": {"vivavoce": {"locked": []}}}, "session.vivavoce.locked"),
        ({"type": "response.create", "response": {"instructions": "x"}}, "response.instructions"),
        ({"type": "response.create", "response": {"prompt": {"id": "p"}}}, "response.prompt"),
        ({"type": "response.create", "response": {"max_output_tokens": 9}}, "response.max_output_tokens"),
        ({"type": "response.create", "response": {"vivavoce": {"say": "x"}}}, "response.vivavoce.say"),
        (
            {"type": "response.create", "response": {"audio": {"output": {"voice": "ash"}}}},
            "response.audio.output.voice",
        ),
        (
            {"type": "response.create", "response": {"input": [USER_TEXT | {"role": "system"}]}},
            "response.input[0].role",
        ),
        ({"type": "conversation.item.create", "item": USER_TEXT | {"role": "system"}}, "item.role"),
    ],
)
def test_what_is_locked_cannot_be_set_in_any_way(event: Json, param: str) -> None:
    driver = from_secret(LOCKED)
    if "session" in event:
        event["session"]["type"] = "realtime"

    code, found, message = error_of(driver.client(event))

    assert (code, found) == ("parameter_locked", param)
    assert message == f"The parameter '{param}' is locked for this client."


def test_a_locked_value_may_be_repeated_and_the_rest_changed() -> None:
    driver = from_secret(LOCKED)

    updated = update(driver, instructions="Sell only shoes.", tool_choice="none", audio={"input": {}})
    created = driver.client({"type": "response.create", "response": {"instructions": "Sell only shoes."}})
    written = driver.client({"type": "conversation.item.create", "item": USER_TEXT})

    assert driver.types(updated + created + written) == [
        "session.updated",
        "response.created",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert updated[0]["session"]["vivavoce"]["locked"] == LOCKED["vivavoce"]["locked"]


def test_an_unknown_path_cannot_be_locked() -> None:
    with pytest.raises(ClientError) as raised:
        from_secret({"type": "realtime", "vivavoce": {"locked": ["everything"]}})

    assert raised.value.detail.param == "session.vivavoce.locked[0]"


# Limits -----------------------------------------------------------------------------------------------------------


def test_a_response_over_the_limit_fails_and_says_so() -> None:
    driver = opened(limits=RateLimits(requests_per_min=1))
    update(driver, output_modalities=["text"])
    driver.client({"type": "response.create"})
    first = driver.post(GenerationFinished(driver.last_generation()))

    second = driver.client({"type": "response.create"})

    assert driver.types(first)[-2:] == ["response.done", "rate_limits.updated"]
    assert first[-1]["rate_limits"] == [{"name": "requests", "limit": 1, "remaining": 0, "reset_seconds": 60.0}]
    assert driver.types(second) == ["response.created", "response.done", "rate_limits.updated"]
    error = second[1]["response"]["status_details"]["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert len(driver.asked(Generate)) == 1


def test_limits_are_shared_by_the_sessions_of_a_key_and_come_back_with_time() -> None:
    limits = RateLimits(requests_per_min=2)
    drivers = [opened(limits=limits) for _ in range(3)]
    for driver in drivers:
        driver.client({"type": "response.create"})

    drivers[2].advance(31)
    drivers[2].client({"type": "response.create"})

    assert [len(driver.asked(Generate)) for driver in drivers] == [1, 1, 1]


def test_tokens_that_were_used_count() -> None:
    driver = opened(limits=RateLimits(tokens_per_min=100))
    update(driver, output_modalities=["text"])
    driver.client({"type": "response.create"})
    driver.post(TextGenerated(driver.last_generation(), "x" * 400))
    driver.post(GenerationFinished(driver.last_generation(), 50, 100))

    events = driver.client({"type": "response.create"})

    assert events[-1]["rate_limits"][0]["remaining"] == 0
    assert events[1]["response"]["status"] == "failed"


def test_without_limits_nothing_is_told_of_them() -> None:
    driver = opened()
    driver.client({"type": "response.create"})
    driver.post(GenerationFinished(driver.last_generation()))

    assert "rate_limits.updated" not in driver.types()


def test_a_patch_without_fields_changes_nothing() -> None:
    session = configured(plain_session(), SessionPatch(type="realtime"), profile())

    assert opened(session).events[0]["session"] == opened().events[0]["session"]
