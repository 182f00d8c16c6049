"""Property: whatever clients, upstreams and their faults do in whatever order, a relayed session keeps its rules.

Random conversations, each repeatable by its seed. `VIVAVOCE_FUZZ_SECONDS` gives about that long instead of a fixed
number of conversations.
"""

import itertools
import os
import random
import time
from collections.abc import Iterator
from typing import Final

import pytest

from tests.core.relay.chaos import Chaos, check_all

SECONDS: Final = float(os.environ.get("VIVAVOCE_FUZZ_SECONDS", "0"))
CONVERSATIONS: Final = 40
STEPS: Final = 200


def seeds() -> Iterator[int]:
    """Yield seeds: a fixed number of them, or for `VIVAVOCE_FUZZ_SECONDS` ones that were not used before."""
    if not SECONDS:
        yield from range(1000, 1000 + CONVERSATIONS)
        return
    until = time.monotonic() + SECONDS
    for seed in itertools.count(time.time_ns()):
        if time.monotonic() >= until:
            return
        yield seed


@pytest.mark.fuzz
@pytest.mark.timeout(SECONDS + 120)
def test_relayed_conversations_over_failing_upstreams_keep_the_rules() -> None:
    for seed in seeds():
        chaos = Chaos(random.Random(seed), has_functions=seed % 2 == 0)
        try:
            for _ in range(STEPS):
                chaos.step()
            chaos.end()
            check_all(chaos)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error
