"""Event sequences of one session, as the wire documents them: turns, responses, interruption, tools, items, errors."""

from typing import Any

import pytest

from vivavoce.core.policy import SessionPolicy
from vivavoce.core.requests import ContextMessage, ContextToolCall, ContextToolOutput, Word
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    AbortTranscript,
    CancelGeneration,
    CancelSpeaking,
    Close,
    Disconnected,
    Draining,
    EngineFault,
    FeedTranscript,
    Generate,
    GenerationFailed,
    GenerationFinished,
    OpenTranscript,
    PlayAudio,
    Speak,
    SpeechSynthesized,
    SynthesisFinished,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFailed,
    TranscriptFinalized,
    TranscriptRevised,
)
from vivavoce.protocol.ids import CountingIds
from vivavoce.testing.driver import WINDOW_BASE64, SessionDriver, plain_session

FAULT = EngineFault("scripted", "engine_unavailable", "it broke")
SPEECH, SILENCE = [1.0] * 10, [0.0] * 16  # 320 ms, 512 ms


def updated(driver: SessionDriver, **session: Any) -> list[dict[str, Any]]:
    return driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def with_input(**audio_input: Any) -> dict[str, Any]:
    return {"audio": {"input": audio_input}}


def said(driver: SessionDriver, text: str) -> list[dict[str, Any]]:
    """Speak a turn that the transcriber hears as `text`."""
    driver.hear(*SPEECH, *SILENCE)
    return driver.post(TranscriptFinalized(driver.last_finished_transcript(), text))


def answered(driver: SessionDriver, text: str) -> str:
    """Let the generator and the synthesizer give a whole answer of one second per segment."""
    response_id = driver.last_generation()
    driver.post(TextGenerated(response_id, text))
    driver.post(GenerationFinished(response_id))
    for speak in [s for s in driver.asked(Speak) if s.response_id == response_id]:
        driver.post(SpeechSynthesized(response_id, speak.segment, bytes(48_000), 24_000))
        driver.post(SynthesisFinished(response_id, speak.segment))
    return response_id


def typed(driver: SessionDriver, text: str) -> list[dict[str, Any]]:
    content = [{"type": "input_text", "text": text}]
    return driver.client(
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}
    )


def errors(events: list[dict[str, Any]]) -> list[tuple[str | None, str | None]]:
    return [(e["error"]["code"], e["error"]["param"]) for e in events if e["type"] == "error"]


def finished(driver: SessionDriver) -> None:
    assert [str(v) for v in driver.checker.finish(is_cut=True)] == []


# Turns --------------------------------------------------------------------------------------------------------


def test_a_spoken_turn_is_committed_transcribed_and_answered_in_order() -> None:
    driver = SessionDriver()
    updated(driver, **with_input(transcription={"model": "any"}))

    driver.hear(*SPEECH, *SILENCE)
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "hello"))

    assert driver.types()[2:] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
    ]
    assert driver.asked(Generate)[-1].request.items == (ContextMessage("user", "hello"),)
    finished(driver)


def test_speech_is_announced_with_its_padding_and_its_silence() -> None:
    driver = SessionDriver()

    events = driver.hear(*[0.0] * 20, *SPEECH, *SILENCE)

    started = next(e for e in events if e["type"].endswith("speech_started"))
    stopped = next(e for e in events if e["type"].endswith("speech_stopped"))
    assert started["audio_start_ms"] == 20 * 32 - 300
    assert stopped["audio_end_ms"] == 30 * 32 + 500


def test_the_transcriber_gets_exactly_the_committed_audio() -> None:
    driver = SessionDriver()

    driver.hear(*[0.0] * 20, *SPEECH, *SILENCE)

    fed = b"".join(feed.audio for feed in driver.asked(FeedTranscript))
    assert len(fed) == (30 * 32 + 500 - (20 * 32 - 300)) * 48


def test_without_transcription_the_client_gets_no_transcription_events() -> None:
    driver = SessionDriver()

    said(driver, "hello")

    assert not [t for t in driver.types() if "transcription" in t]
    assert driver.asked(Generate)[-1].request.items == (ContextMessage("user", "hello"),)


def test_partial_transcripts_become_deltas_of_the_stable_part_only() -> None:
    driver = SessionDriver()
    updated(driver, **with_input(transcription={"model": "any"}))
    driver.hear(*SPEECH)
    item_id = driver.asked(OpenTranscript)[-1].item_id

    first = driver.post(TranscriptRevised(item_id, "hello", "hello whirled"))
    second = driver.post(TranscriptRevised(item_id, "hello world", "hello world is"))

    assert [e["delta"] for e in first + second] == ["hello", " world"]


def test_a_turn_without_words_gets_no_answer() -> None:
    driver = SessionDriver()

    said(driver, " ")

    assert "response.created" not in driver.types()
    assert driver.session.next_deadline() is not None  # the session's end


def test_a_late_transcript_holds_the_response_back_for_300_ms_at_most() -> None:
    driver = SessionDriver()
    driver.hear(*SPEECH, *SILENCE)

    early = driver.advance(0.29)
    late = driver.advance(0.02)
    empty = driver.post(TranscriptFinalized(driver.last_finished_transcript(), ""))

    assert (driver.types(early), driver.types(late)) == ([], ["response.created"])
    assert driver.types(empty) == ["response.done"]
    assert (empty[0]["response"]["status"], empty[0]["response"]["output"]) == ("completed", [])


def test_generation_waits_for_the_transcript_when_the_response_does_not() -> None:
    driver = SessionDriver()
    driver.hear(*SPEECH, *SILENCE)
    driver.advance(0.4)
    before = driver.asked(Generate)

    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "hello"))

    assert before == []
    assert driver.asked(Generate)[0].request.items == (ContextMessage("user", "hello"),)


def test_passive_mode_never_answers_by_itself() -> None:
    driver = SessionDriver()
    updated(driver, **with_input(turn_detection={"type": "server_vad", "create_response": False}))

    for _ in range(5):
        said(driver, "hello")
    driver.advance(60)

    assert "response.created" not in driver.types()


def test_a_failed_transcript_fails_the_automatic_response() -> None:
    driver = SessionDriver()
    updated(driver, **with_input(transcription={"model": "any"}))
    driver.hear(*SPEECH, *SILENCE)

    events = driver.post(TranscriptFailed(driver.last_finished_transcript(), FAULT))
    more = driver.advance(1.0)

    assert "conversation.item.input_audio_transcription.failed" in driver.types(events + more)
    done = [e["response"] for e in events + more if e["type"] == "response.done"]
    assert [(r["status"], r["status_details"]["error"]["code"]) for r in done] == [("failed", "engine_unavailable")]
    finished(driver)


def test_a_transcriber_that_fails_while_the_user_speaks_gets_the_utterance_again() -> None:
    driver = SessionDriver()
    driver.hear(*SPEECH)
    item_id = driver.asked(OpenTranscript)[-1].item_id

    driver.post(TranscriptFailed(item_id, FAULT))
    driver.hear(*SILENCE)

    assert [opened.item_id for opened in driver.asked(OpenTranscript)] == [item_id, item_id]
    assert len(driver.asked(FeedTranscript)[-1].audio) == (10 * 32 + 500) * 48
    driver.post(TranscriptFinalized(item_id, "hello"))
    assert driver.types()[-1] == "response.created"


def test_a_transcriber_that_never_answers_is_given_up() -> None:
    driver = SessionDriver()
    driver.hear(*SPEECH, *SILENCE)

    events = driver.advance(30.0)

    assert [e["response"]["status"] for e in events if e["type"] == "response.done"] == ["failed"]
    assert driver.asked(AbortTranscript)


def test_a_client_commit_during_speech_sends_no_speech_stopped() -> None:
    driver = SessionDriver()
    driver.hear(*SPEECH)

    events = driver.client({"type": "input_audio_buffer.commit"})

    assert driver.types(events) == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    started = next(e for e in driver.events if e["type"].endswith("speech_started"))
    assert events[0]["item_id"] == started["item_id"]


def test_a_client_commit_in_silence_is_refused_while_detection_is_on() -> None:
    driver = SessionDriver()
    driver.hear(*[0.0] * 40)

    events = driver.client({"type": "input_audio_buffer.commit", "event_id": "mine"})

    assert errors(events) == [("input_audio_buffer_commit_empty", None)]
    assert events[0]["error"]["event_id"] == "mine"


def test_a_manual_turn_is_everything_since_the_last_commit() -> None:
    driver = SessionDriver()
    updated(driver, **with_input(turn_detection=None))
    for _ in range(5):
        driver.client({"type": "input_audio_buffer.append", "audio": WINDOW_BASE64})

    committed = driver.client({"type": "input_audio_buffer.commit"})
    created = driver.client({"type": "response.create"})
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "hello"))

    assert driver.types(committed)[0] == "input_audio_buffer.committed"
    assert driver.types(created) == ["response.created"]
    assert driver.asked(Generate)[-1].request.items == (ContextMessage("user", "hello"),)
    assert sum(len(feed.audio) for feed in driver.asked(FeedTranscript)) == 5 * 1536


def test_a_manual_commit_of_less_than_100_ms_names_what_is_buffered() -> None:
    driver = SessionDriver()
    updated(driver, **with_input(turn_detection=None))
    driver.client({"type": "input_audio_buffer.append", "audio": WINDOW_BASE64})

    events = driver.client({"type": "input_audio_buffer.commit"})

    assert "buffer only has 32.00ms of audio" in events[0]["error"]["message"]


def test_clear_during_speech_abandons_the_utterance() -> None:
    driver = SessionDriver()
    driver.hear(*SPEECH)

    events = driver.client({"type": "input_audio_buffer.clear"})
    silence = driver.hear(*SILENCE)

    assert driver.types(events) == ["input_audio_buffer.cleared"]
    assert silence == []
    assert driver.asked(AbortTranscript)


def test_several_turns_in_one_upload_become_several_items() -> None:
    driver = SessionDriver()
    windows = [1.0] * 5 + [0.0] * 20 + [1.0] * 5 + [0.0] * 20
    driver.client({"type": "input_audio_buffer.append", "audio": WINDOW_BASE64 * len(windows)})

    events = driver.score(*windows)

    assert driver.types(events).count("input_audio_buffer.committed") == 2


def test_an_idle_user_is_prompted_three_times_at_most() -> None:
    driver = SessionDriver()
    updated(driver, **with_input(turn_detection={"type": "server_vad", "idle_timeout_ms": 5000}))
    said(driver, "hello")
    answered(driver, "Hi. ")
    prompts = 0

    for _ in range(5):
        driver.advance(2.0)
        events = driver.hear(*[0.0] * 200)
        prompts += driver.types(events).count("input_audio_buffer.timeout_triggered")
        if driver.asked(Generate)[-1].response_id == driver.last_generation() and "response.created" in driver.types(
            events
        ):
            driver.post(TranscriptFinalized(driver.last_finished_transcript(), ""))
            answered(driver, "Are you there? ")

    assert prompts == 3
    finished(driver)


# Responses ----------------------------------------------------------------------------------------------------


def test_an_audio_response_is_opened_filled_and_closed_in_order() -> None:
    driver = SessionDriver()
    typed(driver, "hi")
    start = len(driver.events)
    driver.client({"type": "response.create"})

    answered(driver, "Hello there. ")

    assert driver.types(driver.events[start:]) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert driver.events[-1]["response"]["usage"]["output_token_details"]["audio_tokens"] == 20
    finished(driver)


def test_a_text_response_speaks_nothing() -> None:
    driver = SessionDriver()
    typed(driver, "hi")
    driver.client({"type": "response.create", "response": {"output_modalities": ["text"], "metadata": {"a": "b"}}})

    answered(driver, "Hello there.")

    assert driver.asked(Speak) == []
    done = driver.events[-1]["response"]
    assert done["output"][0]["content"] == [{"type": "output_text", "text": "Hello there."}]
    assert done["metadata"] == {"a": "b"}


def test_a_second_response_is_refused_while_one_is_active() -> None:
    driver = SessionDriver()
    first = driver.client({"type": "response.create"})

    second = driver.client({"type": "response.create"})

    assert errors(second) == [("conversation_already_has_active_response", None)]
    assert first[0]["response"]["id"] in second[0]["error"]["message"]


def test_out_of_band_responses_run_beside_the_main_one_and_leave_no_items() -> None:
    driver = SessionDriver()
    typed(driver, "hi")
    driver.client({"type": "response.create"})
    text_only = {"conversation": "none", "output_modalities": ["text"], "input": []}

    created = driver.client({"type": "response.create", "response": text_only})
    answered(driver, "A label.")

    aside = created[0]["response"]
    assert aside["conversation_id"] is None
    assert driver.asked(Generate)[-1].request.items == ()
    assert driver.events[-1]["response"]["id"] == aside["id"]
    assert len([t for t in driver.types() if t == "conversation.item.added"]) == 1
    finished(driver)


def test_cancel_closes_everything_that_was_opened() -> None:
    driver = SessionDriver()
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    driver.post(TextGenerated(response_id, "Hello there. And more to come"))
    driver.post(SpeechSynthesized(response_id, 0, bytes(4800), 2400))

    events = driver.client({"type": "response.cancel"})
    late = driver.post(SpeechSynthesized(response_id, 0, bytes(4800), 2400))

    assert driver.types(events) == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert events[-1]["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert late == []
    assert driver.asked(CancelGeneration) and driver.asked(CancelSpeaking)


def test_cancel_without_a_response_is_a_harmless_error() -> None:
    driver = SessionDriver()

    events = driver.client({"type": "response.cancel"})

    assert errors(events) == [("response_cancel_not_active", None)]
    assert events[0]["error"]["message"].startswith("Cancellation failed")


def test_a_generator_that_fails_ends_the_response_and_not_the_session() -> None:
    driver = SessionDriver()
    driver.client({"type": "response.create"})

    events = driver.post(GenerationFailed(driver.last_generation(), FAULT))

    assert driver.types(events) == ["response.done"]
    assert events[0]["response"]["status_details"]["error"]["code"] == "engine_unavailable"
    assert driver.types(typed(driver, "hi")) == ["conversation.item.added", "conversation.item.done"]


def test_text_beyond_the_token_limit_is_cut_and_the_response_is_incomplete() -> None:
    driver = SessionDriver()
    limited = {"output_modalities": ["text"], "max_output_tokens": 2}
    driver.client({"type": "response.create", "response": limited})

    events = driver.post(TextGenerated(driver.last_generation(), "abcdefghijkl"))

    done = events[-1]["response"]
    assert done["output"][0]["content"][0]["text"] == "abcdefgh"
    assert (done["status"], done["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
    assert done["output"][0]["status"] == "incomplete"


def test_the_voice_is_fixed_once_the_session_has_spoken() -> None:
    driver = SessionDriver()
    before = updated(driver, audio={"output": {"voice": "cedar"}})
    driver.client({"type": "response.create"})
    answered(driver, "Hello. ")

    other = updated(driver, audio={"output": {"voice": "ash"}})
    same = updated(driver, audio={"output": {"voice": "cedar"}})

    assert driver.types(before) == ["session.updated"]
    assert errors(other) == [("cannot_update_voice", None)]
    assert driver.types(same) == ["session.updated"]


# Interruption -------------------------------------------------------------------------------------------------


def speaking(driver: SessionDriver, **detection: Any) -> str:
    """Bring a session to the middle of an answer; returns the assistant's item."""
    if detection:
        updated(driver, **with_input(turn_detection={"type": "server_vad", **detection}))
    said(driver, "hello")
    response_id = driver.last_generation()
    driver.post(TextGenerated(response_id, "One two three four. And then five six. "))
    words = (Word("One", 0, 250), Word("two", 250, 500), Word("three", 500, 750), Word("four.", 750, 1000))
    driver.post(SpeechSynthesized(response_id, 0, bytes(48_000), 24_000, words))
    item: str = driver.asked(PlayAudio)[-1].item_id
    return item


def test_speech_cancels_the_answer_and_the_context_holds_what_was_heard() -> None:
    driver = SessionDriver()
    speaking(driver)
    driver.advance(0.6)

    events = driver.hear(*SPEECH)
    driver.hear(*SILENCE)
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "wait"))

    assert driver.types(events)[0] == "input_audio_buffer.speech_started"
    assert driver.types(events)[-1] == "response.done"
    assert events[-1]["response"]["status_details"]["reason"] == "turn_detected"
    assert "conversation.item.truncated" not in driver.types()
    assert driver.asked(Generate)[-1].request.items == (
        ContextMessage("user", "hello"),
        ContextMessage("assistant", "One two", is_cut=True),
        ContextMessage("user", "wait"),
    )
    finished(driver)


def test_the_clients_truncation_replaces_the_estimate() -> None:
    driver = SessionDriver()
    item_id = speaking(driver)
    driver.advance(0.6)
    driver.hear(*SPEECH)

    events = driver.client(
        {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 900}
    )
    driver.hear(*SILENCE)
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "wait"))

    assert driver.types(events) == ["conversation.item.truncated"]
    assert driver.asked(Generate)[-1].request.items[1] == ContextMessage(
        "assistant", "One two three four.", is_cut=True
    )


def test_audio_that_plays_on_after_the_response_is_cut_as_well() -> None:
    driver = SessionDriver()
    said(driver, "hello")
    answered(driver, "One two. ")
    driver.advance(0.5)

    events = driver.hear(*SPEECH)
    driver.hear(*SILENCE)
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "wait"))

    assert driver.types(events) == ["input_audio_buffer.speech_started"]
    assert driver.asked(Generate)[-1].request.items[1] == ContextMessage("assistant", "One", is_cut=True)


def test_without_interrupt_response_the_answer_goes_on() -> None:
    driver = SessionDriver()
    speaking(driver, interrupt_response=False)

    driver.hear(*SPEECH, *SILENCE)
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "wait"))

    assert "response.done" not in driver.types()
    assert len(driver.asked(Generate)) == 1


def test_audible_speech_needs_a_longer_onset() -> None:
    driver = SessionDriver()
    speaking(driver)

    quiet = driver.hear(1.0, 1.0, 1.0, 0.0)
    loud = driver.hear(1.0, 1.0, 1.0, 1.0)

    assert quiet == []
    assert driver.types(loud)[0] == "input_audio_buffer.speech_started"


@pytest.mark.parametrize(("overshoot_ms", "code"), [(250, None), (251, "invalid_value")])
def test_a_truncation_may_overshoot_by_a_playback_clocks_error(overshoot_ms: int, code: str | None) -> None:
    driver = SessionDriver()
    item_id = speaking(driver)

    events = driver.client(
        {
            "type": "conversation.item.truncate",
            "item_id": item_id,
            "content_index": 0,
            "audio_end_ms": 1000 + overshoot_ms,
        }
    )

    assert [found for found, _ in errors(events)] == ([] if code is None else [code])


# Tools and items ----------------------------------------------------------------------------------------------


def test_a_function_call_goes_out_whole_and_its_output_comes_back() -> None:
    driver = SessionDriver()
    typed(driver, "weather in Paris")
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    driver.post(ToolCallGenerated(response_id, "get_weather", '{"city":"Paris"}'))
    driver.post(GenerationFinished(response_id))
    call = driver.events[-1]["response"]["output"][0]

    output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"sky":"clear"}'}
    driver.client({"type": "conversation.item.create", "item": output})
    driver.client({"type": "response.create"})

    assert (call["type"], call["status"], call["name"]) == ("function_call", "completed", "get_weather")
    assert driver.asked(Generate)[-1].request.items[1:] == (
        ContextToolCall(call["call_id"], "get_weather", '{"city":"Paris"}'),
        ContextToolOutput(call["call_id"], '{"sky":"clear"}'),
    )
    finished(driver)


def test_an_open_call_has_a_placeholder_in_the_context() -> None:
    driver = SessionDriver()
    driver.client({"type": "response.create"})
    driver.post(ToolCallGenerated(driver.last_generation(), "look", "{}"))
    driver.post(GenerationFinished(driver.last_generation()))

    driver.client({"type": "response.create"})

    call, placeholder = driver.asked(Generate)[-1].request.items
    assert placeholder == ContextToolOutput(call.call_id, None)


def test_an_output_without_its_call_is_refused() -> None:
    driver = SessionDriver()

    events = driver.client(
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_x", "output": ""},
        }
    )

    assert errors(events) == [("invalid_value", "item.call_id")]


def test_items_are_placed_where_the_client_says() -> None:
    driver = SessionDriver()
    first = typed(driver, "one")[0]["item"]["id"]
    typed(driver, "two")
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}

    after = driver.client({"type": "conversation.item.create", "previous_item_id": first, "item": item})
    root = driver.client(
        {"type": "conversation.item.create", "previous_item_id": "root", "item": {**item, "id": "mine"}}
    )

    assert after[0]["previous_item_id"] == first
    assert (root[0]["previous_item_id"], root[0]["item"]["id"]) == (None, "mine")


def test_a_retrieved_item_carries_its_audio_and_its_transcript() -> None:
    driver = SessionDriver()
    updated(driver, **with_input(transcription={"model": "any"}))
    said(driver, "hello")
    item_id = driver.last_finished_transcript()

    events = driver.client({"type": "conversation.item.retrieve", "item_id": item_id})

    part = events[0]["item"]["content"][0]
    assert part["transcript"] == "hello"
    assert len(part["audio"]) == (10 * 32 + 500) * 48 * 4 / 3


def test_user_audio_in_an_item_is_transcribed_for_the_context_only() -> None:
    driver = SessionDriver()
    updated(driver, **with_input(transcription={"model": "any"}))
    content = [{"type": "input_audio", "audio": WINDOW_BASE64 * 10}]
    driver.client({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}})

    created = driver.client({"type": "response.create"})
    waiting = driver.asked(Generate)
    settled = driver.post(TranscriptFinalized(driver.last_finished_transcript(), "hello"))

    assert (driver.types(created), waiting, settled) == (["response.created"], [], [])
    assert driver.asked(Generate)[-1].request.items == (ContextMessage("user", "hello"),)


def test_a_tool_choice_that_no_tool_can_meet_is_refused() -> None:
    driver = SessionDriver()
    tool = {"type": "function", "name": "look", "parameters": {}}

    dangling = updated(driver, tool_choice={"type": "function", "name": "look"})
    met = updated(driver, tool_choice={"type": "function", "name": "look"}, tools=[tool])
    taken_away = updated(driver, tools=[])
    required = driver.client({"type": "response.create", "response": {"tools": [], "tool_choice": "required"}})

    assert errors(dangling) == errors(taken_away) == [("invalid_value", "session.tool_choice.name")]
    assert driver.types(met) == ["session.updated"]
    assert errors(required) == [("invalid_value", "response.tool_choice")]


# Session ------------------------------------------------------------------------------------------------------


def test_the_session_ends_at_its_lifetime() -> None:
    driver = SessionDriver(LocalSession(plain_session(), CountingIds(), SessionPolicy(lifetime_s=60)))

    events = driver.advance(60)
    after = typed(driver, "hi")

    assert errors(events) == [("session_expired", None)]
    assert driver.asked(Close) == [Close(1001, "Your session hit the maximum duration of 1 minutes.")]
    assert after == []


def test_a_response_that_runs_at_the_end_of_the_session_is_closed_first() -> None:
    driver = SessionDriver(LocalSession(plain_session(), CountingIds(), SessionPolicy(lifetime_s=60)))
    driver.advance(59)
    driver.client({"type": "response.create"})

    events = driver.advance(1)

    assert driver.types(events) == ["response.done", "error"]
    assert [str(v) for v in driver.checker.finish()] == []


def test_a_session_without_a_lifetime_never_expires() -> None:
    driver = SessionDriver(LocalSession(plain_session(), CountingIds(), SessionPolicy(lifetime_s=0)))

    assert driver.session.next_deadline() is None


def test_draining_waits_for_the_answer_that_is_being_given() -> None:
    driver = SessionDriver()
    driver.client({"type": "response.create"})

    driver.post(Draining())
    before = driver.asked(Close)
    answered(driver, "Bye. ")

    assert before == []
    assert [close.code for close in driver.asked(Close)] == [1012]


def test_an_answer_that_outlasts_the_drain_is_cancelled() -> None:
    driver = SessionDriver()
    driver.client({"type": "response.create"})
    driver.post(Draining())

    events = driver.post(Draining(is_final=True))

    assert [e["response"]["status"] for e in events] == ["cancelled"]
    assert [close.code for close in driver.asked(Close)] == [1012]


def test_a_disconnected_session_stops_its_engines() -> None:
    driver = SessionDriver()
    driver.hear(*SPEECH)
    driver.client({"type": "response.create"})

    driver.post(Disconnected(1006))

    assert driver.asked(CancelGeneration) and driver.asked(AbortTranscript)
    assert driver.session.next_deadline() is None


def test_the_input_format_changes_only_while_no_audio_is_buffered() -> None:
    driver = SessionDriver()
    updated(driver, **with_input(turn_detection=None))
    driver.client({"type": "input_audio_buffer.append", "audio": WINDOW_BASE64})

    refused = updated(driver, **with_input(format={"type": "audio/pcmu"}))
    driver.client({"type": "input_audio_buffer.clear"})
    accepted = updated(driver, **with_input(format={"type": "audio/pcmu"}))

    assert errors(refused) == [("invalid_value", "session.audio.input.format")]
    assert accepted[0]["session"]["audio"]["input"]["format"] == {"type": "audio/pcmu"}
