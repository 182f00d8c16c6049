"""The five example sessions of the protocol notes as event logs, put together by code."""

import base64
from typing import Any

from vivavoce.testing.conformance import LogEntry

Json = dict[str, Any]  # JSON boundary: events as decoded
REPLY = ["Hello ", "there, ", "this is ", "the reply."]
SESSION = {
    "id": "sess_1",
    "type": "realtime",
    "audio": {"input": {"turn_detection": {"type": "server_vad"}}, "output": {}},
}
USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
PCM = base64.b64encode(b"\x01\x00" * 240).decode()


class Trace:
    """A log under construction; server events get unique ids, items their place in the conversation."""

    def __init__(self) -> None:
        self.log: list[LogEntry] = []
        self.last_item: str | None = None
        self.before: dict[str, str | None] = {}  # what the items of responses stand behind
        self._count = 0
        self.receive("session.created", session=SESSION)

    def send(self, type: str, **fields: Any) -> None:
        self.log.append((">", {"type": type, **fields}))

    def receive(self, type: str, **fields: Any) -> None:
        self._count += 1
        self.log.append(("<", {"type": type, "event_id": f"event_{self._count}", **fields}))

    def item(self, item: Json) -> None:
        """An item enters the conversation complete."""
        for verb in ("added", "done"):
            self.receive(f"conversation.item.{verb}", previous_item_id=self.last_item, item=item)
        self.last_item = item["id"]

    def refuse(self, code: str, event_id: str, param: str | None = None) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": "…", "param": param, "event_id": event_id}
        self.receive("error", error=error)

    def text_input(self, item_id: str, text: str = "hi", **fields: Any) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        self.send("conversation.item.create", item=item, **fields)
        self.item({**item, "id": item_id, "status": "completed"})

    def detected_turn(self, item_id: str) -> None:
        self.receive("input_audio_buffer.speech_started", audio_start_ms=0, item_id=item_id)
        self.send("input_audio_buffer.append", audio=PCM)
        self.receive("input_audio_buffer.speech_stopped", audio_end_ms=1200, item_id=item_id)
        self.commit(item_id)

    def commit(self, item_id: str) -> None:
        self.receive("input_audio_buffer.committed", previous_item_id=self.last_item, item_id=item_id)
        content = [{"type": "input_audio", "transcript": None}]
        self.item({"id": item_id, "type": "message", "role": "user", "content": content, "status": "completed"})

    def transcript(self, item_id: str, verb: str, **fields: Any) -> None:
        kind = f"conversation.item.input_audio_transcription.{verb}"
        self.receive(kind, item_id=item_id, content_index=0, **fields)

    def response_event(self, type: str, item_id: str, response_id: str, **fields: Any) -> None:
        self.receive(f"response.{type}", response_id=response_id, output_index=0, item_id=item_id, **fields)

    def open_response(self, response_id: str, item: Json, conversation_id: str | None = "conv_1") -> None:
        response: Json = {"id": response_id, "status": "in_progress", "status_details": None, "output": []}
        response |= {"conversation_id": conversation_id, "metadata": None, "usage": None}
        self.receive("response.created", response=response)
        self.receive("response.output_item.added", response_id=response_id, output_index=0, item=item)
        if conversation_id is not None:
            self.receive("conversation.item.added", previous_item_id=self.last_item, item=item)
            self.before[item["id"]], self.last_item = self.last_item, item["id"]

    def close_response(
        self,
        response_id: str,
        item: Json,
        status: str = "completed",
        conversation_id: str | None = "conv_1",
        reason: str = "client_cancelled",
    ) -> None:
        if conversation_id is not None:
            self.receive("conversation.item.done", previous_item_id=self.before[item["id"]], item=item)
        self.receive("response.output_item.done", response_id=response_id, output_index=0, item=item)
        details = {"type": "cancelled", "reason": reason} if status == "cancelled" else None
        response: Json = {"id": response_id, "status": status, "status_details": details, "output": [item]}
        response |= {"conversation_id": conversation_id, "metadata": None, "usage": USAGE}
        self.receive("response.done", response=response)

    def text_response(self, response_id: str, item_id: str, conversation_id: str | None = "conv_1") -> None:
        message = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        place: Json = {"item_id": item_id, "response_id": response_id, "content_index": 0}
        text = "".join(REPLY)
        self.open_response(response_id, message, conversation_id)
        self.response_event("content_part.added", part={"type": "text", "text": ""}, **place)
        for delta in REPLY:
            self.response_event("output_text.delta", delta=delta, **place)
        self.response_event("output_text.done", text=text, **place)
        self.response_event("content_part.done", part={"type": "text", "text": text}, **place)
        content = [{"type": "output_text", "text": text}]
        self.close_response(
            response_id, {**message, "status": "completed", "content": content}, conversation_id=conversation_id
        )

    def open_audio_response(self, response_id: str, item_id: str) -> None:
        message = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        self.open_response(response_id, message)
        part = {"type": "audio", "transcript": ""}
        self.response_event("content_part.added", item_id, response_id, content_index=0, part=part)

    def speak(self, response_id: str, item_id: str, words: list[str]) -> None:
        for word in words:
            self.response_event("output_audio_transcript.delta", item_id, response_id, content_index=0, delta=word)
            self.response_event("output_audio.delta", item_id, response_id, content_index=0, delta=PCM)

    def close_audio_response(
        self,
        response_id: str,
        item_id: str,
        words: list[str],
        status: str = "completed",
        reason: str = "client_cancelled",
    ) -> None:
        place: Json = {"item_id": item_id, "response_id": response_id, "content_index": 0}
        text = "".join(words)
        self.response_event("output_audio.done", **place)
        self.response_event("output_audio_transcript.done", transcript=text, **place)
        self.response_event("content_part.done", part={"type": "audio", "transcript": text}, **place)
        item: Json = {"id": item_id, "type": "message", "role": "assistant"}
        item["status"] = "completed" if status == "completed" else "incomplete"
        item["content"] = [{"type": "output_audio", "transcript": text}]
        self.close_response(response_id, item, status, reason=reason)

    def call(self, response_id: str, item_id: str) -> None:
        call = {"id": item_id, "type": "function_call", "status": "in_progress", "name": "get_weather"}
        call |= {"call_id": "call_1", "arguments": ""}
        self.open_response(response_id, call)
        for delta in ('{"city', '":"Paris"}'):
            self.response_event("function_call_arguments.delta", item_id, response_id, call_id="call_1", delta=delta)
        arguments = '{"city":"Paris"}'
        fields: Json = {"call_id": "call_1", "name": "get_weather", "arguments": arguments}
        self.response_event("function_call_arguments.done", item_id, response_id, **fields)
        self.close_response(response_id, {**call, "status": "completed", "arguments": arguments})


def text_turn() -> Trace:
    trace = Trace()
    trace.send("session.update", session={"type": "realtime", "output_modalities": ["text"]})
    trace.receive("session.updated", session={**SESSION, "output_modalities": ["text"]})
    trace.text_input("item_1", event_id="c1")
    trace.send("response.create", event_id="c2")
    trace.text_response("resp_1", "item_2")
    return trace


def spoken_turn() -> Trace:
    trace = Trace()
    trace.detected_turn("item_1")
    trace.open_audio_response("resp_1", "item_2")
    trace.speak("resp_1", "item_2", REPLY[:2])
    trace.transcript("item_1", "delta", delta="hello")
    trace.transcript("item_1", "completed", transcript="hello", usage={"type": "duration", "seconds": 1.2})
    trace.speak("resp_1", "item_2", REPLY[2:])
    trace.close_audio_response("resp_1", "item_2", REPLY)
    return trace


def function_call() -> Trace:
    trace = Trace()
    trace.text_input("item_1", "use the tool")
    trace.send("response.create")
    trace.call("resp_1", "item_2")
    output = {"type": "function_call_output", "call_id": "call_1", "output": "{}"}
    trace.send("conversation.item.create", item=output)
    trace.item({**output, "id": "item_3", "status": "completed"})
    trace.send("response.create")
    trace.text_response("resp_2", "item_4")
    return trace


def cancelled_and_truncated() -> Trace:
    trace = Trace()
    trace.text_input("item_1")
    trace.send("response.create")
    trace.open_audio_response("resp_1", "item_2")
    trace.speak("resp_1", "item_2", REPLY[:2])
    trace.send("response.cancel")
    trace.close_audio_response("resp_1", "item_2", REPLY[:2], "cancelled")
    cut = {"item_id": "item_2", "content_index": 0, "audio_end_ms": 5}
    trace.send("conversation.item.truncate", **cut)
    trace.receive("conversation.item.truncated", **cut)
    return trace


def errors() -> Trace:
    trace = Trace()
    trace.send("input_audio_buffer.commit", event_id="c1")
    trace.refuse("input_audio_buffer_commit_empty", "c1")
    trace.send("response.cancel", event_id="c2")
    trace.refuse("response_cancel_not_active", "c2")
    trace.send("nonsense.event", event_id="c3")
    trace.refuse("invalid_value", "c3", "type")
    trace.send("conversation.item.create", event_id="c4", previous_item_id="item_x", item={"type": "message"})
    trace.refuse("item_create_invalid_previous_item_id", "c4", "previous_item_id")
    return trace
