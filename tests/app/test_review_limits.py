"""What a server remembers of callers that come and go, and what its traces and commands show of keys."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from tests.app.serving import ManualClock, ask_json, serving
from tests.runtime.test_registry import SETTINGS, engines
from tests.transports.echo_host import EchoHost
from tests.transports.peers import run
from vivavoce.app.server import AppSettings
from vivavoce.cli import app
from vivavoce.core.rate_limits import RateLimits
from vivavoce.protocol.ids import CountingIds
from vivavoce.runtime import registry
from vivavoce.runtime.clock import LoopClock
from vivavoce.runtime.registry import Registry
from vivavoce.runtime.sink import SessionRequest
from vivavoce.runtime.trace_lines import shown
from vivavoce.store.credentials import KeyFile


def limits_of(host: Registry, key: str) -> RateLimits:
    return host._limits_of(SessionRequest("req_1", credential_id=key))


def test_rate_limits_of_random_keys_do_not_pile_up() -> None:
    host = Registry({"scripted": engines()}, SETTINGS, LoopClock(), CountingIds())
    first = limits_of(host, "first")

    for number in range(registry.MAX_REMEMBERED_KEYS):
        limits_of(host, f"random {number}")

    assert limits_of(host, "first") is not first
    assert len(host._limits) == registry.MAX_REMEMBERED_KEYS


def test_a_key_in_use_keeps_its_limits_among_random_ones() -> None:
    settings = msgspec.structs.replace(SETTINGS, requests_per_min=5)
    host = Registry({"scripted": engines()}, settings, LoopClock(), CountingIds())
    used = limits_of(host, "used")

    for number in range(2 * registry.MAX_REMEMBERED_KEYS):
        limits_of(host, f"random {number}")
        if number % 1000 == 0:
            limits_of(host, "used")

    assert limits_of(host, "used") is used


@pytest.mark.parametrize(
    ("url", "traced"),
    [
        ("https://mcp.example/mcp", "https://mcp.example/mcp"),
        ("https://mcp.example/mcp?token=abc", "https://mcp.example/mcp?***"),
        ("https://user:pass@mcp.example/mcp", "https://***@mcp.example/mcp"),
    ],
)
def test_a_trace_does_not_show_keys_in_the_urls_of_mcp_servers(url: str, traced: str) -> None:
    tool = {"type": "mcp", "server_label": "x", "server_url": url, "authorization": "abc", "headers": {"X": "abc"}}

    line = shown({"type": "session.update", "session": {"tools": [tool]}})

    assert line["session"]["tools"][0] == {
        **tool,
        "server_url": traced,
        "authorization": "***",
        "headers": {"X": "***"},
    }


def test_a_key_can_be_revoked_by_itself(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json")
    made = file.create("shop", 1_800_000_000)

    result = CliRunner().invoke(app, ["keys", "revoke", made.text, "--data-dir", str(tmp_path)])

    assert result.exit_code == 0
    assert made.stored.id in result.stderr and made.text not in result.stderr
    assert file.load().keys[0].revoked_at is not None


def test_a_client_secret_can_be_revoked_by_itself(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["keys", "revoke", f"ek_{'0' * 64}", "--data-dir", str(tmp_path)])

    assert result.exit_code == 0
    assert KeyFile(tmp_path / "keys.json").load().revoked_secrets[0].id == "secret_f2d559c3679b769d"


def test_a_secret_that_was_revoked_by_the_command_is_not_listed(tmp_path: Path) -> None:
    settings = AppSettings(key_file=tmp_path / "keys.json")
    clock = ManualClock()

    async def scenario() -> list[list[str]]:
        async with serving(EchoHost(), settings, clock=clock) as port:
            for _ in range(2):
                await ask_json(port, "POST /v1/realtime/client_secrets", {})
            before = [card["id"] for card in (await ask_json(port, "GET /api/client_secrets")).json["data"]]
            CliRunner().invoke(app, ["keys", "revoke", before[0], "--data-dir", str(tmp_path)])
            clock.now_s += 2
            after = [card["id"] for card in (await ask_json(port, "GET /api/client_secrets")).json["data"]]
            return [before, after]

    before, after = run(scenario())

    assert after == before[1:]


def test_a_key_file_that_cannot_be_changed_is_named() -> None:
    result = CliRunner().invoke(app, ["keys", "create", "--data-dir", "/proc/no-such-folder"])

    assert result.exit_code == 1
    assert "/proc/no-such-folder/keys.json cannot be changed" in result.stderr
