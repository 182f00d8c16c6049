"""The session as the client sees it: the upstream's, with our id, our end, our extension, and without our functions."""

from typing import Any, Final

import msgspec

from vivavoce.core.relay.links import Link
from vivavoce.core.relay.policy import is_named
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.tools import tool_of
from vivavoce.core.relay.vocabulary import Body
from vivavoce.protocol.extensions import SessionExtension

_OURS: Final = ("engine", "locked", "cost")  # of the extension; the rest may come from an upstream like this server


def shown_session(state: RelayState, link: Link, now: float | None = None) -> Body:
    """Return the session object for the client; `now` is known where cost is to be shown."""
    upstream = link.session
    session: Body = {**upstream, "id": state.setting.session_id, "expires_at": state.span.expires_at}
    tools = session.get("tools")
    if isinstance(tools, list) and state.calls.names:
        session["tools"] = [tool for tool in tools if not is_named(tool, state.calls.names)]
    extension = SessionExtension(engine=state.setting.targets[link.target], locked=state.setting.locked)
    if state.client.shows_cost and now is not None:
        extension = msgspec.structs.replace(extension, cost=state.spending.report(now))
    upstreams = upstream.get("vivavoce")
    theirs = upstreams if isinstance(upstreams, dict) else {}
    ours = {
        name: value for name, value in msgspec.to_builtins(extension).items() if name in _OURS or name not in theirs
    }
    session["vivavoce"] = {**theirs, **ours}
    return session


def with_functions(state: RelayState, session: Body, *, is_whole: bool) -> Body:
    """Return a session object for the upstream: where it has tools, or is a whole one, with the server's functions."""
    functions = [tool_of(function) for function in state.calls.functions]
    if not functions or not (is_whole or "tools" in session):
        return session
    tools = session.get("tools")
    given: list[Any] = tools if isinstance(tools, list) else []  # JSON boundary
    return {**session, "tools": [*given, *functions]}
