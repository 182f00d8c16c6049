"""The relays that are compared, each started as a process of its own in front of the same upstream."""

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import msgspec

from bench.relay.haproxy import haproxy, running_haproxy
from bench.relay.native_programs import compile_program, compiler
from bench.relay.peers import INSTALL, python_of
from bench.relay.processes import HOST, accepts, await_until, first_line, free_port, listening_socket, started
from bench.server import READY

KEY: Final = f"sk-{secrets.token_hex(32)}"  # what clients present; LiteLLM takes none that could be guessed
CAPACITY: Final = 5000
READY_S: Final = 90.0


class Upstream(msgspec.Struct, frozen=True):
    """The scripted upstream as a relay dials it; without a certificate the connection is plain."""

    port: int
    certificate: Path | None = None

    def url(self, scheme: str) -> str:
        """Return its address for a scheme, `http` or `ws`."""
        return f"{scheme}{'s' if self.certificate else ''}://{HOST}:{self.port}"

    def trust(self) -> dict[str, str]:
        """Return the environment in which its certificate is trusted."""
        return {"SSL_CERT_FILE": str(self.certificate)} if self.certificate else {}


class Relay(msgspec.Struct, frozen=True):
    """A relay that accepts connections."""

    pid: int
    port: int
    path: str = "/v1/realtime?model=gpt-realtime"


Start = Callable[[Upstream, Path], AbstractContextManager[Relay]]


class Contestant(msgspec.Struct, frozen=True):
    """A kind of relay; `missing` returns what this machine lacks to run it, None if nothing."""

    name: str
    start: Start
    missing: Callable[[], str | None] = lambda: None
    speaks_tls: bool = True


@contextlib.contextmanager
def c_pump(upstream: Upstream, folder: Path) -> Iterator[Relay]:
    program = compile_program("pump", folder)
    with started([program, str(upstream.port)], folder / "pump.log") as process:
        yield Relay(process.pid, int(first_line(process)))


@contextlib.contextmanager
def haproxy_pump(upstream: Upstream, folder: Path) -> Iterator[Relay]:
    tls = f" ssl verify required ca-file {upstream.certificate}" if upstream.certificate else ""
    with running_haproxy("pump-tls" if tls else "pump", folder, "", f"{HOST}:{upstream.port}{tls}") as (pid, port):
        yield Relay(pid, port)


@contextlib.contextmanager
def plain_relay(upstream: Upstream, folder: Path) -> Iterator[Relay]:
    url = upstream.url("ws") + "/v1/realtime?model=gpt-realtime"
    with listening_socket() as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        command = [sys.executable, "-m", "bench.relay.plain_relay", url, str(descriptor)]
        log = folder / "plain_relay.log"
        with started(command, log, environment=upstream.trust(), descriptors=[descriptor]) as process:
            yield Relay(process.pid, port)


@contextlib.contextmanager
def litellm(upstream: Upstream, folder: Path) -> Iterator[Relay]:
    port = free_port()
    configuration = folder / f"litellm-{port}.json"  # JSON is YAML
    behind = {"model": "openai/gpt-realtime", "api_base": upstream.url("http"), "api_key": "sk-upstream"}
    model = {"model_name": "bench", "litellm_params": behind, "model_info": {"mode": "realtime"}}
    configuration.write_bytes(msgspec.json.encode({"model_list": [model]}))
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": KEY, **upstream.trust()}
    program = python_of("litellm").with_name("litellm")
    options = ["--config", str(configuration), "--host", HOST, "--port", str(port), "--num_workers", "1"]
    with started([str(program), *options], folder / "litellm.log", environment=environment, folder=folder) as process:
        await_until(lambda: accepts(port) or process.poll() is not None, "litellm", READY_S)
        if process.poll() is not None:
            raise RuntimeError("LiteLLM did not start; see litellm.log")
        yield Relay(process.pid, port, "/v1/realtime?model=bench")


@contextlib.contextmanager
def vivavoce(upstream: Upstream, folder: Path) -> Iterator[Relay]:
    """Run this project's server with keys, so that every session is checked and counted."""
    settings = {
        "UPSTREAM__URL": upstream.url("http") + "/v1",
        "UPSTREAM__API_KEY": "sk-upstream",
        "SERVER__API_KEYS": KEY,
        "SERVER__MAX_SESSIONS": str(CAPACITY),
        "SERVER__MAX_SESSIONS_PER_KEY": str(CAPACITY),
    }
    environment = {f"VIVAVOCE_{name}": value for name, value in settings.items()} | upstream.trust()
    flags = ["--port", "0", "--engine", "scripted", "--data-dir", str(folder / "data")]
    with started(
        [sys.executable, "-m", "vivavoce", "serve", *flags], folder / "vivavoce.log", environment=environment
    ) as process:
        match = READY.match(first_line(process))
        assert match is not None, "the first line is the ready line"
        yield Relay(process.pid, int(match[1].rpartition(":")[2]))


def _missing_compiler() -> str | None:
    return None if compiler() else "a C compiler"


def _missing_haproxy() -> str | None:
    return None if haproxy() else "HAProxy (Debian package `haproxy`)"


def _missing_litellm() -> str | None:
    return None if os.access(python_of("litellm"), os.X_OK) else f"LiteLLM (`{INSTALL}` installs it, 740 MB)"


C_PUMP: Final = Contestant("C byte pump", c_pump, _missing_compiler, speaks_tls=False)
HAPROXY: Final = Contestant("HAProxy, TCP mode", haproxy_pump, _missing_haproxy)
VIVAVOCE: Final = Contestant("vivavoce", vivavoce)
PLAIN: Final = Contestant("uvicorn + websockets", plain_relay)
LITELLM: Final = Contestant("LiteLLM proxy", litellm, _missing_litellm)
CONTESTANTS: Final = (C_PUMP, HAPROXY, VIVAVOCE, PLAIN, LITELLM)
