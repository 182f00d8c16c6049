"""Where items stand: an upstream knows some that the client must not see, and not all that the client knows.

Items that a link was never told (nothing of them can be told again, or they are too old) stand for the client behind
those that they stood behind before. The mirror has all of them in order.
"""

from vivavoce.core.relay.links import Link
from vivavoce.core.relay.mirror import MirrorItem
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.vocabulary import Body, Json


def is_present(link: Link, item: MirrorItem) -> bool:
    """Tell whether the upstream of a link has an item."""
    return item.link == link.number or item.id in link.told.seeded


def add_item(state: RelayState, link: Link, item: MirrorItem, previous_id: Json, wanted: Json = None) -> None:
    """Put an item where the upstream says that it stands.

    Args:
        wanted: the predecessor that the client asked for, or "root". Where it did not, an upstream that names no
            predecessor may only be saying nothing: the item is last.
    """
    known = state.mirror.index(wanted)
    if wanted == "root" or known is not None:
        state.mirror.add(item, 0 if known is None else known + 1)
    elif previous_id is None:
        state.mirror.add(item)
    else:
        state.mirror.add(item, _index_behind(state, link, previous_id))


def shown_with_place(state: RelayState, link: Link, event: Body) -> Body:
    """Return an event with the predecessor that the client knows."""
    if "previous_item_id" not in event or (link.number == 1 and not state.client.hidden):
        return event
    item, previous_id = event.get("item"), event["previous_item_id"]
    index = state.mirror.index(item.get("id") if isinstance(item, dict) else None)
    if index is None:
        index = _index_behind(state, link, previous_id)
    shown = state.mirror.visible_before(index)
    return event if shown == previous_id else {**event, "previous_item_id": shown}


def asked_with_place(state: RelayState, link: Link, body: Body) -> Body:
    """Return a client's event with a predecessor that the upstream knows."""
    index = state.mirror.index(body.get("previous_item_id"))
    if index is None:
        return body
    present = present_before(state, link, index + 1)
    return body if present == body["previous_item_id"] else {**body, "previous_item_id": present}


def present_before(state: RelayState, link: Link, index: int) -> str:
    """Return the last item before an index that the upstream has, by the client's id; "root" if there is none."""
    while index > 0:
        index -= 1
        item = state.mirror.at(index)
        if is_present(link, item):
            return item.id
    return "root"


def _index_behind(state: RelayState, link: Link, previous_id: Json) -> int:
    mirror = state.mirror
    index = 0
    if previous_id is not None:
        known = mirror.index(previous_id)
        index = len(mirror) if known is None else known + 1
    while index < len(mirror) and not is_present(link, mirror.at(index)):
        index += 1
    return index
