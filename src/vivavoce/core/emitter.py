"""Collects the outputs of one call into the session, and makes the ids they need."""

from vivavoce.core.vocabulary import Output, Send
from vivavoce.protocol.ids import IdSource
from vivavoce.protocol.server_events import ServerEvent


class Emitter:
    """The outputs caused so far, in order."""

    def __init__(self, ids: IdSource) -> None:
        self._ids = ids
        self._outputs: list[Output] = []

    def make_id(self, prefix: str) -> str:
        """Return a fresh id such as `item_...`."""
        return self._ids.make(prefix)

    def event_id(self) -> str:
        return self._ids.make("event")

    def put(self, output: Output) -> None:
        self._outputs.append(output)

    def send(self, event: ServerEvent) -> None:
        self._outputs.append(Send(event))

    def drain(self) -> list[Output]:
        """Return the outputs collected and start anew."""
        outputs, self._outputs = self._outputs, []
        return outputs
