"""The ways by which a client of today's API reaches the server in these tests, and what cannot be said on which.

`ga` is a plain connection. `relay` goes through a second server that relays to the first, `beta-relay` speaks the beta
to that one. `beta` is a connection in the beta dialect: between client and server stands a proxy that
speaks today's API to the client and the beta to the server, so the same scenarios hold of it.
"""

import asyncio
import contextlib
import functools
import queue
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.repository.serving import served
from vivavoce.dialects.beta_upstream import BetaUpstream
from vivavoce.protocol.codec import encode_server_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.server_events import ErrorEvent
from vivavoce.testing.proxy import Translation, recording_proxy

BETA_HEADER: Final = "OpenAI-Beta: realtime=v1"
START_LIMIT_S: Final = 10.0


class BetaFront:
    """Makes a client of today's API a client of the beta; a `Translator`."""

    def __init__(self) -> None:
        self._dialect = BetaUpstream()

    def client(self, message: bytes) -> tuple[Sequence[bytes], Sequence[bytes]]:
        try:
            return [self._dialect.client(message)], []
        except ClientError as fault:
            event = ErrorEvent(event_id=f"event_{secrets.token_hex(10)}", error=fault.detail)
            return [], [encode_server_event(event)]

    def server(self, message: bytes) -> Sequence[bytes]:
        return self._dialect.server(message)


@contextlib.contextmanager
def beta_front(address: str) -> Iterator[str]:
    """Give host and port of a front of the server at `address`; it runs on a thread of its own."""
    started: queue.SimpleQueue[tuple[str, Callable[[], object]]] = queue.SimpleQueue()

    async def serve() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        translation = Translation(BetaFront, headers=(BETA_HEADER,))
        async with recording_proxy(f"http://{address}", translate=translation) as proxy:
            started.put((proxy.address, functools.partial(loop.call_soon_threadsafe, ended.set)))
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    front, end = started.get(timeout=START_LIMIT_S)
    try:
        yield front
    finally:
        end()
        thread.join()


@contextlib.contextmanager
def ga_front(address: str) -> Iterator[str]:
    """Give the server's own address."""
    yield address


RELAY_SETTINGS: Final = (
    "ENGINES__DEFAULT=upstream",
    "ENGINES__NOISE_REDUCER=none",
    "UPSTREAM__MODELS=*",
    "UPSTREAM__ALLOW_ANONYMOUS=true",
    'MODELS__TABLE={"vivavoce-local": "upstream", "vivavoce-scripted": "upstream"}',
)


@contextlib.contextmanager
def relay_front(address: str, dialect: str = "ga") -> Iterator[str]:
    """Give host and port of a server that relays to the one at `address`, which is spoken to in a dialect."""
    with tempfile.TemporaryDirectory() as folder:
        settings = (*RELAY_SETTINGS, f"UPSTREAM__URL=http://{address}/v1", f"UPSTREAM__DIALECT={dialect}")
        (Path(folder) / ".env").write_text("".join(f"VIVAVOCE_{setting}\n" for setting in settings))
        with served([sys.executable, "-m", "vivavoce"], Path(folder)) as url:
            yield url.removeprefix("http://")


@contextlib.contextmanager
def beta_relay_front(address: str) -> Iterator[str]:
    """Give host and port of a front that speaks the beta to a relay."""
    with relay_front(address) as relay, beta_front(relay) as front:
        yield front


WIRES: Final[dict[str, Callable[[str], contextlib.AbstractContextManager[str]]]] = {
    "ga": ga_front,
    "beta": beta_front,
    "relay": relay_front,
    "beta-relay": beta_relay_front,
    "relay-beta": functools.partial(relay_front, dialect="beta"),
}

_NO_FIELD: Final = "the beta has no `reasoning` and no `parallel_tool_calls`"
_NO_CHOICE: Final = "the beta cannot choose a tool of an MCP server: it becomes `auto`"
_NO_TOOLS: Final = "the beta does not tell the tools of a list when it is done"
# Tests of what cannot be said in the beta, with their parameters or all of them, and why. See docs/reference/beta.md.
UNSAYABLE: Final[dict[str, str]] = {
    "test_a_field_is_honoured[calls one by one]": _NO_FIELD,
    "test_a_field_is_honoured[reasoning]": _NO_FIELD,
    "test_each_field_is_echoed_and_leaves_the_others_as_they_were": _NO_FIELD,
    "test_one_update_may_set_everything": _NO_FIELD,
    "test_each_hostile_message_gets_one_error_and_the_session_still_answers_speech": f"{_NO_FIELD}: no mistakes there",
    "test_hostile_messages_disturb_no_other_session": f"{_NO_FIELD}: no mistakes there",
    "test_a_field_is_refused_by_name[a tool of a server that cannot be reached]": _NO_CHOICE,
    "test_a_tool_of_a_remote_server_may_be_demanded": _NO_CHOICE,
    "test_a_tool_is_listed_called_and_its_result_said_in_one_response": _NO_TOOLS,
    "test_the_embedded_responder_calls_a_remote_tool_and_speaks_its_result": _NO_TOOLS,
    "test_a_user_who_says_nothing_is_asked_again": "the beta does not tell that nobody spoke",
}


# Tests of what is different behind a relay.
NOT_RELAYED: Final[dict[str, str]] = {
    "test_a_server_at_capacity_says_so_before_the_upgrade_and_when_to_come_again": "told by an error after the upgrade",
    "test_a_session_ends_when_its_time_is_over": "the end of the upstream's session is not the end of the client's",
    "test_each_hostile_message_gets_one_error_and_the_session_still_answers_speech": "what is answered by the relay "
    "overtakes what the upstream answers; tests/relay has hostile messages of its own",
    "test_hostile_messages_disturb_no_other_session": "as above",
}


def cannot_say(wire: str, name: str) -> bool:
    """Return whether the test of a name cannot be held over a wire; a name may have its parameters in brackets."""
    known = {**(UNSAYABLE if "beta" in wire else {}), **(NOT_RELAYED if "relay" in wire else {})}
    return name in known or name.partition("[")[0] in known
