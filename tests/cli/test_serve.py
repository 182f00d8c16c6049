"""The server as a process: ready line, a conversation over a real socket, exit codes."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vivavoce.cli import app

pytestmark = pytest.mark.e2e
SCRIPTED = '[engines]\ndefault = "scripted"\n[models.table]\nvivavoce-local = "scripted"\n'
DEADLINE_S = 60.0


def start(tmp_path: Path, *arguments: str) -> "subprocess.Popen[str]":
    (tmp_path / "scripted.toml").write_text(SCRIPTED)
    command = [sys.executable, "-m", "vivavoce", "serve", "--config", str(tmp_path / "scripted.toml"), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = start(tmp_path, "--port", "0")
    yield process
    process.kill()
    process.communicate()


def ready_url(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("vivavoce ready on http://127.0.0.1:"), line
    return line.removeprefix("vivavoce ready on ").strip()


def test_the_server_prints_one_line_and_leaves_with_0_on_sigterm(server: "subprocess.Popen[str]") -> None:
    ready_url(server)

    server.send_signal(signal.SIGTERM)
    rest, log = server.communicate(timeout=DEADLINE_S)

    assert server.returncode == 0
    assert rest == ""
    assert "any key is accepted" in log


def test_a_conversation_with_the_server_over_a_socket(server: "subprocess.Popen[str]") -> None:
    url = ready_url(server)

    result = CliRunner().invoke(app, ["talk", "--text", "--url", url], input="hello\n")

    assert result.stdout.splitlines() == ["you: hello", "assistant: You said: hello"]
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=DEADLINE_S) == 0


def test_a_session_that_is_open_at_sigterm_is_told_and_does_not_hold_the_server(
    tmp_path: Path, server: "subprocess.Popen[str]"
) -> None:
    url = ready_url(server)
    command = [sys.executable, "-m", "vivavoce", "talk", "--text", "--url", url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path) as client:
        assert client.stdin is not None and client.stdout is not None
        client.stdin.write("hello\n")
        client.stdin.flush()
        assert client.stdout.readline() == "you: hello\n"

        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=DEADLINE_S)
        _, complaint = client.communicate("more\n", timeout=DEADLINE_S)

    assert code == 0
    assert client.returncode == 1
    assert complaint.startswith("vivavoce: The server ended the session: 1012")


def test_a_taken_port_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        process = start(tmp_path, "--port", str(port))
        output, log = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 1
    assert output == ""
    assert f"Port {port} on 127.0.0.1 is already in use" in log
    assert "Traceback" not in log
