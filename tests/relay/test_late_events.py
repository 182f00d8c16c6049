"""Events that come late on a fresh link, by the core alone."""

from typing import Any

from vivavoce.core.relay.messages import encode, read_upstream
from vivavoce.core.relay.session import RelaySession
from vivavoce.core.relay.setting import RelaySetting
from vivavoce.core.relay.vocabulary import (
    ClientMessage,
    DialUpstream,
    PassOn,
    RelayOutput,
    SendUpstream,
    UpstreamClosed,
    UpstreamMessage,
    UpstreamOpened,
)
from vivavoce.core.spending import NoSpending
from vivavoce.core.vocabulary import Opened
from vivavoce.runtime.clock import RandomIds

SESSION: dict[str, Any] = {"type": "realtime", "id": "sess_up", "audio": {"input": {"turn_detection": None}}}
ITEM = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


class Driven:
    """A relayed session, and what it lets out."""

    def __init__(self) -> None:
        setting = RelaySetting(session_id="sess_1", targets=("upstream",))
        self.core = RelaySession(setting, RandomIds(), NoSpending())
        self.outputs: list[RelayOutput] = self.core.handle(Opened(1_800_000_000), 0.0)

    def open_link(self, number: int) -> None:
        """Have the link that is dialled greet us."""
        assert any(isinstance(one, DialUpstream) and one.link == number for one in self.outputs)
        self.outputs += self.core.handle(UpstreamOpened(number), 0.0)
        self.hear(number, {"type": "session.created", "session": SESSION})

    def hear(self, number: int, event: dict[str, Any]) -> None:
        """Have an upstream say something."""
        self.outputs += self.core.handle(UpstreamMessage(number, encode(event)), 0.0)

    def say(self, event: dict[str, Any]) -> None:
        """Have the client say something."""
        self.outputs += self.core.handle(ClientMessage(encode(event)), 0.0)

    def hear_item(self, number: int, kind: str) -> None:
        self.hear(number, {"type": f"conversation.item.{kind}", "previous_item_id": None, "item": ITEM})

    def lose(self, number: int) -> None:
        self.outputs += self.core.handle(UpstreamClosed(number, 1006), 0.0)

    @property
    def seen(self) -> list[str]:
        """The types of the events that the client got."""
        bodies = [read_upstream(one.message) for one in self.outputs if isinstance(one, PassOn)]
        return [body["type"] for body in bodies if body is not None]

    @property
    def told(self) -> list[tuple[int, str]]:
        """What upstreams were sent: the link and the type."""
        sent = [one for one in self.outputs if isinstance(one, SendUpstream)]
        return [(one.link, (read_upstream(one.message) or {})["type"]) for one in sent]


def with_one_item() -> Driven:
    """Return a session with one item whose second link has been told it, and has said that it is added."""
    driven = Driven()
    driven.open_link(1)
    driven.say({"type": "conversation.item.create", "item": ITEM})
    driven.hear_item(1, "added")
    driven.hear_item(1, "done")
    driven.lose(1)
    driven.open_link(2)
    driven.hear_item(2, "added")
    return driven


def test_the_answers_to_a_replay_are_not_shown() -> None:
    driven = with_one_item()

    driven.hear_item(2, "done")

    assert driven.seen == ["session.created", "conversation.item.added", "conversation.item.done"]
    assert driven.told == [(1, "conversation.item.create"), (2, "conversation.item.create")]


def test_the_late_done_of_an_item_that_was_deleted_meanwhile_is_not_shown() -> None:
    driven = with_one_item()
    driven.say({"type": "conversation.item.delete", "item_id": "item_1"})

    driven.hear_item(2, "done")

    assert driven.seen[-1] == "conversation.item.deleted"
