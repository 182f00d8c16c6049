"""Which chosen engines are on other machines, where a question may cost money, and whether they can be reached."""

import asyncio
import contextlib
import ipaddress
import time
from typing import Final
from urllib.parse import urlsplit

import msgspec

from vivavoce.cli.checks import CheckFailed
from vivavoce.config.hybrid import LOCAL
from vivavoce.config.model import Configuration

REACH_S: Final = 5.0
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class Place(msgspec.Struct, frozen=True):
    """A host and a port that an engine is asked at."""

    host: str
    port: int

    @property
    def is_near(self) -> bool:
        """Whether it is this machine or one of its private network: nobody sends a bill for it."""
        if self.host == "localhost" or self.host.endswith((".localhost", ".local", ".internal")):
            return True
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(self.host)
            return address.is_loopback or address.is_private or address.is_link_local
        return "." not in self.host  # a name of the local network, such as that of a container

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def place_of(url: str) -> Place:
    """Return where a URL leads; raises CheckFailed if that cannot be told."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        host, port = None, None
    if not host or port is None:
        raise CheckFailed(f"expected the address of a server, got {url!r}")
    return Place(host, port)


def stage_places(configuration: Configuration) -> dict[str, Place]:
    """Return where the stages of the default pipeline are asked that other servers do, by their name."""
    if configuration.engines.default != "hybrid":
        return {}
    stages = configuration.hybrid.stages.items()
    return {name: place_of(stage.base_url) for name, stage in stages if stage.engine != LOCAL}


def withheld_places(configuration: Configuration, *, may_spend: bool) -> dict[str, Place]:
    """Return where the stages are asked that must not be asked, by their name; raises as `place_of`."""
    places = stage_places(configuration)
    return {} if may_spend else {name: place for name, place in places.items() if not place.is_near}


async def reach(place: Place) -> str:
    """Open a connection and close it, without a word; returns a sentence. Raises CheckFailed."""
    began_s = time.perf_counter()
    try:
        async with asyncio.timeout(REACH_S):
            _, writer = await asyncio.open_connection(place.host, place.port)
    except TimeoutError as error:
        raise CheckFailed(f"{place} cannot be reached: no answer within {REACH_S:.0f} s") from error
    except OSError as error:
        raise CheckFailed(f"{place} cannot be reached: {error.strerror or error}") from error
    elapsed_ms = 1000 * (time.perf_counter() - began_s)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return f"{place} accepts connections, after {elapsed_ms:.0f} ms"


def unmeasured(reached: str) -> str:
    """Return the sentence for an engine that was not asked anything."""
    return f"not measured: {reached}; a question may cost money, --spend asks a few"
