"""A reader that is stuck: what the relay holds for it, and what other sessions notice.

The upstream sends as fast as it can to a client that reads nothing after its `session.created`. What has left the
upstream and lies in no socket's queue is held by the relay; the kernel tells the queues of every TCP socket.
"""

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from bench.relay.contestants import KEY, Relay
from bench.relay.latencies import Latencies
from bench.relay.load import Load
from bench.relay.processes import HOST, READY_TIMEOUT_S, await_until

OTHER_SESSIONS: Final = 20
MEASURED_S: Final = 2.0
STILL_S: Final = 0.5  # without a byte taken: the flood has come to its end
FLOOD_MESSAGES: Final = 24_000  # 64 MiB
RECEIVE_BUFFER_BYTES: Final = 16 * 1024
CREATED_LIMIT_BYTES: Final = 8 * 1024
FLOOD: Final = {"type": "response.create", "response": {"metadata": {"wish": f"flood={FLOOD_MESSAGES}"}}}


class Stuck(msgspec.Struct, frozen=True):
    """What a stuck reader costs; latencies of the other sessions without and with it."""

    sent_bytes: int
    held_bytes: int
    quiet_p99_us: float
    stuck_p99_us: float


def measure_stuck(load: Load, relay: Relay) -> Stuck:
    """Have one client read nothing while others talk."""
    load.open(OTHER_SESSIONS, relay.port, relay.path, "talk")
    try:
        quiet_us = _p99_us(load)
        with _stuck_client(relay) as client:
            _await_still(load)
            stuck_us = _p99_us(load)
            counters = load.counters()
            queued_bytes = _queued_bytes({client.getsockname()[1], counters.flooded_port})
    finally:
        load.close()
    held_bytes = max(0, counters.flooded_bytes - queued_bytes)
    return Stuck(counters.flooded_bytes, held_bytes, quiet_us, stuck_us)


def _p99_us(load: Load) -> float:
    load.forget_latencies()
    time.sleep(MEASURED_S)
    latencies = Latencies()
    latencies.add(load.report())
    return latencies.percentile_us(0.99)


@contextlib.contextmanager
def _stuck_client(relay: Relay) -> Iterator[socket.socket]:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        client.settimeout(READY_TIMEOUT_S)
        client.connect((HOST, relay.port))
        client.sendall(upgrade_request(relay))
        heard = b""
        while b"session.created" not in heard:
            received = client.recv(CREATED_LIMIT_BYTES)
            if not received:
                raise ConnectionError(f"the relay hung up; it said {heard[:80]!r}")
            heard += received
        client.sendall(masked_text(json.dumps(FLOOD).encode()))
        yield client


def upgrade_request(relay: Relay) -> bytes:
    """Return the head of a client's upgrade request."""
    lines = (
        f"GET {relay.path} HTTP/1.1",
        f"Host: {HOST}:{relay.port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
        f"Authorization: Bearer {KEY}",
        "\r\n",
    )
    return "\r\n".join(lines).encode()


def masked_text(payload: bytes) -> bytes:
    """Return a client's text frame of at most 65535 bytes, RFC 6455 section 5.2."""
    mask = os.urandom(4)
    size = struct.pack(">B", 0x80 | len(payload)) if len(payload) < 126 else struct.pack(">BH", 0xFE, len(payload))
    return b"\x81" + size + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def _await_still(load: Load) -> None:
    """Return when the upstream cannot send more, or has sent all."""
    last_bytes, since = -1, time.monotonic()

    def is_still() -> bool:
        nonlocal last_bytes, since
        flooded_bytes = load.counters().flooded_bytes
        if flooded_bytes != last_bytes or not flooded_bytes:
            last_bytes, since = flooded_bytes, time.monotonic()
        return time.monotonic() - since > STILL_S

    await_until(is_still, "the end of the flood")


def _queued_bytes(ports: set[int]) -> int:
    """Return the bytes that lie in the queues of all sockets with one of these ports at either end."""
    return queued_bytes(Path("/proc/net/tcp").read_text(), ports)


def queued_bytes(table: str, ports: set[int]) -> int:
    """Return the bytes queued at sockets with one of `ports` at either end, by a table such as /proc/net/tcp.

    A sender's queue holds what is not acknowledged, which on loopback is what lies nowhere else.
    """
    total = 0
    for line in table.splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if {int(address.rpartition(":")[2], 16) for address in (local, remote)} & ports:
            total += sum(int(size, 16) for size in queues.split(":"))
    return total
