"""One server for all tests of the page: the embedded engines, and a script whose first answer is long."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.repository.serving import served
from tests.web.browser import browser, require_browser
from tests.web.speech import write_microphone

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

LONG_ANSWER = "The river bends to the north, and then it turns around the old mill below the hill. " * 5
SCRIPT = f'[[turns]]\nsay = "{LONG_ANSWER}"\n'


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
    (folder / ".env").write_text(f"VIVAVOCE_SCRIPTED__SCRIPT={folder / 'script.toml'}\n")
    with served((sys.executable, "-m", "vivavoce"), folder) as address:
        yield f"{address}/"


@pytest.fixture(scope="session")
def playwright(microphone: Path) -> Iterator["Playwright"]:
    """Playwright runs an event loop until the last test: the microphone's speech is made before."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium(playwright: "Playwright", microphone: Path) -> Iterator["Browser"]:
    """A browser whose microphone asks the question each time it is opened."""
    with browser(playwright, microphone) as launched:
        yield launched
