"""Messages through a relay, both ways, to readers that are slow: are they the same byte for byte?

Sizes go from the shortest event to 4 MiB, around every limit of the framing; they come in fragments of 1 byte to
4 MiB. The readers have small socket buffers, keep next to nothing ahead and pause, so that the relay must hold back.
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from websockets.asyncio.connection import Connection

from bench.relay.contestants import Contestant, Upstream
from bench.relay.scripted_upstream import ScriptedUpstream, client_of, scripted_upstream, shrink_receive_buffer

SIZES: Final = (
    *(64, 125, 126, 127, 128, 1000, 2640, 4095, 4096, 4097, 8191, 8192, 8193, 16_384),
    *(65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 1_048_576, 4_194_304),
)
FRAGMENTS: Final = ((1, 300), (7, 5000), (1000, 300_000), (65_536, 1 << 40))  # bytes each, for messages up to
PAUSE_S: Final = 0.02
READ_LIMIT_S: Final = 60.0
MARK: Final = '{"type":"bench.'
TEXT: Final = (
    'aZ09+/=\\\\\\" é 語 \\u00e9 🎧 '  # the inside of a JSON string, with escapes and characters of 1 to 4 bytes
)


class Exactness(msgspec.Struct, frozen=True):
    """Messages sent, and those that arrived otherwise, not at all, or in another order."""

    messages: int
    sent_bytes: int
    faults: list[str]


def message_of(kind: str, number: int, size_bytes: int) -> str:
    """Return an event of exactly so many bytes (of the shortest possible size, if that is less)."""
    head = f'{{"type":"{kind}","event_id":"event_{number}","note":"'
    room = size_bytes - len(head) - 2
    text = (TEXT * (max(room, 0) // len(TEXT.encode()))) if room > 0 else ""
    filler = "x" * max(0, room - len(text.encode()))
    return f'{head}{text}{filler}"}}'


def messages(kind: str) -> list[tuple[str, int | None]]:
    """Return messages of every size with the size of their fragments; None is unfragmented."""
    found: list[tuple[str, int | None]] = []
    for size_bytes in SIZES:
        for fragment in (None, *(bytes_ for bytes_, limit in FRAGMENTS if bytes_ < size_bytes <= limit)):
            found.append((message_of(kind, len(found), size_bytes), fragment))
    return found


def exact_messages(contestant: Contestant, folder: Path) -> Exactness:
    """Send every message through a relay of its own, both ways at once."""
    return asyncio.run(_both_ways(contestant, folder))


def _fragments(message: str, size: int) -> Iterator[str]:
    return (message[at : at + size] for at in range(0, len(message), size))


async def _send_all(connection: Connection, outgoing: list[tuple[str, int | None]]) -> None:
    for message, fragment in outgoing:
        await connection.send(message if fragment is None else _fragments(message, fragment))


async def _read_slowly(connection: Connection, wanted: int) -> list[str]:
    """Return the first messages that are not the relay's or the script's own."""
    found: list[str] = []
    shrink_receive_buffer(connection)
    async with asyncio.timeout(READ_LIMIT_S):
        while len(found) < wanted:
            found += _of_this_test([str(await connection.recv())])
            await asyncio.sleep(PAUSE_S)
    return found


async def _arrived(upstream: ScriptedUpstream, wanted: int) -> list[str]:
    async with asyncio.timeout(READ_LIMIT_S):
        await upstream.wait_for(lambda: len(_of_this_test(upstream.received)) >= wanted)
    return _of_this_test(upstream.received)


def _of_this_test(received: Sequence[str]) -> list[str]:
    return [message for message in received if message.startswith(MARK)]


def _compare(direction: str, outgoing: list[tuple[str, int | None]], incoming: list[str]) -> list[str]:
    faults = [
        f"{direction}: message {number} of {len(message.encode())} bytes in fragments of {fragment}"
        for number, ((message, fragment), received) in enumerate(zip(outgoing, incoming, strict=False))
        if message != received
    ]
    lost = len(outgoing) - len(incoming)
    return [*faults, *([f"{direction}: {lost} messages did not arrive"] if lost else [])]


async def _both_ways(contestant: Contestant, folder: Path) -> Exactness:
    up, down = messages("bench.up"), messages("bench.down")
    async with scripted_upstream(lambda event: (), PAUSE_S) as upstream:
        running = contestant.start(Upstream(upstream.port), folder)
        relay = await asyncio.to_thread(running.__enter__)
        try:
            async with client_of(relay, max_queue=1) as client, asyncio.TaskGroup() as group:
                await client.recv()
                behind = await upstream.connection()
                group.create_task(_send_all(client, up))
                group.create_task(_send_all(behind, down))
                arrived_down = group.create_task(_read_slowly(client, len(down)))
                arrived_up = group.create_task(_arrived(upstream, len(up)))
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)
    faults = _compare("up", up, arrived_up.result()) + _compare("down", down, arrived_down.result())
    sent_bytes = sum(len(message.encode()) for message, _ in (*up, *down))
    return Exactness(len(up) + len(down), sent_bytes, faults)
