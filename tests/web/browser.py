"""Chromium for tests: found, launched with a microphone that plays a file, and watched for errors."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.require import require

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

WEB_DIST = Path(__file__).parents[2] / "web" / "dist"
VISITED = "localStorage.setItem('vivavoce.visited', '1')"
PATIENCE_MS = 60_000  # a busy machine recognises speech several times slower than it is spoken
QUIET_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def require_browser() -> None:
    """Skip where Chromium, Playwright or the built page is absent."""
    require(importlib.util.find_spec("playwright"), "the Python package playwright")
    require(shutil.which("chromium"), "chromium")
    require((WEB_DIST / "index.html").is_file(), "the built web page (make setup)")


@contextmanager
def browser(playwright: "Playwright", microphone: Path | None) -> Iterator["Browser"]:
    """Launch Chromium. With a wav file as `microphone` it is granted unasked, else every request is refused.

    The file begins anew whenever the page opens the microphone, and is followed by silence.
    """
    flags = [*QUIET_FLAGS, "--use-fake-device-for-media-stream"]
    if microphone is not None:
        flags += ["--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
    yield chromium
    chromium.close()


@contextmanager
def page(
    chromium: "Browser", width: int = 1440, height: int = 900, *, is_first: bool = False, expected: str = ""
) -> Iterator["Page"]:
    """Open a page that draws little (reduced motion), and fail if it reports an error.

    Args:
        is_first: the browser was never here; otherwise the sheet of the first visit stays away.
        expected: errors that have this in them are expected.
    """
    context = chromium.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    if not is_first:
        context.add_init_script(VISITED)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert [error for error in errors if not expected or expected not in error] == []


def wait_for_state(opened: "Page", state: str) -> None:
    """Wait until the page shows a state such as "listening"."""
    opened.wait_for_selector(f'[data-state="{state}"]')


def start(opened: "Page") -> None:
    """Begin a conversation the way a person does: a click that also allows sound."""
    opened.get_by_role("button", name="Start talking").last.click()
