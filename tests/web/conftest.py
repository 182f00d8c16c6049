"""One server for all tests of the page: the embedded engines, and a script that answers at length."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository.serving import served
from tests.web.browser import require_browser
from tests.web.speech import write_microphone

LONG_ANSWER = "The river bends to the north, and then it turns around the old mill below the hill. " * 4
SCRIPT = f"""
[[turns]]
contains = "tell me a story"
say = "{LONG_ANSWER}"
"""


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wav in which a question is asked."""
    require_browser()
    return write_microphone(tmp_path_factory.mktemp("microphone") / "question.wav", "What can you do?")


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server."""
    require_browser()
    folder = tmp_path_factory.mktemp("server")
    (folder / "script.toml").write_text(SCRIPT)
    (folder / "vivavoce.toml").write_text(f'[scripted]\nscript = "{folder / "script.toml"}"\n')
    command = (sys.executable, "-m", "vivavoce", "serve", "--config", str(folder / "vivavoce.toml"))
    with served(command, folder) as address:
        yield f"{address}/"
