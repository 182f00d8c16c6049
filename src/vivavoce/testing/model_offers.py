"""Which steps may be taken in a state: the bounded ones that are left, and all that engines and timers can do."""

from collections.abc import Iterator
from typing import Final

from vivavoce.core.vocabulary import DeadlineReason
from vivavoce.testing.model_steps import EVENTS, Step, unheard_s
from vivavoce.testing.model_world import World

# Events that are refused whenever a response is active (True) or none is (False); tried only where a family dares.
REFUSED_WHILE_BUSY: Final = {"create": True, "write": True, "limit": True, "say": True, "cancel": False}


def offers(world: World, updates: int) -> Iterator[Step]:
    """Yield every step that may be taken. `updates` is how many different `session.update` there are."""
    if world.is_over:
        return
    left = world.left
    if world.is_closing:
        yield ("disconnect",)
        return
    is_busy = world.responses.active_id() is not None
    for name in EVENTS:
        if left.get(name) and (left.get("dare") or REFUSED_WHILE_BUSY.get(name) is not is_busy):
            yield (name,)
    if left.get("update"):
        for index in range(updates):
            yield ("update", index)
    yield from _item_offers(world)
    yield from _engine_offers(world)
    yield from _transcriber_offers(world)
    yield from _voice_offers(world)
    yield from _remote_offers(world)
    yield from _hearing_offers(world)
    yield from _time_offers(world)
    for name in ("drain", "kill", "disconnect"):
        if left.get(name):
            yield (name,)


def _item_offers(world: World) -> Iterator[Step]:
    left, known = world.left, world.known
    if left.get("cancel_id"):
        for index in range(len(world.responses.running)):
            yield ("cancel_id", index)
    if left.get("truncate") and known.spoken_id is not None:
        for share in (0, 1, 2):
            yield ("truncate", share)
    if left.get("output") and known.call_id is not None:
        yield ("output",)
    if left.get("approve") and known.approval_id is not None:
        yield ("approve", 1)
        yield ("approve", 0)
    if left.get("delete"):
        for index in range(len(world.turns.items)):
            yield ("delete", index)
    if left.get("late") and world.peers.dead:
        yield ("late",)


def _engine_offers(world: World) -> Iterator[Step]:
    left, peers = world.left, world.peers
    may_fail = bool(left.get("fault"))
    for index in range(len(peers.generators)):
        if left.get("text"):
            yield ("text", index, 0)
            if left.get("draft"):
                yield ("text", index, 1)
        if left.get("call"):
            yield ("call", index)
        if left.get("search"):
            yield ("search", index)
        yield ("finish", index)
        if left.get("overlong"):
            yield ("overlong", index)
        if may_fail:
            yield ("fail", index)


def _transcriber_offers(world: World) -> Iterator[Step]:
    left = world.left
    may_fail = bool(left.get("fault"))
    for index, is_ended in enumerate(world.peers.transcribers.values()):
        if left.get("revise"):
            yield ("revise", index)
        if is_ended:
            yield ("final", index)
            if left.get("empty"):
                yield ("empty", index)
        if may_fail:
            yield ("mishear", index)


def _remote_offers(world: World) -> Iterator[Step]:
    may_fail = bool(world.left.get("fault"))
    for name, asked in (("list", world.peers.listings), ("return", world.peers.calls)):
        for index in range(len(asked)):
            yield (name, index, 1)
            if may_fail:
                yield (name, index, 0)


def _voice_offers(world: World) -> Iterator[Step]:
    left, peers = world.left, world.peers
    for index in range(len(peers.voices)):
        if left.get("chunk"):
            yield ("chunk", index)
        yield ("spoken", index)
        if left.get("fault"):
            yield ("mute", index)


def _hearing_offers(world: World) -> Iterator[Step]:
    left = world.left
    if world.turns.detection is None:
        return
    if left.get("hear"):
        yield ("hear", 1)
        yield ("hear", 0)
    if left.get("score") and world.peers.detector.has_window:
        yield ("score", 1)
        yield ("score", 0)
    if left.get("leap"):
        yield ("leap",)
    if left.get("deafen"):
        yield ("deafen",)
    for index in range(len(world.peers.scorers)):
        yield ("judge", index, 1)
        yield ("judge", index, 0)


def _time_offers(world: World) -> Iterator[Step]:
    deadline = world.session.next_deadline()
    if deadline is not None and (deadline.reason is not DeadlineReason.SESSION_EXPIRY or world.left.get("expire")):
        yield ("tick",)
    if unheard_s(world) > 0:
        yield ("hush",)
        if world.left.get("pause"):
            yield ("pause",)
