"""Hybrid: your own chat model thinks, the server hears and speaks.

Starts a server whose answers are written by a chat server on this machine (Ollama, llama.cpp, LM Studio, vLLM: anything
with `/chat/completions`), asks it a question and keeps the spoken answer. Where no chat server is found, a small
stand-in is started that repeats the question.

    python examples/hybrid.py "What is the capital of France?" [--chat http://127.0.0.1:11434/v1] [--model llama3.2]
        [--out answer.wav]
    python examples/hybrid.py "..." --url http://127.0.0.1:8040/v1    a server that is configured already

The same for a server of your own, in its configuration file:

    [hybrid.generator]
    engine = "chat-completions"
    base_url = "http://127.0.0.1:11434/v1"
    model = "llama3.2"
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
import wave
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

RATE_HZ = 24_000
MODEL = "vivavoce-hybrid"

# The chat server ----------------------------------------------------------------------------------------------------


class StandIn(BaseHTTPRequestHandler):
    """Answers `/chat/completions` word by word, as a model would; it knows nothing but the question."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = next(message["content"] for message in reversed(body["messages"]) if message["role"] == "user")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for word in f"You asked: {question} I am only a stand-in, so I do not know.".split():
            self._send({"choices": [{"index": 0, "delta": {"content": f"{word} "}}]})
        self._send({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def _send(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())


@contextlib.contextmanager
def chat_server(url: str, model: str | None) -> Iterator[tuple[str, str]]:
    """Give address and model of the chat server at `url`, or of a stand-in."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        with urllib.request.urlopen(f"{url}/models", timeout=2) as answer:
            first = json.load(answer)["data"][0]["id"]
        print(f"The chat server at {url} answers.", file=sys.stderr)
        yield url, model or first
        return
    print(f"No chat server at {url}: a stand-in answers.", file=sys.stderr)
    with ThreadingHTTPServer(("127.0.0.1", 0), StandIn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", "stand-in"
        server.shutdown()


# The voice server ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def voice_server(chat_url: str, model: str) -> Iterator[str]:
    """Run a server whose answers come from the chat server; gives the base URL of its API."""
    settings = {
        "VIVAVOCE_HYBRID__GENERATOR__ENGINE": "chat-completions",
        "VIVAVOCE_HYBRID__GENERATOR__BASE_URL": chat_url,
        "VIVAVOCE_HYBRID__GENERATOR__MODEL": model,
    }
    command = [sys.executable, "-m", "vivavoce", "serve", "--engine", "hybrid", "--port", "0"]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None, "opened as a pipe"
        ready = re.match(r"vivavoce ready on (\S+)", process.stdout.readline())
        if ready is None:
            raise SystemExit("The server did not start; see its messages above.")
        try:
            yield f"{ready[1]}/v1"
        finally:
            process.send_signal(signal.SIGTERM)


async def ask(url: str, question: str) -> tuple[dict[str, Any], bytes]:
    """Return what was answered, by which engines, and the speech: pcm16, mono, 24 kHz."""
    client = AsyncOpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "any"))
    told: dict[str, Any] = {"question": question, "answer": ""}
    spoken = bytearray()
    async with client.realtime.connect(model=MODEL) as connection:
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": question}]}
        )
        await connection.response.create()
        async for event in connection:
            match event.type:
                case "session.created":
                    told["stages"] = event.to_dict()["session"]["vivavoce"]["stages"]  # type: ignore[index]  # ours
                case "response.output_audio_transcript.delta":
                    told["answer"] += event.delta
                case "response.output_audio.delta":
                    spoken += base64.b64decode(event.delta)
                case "error":
                    raise RuntimeError(event.error.message)
                case "response.done":
                    break
    return told, bytes(spoken)


def run(options: argparse.Namespace) -> None:
    """Ask the question and write the answer."""
    with contextlib.ExitStack() as running:
        url = options.url
        if url is None:
            chat_url, model = running.enter_context(chat_server(options.chat, options.model))
            url = running.enter_context(voice_server(chat_url, model))
        told, spoken = asyncio.run(ask(url, options.question))
    print(json.dumps(told))
    if options.out is not None:
        with contextlib.closing(wave.open(str(options.out), "wb")) as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(spoken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question")
    parser.add_argument("--chat", default="http://127.0.0.1:11434/v1", help="base URL of the chat server")
    parser.add_argument("--model", help="its model; the first one it lists if not given")
    parser.add_argument("--out", type=Path, help="WAV file for the spoken answer")
    parser.add_argument("--url", help="base URL of a server that runs already, with a hybrid pipeline")
    run(parser.parse_args())
