"""Whole sessions under any order of inputs: the wire's invariants hold, nothing raises, the input log replays."""

import base64
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.core.requests import Word
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    DetectionFailed,
    DetectSpeech,
    Disconnected,
    Draining,
    EngineFault,
    FinishTranscript,
    GenerationFailed,
    GenerationFinished,
    OpenTranscript,
    Output,
    Speak,
    SpeechSynthesized,
    SynthesisFailed,
    SynthesisFinished,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFailed,
    TranscriptFinalized,
    TranscriptRevised,
)
from vivavoce.protocol.ids import CountingIds
from vivavoce.testing.driver import SessionDriver, plain_session

FAULT = EngineFault("scripted", "engine_unavailable", "it broke")

Step = tuple[Any, ...]  # (name, arguments...), read by `take`

VADS = (
    None,
    {"type": "server_vad", "silence_duration_ms": 64},
    {"type": "server_vad", "silence_duration_ms": 64, "interrupt_response": False},
    {"type": "server_vad", "silence_duration_ms": 64, "create_response": False},
    {"type": "server_vad", "silence_duration_ms": 64, "idle_timeout_ms": 5000},
)

steps = st.one_of(
    st.tuples(st.just("hear"), st.integers(1, 8), st.sampled_from([0.0, 0.4, 1.0])),
    *[st.tuples(st.just("turn"), st.sampled_from(["", "hello world", None]))] * 3,
    *[st.tuples(st.just("answer"), st.sampled_from(["Yes. ", "Well, that is long enough, I would say. Good."]))] * 3,
    *[st.tuples(st.just("voice_all"), st.integers(1, 48_000), st.booleans())] * 3,
    st.tuples(st.just("append"), st.integers(1, 20_001)),
    st.tuples(st.just("vad"), st.sampled_from(VADS)),
    st.tuples(st.just("transcription"), st.booleans()),
    st.tuples(st.just("modality"), st.sampled_from(["audio", "text"])),
    st.tuples(st.just("format"), st.sampled_from(["audio/pcm", "audio/pcmu", "audio/pcma"])),
    st.tuples(st.just("voice"), st.sampled_from(["alloy", "ash"])),
    st.just(("commit",)),
    st.just(("clear",)),
    st.tuples(st.just("create"), st.sampled_from(["auto", "none"]), st.sampled_from([None, 2, "inf"])),
    st.tuples(st.just("cancel"), st.booleans()),
    st.tuples(st.just("say"), st.sampled_from(["Yes.", "Well, that is a rather long clause, and it goes on. ", ""])),
    st.just(("call",)),
    st.just(("answer_call",)),
    st.tuples(st.just("finish"), st.sampled_from(["stop", "content_filter"])),
    st.just(("fail",)),
    st.tuples(st.just("speak"), st.integers(0, 3), st.integers(1, 4800)),
    st.tuples(st.just("spoken"), st.integers(0, 3)),
    st.just(("speech_fails",)),
    st.tuples(st.just("partial"), st.sampled_from(["hel", "hello", "hello wor"])),
    st.tuples(st.just("final"), st.sampled_from(["", "hello world"])),
    st.just(("stt_fails",)),
    st.tuples(st.just("item"), st.sampled_from(["end", "root", "missing"])),
    st.tuples(st.just("audio_item"), st.integers(0, 4801), st.booleans()),
    st.just(("item_of_utterance",)),
    st.just(("detector_fails",)),
    st.tuples(st.just("truncate"), st.integers(0, 400)),
    st.tuples(st.just("delete"), st.integers(0, 5)),
    st.tuples(st.just("retrieve"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.31, 20.0])),
)


def update(driver: SessionDriver, **session: Any) -> None:
    driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def item_ids(driver: SessionDriver) -> list[str]:
    return [e["item"]["id"] for e in driver.events if e["type"] == "conversation.item.added"] or ["item_none"]


def response_ids(driver: SessionDriver) -> list[str]:
    return [e["response"]["id"] for e in driver.events if e["type"] == "response.created"] or ["resp_none"]


def utterance_ids(driver: SessionDriver) -> list[str]:
    return [o.item_id for o in driver.outputs if isinstance(o, OpenTranscript)] or ["item_none"]


def take_client_step(driver: SessionDriver, step: Step) -> bool:  # noqa: C901, PLR0912  # one case per step
    match step:
        case ("hear", count, probability):
            driver.hear(*[probability] * count)
        case ("append", count):
            driver.client({"type": "input_audio_buffer.append", "audio": "AAAA" * (count // 3)})
        case ("vad", vad):
            update(driver, audio={"input": {"turn_detection": vad}})
        case ("transcription", is_on):
            update(driver, audio={"input": {"transcription": {"model": "any"} if is_on else None}})
        case ("modality", modality):
            update(driver, output_modalities=[modality])
        case ("format", name):
            update(driver, audio={"input": {"format": {"type": name}}, "output": {"format": {"type": name}}})
        case ("voice", voice):
            update(driver, audio={"output": {"voice": voice}})
        case ("commit",):
            driver.client({"type": "input_audio_buffer.commit", "event_id": "c"})
        case ("clear",):
            driver.client({"type": "input_audio_buffer.clear"})
        case ("create", conversation, limit):
            response = {"conversation": conversation, "max_output_tokens": limit}
            driver.client({"type": "response.create", "response": response})
        case ("cancel", by_id):
            driver.client({"type": "response.cancel", **({"response_id": response_ids(driver)[-1]} if by_id else {})})
        case ("wait", seconds):
            driver.advance(seconds)
        case _:
            return take_item_step(driver, step)
    return True


def take_item_step(driver: SessionDriver, step: Step) -> bool:
    match step:
        case ("item", place):
            message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
            previous = {} if place == "end" else {"previous_item_id": "root" if place == "root" else "item_x"}
            driver.client({"type": "conversation.item.create", "item": message, **previous})
        case ("audio_item", count, is_input):
            part = {"type": "input_audio", "audio": base64.b64encode(bytes(count)).decode()}
            message = {"type": "message", "id": "item_audio", "role": "user", "content": [part]}
            if is_input:
                driver.client({"type": "response.create", "response": {"conversation": "none", "input": [message]}})
            else:
                driver.client({"type": "conversation.item.create", "item": message})
        case ("item_of_utterance",):
            message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
            driver.client({"type": "conversation.item.create", "item": {**message, "id": utterance_ids(driver)[-1]}})
        case ("truncate", ms):
            event = {"type": "conversation.item.truncate", "content_index": 0, "audio_end_ms": ms}
            driver.client({**event, "item_id": item_ids(driver)[-1]})
        case ("delete", index):
            ids = item_ids(driver)
            driver.client({"type": "conversation.item.delete", "item_id": ids[index % len(ids)]})
        case ("retrieve", index):
            ids = item_ids(driver)
            driver.client({"type": "conversation.item.retrieve", "item_id": ids[index % len(ids)]})
        case ("answer_call",):
            calls = [e["item"] for e in driver.events if e["type"] == "conversation.item.done"]
            call_id = next((item["call_id"] for item in calls if item["type"] == "function_call"), "call_none")
            output = {"type": "function_call_output", "call_id": call_id, "output": "{}"}
            driver.client({"type": "conversation.item.create", "item": output})
        case _:
            return False
    return True


def take_turn(driver: SessionDriver, heard: str | None) -> None:
    """Speak and fall silent; the transcriber answers unless `heard` is None."""
    driver.hear(*[1.0] * 5, *[0.0] * 4)
    finished = driver.asked(FinishTranscript)
    if finished and heard is not None:
        driver.post(TranscriptFinalized(finished[-1].item_id, heard))


def voice_segments(driver: SessionDriver, samples: int, is_finished: bool) -> None:
    """Let the synthesizer work on all segments of the response that it was asked for last."""
    asked = driver.asked(Speak)
    for speak in [one for one in asked if one.response_id == asked[-1].response_id]:
        driver.post(SpeechSynthesized(speak.response_id, speak.segment, b"\0\0" * samples, samples))
        if is_finished:
            driver.post(SynthesisFinished(speak.response_id, speak.segment))


def take_engine_step(driver: SessionDriver, step: Step) -> None:  # noqa: C901, PLR0912  # one case per step
    response_id = response_ids(driver)[-1]
    item_id = utterance_ids(driver)[-1]
    match step:
        case ("turn", heard):
            take_turn(driver, heard)
        case ("answer", text):
            driver.post(TextGenerated(response_id, text))
            driver.post(GenerationFinished(response_id))
        case ("voice_all", samples, is_finished):
            voice_segments(driver, samples, is_finished)
        case ("say", text):
            driver.post(TextGenerated(response_id, text))
        case ("call",):
            driver.post(ToolCallGenerated(response_id, "look_up", '{"word": "voice"}'))
        case ("finish", reason):
            driver.post(GenerationFinished(response_id, reason=reason))
        case ("fail",):
            driver.post(GenerationFailed(response_id, FAULT))
        case ("speak", segment, samples):
            words = (Word("yes", 0, samples // 24),)
            driver.post(SpeechSynthesized(response_id, segment, b"\0\0" * samples, samples, words))
        case ("spoken", segment):
            driver.post(SynthesisFinished(response_id, segment))
        case ("speech_fails",):
            driver.post(SynthesisFailed(response_id, 0, FAULT))
        case ("partial", text):
            driver.post(TranscriptRevised(item_id, text, text + " maybe"))
        case ("final", text):
            driver.post(TranscriptFinalized(item_id, text))
        case ("detector_fails",):
            detections = driver.asked(DetectSpeech)
            driver.post(DetectionFailed(detections[-1].detection_id if detections else 1, FAULT))
        case ("stt_fails",):
            driver.post(TranscriptFailed(item_id, FAULT))
        case _:
            raise AssertionError(step)


def end(driver: SessionDriver) -> None:
    """Let every engine answer, so that nothing may stay open."""
    driver.advance(1000.0)
    for response_id in response_ids(driver):
        driver.post(GenerationFailed(response_id, FAULT))
    driver.post(Draining())


@given(st.lists(steps, max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_order_of_inputs_keeps_the_invariants_of_the_wire(script: list[Step]) -> None:
    driver = SessionDriver()

    for step in script:
        if not take_client_step(driver, step):
            take_engine_step(driver, step)
    end(driver)

    assert [str(violation) for violation in driver.checker.finish()] == []


SPOKEN: tuple[Step, ...] = (
    ("turn", "hello world"),
    ("turn", "hello world"),
    ("turn", None),
    ("turn", ""),
    ("answer", "Well, that is long enough, I would say. And it has a second sentence."),
    ("answer", "Yes. "),
    ("say", "A first clause that is long enough to be spoken, and then more. "),
    ("finish", "stop"),
    ("voice_all", 24_000, True),
    ("voice_all", 24_000, True),
    ("voice_all", 4_800, False),
    ("final", "hello world"),
    ("partial", "hello"),
    ("call",),
    ("answer_call",),
    ("create", "auto", "inf"),
    ("create", "none", 2),
    ("truncate", 100),
    ("truncate", 5_000),
    ("cancel", False),
    ("hear", 5, 1.0),
    ("hear", 4, 0.0),
    ("commit",),
    ("item", "end"),
    ("audio_item", 4801, False),
    ("audio_item", 4801, True),
    ("item_of_utterance",),
    ("detector_fails",),
    ("wait", 0.31),
    ("wait", 0.01),
    ("retrieve", 0),
    ("delete", 0),
    ("modality", "text"),
    ("modality", "audio"),
    ("fail",),
    ("stt_fails",),
    ("speech_fails",),
    ("clear",),
    *(("vad", vad) for vad in VADS),
    ("transcription", True),
)


@pytest.mark.parametrize("seed", range(40))
def test_long_conversations_keep_the_invariants_of_the_wire(seed: int) -> None:
    choose = random.Random(seed)
    driver = SessionDriver()

    for step in choose.choices(SPOKEN, k=250):
        if not take_client_step(driver, step):
            take_engine_step(driver, step)
    end(driver)

    assert [str(violation) for violation in driver.checker.finish()] == []


@given(st.lists(steps, max_size=40))
@settings(max_examples=40, deadline=None)
def test_an_input_log_replays_bit_for_bit(script: list[Step]) -> None:
    driver = SessionDriver()
    for step in script:
        if not take_client_step(driver, step):
            take_engine_step(driver, step)
    driver.post(Disconnected())

    again = LocalSession(plain_session(), CountingIds())
    replayed: list[Output] = []
    for now, input in driver.inputs:
        replayed += again.handle_timer(now) if input is None else again.handle(input, now)

    assert replayed == driver.outputs
