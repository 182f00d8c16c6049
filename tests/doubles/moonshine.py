"""Lets processes use the stand-in for the package moonshine-voice, which must not be imported by the tests' own."""

import json
import os
from pathlib import Path

import pytest

DOUBLES = Path(__file__).parent


def use_double(monkeypatch: pytest.MonkeyPatch, **behaviour: object) -> None:
    """Put the stand-in before the real package, for this process's looks and its children's imports."""
    monkeypatch.syspath_prepend(DOUBLES)
    monkeypatch.setenv("PYTHONPATH", str(DOUBLES), prepend=os.pathsep)
    monkeypatch.setenv("MOONSHINE_DOUBLE", json.dumps(behaviour))
