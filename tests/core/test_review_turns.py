"""Turns when detection fails, changes or ends in the middle, and speech that is given to the letter."""

import base64
from typing import Any

import pytest

from vivavoce.core.limits import MAX_BUFFER_MS, WINDOW_SAMPLES
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.segments import Segmenter
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    AbortTranscript,
    Close,
    DetectionFailed,
    DetectSpeech,
    Draining,
    EngineFault,
    Generate,
    GenerationFinished,
    ScoreTurn,
    Speak,
    SpeechSynthesized,
    SynthesisFinished,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFinalized,
    TurnScored,
)
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.session_fields import SessionKind
from vivavoce.testing.driver import SessionDriver, plain_session

Json = dict[str, Any]
SPEECH, SILENCE = [1.0] * 10, [0.0] * 16  # 320 ms, 512 ms
SERVER: Json = {"type": "server_vad"}
SEMANTIC: Json = {"type": "semantic_vad"}
BROKEN = EngineFault("scripted", "engine_unavailable", "it broke")
SECOND = base64.b64encode(bytes(48_000)).decode()


def opened(kind: SessionKind = "realtime", **policy: Any) -> SessionDriver:
    return SessionDriver(LocalSession(plain_session(), CountingIds(), SessionPolicy(**policy), kind=kind))


def update(driver: SessionDriver, kind: str = "realtime", **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": kind, **session}})


def listen(driver: SessionDriver, detection: Json | None, kind: str = "realtime", **audio: Any) -> list[Json]:
    return update(driver, kind, audio={"input": {"turn_detection": detection, **audio}})


def append(driver: SessionDriver, audio: str = SECOND) -> list[Json]:
    return driver.client({"type": "input_audio_buffer.append", "audio": audio})


def commit(driver: SessionDriver) -> list[Json]:
    return driver.client({"type": "input_audio_buffer.commit"})


def clear(driver: SessionDriver) -> list[Json]:
    return driver.client({"type": "input_audio_buffer.clear"})


def say(driver: SessionDriver, text: str, **response: Any) -> list[Json]:
    return driver.client({"type": "response.create", "response": {"vivavoce": {"say": text}, **response}})


def errors(events: list[Json]) -> list[tuple[Any, Any]]:
    return [(event["error"]["code"], event["error"]["param"]) for event in events if event["type"] == "error"]


def fail_detection(driver: SessionDriver) -> list[Json]:
    return driver.post(DetectionFailed(driver.asked(DetectSpeech)[-1].detection_id, BROKEN))


# Detection that changes or fails ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(SERVER, SEMANTIC), (SEMANTIC, SERVER)])
def test_another_kind_of_detection_takes_over_the_turn_under_way(first: Json, second: Json) -> None:
    driver = opened()
    listen(driver, first)
    started = driver.hear(*SPEECH)

    listen(driver, second)
    stopped = driver.hear(*SILENCE, *SILENCE)

    assert driver.types(started) == ["input_audio_buffer.speech_started"]
    committed = [event for event in stopped if event["type"] == "input_audio_buffer.committed"]
    assert [event["item_id"] for event in committed] == [started[0]["item_id"]]


def test_a_turn_of_semantic_detection_ends_when_the_detector_fails_and_a_clear_begins_afresh() -> None:
    driver = opened(scores_turns=True)
    listen(driver, SEMANTIC)
    driver.hear(*SPEECH)

    failed = fail_detection(driver)
    clear(driver)
    again = driver.hear(*SPEECH)

    assert driver.types(failed)[:3] == [
        "error",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
    ]
    assert driver.types(again) == ["input_audio_buffer.speech_started"]


def test_audio_that_nobody_listens_to_does_not_fill_the_buffer() -> None:
    driver = opened()
    driver.hear(0.0)
    fail_detection(driver)

    events = [event for _ in range(MAX_BUFFER_MS // 1_000 + 2) for event in append(driver)]

    assert events == []


def test_a_score_that_comes_after_the_detection_was_switched_off_ends_nothing() -> None:
    driver = opened(scores_turns=True)
    listen(driver, SEMANTIC)
    driver.hear(*SPEECH, *[0.0] * 8)
    asked = driver.asked(ScoreTurn)[-1]

    listen(driver, None)
    events = driver.post(TurnScored(asked.item_id, asked.end_sample, 1.0))
    committed = commit(driver)

    assert events == []
    assert driver.types(committed)[0] == "input_audio_buffer.committed"


def test_the_format_may_change_after_a_clear_that_keeps_a_pre_roll() -> None:
    driver = opened()
    listen(driver, None)
    update(driver, vivavoce={"pre_roll_ms": 200})
    append(driver)
    clear(driver)

    events = update(driver, audio={"input": {"format": {"type": "audio/pcmu"}}})
    append(driver, base64.b64encode(bytes(1_600)).decode())
    committed = commit(driver)

    assert driver.types(events) == ["session.updated"]
    item = driver.client({"type": "conversation.item.retrieve", "item_id": committed[0]["item_id"]})[0]["item"]
    assert len(base64.b64decode(item["content"][0]["audio"])) == 1_600


def test_the_format_does_not_change_while_a_turn_of_the_clients_is_buffered() -> None:
    driver = opened()
    listen(driver, None)
    append(driver)

    events = update(driver, audio={"input": {"format": {"type": "audio/pcmu"}}})

    assert errors(events) == [("invalid_value", "session.audio.input.format")]


# Draining ---------------------------------------------------------------------------------------------------------


def transcribing(kind: SessionKind) -> SessionDriver:
    """Return a session that has committed a second of audio and waits for its words."""
    driver = opened(kind)
    listen(driver, None, kind, transcription={"model": "m"})
    append(driver)
    commit(driver)
    return driver


@pytest.mark.parametrize("kind", ["realtime", "transcription"])
def test_words_that_the_client_waits_for_come_before_the_server_goes_down(kind: SessionKind) -> None:
    driver = transcribing(kind)

    driver.post(Draining())
    early = driver.asked(Close)
    events = driver.post(TranscriptFinalized(driver.last_finished_transcript(), "Hello."))

    assert early == []
    assert driver.types(events) == [
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert [close.code for close in driver.asked(Close)] == [1012]


def test_words_that_never_come_do_not_keep_the_server_up() -> None:
    driver = transcribing("transcription")
    driver.post(Draining())

    driver.advance(60)

    assert driver.types()[-1] == "conversation.item.input_audio_transcription.failed"
    assert len(driver.asked(Close)) == 1


def test_the_end_of_draining_waits_for_no_words() -> None:
    driver = transcribing("transcription")
    driver.post(Draining())

    driver.post(Draining(is_final=True))

    assert len(driver.asked(Close)) == 1
    assert len(driver.asked(AbortTranscript)) == 1


def test_words_that_nobody_asked_for_do_not_delay_the_end() -> None:
    driver = opened()
    listen(driver, None)
    append(driver)
    commit(driver)

    driver.post(Draining())

    assert len(driver.asked(Close)) == 1


# What is said exactly ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["!" * 65_536, "ab " * 21_845, "." * 30_000 + " " + "?" * 30_000, '."' * 32_000, " " * 65_536, "a,b;" * 16_000],
)
def test_the_pieces_of_any_text_are_the_text_and_none_is_long(text: str) -> None:
    segmenter = Segmenter()

    pieces = [*segmenter.feed(text), *segmenter.finish()]

    assert "".join(pieces) == text
    assert max(len(piece.strip()) for piece in pieces) <= 240


@pytest.mark.parametrize("text", [" ", "\n", "a\n\n b "])
@pytest.mark.parametrize("modality", ["audio", "text"])
def test_white_space_is_said_to_the_letter(text: str, modality: str) -> None:
    driver = opened()

    say(driver, text, output_modalities=[modality])
    for speak in driver.asked(Speak):
        driver.post(SynthesisFinished(speak.response_id, speak.segment))

    part = driver.events[-1]["response"]["output"][0]["content"][0]
    assert driver.events[-1]["response"]["status"] == "completed"
    assert part.get("transcript", part.get("text")) == text


def test_a_said_text_that_is_interrupted_counts_as_far_as_it_was_heard() -> None:
    driver = opened()
    say(driver, "One two three four.")
    speak = driver.last_speech()
    driver.post(SpeechSynthesized(speak.response_id, speak.segment, bytes(96_000), 48_000))
    driver.post(SynthesisFinished(speak.response_id, speak.segment))

    driver.advance(1.0)
    driver.hear(*SPEECH)
    driver.client({"type": "response.create"})

    (message,) = [item for item in driver.asked(Generate)[-1].request.items if getattr(item, "role", "") == "assistant"]
    assert message.is_cut
    assert message.text == "One two"


def test_a_text_can_be_said_out_of_band_while_the_main_response_speaks() -> None:
    driver = opened()
    driver.client({"type": "response.create"})
    driver.post(TextGenerated(driver.last_generation(), "This is the main answer. "))

    events = say(driver, "On the side.", conversation="none")
    side = driver.last_speech()
    driver.post(SpeechSynthesized(side.response_id, side.segment, bytes(960), 480))
    ended = driver.post(SynthesisFinished(side.response_id, side.segment))

    assert driver.types(events)[0] == "response.created"
    assert ended[-1]["response"]["conversation_id"] is None
    assert [item["type"] for item in ended[-1]["response"]["output"]] == ["message"]


def test_a_text_is_said_although_the_server_is_going_down_once_something_runs() -> None:
    driver = opened()
    driver.client({"type": "response.create"})
    driver.post(Draining())

    say(driver, "Goodbye.", conversation="none", output_modalities=["text"])
    driver.post(GenerationFinished(driver.last_generation()))

    assert [e["response"]["status"] for e in driver.events if e["type"] == "response.done"] == ["completed"] * 2
    assert len(driver.asked(Close)) == 1


# Two messages in one response -------------------------------------------------------------------------------------


def test_an_interruption_between_two_messages_cuts_only_what_was_not_heard() -> None:
    driver = opened()
    update(driver, tools=[{"type": "function", "name": "look_up"}])
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    driver.post(TextGenerated(response_id, "First a preamble."))
    driver.post(ToolCallGenerated(response_id, "look_up", "{}"))
    driver.post(TextGenerated(response_id, "Then more words."))
    driver.post(GenerationFinished(response_id))
    for segment in range(2):
        driver.post(SpeechSynthesized(response_id, segment, bytes(48_000), 24_000))
        driver.post(SynthesisFinished(response_id, segment))

    driver.advance(1.5)
    driver.hear(*[1.0] * 4)
    driver.client({"type": "response.create", "response": {"conversation": "none"}})

    said = [item for item in driver.asked(Generate)[-1].request.items if getattr(item, "role", "") == "assistant"]
    assert [(item.text, item.is_cut) for item in said] == [("First a preamble.", False), ("Then more", True)]


def test_windows_are_as_long_as_the_buffer_counts_them() -> None:
    driver = opened()

    driver.hear(*SPEECH)

    assert driver.asked(DetectSpeech)[-1].start_sample == 9 * WINDOW_SAMPLES
