"""Connecting to an upstream: what it is sent, what refusals become, and that the key goes nowhere else."""

import asyncio
import datetime
import gc
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.transports.peers import TEXT, run
from tests.transports.upstream_peers import (
    GREETING,
    KEY,
    Heard,
    RawUpstream,
    answers,
    echo,
    fault_of,
    linked,
    plain,
    raw_upstream,
    settings,
    upstream,
)
from vivavoce.app.tls import self_signed
from vivavoce.core.relay.vocabulary import UpstreamFault
from vivavoce.engines.upstream.settings import UpstreamSettings
from vivavoce.runtime.upstreams import UpstreamRequest, UpstreamUnavailable
from vivavoce.transports.upstream_websocket import UpstreamWebSocket

Play = Callable[[RawUpstream], Awaitable[None]]


def connector(port: int, **changes: object) -> UpstreamWebSocket:
    return UpstreamWebSocket(settings(port, **changes))


def refusal(play: Play, **changes: object) -> UpstreamFault:
    """Return the fault for a play that lets no connection come about."""

    async def scenario() -> UpstreamFault:
        async with raw_upstream(play) as port:
            return await fault_of(connector(port, **changes))

    return run(scenario())


def request_head(request: UpstreamRequest, **changes: object) -> list[str]:
    """Return the lines of the upgrade that an upstream gets."""
    heads: list[bytes] = []

    async def play(peer: RawUpstream) -> None:
        await peer.accept()
        heads.append(peer.head)
        await peer.reader.read()

    async def scenario() -> None:
        heard = Heard()
        async with raw_upstream(play) as port:
            link = await connector(port, **changes).connect(request, heard)
            link.abort()
            await heard.closed

    run(scenario())
    return heads[0].decode().rstrip().split("\r\n")


# What is asked ------------------------------------------------------------------------------------------------------


def test_the_model_the_key_and_the_end_user_are_sent() -> None:
    lines = request_head(UpstreamRequest("gpt-realtime", safety_identifier="user 7"))

    assert lines[0] == "GET /v1/realtime?model=gpt-realtime HTTP/1.1"
    assert f"Authorization: Bearer {KEY}" in lines
    assert "OpenAI-Safety-Identifier: user 7" in lines
    assert "User-Agent: vivavoce" in lines


def test_neither_the_beta_header_nor_compression_goes_to_an_upstream_of_the_general_api() -> None:
    names = {line.partition(":")[0].lower() for line in request_head(UpstreamRequest("gpt-realtime"))}

    assert not names & {"openai-beta", "sec-websocket-extensions", "sec-websocket-protocol", "accept-encoding"}


def test_an_upstream_of_the_beta_gets_its_header() -> None:
    assert "OpenAI-Beta: realtime=v1" in request_head(UpstreamRequest(None), dialect="beta")


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert request_head(UpstreamRequest(None))[0] == "GET /v1/realtime HTTP/1.1"


# Refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("401 Unauthorized", b'{"error":{"code":"invalid_api_key","message":"Incorrect key"}}', "unauthorized"),
        ("403 Forbidden", b"", "unauthorized"),
        ("404 Not Found", b"<html>", "not_found"),
        ("400 Bad Request", b'{"error":{"code":"model_not_found"}}', "not_found"),
        ("402 Payment Required", b"", "quota_exhausted"),
        ("429 Too Many Requests", b'{"error":{"type":"requests","code":"rate_limit_exceeded"}}', "rate_limited"),
        ("429 Too Many Requests", b'{"error":{"code":"insufficient_quota"}}', "quota_exhausted"),
        ("500 Internal Server Error", b'{"error":{"code":"insufficient_quota"}}', "refused"),
        ("302 Found\nLocation: http://127.0.0.1:1/", b"", "refused"),
        ("200 OK", b"", "refused"),
        ("400 Bad Request", b"", "refused"),
    ],
)
def test_a_refusal_becomes_its_fault(status: str, body: bytes, expected: str) -> None:
    fault = refusal(answers(f"HTTP/1.1 {status}\nContent-Length: {len(body)}", body))

    assert fault.kind == expected


def test_a_code_in_a_chunked_body_counts() -> None:
    body = b'10\r\n{"error":{"code"\r\n15\r\n:"insufficient_quota"\r\n2\r\n}}\r\n0\r\n\r\n'

    fault = refusal(answers("HTTP/1.1 429 Too Many Requests\nTransfer-Encoding: chunked", body))

    assert fault.kind == "quota_exhausted"


def test_a_body_that_comes_late_is_waited_for() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 40\r\n")
        await peer.send(b"\r\n")
        await asyncio.get_running_loop().run_in_executor(None, bytes)  # a turn of the loop, or several
        await peer.send(b'{"error":{"code":"insufficient_quota"}} ')
        await peer.reader.read()

    assert refusal(play).kind == "quota_exhausted"


def test_a_body_that_never_comes_leaves_the_status() -> None:
    play = answers("HTTP/1.1 401 Unauthorized\nContent-Length: 1000", b"x")

    assert refusal(play, connect_s=0.2).kind == "unauthorized"


def test_a_body_without_end_is_cut() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        while True:
            await peer.send(b"x" * 10_000)

    assert refusal(play).kind == "unauthorized"


@pytest.mark.parametrize(
    ("lines", "expected_s"),
    [
        ("Retry-After: 7", 7.0),
        ("Retry-After-Ms: 1500\nRetry-After: 2", 1.5),
        ("Date: Sat, 21 Nov 2026 10:00:00 GMT\nRetry-After: Sat, 21 Nov 2026 10:00:30 GMT", 30.0),
        ("X: y", None),
    ],
)
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_the_wait_that_an_upstream_asks_for_is_told(status: str, lines: str, expected_s: float | None) -> None:
    fault = refusal(answers(f"HTTP/1.1 {status}\n{lines}\nContent-Length: 0"))

    assert fault.retry_after_s == expected_s


def test_a_redirect_is_not_followed() -> None:
    reached: list[bytes] = []

    async def elsewhere(peer: RawUpstream) -> None:
        reached.append(await peer.read_head())

    async def scenario() -> UpstreamFault:
        async with raw_upstream(elsewhere) as other:
            head = f"HTTP/1.1 307 Temporary Redirect\nLocation: ws://127.0.0.1:{other}/\nContent-Length: 0"
            async with raw_upstream(answers(head)) as port:
                return await fault_of(connector(port))

    assert run(scenario()).kind == "refused"
    assert reached == []


def test_a_port_where_nobody_listens_refuses() -> None:
    async def scenario() -> UpstreamFault:
        async with raw_upstream(answers("")) as port:
            pass
        return await fault_of(connector(port))

    fault = run(scenario())

    assert fault.kind == "refused"
    assert fault.is_retryable


def test_a_name_that_does_not_exist_refuses() -> None:
    broken = UpstreamWebSocket(UpstreamSettings("http://no-such-host.invalid/v1", KEY))

    assert run(fault_of(broken)).kind == "refused"


def test_a_connection_that_closes_before_its_answer_refuses() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.read_head()

    assert refusal(play).kind == "refused"


def test_an_upgrade_without_an_answer_times_out() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.reader.read()

    assert refusal(play, connect_s=0.1).kind == "timeout"


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(answers("SSH-2.0-OpenSSH_9.2"), id="not HTTP"),
        pytest.param(answers("HTTP/1.1 101 Switching Protocols\nUpgrade: h2c\nConnection: Upgrade"), id="h2c"),
        pytest.param(answers("HTTP/1.1 101 Switching Protocols"), id="to nothing"),
        pytest.param(lambda peer: peer.accept(accept="AAAA"), id="an answer to another request"),
        pytest.param(lambda peer: peer.accept(extra="Sec-WebSocket-Extensions: permessage-deflate\r\n"), id="deflate"),
        pytest.param(lambda peer: peer.send(b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 100_000), id="large"),
    ],
)
def test_what_is_no_upgrade_is_broken(play: Play) -> None:
    assert refusal(play).kind == "broken"


def test_an_interim_answer_is_passed_over() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        await peer.accept(plain(TEXT, GREETING))
        await peer.reader.read()

    async def scenario() -> bytes:
        heard = Heard()
        async with raw_upstream(play) as port, linked(connector(port), heard):
            return await heard.messages.get()

    assert run(scenario()) == GREETING


def test_connecting_can_be_cancelled_and_closes_the_socket() -> None:
    async def scenario() -> bytes:
        asked, seen = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def play(peer: RawUpstream) -> None:
            await peer.read_head()
            asked.set()
            seen.set_result(await peer.reader.read())

        async with raw_upstream(play) as port, asyncio.TaskGroup() as group:
            dialling = group.create_task(connector(port).connect(UpstreamRequest(None), Heard()))
            await asked.wait()
            dialling.cancel()
            return bytes(await seen)

    assert run(scenario()) == b""


# Beginning ----------------------------------------------------------------------------------------------------------


def test_what_comes_with_the_answer_is_delivered_after_connect_has_returned() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.accept(*(plain(TEXT, b"%d" % number) for number in range(100)))
        await peer.send(plain(TEXT, b"last"))
        await peer.reader.read()

    async def scenario() -> tuple[int, list[bytes]]:
        heard = Heard()
        async with raw_upstream(play) as port, linked(connector(port), heard):
            before = heard.messages.qsize()
            return before, [await heard.messages.get() for _ in range(101)]

    before, messages = run(scenario())

    assert before == 0
    assert messages == [*(b"%d" % number for number in range(100)), b"last"]


def test_what_comes_with_the_answer_waits_for_a_listener_that_pauses_at_once() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.accept(plain(TEXT, b"one"), plain(TEXT, b"two"))
        await peer.read_frame()
        await peer.send(plain(9, b"ping"))
        await peer.read_frame()
        ponged.set()
        await peer.reader.read()

    async def scenario() -> tuple[int, list[bytes]]:
        heard = Heard()
        async with raw_upstream(play) as port, linked(connector(port), heard) as link:
            link.pause_reading()
            link.resume_reading()
            link.pause_reading()
            link.send(b"hello")
            await asyncio.get_running_loop().run_in_executor(None, bytes)
            waiting = heard.messages.qsize()
            link.resume_reading()
            await ponged.wait()
            return waiting, [await heard.messages.get() for _ in range(2)]

    ponged = asyncio.Event()

    assert run(scenario()) == (0, [b"one", b"two"])


def test_it_works_on_a_plain_asyncio_loop_too() -> None:
    async def scenario() -> list[bytes]:
        heard = Heard()
        async with upstream(echo) as port, linked(connector(port), heard) as link:
            link.send(b"x" * 100_000)
            return [await heard.messages.get() for _ in range(2)]

    assert asyncio.run(scenario()) == [GREETING, b"x" * 100_000]


def test_a_name_with_several_addresses_is_reached() -> None:
    async def scenario() -> bytes:
        heard = Heard()
        async with upstream(echo) as port:
            named = connector(port, url=f"ws://localhost:{port}/v1")
            async with linked(named, heard):
                return await heard.messages.get()

    assert run(scenario()) == GREETING


# TLS ----------------------------------------------------------------------------------------------------------------


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's side, and that of a client which trusts it."""
    files = self_signed(folder, (), datetime.datetime.now(datetime.UTC))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    return server, ssl.create_default_context(cafile=files.certificate)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_upstream_with_a_trusted_certificate_is_used_over_tls(tmp_path: Path, host: str) -> None:
    ours, trusting = contexts(tmp_path)

    async def scenario() -> list[bytes]:
        heard = Heard()
        async with upstream(echo, ours) as port:
            secure = UpstreamWebSocket(settings(port, url=f"https://{host}:{port}/v1"), trusting)
            async with linked(secure, heard) as link:
                link.send(b"x" * 1_000_000)
                return [await heard.messages.get() for _ in range(2)]

    assert run(scenario()) == [GREETING, b"x" * 1_000_000]


def test_an_upstream_without_a_trusted_certificate_gets_no_request(tmp_path: Path) -> None:
    ours, _ = contexts(tmp_path)
    requests: list[bytes] = []

    async def play(peer: RawUpstream) -> None:
        requests.append(await peer.read_head())

    async def scenario() -> UpstreamFault:
        async with raw_upstream(play, ours) as port:
            return await fault_of(UpstreamWebSocket(settings(port, url=f"https://127.0.0.1:{port}/v1")))

    assert run(scenario()).kind == "refused"
    assert requests == []


def test_plain_http_where_tls_is_expected_refuses() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def scenario() -> UpstreamFault:
        async with raw_upstream(play) as port:
            return await fault_of(UpstreamWebSocket(settings(port, url=f"wss://127.0.0.1:{port}/v1")))

    assert run(scenario()).kind == "refused"


def test_a_tls_handshake_without_an_answer_times_out() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.reader.read()

    async def scenario() -> UpstreamFault:
        async with raw_upstream(play) as port:
            url = f"https://127.0.0.1:{port}/v1"
            return await fault_of(UpstreamWebSocket(settings(port, url=url, connect_s=0.2)))

    assert run(scenario()).kind == "timeout"


# What may not show --------------------------------------------------------------------------------------------------


def test_neither_the_key_nor_the_address_shows_in_faults_representations_and_logs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    body = b'{"error":{"code":"%s","type":"invalid_request_error","message":"bad %s"}}' % (KEY.encode(), KEY.encode())

    async def scenario() -> tuple[UpstreamFault, str, int]:
        play = answers(f"HTTP/1.1 401 Unauthorized\nContent-Length: {len(body)}", body)
        async with raw_upstream(play) as port:
            chosen = settings(port, headers=(("api-key", "azure-" + KEY),))
            return await fault_of(UpstreamWebSocket(chosen)), repr(chosen), port

    fault, shown, port = run(scenario())

    assert KEY not in repr(fault) + shown + caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
    assert str(port) not in fault.message
    assert any("invalid_request_error" in repr(record.__dict__) for record in caplog.records)


def test_an_open_link_holds_no_key() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.accept(plain(TEXT, GREETING))
        await peer.reader.read()

    async def scenario() -> list[object]:
        heard = Heard()
        async with raw_upstream(play) as port:
            async with linked(connector(port), heard):
                await heard.messages.get()
                gc.collect()
                return [kept for kept in gc.get_objects() if isinstance(kept, list | dict) and _holds_key(kept)]

    assert run(scenario()) == []


def _holds_key(kept: "list[object] | dict[object, object]") -> bool:
    values = kept if isinstance(kept, list) else kept.values()
    return any(isinstance(value, tuple) and f"Bearer {KEY}" in value for value in list(values))


def test_every_failure_is_logged_once_for_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    refusal(answers("HTTP/1.1 404 Not Found\nContent-Length: 0"))

    [record] = [record for record in caplog.records if record.name.startswith("vivavoce")]
    assert "404" in str(record.__dict__["reason"])


def test_a_fault_is_raised_without_its_cause() -> None:
    async def scenario() -> BaseException:
        async with raw_upstream(answers("HTTP/1.1 401 Unauthorized\nContent-Length: 0")) as port:
            try:
                await connector(port).connect(UpstreamRequest(None), Heard())
            except UpstreamUnavailable as unavailable:
                return unavailable
        raise AssertionError("it was accepted")

    assert run(scenario()).__cause__ is None
