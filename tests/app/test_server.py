"""The server's life: settings, listening, stopping; the signals in a process of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from vivavoce.app.server import AppSettings, is_loopback, listen, open_access
from vivavoce.runtime.clock import SystemClock
from vivavoce.store.credentials import KeyFile

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0


class ServerProcess:
    """A server in a process of its own, from readiness to its exit code."""

    def __init__(self, kind: str, drain_s: float) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
        command = [sys.executable, "-m", "tests.app.server_process", kind, str(drain_s)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        self.port = int(self._lines.readline().removeprefix("ready "))

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def exit_code(self) -> int:
        return self._process.wait(DEADLINE_S)

    def last_line(self) -> str:
        return self._lines.read().strip()

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(DEADLINE_S)
        self._lines.close()

    def websocket(self, key: str = "sk-good") -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}/v1/realtime"
        return connect(url, additional_headers={"Authorization": f"Bearer {key}"}, close_timeout=DEADLINE_S)

    def http_status(self, path: str) -> int:
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE_S) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            return int(connection.recv(4096).split()[1])


@contextlib.contextmanager
def running(kind: str = "polite", drain_s: float = 10.0) -> Iterator[ServerProcess]:
    server = ServerProcess(kind, drain_s)
    try:
        yield server
    finally:
        server.end()


# Settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("LocalHost", True), ("0.0.0.0", False), ("box", False)],
)
def test_loopback_addresses_are_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_an_open_address_needs_a_key_or_an_explicit_insecure(tmp_path: Path) -> None:
    stored = KeyFile(tmp_path / "keys.json")

    with pytest.raises(ValueError, match="needs an API key.*vivavoce keys create.*--insecure"):
        open_access(AppSettings(host="0.0.0.0", key_file=stored.path), SystemClock())

    open_access(AppSettings(host="0.0.0.0", api_keys=("sk-1",)), SystemClock())
    open_access(AppSettings(host="0.0.0.0", is_insecure=True), SystemClock())
    stored.create("", 0)
    open_access(AppSettings(host="0.0.0.0", key_file=stored.path), SystemClock())


def test_an_open_address_does_not_do_with_keys_that_are_revoked_or_expired(tmp_path: Path) -> None:
    stored = KeyFile(tmp_path / "keys.json")
    stored.revoke_key(stored.create("revoked", 0).stored.id, 1)
    stored.create("expired", 0, expires_at=2)

    with pytest.raises(ValueError, match="needs an API key"):
        open_access(AppSettings(host="0.0.0.0", key_file=stored.path), SystemClock())


def test_any_origin_is_allowed_only_where_a_key_is_demanded(tmp_path: Path) -> None:
    settings = AppSettings(allowed_origins=("*",), key_file=tmp_path / "keys.json")

    with pytest.raises(ValueError, match="only when API keys"):
        open_access(settings, SystemClock())

    KeyFile(tmp_path / "keys.json").create("", 0)
    open_access(settings, SystemClock())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"api_keys": ("",)}, "API keys"),
        ({"api_keys": (" sk-1",)}, "API keys"),
        ({"websocket_backend": "other"}, "picows"),
        ({"allowed_origins": ("app.example",)}, "origin"),
        ({"host_names": ("a b",)}, "host name"),
    ],
)
def test_settings_that_do_not_hold_together_are_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        msgspec.structs.replace(AppSettings(), **wrong)


def test_a_port_that_is_taken_is_an_os_error() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as first, pytest.raises(OSError):
        listen("127.0.0.1", first.getsockname()[1])


# Signals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_stops_on_a_signal_with_exit_code_0(number: signal.Signals) -> None:
    with running() as server:
        server.tell(number)

        assert server.exit_code() == 0
        assert server.last_line() == "stopped"


def test_after_http_requests_and_a_401_the_server_stops_with_exit_code_0() -> None:
    with running() as server:
        assert server.http_status("/healthz") == 200
        assert server.http_status("/v1/models") == 401
        with pytest.raises(Exception, match="401"):
            server.websocket("sk-bad")

        server.tell(signal.SIGTERM)

        assert server.exit_code() == 0


def test_after_a_websocket_the_server_stops_with_exit_code_0() -> None:
    with running() as server:
        with server.websocket() as websocket:
            websocket.recv()

        server.tell(signal.SIGTERM)

        assert server.exit_code() == 0


def test_with_a_websocket_open_the_session_is_drained_with_1012() -> None:
    with running() as server, server.websocket() as websocket:
        websocket.recv()

        server.tell(signal.SIGTERM)

        with pytest.raises(ConnectionClosed):
            websocket.recv(DEADLINE_S)
        assert websocket.close_code == 1012
        assert server.exit_code() == 0


def test_a_session_that_does_not_end_is_closed_with_1012_after_the_grace() -> None:
    with running("patient", 0.3) as server, server.websocket() as websocket:
        websocket.recv()

        server.tell(signal.SIGTERM)

        websocket.recv()  # a patient session tells that it was asked to end
        with pytest.raises(ConnectionClosed):
            websocket.recv(DEADLINE_S)
        assert websocket.close_code == 1012
        assert server.exit_code() == 0


def test_a_second_signal_drops_what_is_left() -> None:
    with running("patient", 1000.0) as server, server.websocket() as websocket:
        websocket.recv()

        server.tell(signal.SIGTERM)
        websocket.recv()  # a patient session tells that it was asked to end
        server.tell(signal.SIGTERM)

        assert server.exit_code() == 0


def test_a_kept_alive_http_connection_does_not_hold_the_server() -> None:
    with running() as server, socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200")

        server.tell(signal.SIGTERM)

        assert server.exit_code() == 0
