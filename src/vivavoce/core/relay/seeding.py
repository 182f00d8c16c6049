"""What a fresh link is told before it is used: the session, the conversation, and what changed in the meantime."""

from collections.abc import Iterator
from typing import Final

from vivavoce.core.relay.links import Link
from vivavoce.core.relay.places import is_present
from vivavoce.core.relay.replay import out_id, replayable, seed_items
from vivavoce.core.relay.showing import with_functions
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.vocabulary import Body, Json

MAX_ID_LENGTH: Final = 32  # of an item, on the hosted API
_SIDES: Final = ("input", "output")


def seed(state: RelayState, link: Link) -> None:
    """Tell a link the session and the conversation. Transcription sessions have no conversation."""
    configure(state, link)
    if state.setting.kind != "realtime":
        return
    items, link.told.left_out = seed_items(state.mirror)
    for item, bodies in items:
        link.told.seeded[item.id] = item.version
        for body in bodies:
            create(state, link, body)


def catch_up(state: RelayState, link: Link) -> None:
    """Tell a link what has changed since it was told the conversation."""
    if link.told.configuration_version != state.client.configuration_version:
        configure(state, link)
    if state.setting.kind != "realtime":
        return
    told = link.told
    present = {item.id for item in state.mirror} | {out_id(item.id) for item in state.mirror}
    changed = {item.id for item in state.mirror if told.seeded.get(item.id) not in (None, item.version)}
    for item_id in [id_ for id_ in told.seeded if id_ in changed or id_ not in present]:
        delete(state, link, item_id)
    previous_id = "root"
    replayed = {item.id: bodies for item, bodies in replayable(state.mirror)}
    for item in state.mirror:
        if item.link != link.number and item.id not in told.seeded and item.id not in told.left_out:
            for body in replayed.get(item.id, ()):
                create(state, link, body, previous_id)
                previous_id = str(body["id"])
                told.seeded[item.id] = item.version
        if is_present(link, item):
            previous_id = item.id


# Requests of ours -----------------------------------------------------------------------------------------------


def configure(state: RelayState, link: Link) -> None:
    """Tell a link all that the client has set."""
    link.told.configuration_version = state.client.configuration_version
    session = with_functions(state, state.client.configuration, is_whole=True)
    if session:
        _update(state, link, session, "")


def refuse_field(state: RelayState, link: Link, event_id: str) -> str | None:
    """An update of ours was refused: each field is told by itself then, so that the others are kept.

    Returns:
        The field that the upstream does not take; None where more is to be tried.
    """
    field = link.told.fields.pop(event_id)
    if field:
        link.told.refused.append(field)
        return field
    session = with_functions(state, state.client.configuration, is_whole=True)
    for name, part in _fields(session):
        _update(state, link, part, name)
    return None


def create(state: RelayState, link: Link, body: Body, previous_id: str | None = None) -> None:
    """Have a link take an item; `previous_id` is the client's, or "root"."""
    item_id = str(body["id"])
    if len(item_id) > MAX_ID_LENGTH and item_id not in link.names.real:
        link.names.add(state.ids.make("item"), item_id)
    place = {} if previous_id is None else {"previous_item_id": link.real_id(previous_id)}
    link.told.seeded.setdefault(item_id, 0)
    link.told.expect_done(item_id)
    item = {**body, "id": link.real_id(item_id)}
    state.ask(link, {"type": "conversation.item.create", **place, "item": item}, item_id)


def delete(state: RelayState, link: Link, item_id: str) -> None:
    """Have a link forget an item that it was told, with the output that it may have been told of it."""
    for id_ in (item_id, out_id(item_id)):
        if link.told.seeded.pop(id_, None) is not None:
            state.ask(link, {"type": "conversation.item.delete", "item_id": link.real_id(id_)}, f"-{id_}")


def _update(state: RelayState, link: Link, session: Body, field: str) -> None:
    body = {"type": "session.update", "session": {"type": state.setting.kind, **session}}
    link.told.fields[state.ask(link, body, "session.updated")] = field


def _fields(session: Body) -> Iterator[tuple[str, Body]]:
    """Yield each field of a session with its path; those of `audio` one by one."""
    for name, value in session.items():
        if name != "audio" or not isinstance(value, dict):
            yield name, {name: value}
            continue
        for side in _SIDES:
            part: Json = value.get(side)
            for key, given in part.items() if isinstance(part, dict) else ():
                yield f"audio.{side}.{key}", {"audio": {side: {key: given}}}
