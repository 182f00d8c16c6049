"""In Chromium: onset of the user's speech to silence at the loudspeaker, while the assistant speaks."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.figures import Figure, spread
from bench.server import running_server
from tests.web.browser import browser, page, start
from tests.web.speech import write_microphone

if TYPE_CHECKING:
    from playwright.sync_api import Browser

INTERRUPTIONS: Final = 8
ALLOWED_MS: Final = 250.0
HEARD_CHARACTERS: Final = 100  # of the answer, before it is interrupted
HEARD: Final = (
    "() => Math.max(0, ...window.vivavoce.session.state.captions.map((it) => it.isFinal ? 0 : it.heardChars))"
    f" > {HEARD_CHARACTERS}"
)


def _interrupt(chromium: "Browser", address: str) -> float:
    """Ask, listen, interrupt by the same question; return onset to silence in ms, output latency included."""
    with page(chromium) as opened:
        opened.goto(f"http://{address}/?debug")
        start(opened)
        opened.wait_for_function(HEARD)
        opened.evaluate("() => { void window.vivavoce.session.openMicrophone() }")
        opened.wait_for_function("() => window.vivavoce.probe.bargeIns.length > 0")
        return float(opened.evaluate("() => window.vivavoce.probe.bargeIns[0].onsetToSilenceMs"))


def run() -> list[Figure]:
    """Return how fast the page falls silent; a scripted answer goes on until it is interrupted."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, running_server(module=("bench.mixed_server",)) as server:
        microphone = write_microphone(Path(folder, "question.wav"), "What can you do?")
        with sync_playwright() as playwright, browser(playwright, microphone) as chromium:
            silences = [_interrupt(chromium, server.address) for _ in range(INTERRUPTIONS)]
    return spread("onset to silence in Chromium", silences, "ms", ALLOWED_MS)
