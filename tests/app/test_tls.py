"""Serving over TLS: the certificate that is made here, its renewal, and WebSockets on aiofastnet's TLS transport."""

import asyncio
import base64
import contextlib
import datetime
import json
import logging
import socket
import ssl
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.app.serving import Answer, ask, read_answer, serving, upgrade_head
from tests.repository.serving import served
from tests.transports.echo_host import EchoHost
from tests.transports.peers import TEXT, RawClient, frame, run
from tests.transports.test_connection_contract import EDGE_SIZES
from vivavoce.app.server import AppSettings
from vivavoce.app.tls import RENEW_BEFORE, TlsError, TlsFiles, fingerprint, self_signed, server_context

TODAY = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
CLOSED_S = 30.0
BACKENDS = ("picows", "websockets")
UPGRADE = upgrade_head("/v1/realtime", "Host: localhost")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """A certificate that is valid while the tests run."""
    return self_signed(tmp_path_factory.mktemp("tls"), (), datetime.datetime.now(datetime.UTC))


def certificate(files: TlsFiles) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def names(files: TlsFiles) -> set[str]:
    held = certificate(files).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in held}


def trusting(files: TlsFiles) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=files.certificate)


# The certificate ------------------------------------------------------------------------------------------


def test_a_certificate_is_made_for_this_machine_and_the_given_names(tmp_path: Path) -> None:
    made = self_signed(tmp_path / "a" / "tls", ["0.0.0.0", "Box.example.", "10.1.2.3", "localhost"], TODAY)

    assert names(made) == {"localhost", "127.0.0.1", "::1", "box.example", "10.1.2.3"}
    valid_for = certificate(made).not_valid_after_utc - certificate(made).not_valid_before_utc
    assert valid_for == 397 * DAY


def test_the_folder_and_its_files_are_their_owners_only(tmp_path: Path) -> None:
    made = self_signed(tmp_path / "tls", [], TODAY)

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls", made.certificate, made.key)]
    assert modes == [0o700, 0o600, 0o600]
    assert sorted(path.name for path in (tmp_path / "tls").iterdir()) == ["certificate.pem", "key.pem"]


def test_a_key_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    made = self_signed(tmp_path, [], TODAY)
    made.key.chmod(0o644)

    self_signed(tmp_path, [], TODAY)

    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600


def test_a_certificate_is_kept_until_it_nears_its_end_and_then_replaced_for_the_same_key(tmp_path: Path) -> None:
    made = self_signed(tmp_path, [], TODAY)
    first, key, ends = fingerprint(made.certificate), made.key.read_bytes(), certificate(made).not_valid_after_utc

    self_signed(tmp_path, [], ends - RENEW_BEFORE - DAY)
    kept = fingerprint(made.certificate)
    self_signed(tmp_path, [], ends - RENEW_BEFORE + DAY)

    assert kept == first
    assert fingerprint(made.certificate) != first
    assert made.key.read_bytes() == key
    assert certificate(made).not_valid_after_utc > ends + 300 * DAY


def test_a_certificate_that_lacks_a_name_or_begins_in_the_future_is_replaced(tmp_path: Path) -> None:
    made = self_signed(tmp_path, [], TODAY)

    self_signed(tmp_path, ["box.example"], TODAY)
    assert "box.example" in names(made)

    self_signed(tmp_path, ["box.example"], TODAY - 100 * DAY)
    assert certificate(made).not_valid_before_utc < TODAY - 100 * DAY


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_certificate_is_replaced(tmp_path: Path, content: bytes) -> None:
    made = self_signed(tmp_path, [], TODAY)
    made.certificate.write_bytes(content)

    self_signed(tmp_path, [], TODAY)

    server_context(made)


def test_a_key_that_is_none_is_told_and_not_replaced(tmp_path: Path) -> None:
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content in (b"not a key", foreign):
        (tmp_path / "key.pem").write_bytes(content)

        with pytest.raises(TlsError, match="no certificate can be kept in"):
            self_signed(tmp_path, [], TODAY)

        assert (tmp_path / "key.pem").read_bytes() == content


def test_files_that_do_not_belong_together_or_are_absent_are_told(tmp_path: Path) -> None:
    one, other = self_signed(tmp_path / "one", [], TODAY), self_signed(tmp_path / "other", [], TODAY)

    with pytest.raises(TlsError, match="cannot be used"):
        server_context(TlsFiles(one.certificate, other.key))
    with pytest.raises(TlsError, match="No such file"):
        server_context(TlsFiles(tmp_path / "absent.pem", one.key))
    with pytest.raises(TlsError, match="cannot be read"):
        fingerprint(tmp_path / "absent.pem")


def test_an_encrypted_key_is_told_and_asks_nobody(tmp_path: Path) -> None:
    made = self_signed(tmp_path, [], TODAY)
    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))

    with pytest.raises(TlsError, match="the key is encrypted"):
        server_context(made)


# The port ------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def tls_client(
    port: int, files: TlsFiles, *, receive_buffer_bytes: int | None = None
) -> AsyncIterator[RawClient]:
    """Connect and verify the certificate; a small receive buffer makes a client that soon takes no more."""
    sock = socket.socket()
    if receive_buffer_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    sock.connect(("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=trusting(files), server_hostname="localhost", limit=2**16
    )
    try:
        yield RawClient(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def http_answer(port: int, files: TlsFiles, target: str) -> Answer:
    async with tls_client(port, files) as client:
        await client.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return await read_answer(client.reader)


def test_https_is_served_with_the_certificate_and_speaks_http_1(files: TlsFiles) -> None:
    async def scenario() -> tuple[int, str | None]:
        async with serving(EchoHost(), AppSettings(tls=files)) as port:
            async with tls_client(port, files) as client:
                protocol = client.writer.get_extra_info("ssl_object").version()
            return (await http_answer(port, files, "/healthz")).status, protocol

    assert run(scenario()) == (200, "TLSv1.3")


def test_plain_http_on_the_tls_port_is_told_what_to_do(files: TlsFiles, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> Answer:
        async with serving(EchoHost(), AppSettings(tls=files)) as port:
            return await ask(port, "GET /v1/models HTTP/1.1")

    with caplog.at_level(logging.INFO):
        answer = run(scenario())

    assert answer.status == 400
    assert "https://" in answer.error["message"]
    assert "plain HTTP on the TLS port refused" in caplog.messages


def test_a_client_that_does_not_trust_the_certificate_is_logged_with_its_reason(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving(EchoHost(), AppSettings(tls=files)) as port:
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.to_thread(distrust, port)
            await http_answer(port, files, "/healthz")

    def distrust(port: int) -> None:
        """Connect as a client that says why it leaves, which aiofastnet's own does not."""
        with socket.create_connection(("127.0.0.1", port)) as connection:
            ssl.create_default_context().wrap_socket(connection, server_hostname="localhost")

    with caplog.at_level(logging.INFO):
        run(scenario())

    failed = [record for record in caplog.records if record.message == "TLS handshake failed"]
    assert [getattr(record, "reason", "") for record in failed] == ["TLSV1_ALERT_UNKNOWN_CA"]


def test_a_handshake_that_comes_byte_by_byte_is_done(files: TlsFiles) -> None:
    async def scenario() -> bytes:
        async with serving(EchoHost(), AppSettings(tls=files)) as port:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = trusting(files).wrap_bio(incoming, outgoing, server_hostname="localhost")
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for byte in outgoing.read():
                writer.write(bytes([byte]))
                await writer.drain()
            try:
                return await reader.readexactly(1)
            finally:
                writer.close()

    assert run(scenario()) == b"\x16"


# WebSockets ------------------------------------------------------------------------------------------


def append(size_bytes: int) -> bytes:
    audio = base64.b64encode(audio_of(size_bytes)).decode()
    return frame(TEXT, json.dumps({"type": "input_audio_buffer.append", "audio": audio}).encode())


def audio_of(size_bytes: int) -> bytes:
    """Return bytes in which one out of place shows."""
    return b"".join(index.to_bytes(4, "big") for index in range(size_bytes // 4 + 1))[:size_bytes]


async def read_audio(client: RawClient) -> bytes:
    _, payload = await client.read_frame()
    return base64.b64decode(json.loads(payload)["delta"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_messages_of_every_edge_size_come_back_byte_for_byte(files: TlsFiles, backend: str) -> None:
    async def scenario() -> list[int]:
        wrong = []
        async with serving(EchoHost(), AppSettings(tls=files, websocket_backend=backend)) as port:
            async with tls_client(port, files) as client:
                await client.upgrade(http_head())
                await client.read_frame()
                for size in EDGE_SIZES:
                    await client.send(append(size))
                    if await read_audio(client) != audio_of(size):
                        wrong.append(size)
        return wrong

    assert run(scenario()) == []


def http_head() -> bytes:
    return "\r\n".join([*UPGRADE.splitlines(), "", ""]).encode()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [90, 6100, 49_000, 52_000])  # around 126, 8192, 65536 and 70000 bytes in base64
def test_200_pipelined_frames_reach_a_delayed_reader_uncorrupted(files: TlsFiles, backend: str, size: int) -> None:
    async def scenario() -> list[int]:
        host = EchoHost()
        async with serving(host, AppSettings(tls=files, websocket_backend=backend)) as port:
            async with tls_client(port, files, receive_buffer_bytes=4096) as client:
                await client.upgrade(http_head())
                await client.read_frame()
                session = await host.sessions.get()
                for length in lengths:  # more than the socket takes before anything is read
                    session.play(audio_of(length))
                return [length for length in lengths if await read_audio(client) != audio_of(length)]

    lengths = [length for index in range(200) for length in (size + index % 5, 100 + index)]

    assert run(scenario()) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_frames_sent_at_once_are_all_answered_in_order(files: TlsFiles, backend: str) -> None:
    async def scenario() -> list[int]:
        async with serving(EchoHost(), AppSettings(tls=files, websocket_backend=backend)) as port:
            async with tls_client(port, files) as client, asyncio.TaskGroup() as tasks:
                await client.upgrade(http_head())
                await client.read_frame()
                tasks.create_task(client.send(*(append(size) for size in sizes)))
                return [len(await read_audio(client)) for _ in sizes]

    sizes = [100 + 37 * index for index in range(300)]

    assert run(scenario()) == sizes


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_client_that_drops_its_connection_is_learnt_by_its_session(files: TlsFiles, backend: str) -> None:
    async def scenario() -> int | None:
        host = EchoHost()
        async with serving(host, AppSettings(tls=files, websocket_backend=backend)) as port:
            async with tls_client(port, files) as client:
                await client.upgrade(http_head())
                await client.read_frame()
                session = await host.sessions.get()
            return await session.disconnected()

    assert run(scenario()) == 1006


@pytest.mark.e2e
@pytest.mark.slow
def test_on_sigterm_a_tls_session_is_closed_with_1012_and_half_open_connections_do_not_hold_the_server(
    tmp_path: Path,
) -> None:
    settings = ("SERVER__TLS_SELF_SIGNED=true", f"DATA_DIR={tmp_path}", "ENGINES__DEFAULT=scripted")
    (tmp_path / ".env").write_text("".join(f"VIVAVOCE_{setting}\n" for setting in settings))
    with contextlib.ExitStack() as left_open:
        with served([sys.executable, "-m", "vivavoce"], tmp_path) as url:
            assert url.startswith("https://127.0.0.1:")
            port = int(url.rpartition(":")[2])
            files = TlsFiles(tmp_path / "tls" / "certificate.pem", tmp_path / "tls" / "key.pem")
            left_open.enter_context(socket.create_connection(("127.0.0.1", port)))
            left_open.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(b"\x16\x03\x01")
            websocket = left_open.enter_context(
                connect(f"wss://localhost:{port}/v1/realtime", ssl=trusting(files), close_timeout=CLOSED_S)
            )
            websocket.recv(CLOSED_S)

        with pytest.raises(ConnectionClosed):
            while True:
                websocket.recv(CLOSED_S)

    assert websocket.close_code == 1012
    log = (tmp_path / "server.log").read_text()
    assert fingerprint(files.certificate) in log
    assert str(files.key) not in log
