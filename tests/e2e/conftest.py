"""One server for the whole folder, and sentences to say to it."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from bench.speech import spoken_pcm
from tests.e2e.wires import WIRES, cannot_say
from tests.repository.serving import served
from vivavoce.config.load import load
from vivavoce.wiring import build_engines


class Say(Protocol):
    """Returns a sentence as speech: pcm16le, mono, 24 kHz."""

    def __call__(self, text: str, voice: str = "coral") -> bytes: ...


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot be said on a wire."""
    left_out = [item for item in items if isinstance(item, pytest.Function) and _cannot_be_said(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _cannot_be_said(item: pytest.Function) -> bool:
    """The name of a test has its other parameters behind the wire: `test_x[beta-other]`."""
    if not hasattr(item, "callspec") or "wire" not in item.callspec.params:
        return False
    wire = str(item.callspec.params["wire"])
    others = item.callspec.id.removeprefix(wire).removeprefix("-")
    return cannot_say(wire, f"{item.originalname}[{others}]")


@pytest.fixture(scope="session", params=WIRES)
def wire(request: pytest.FixtureRequest) -> str:
    """Name the way by which clients reach the servers."""
    return str(request.param)


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give host and port of a server with the default configuration; afterwards it must end with 0 on SIGTERM."""
    with served([sys.executable, "-m", "vivavoce"], tmp_path_factory.mktemp("server")) as url:
        yield url.removeprefix("http://")


@pytest.fixture(scope="session")
def server(own_server: str, wire: str) -> Iterator[str]:
    """Give host and port where clients reach that server."""
    with WIRES[wire](own_server) as address:
        yield address


@pytest.fixture
def server_for_one(tmp_path: Path, wire: str) -> Iterator[str]:
    """Give host and port of a scripted server that takes one session at a time."""
    settings = ("SERVER__MAX_SESSIONS=1", "ENGINES__DEFAULT=scripted", 'MODELS__TABLE={"vivavoce-local": "scripted"}')
    (tmp_path / ".env").write_text("".join(f"VIVAVOCE_{setting}\n" for setting in settings))
    with (
        served([sys.executable, "-m", "vivavoce"], tmp_path) as url,
        WIRES[wire](url.removeprefix("http://")) as address,
    ):
        yield address


PROMPTS = {
    "pmpt_greeting.md": 'vivavoce-script: {"otherwise": {"say": "Welcome, {{name}}, to {{place}}."}}\n',
    "pmpt_greeting@2.md": 'vivavoce-script: {"otherwise": {"say": "Hello again, {{name}}."}}\n',
}


@pytest.fixture(scope="session")
def own_open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give host and port of a scripted server where all that is off by default is on: limits, prompts, MCP."""
    folder = tmp_path_factory.mktemp("open_server")
    prompts = folder / "prompts"
    prompts.mkdir()
    for name, text in PROMPTS.items():
        (prompts / name).write_text(text)
    settings = (
        f"PROMPTS_DIR={prompts}",
        "ENGINES__DEFAULT=scripted",
        "LIMITS__REQUESTS_PER_MIN=1000",
        "LIMITS__TOKENS_PER_MIN=1000000",
        "MCP__ALLOWED_HOSTS=mcp.invalid,127.0.0.1",
    )
    (folder / ".env").write_text("".join(f"VIVAVOCE_{setting}\n" for setting in settings))
    with served([sys.executable, "-m", "vivavoce"], folder) as url:
        yield url.removeprefix("http://")


@pytest.fixture(scope="session")
def open_server(own_open_server: str, wire: str) -> Iterator[str]:
    """Give host and port where clients reach that server."""
    with WIRES[wire](own_open_server) as address:
        yield address


@pytest.fixture(scope="session")
def own_strict_server(tmp_path_factory: pytest.TempPathFactory, wire: str) -> Iterator[str]:
    """Give host and port of a scripted server whose sessions end after 3 s, and with one response a minute.

    Each wire has one of its own, with that one response.
    """
    folder = tmp_path_factory.mktemp("strict_server")
    settings = ("ENGINES__DEFAULT=scripted", "SERVER__SESSION_LIFETIME_MIN=0.05", "LIMITS__REQUESTS_PER_MIN=1")
    (folder / ".env").write_text("".join(f"VIVAVOCE_{setting}\n" for setting in settings))
    with served([sys.executable, "-m", "vivavoce"], folder) as url:
        yield url.removeprefix("http://")


@pytest.fixture(scope="session")
def strict_server(own_strict_server: str, wire: str) -> Iterator[str]:
    """Give host and port where clients reach that server."""
    with WIRES[wire](own_strict_server) as address:
        yield address


@pytest.fixture(scope="session")
def say() -> Iterator[Say]:
    """Give a function that speaks a sentence, once."""
    synthesizer = build_engines("embedded", load(environment={}).configuration).synthesizer
    spoken: dict[tuple[str, str], bytes] = {}
    with asyncio.Runner() as runner:
        runner.run(synthesizer.start())

        def sentence(text: str, voice: str = "coral") -> bytes:
            if (text, voice) not in spoken:
                spoken[text, voice] = runner.run(spoken_pcm(synthesizer, voice, text))
            return spoken[text, voice]

        yield sentence
        runner.run(synthesizer.close())
