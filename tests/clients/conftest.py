"""What the stock clients talk to and about: servers, recordings, and a web page of another origin."""

import asyncio
import functools
import http.server
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench.speech import spoken_pcm
from tests.e2e.wires import RELAY_SETTINGS
from tests.repository.serving import served
from tests.require import require
from vivavoce.app.tls import TlsFiles
from vivavoce.assets.errors import AssetError
from vivavoce.config.load import load
from vivavoce.wiring import build_engines

AGENTS_REALTIME = Path(__file__).parent / "agents-realtime"
BUNDLE = AGENTS_REALTIME / "node_modules" / "@openai" / "agents-realtime" / "dist" / "bundle"
VOICE = "[voice]\npace = 3.0\n"  # faster than it plays, slow enough to be interrupted


class Recordings(msgspec.Struct, frozen=True):
    """Files of pcm16le, mono, 24 kHz."""

    question: Path
    interruption: Path


class Running(msgspec.Struct, frozen=True):
    """A server; `tls` has the certificate to trust."""

    url: str
    tls: TlsFiles | None = None

    @property
    def trust(self) -> ssl.SSLContext | None:
        return None if self.tls is None else ssl.create_default_context(cafile=self.tls.certificate)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    """A question, and what is said over an answer."""
    folder = tmp_path_factory.mktemp("recordings")
    made = Recordings(folder / "question.pcm", folder / "interruption.pcm")
    asyncio.run(_record({made.question: "What is twelve times seven?", made.interruption: "Excuse me, please stop."}))
    return made


async def _record(sentences: dict[Path, str]) -> None:
    try:
        synthesizer = build_engines("embedded", load(environment={}).configuration).synthesizer
    except AssetError as error:
        require(False, f"the model files of the embedded engines ({error})")
        raise
    await synthesizer.start()
    for path, sentence in sentences.items():
        path.write_bytes(await spoken_pcm(synthesizer, "coral", sentence))
    await synthesizer.close()


@pytest.fixture(scope="session")
def page_url() -> Iterator[str]:
    """The address of the page that uses the browser's build of `@openai/agents-realtime`."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.05))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/page.html"
        server.shutdown()
        thread.join()


class _Pages(http.server.SimpleHTTPRequestHandler):
    """Serves our page and, under `/sdk/`, the package's own bundle."""

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def translate_path(self, path: str) -> str:
        name = Path(path.partition("?")[0]).name
        return str((BUNDLE if path.startswith("/sdk/") else AGENTS_REALTIME) / name)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, page_url: str) -> Iterator[Running]:
    """A server with its default engines and a scripted voice; pages of the other origin may use it."""
    origin = page_url.removesuffix("/page.html")
    folder = _configured(tmp_path_factory.mktemp("server"), f"SERVER__ALLOWED_ORIGINS={origin}")
    with served([sys.executable, "-m", "vivavoce"], folder) as url:
        yield Running(url)


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The same with a certificate that it has made itself."""
    folder = _configured(tmp_path_factory.mktemp("tls_server"), "SERVER__TLS_SELF_SIGNED=true")
    with served([sys.executable, "-m", "vivavoce"], folder) as url:
        yield Running(url, TlsFiles(folder / "tls" / "certificate.pem", folder / "tls" / "key.pem"))


@pytest.fixture(scope="session")
def relay_server(server: Running, tmp_path_factory: pytest.TempPathFactory, page_url: str) -> Iterator[Running]:
    """A server that relays all sessions to that one."""
    origin = page_url.removesuffix("/page.html")
    relaying = (f"SERVER__ALLOWED_ORIGINS={origin}", *RELAY_SETTINGS, f"UPSTREAM__URL={server.url}/v1")
    folder = _configured(tmp_path_factory.mktemp("relay_server"), *relaying)
    with served([sys.executable, "-m", "vivavoce"], folder) as url:
        yield Running(url)


@pytest.fixture(scope="session")
def relay_tls_server(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The same with a certificate that it has made itself."""
    relaying = ("SERVER__TLS_SELF_SIGNED=true", *RELAY_SETTINGS, f"UPSTREAM__URL={server.url}/v1")
    folder = _configured(tmp_path_factory.mktemp("relay_tls_server"), *relaying)
    with served([sys.executable, "-m", "vivavoce"], folder) as url:
        yield Running(url, TlsFiles(folder / "tls" / "certificate.pem", folder / "tls" / "key.pem"))


def _configured(folder: Path, *given: str) -> Path:
    (folder / "script.toml").write_text(VOICE)
    settings = (*given, f"SCRIPTED__SCRIPT={folder / 'script.toml'}", f"DATA_DIR={folder}")
    (folder / ".env").write_text("".join(f"VIVAVOCE_{line}\n" for line in settings))
    return folder
