"""A browser that talks to the server with an ephemeral secret; the key stays in this program.

    python examples/browser.py [--url http://127.0.0.1:8040/v1] [--port 8050]

Open http://127.0.0.1:8050. The page asks this program for a secret, this program asks the server for one that is good
for a minute and whose instructions are locked, and with it the page opens its WebSocket. Needs nothing but Python.

The server must admit the page, which comes from another origin:

    VIVAVOCE_SERVER__ALLOWED_ORIGINS=http://127.0.0.1:8050 make run
"""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = Path(__file__).with_name("browser.html")
SECRET_S = 60
SESSION = {
    "type": "realtime",
    "instructions": "You are the host of a museum. Be brief and friendly.",
    "audio": {"input": {"transcription": {"model": "whisper-1"}}, "output": {"voice": "marin"}},
    "vivavoce": {"locked": ["instructions", "tools"]},  # this server's own: the page cannot change these
}


class NotAdmitted(Exception):
    """The server does not take the page's origin."""


def mint(url: str, model: str, origin: str) -> dict[str, str]:
    """Return what the page needs to connect: a secret, and where."""
    body = {"expires_after": {"anchor": "created_at", "seconds": SECRET_S}, "session": {**SESSION, "model": model}}
    key = os.environ.get("OPENAI_API_KEY", "none")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Origin": origin}
    request = urllib.request.Request(f"{url}/realtime/client_secrets", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            secret = json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.FORBIDDEN:
            raise NotAdmitted(f"VIVAVOCE_SERVER__ALLOWED_ORIGINS={origin}") from error
        raise
    return {"secret": secret, "url": f"{url.replace('http', 'ws', 1)}/realtime?model={model}"}


class Backend(ThreadingHTTPServer):
    """Serves the page and hands out secrets. Put your own users' login in front of `/secret`."""

    def __init__(self, port: int, url: str, model: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url, self.model = url, model

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Backend

    def do_GET(self) -> None:
        if self.path == "/":
            self.answer(HTTPStatus.OK, "text/html; charset=utf-8", PAGE.read_bytes())
        else:
            self.answer(HTTPStatus.NOT_FOUND, "text/plain", b"There is only one page.")

    def do_POST(self) -> None:
        if self.path != "/secret" or self.headers.get("Origin") not in (None, self.server.origin):
            self.answer(HTTPStatus.FORBIDDEN, "text/plain", b"Not for you.")
            return
        try:
            found = mint(self.server.url, self.server.model, self.server.origin)
        except (NotAdmitted, OSError) as error:
            self.answer(HTTPStatus.BAD_GATEWAY, "text/plain", f"The server gave no secret: {error}".encode())
            return
        self.answer(HTTPStatus.OK, "application/json", json.dumps(found).encode())

    def answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Keep the terminal for what matters."""


def main(port: int, url: str, model: str) -> int:
    with Backend(port, url, model) as backend:
        try:
            mint(url, model, backend.origin)
        except NotAdmitted as missing:
            print(f"The server at {url} does not admit this page. Start it with {missing}", file=sys.stderr)
            return 2
        except OSError as error:
            print(f"The server at {url} cannot be used: {error}", file=sys.stderr)
            return 2
        print(f"Open {backend.origin}", flush=True)
        try:
            backend.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve a page that talks to the server with an ephemeral secret.")
    parser.add_argument("--url", default="http://127.0.0.1:8040/v1")
    parser.add_argument("--port", type=int, default=8050)
    parser.add_argument("--model", default="vivavoce-local")
    arguments = parser.parse_args()
    sys.exit(main(arguments.port, arguments.url, arguments.model))
