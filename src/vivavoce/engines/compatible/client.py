"""HTTP to one compatible server: requests with deadlines, one more try, and answers read as they come.

Leaving `ask` closes the connection at once unless the answer was read to its end; only then is it used again.
Redirects are not followed and no proxy of the environment is used, so the key goes to the configured server alone.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import anyio.lowlevel
import httpcore2
import msgspec

from vivavoce.engines.base import EngineError
from vivavoce.engines.compatible.failures import Failures, Refusal
from vivavoce.engines.compatible.settings import CompatibleServer, Timeouts
from vivavoce.engines.compatible.sse import EventTooLargeError, ServerSentEvent, SseReader

MAX_ERROR_BYTES: Final = 65_536
MAX_BODY_BYTES: Final = 8_388_608
TAIL_S: Final = 0.5  # for what follows the last useful event: usage, and the end that frees the connection
KEEP_ALIVE_S: Final = 60.0
DONE: Final = b"[DONE]"
JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"

_log = logging.getLogger(__name__)
_LOST: Final = (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError, OSError)


class Ask(msgspec.Struct, frozen=True):
    """A request; a body makes it a POST."""

    path: str  # below the base URL, with its first slash
    body: bytes | None = None
    content_type: str = JSON
    accept: str = f"{EVENT_STREAM}, {JSON}"

    def __repr__(self) -> str:
        return f"Ask({self.path!r})"


def json_body(fields: Mapping[str, Any]) -> bytes:  # JSON boundary: what the API takes
    """Return a request body."""
    return msgspec.json.encode(fields)


class Reply:
    """An answer with a 2xx status.

    Only waiting counts against its deadlines: whoever reads it may take time between one part and the next.
    """

    def __init__(self, response: httpcore2.Response, failures: Failures, timeouts: Timeouts, since: float) -> None:
        """Begin to read.

        Args:
            since: when the request was made, on the loop's clock.
        """
        headers = _headers(response)
        self.content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        self.parameters = headers.get("content-type", "").partition(";")[2]
        self._response = response
        self._parts = response.aiter_stream()
        self._failures = failures
        self._timeouts = timeouts
        self._until: float | None = since + timeouts.first_s  # for the next event or audio; None: from the next wait on
        self._left_s = timeouts.total_s - (asyncio.get_running_loop().time() - since)
        self._has_begun = False
        self._sse = SseReader()
        self._is_over = False

    async def close(self) -> None:
        """Free the connection: closed at once, unless the answer was read to its end."""
        try:
            await self._parts.aclose()
        finally:
            await self._response.aclose()

    async def part(self) -> bytes:
        """Return the next bytes of the body; empty at its end. Raises EngineError."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        if self._until is None:
            self._until = since + self._timeouts.silence_s
        try:
            async with asyncio.timeout_at(min(self._until, since + self._left_s)):
                part = await anext(self._parts, b"")
        except TimeoutError:
            raise self._late(since) from None
        except _LOST as error:
            raise self._failures.unreachable("the connection broke within the answer") from error
        self._left_s -= loop.time() - since
        self._is_over = not part
        return part

    def progress(self) -> None:
        """Take note that something useful came: the wait for more begins anew."""
        self._has_begun = True
        self._until = None

    def _late(self, since: float) -> EngineError:
        timeouts = self._timeouts
        if self._until is not None and since + self._left_s <= self._until:
            return self._failures.late("end of the answer", timeouts.total_s)
        return self._failures.late("more of the answer", timeouts.silence_s if self._has_begun else timeouts.first_s)

    async def body(self) -> bytes:
        """Return the whole body. Raises EngineError, also above `MAX_BODY_BYTES`."""
        body = bytearray()
        while part := await self.part():
            body += part
            if len(body) > MAX_BODY_BYTES:
                raise self._failures.broken(f"the answer has more than {MAX_BODY_BYTES} bytes")
        return bytes(body)

    async def events(self) -> list[ServerSentEvent]:
        """Return the next events, at least one; none at the end. An answer in JSON is one event. Raises EngineError."""
        if self.content_type == JSON and not self._is_over:
            return [ServerSentEvent(await self.body())]
        while not self._is_over:
            part = await self.part()
            try:
                events = self._sse.feed(part) if part else self._sse.finish()
            except EventTooLargeError as error:
                raise self._failures.broken(str(error)) from error
            if events:
                self.progress()
                return events
        return []

    async def rest(self) -> list[ServerSentEvent]:
        """Return the events up to the end, or those that come within `TAIL_S`; never fails."""
        until = asyncio.get_running_loop().time() + TAIL_S
        gathered: list[ServerSentEvent] = []
        with contextlib.suppress(EngineError):
            while not self._is_over:
                self._until = until
                gathered += await self.events()
        return gathered


class CompatibleClient:
    """The connections of one engine to its server. Needs `start`; makes no request by itself."""

    def __init__(self, engine: str, server: CompatibleServer, tls: ssl.SSLContext | None = None) -> None:
        self.failures = Failures(engine, server.place, server.secrets)
        self._server = server
        self._tls = tls
        self._headers = server.request_headers()
        self._pool: httpcore2.AsyncConnectionPool | None = None

    async def start(self) -> None:
        """Prepare TLS; where `checks_models` is set, ask for the models. Raises EngineError."""
        if self._pool is not None:
            return
        await anyio.lowlevel.checkpoint()  # loads what httpcore2 would load with its first connection, 40 ms
        is_secure = self._server.endpoint.scheme == "https"
        tls = self._tls or (await asyncio.to_thread(ssl.create_default_context) if is_secure else None)
        most = self._server.max_connections
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            max_connections=most,
            max_keepalive_connections=most,
            keepalive_expiry=KEEP_ALIVE_S,
        )
        if self._server.checks_models:
            async with self.ask(Ask("/models", accept=JSON)) as reply:
                await reply.body()

    async def close(self) -> None:
        """Close all connections; requests fail from here on."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    @contextlib.asynccontextmanager
    async def ask(self, ask: Ask) -> AsyncIterator[Reply]:
        """Send a request and give its answer. Raises EngineError."""
        timeouts = self._server.timeouts
        since = asyncio.get_running_loop().time()
        response = await self._send_twice_at_most(ask, since + min(timeouts.first_s, timeouts.total_s))
        reply = Reply(response, self.failures, timeouts, since)
        try:
            yield reply
        finally:
            await reply.close()

    async def _send_twice_at_most(self, ask: Ask, first_at: float) -> httpcore2.Response:
        loop = asyncio.get_running_loop()
        try:
            return await self._send(ask, first_at)
        except Refusal as refusal:
            if loop.time() + refusal.retry_after_s >= first_at:
                raise
            _log.info("one more try", extra={"engine": refusal.engine, "wait_s": refusal.retry_after_s})
            await asyncio.sleep(refusal.retry_after_s)  # noqa: TID251 - the server asked for this wait
        return await self._send(ask, first_at)

    async def _send(self, ask: Ask, first_at: float) -> httpcore2.Response:
        """Return an answer with a 2xx status. Raises EngineError, a Refusal if nothing was answered."""
        if self._pool is None:
            raise self.failures.broken("the engine is not started, or closed")
        try:
            async with asyncio.timeout_at(first_at):
                response = await self._pool.handle_async_request(self._request(ask))
                if not 200 <= response.status < 300:
                    await self._refuse(response)
        except (TimeoutError, httpcore2.TimeoutException) as error:
            raise self._late(error) from error
        except _LOST as error:
            raise self._lost(error) from error
        if (encoding := _headers(response).get("content-encoding", "identity").lower()) != "identity":
            await response.aclose()
            raise self.failures.broken(f"the answer is compressed ({encoding[:20]}), which was not asked for")
        return response

    def _late(self, error: Exception) -> EngineError:
        timeouts = self._server.timeouts
        if isinstance(error, httpcore2.ConnectTimeout):
            return self.failures.late("connection", timeouts.connect_s)
        return self.failures.late("answer", min(timeouts.first_s, timeouts.total_s))

    def _lost(self, error: Exception) -> EngineError:
        if isinstance(error, httpcore2.ConnectError):
            return self.failures.unreachable("it does not accept connections, or TLS failed")
        # A connection that was kept open may have been closed by the server just as the request went out.
        return Refusal(self.failures.unreachable("the connection broke before the answer"), 0.0)

    async def _refuse(self, response: httpcore2.Response) -> None:
        body = bytearray()
        try:
            async for part in response.aiter_stream():
                body += part
                if len(body) > MAX_ERROR_BYTES:
                    break
        finally:
            await response.aclose()
        raise self.failures.refused(response.status, _headers(response), bytes(body))

    def _request(self, ask: Ask) -> httpcore2.Request:
        headers = [*self._headers, ("Accept", ask.accept)]
        if ask.body is not None:
            headers += [("Content-Type", ask.content_type), ("Content-Length", str(len(ask.body)))]
        endpoint = self._server.endpoint
        target = self._server.target(ask.path)
        return httpcore2.Request(
            method="GET" if ask.body is None else "POST",
            url=httpcore2.URL(scheme=endpoint.scheme, host=endpoint.host, port=endpoint.port, target=target),
            headers=[("Host", self._server.authority), *headers],
            content=ask.body,
            extensions={"timeout": {"connect": self._server.timeouts.connect_s}},
        )


def _headers(response: httpcore2.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
