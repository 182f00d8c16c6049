"""Configuration in odd orders: prompts that are reset, fields without effect, unknown members, locks."""

from typing import Any

import pytest

from vivavoce.core.configuring import configured, shown
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.session import LocalSession
from vivavoce.core.state import Profile
from vivavoce.core.vocabulary import Generate, ListMcpTools, Speak, TextGenerated
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.session_body import decode_session
from vivavoce.testing.driver import SessionDriver, plain_session

Json = dict[str, Any]
PROMPT: Json = {"id": "greeter", "variables": {"name": "Ada"}}
POLICY = SessionPolicy(prompts={"greeter": "Greet {{name}}."}, mcp_hosts=("docs.example",))
DOCS: Json = {
    "type": "mcp",
    "server_label": "docs",
    "server_url": "https://docs.example/mcp",
    "authorization": "secret-token",
}


def opened(**body: Any) -> SessionDriver:
    """Return a session that opens as a client secret says."""
    profile = Profile("realtime", POLICY, RateLimits(), "Be kind.")
    patch = decode_session({"type": "realtime", **body})
    session = configured(plain_session(), patch, profile)
    return SessionDriver(LocalSession(session, CountingIds(), POLICY, instructions="Be kind."))


def update(driver: SessionDriver, **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def create(driver: SessionDriver, **response: Any) -> list[Json]:
    return driver.client({"type": "response.create", "response": response})


def error_of(events: list[Json]) -> tuple[Any, Any]:
    (event,) = events
    return event["error"]["code"], event["error"]["param"]


def instructions_of(driver: SessionDriver) -> str:
    create(driver, conversation="none")
    generate: Generate = driver.asked(Generate)[-1]
    return generate.request.instructions


# Prompts ----------------------------------------------------------------------------------------------------------


def test_a_prompt_counts_again_when_written_instructions_are_cleared() -> None:
    driver = opened(prompt=PROMPT)
    update(driver, instructions="Be brief.")
    written = instructions_of(driver)

    update(driver, instructions="")

    assert (written, instructions_of(driver)) == ("Be brief.", "Greet Ada.")


def test_cleared_instructions_without_a_prompt_are_none() -> None:
    driver = opened()

    update(driver, instructions="")

    assert instructions_of(driver) == ""


# Members that are unknown or have no effect -----------------------------------------------------------------------


def test_an_unknown_member_of_semantic_detection_is_refused() -> None:
    detection = {"type": "semantic_vad", "eagernes": "low"}

    events = update(opened(), audio={"input": {"turn_detection": detection}})

    assert error_of(events) == ("unknown_parameter", "session.audio.input.turn_detection.eagernes")


def test_the_numbers_of_server_detection_are_dropped_beside_semantic_detection() -> None:
    numbers = {"threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500, "idle_timeout_ms": None}

    events = update(opened(), audio={"input": {"turn_detection": {"type": "semantic_vad", **numbers}}})

    assert events[0]["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


@pytest.mark.parametrize("value", [True, False])
def test_parallel_calls_are_listed_without_effect_whichever_is_asked_for(value: bool) -> None:
    events = update(opened(), parallel_tool_calls=value)

    assert events[0]["session"]["parallel_tool_calls"] is value
    assert "parallel_tool_calls" in events[0]["session"]["vivavoce"]["ignored"]


# A session from a client secret -----------------------------------------------------------------------------------


def test_tools_of_a_secret_are_listed_at_once_and_its_token_is_never_shown() -> None:
    driver = opened(tools=[DOCS], vivavoce={"locked": ["tools"]})

    (listing,) = driver.asked(ListMcpTools)

    assert listing.server.authorization == "secret-token"
    assert "secret-token" not in str(driver.events)
    assert driver.types() == ["session.created", "conversation.item.added", "mcp_list_tools.in_progress"]


def test_a_secret_shows_its_session_without_the_tokens_in_it() -> None:
    profile = Profile("realtime", POLICY, RateLimits(), "Be kind.")
    session = configured(plain_session(), decode_session({"type": "realtime", "tools": [DOCS]}), profile)

    assert "secret-token" not in str(shown(session, profile))


@pytest.mark.parametrize("tools", [[DOCS | {"authorization": "[redacted]"}], None])
def test_locked_tools_may_be_repeated_as_they_are_shown(tools: Any) -> None:
    driver = opened(tools=[DOCS], vivavoce={"locked": ["tools"]})

    events = update(driver, instructions="x", **({} if tools is None else {"tools": tools}))

    assert driver.types(events) == ["session.updated"]
    assert len(driver.asked(ListMcpTools)) == 1


@pytest.mark.parametrize(
    ("locked", "session", "param"),
    [
        ("audio.input", {"audio": {"input": {"turn_detection": None}}}, "session.audio.input"),
        ("audio", {"audio": {"output": {"speed": 1.5}}}, "session.audio"),
        ("audio.input.turn_detection", {"audio": {"input": {"turn_detection": None}}}, None),
        ("instructions", {"prompt": PROMPT}, "session.prompt"),
        ("prompt", {"prompt": PROMPT}, "session.prompt"),
        ("vivavoce.pre_roll_ms", {"vivavoce": {"pre_roll_ms": 20}}, "session.vivavoce.pre_roll_ms"),
        ("tools", {"tools": []}, "session.tools"),
    ],
)
def test_a_lock_covers_what_lies_below_it(locked: str, session: Json, param: str | None) -> None:
    driver = opened(tools=[DOCS], vivavoce={"locked": [locked]})

    events = update(driver, **session)

    assert error_of(events) == ("parameter_locked", param or f"session.{locked}")


def test_null_is_no_change_of_what_is_locked() -> None:
    driver = opened(prompt=PROMPT, vivavoce={"locked": ["prompt", "audio.output", "instructions", "vivavoce.events"]})

    events = update(driver, prompt=None, instructions=None, audio={"output": None}, vivavoce={"events": None})
    created = create(driver, prompt=None, instructions=None)

    assert driver.types(events) == ["session.updated"]
    assert driver.types(created) == ["response.created"]


def test_a_voice_of_a_secret_is_spoken_with_and_may_change_until_it_was_heard() -> None:
    driver = opened(audio={"output": {"voice": "ash"}})
    create(driver)
    driver.post(TextGenerated(driver.last_generation(), "Hello there, this is long enough. "))

    events = update(driver, audio={"output": {"voice": "echo"}})

    assert driver.asked(Speak)[-1].speech.voice == "ash"
    assert driver.types(events) == ["session.updated"]
