"""The sheet about engines in Chromium, on a real server whose models a stand-in for their package fetches."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.repository.serving import served
from tests.web.browser import page, require_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route, WebSocketRoute

ROOT = Path(__file__).parents[2]
DOUBLES = ROOT / "tests" / "doubles"
KEY = "sk-page"
OLLAMA = {"name": "Ollama", "base_url": "http://127.0.0.1:11434/v1", "models": ["qwen3:4b", "gemma3:12b"]}
FOCUS = "() => document.activeElement?.closest('dialog') ? 'sheet' : document.activeElement?.tagName"

Serve = Callable[..., contextlib.AbstractContextManager[str]]


@pytest.fixture
def offering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Starts a server whose downloads go as told; gives its address."""
    require_browser()

    @contextlib.contextmanager
    def serve(keys: str = "", **behaviour: Any) -> Iterator[str]:  # Any: see the stand-in
        paths = (str(DOUBLES), str(ROOT), os.environ.get("PYTHONPATH", ""))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
        monkeypatch.setenv("MOONSHINE_DOUBLE", json.dumps(behaviour))
        monkeypatch.setenv("VIVAVOCE_SERVER__API_KEYS", keys)
        with served((sys.executable, "-m", "tests.web.engines_server"), tmp_path) as address:
            yield f"{address}/"

    return serve


@contextlib.contextmanager
def first_visit(chromium: "Browser", url: str, width: int = 1440, expected: str = "") -> Iterator["Page"]:
    """Open the page in a browser that was never here; `expected` is in an error that it may report."""
    with page(chromium, width, 844, is_first=True, expected=expected) as opened:
        opened.goto(url)
        opened.get_by_role("heading", name="Before you talk").wait_for()
        yield opened


def wait_for_asset(opened: "Page", state: str) -> None:
    opened.wait_for_selector(f'[data-asset=moonshine][data-state="{state}"]')


def test_the_first_visit_tells_what_listens_and_what_could(chromium: "Browser", offering: Serve) -> None:
    with offering() as url, first_visit(chromium, url) as opened:
        wait_for_asset(opened, "absent")
        shown = opened.get_by_role("dialog").inner_text()

        assert "demo-grade" in shown
        assert "pocketsphinx" in shown and "flite" in shown
        assert "MIT" in shown and "moonshine-voice" in shown
        assert opened.get_by_role("button", name="Download 201 MB").count() == 1
        assert opened.evaluate(FOCUS) == "sheet"


def test_it_comes_once_and_stays_within_reach(chromium: "Browser", offering: Serve) -> None:
    with offering() as url, first_visit(chromium, url) as opened:
        opened.keyboard.press("Escape")
        opened.get_by_role("dialog").wait_for(state="hidden")

        opened.reload()
        opened.get_by_role("button", name="Start talking").last.wait_for()
        came_again = opened.get_by_role("dialog").count()
        opened.get_by_role("button", name="Settings").click()
        opened.get_by_role("button", name="Open", exact=True).click()

        opened.get_by_role("heading", name="Engines", exact=True).wait_for()
        wait_for_asset(opened, "absent")
        assert came_again == 0
        assert opened.get_by_role("button", name="Continue").count() == 0


def test_the_keyboard_stays_in_the_sheet_and_returns_where_it_came_from(chromium: "Browser", offering: Serve) -> None:
    with offering() as url, first_visit(chromium, url) as opened:
        wait_for_asset(opened, "absent")
        places = []
        for _ in range(12):
            opened.keyboard.press("Tab")
            places.append(opened.evaluate(FOCUS))
        opened.get_by_role("button", name="Continue").click()
        opened.get_by_role("dialog").wait_for(state="hidden")

        opened.get_by_role("button", name="Settings").focus()
        opened.keyboard.press("e")
        opened.get_by_role("heading", name="Engines", exact=True).wait_for()
        opened.get_by_role("button", name="Close").click()
        opened.get_by_role("dialog").wait_for(state="hidden")

        assert set(places) <= {"sheet", "BODY"}  # the body stands for the browser's own controls
        assert opened.evaluate("() => document.activeElement?.getAttribute('aria-label')") == "Settings"


def test_models_are_fetched_and_used_from_the_next_conversation(chromium: "Browser", offering: Serve) -> None:
    with offering() as url, first_visit(chromium, url) as opened:
        opened.get_by_role("button", name="Download 201 MB").click()
        wait_for_asset(opened, "ready")

        offer = opened.locator("[data-asset=moonshine]")
        assert "Used from your next conversation" in offer.inner_text()
        assert offer.get_by_role("button").count() == 0
        assert "Installed" in offer.get_by_role("status").inner_text()


def test_a_download_outlives_the_page_and_is_cancelled_from_another(chromium: "Browser", offering: Serve) -> None:
    with offering(waits_at="encoder.ort") as url:
        with first_visit(chromium, url) as opened:
            opened.get_by_role("button", name="Download 201 MB").click()
            wait_for_asset(opened, "fetching")
            opened.get_by_role("progressbar").wait_for()

        with first_visit(chromium, url) as other:
            wait_for_asset(other, "fetching")
            other.get_by_role("button", name="Cancel").click()
            wait_for_asset(other, "partial")

            assert other.get_by_role("button", name="Go on").count() == 1


def test_a_failed_download_tells_why_and_that_built_in_speech_goes_on(chromium: "Browser", offering: Serve) -> None:
    with offering(fails="No model of that name.") as url, first_visit(chromium, url) as opened:
        opened.get_by_role("button", name="Download 201 MB").click()
        wait_for_asset(opened, "failed")

        shown = opened.locator("[data-asset=moonshine]").inner_text()
        assert "No model of that name." in shown
        assert "built-in speech goes on" in shown
        assert opened.get_by_role("button", name="Try again").count() == 1


def test_model_servers_are_offered_as_lines_to_copy(chromium: "Browser", offering: Serve) -> None:
    def answer(route: "Route") -> None:
        route.fulfill(json={"object": "list", "data": [OLLAMA], "asked": []})

    with offering() as url, page(chromium, is_first=True) as opened:
        opened.route("**/api/engines/local", answer)
        opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened.goto(url)
        opened.get_by_label("Model of Ollama").select_option("gemma3:12b")

        opened.get_by_role("button", name="Copy: Configuration for Ollama").click()
        opened.get_by_text("Copied").wait_for()

        copied = opened.evaluate("() => navigator.clipboard.readText()")
        assert 'base_url = "http://127.0.0.1:11434/v1"' in copied
        assert 'model = "gemma3:12b"' in copied
        assert "Found, and not used" in opened.get_by_role("dialog").inner_text()


def test_a_server_with_a_key_asks_for_it_and_keeps_it_for_conversations(chromium: "Browser", offering: Serve) -> None:
    with offering(keys=KEY) as url, first_visit(chromium, url, expected="401") as opened:
        opened.get_by_label("This server asks for a key.").fill("sk-other")
        opened.get_by_role("button", name="Use this key").click()
        opened.get_by_text("does not accept this key").wait_for()
        opened.get_by_label("This server asks for a key.").fill(KEY)
        opened.get_by_role("button", name="Use this key").click()
        wait_for_asset(opened, "absent")

        assert opened.evaluate("() => sessionStorage.getItem('vivavoce.key')") == KEY


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_nothing_is_cut_off_and_every_target_is_large_enough(chromium: "Browser", offering: Serve, width: int) -> None:
    def answer(route: "Route") -> None:
        route.fulfill(json={"data": [OLLAMA]})

    with offering() as url, page(chromium, width, 844, is_first=True) as opened:
        opened.route("**/api/engines/local", answer)
        opened.goto(url)
        opened.get_by_label("Model of Ollama").wait_for()
        sheet = opened.get_by_role("dialog")

        overflow = sheet.evaluate("(dialog) => dialog.scrollWidth - dialog.clientWidth")
        boxes = [control.bounding_box() for control in sheet.locator("button, select").all()]

        assert overflow <= 0
        assert len(boxes) >= 4
        for box in boxes:
            assert box is not None
            assert box["width"] >= 44 and box["height"] >= 44
            assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_the_cost_is_shown_to_those_who_ask_for_it(chromium: "Browser", offering: Serve) -> None:
    sent: list[dict[str, Any]] = []  # JSON boundary

    def play(route: "WebSocketRoute") -> None:
        def answer(text: str | bytes) -> None:
            sent.append(json.loads(text))
            if sent[-1]["type"] == "session.update":
                vivavoce = {"engine": "upstream", "cost": {"usd": 0.0421, "usd_per_min": 0.02, "prices": "2026-11-01"}}
                route.send(json.dumps({"type": "session.updated", "session": {"vivavoce": vivavoce}}))

        route.on_message(answer)
        route.send(json.dumps({"type": "session.created", "session": {"vivavoce": {"engine": "upstream"}}}))

    with offering() as url, page(chromium) as opened:
        opened.add_init_script("localStorage.setItem('vivavoce.settings', JSON.stringify({ hasCost: true }))")
        opened.route_web_socket("**/v1/realtime*", play)
        opened.goto(url)
        opened.get_by_role("button", name="Type instead").click()
        opened.get_by_text("$0.042 so far").wait_for()

        assert opened.get_by_role("button", name="Hosted model").count() == 1
        assert sent[0]["session"]["vivavoce"] == {"cost": True}
