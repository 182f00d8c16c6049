"""A response of a scripted upstream: the recorded order of its events, held and cancelled where a test wants."""

import base64
import copy
from collections.abc import Callable, Generator

from vivavoce.testing.upstream_hearing import speech
from vivavoce.testing.upstream_items import Items
from vivavoce.testing.upstream_objects import rate_limits, usage_of
from vivavoce.testing.upstream_replies import AUDIO_PER_DELTA_MS, Call, Json, Reply, Say

Emit = Callable[[Json], None]


class Output:
    """An item while it is made."""

    def __init__(self, index: int, item: Json, source: Say | Call, is_spoken: bool) -> None:
        self.index = index
        self.item = item
        self.source = source
        self.is_spoken = is_spoken
        self.text = ""
        self.sound = b""

    def deltas(self) -> list[str]:
        """The pieces in which it comes; joined they are the whole."""
        if isinstance(self.source, Say):
            words = self.source.text.split(" ")
            return [word if not index else f" {word}" for index, word in enumerate(words)]
        half = len(self.source.arguments) // 2
        return [piece for piece in (self.source.arguments[:half], self.source.arguments[half:]) if piece]


class Answer:
    """One response. `advance` sends what is due; `cancel` ends it in the middle."""

    def __init__(
        self, response: Json, reply: Reply, context: list[Json], emit: Emit, new_id: Callable[[str], str]
    ) -> None:
        """Make a response that has not begun.

        Args:
            response: its object, `in_progress`.
            context: the items that it sees.
            new_id: makes an id for `item` or `call`.
        """
        self.response = response
        self.context = context
        self.is_done = False
        self._reply = reply
        self._emit = emit
        self._new_id = new_id
        self._items: Items | None = None  # None: out of band
        self._outputs: list[Output] = []
        self._open: list[Output] = []
        self._steps = self._run()

    @property
    def is_in_conversation(self) -> bool:
        return self.response["conversation_id"] is not None

    def write_to(self, items: Items) -> None:
        """Have the response add its items to the conversation."""
        self._items = items

    def advance(self) -> None:
        """Go on to the end, or to where the reply is held."""
        next(self._steps, None)

    def cancel(self, reason: str) -> None:
        """End the response as cancelled, everything open as incomplete."""
        self._steps.close()
        for output in tuple(self._open):
            self._close(output, "incomplete")
        self._finish("cancelled", {"type": "cancelled", "reason": reason})

    def _run(self) -> Generator[None, None, None]:
        """The events of the whole response; yields where it is held."""
        if self._reply.is_withheld:
            yield
        self._emit({"type": "response.created", "response": copy.deepcopy(self.response)})
        sent = 0
        if self._reply.hold_after == 0:
            yield
        waiting = list(self._reply.outputs)
        while waiting:
            count = len(waiting) if self._reply.overlaps else 1
            opened = [self._open_output(source) for source in waiting[:count]]
            del waiting[:count]
            for output in opened:
                for delta in output.deltas():
                    self._send_delta(output, delta)
                    sent += 1
                    if sent == self._reply.hold_after:
                        yield
            for output in opened:
                self._close(output, "completed")
        failure = self._reply.failure
        self._finish(*(("completed", None) if failure is None else ("failed", {"type": "failed", "error": failure})))

    def _open_output(self, source: Say | Call) -> Output:
        output = Output(len(self._outputs), self._new_item(source), source, self._is_spoken)
        self._outputs.append(output)
        self._open.append(output)
        before = self._items.add(copy.deepcopy(output.item)) if self._items is not None else None
        self._say(output, "output_item.added", item=copy.deepcopy(output.item))
        if self._items is not None:
            item = copy.deepcopy(output.item)
            self._emit({"type": "conversation.item.added", "previous_item_id": before, "item": item})
        if isinstance(source, Say):
            part = {"type": "audio", "transcript": ""} if output.is_spoken else {"type": "text", "text": ""}
            self._tell(output, "content_part.added", content_index=0, part=part)
        return output

    def _new_item(self, source: Say | Call) -> Json:
        if isinstance(source, Call):
            kind = {"type": "function_call", "status": "in_progress", "name": source.name}
            return {"id": self._new_id("item"), **kind, "call_id": self._new_id("call"), "arguments": ""}
        item = {"id": self._new_id("item"), "type": "message", "status": "in_progress", "role": "assistant"}
        phase = {} if source.phase is None else {"phase": source.phase}
        return {**item, **phase, "content": []}

    @property
    def _is_spoken(self) -> bool:
        return bool(self.response["output_modalities"] == ["audio"])

    def _send_delta(self, output: Output, delta: str) -> None:
        output.text += delta
        if isinstance(output.source, Call):
            call_id = output.item["call_id"]
            self._tell(output, "function_call_arguments.delta", call_id=call_id, delta=delta)
            return
        if not output.is_spoken:
            self._tell(output, "output_text.delta", content_index=0, delta=delta)
            return
        sound = speech(AUDIO_PER_DELTA_MS)
        output.sound += sound
        self._tell(output, "output_audio_transcript.delta", content_index=0, delta=delta)
        self._tell(output, "output_audio.delta", content_index=0, delta=base64.b64encode(sound).decode())

    def _close(self, output: Output, status: str) -> None:
        self._open.remove(output)
        output.item["status"] = status
        if isinstance(output.source, Call):
            output.item["arguments"] = output.text
            call = {key: output.item[key] for key in ("call_id", "name", "arguments")}
            self._tell(output, "function_call_arguments.done", **call)
        else:
            self._close_part(output)
        if self._items is not None:
            self._items.change(copy.deepcopy(output.item), output.sound)
            before = self._items.before(output.item["id"])
            item = copy.deepcopy(output.item)
            self._emit({"type": "conversation.item.done", "previous_item_id": before, "item": item})
        self._say(output, "output_item.done", item=copy.deepcopy(output.item))

    def _close_part(self, output: Output) -> None:
        text = output.text
        if output.is_spoken:
            self._tell(output, "output_audio.done", content_index=0)
            self._tell(output, "output_audio_transcript.done", content_index=0, transcript=text)
            self._tell(output, "content_part.done", content_index=0, part={"type": "audio", "transcript": text})
            output.item["content"] = [{"type": "output_audio", "transcript": text}]
        else:
            self._tell(output, "output_text.done", content_index=0, text=text)
            self._tell(output, "content_part.done", content_index=0, part={"type": "text", "text": text})
            output.item["content"] = [{"type": "output_text", "text": text}]

    def _finish(self, status: str, details: Json | None) -> None:
        self.is_done = True
        words = sum(len(output.text.split()) for output in self._outputs)
        usage = usage_of(len(self.context), max(0, len(self.context) - 1), words, self._is_spoken)
        self.response |= {"status": status, "status_details": details, "usage": usage}
        self.response["output"] = [copy.deepcopy(output.item) for output in self._outputs]
        self._emit({"type": "response.done", "response": copy.deepcopy(self.response)})
        self._emit(rate_limits())

    def _tell(self, output: Output, kind: str, **fields: object) -> None:
        self._say(output, kind, item_id=output.item["id"], **fields)

    def _say(self, output: Output, kind: str, **fields: object) -> None:
        event = {"type": f"response.{kind}", "response_id": self.response["id"], "output_index": output.index}
        self._emit({**event, **fields})
