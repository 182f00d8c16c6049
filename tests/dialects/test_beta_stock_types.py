"""The types of the last stock client that had the beta take what the golden pairs say in it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environments import InstallFailed, python_of
from tests.dialects.golden_client import CLIENT
from tests.dialects.golden_server import SERVER
from tests.require import require

PROGRAM = Path(__file__).resolve().parents[1] / "clients" / "openai-beta" / "validate.py"
LIMIT_S = 60.0

pytestmark = pytest.mark.slow  # on a clean machine it makes the client's environment

# What the stock types do not have or tell otherwise; the client itself reads more leniently than they say.
LATER_EVENTS = {
    "> later.event",
    "< later.event 0",
    "< transcription_session.created 0",
    "< conversation.item.input_audio_transcription.segment 0",
    "< mcp_list_tools.in_progress 0",
    "< mcp_list_tools.completed 0",
    "< mcp_list_tools.failed 0",
    "< response.mcp_call_arguments.delta 0",
    "< response.mcp_call_arguments.done 0",
    "< response.mcp_call.in_progress 0",
    "< response.mcp_call.completed 0",
    "< response.mcp_call.failed 0",
}
LATER_VALUES = {
    "> session.update: tools: MCP": "session.tools.0.type",
    "> session.update: tool_choice: function": "session.tool_choice",
    "> session.update: model": "session.model",
    "> transcription_session.update: input_audio_transcription: later members": "session.input_audio_transcription",
    "> conversation.item.create: user image": "item.content.0.type",
    "> conversation.item.create: MCP approval": "item.type",
    "> response.create: tools: MCP": "response.tools.0.type",
    "> response.create: tool_choice: function": "response.tool_choice",
    "< transcription_session.updated 0": "session.client_secret",  # as REST answers have it; sessions never did
    "< conversation.item.added: user image 0": "item.content.0.type",
    "< conversation.item.added: MCP approval 0": "item.type",
    "< response.output_item.added: mcp_call 0": "item.type",
    "< response.output_item.added: mcp_list_tools 0": "item.type",
    "< response.output_item.done: mcp_call 0": "item.type",
    "< response.output_item.done: mcp_list_tools 0": "item.type",
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What the stock types say of each row."""
    rows = [
        *((f"> {pair.row}", "client", pair.beta) for pair in CLIENT if pair.ways != "to_ga"),
        *(
            (f"< {pair.row} {index}", "server", {"event_id": "event_1", **event})
            for pair in SERVER
            for index, event in enumerate(pair.beta)
        ),
    ]
    path = tmp_path_factory.mktemp("events") / "events.json"
    path.write_text(json.dumps([[direction, event] for _, direction, event in rows]))
    said = _said(path)
    return {row: verdict for (row, _, _), verdict in zip(rows, said, strict=True)}


def _said(path: Path) -> list[Any]:
    try:
        python = python_of("openai-beta")
    except InstallFailed as error:
        require(False, f"the packages of the stock beta client ({error})")
        raise
    done = subprocess.run([str(python), str(PROGRAM), str(path)], capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr[-2000:]
    printed: list[Any] = json.loads(done.stdout)
    return printed


def test_the_stock_types_take_every_row_but_the_later_ones(verdicts: dict[str, str | None]) -> None:
    refused = {row: said for row, said in verdicts.items() if said is not None}

    assert {row for row, said in refused.items() if said == "unknown"} == LATER_EVENTS
    assert refused.keys() - LATER_EVENTS == LATER_VALUES.keys()
    assert [row for row, place in LATER_VALUES.items() if not str(refused[row]).startswith(place)] == []


def test_the_stock_types_refuse_todays_shapes(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    created = next(pair for pair in SERVER if pair.row == "response.done")
    path.write_text(json.dumps([["server", {**created.beta[0], "event_id": "e", "response": {"modalities": "audio"}}]]))

    [said] = _said(path)

    assert said is not None and said.startswith("response.modalities")
