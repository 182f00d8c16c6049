"""The file of what keys have spent: whole or not at all, and never taken for nothing."""

import json
import os
import stat
from pathlib import Path

import pytest

from vivavoce.core.ledger import DayTotals, ModelTotals
from vivavoce.store.spending import SpendingFile, SpendingUnreadable, encoded

SPENT = {"key": DayTotals(day=20_000, nano=5, session_ms=7, models={"m": ModelTotals(nano=5, responses=1)})}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = SpendingFile(tmp_path / "data" / "spending.json")

    file.write(encoded(SPENT))

    assert file.load() == SPENT
    assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["spending.json"]


def test_without_a_file_nothing_was_spent(tmp_path: Path) -> None:
    assert SpendingFile(tmp_path / "spending.json").load() == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 2}', b'{"keys": {"k": {}}}', b"\xff"])
def test_a_damaged_file_is_no_empty_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "spending.json"
    path.write_bytes(content)

    with pytest.raises(SpendingUnreadable, match=f"The spending file {path} is damaged"):
        SpendingFile(path).load()


def test_a_file_that_cannot_be_written_leaves_what_there_was(tmp_path: Path) -> None:
    file = SpendingFile(tmp_path / "spending.json")
    file.path.mkdir()  # nothing can take its place

    with pytest.raises(OSError):
        file.write(encoded(SPENT))

    assert [path.name for path in tmp_path.iterdir()] == ["spending.json"]


def test_the_content_does_not_depend_on_the_order_of_keys() -> None:
    one, other = {"a": DayTotals(1), "b": DayTotals(2)}, {"b": DayTotals(2), "a": DayTotals(1)}

    assert encoded(one) == encoded(other)
    assert list(json.loads(encoded(other))["keys"]) == ["a", "b"]
