"""Malformed and hostile messages over one socket: an error for each, then a spoken turn, and memory that stays flat."""

import asyncio
import sys
import time
from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec

from bench.checked_client import CheckedClient, Json, checked_client
from bench.figures import Figure
from bench.hostile_kinds import EXISTING_ITEM
from bench.hostile_messages import KINDS, HostileMessage, hostile_messages
from bench.resources import pss_mb
from bench.server import RunningServer, running_server
from bench.speech import utterances

WARM_UP: Final = 2_000  # messages before memory is measured: buffers and the parsing threads grow to their size
MESSAGES: Final = 10_000
IN_FLIGHT: Final = 100
SEED: Final = 7
ALLOWED_GROWTH_MB: Final = 8.0
SILENCE: Final = bytes(48 * 1000)


class Mismatch(msgspec.Struct, frozen=True):
    """A message that was not answered by the error it should get."""

    message: HostileMessage
    answer: Json

    def __str__(self) -> str:
        answer = self.answer.get("error", self.answer)
        return f"{self.message.kind.name}: {self.message.payload[:200]!r} was answered by {answer}"


async def provoke(client: CheckedClient, messages: Iterable[HostileMessage]) -> list[Mismatch]:
    """Send the messages and return those that did not get exactly their error, in their place."""
    waiting = iter(messages)
    found: list[Mismatch] = []
    while batch := list(islice(waiting, IN_FLIGHT)):
        found += await _provoke_batch(client, batch)
    return found


async def _provoke_batch(client: CheckedClient, batch: list[HostileMessage]) -> list[Mismatch]:
    since = client.here
    for message in batch:
        await client.send_raw(message.payload, message.event_id)
    await client.wait_until(lambda: client.here >= since + len(batch))
    answers = client.events[since:]
    found = [Mismatch(*pair) for pair in zip(batch, answers, strict=False) if not _is_its_error(*pair)]
    return found + [Mismatch(batch[-1], surplus) for surplus in answers[len(batch) :]]


def _is_its_error(message: HostileMessage, answer: Json) -> bool:
    if answer["type"] != "error" or answer["error"]["type"] != "invalid_request_error":
        return False
    return answer["error"]["event_id"] == message.event_id and answer["error"]["code"] in message.kind.codes


async def prepare(client: CheckedClient) -> None:
    """Add the item that some messages need."""
    content = [{"type": "input_text", "text": "I was here first."}]
    item = {"type": "message", "role": "user", "id": EXISTING_ITEM, "content": content}
    await client.send({"type": "conversation.item.create", "item": item})
    await client.wait_for("conversation.item.done")


async def _endure(server: RunningServer, spoken: bytes) -> list[Figure]:
    async with checked_client(server.address) as client:
        await prepare(client)
        messages = hostile_messages(WARM_UP + MESSAGES, SEED)
        wrong = await provoke(client, islice(messages, WARM_UP))
        before_mb, started = pss_mb(server.pid), time.monotonic()
        wrong += await provoke(client, messages)
        elapsed_ms = (time.monotonic() - started) * 1000
        after_mb = pss_mb(server.pid)
        since = client.here
        await client.append(spoken + SILENCE)
        answer = await client.answer(since)
        faults = [*(str(mismatch) for mismatch in wrong), *map(str, client.violations()), *client.invalid]
    for line in faults[:50]:
        print(f"  {line}", file=sys.stderr)
    is_answered = answer.status == "completed" and bool(answer.audio)
    return [
        Figure("messages", WARM_UP + MESSAGES, "messages"),
        Figure("kinds", len(KINDS), "kinds"),
        Figure("messages without exactly their error", len(wrong), "messages", 0),
        Figure("invalid events and broken invariants", len(faults) - len(wrong), "faults", 0),
        Figure("spoken turns afterwards without an answer", 0 if is_answered else 1, "turns", 0),
        Figure(f"growth of PSS over {MESSAGES} messages", after_mb - before_mb, "MB", ALLOWED_GROWTH_MB),
        Figure("time per message, client and checks included", elapsed_ms / MESSAGES, "ms"),
    ]


def run() -> list[Figure]:
    """Return how the server took the messages."""
    spoken = utterances(2)[-1].pcm
    with running_server() as server:
        return asyncio.run(_endure(server, spoken))
