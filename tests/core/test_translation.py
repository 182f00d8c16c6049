"""What a translation session does with each input, and how it ends; compared as lists of outputs."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.core.policy import IGNORED_FIELDS, SessionPolicy
from vivavoce.core.requests import AudioEncoding
from vivavoce.core.translation import FLUSH_TIMEOUT_S, TranslationSession
from vivavoce.core.translation_vocabulary import (
    AbortTranslation,
    ChangeTranslation,
    FeedTranslation,
    FinishTranslation,
    FromTranslationClient,
    OpenTranslation,
    SendTranslation,
    SourceHeard,
    SpeechTranslated,
    TextTranslated,
    TranslationFailed,
    TranslationFinished,
    TranslationSessionInput,
    TranslationSessionOutput,
)
from vivavoce.core.vocabulary import (
    ClientRejected,
    Close,
    Disconnected,
    Draining,
    EngineFault,
    Opened,
    ReduceNoise,
)
from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.session import NoiseReduction
from vivavoce.protocol.translation import Translation, decode_translation_event

REDUCING = SessionPolicy(ignored=tuple(path for path in IGNORED_FIELDS if not path.endswith("noise_reduction")))
FAULT = EngineFault("translator", "engine_unavailable", "it broke")
AUDIO = b"\1\0" * 240  # 10 ms
CLOSE: dict[str, Any] = {"type": "session.close"}

Json = dict[str, Any]


class Driver:
    """One opened session; `now` is the time of the next input."""

    def __init__(self, policy: SessionPolicy | None = None) -> None:
        session = Translation(id="sess_1", model="m")
        self.session = TranslationSession(session, CountingIds(), policy or SessionPolicy())
        self.now = 100.0
        self.created = self.post(Opened(unix_s=1_000))

    def post(self, input: TranslationSessionInput) -> list[TranslationSessionOutput]:
        return self.session.handle(input, self.now)

    def client(self, event: Json) -> list[TranslationSessionOutput]:
        return self.post(FromTranslationClient(decode_translation_event(msgspec.json.encode(event))))

    def update(self, **audio: Any) -> list[TranslationSessionOutput]:
        return self.client({"type": "session.update", "session": {"audio": audio}})

    def append(self, audio: bytes = AUDIO, **more: Any) -> list[TranslationSessionOutput]:
        return self.client({"type": "session.input_audio_buffer.append", "audio": audio, **more})


def events(outputs: list[TranslationSessionOutput]) -> list[Json]:
    """Return the events that are sent, as a client's JSON library shows them, without their ids."""
    sent = [msgspec.json.decode(msgspec.json.encode(o.event)) for o in outputs if isinstance(o, SendTranslation)]
    return [{key: value for key, value in event.items() if key != "event_id"} for event in sent]


def others(outputs: list[TranslationSessionOutput]) -> list[TranslationSessionOutput]:
    return [output for output in outputs if not isinstance(output, SendTranslation)]


def codes(outputs: list[TranslationSessionOutput]) -> list[str]:
    return [event["error"]["code"] for event in events(outputs) if event["type"] == "error"]


# Configuration ------------------------------------------------------------------------------------------------------


def test_the_first_event_is_the_whole_session() -> None:
    driver = Driver()

    assert events(driver.created) == [
        {
            "type": "session.created",
            "session": {
                "type": "translation",
                "id": "sess_1",
                "model": "m",
                "expires_at": 4_600,
                "audio": {"input": {"transcription": None, "noise_reduction": None}, "output": {"language": "en"}},
            },
        }
    ]


def test_an_update_changes_what_it_names_and_is_answered_with_the_whole_session() -> None:
    driver = Driver(REDUCING)
    driver.update(output={"language": "ja"})

    updated = driver.update(input={"transcription": {"model": "whisper"}})

    (event,) = events(updated)
    assert event["type"] == "session.updated"
    assert event["session"]["audio"] == {
        "input": {"transcription": {"model": "whisper"}, "noise_reduction": None},
        "output": {"language": "ja"},
    }
    assert events(driver.update(input={"transcription": None}))[0]["session"]["audio"]["input"]["transcription"] is None


def test_the_translator_is_opened_by_the_first_audio_with_what_is_wished_then() -> None:
    driver = Driver()
    driver.update(output={"language": "de"}, input={"transcription": {"model": "any"}})

    assert driver.append() == [OpenTranslation("de", True), FeedTranslation(AUDIO)]
    assert driver.append() == [FeedTranslation(AUDIO)]


def test_a_running_translator_is_told_of_changes_that_concern_it() -> None:
    driver = Driver()
    driver.append()

    assert others(driver.update(output={"language": "de"})) == [ChangeTranslation("de", False)]
    assert others(driver.update(output={"language": "de"})) == []
    assert others(driver.update(input={"transcription": {"model": "a"}})) == [ChangeTranslation("de", True)]
    assert others(driver.update(input={"transcription": {"model": "b"}})) == []


def test_noise_reduction_is_asked_for_and_an_omitted_strength_keeps_its_value() -> None:
    driver = Driver(REDUCING)

    first = driver.update(input={"noise_reduction": {"type": "near_field", "strength": 0.5}})
    second = driver.update(input={"noise_reduction": {"type": "far_field"}})
    off = driver.update(input={"noise_reduction": None})

    wanted = [others(outputs)[0] for outputs in (first, second, off)]
    assert wanted == [
        ReduceNoise(NoiseReduction(type="near_field", strength=0.5), AudioEncoding.PCM),
        ReduceNoise(NoiseReduction(type="far_field", strength=0.5), AudioEncoding.PCM),
        ReduceNoise(None, AudioEncoding.PCM),
    ]
    assert "vivavoce" not in events(first)[0]["session"]


def test_noise_reduction_without_an_engine_is_listed_as_ignored() -> None:
    driver = Driver()

    on = driver.update(input={"noise_reduction": {"type": "near_field"}})
    off = driver.update(input={"noise_reduction": None})

    assert others(on) == []
    assert events(on)[0]["session"]["vivavoce"]["ignored"] == ["audio.input.noise_reduction"]
    assert "vivavoce" not in events(off)[0]["session"]


# Audio and results --------------------------------------------------------------------------------------------------


def test_half_a_sample_waits_for_its_other_half() -> None:
    driver = Driver()

    first, second = driver.append(b"\1\2\3"), driver.append(b"\4")

    assert others(first)[1:] == [FeedTranslation(b"\1\2")]
    assert second == [FeedTranslation(b"\3\4")]
    assert driver.append(b"") == []


def test_results_become_deltas_in_their_order_with_their_place_in_steps_of_200_ms() -> None:
    driver = Driver()
    driver.update(input={"transcription": {"model": "any"}})
    driver.append()

    outputs = [
        *driver.post(SourceHeard("hallo", 399)),
        *driver.post(TextTranslated("hello", 400)),
        *driver.post(SpeechTranslated(b"\0\0", 599)),
        *driver.post(TextTranslated(" you")),
    ]

    assert events(outputs) == [
        {"type": "session.input_transcript.delta", "delta": "hallo", "elapsed_ms": 200},
        {"type": "session.output_transcript.delta", "delta": "hello", "elapsed_ms": 400},
        {
            "type": "session.output_audio.delta",
            "delta": "AAA=",
            "sample_rate": 24000,
            "channels": 1,
            "format": "pcm16",
            "elapsed_ms": 400,
        },
        {"type": "session.output_transcript.delta", "delta": " you"},
    ]


def test_the_words_of_the_source_are_sent_only_while_they_are_asked_for() -> None:
    driver = Driver()
    driver.append()

    before = driver.post(SourceHeard("eins"))
    driver.update(input={"transcription": {"model": "any"}})
    during = driver.post(SourceHeard("zwei"))
    driver.update(input={"transcription": None})

    assert (before, [event["delta"] for event in events(during)]) == ([], ["zwei"])
    assert driver.post(SourceHeard("drei")) == []


def test_a_rejected_message_is_answered_with_its_error() -> None:
    detail = ErrorDetail(code="invalid_event", message="no", event_id="e1")

    assert events(Driver().post(ClientRejected(detail))) == [{"type": "error", "error": msgspec.to_builtins(detail)}]


# Ends ---------------------------------------------------------------------------------------------------------------


def test_a_close_without_audio_ends_at_once() -> None:
    outputs = Driver().client(CLOSE)

    assert events(outputs) == [{"type": "session.closed"}]
    assert outputs[-1] == Close(1000, "")


def test_a_close_waits_for_the_rest_and_closed_is_the_last_event() -> None:
    driver = Driver()
    driver.append()

    asked = driver.client(CLOSE)
    rest = driver.post(TextTranslated("the rest"))
    ended = driver.post(TranslationFinished())

    assert asked == [FinishTranslation()]
    assert [event["delta"] for event in events(rest)] == ["the rest"]
    assert (events(ended), others(ended)) == ([{"type": "session.closed"}], [Close(1000, "")])
    assert driver.post(TextTranslated("too late")) == []


def test_after_close_every_event_is_refused() -> None:
    driver = Driver()
    driver.append()
    driver.client(CLOSE)

    outputs = [*driver.append(event_id="e1"), *driver.client(CLOSE), *driver.update()]

    assert codes(outputs) == ["session_closing"] * 3
    assert events(outputs)[0]["error"]["event_id"] == "e1"
    assert others(outputs) == []


def test_a_rest_that_never_comes_is_given_up() -> None:
    driver = Driver()
    driver.append()
    driver.client(CLOSE)
    driver.now += FLUSH_TIMEOUT_S - 1
    driver.post(TextTranslated("a sign of life"))

    deadline = driver.session.next_deadline()
    assert deadline is not None and deadline.at == driver.now + FLUSH_TIMEOUT_S
    outputs = driver.session.handle_timer(deadline.at)

    assert codes(outputs) == ["engine_timeout"]
    assert events(outputs)[-1] == {"type": "session.closed"}
    assert others(outputs) == [AbortTranslation(), Close(1000, "")]


def test_a_failed_translator_ends_the_session() -> None:
    driver = Driver()
    driver.append()

    outputs = driver.post(TranslationFailed(FAULT))

    assert events(outputs)[0]["error"] == {
        "type": "server_error",
        "code": "engine_unavailable",
        "message": "it broke",
        "param": None,
        "event_id": None,
    }
    assert others(outputs) == [Close(1011, "The translating engine failed.")]
    assert driver.append() == []


def test_a_translator_that_ends_unasked_is_opened_again_by_the_next_audio() -> None:
    driver = Driver()
    driver.append()

    assert driver.post(TranslationFinished()) == []
    assert driver.append() == [OpenTranslation("en", False), FeedTranslation(AUDIO)]


def test_the_lifetime_ends_with_an_error_and_1001() -> None:
    driver = Driver(SessionPolicy(lifetime_s=600))
    driver.append()

    deadline = driver.session.next_deadline()
    assert deadline is not None and deadline.at == 700.0
    assert driver.session.handle_timer(699.9) == []
    outputs = driver.session.handle_timer(700.0)

    assert codes(outputs) == ["session_expired"]
    assert others(outputs) == [
        AbortTranslation(),
        Close(1001, "Your session hit the maximum duration of 10 minutes."),
    ]
    assert driver.session.next_deadline() is None


def test_a_drain_gives_the_rest_then_1012_without_closed() -> None:
    driver = Driver()
    driver.append()

    assert driver.post(Draining()) == [FinishTranslation()]
    assert driver.append() == []
    assert driver.post(TranslationFinished()) == [Close(1012, "The server is restarting.")]


def test_a_close_during_a_drain_makes_it_a_close() -> None:
    driver = Driver()
    driver.append()
    driver.post(Draining())

    assert driver.client(CLOSE) == []
    ended = driver.post(TranslationFinished())

    assert (events(ended), others(ended)) == ([{"type": "session.closed"}], [Close(1000, "")])


def test_a_final_drain_aborts() -> None:
    driver = Driver()
    driver.append()
    driver.post(Draining())

    assert driver.post(Draining(is_final=True)) == [AbortTranslation(), Close(1012, "The server is restarting.")]


def test_a_lost_connection_aborts_once() -> None:
    driver = Driver()
    driver.append()

    assert driver.post(Disconnected()) == [AbortTranslation()]
    assert driver.post(Disconnected()) == []
    assert driver.append() == []


# Any order ----------------------------------------------------------------------------------------------------------

_AUDIO = {"type": "session.input_audio_buffer.append", "audio": b"\0\0\0"}
_LANGUAGE = {"type": "session.update", "session": {"audio": {"output": {"language": "it"}}}}
_INPUTS: list[TranslationSessionInput] = [
    *(FromTranslationClient(decode_translation_event(msgspec.json.encode(e))) for e in (_AUDIO, _LANGUAGE, CLOSE)),
    SpeechTranslated(b"\0\0"),
    TextTranslated("t"),
    SourceHeard("s"),
    TranslationFinished(),
    TranslationFailed(FAULT),
    Draining(),
    Draining(is_final=True),
    ClientRejected(ErrorDetail(message="no")),
    Opened(1),
    Disconnected(),
]


@pytest.mark.properties
@given(inputs=st.lists(st.sampled_from(_INPUTS), max_size=20), steps=st.lists(st.floats(0, 20), min_size=20))
def test_whatever_comes_the_translator_is_opened_before_it_is_fed_and_nothing_follows_a_close(
    inputs: list[TranslationSessionInput], steps: list[float]
) -> None:
    driver = Driver(SessionPolicy(lifetime_s=60))
    is_open = is_closed = False
    for input, step in zip(inputs, steps, strict=False):
        driver.now += step
        for output in [*driver.session.handle_timer(driver.now), *driver.post(input)]:
            assert not is_closed or isinstance(output, AbortTranslation)
            is_closed = is_closed or isinstance(output, Close)
            if isinstance(output, OpenTranslation):
                assert not is_open
                is_open = True
            elif isinstance(output, FeedTranslation | ChangeTranslation | FinishTranslation):
                assert is_open
        if isinstance(input, TranslationFinished | TranslationFailed):
            is_open = False
