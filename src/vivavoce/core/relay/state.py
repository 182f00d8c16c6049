"""All that a relayed session knows, and how it speaks."""

from typing import Final

import msgspec

from vivavoce.core.lifecycle import Lifecycle
from vivavoce.core.relay.journal import Journal
from vivavoce.core.relay.links import Link, Links
from vivavoce.core.relay.messages import encode
from vivavoce.core.relay.mirror import Mirror
from vivavoce.core.relay.responses import Responses
from vivavoce.core.relay.setting import RelaySetting
from vivavoce.core.relay.tools import ServerCalls
from vivavoce.core.relay.vocabulary import Body, ClientMessage, Json, PassOn, RelayOutput, SendUpstream
from vivavoce.core.spending import Spending
from vivavoce.core.vocabulary import ClientRejected
from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.ids import IdSource

# Events that tell the client that something is kept.
FINAL_EVENTS: Final = frozenset(
    {
        "conversation.item.deleted",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.input_audio_transcription.failed",
        "conversation.item.truncated",
        "input_audio_buffer.committed",
        "response.done",
        "response.output_item.done",
    }
)


class RelaySpan(msgspec.Struct):
    """Where the session is in its life: monotonic seconds, and unix seconds for the client."""

    lifecycle: Lifecycle = Lifecycle.CREATED
    ends_at: float | None = None
    expires_at: int = 0
    is_impatient: bool = False  # the link in use is to be left as soon as nobody speaks


class Utterance(msgspec.Struct):
    """What the user is saying. Times are on the client's clock."""

    item_id: str | None = None  # as the client knows it
    start_ms: float = 0.0
    end_ms: float | None = None  # the detector has heard the end
    is_stopped: bool = False  # the client was told of the end
    again_until: float | None = None  # its audio goes over a fresh link, whose detector is to hear it by then
    owes_answer: bool = False  # the last one was committed, and its automatic response has not begun


class Committed(msgspec.Struct):
    """Audio that was committed and has not been added to the conversation yet."""

    item_id: str
    audio: list[bytes]


class ClientView(msgspec.Struct):
    """What the client was told, what it asked for, and what it must not see."""

    configuration: Body  # all its updates in one, as a fresh upstream is given it
    is_greeted: bool = False
    target: int = 0  # that answers
    configuration_version: int = 0
    updates: list[Body] = []  # without an answer yet
    shows_cost: bool = False
    held: list[ClientMessage | ClientRejected] = []  # until there is a link
    hidden: set[str] = set()  # items of which it knows nothing, and their calls
    committed: Committed | None = None
    untranscribed: dict[str, None] = {}  # items whose words are to come
    writing: str | None = None  # the committed item whose events come in one piece
    deferred: list[PassOn] = []  # until they have come


class RelayState:
    """The state of one relayed session."""

    __slots__ = (
        "calls",
        "client",
        "ids",
        "journal",
        "links",
        "mirror",
        "out",
        "responses",
        "setting",
        "span",
        "spending",
        "utterance",
    )

    def __init__(self, setting: RelaySetting, ids: IdSource, spending: Spending) -> None:
        self.setting = setting
        self.ids = ids
        self.spending = spending
        self.span = RelaySpan()
        self.links = Links(len(setting.targets), setting.retry_s, setting.jitter)
        self.mirror = Mirror()
        self.journal = Journal()
        self.responses = Responses()
        self.calls = ServerCalls(setting.functions)
        self.utterance = Utterance()
        self.client = ClientView(configuration=dict(setting.configuration))
        self.out: list[RelayOutput] = []

    def tell(self, body: Body) -> None:
        """Send the client an event of ours; it gets an event id."""
        event = {"type": body["type"], "event_id": self.ids.make("event"), **body}
        told = PassOn(encode(event), event["type"] in FINAL_EVENTS)
        if self.client.writing is None:
            self.out.append(told)
        else:
            self.client.deferred.append(told)

    def end_writing(self) -> None:
        """A committed item is written: tell what had to wait for it."""
        self.client.writing = None
        if self.client.deferred:
            self.out.extend(self.client.deferred)
            self.client.deferred = []

    def report(self, detail: ErrorDetail) -> None:
        """Send the client an `error` event."""
        self.tell({"type": "error", "error": msgspec.to_builtins(detail)})

    def fault(self, code: str, message: str) -> None:
        """Tell the client of a fault that is not its own."""
        self.report(ErrorDetail(type="server_error", code=code, message=message))

    def ask(self, link: Link, body: Body, answer: str) -> str:
        """Send an upstream an event of ours; `answer` names what settles it: an item's id, or the event's type.

        The client sees neither the answer nor an error.

        Returns:
            The id of the event.
        """
        event_id = self.ids.make("event")
        link.told.asked[event_id] = answer
        self.out.append(SendUpstream(link.number, encode({**body, "event_id": event_id})))
        return event_id

    def is_hidden(self, item_id: Json) -> bool:
        """Tell whether the client knows nothing of an item."""
        return isinstance(item_id, str) and item_id in self.client.hidden
