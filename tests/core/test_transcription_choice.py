"""Which model transcribes, as far as the session may choose, and what the transcriber's server says that it used."""

from typing import Any

import pytest

from vivavoce.core.policy import SessionPolicy
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import OpenTranscript, TranscriptFinalized
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.server_events import DurationUsage, TokensUsage
from vivavoce.testing.driver import Json, SessionDriver, plain_session

OFFERED = ("large", "fast")
PATH = "audio.input.transcription.model"


def driver(*offered: str) -> SessionDriver:
    policy = SessionPolicy(transcription_models=offered)
    return SessionDriver(LocalSession(plain_session(), CountingIds(), policy=policy))


def configure(session: SessionDriver, transcription: Json | None) -> Json:
    """Set the transcription without turn detection; return the session as it then is."""
    audio = {"input": {"transcription": transcription, "turn_detection": None}}
    (updated,) = session.client({"type": "session.update", "session": {"type": "realtime", "audio": audio}})
    shown: Json = updated["session"]
    return shown


def say(session: SessionDriver) -> OpenTranscript:
    """Speak and commit; return what was asked of the transcriber."""
    session.client({"type": "input_audio_buffer.append", "audio": "AAAA" * 3200})
    session.client({"type": "input_audio_buffer.commit"})
    opened: OpenTranscript = session.asked(OpenTranscript)[-1]
    return opened


@pytest.mark.parametrize("model", OFFERED)
def test_a_model_that_is_offered_is_asked_for(model: str) -> None:
    session = driver(*OFFERED)

    shown = configure(session, {"model": model})

    assert PATH not in shown.get("vivavoce", {}).get("ignored", ())
    assert say(session).options.model == model


def test_another_model_is_echoed_and_listed_as_ignored_until_it_is_changed() -> None:
    session = driver(*OFFERED)

    other = configure(session, {"model": "whisper-1"})
    options = say(session).options
    none = configure(session, None)

    assert other["audio"]["input"]["transcription"]["model"] == "whisper-1"
    assert other["vivavoce"]["ignored"] == [PATH]
    assert options.model is None
    assert PATH not in none.get("vivavoce", {}).get("ignored", ())


def test_a_transcriber_with_one_model_of_its_own_takes_any_name() -> None:
    session = driver()

    shown = configure(session, {"model": "whisper-1"})

    assert PATH not in shown.get("vivavoce", {}).get("ignored", ())
    assert say(session).options.model is None


@pytest.mark.parametrize(
    ("used", "told"),
    [
        (
            TokensUsage(input_tokens=9, output_tokens=2, total_tokens=11),
            {"type": "tokens", "input_tokens": 9, "output_tokens": 2, "total_tokens": 11},
        ),
        (DurationUsage(seconds=3.0), {"type": "duration", "seconds": 3.0}),
        (None, {"type": "duration", "seconds": 0.2}),
    ],
)
def test_the_usage_is_what_the_server_has_counted_else_the_length_of_the_audio(used: Any, told: Json) -> None:
    session = driver()
    configure(session, {"model": "m"})
    item_id = say(session).item_id

    events = session.post(TranscriptFinalized(item_id, "hello", usage=used))

    (completed,) = [event for event in events if event["type"].endswith("transcription.completed")]
    assert completed["usage"] == told


def test_a_speed_that_the_voice_does_not_take_is_listed_unless_it_is_the_normal_one() -> None:
    policy = SessionPolicy(ignored=("audio.output.speed",))
    session = SessionDriver(LocalSession(plain_session(), CountingIds(), policy=policy))

    fast, normal = (
        session.client(
            {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"speed": speed}}}}
        )
        for speed in (1.2, 1.0)
    )

    assert fast[0]["session"]["vivavoce"]["ignored"] == ["audio.output.speed"]
    assert "ignored" not in normal[0]["session"].get("vivavoce", {})
