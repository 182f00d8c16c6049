"""Relayed sessions under any order of steps and faults: the rules of `chaos` hold, and nothing raises."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.relay.chaos import Chaos, check_all


@given(seed=st.integers(0, 2**32), has_functions=st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_order_of_steps_and_faults_keeps_the_rules(seed: int, has_functions: bool) -> None:
    chaos = Chaos(random.Random(seed), has_functions=has_functions)

    for _ in range(60):
        chaos.step()
    chaos.end()

    check_all(chaos)


@pytest.mark.parametrize("seed", range(30))
def test_long_conversations_over_failing_upstreams_keep_the_rules(seed: int) -> None:
    chaos = Chaos(random.Random(seed), has_functions=seed % 2 == 0)

    for _ in range(250):
        chaos.step()
    chaos.end()

    check_all(chaos)
