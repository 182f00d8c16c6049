"""The rest of the API in the core: semantic turns, exact speech, truncation, prompts, images, probabilities."""

import base64
from typing import Any

import pytest

from vivavoce.core.policy import SessionPolicy
from vivavoce.core.requests import ContextImage, ContextMessage, ContextToolOutput, Word
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    Generate,
    GenerationFinished,
    ScoreTurn,
    Speak,
    SpeechSynthesized,
    SynthesisFinished,
    TextGenerated,
    TranscriptFinalized,
    TranscriptRevised,
    TurnScored,
)
from vivavoce.protocol.ids import CountingIds
from vivavoce.testing.driver import SessionDriver, plain_session

Json = dict[str, Any]
SPEECH = [1.0] * 10  # 320 ms
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()


def opened(**policy: Any) -> SessionDriver:
    return SessionDriver(LocalSession(plain_session(), CountingIds(), SessionPolicy(**policy)))


def update(driver: SessionDriver, **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def write(driver: SessionDriver, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    driver.client({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}})


def error_of(events: list[Json]) -> tuple[Any, Any]:
    (event,) = events
    return event["error"]["code"], event["error"]["param"]


def create(driver: SessionDriver, **response: Any) -> list[Json]:
    return driver.client({"type": "response.create", "response": response})


# Semantic turns ---------------------------------------------------------------------------------------------------


def semantic(eagerness: str = "auto", text: str = "", **policy: Any) -> SessionDriver:
    """Return a session in which a user says `text` and then keeps silent for 128 ms."""
    driver = opened(**policy)
    detection = {"type": "semantic_vad", "eagerness": eagerness}
    update(driver, audio={"input": {"turn_detection": detection, "transcription": {"model": "m"}}})
    started = driver.hear(*SPEECH)
    driver.post(TranscriptRevised(started[0]["item_id"], "", text))
    driver.hear(*[0.0] * 4)
    return driver


def silence_until_stop(driver: SessionDriver) -> int:
    """Return after how many windows of silence the turn ended."""
    for windows in range(5, 400):
        if "input_audio_buffer.speech_stopped" in driver.types(driver.hear(0.0)):
            return windows
    raise AssertionError("the turn never ended")


def test_a_finished_sentence_ends_its_turn_sooner_than_an_unfinished_one() -> None:
    finished = silence_until_stop(semantic(text="what time is it in london"))
    unfinished = silence_until_stop(semantic(text="i would like to go to the"))

    assert finished * 32 < 800 < unfinished * 32 <= 4_032


@pytest.mark.parametrize(
    ("eagerness", "longest_ms"), [("high", 2_000), ("medium", 4_000), ("auto", 4_000), ("low", 8_000)]
)
def test_no_turn_waits_longer_than_its_eagerness_allows(eagerness: str, longest_ms: int) -> None:
    windows = silence_until_stop(semantic(eagerness, "and then i went to the"))

    assert longest_ms / 4 <= windows * 32 <= longest_ms + 32


def test_words_that_come_late_shorten_the_wait() -> None:
    driver = semantic(text="i want to go to the")
    driver.hear(*[0.0] * 20)
    item_id = driver.events[2]["item_id"]

    events = driver.post(TranscriptRevised(item_id, "", "i want to go to the station now please"))

    assert "input_audio_buffer.speech_stopped" in driver.types(events)


def test_the_turn_scorer_is_asked_once_for_each_silence_and_its_answer_counts() -> None:
    driver = semantic(text="", scores_turns=True)
    driver.hear(*[0.0] * 4)
    (asked,) = driver.asked(ScoreTurn)

    driver.post(TurnScored(asked.item_id, asked.end_sample, 0.99))
    sooner = silence_until_stop(driver)
    without = silence_until_stop(semantic(text=""))

    assert asked.end_sample == (10 + 8 - 1) * 768
    assert sooner + 4 < without


def test_a_score_of_a_silence_that_is_over_is_void() -> None:
    driver = semantic(text="", scores_turns=True)
    driver.hear(*[0.0] * 4)
    (asked,) = driver.asked(ScoreTurn)
    driver.hear(1.0)

    driver.post(TurnScored(asked.item_id, asked.end_sample, 0.99))
    driver.hear(*[0.0] * 9)

    assert len(driver.asked(ScoreTurn)) == 2
    assert "input_audio_buffer.speech_stopped" not in driver.types()


def test_semantic_detection_obeys_its_switches() -> None:
    driver = opened()
    detection = {"type": "semantic_vad", "eagerness": "high", "create_response": False, "interrupt_response": False}
    update(driver, audio={"input": {"turn_detection": detection}})

    driver.hear(*SPEECH, *[0.0] * 70)
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "hello"))
    driver.advance(5)

    assert "response.created" not in driver.types()
    assert "input_audio_buffer.committed" in driver.types()


def test_idle_timeout_without_automatic_responses_commits_once_and_answers_nothing() -> None:
    driver = opened()
    detection = {"type": "server_vad", "idle_timeout_ms": 5_000, "create_response": False}
    update(driver, audio={"input": {"turn_detection": detection}}, output_modalities=["text"])
    create(driver)
    driver.post(GenerationFinished(driver.last_generation()))

    driver.hear(*[0.0] * 700)

    assert driver.types().count("input_audio_buffer.timeout_triggered") == 1
    assert driver.types().count("response.created") == 1


def test_pre_roll_is_kept_at_button_down() -> None:
    driver = opened()
    update(driver, audio={"input": {"turn_detection": None}}, vivavoce={"pre_roll_ms": 64})
    driver.client({"type": "input_audio_buffer.append", "audio": "AAAA" * 512 * 10})
    driver.client({"type": "input_audio_buffer.clear"})
    driver.client({"type": "input_audio_buffer.append", "audio": "AAAA" * 512 * 4})

    committed = driver.client({"type": "input_audio_buffer.commit"})
    item = driver.client({"type": "conversation.item.retrieve", "item_id": committed[0]["item_id"]})[0]["item"]

    assert len(base64.b64decode(item["content"][0]["audio"])) == (64 + 128) * 48


# Exact speech -----------------------------------------------------------------------------------------------------


def test_a_text_is_said_exactly_and_no_generator_is_asked() -> None:
    driver = opened()
    text = "Your table is booked. It is at seven, for four."

    events = create(driver, conversation="none", vivavoce={"say": text})
    for speak in driver.asked(Speak):
        driver.post(SpeechSynthesized(speak.response_id, speak.segment, bytes(48), 24))
        driver.post(SynthesisFinished(speak.response_id, speak.segment))

    done = driver.events[-1]["response"]
    assert driver.types(events) == ["response.created", "response.output_item.added", "response.content_part.added"]
    assert driver.asked(Generate) == []
    assert "".join(speak.speech.text for speak in driver.asked(Speak)) == text
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": text}]
    assert (done["status"], done["conversation_id"], done["usage"]["input_tokens"]) == ("completed", None, 0)


def test_a_text_can_be_said_into_the_conversation_and_as_text() -> None:
    driver = opened()

    create(driver, output_modalities=["text"], vivavoce={"say": "Done."})
    create(driver)

    assert driver.asked(Generate)[-1].request.items == (ContextMessage("assistant", "Done."),)


def test_a_limit_of_tokens_does_not_cut_what_is_said_exactly() -> None:
    driver = opened()
    update(driver, max_output_tokens=1, output_modalities=["text"])

    events = create(driver, vivavoce={"say": "x" * 100})

    assert events[-1]["response"]["status"] == "completed"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "x" * 100


def test_out_of_band_work_is_marked_as_background() -> None:
    driver = opened()

    create(driver)
    create(driver, conversation="none")
    for generate in driver.asked(Generate):
        driver.post(TextGenerated(generate.response_id, "This is a whole sentence. And more."))

    assert [generate.is_background for generate in driver.asked(Generate)] == [False, True]
    assert {speak.response_id: speak.is_background for speak in driver.asked(Speak)} == {
        generate.response_id: generate.is_background for generate in driver.asked(Generate)
    }


# Truncation -------------------------------------------------------------------------------------------------------


def context_of(driver: SessionDriver) -> list[str]:
    return [item.text for item in driver.asked(Generate)[-1].request.items if isinstance(item, ContextMessage)]


def long_conversation(truncation: Any, **policy: Any) -> SessionDriver:
    """Return a session with ten messages of 100 tokens each and a limit of 450 after the instructions."""
    driver = opened(**{"context_tokens": 452, **policy})
    update(driver, truncation=truncation, output_modalities=["text"])
    for number in range(10):
        write(driver, f"{number}" * 400)
    return driver


def test_the_oldest_items_are_left_out_of_a_context_that_is_too_long() -> None:
    driver = long_conversation("auto")

    create(driver)

    assert [text[0] for text in context_of(driver)] == ["6", "7", "8", "9"]


def test_a_retention_ratio_leaves_room_so_that_the_next_context_begins_at_the_same_item() -> None:
    driver = long_conversation({"type": "retention_ratio", "retention_ratio": 0.5})

    create(driver)
    first = [text[0] for text in context_of(driver)]
    driver.post(GenerationFinished(driver.last_generation()))
    write(driver, "a" * 400)
    create(driver)

    assert first == ["8", "9"]
    assert [text[0] for text in context_of(driver)] == ["8", "9", "a"]


def test_a_limit_after_the_instructions_counts() -> None:
    limits = {"post_instructions": 250}
    driver = long_conversation({"type": "retention_ratio", "retention_ratio": 1.0, "token_limits": limits})

    create(driver)

    assert [text[0] for text in context_of(driver)] == ["8", "9"]


def test_without_truncation_a_context_that_is_too_long_fails_the_response() -> None:
    driver = long_conversation("disabled")

    events = create(driver)

    error = events[-1]["response"]["status_details"]["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "context_length_exceeded")
    assert driver.asked(Generate) == []


def test_dropped_items_stay_in_the_conversation() -> None:
    driver = long_conversation("auto")
    first = driver.events[2]["item"]["id"]
    create(driver)

    events = driver.client({"type": "conversation.item.retrieve", "item_id": first})

    assert events[0]["item"]["content"][0]["text"] == "0" * 400


def test_an_own_input_drops_nothing_from_the_conversation() -> None:
    driver = long_conversation("auto", context_tokens=1_100)
    driver.client({"type": "session.update", "session": {"type": "realtime", "instructions": "x" * 3_000}})
    references = [{"type": "item_reference", "id": e["item"]["id"]} for e in driver.events if "done" in e["type"]]

    create(driver, conversation="none", input=references)
    update(driver, instructions="")
    create(driver)

    assert len(context_of(driver)) == 10


def test_an_output_whose_call_was_dropped_is_left_out_too() -> None:
    driver = opened(context_tokens=152)
    update(driver, output_modalities=["text"])
    call = {"type": "function_call", "call_id": "c", "name": "f" * 300, "arguments": "{}"}
    driver.client({"type": "conversation.item.create", "item": call})
    output = {"type": "function_call_output", "call_id": "c", "output": "x"}
    driver.client({"type": "conversation.item.create", "item": output})
    write(driver, "y" * 400)

    create(driver)

    assert not any(isinstance(item, ContextToolOutput) for item in driver.asked(Generate)[-1].request.items)


# Prompts ----------------------------------------------------------------------------------------------------------

PROMPTS = {"greeter": "Greet {{ name }}.", "greeter@2": "Greet {{name}} warmly."}


def instructions_of(driver: SessionDriver, **response: Any) -> str:
    create(driver, **response)
    instructions: str = driver.asked(Generate)[-1].request.instructions
    return instructions


def test_a_stored_prompt_takes_the_place_of_the_servers_instructions() -> None:
    driver = opened(prompts=PROMPTS)

    update(driver, prompt={"id": "greeter", "version": "2", "variables": {"name": "Ada"}})

    assert instructions_of(driver) == "Greet Ada warmly."


def test_the_nearest_word_counts() -> None:
    driver = opened(prompts=PROMPTS)
    update(driver, prompt={"id": "greeter", "variables": {"name": {"type": "input_text", "text": "Ada"}}})
    update(driver, instructions="Be brief.")

    assert instructions_of(driver) == "Be brief."
    driver.client({"type": "response.cancel"})
    assert instructions_of(driver, prompt={"id": "greeter", "variables": {"name": "Bob"}}) == "Greet Bob."
    driver.client({"type": "response.cancel"})
    assert instructions_of(driver, instructions="Now.") == "Now."


@pytest.mark.parametrize(
    ("prompt", "code", "param"),
    [
        ({"id": "nobody"}, "prompt_not_found", "prompt.id"),
        ({"id": "greeter", "version": "9"}, "prompt_not_found", "prompt.version"),
        ({"id": "greeter"}, "invalid_value", "prompt.variables"),
        ({"id": "greeter", "variables": {"name": "A", "x": "B"}}, "invalid_value", "prompt.variables.x"),
    ],
)
def test_a_prompt_that_does_not_fit_is_refused(prompt: Json, code: str, param: str) -> None:
    driver = opened(prompts=PROMPTS)

    assert error_of(update(driver, prompt=prompt)) == (code, f"session.{param}")
    assert error_of(create(driver, prompt=prompt)) == (code, f"response.{param}")


# Images, probabilities, usage -------------------------------------------------------------------------------------


def test_pictures_reach_the_generator_and_are_echoed() -> None:
    driver = opened()
    parts = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": PNG, "detail": "low"}]
    message = {"type": "message", "role": "user", "content": parts}

    events = driver.client({"type": "conversation.item.create", "item": message})
    create(driver)

    assert events[0]["item"]["content"] == parts
    assert driver.asked(Generate)[-1].request.items == (
        ContextMessage("user", "What is it?", images=(ContextImage(PNG, "low"),)),
    )


def heard(driver: SessionDriver, *words: Word) -> Json:
    """Let the user say the words; return the event that tells the transcript."""
    update(driver, audio={"input": {"transcription": {"model": "m"}}})
    driver.hear(*SPEECH, *[0.0] * 16)
    text = " ".join(word.text for word in words)
    events = driver.post(TranscriptFinalized(driver.last_finished_transcript(), text, words))
    return next(event for event in events if event["type"].endswith("completed"))


def test_probabilities_are_sent_where_the_client_asks_and_the_engine_knows() -> None:
    driver = opened()
    update(driver, include=["item.input_audio_transcription.logprobs"])

    completed = heard(driver, Word("hello", 0, 100, 1.0), Word("you", 100, 200, 0.5))

    assert completed["logprobs"] == [
        {"token": "hello", "logprob": 0.0, "bytes": list(b"hello")},
        {"token": " you", "logprob": pytest.approx(-0.6931, abs=1e-3), "bytes": list(b" you")},
    ]


@pytest.mark.parametrize(("include", "confidence"), [([], 1.0), (["item.input_audio_transcription.logprobs"], None)])
def test_probabilities_are_absent_unless_asked_for_and_known(include: list[str], confidence: float | None) -> None:
    driver = opened()
    update(driver, include=include)

    assert "logprobs" not in heard(driver, Word("hello", 0, 100, confidence))


def test_cached_tokens_are_part_of_the_usage() -> None:
    driver = opened()
    update(driver, output_modalities=["text"])
    create(driver)

    events = driver.post(GenerationFinished(driver.last_generation(), 100, 5, cached_tokens=80))

    usage = events[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (100, 5, 105)
    assert usage["input_token_details"]["cached_tokens"] == 80
    assert usage["input_token_details"]["cached_tokens_details"]["text_tokens"] == 80
