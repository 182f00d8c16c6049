"""The stock `@openai/agents-realtime` in Chromium: `python browser.py ASSIGNMENT.json` prints what it did as JSON.

The page comes from another origin than the server's, and connects with `ek_` secrets that are made here over REST,
as the back end of a web application does.
"""

import base64
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.web.browser import browser

HERE = Path(__file__).parent
DEADLINE_MS = 60_000
Json = dict[str, Any]  # JSON boundary


def client_secret(assignment: Json, model: str) -> str:
    body = {"session": {"type": "realtime", "model": model}}
    headers = {"Authorization": f"Bearer {assignment['key']}", "Content-Type": "application/json"}
    url = f"{assignment['url']}/v1/realtime/client_secrets"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        value: str = json.load(answer)["value"]
    return value


def for_page(assignment: Json) -> Json:
    """Return the assignment with secrets in place of the key and with its recordings inside."""
    kept = {name: value for name, value in assignment.items() if name != "key"}
    models = (assignment["scripted_model"], assignment["spoken_model"])
    recordings = {
        name: base64.b64encode(Path(assignment[name]).read_bytes()).decode() for name in ("question", "interruption")
    }
    return {**kept, **recordings, "keys": {model: client_secret(assignment, model) for model in models}}


def run(assignment: Json) -> Json:
    package = HERE / "node_modules" / "@openai" / "agents-realtime" / "package.json"
    with sync_playwright() as playwright, browser(playwright, None) as chromium:
        page = chromium.new_page()
        page.set_default_timeout(DEADLINE_MS)
        page.on("console", lambda message: print(message.text, file=sys.stderr))
        page.on("pageerror", lambda error: print(error, file=sys.stderr))
        page.goto(assignment["page_url"])
        page.wait_for_function("() => window.converse")
        page.evaluate("(assignment) => { window.done = window.converse(assignment) }", for_page(assignment))
        found = page.evaluate("() => window.done")
        kind = f"@openai/agents-realtime (Chromium {chromium.version.split('.')[0]})"
    return {"client": kind, "version": json.loads(package.read_text())["version"], **found}


if __name__ == "__main__":
    print(json.dumps(run(json.loads(Path(sys.argv[1]).read_text()))))
