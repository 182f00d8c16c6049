"""Functions of the server over a real socket: a server process with the example, and a client that sees nothing."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.talking import SCRIPTED, scripted, talking
from tests.repository.serving import served

EXAMPLE = Path(__file__).parents[2] / "examples" / "server_tools.py"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give host and port of a server with the functions of the example."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / ".env").write_text(f"VIVAVOCE_TOOLS__MODULES={EXAMPLE}\n")
    with served([sys.executable, "-m", "vivavoce"], folder) as url:
        yield url.removeprefix("http://")


def call(name: str, **arguments: str) -> str:
    """Return instructions by which the model calls a function, and says what it returned."""
    return scripted(
        turns=[
            {
                "say": "Let me see.",
                "calls": [{"name": name, "arguments": arguments}],
                "then": [{"say": "It says: {output}"}],
            }
        ]
    )


@pytest.mark.parametrize(
    ("instructions", "answer"),
    [
        (call("opening_hours", day="sunday"), "It says: closed"),
        (call("stock", article="Lamps"), 'It says: {"pieces":4}'),
        (
            call("stock", article="table"),
            "It says: The tool failed: There is no article 'table'; there are: lamp, chair.",
        ),
        (
            call("opening_hours", day="someday"),
            "It says: The tool failed: The arguments do not fit: day: Input should be",
        ),
    ],
)
def test_the_model_calls_a_function_and_the_client_hears_only_the_answer(
    shop: str, instructions: str, answer: str
) -> None:
    async def scenario() -> tuple[str, list[str], str]:
        async with talking(shop, SCRIPTED, instructions=instructions, output_modalities=["text"]) as client:
            answered = await client.ask("Please.")
            again = await client.ask("And now?")
            assert again.status == "completed"
            return answered.text, client.types(), json.dumps(client.of_type("response.done"))

    text, types, done = asyncio.run(scenario())

    assert text.startswith("Let me see.")
    assert answer in text
    assert types.count("response.created") == 2
    assert not [kind for kind in types if "function_call" in kind or "mcp" in kind]
    assert "function_call" not in done


def test_the_embedded_model_calls_it_too(shop: str) -> None:
    async def scenario() -> tuple[str, str]:
        async with talking(shop, output_modalities=["text"]) as client:
            answered = await client.ask("What are the opening hours on Sunday?")
            return answered.text, json.dumps(client.of_type("response.done"))

    text, done = asyncio.run(scenario())

    assert "closed" in text.lower()
    assert "function_call" not in done
