"""A session of a scripted upstream: client events in, server events out, no clock and no task."""

import base64
import copy
from collections.abc import Callable
from typing import Any

import msgspec

from vivavoce.testing.upstream_answering import Answer, Emit
from vivavoce.testing.upstream_hearing import Hearing
from vivavoce.testing.upstream_items import BYTES_PER_MS, Items, Refused
from vivavoce.testing.upstream_objects import error_event, merged, new_response, new_session
from vivavoce.testing.upstream_replies import Json, Script

_Handler = Callable[[Any], None]  # of a client event (JSON boundary)


class ResponseRecord(msgspec.Struct, frozen=True):
    """A response as it began. `context` is what the model saw, `instructions` what it was told."""

    response_id: str
    is_automatic: bool
    request: Json
    context: list[Json]
    instructions: str


class UpstreamSession:
    """One conversation. `number` is its connection's; ids carry it, so that nobody mistakes them for others."""

    def __init__(self, number: int, script: Script, emit: Emit, *, model: str, kind: str = "realtime") -> None:
        self.config = merged(new_session(number, model, kind), script.session)
        self.conversation = Items()
        self.hearing = Hearing()
        self.responses: list[ResponseRecord] = []
        self._number = number
        self._script = script
        self._emit = emit
        self._made = 0
        self._speech_item: str | None = None
        self._untranscribed: list[str] = []
        self._answers: list[Answer] = []  # that are not done

    @property
    def items(self) -> list[Json]:
        """The conversation as the model sees it."""
        return self.conversation.all

    @property
    def active(self) -> Answer | None:
        """The response of the conversation that is not done."""
        return next((answer for answer in self._answers if answer.is_in_conversation), None)

    def start(self) -> None:
        """Tell that the session is there."""
        self._emit({"type": "session.created", "session": copy.deepcopy(self.config)})

    def receive(self, event: Json) -> None:
        """Act on a client event."""
        handlers = self._handlers()
        kind, event_id = event.get("type"), event.get("event_id")
        handler = handlers.get(kind) if isinstance(kind, str) else None
        try:
            if handler is None:
                supported = ", ".join(f"'{name}'" for name in handlers)
                raise Refused("invalid_value", f"Invalid value: '{kind}'. Supported values are: {supported}", "type")
            handler(event)
        except Refused as refused:
            refused.answer["error"]["event_id"] = event_id
            self._emit(refused.answer)
        except (KeyError, TypeError, ValueError) as error:
            self._emit(error_event("invalid_event", f"{kind} cannot be read: {error!r}", None, event_id))

    def release(self) -> None:
        """Let the responses that are held go on."""
        for answer in tuple(self._answers):
            self._advance(answer)

    def release_transcripts(self) -> None:
        """Send the transcripts that were held."""
        for item_id in self._untranscribed:
            self._transcribe(item_id)
        self._untranscribed.clear()

    def _handlers(self) -> dict[str, _Handler]:
        return {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve,
            "conversation.item.truncate": self._truncate,
            "conversation.item.delete": self._delete,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    def _new_id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}_up{self._number}_{self._made}"

    # Session and items ------------------------------------------------------------------------------------------

    def _update(self, event: Json) -> None:
        update = event["session"]
        if "type" not in update:
            raise Refused("missing_required_parameter", "Missing required parameter: 'session.type'.", "session.type")
        if update["type"] != self.config["type"]:
            message = f"Passing a {update['type']} session update event to a {self.config['type']} session is not"
            raise Refused(None, f"{message} allowed.")
        self.config = merged(self.config, update)
        self._emit({"type": "session.updated", "session": copy.deepcopy(self.config)})

    def _create_item(self, event: Json) -> None:
        item = {**event["item"]}
        item.setdefault("id", self._new_id("item"))
        item.setdefault("status", "completed")
        self._check_item(item)
        content = item.get("content") or []
        sound = b"".join(base64.b64decode(part.pop("audio", "") or "") for part in content)
        for part in content:
            if part["type"] == "input_audio":
                part.setdefault("transcript", None)
        before = self.conversation.add(item, event.get("previous_item_id"), sound or None)
        self._announce(item["id"], before)

    def _check_item(self, item: Json) -> None:
        if item["type"] == "message" and item["role"] == "assistant":
            if any(part["type"] != "output_text" for part in item["content"]):
                raise Refused("invalid_value", "cannot populate assistant audio messages", "item.content[0].type")
        if item["type"] == "function_call_output":
            calls = {known.get("call_id") for known in self.items if known["type"] == "function_call"}
            if item["call_id"] not in calls:
                raise Refused("invalid_value", f"No call with id '{item['call_id']}'.", "item.call_id")

    def _announce(self, item_id: str, before: str | None) -> None:
        for kind in ("added", "done"):
            item = self.conversation.get(item_id)
            self._emit({"type": f"conversation.item.{kind}", "previous_item_id": before, "item": item})

    def _retrieve(self, event: Json) -> None:
        item = self.conversation.get(event["item_id"])
        sound = self.conversation.sound_of(event["item_id"])
        if sound is not None and item.get("content"):
            item["content"][0]["audio"] = base64.b64encode(sound).decode()
        self._emit({"type": "conversation.item.retrieved", "item": item})

    def _truncate(self, event: Json) -> None:
        self.conversation.truncate(event["item_id"], event["audio_end_ms"])
        fields = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
        self._emit({"type": "conversation.item.truncated", **fields})

    def _delete(self, event: Json) -> None:
        self.conversation.delete(event["item_id"])
        self._emit({"type": "conversation.item.deleted", "item_id": event["item_id"]})

    # Hearing ----------------------------------------------------------------------------------------------------

    @property
    def _detection(self) -> Json | None:
        detection: Json | None = self.config["audio"]["input"]["turn_detection"]
        return detection

    def _append(self, event: Json) -> None:
        audio = base64.b64decode(event["audio"], validate=True)
        for heard in self.hearing.append(audio, self.config["audio"]["input"]):
            if heard.kind == "speech_started":
                self._start_speech(heard.at_ms)
            else:
                self._stop_speech(heard.at_ms)

    def _start_speech(self, at_ms: int) -> None:
        self._speech_item = self._new_id("item")
        fields = {"audio_start_ms": at_ms, "item_id": self._speech_item}
        self._emit({"type": "input_audio_buffer.speech_started", **fields})
        if self.active is not None and (self._detection or {}).get("interrupt_response"):
            self._end(self.active, "turn_detected")

    def _stop_speech(self, at_ms: int) -> None:
        fields = {"audio_end_ms": at_ms, "item_id": self._speech_item}
        self._emit({"type": "input_audio_buffer.speech_stopped", **fields})
        item_id = self._keep_utterance(self.hearing.take())
        if (self._detection or {}).get("create_response") and self.active is None:
            self._begin({}, is_automatic=True)
        self._want_transcript(item_id)

    def _commit(self, event: Json) -> None:
        self._want_transcript(self._keep_utterance(self.hearing.commit(self._detection is not None)))

    def _clear(self, event: Json) -> None:
        self.hearing.take()
        self._speech_item = None
        self._emit({"type": "input_audio_buffer.cleared"})

    def _keep_utterance(self, sound: bytes) -> str:
        item_id, self._speech_item = self._speech_item or self._new_id("item"), None
        before = self.conversation.last_id
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": item_id, "type": "message", "role": "user", "content": content, "status": "completed"}
        self._emit({"type": "input_audio_buffer.committed", "previous_item_id": before, "item_id": item_id})
        self.conversation.add(item, None, sound)
        self._announce(item_id, before)
        return item_id

    def _want_transcript(self, item_id: str) -> None:
        if self.config["audio"]["input"]["transcription"] is None:
            return
        if self._script.holds_transcripts:
            self._untranscribed.append(item_id)
        else:
            self._transcribe(item_id)

    def _transcribe(self, item_id: str) -> None:
        text, sound = self._script.next_transcript(), self.conversation.sound_of(item_id) or b""
        item = self.conversation.get(item_id)
        item["content"][0]["transcript"] = text
        self.conversation.change(item)
        head = {"item_id": item_id, "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        self._emit({"type": f"{kind}.delta", **head, "delta": text})
        usage = {"type": "duration", "seconds": len(sound) / BYTES_PER_MS / 1000}
        self._emit({"type": f"{kind}.completed", **head, "transcript": text, "usage": usage})

    # Responses --------------------------------------------------------------------------------------------------

    def _respond(self, event: Json) -> None:
        self._begin(event.get("response") or {}, is_automatic=False)

    def _begin(self, request: Json, *, is_automatic: bool) -> None:
        is_outside = request.get("conversation") == "none"
        if not is_outside and self.active is not None:
            message = f"Conversation already has an active response in progress: {self.active.response['id']}."
            raise Refused("conversation_already_has_active_response", message)
        response = new_response(self._new_id("resp"), self.config, request, f"conv_up{self._number}")
        context = self.items if request.get("input") is None else copy.deepcopy(request["input"])
        instructions = request.get("instructions") or self.config["instructions"]
        record = ResponseRecord(response["id"], is_automatic, request, context, instructions)
        self.responses.append(record)
        answer = Answer(response, self._script.next_reply(request), context, self._emit, self._new_id)
        if not is_outside:
            answer.write_to(self.conversation)
        self._answers.append(answer)
        self._advance(answer)

    def _advance(self, answer: Answer) -> None:
        answer.advance()
        if answer.is_done:
            self._answers.remove(answer)

    def _cancel(self, event: Json) -> None:
        wanted = event.get("response_id")
        answer = next((one for one in self._answers if one.response["id"] == wanted), None) if wanted else self.active
        if answer is None:
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found")
        self._end(answer, "client_cancelled")

    def _end(self, answer: Answer, reason: str) -> None:
        answer.cancel(reason)
        self._answers.remove(answer)
