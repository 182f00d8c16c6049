"""Roll-over: a conversation through forced changes of upstream connections, with nothing seen and nothing lost."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.checked_client import CheckedClient, checked_client
from bench.figures import Figure, spread
from bench.server import running_server
from vivavoce.testing.upstream import Upstream, scripted_upstream
from vivavoce.testing.upstream_session import UpstreamSession

ROLL_OVERS: Final = 6  # three are promised
ROLLOVER_MIN: Final = 0.01
MAX_TURNS: Final = 400
SILENCE_S: Final = 0.1  # between turns, in which a change may come
INSTRUCTIONS: Final = "Be brief."

CONFIGURATION: Final = """
[server]
port = 0
[engines]
default = "scripted"
[models.table]
vivavoce-scripted = "scripted"
[upstream]
url = "{url}"
api_key = "sk-bench"
allow_anonymous = true
rollover_min = {rollover_min}
"""


class Seen(msgspec.Struct, kw_only=True):
    """What the conversation was like: the times to the first audio, on the same connection and on a fresh one."""

    turns: int
    changes: int
    errors: int
    faults: int
    lost_items: int
    uninvited: int
    same_ms: list[float]
    changed_ms: list[float]


async def _turn(client: CheckedClient, text: str) -> float:
    """Write something and have it answered; return the milliseconds to the first audio."""
    loop, since = asyncio.get_running_loop(), client.here
    await client.write(text)
    started = loop.time()
    await client.send({"type": "response.create"})
    await client.wait(lambda event: event["type"] == "response.output_audio.delta", since)
    first_ms = (loop.time() - started) * 1000
    await client.answer(since)
    return first_ms


async def _converse(client: CheckedClient, upstream: Upstream) -> Seen:
    same_ms: list[float] = []
    changed_ms: list[float] = []
    await client.configure(instructions=INSTRUCTIONS)
    turns, changes, serving = 0, 0, upstream.session
    while changes < ROLL_OVERS and turns < MAX_TURNS:
        turns += 1
        first_ms = await _turn(client, f"question {turns}")
        before, serving = serving, _serving(upstream, turns)
        changes += serving is not before
        (same_ms if serving is before else changed_ms).append(first_ms)
        await asyncio.sleep(SILENCE_S)
    return Seen(
        turns=turns,
        changes=changes,
        errors=len(client.of_type("error")),
        faults=len(client.invalid) + len(client.violations()),
        lost_items=2 * turns - _told(serving.items, turns),
        uninvited=abs(upstream.count("response.create") - turns),
        same_ms=same_ms,
        changed_ms=changed_ms,
    )


def _serving(upstream: Upstream, turn: int) -> UpstreamSession:
    """Return the session that has answered a turn."""
    return next(one for one in upstream.sessions if _asks(one, turn))


def _asks(session: UpstreamSession, turn: int) -> bool:
    asked = (record.context[-1]["content"][0].get("text") for record in session.responses)
    return f"question {turn}" in asked


def _told(items: list[Any], turns: int) -> int:
    """Return how many of the questions and answers an upstream has, the questions in their order (JSON boundary)."""
    texts = [part.get("text") or part.get("transcript") for item in items for part in item["content"]]
    wanted = [f"question {number}" for number in range(1, turns + 1)]
    questions = [text for text in texts if text in wanted]
    return (turns if questions == wanted else 0) + len(texts) - len(questions)


async def _measure() -> Seen:
    with tempfile.TemporaryDirectory() as folder:
        async with scripted_upstream() as upstream:
            path = Path(folder) / "relay.toml"
            path.write_text(CONFIGURATION.format(url=upstream.url, rollover_min=ROLLOVER_MIN))
            with running_server("--config", str(path), "--data-dir", folder) as server:
                async with checked_client(server.address, "gpt-realtime") as client:
                    return await _converse(client, upstream)


def run() -> list[Figure]:
    """Converse until there were enough roll-overs."""
    seen = asyncio.run(_measure())
    figures = [
        Figure("turns of the conversation", seen.turns, "turns"),
        Figure("roll-overs short of the wanted ones", max(0, ROLL_OVERS - seen.changes), "roll-overs", 0),
        Figure("errors that the client saw", seen.errors, "errors", 0),
        Figure("invalid events and broken invariants", seen.faults, "faults", 0),
        Figure("items that the last upstream lacks", seen.lost_items, "items", 0),
        Figure("response.create that nobody asked for", seen.uninvited, "requests", 0),
        *spread("first audio, same connection", seen.same_ms, "ms"),
    ]
    return [
        *figures,
        *(spread("first audio, first turn of a connection", seen.changed_ms, "ms") if seen.changed_ms else []),
    ]


if __name__ == "__main__":
    for figure in run():
        print(figure.line(), file=sys.stdout)
