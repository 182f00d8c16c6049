"""Sessions where something is late, odd, cut or named twice: what was heard stays the truth, and nothing escapes."""

import base64
from typing import Any

import pytest

from vivavoce.core.conversation import Conversation, Entry
from vivavoce.core.playout import Playout
from vivavoce.core.requests import ContextMessage, ContextToolOutput, Word
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    ClearPlayout,
    Disconnected,
    EngineFault,
    FeedTranscript,
    FinishTranscript,
    Generate,
    GenerationFailed,
    GenerationFinished,
    Opened,
    PlayAudio,
    SpeechSynthesized,
    SynthesisFinished,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFinalized,
)
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.items import Message, OutputAudio
from vivavoce.testing.driver import SessionDriver, plain_session

FAULT = EngineFault("scripted", "engine_unavailable", "it broke")
SPEECH, SILENCE = [1.0] * 10, [0.0] * 16  # 320 ms, 512 ms
TEXT = "One two three four five six seven eight. "

Json = dict[str, Any]


def said(driver: SessionDriver, text: str) -> list[Json]:
    """Speak a turn that the transcriber hears as `text`."""
    driver.hear(*SPEECH, *SILENCE)
    return driver.post(TranscriptFinalized(driver.last_finished_transcript(), text))


def typed(driver: SessionDriver, text: str, **item: Any) -> list[Json]:
    content = [{"type": "input_text", "text": text}]
    message = {"type": "message", "role": "user", "content": content, **item}
    return driver.client({"type": "conversation.item.create", "item": message})


def updated(driver: SessionDriver, **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def begun(driver: SessionDriver, samples: int, words: tuple[Word, ...] = (), text: str = TEXT) -> str:
    """Begin a spoken answer whose first segment has so much audio and goes on; returns the response."""
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    driver.post(TextGenerated(response_id, text))
    driver.post(GenerationFinished(response_id))
    driver.post(SpeechSynthesized(response_id, 0, bytes(samples * 2), samples, words))
    return response_id


def context(driver: SessionDriver) -> tuple[object, ...]:
    """Return what the generator reads for a response that is asked for now."""
    driver.client({"type": "response.create"})
    generate: Generate = driver.asked(Generate)[-1]
    return generate.request.items


def truncated(driver: SessionDriver, item_id: str, audio_end_ms: int) -> list[Json]:
    event = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0}
    return driver.client({**event, "audio_end_ms": audio_end_ms})


def retrieved(driver: SessionDriver, item_id: str) -> Json:
    event: Json = driver.client({"type": "conversation.item.retrieve", "item_id": item_id})[0]
    return event


# What was heard -----------------------------------------------------------------------------------------------


def test_a_cancelled_answer_is_remembered_as_far_as_its_audio_went_out() -> None:
    driver = SessionDriver()
    begun(driver, 12_000, (Word("One", 0, 250), Word("two", 250, 500)))

    driver.client({"type": "response.cancel"})

    assert context(driver) == (ContextMessage("assistant", "One two", is_cut=True),)


def test_an_interruption_while_speech_is_being_made_counts_only_the_words_that_were_made() -> None:
    driver = SessionDriver()
    begun(driver, 12_000, (Word("One", 0, 250), Word("two", 250, 500)))
    driver.advance(1.0)  # all that was made has been played

    driver.hear(*SPEECH)

    assert context(driver) == (ContextMessage("assistant", "One two", is_cut=True),)


def test_an_answer_that_is_cancelled_between_two_sentences_counts_as_cut() -> None:
    driver = SessionDriver()
    response_id = begun(driver, 24_000, text="One two three four. And five six seven. ")
    driver.post(SynthesisFinished(response_id, 0))

    driver.client({"type": "response.cancel"})

    assert context(driver) == (ContextMessage("assistant", "One two three four.", is_cut=True),)


def test_without_word_times_half_made_speech_is_not_taken_for_all_its_words() -> None:
    driver = SessionDriver()
    begun(driver, 12_000)
    driver.advance(1.0)

    driver.hear(*SPEECH)

    heard = context(driver)[0]
    assert isinstance(heard, ContextMessage)
    assert heard.is_cut and heard.text in {"One", "One two"}


def test_an_answer_that_was_cut_while_it_was_made_is_stored_cut() -> None:
    driver = SessionDriver()
    begun(driver, 24_000)
    item_id = driver.asked(PlayAudio)[-1].item_id

    truncated(driver, item_id, 500)
    driver.client({"type": "response.cancel"})

    part = retrieved(driver, item_id)["item"]["content"][0]
    assert len(base64.b64decode(part["audio"])) == 24_000
    assert part["transcript"] is None


def test_g711_answers_are_cut_in_g711_bytes() -> None:
    driver = SessionDriver()
    updated(driver, audio={"output": {"format": {"type": "audio/pcmu"}}})
    driver.client({"type": "response.create"})
    response_id = driver.last_generation()
    driver.post(TextGenerated(response_id, TEXT))
    driver.post(GenerationFinished(response_id))
    driver.post(SpeechSynthesized(response_id, 0, bytes(8_000), 24_000))
    driver.post(SynthesisFinished(response_id, 0))
    item_id = driver.asked(PlayAudio)[-1].item_id

    truncated(driver, item_id, 250)

    part = retrieved(driver, item_id)["item"]["content"][0]
    assert len(base64.b64decode(part["audio"])) == 2_000


def test_an_answer_that_nobody_has_heard_anything_of_can_be_truncated_to_nothing() -> None:
    driver = SessionDriver()
    driver.client({"type": "response.create"})
    driver.post(TextGenerated(driver.last_generation(), TEXT))
    item_id = next(e["item"]["id"] for e in driver.events if e["type"] == "conversation.item.added")

    assert driver.types(truncated(driver, item_id, 0)) == ["conversation.item.truncated"]


def test_speech_clears_the_playout_of_an_answer_that_has_ended_and_is_still_audible() -> None:
    driver = SessionDriver()
    response_id = begun(driver, 48_000)
    driver.post(SynthesisFinished(response_id, 0))

    driver.hear(*SPEECH)

    assert driver.asked(ClearPlayout) == [ClearPlayout(response_id)]


def test_playout_of_a_long_answer_is_one_entry_of_the_queue() -> None:
    playout = Playout()

    for _ in range(10_000):
        playout.play("item_1", 4_800, 0.0)

    assert len(playout._queue) == 1
    assert playout.unheard_by_item(1_000.0) == {"item_1": 24_000_000}


# Names that are taken, audio that is odd ----------------------------------------------------------------------


def test_an_item_cannot_take_the_id_of_an_utterance_that_was_announced() -> None:
    driver = SessionDriver()
    started = driver.hear(*SPEECH)[0]

    events = typed(driver, "hi", id=started["item_id"])
    driver.hear(*SILENCE)

    assert [e["error"]["code"] for e in events] == ["item_create_duplicate_item_id"]
    assert driver.types().count("conversation.item.added") == 1
    assert driver.types(driver.client({"type": "conversation.item.delete", "item_id": started["item_id"]})) == [
        "conversation.item.deleted"
    ]


def test_odd_bytes_of_an_items_audio_are_no_sample() -> None:
    driver = SessionDriver()
    part = {"type": "input_audio", "audio": base64.b64encode(bytes(4801)).decode()}

    driver.client({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [part]}})

    assert [len(feed.audio) for feed in driver.asked(FeedTranscript)] == [4800]


def test_words_and_speech_of_one_item_reach_the_generator_together() -> None:
    driver = SessionDriver()
    content = [
        {"type": "input_text", "text": "Translate this:"},
        {"type": "input_audio", "audio": base64.b64encode(bytes(4800)).decode()},
    ]

    driver.client({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}})
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "good day"))

    assert context(driver) == (ContextMessage("user", "Translate this: good day"),)


def test_speech_in_the_input_of_a_response_reaches_its_generator() -> None:
    driver = SessionDriver()
    typed(driver, "not this", id="item_a")
    part = {"type": "input_audio", "audio": base64.b64encode(bytes(4800)).decode()}
    item = {"type": "message", "id": "item_a", "role": "user", "content": [part]}

    driver.client({"type": "response.create", "response": {"conversation": "none", "input": [item]}})
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "but this"))

    assert driver.asked(Generate)[-1].request.items == (ContextMessage("user", "but this"),)
    driver.client({"type": "response.cancel", "response_id": driver.last_generation()})
    assert context(driver) == (ContextMessage("user", "not this"),)


def test_the_output_of_a_call_that_was_deleted_is_left_out_of_the_context() -> None:
    driver = SessionDriver()
    call = {"type": "function_call", "id": "item_c", "call_id": "call_1", "name": "look", "arguments": "{}"}
    driver.client({"type": "conversation.item.create", "item": call})
    output = {"type": "function_call_output", "call_id": "call_1", "output": "7"}
    driver.client({"type": "conversation.item.create", "item": output})

    driver.client({"type": "conversation.item.delete", "item_id": "item_c"})

    assert not any(isinstance(item, ContextToolOutput) for item in context(driver))


# Books --------------------------------------------------------------------------------------------------------


def audio_entry(item_id: str, audio: bytes) -> Entry:
    return Entry(item=Message(id=item_id, role="assistant", content=(OutputAudio(transcript=""),)), pieces=(audio,))


def test_keeping_the_same_audio_again_is_not_counted_twice() -> None:
    conversation = Conversation("conv_1")
    first, last = audio_entry("a", bytes(30 << 20)), audio_entry("b", bytes(20 << 20))
    conversation.append(first)
    conversation.append(last)

    for _ in range(5):
        conversation.keep_audio(last, last.audio)

    assert (len(first.audio), len(last.audio)) == (30 << 20, 20 << 20)


def test_usage_counts_the_tokens_that_the_generator_counted() -> None:
    driver = SessionDriver()
    updated(driver, output_modalities=["text"])
    typed(driver, "hi")
    driver.client({"type": "response.create"})
    driver.post(TextGenerated(driver.last_generation(), "Yes."))

    done = driver.post(GenerationFinished(driver.last_generation(), input_tokens=321, output_tokens=45))[-1]

    usage = done["response"]["usage"]
    assert usage["input_token_details"]["text_tokens"] == 321
    assert usage["output_token_details"]["text_tokens"] == 45
    assert usage["total_tokens"] == 366


def test_silence_that_timed_out_is_no_utterance_for_the_transcriber() -> None:
    driver = SessionDriver()
    detection = {"type": "server_vad", "idle_timeout_ms": 5000}
    updated(driver, audio={"input": {"turn_detection": detection, "transcription": {"model": "any"}}})
    said(driver, "hello")
    driver.post(GenerationFinished(driver.last_generation()))
    asked = len(driver.asked(FinishTranscript))

    events = driver.hear(*[0.0] * 200)

    assert len(driver.asked(FinishTranscript)) == asked
    assert driver.types(events) == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
    ]
    assert driver.asked(Generate)[-1].response_id == events[-1]["response"]["id"]


# Ends ---------------------------------------------------------------------------------------------------------


def test_a_session_that_was_disconnected_before_it_opened_stays_closed() -> None:
    session = LocalSession(plain_session(), CountingIds())

    session.handle(Disconnected(), 1.0)

    assert session.handle(Opened(1_800_000_000), 2.0) == []
    assert session.next_deadline() is None


def test_a_session_opens_once() -> None:
    driver = SessionDriver()

    assert driver.post(Opened(1_800_000_000)) == []


@pytest.mark.parametrize("late", ["text", "call", "speech", "failure"])
def test_what_an_engine_delivers_after_the_end_of_a_response_is_dropped(late: str) -> None:
    driver = SessionDriver()
    response_id = begun(driver, 4_800)
    driver.client({"type": "response.cancel"})

    results = {
        "text": TextGenerated(response_id, "more"),
        "call": ToolCallGenerated(response_id, "look", "{}"),
        "speech": SpeechSynthesized(response_id, 0, bytes(96), 48),
        "failure": GenerationFailed(response_id, FAULT),
    }

    assert driver.post(results[late]) == []  # type: ignore[arg-type]  # mypy joins the values to Struct
