"""Who has the floor in a conversation, as a client can tell from the events."""

from collections.abc import Mapping
from typing import Any, Final

ANSWER_WAIT_S: Final = 2.0  # an answer that has not begun by then will not: the server heard no words
TRANSCRIPT_WAIT_S: Final = 10.0

Event = Mapping[str, Any]  # JSON boundary: a server event


class Floor:
    """Follows turns and responses. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self.is_speaking = False  # the server hears the user speak
        self._answer_due: float | None = None  # a turn ended; its answer begins before this or never
        self._live: set[str] = set()
        self._untranscribed: dict[str, float] = {}  # item -> when to stop waiting

    def receive(self, event: Event, now: float) -> None:
        """Take in a server event."""
        match event["type"]:
            case "input_audio_buffer.speech_started":
                self.is_speaking = True
            case "input_audio_buffer.committed":
                self.is_speaking = False
                self._answer_due = now + ANSWER_WAIT_S
                self._untranscribed[event["item_id"]] = now + TRANSCRIPT_WAIT_S
            case "response.created":
                self._answer_due = None
                self._live.add(event["response"]["id"])
            case "response.done":
                self._live.discard(event["response"]["id"])
            case (
                "conversation.item.input_audio_transcription.completed"
                | "conversation.item.input_audio_transcription.failed"
            ):
                self._untranscribed.pop(event["item_id"], None)
            case _:
                pass

    def is_answering(self, now: float) -> bool:
        """Whether the assistant has the floor or is about to take it."""
        return bool(self._live) or (self._answer_due is not None and now < self._answer_due)

    def is_idle(self, now: float) -> bool:
        """Whether nothing more will come unless somebody speaks."""
        waits_for_text = any(now < until for until in self._untranscribed.values())
        return not self.is_speaking and not self.is_answering(now) and not waits_for_text
