"""`vivavoce keys` as a user runs it, and a running server that follows."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from typer.testing import CliRunner, Result

from vivavoce.cli import app
from vivavoce.runtime.clock import SystemClock
from vivavoce.store.credentials import KeyFile

SCRIPTED = '[engines]\ndefault = "scripted"\n[models.table]\nvivavoce-local = "scripted"\n'
DEADLINE_S = 60.0
MAX_REQUESTS = 100_000


def run(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments, "--data-dir", str(tmp_path)])


def made(tmp_path: Path, *arguments: str) -> str:
    result = run(tmp_path, "create", *arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout.strip()


def listed(tmp_path: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(run(tmp_path, "list", "--json").stdout)
    return rows


# Commands ------------------------------------------------------------------------------------------------------------


def test_the_key_alone_goes_to_standard_output_and_is_never_shown_again(tmp_path: Path) -> None:
    key = made(tmp_path, "--name", "laptop")

    assert key.startswith("vv_")
    assert len(key.split()) == 1
    for arguments in (("list",), ("list", "--json")):
        shown = run(tmp_path, *arguments).stdout
        assert "laptop" in shown
        assert key not in shown


def test_a_key_may_expire(tmp_path: Path) -> None:
    made(tmp_path, "--expires-days", "3")

    (row,) = listed(tmp_path)
    assert isinstance(row["expires_at"], int) and isinstance(row["created_at"], int)
    assert row["expires_at"] - row["created_at"] == 3 * 86_400
    assert row["state"] == "live"


def test_the_list_tells_the_state_of_each_key(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json")
    file.create("old", 0, expires_at=1)
    made(tmp_path, "--name", "fresh")
    run(tmp_path, "revoke", file.create("gone", SystemClock().unix_s()).stored.id)

    lines = run(tmp_path, "list").stdout.splitlines()

    assert [line.split()[1] for line in lines] == ["expired", "live", "revoked"]
    assert "until 1970-01-01" in lines[0]


def test_a_key_is_revoked_once(tmp_path: Path) -> None:
    made(tmp_path)
    id = str(listed(tmp_path)[0]["id"])

    first, second = run(tmp_path, "revoke", id), run(tmp_path, "revoke", id)

    assert first.exit_code == 0
    assert second.exit_code == 1
    assert second.stderr == f"vivavoce: No key with the id '{id}' that is not revoked already.\n"


def test_a_client_secret_is_revoked_by_its_id(tmp_path: Path) -> None:
    result = run(tmp_path, "revoke", "secret_0123456789abcdef")

    assert result.exit_code == 0
    assert [one.id for one in KeyFile(tmp_path / "keys.json").load().revoked_secrets] == ["secret_0123456789abcdef"]


@pytest.mark.parametrize("name", ["x" * 101, "two\nlines", "\x1b[31m"])
def test_a_name_that_would_spoil_the_list_is_refused(tmp_path: Path, name: str) -> None:
    result = run(tmp_path, "create", "--name", name)

    assert result.exit_code == 1
    assert "printable" in result.stderr
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("arguments", [("create",), ("list",), ("revoke", "key_0"), ("revoke", "secret_" + "0" * 16)])
def test_a_damaged_file_is_one_sentence_and_exit_code_1(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "keys.json").write_text("{")

    result = run(tmp_path, *arguments)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"vivavoce: The key file {tmp_path / 'keys.json'} is damaged: ")


def test_the_data_folder_may_come_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(f'data_dir = "{tmp_path / "kept"}"\n')

    result = CliRunner().invoke(app, ["keys", "create", "--config", str(tmp_path / "own.toml")])

    assert result.exit_code == 0
    assert (tmp_path / "kept" / "keys.json").is_file()


# A running server ----------------------------------------------------------------------------------------------------


def start(tmp_path: Path, *arguments: str, log: TextIO | int = subprocess.PIPE) -> "subprocess.Popen[str]":
    (tmp_path / "scripted.toml").write_text(SCRIPTED)
    command = [sys.executable, "-m", "vivavoce", "serve", "--port", "0", "--data-dir", str(tmp_path)]
    command += ["--config", str(tmp_path / "scripted.toml"), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=tmp_path)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A server without keys. Its log goes to a file: a full pipe would hold it."""
    with (tmp_path / "log").open("w") as log:
        process = start(tmp_path, log=log)
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.kill()
            process.communicate()


def status(connection: http.client.HTTPConnection, key: str | None) -> int:
    connection.request("GET", "/v1/models", headers={} if key is None else {"Authorization": f"Bearer {key}"})
    response = connection.getresponse()
    response.read()
    return response.status


def becomes(connection: http.client.HTTPConnection, key: str | None, wanted: int) -> bool:
    """Ask until the answer is as wanted; the server looks at the key file once a second."""
    return any(status(connection, key) == wanted for _ in range(MAX_REQUESTS))


@pytest.mark.e2e
def test_a_running_server_takes_and_refuses_keys_without_a_restart(tmp_path: Path, port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    assert status(connection, None) == 200, "open on loopback while there is no key"

    key = made(tmp_path)

    assert becomes(connection, None, 401)
    assert status(connection, key) == 200
    assert status(connection, "vv_wrong") == 401
    run(tmp_path, "revoke", str(listed(tmp_path)[0]["id"]))
    assert becomes(connection, key, 401)
    assert status(connection, None) == 401, "closed, though no key is left"
    connection.close()


@pytest.mark.e2e
def test_an_open_address_is_served_with_a_key_and_not_without(tmp_path: Path) -> None:
    refused = start(tmp_path, "--host", "0.0.0.0")
    _, told = refused.communicate(timeout=DEADLINE_S)
    made(tmp_path)
    served = start(tmp_path, "--host", "0.0.0.0")
    try:
        assert served.stdout is not None
        ready = served.stdout.readline()
    finally:
        served.kill()
        served.communicate()

    assert refused.returncode == 1
    assert "vivavoce keys create" in told and "--insecure" in told
    assert ready.startswith("vivavoce ready on http://")
