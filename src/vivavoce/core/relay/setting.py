"""What a relayed session is opened with; fixed for its life."""

from collections.abc import Mapping
from typing import Final

import msgspec

from vivavoce.core.relay.vocabulary import Body
from vivavoce.core.requests import FunctionSpec
from vivavoce.protocol.session_fields import SessionKind

NO_BODY: Final[Mapping[str, object]] = {}


class RelaySetting(msgspec.Struct, frozen=True, kw_only=True):
    """The session as the server knows it before its upstream does.

    `targets` are the names of the upstreams in the order in which they are tried. `configuration` is the session object
    of the client's secret, in the form of `session.update`.
    """

    session_id: str
    targets: tuple[str, ...]
    kind: SessionKind = "realtime"
    model: str | None = None  # that the upstream is asked for
    configuration: Body = {}
    locked: tuple[str, ...] = ()  # paths in the session that the client may not change
    functions: tuple[FunctionSpec, ...] = ()
    lifetime_s: float = 3600.0  # of the client's session; 0 is unlimited
    connect_s: float = 10.0
    retry_s: float = 30.0
    rollover_s: float = 3300.0  # 0 is never
    jitter: float = 0.0  # from 0 to 1, another for each session, so that they do not all try again at once
