"""One full example of every server event, as the session makes them."""

from typing import Any, Final

from vivavoce.protocol import server_events as s
from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputText,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpHttpError,
    McpListedTool,
    McpListTools,
    Message,
    OutputAudio,
    OutputText,
)
from vivavoce.protocol.responses import (
    Response,
    ResponseAudio,
    ResponseAudioOutput,
    StatusDetails,
    StatusError,
    Usage,
)
from vivavoce.protocol.session import (
    AudioInput,
    PcmFormat,
    RealtimeSession,
    TranscriptionAudio,
    TranscriptionSession,
    default_session,
)

USER_AUDIO: Final = Message(id="item_1", role="user", content=(InputAudio(),))
USER_TEXT: Final = Message(id="item_2", role="user", content=(InputText("hi"),))
ANSWER: Final = Message(id="item_3", role="assistant", content=(OutputAudio(transcript="hello"), OutputText("hello")))
ITEMS: Final[tuple[Item, ...]] = (
    USER_AUDIO,
    USER_TEXT,
    ANSWER,
    Message(id="item_4", role="assistant", status="in_progress", content=()),
    Message(id="item_5", role="system", content=(InputText("be brief"),)),
    Message(id="item_6", role="user", content=(InputAudio(audio=b"\0\1", transcript="hi"),)),
    FunctionCall(id="item_7", status="in_progress", name="weather", call_id="call_1", arguments=""),
    FunctionCallOutput(id="item_8", call_id="call_1", output="{}"),
    McpListTools(id="item_9", server_label="docs", tools=(McpListedTool(name="find", input_schema={}),)),
    McpCall(id="item_10", server_label="docs", name="find", arguments=""),
    McpCall(id="item_11", server_label="docs", name="find", arguments="{}", error=McpHttpError(code=500, message="no")),
    McpApprovalRequest(id="item_12", server_label="docs", name="find", arguments="{}"),
    McpApprovalResponse(id="item_13", approval_request_id="item_12", approve=True),
)

PART: Final[dict[str, Any]] = {"response_id": "resp_1", "item_id": "item_3", "output_index": 0, "content_index": 0}
CALL: Final[dict[str, Any]] = {"response_id": "resp_1", "item_id": "item_7", "output_index": 1}


def a_session() -> RealtimeSession:
    """Return a session of defaults."""
    return default_session(id="sess_1", model="vivavoce-local", voice="marin", expires_at=3600, instructions="Be kind.")


def a_response(**changes: Any) -> Response:
    """Return a completed spoken response; `changes` are fields of Response."""
    fields: dict[str, Any] = {
        "id": "resp_1",
        "status": "completed",
        "output": (ANSWER,),
        "conversation_id": "conv_1",
        "output_modalities": ("audio",),
        "audio": ResponseAudio(output=ResponseAudioOutput(format=PcmFormat(), voice="marin")),
        "usage": Usage(total_tokens=205, input_tokens=41, output_tokens=164),
    }
    return Response(**{**fields, **changes})


FAILED: Final = StatusDetails(type="failed", error=StatusError(type="server_error", code="engine_timeout", message="x"))
CANCELLED: Final = StatusDetails(type="cancelled", reason="turn_detected")
TRANSCRIPTION_SESSION: Final = TranscriptionSession(
    id="sess_1", expires_at=0, audio=TranscriptionAudio(input=AudioInput())
)

SERVER_EVENTS: Final[tuple[s.ServerEvent, ...]] = (
    s.SessionCreated(event_id="e", session=a_session()),
    s.SessionCreated(event_id="e", session=TRANSCRIPTION_SESSION),
    s.SessionUpdated(event_id="e", session=a_session()),
    s.ErrorEvent(event_id="e", error=ErrorDetail(code="invalid_value", message="m", param="p", event_id="c")),
    s.ErrorEvent(event_id="e", error=ErrorDetail(message="m")),
    s.ConversationCreated(event_id="e", conversation=s.Conversation(id="conv_1")),
    s.ConversationItemCreated(event_id="e", previous_item_id=None, item=USER_TEXT),
    *(s.ConversationItemAdded(event_id="e", previous_item_id=None, item=item) for item in ITEMS),
    s.ConversationItemDone(event_id="e", previous_item_id="item_1", item=ANSWER),
    s.ConversationItemDeleted(event_id="e", item_id="item_1"),
    s.ConversationItemRetrieved(event_id="e", item=ITEMS[5]),
    s.ConversationItemTruncated(event_id="e", item_id="item_3", content_index=0, audio_end_ms=1500),
    s.ConversationItemInputAudioTranscriptionDelta(event_id="e", item_id="item_1", content_index=0, delta="h"),
    s.ConversationItemInputAudioTranscriptionCompleted(
        event_id="e", item_id="item_1", content_index=0, transcript="hi", usage=s.DurationUsage(seconds=1.2)
    ),
    s.ConversationItemInputAudioTranscriptionCompleted(
        event_id="e",
        item_id="item_1",
        content_index=0,
        transcript="hi",
        usage=s.TokensUsage(
            input_tokens=3,
            output_tokens=2,
            total_tokens=5,
            input_token_details=s.TranscriptTokenDetails(text_tokens=0, audio_tokens=3),
        ),
        logprobs=(s.LogProb(token="hi", logprob=-0.1, bytes=(104, 105)),),
        languages=(s.TranscriptLanguage(code="en"),),
    ),
    s.ConversationItemInputAudioTranscriptionFailed(
        event_id="e", item_id="item_1", content_index=0, error=s.TranscriptionError(message="no")
    ),
    s.ConversationItemInputAudioTranscriptionSegment(
        event_id="e", item_id="item_1", content_index=0, id="seg_1", text="hi", speaker="A", start=0.0, end=1.0
    ),
    s.InputAudioBufferCommitted(event_id="e", previous_item_id=None, item_id="item_1"),
    s.InputAudioBufferCleared(event_id="e"),
    s.InputAudioBufferSpeechStarted(event_id="e", audio_start_ms=0, item_id="item_1"),
    s.InputAudioBufferSpeechStopped(event_id="e", audio_end_ms=1200, item_id="item_1"),
    s.InputAudioBufferTimeoutTriggered(event_id="e", audio_start_ms=0, audio_end_ms=9, item_id="item_1"),
    s.InputAudioBufferDtmfEventReceived(event_id="e", event="#", received_at=1763696123),
    s.OutputAudioBufferStarted(event_id="e", response_id="resp_1"),
    s.OutputAudioBufferStopped(event_id="e", response_id="resp_1"),
    s.OutputAudioBufferCleared(event_id="e", response_id="resp_1"),
    s.ResponseCreated(event_id="e", response=a_response(status="in_progress", output=(), usage=None)),
    s.ResponseDone(event_id="e", response=a_response(metadata={"client_event_id": "c"}, output=ITEMS)),
    s.ResponseDone(event_id="e", response=a_response(status="failed", status_details=FAILED)),
    s.ResponseDone(event_id="e", response=a_response(status="cancelled", status_details=CANCELLED)),
    s.ResponseOutputItemAdded(event_id="e", response_id="resp_1", output_index=0, item=ITEMS[3]),
    s.ResponseOutputItemDone(event_id="e", response_id="resp_1", output_index=0, item=ANSWER),
    s.ResponseContentPartAdded(event_id="e", **PART, part=s.AudioPart(transcript="")),
    s.ResponseContentPartDone(event_id="e", **PART, part=s.TextPart(text="hello")),
    s.ResponseOutputTextDelta(event_id="e", **PART, delta="he"),
    s.ResponseOutputTextDone(event_id="e", **PART, text="hello"),
    s.ResponseOutputAudioDelta(event_id="e", **PART, delta=b"\0\1\2\3"),
    s.ResponseOutputAudioDone(event_id="e", **PART),
    s.ResponseOutputAudioTranscriptDelta(event_id="e", **PART, delta="he"),
    s.ResponseOutputAudioTranscriptDone(event_id="e", **PART, transcript="hello"),
    s.ResponseFunctionCallArgumentsDelta(event_id="e", **CALL, call_id="call_1", delta="{"),
    s.ResponseFunctionCallArgumentsDone(event_id="e", **CALL, call_id="call_1", name="weather", arguments="{}"),
    s.ResponseMcpCallArgumentsDelta(event_id="e", **CALL, delta="{"),
    s.ResponseMcpCallArgumentsDone(event_id="e", **CALL, arguments="{}"),
    s.ResponseMcpCallInProgress(event_id="e", item_id="item_10", output_index=0),
    s.ResponseMcpCallCompleted(event_id="e", item_id="item_10", output_index=0),
    s.ResponseMcpCallFailed(event_id="e", item_id="item_10", output_index=0),
    s.McpListToolsInProgress(event_id="e", item_id="item_9"),
    s.McpListToolsCompleted(event_id="e", item_id="item_9"),
    s.McpListToolsFailed(event_id="e", item_id="item_9"),
    s.RateLimitsUpdated(
        event_id="e", rate_limits=(s.RateLimit(name="tokens", limit=100, remaining=50, reset_seconds=1.5),)
    ),
)
