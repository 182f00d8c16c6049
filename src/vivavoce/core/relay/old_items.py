"""Items from before the link in use: its upstream knows their words only, so the mirror answers for them."""

from vivavoce.core.relay.links import Link
from vivavoce.core.relay.messages import event_id_of
from vivavoce.core.relay.mirror import MirrorItem, cut_words
from vivavoce.core.relay.replay import seed_bodies
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.vocabulary import Body, Json
from vivavoce.protocol.errors import (
    ClientError,
    audio_already_shorter,
    invalid_type,
    item_missing_on_delete,
    item_missing_on_retrieve,
    item_missing_on_truncate,
    missing_parameter,
    not_truncatable,
)

BYTES_PER_MS = 48  # of assistant audio, unless the session has G.711
_MISSING = {
    "conversation.item.truncate": item_missing_on_truncate,
    "conversation.item.retrieve": item_missing_on_retrieve,
    "conversation.item.delete": item_missing_on_delete,
}


def answer_for_old_item(state: RelayState, body: Body, link: Link) -> bool:
    """Answer a request about an item from before the link; False if the upstream can answer it.

    Raises:
        ClientError: the request cannot be carried out, as the API says it.
    """
    item = state.mirror.get(body.get("item_id"))
    if item is None or item.link == link.number:
        return False
    if item.is_hidden:
        raise _MISSING[body["type"]](item.id).with_event_id(event_id_of(body))
    match body["type"]:
        case "conversation.item.retrieve":
            state.tell({"type": "conversation.item.retrieved", "item": _shown(item)})
        case "conversation.item.delete":
            _delete(state, link, item)
            state.mirror.remove(item.id)
            state.tell({"type": "conversation.item.deleted", "item_id": item.id})
        case _:
            _truncate(state, link, item, body)
    return True


def _truncate(state: RelayState, link: Link, item: MirrorItem, body: Body) -> None:
    index, end_ms = body.get("content_index"), body.get("audio_end_ms")
    part = item.part(_number("content_index", index))
    end_ms = _number("audio_end_ms", end_ms)
    if item.role != "assistant" or part is None or part.get("type") not in ("output_audio", "audio"):
        raise not_truncatable("only model output audio messages can be truncated")
    audio_ms = round(item.audio_bytes / output_bytes_per_ms(link.session))
    if end_ms > audio_ms:
        raise audio_already_shorter(audio_ms, end_ms)
    cut(item, index, end_ms, audio_ms)
    _replace(state, link, item)
    shown = {"item_id": item.id, "content_index": index, "audio_end_ms": end_ms}
    state.tell({"type": "conversation.item.truncated", **shown})


def cut(item: MirrorItem, index: Json, end_ms: int, audio_ms: float) -> None:
    """Leave of the words of an item what was heard, as far as that can be told from times alone."""
    part = item.part(index)
    if part is not None and isinstance(part.get("transcript"), str):
        part["transcript"] = cut_words(part["transcript"], end_ms / audio_ms if audio_ms else 0.0)
    item.is_cut = True
    item.version += 1


def output_bytes_per_ms(session: Body) -> float:
    """Return how many bytes of assistant audio make a millisecond."""
    audio = session.get("audio")
    output = audio.get("output") if isinstance(audio, dict) else None
    format_ = output.get("format") if isinstance(output, dict) else None
    return bytes_per_ms(format_)


def bytes_per_ms(format_: Json) -> float:
    """Return how many bytes of a wire format make a millisecond."""
    kind = format_.get("type") if isinstance(format_, dict) else format_
    return 8.0 if kind in ("audio/pcmu", "audio/pcma", "g711_ulaw", "g711_alaw") else 48.0


def _replace(state: RelayState, link: Link, item: MirrorItem) -> None:
    """Let the upstream know the shorter words: it has them as text, which cannot be truncated."""
    if item.id not in link.seeded:
        return
    _delete(state, link, item)
    for body in seed_bodies(item):
        place = {"previous_item_id": state.mirror.before(item.id) or "root"}
        state.ask(link, {"type": "conversation.item.create", **place, "item": body}, item.id)
        link.seeded[item.id] = item.version


def _delete(state: RelayState, link: Link, item: MirrorItem) -> None:
    if link.seeded.pop(item.id, None) is not None:
        state.ask(link, {"type": "conversation.item.delete", "item_id": item.id}, f"-{item.id}")


def _shown(item: MirrorItem) -> Body:
    return item.body


def _number(param: str, value: Json) -> int:
    if value is None:
        raise missing_parameter(param)
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid_type(param, "an integer", "something else")
    if value < 0:
        raise ClientError("integer_below_min_value", f"Invalid '{param}': expected a value >= 0, got {value}.", param)
    return value
