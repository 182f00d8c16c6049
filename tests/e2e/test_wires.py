"""What is left out of the scenarios on a wire is a scenario."""

import re
from pathlib import Path

import pytest

from tests.e2e.wires import UNSAYABLE, cannot_say

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", UNSAYABLE)
def test_what_cannot_be_said_names_a_test_and_its_parameters(name: str) -> None:
    function, _, parameters = name.removesuffix("]").partition("[")

    texts = [path.read_text("utf-8") for path in HERE.glob("test_*.py")]
    sources = [text for text in texts if re.search(rf"^def {function}\(\w*server: str", text, re.MULTILINE)]

    assert any(f'"{parameters}":' in source or not parameters for source in sources)


def test_a_scenario_is_left_out_on_the_wires_of_the_beta_alone() -> None:
    name = next(name for name in UNSAYABLE if "[" in name)
    whole = next(name for name in UNSAYABLE if "[" not in name)

    assert [cannot_say(wire, name) for wire in ("ga", "beta", "beta-relay", "relay")] == [False, True, True, False]
    assert cannot_say("beta", f"{whole}[other]")
    assert not cannot_say("beta", name.partition("[")[0] + "[another]")
