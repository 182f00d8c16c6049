"""One transcription session of a Realtime server, as its client: a WebSocket, greeted, fed, and asked for a transcript.

Follows the Realtime API reference: transcription sessions, `session.update`, `input_audio_buffer.append` and `.commit`,
`conversation.item.input_audio_transcription.*`.
"""

import asyncio
import base64
import logging
import ssl
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.protocol import State

from vivavoce.engines.base import EngineError
from vivavoce.engines.compatible.failures import Failures
from vivavoce.engines.compatible.settings import CompatibleServer

UPSTREAM_RATE_HZ: Final = 24_000  # the only rate of pcm16 that the API takes
MAX_EVENT_BYTES: Final = 1_048_576
CLOSE_S: Final = 1.0

Json = Mapping[str, Any]  # JSON boundary: events as the API has them


class _Silent(logging.Logger):
    """Takes nothing: at debug level, the package would write the key and what was said."""

    def __init__(self) -> None:
        super().__init__("vivavoce.upstream", logging.CRITICAL + 1)


class UpstreamEvent(msgspec.Struct, frozen=True):
    """The fields of all events that matter here."""

    type: str
    delta: str = ""
    transcript: str = ""
    usage: Any = None  # JSON boundary: usage objects differ by server
    error: Any = None  # JSON boundary: error objects differ by server


_decode = msgspec.json.Decoder(UpstreamEvent).decode


class UpstreamSocket:
    """An open transcription session."""

    def __init__(self, connection: ClientConnection, failures: Failures, opened_s: float) -> None:
        self.opened_s = opened_s  # on the loop's clock
        self._connection = connection
        self._failures = failures

    @property
    def is_open(self) -> bool:
        return self._connection.state is State.OPEN

    async def configure(self, input_settings: Json, within_s: float) -> None:
        """Set the session's `audio.input` and wait until the server has confirmed it. Raises EngineError."""
        session = {"type": "transcription", "audio": {"input": input_settings}}
        try:
            async with asyncio.timeout(within_s):
                await self._send({"type": "session.update", "session": session})
                while (await self.receive()).type != "session.updated":
                    pass
        except TimeoutError:
            raise self._failures.late("session.updated", within_s) from None

    async def append(self, pcm: bytes) -> None:
        """Send audio: pcm16le, mono, 24 kHz."""
        await self._send({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})

    async def commit(self) -> None:
        """End the utterance."""
        await self._send({"type": "input_audio_buffer.commit"})

    async def receive(self) -> UpstreamEvent:
        """Return the next event. Raises EngineError for an `error` event, a closed connection, or what is no event."""
        try:
            event = _decode(await self._connection.recv())
        except ConnectionClosed as error:
            raise self._closed(error) from error
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._failures.broken("it sent what is no event") from error
        if event.type == "error" or event.type.endswith("input_audio_transcription.failed"):
            raise self._failures.reported(event.error)
        return event

    async def close(self) -> None:
        """Close as the protocol wants it."""
        await self._connection.close()

    def abort(self) -> None:
        """Cut the connection at once."""
        self._connection.transport.abort()

    async def _send(self, event: Json) -> None:
        try:
            await self._connection.send(msgspec.json.encode(event).decode())  # events are text messages
        except ConnectionClosed as error:
            raise self._closed(error) from error

    def _closed(self, error: ConnectionClosed) -> EngineError:
        code = f" with {error.rcvd.code}" if error.rcvd is not None else ""
        return self._failures.unreachable(f"it closed the connection{code}")


async def open_socket(server: CompatibleServer, failures: Failures, tls: ssl.SSLContext | None) -> UpstreamSocket:
    """Connect to the server's Realtime endpoint. Raises EngineError.

    Redirects to another origin are not followed, for the key would go with them: a host is given to the package, which
    then refuses them. The transcription intent takes no `model` in the address.
    """
    endpoint = server.endpoint
    scheme = "wss" if endpoint.scheme == "https" else "ws"
    uri = f"{scheme}://{server.authority}{server.target('/realtime', ('intent', 'transcription'))}"
    limit_s = server.timeouts.connect_s
    options: dict[str, Any] = {"ssl": tls} if tls is not None and endpoint.scheme == "https" else {}  # asyncio's own
    try:
        connection = await connect(
            uri,
            additional_headers=[header for header in server.request_headers() if header[0] != "User-Agent"],
            user_agent_header="vivavoce",
            compression=None,
            proxy=None,
            open_timeout=limit_s,
            close_timeout=CLOSE_S,
            max_size=MAX_EVENT_BYTES,
            logger=_Silent(),
            host=endpoint.host,
            port=endpoint.port,
            **options,
        )
    except InvalidStatus as error:
        raise failures.refused(error.response.status_code, {}, bytes(error.response.body or b"")) from error
    except TimeoutError:
        raise failures.late("connection", limit_s) from None
    except (OSError, WebSocketException, ValueError) as error:
        raise failures.unreachable("it does not accept connections, or TLS failed") from error
    return UpstreamSocket(connection, failures, asyncio.get_running_loop().time())
