"""Whole sessions under any order of inputs: the wire's invariants hold, nothing raises, the input log replays."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.conversations import (
    POLICY,
    SPOKEN,
    Step,
    end,
    opened,
    steps,
    take_client_step,
    take_engine_step,
)
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import Disconnected, Output
from vivavoce.protocol.ids import CountingIds
from vivavoce.testing.driver import plain_session


@given(st.lists(steps, max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_order_of_inputs_keeps_the_invariants_of_the_wire(script: list[Step]) -> None:
    driver = opened()

    for step in script:
        if not take_client_step(driver, step):
            take_engine_step(driver, step)
    end(driver)

    assert [str(violation) for violation in driver.checker.finish()] == []


@pytest.mark.parametrize("seed", range(40))
def test_long_conversations_keep_the_invariants_of_the_wire(seed: int) -> None:
    choose = random.Random(seed)
    driver = opened()

    for step in choose.choices(SPOKEN, k=250):
        if not take_client_step(driver, step):
            take_engine_step(driver, step)
    end(driver)

    assert [str(violation) for violation in driver.checker.finish()] == []


@given(st.lists(steps, max_size=40))
@settings(max_examples=40, deadline=None)
def test_an_input_log_replays_bit_for_bit(script: list[Step]) -> None:
    driver = opened()
    for step in script:
        if not take_client_step(driver, step):
            take_engine_step(driver, step)
    driver.post(Disconnected())

    again = LocalSession(plain_session(), CountingIds(), POLICY)
    replayed: list[Output] = []
    for now, input in driver.inputs:
        replayed += again.handle_timer(now) if input is None else again.handle(input, now)

    assert replayed == driver.outputs
