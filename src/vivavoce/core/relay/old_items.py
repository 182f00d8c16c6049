"""Items from before the link in use: its upstream knows their words only, so the mirror answers for them."""

from typing import Final

from vivavoce.core.relay.links import Link
from vivavoce.core.relay.messages import event_id_of
from vivavoce.core.relay.mirror import MirrorItem, cut_words
from vivavoce.core.relay.places import present_before
from vivavoce.core.relay.replay import seed_bodies
from vivavoce.core.relay.seeding import create, delete
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
from vivavoce.protocol.rejections import type_name

ITEM_REQUESTS: Final = {
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
    if item is None or (item.link == link.number and not item.is_hidden):
        return False
    if item.is_hidden:
        raise ITEM_REQUESTS[body["type"]](item.id).with_event_id(event_id_of(body))
    match body["type"]:
        case "conversation.item.retrieve":
            state.tell({"type": "conversation.item.retrieved", "item": item.body})
        case "conversation.item.delete":
            delete(state, link, item.id)
            state.mirror.remove(item.id)
            state.tell({"type": "conversation.item.deleted", "item_id": item.id})
        case _:
            _truncate(state, link, item, body)
    return True


def _truncate(state: RelayState, link: Link, item: MirrorItem, body: Body) -> None:
    index, end_ms = _number("content_index", body), _number("audio_end_ms", body)
    part = item.part(index)
    if item.role != "assistant" or part is None or part.get("type") not in ("output_audio", "audio"):
        raise not_truncatable("only model output audio messages can be truncated")
    audio_ms = round(item.audio_bytes / output_bytes_per_ms(link.session))
    if end_ms > audio_ms:
        raise audio_already_shorter(audio_ms, end_ms)
    cut(item, index, end_ms, audio_ms)
    item.audio_bytes = round(end_ms * output_bytes_per_ms(link.session))
    if item.id in link.told.seeded:  # as words, which cannot be truncated
        delete(state, link, item.id)
        previous_id = present_before(state, link, state.mirror.index(item.id) or 0)
        for seeded in seed_bodies(item):
            create(state, link, seeded, previous_id)
            link.told.seeded[item.id] = item.version
    shown = {"item_id": item.id, "content_index": index, "audio_end_ms": end_ms}
    state.tell({"type": "conversation.item.truncated", **shown})


def cut(item: MirrorItem, index: Json, end_ms: float, audio_ms: float) -> None:
    """Leave of the words of an item what was heard, as far as that can be told from times alone."""
    part = item.part(index)
    if part is not None and isinstance(part.get("transcript"), str):
        part["transcript"] = cut_words(part["transcript"], end_ms / audio_ms if audio_ms else 0.0)
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


def _number(param: str, body: Body) -> int:
    value = body.get(param)
    if value is None:
        raise missing_parameter(param)
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid_type(param, "an integer", type_name(value))
    if value < 0:
        raise ClientError("integer_below_min_value", f"Invalid '{param}': expected a value >= 0, got {value}.", param)
    return value
