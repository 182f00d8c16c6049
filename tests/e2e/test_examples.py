"""The programs in examples/ do what they say, against a server as it comes."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.recognition import recognised
from tests.clients.environments import python_of
from tests.e2e.conftest import Say
from tests.e2e.talking import said
from tests.repository.serving import served
from tests.web.browser import browser, require_browser
from tests.web.speech import write_microphone
from vivavoce.audio.wav import read_wav, write_wav
from vivavoce.testing.wer import content_word_recall

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_S = 90


def test_the_orchestrator_hears_thinks_calls_a_tool_and_says_exactly_what_it_thought(
    server: str, say: Say, tmp_path: Path
) -> None:
    question, answer = tmp_path / "question.wav", tmp_path / "answer.wav"
    write_wav(question, bytes(24_000) + say("How many orders do I have?"), 24_000)

    ended = subprocess.run(
        [sys.executable, EXAMPLES / "orchestrator.py", question, "--out", answer, "--url", f"http://{server}/v1"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    (turn,) = [json.loads(line) for line in ended.stdout.splitlines()]
    assert turn["heard"]
    spoken = read_wav(answer)
    assert content_word_recall(turn["said"], recognised(spoken.pcm)) >= 0.5, said(turn["said"])


def printed(command: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Run an example to its end; return the lines of JSON that it printed."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_agent_of_the_stock_sdk_calls_its_tool_and_speaks_the_result(own_server: str, tmp_path: Path) -> None:
    answer = tmp_path / "answer.wav"
    question = ["What is the weather in Paris?", "--out", str(answer), "--url", f"ws://{own_server}/v1/realtime"]

    call, returned, said_ = printed([python_of("openai-agents"), EXAMPLES / "agent.py", *question])

    assert call == {"calls": "get_weather", "with": {"city": "Paris"}}
    assert "sunny" in returned["returned"]
    assert "sunny" in said_["said"]
    assert abs(len(read_wav(answer).pcm) / 48_000 - said_["seconds"]) < 0.01


def test_the_beta_client_runs_unchanged(own_server: str, say: Say, tmp_path: Path) -> None:
    question, answer = tmp_path / "question.wav", tmp_path / "answer.wav"
    write_wav(question, say("What can you do?") + bytes(9_600), 24_000)
    arguments = [str(question), "--out", str(answer), "--url", f"ws://{own_server}/v1"]

    (turn,) = printed([python_of("openai-beta-early"), EXAMPLES / "beta_client.py", *arguments])

    assert turn["heard"]
    assert turn["said"]
    assert turn["seconds"] > 0.5


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@contextlib.contextmanager
def page_backend(port: int, url: str) -> Iterator[str]:
    """Run the example's own server; give the address of its page."""
    command: list[str | Path] = [sys.executable, EXAMPLES / "browser.py", "--port", str(port), "--url", url]
    backend = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert backend.stdout is not None
    try:
        line = backend.stdout.readline()
        assert line.startswith("Open "), "the example tells where its page is"
        yield line.split()[1]
    finally:
        backend.terminate()
        backend.wait(TIMEOUT_S)
        backend.stdout.close()


def test_the_page_talks_with_a_secret_and_the_key_stays_behind(tmp_path: Path) -> None:
    require_browser()
    from playwright.sync_api import sync_playwright

    microphone = write_microphone(tmp_path / "question.wav", "What can you do?")
    port = free_port()
    (tmp_path / ".env").write_text(f"VIVAVOCE_SERVER__ALLOWED_ORIGINS=http://127.0.0.1:{port}\n")
    with served([sys.executable, "-m", "vivavoce"], tmp_path) as url, page_backend(port, f"{url}/v1") as page_url:
        with sync_playwright() as playwright, browser(playwright, microphone) as chromium:
            page = chromium.new_page()
            page.set_default_timeout(TIMEOUT_S * 1000)
            page.goto(page_url)
            page.click("#talk")
            words = page.locator("li.assistant").first.text_content()

    assert words
