"""How things end that the upstream cannot end: each gets the events that it lacks, once."""

from typing import Final

from vivavoce.core.relay.messages import appended_audio
from vivavoce.core.relay.mirror import MirrorItem
from vivavoce.core.relay.responses import OpenItem, OpenResponse, content_ends, cut_body
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.vocabulary import Body

DISCONNECTED: Final = "upstream_disconnected"
LOST: Final = "The connection to the upstream was lost."
_FAILED: Final = {"type": "failed", "error": {"type": "server_error", "code": DISCONNECTED, "message": LOST}}
_CANCELLED: Final = {"type": "cancelled", "reason": "turn_detected"}  # of the API's two reasons one is the server's


def finish_items(state: RelayState) -> None:
    """What was committed is added to the conversation, what was added is done."""
    state.client.writing = None
    committed, state.client.committed = state.client.committed, None
    if committed is not None:
        content = [{"type": "input_audio", "transcript": None}]
        body = {"type": "message", "role": "user", "status": "completed", "content": content}
        item = MirrorItem(committed.item_id, {"id": committed.item_id, "object": "realtime.item", **body}, 0)
        _add(state, item)
        state.mirror.keep_audio(item, [audio for message in committed.audio if (audio := appended_audio(message))])
    for item in list(state.mirror):
        if item.is_open and not state.responses.owns(item.id):
            _finish(state, item, item.body)
    state.end_writing()


def end_responses(state: RelayState, now: float, *, is_cancelled: bool) -> None:
    """End every open response, as failed or as cancelled, and charge for it."""
    for response in list(state.responses.open.values()):
        ended_items = [(item, _end_item(state, response, item_id, item)) for item_id, item in response.items.items()]
        output = [body for item, body in ended_items if not item.is_hidden]
        details = _CANCELLED if is_cancelled else _FAILED
        ended = {"status": details["type"], "status_details": details, "output": output, "usage": None}
        state.tell({"type": "response.done", "response": {**response.body, **ended}})
        state.spending.charge(response.id, None, None, now)
        state.responses.end(response.id)


def give_up_transcripts(state: RelayState) -> None:
    """Words that the lost upstream was writing down are awaited no more."""
    error = {"type": "server_error", "code": DISCONNECTED, "message": LOST}
    name = "conversation.item.input_audio_transcription.failed"
    for item_id in state.client.untranscribed:
        state.tell({"type": name, "item_id": item_id, "content_index": 0, "error": error})
    state.client.untranscribed.clear()


def give_up_answer(state: RelayState) -> None:
    """The automatic response to the last turn will not come, and nobody asks for it but the client."""
    if state.utterance.owes_answer:
        state.utterance.owes_answer = False
        state.fault(DISCONNECTED, f"{LOST} The last turn was not answered; ask for a response.")


def _end_item(state: RelayState, response: OpenResponse, item_id: str, item: OpenItem) -> Body:
    """End an output item; return its last state."""
    if item.final is not None:
        return item.final
    mirrored = state.mirror.get(item_id)
    if item.is_hidden:  # a call that is not made
        if mirrored is not None:
            _finish(state, mirrored, cut_body(item))
        return item.body
    for event in content_ends(response, item_id, item):
        state.tell(event)
    if response.is_default and mirrored is None and not item.is_added:
        mirrored = MirrorItem(item_id, item.body, 0)
        _add(state, mirrored)
    body = cut_body(item) if mirrored is None or mirrored.is_open else mirrored.body
    if mirrored is not None and mirrored.is_open:
        _finish(state, mirrored, body)
    place = {"response_id": response.id, "output_index": item.output_index}
    state.tell({"type": "response.output_item.done", **place, "item": body})
    return body


def _add(state: RelayState, item: MirrorItem) -> None:
    previous_id = state.mirror.visible_before(len(state.mirror))
    item.is_open = True
    state.mirror.add(item)
    state.tell({"type": "conversation.item.added", "previous_item_id": previous_id, "item": item.body})


def _finish(state: RelayState, item: MirrorItem, body: Body) -> None:
    item.is_open = False
    if body.get("status") == "in_progress":
        body = {**body, "status": "incomplete"}
    state.mirror.change(item, body)
    index = state.mirror.index(item.id)
    previous_id = state.mirror.visible_before(index or 0)
    if not item.is_hidden:
        state.tell({"type": "conversation.item.done", "previous_item_id": previous_id, "item": body})
