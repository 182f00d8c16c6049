"""Random conversations: steps that clients, engines and the clock may take in any order, and how they are taken."""

import base64
from typing import Any

from hypothesis import strategies as st

from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.requests import Word
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    CallMcpTool,
    DetectionFailed,
    DetectSpeech,
    Draining,
    EngineFault,
    FinishTranscript,
    GenerationFailed,
    GenerationFinished,
    ListMcpTools,
    McpCallFailed,
    McpCallReturned,
    McpListingFailed,
    McpToolsListed,
    OpenTranscript,
    ScoreTurn,
    Speak,
    SpeechSynthesized,
    SynthesisFailed,
    SynthesisFinished,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFailed,
    TranscriptFinalized,
    TranscriptRevised,
    TurnScored,
)
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.items import McpListedTool, McpToolExecutionError
from vivavoce.testing.driver import SessionDriver, plain_session

FAULT = EngineFault("scripted", "engine_unavailable", "it broke")
BROKE = McpToolExecutionError(message="it broke")
POLICY = SessionPolicy(
    context_tokens=400,
    prompts={"greeting": "Greet {{name}}."},
    mcp_hosts=("tools.example",),
    scores_turns=True,
)


def opened(*, has_limits: bool = False) -> SessionDriver:
    """Return a session that may do all there is, in tight bounds."""
    limits = RateLimits(requests_per_min=20, tokens_per_min=2_000) if has_limits else RateLimits()
    return SessionDriver(LocalSession(plain_session(), CountingIds(), POLICY, limits=limits))


Json = dict[str, Any]  # JSON boundary: parts of events
Step = tuple[Any, ...]  # (name, arguments...), read by `take`

VADS = (
    None,
    {"type": "server_vad", "silence_duration_ms": 64},
    {"type": "server_vad", "silence_duration_ms": 64, "interrupt_response": False},
    {"type": "server_vad", "silence_duration_ms": 64, "create_response": False},
    {"type": "server_vad", "silence_duration_ms": 64, "idle_timeout_ms": 5000},
    {"type": "semantic_vad", "eagerness": "high"},
    {"type": "semantic_vad", "interrupt_response": False},
)
REMOTE = {"type": "mcp", "server_label": "remote", "server_url": "https://tools.example/mcp"}
LOOK_UP = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
PICTURE = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8)).decode()
# Parts of `session.update` whose every combination is legal, or refused as a whole.
SETTINGS: tuple[Json, ...] = (
    {"tools": [LOOK_UP], "tool_choice": "required"},
    {"tools": [REMOTE]},
    {"tools": [{**REMOTE, "require_approval": "never"}, LOOK_UP], "tool_choice": "auto"},
    {"tools": [{**REMOTE, "server_url": "https://other.example/"}]},
    {"tools": [{**REMOTE, "authorization": "secret", "require_approval": {"never": {"tool_names": ["search"]}}}]},
    {"tools": [], "tool_choice": "none"},
    {"tool_choice": {"type": "mcp", "server_label": "remote"}},
    {"tool_choice": {"type": "function", "name": "look_up"}},
    {"truncation": {"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 20}}},
    {"truncation": "disabled"},
    {"truncation": "auto"},
    {"prompt": {"id": "greeting", "variables": {"name": "Ada"}}},
    {"prompt": {"id": "unknown"}},
    {"instructions": "Be brief. " * 20},
    {"max_output_tokens": 3},
    {"max_output_tokens": "inf"},
    {"tracing": "auto"},
    {"include": ["item.input_audio_transcription.logprobs"]},
    {"audio": {"input": {"noise_reduction": {"type": "near_field"}}}},
    {"audio": {"input": {"noise_reduction": None}}},
    {"audio": {"output": {"speed": 1.5}}},
    {"vivavoce": {"pre_roll_ms": 200}},
    {"type": "transcription"},
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
    st.tuples(st.just("set"), st.sampled_from(SETTINGS)),
    st.tuples(
        st.just("say_exactly"), st.sampled_from(["auto", "none"]), st.sampled_from(["Yes.", "One. Two, three. "])
    ),
    st.tuples(st.just("search"), st.sampled_from(["search", "remote__search"])),
    st.tuples(st.just("listed"), st.booleans()),
    st.tuples(st.just("returned"), st.booleans()),
    st.tuples(st.just("approve"), st.booleans()),
    st.tuples(st.just("judge"), st.sampled_from([0.05, 0.95])),
    st.just(("picture",)),
    st.tuples(st.just("refer"), st.integers(0, 5)),
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


def added(driver: SessionDriver) -> list[Json]:
    return [event for event in driver.events if event["type"] == "conversation.item.added"]


def create_item(item: Json) -> Json:
    return {"type": "conversation.item.create", "item": item}


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
        case ("set", session):
            update(driver, **session)
        case ("say_exactly", conversation, text):
            response = {"conversation": conversation, "vivavoce": {"say": text}}
            driver.client({"type": "response.create", "response": response})
        case ("wait", seconds):
            driver.advance(seconds)
        case _:
            return take_item_step(driver, step)
    return True


def take_item_step(driver: SessionDriver, step: Step) -> bool:  # noqa: C901, PLR0912  # one case per step
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
        case ("picture",):
            parts = [{"type": "input_image", "image_url": PICTURE}, {"type": "input_text", "text": "What is it?"}]
            driver.client(create_item({"type": "message", "role": "user", "content": parts}))
        case ("refer", index):
            ids = item_ids(driver)
            given = [{"type": "item_reference", "id": ids[index % len(ids)]}]
            driver.client({"type": "response.create", "response": {"conversation": "none", "input": given}})
        case ("approve", approve):
            asked = [e["item"]["id"] for e in added(driver) if e["item"]["type"] == "mcp_approval_request"]
            request_id = asked[-1] if asked else "item_none"
            answer = {"type": "mcp_approval_response", "approval_request_id": request_id, "approve": approve}
            driver.client(create_item(answer))
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
            take_remote_step(driver, step, response_id)


def take_remote_step(driver: SessionDriver, step: Step, response_id: str) -> None:
    """What MCP servers and the turn scorer answer, if they were asked."""
    match step:
        case ("search", name):
            driver.post(ToolCallGenerated(response_id, name, "{}"))
        case ("listed", is_listed):
            for asked in driver.asked(ListMcpTools)[-1:]:
                tools = (McpListedTool(name="search", input_schema={"type": "object"}),)
                driver.post(
                    McpToolsListed(asked.item_id, tools) if is_listed else McpListingFailed(asked.item_id, BROKE)
                )
        case ("returned", is_returned):
            for asked in driver.asked(CallMcpTool)[-1:]:
                driver.post(
                    McpCallReturned(asked.item_id, "found") if is_returned else McpCallFailed(asked.item_id, BROKE)
                )
        case ("judge", probability):
            for asked in driver.asked(ScoreTurn)[-1:]:
                driver.post(TurnScored(asked.item_id, asked.end_sample, probability))
        case _:
            raise AssertionError(step)


def end(driver: SessionDriver) -> None:
    """Let every engine answer, so that nothing may stay open."""
    driver.advance(1000.0)
    for listing in driver.asked(ListMcpTools):
        driver.post(McpListingFailed(listing.item_id, BROKE))
    for _ in range(3):  # calls that were approved are made when what runs has ended
        for response_id in response_ids(driver):
            driver.post(GenerationFailed(response_id, FAULT))
    driver.post(Draining())


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
    *(("set", session) for session in SETTINGS),
    *[("search", "search"), ("listed", True), ("returned", True), ("approve", True)] * 3,
    ("listed", False),
    ("returned", False),
    ("approve", False),
    ("search", "remote__search"),
    ("judge", 0.95),
    ("picture",),
    ("refer", 2),
    ("say_exactly", "none", "One. Two, three. "),
    ("say_exactly", "auto", "Yes."),
)
