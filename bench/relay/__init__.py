"""The relay against byte pumps and other relays: CPU, latency, memory, and what becomes of messages, in one run.

All relays dial the same scripted upstream and are measured in turns, in random order: figures are good as ratios and
differences within one run. README.md of this folder tells how and why.
"""

import tempfile
from pathlib import Path

import msgspec

from bench.figures import Figure
from bench.relay.contestants import CONTESTANTS, LITELLM, PLAIN, VIVAVOCE
from bench.relay.exactness import exact_messages
from bench.relay.goals import goals, goals_of_messages
from bench.relay.native_programs import compiler
from bench.relay.passive import Passive, passive_turns
from bench.relay.stages import QUICK, Effort, measure_all
from bench.relay.tables import records, table


def run(*, is_quick: bool = False, json_path: Path | None = None) -> list[Figure]:
    """Return the figures of our relay; print those of all, and write them to `json_path`."""
    if compiler() is None:
        print("  skipped: the load and the byte pump are C programs, and there is no C compiler", flush=True)
        return []
    with tempfile.TemporaryDirectory(prefix="vivavoce-bench-") as name:
        folder = Path(name)
        rows = measure_all(folder, QUICK if is_quick else Effort())
        exactness = exact_messages(VIVAVOCE, folder)
        passive = _passive(folder)
    found = records(rows)
    figures = goals(rows) + goals_of_messages(exactness, passive)
    print(table(found), flush=True)
    if json_path is not None:
        everything = {"relays": found, "passive": passive, "exactness": exactness, "goals": figures}
        json_path.write_bytes(msgspec.json.format(msgspec.json.encode(everything)))
    return figures


def _passive(folder: Path) -> dict[str, Passive]:
    contestants = [one for one in CONTESTANTS if one in (VIVAVOCE, LITELLM, PLAIN) and one.missing() is None]
    return {one.name: passive_turns(one, folder) for one in contestants}
