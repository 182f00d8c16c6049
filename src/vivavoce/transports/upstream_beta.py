"""A link to an upstream that speaks only the beta, as one of today's API."""

import logging
from collections import deque
from typing import Final

from vivavoce.core.relay.vocabulary import UpstreamFault
from vivavoce.dialects.beta_messages import body_of
from vivavoce.dialects.beta_upstream import BetaUpstream, unsayable
from vivavoce.protocol.errors import ClientError
from vivavoce.runtime.upstreams import UpstreamLink, UpstreamListener
from vivavoce.transports.websocket import encode_error

_LOG: Final = logging.getLogger(__name__)


class BetaLink:
    """An `UpstreamLink` of today's API on one of the beta; also the listener of that one."""

    def __init__(self, listener: UpstreamListener) -> None:
        self._listener = listener
        self._dialect = BetaUpstream()
        self._link: UpstreamLink | None = None
        self._held: deque[bytes] = deque()  # while reading is paused
        self._is_paused = False
        self._unsaid: set[str] = set()  # fields that were told to the log

    def begin(self, link: UpstreamLink) -> None:
        """Send over this link."""
        self._link = link

    # UpstreamLink ---------------------------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        assert self._link is not None, "sent before the start"
        try:
            translated = self._dialect.client(message)
        except ClientError as error:
            self._deliver(encode_error(error.detail))
            return
        if translated is not message:
            self._note_unsayable(message)
        self._link.send(translated)

    def pause_reading(self) -> None:
        assert self._link is not None, "paused before the start"
        self._is_paused = True
        self._link.pause_reading()

    def resume_reading(self) -> None:
        assert self._link is not None, "resumed before the start"
        self._is_paused = False
        while self._held and not self._is_paused:
            self._listener.receive(self._held.popleft())
        if not self._is_paused:
            self._link.resume_reading()

    def close(self) -> None:
        assert self._link is not None, "closed before the start"
        self._held.clear()
        self._link.close()

    def abort(self) -> None:
        assert self._link is not None, "aborted before the start"
        self._held.clear()
        self._link.abort()

    # UpstreamListener -----------------------------------------------------------------------------------------

    def receive(self, message: bytes) -> None:
        for translated in self._dialect.server(message):
            self._deliver(translated)

    def link_failed(self, fault: UpstreamFault) -> None:
        self._listener.link_failed(fault)

    def block_writing(self) -> None:
        self._listener.block_writing()

    def unblock_writing(self) -> None:
        self._listener.unblock_writing()

    def link_closed(self, code: int, reason: str) -> None:
        while self._held:  # what came before the end
            self._listener.receive(self._held.popleft())
        self._listener.link_closed(code, reason)

    def _deliver(self, message: bytes) -> None:
        if self._is_paused or self._held:
            self._held.append(message)
        else:
            self._listener.receive(message)

    def _note_unsayable(self, message: bytes) -> None:
        """Log, once each, the fields that the upstream is not told, since the beta has none for them."""
        paths = {*unsayable(body_of(message) or {})} - self._unsaid
        if paths:
            self._unsaid |= paths
            _LOG.warning("the upstream's dialect lacks fields", extra={"fields": sorted(paths)})
