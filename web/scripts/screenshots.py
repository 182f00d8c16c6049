"""Takes pictures of the voice page in every state, on a phone and on a desktop.

Usage: python web/scripts/screenshots.py [--out docs/images] [--themes dark,light] [--only speaking,muted]
Needs the built page (web/dist), Playwright, Pillow and Chromium. The server's side of the conversation is played here through
Playwright's WebSocket routing, so that every state can be held still.
"""

import argparse
import array
import base64
import functools
import http.server
import json
import math
import os
import shutil
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image, ImageChops, ImageFilter
from playwright.sync_api import Browser, Page, WebSocketRoute, sync_playwright

WEB = Path(__file__).resolve().parent.parent
SIZES = {"390": {"width": 390, "height": 844}, "1440": {"width": 1440, "height": 900}}
RATE_HZ = 24_000
POLICY = "default-src 'self'"
MAX_BYTES = 295_000

ASKED = "How tall is the tower in Pisa, and why does it lean?"
ANSWERED = (
    "It is about fifty-six metres tall. It leans because one side stands on softer ground, "
    "and it began to tilt while it was still being built. "
)
MORE = "Engineers later steadied it by taking soil away from beneath the higher side."


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves the built page under the policy that the product sends."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the output of the script readable."""


@contextmanager
def serve() -> Iterator[str]:
    handler = functools.partial(Server, directory=str(WEB / "dist"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def voice_pcm(seconds: float) -> bytes:
    """Return pcm16le, mono, 24 kHz, that swells and fades like syllables."""
    samples = array.array("h")
    for at in range(int(seconds * RATE_HZ)):
        time = at / RATE_HZ
        slow = 0.7 + 0.3 * math.sin(2 * math.pi * 0.7 * time)
        syllable = slow * max(0.0, math.sin(2 * math.pi * 3.1 * time)) ** 0.7
        tone = sum(math.sin(2 * math.pi * 140 * n * time) / n for n in range(1, 6))
        samples.append(int(7000 * syllable * tone))
    return samples.tobytes()


class Peer:
    """The server's side of one page's socket."""

    def __init__(self) -> None:
        self.route: WebSocketRoute | None = None
        self.received: list[dict[str, Any]] = []  # JSON boundary
        self.is_refusing = False
        self.is_silent = False
        self._count = 0

    def accept(self, route: WebSocketRoute) -> None:
        self.route = route
        if self.is_refusing:
            route.close(code=1012, reason="restarting")
            return
        route.on_message(lambda text: self.received.append(json.loads(text)))
        if not self.is_silent:
            self.open()

    def open(self) -> None:
        session = {
            "type": "realtime",
            "id": "sess_1",
            "model": "vivavoce-local",
            "audio": {"output": {"voice": "marin"}},
            "vivavoce": {"engine": "embedded", "ignored": [], "events": []},
        }
        self.send("session.created", session=session)

    def send(self, type: str, **fields: Any) -> None:  # JSON boundary
        assert self.route is not None, "the page has not connected"
        self._count += 1
        self.route.send(json.dumps({"type": type, "event_id": f"event_{self._count}", **fields}))

    def start_speech(self, item_id: str) -> None:
        self.send("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=0)

    def partial(self, item_id: str, text: str) -> None:
        kind = "conversation.item.input_audio_transcription.delta"
        self.send(kind, item_id=item_id, content_index=0, delta=text)

    def end_speech(self, item_id: str, text: str, previous: str | None = None) -> None:
        appended = [event["audio"] for event in self.received if event["type"] == "input_audio_buffer.append"]
        audio_end_ms = sum(len(audio) * 3 // 4 for audio in appended) // 48
        self.send("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=audio_end_ms)
        self.send("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous)
        content = [{"type": "input_audio", "transcript": None}]
        item = {"type": "message", "id": item_id, "role": "user", "status": "completed", "content": content}
        self.send("conversation.item.added", item=item, previous_item_id=previous)
        self.send("conversation.item.done", item=item, previous_item_id=previous)
        kind = "conversation.item.input_audio_transcription.completed"
        usage = {"type": "duration", "seconds": 1}
        self.send(kind, item_id=item_id, content_index=0, transcript=text, usage=usage)

    def begin_answer(self, response_id: str, item_id: str) -> None:
        self.send("response.created", response={"id": response_id, "status": "in_progress", "output": []})
        item = {"type": "message", "id": item_id, "role": "assistant", "status": "in_progress", "content": []}
        self.send("response.output_item.added", response_id=response_id, output_index=0, item=item)

    def speak(self, response_id: str, item_id: str, text: str, seconds: float) -> None:
        place = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
        self.send("response.output_audio_transcript.delta", delta=text, **place)
        audio = base64.b64encode(voice_pcm(seconds)).decode()
        self.send("response.output_audio.delta", delta=audio, **place)

    def finish_answer(self, response_id: str, item_id: str, text: str) -> None:
        place = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
        self.send("response.output_audio.done", **place)
        self.send("response.output_audio_transcript.done", transcript=text, **place)
        self.send("response.done", response={"id": response_id, "status": "completed", "output": []})


def shrink(path: Path) -> None:
    """Store a picture small: browsers dither gradients, and PNG cannot compress noise.

    Where nothing but a gradient is, it is smoothed; then the lowest bits are dropped until the file is small enough.
    """
    picture = Image.open(path).convert("RGB")
    smooth = picture.filter(ImageFilter.BoxBlur(3))
    detail = ImageChops.difference(picture, smooth).convert("L").point(lambda value: 255 if value > 3 else 0)
    picture = Image.composite(picture, smooth, detail.filter(ImageFilter.MaxFilter(5)))
    for step in (1, 2, 3, 4, 6):
        picture.point([min(255, (value + step // 2) // step * step) for value in range(256)] * 3).save(
            path, optimize=True
        )
        if path.stat().st_size <= MAX_BYTES:
            return


def wait_state(page: Page, state: str) -> None:
    page.wait_for_selector(f'[data-state="{state}"]')


def settle(page: Page, ms: int = 900) -> None:
    page.wait_for_timeout(ms)  # lets the orb reach the look of its state


def start(page: Page) -> None:
    page.get_by_role("button", name="Start talking").last.click()
    wait_state(page, "listening")


def converse(page: Page, peer: Peer) -> None:
    """One finished turn of each side, so that later states have something to stand under."""
    start(page)
    peer.start_speech("item_1")
    peer.end_speech("item_1", "Good morning. My name is Ada.")
    peer.begin_answer("resp_1", "item_2")
    peer.speak("resp_1", "item_2", "Good morning, Ada. What would you like to know?", 0.9)
    peer.finish_answer("resp_1", "item_2", "Good morning, Ada. What would you like to know?")
    wait_state(page, "speaking")
    wait_state(page, "listening")


def shoot_idle(page: Page, peer: Peer) -> None:
    settle(page)


def shoot_connecting(page: Page, peer: Peer) -> None:
    peer.is_silent = True
    page.get_by_role("button", name="Start talking").last.click()
    wait_state(page, "connecting")
    settle(page)


def shoot_listening(page: Page, peer: Peer) -> None:
    start(page)
    settle(page)


def shoot_hearing(page: Page, peer: Peer) -> None:
    converse(page, peer)
    peer.start_speech("item_3")
    peer.partial("item_3", "How tall is the tower in Pisa, and")
    wait_state(page, "hearing")
    settle(page)


def shoot_thinking(page: Page, peer: Peer) -> None:
    converse(page, peer)
    peer.start_speech("item_3")
    peer.end_speech("item_3", ASKED)
    wait_state(page, "thinking")
    settle(page)


def speak_long(page: Page, peer: Peer) -> None:
    converse(page, peer)
    peer.start_speech("item_3")
    peer.end_speech("item_3", ASKED)
    peer.begin_answer("resp_2", "item_4")
    peer.speak("resp_2", "item_4", ANSWERED, 8)
    peer.speak("resp_2", "item_4", MORE, 4)
    wait_state(page, "speaking")


def shoot_speaking(page: Page, peer: Peer) -> None:
    speak_long(page, peer)
    settle(page, 4200)


def shoot_interrupted(page: Page, peer: Peer) -> None:
    speak_long(page, peer)
    settle(page, 4000)
    peer.start_speech("item_5")
    peer.partial("item_5", "Wait, is it safe to")
    wait_state(page, "hearing")
    settle(page)


def shoot_muted(page: Page, peer: Peer) -> None:
    converse(page, peer)
    page.get_by_role("button", name="Mute").click()
    wait_state(page, "muted")
    settle(page)


def shoot_typing(page: Page, peer: Peer) -> None:
    page.get_by_role("button", name="Type instead").click()
    wait_state(page, "ready")
    page.get_by_label("Message").fill("What can you do?")
    settle(page)


def shoot_reconnecting(page: Page, peer: Peer) -> None:
    converse(page, peer)
    peer.is_refusing = True
    assert peer.route is not None
    peer.route.close(code=1012, reason="restarting")
    wait_state(page, "connecting")
    settle(page)


def shoot_error(page: Page, peer: Peer) -> None:
    start(page)
    assert peer.route is not None
    peer.route.close(code=4004, reason="This server has no model of that name.")
    wait_state(page, "error")
    settle(page)


def shoot_blocked_microphone(page: Page, peer: Peer) -> None:
    refusal = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError') }"
    page.evaluate(f"() => {{ {refusal} }}")
    page.get_by_role("button", name="Start talking").last.click()
    page.wait_for_selector('[data-microphone="denied"]')
    settle(page)


def shoot_push_to_talk(page: Page, peer: Peer) -> None:
    page.evaluate("""localStorage.setItem('vivavoce.settings', JSON.stringify({isPushToTalk: true}))""")
    page.reload()
    start(page)
    settle(page)


def shoot_ended(page: Page, peer: Peer) -> None:
    converse(page, peer)
    page.get_by_role("button", name="End").click()
    wait_state(page, "idle")
    settle(page)


def shoot_voices(page: Page, peer: Peer) -> None:
    converse(page, peer)
    page.get_by_role("button", name="Voice").click()
    settle(page)


def shoot_settings(page: Page, peer: Peer) -> None:
    converse(page, peer)
    page.get_by_role("button", name="Settings").click()
    settle(page)


def shoot_latency(page: Page, peer: Peer) -> None:
    converse(page, peer)
    page.keyboard.press("l")
    settle(page)


# The sheet about engines. What REST would answer is played here, so that every state can be held still.

NOTES = {
    "vad": ("silero", ""),
    "stt": ("pocketsphinx", "Demo-grade: mishears often; good enough to try things out."),
    "llm": ("embedded", "The built-in offline responder: a set of rules, not an AI model."),
    "tts": ("flite", "Reads English; words in other alphabets are left out. A plain synthetic voice of the year 2010."),
}
SIZE_BYTES = 200_748_675
LOCAL_SERVERS = [
    {"name": "Ollama", "base_url": "http://127.0.0.1:11434/v1", "models": ["qwen3:4b", "gemma3:12b"]},
    {"name": "LM Studio", "base_url": "http://127.0.0.1:1234/v1", "models": ["llama-3.2-3b-instruct"]},
]


def answer_rest(page: Page, asset: dict[str, Any], servers: list[dict[str, Any]] = LOCAL_SERVERS) -> None:
    """Answer what the sheet asks for."""
    stages = [{"job": job, "name": name, "note": note} for job, (name, note) in NOTES.items()]
    engine = {"name": "embedded", "models": ["vivavoce-local"], "is_default": True, "stages": stages}
    offered = {
        "name": "moonshine",
        "title": "Moonshine: a better recogniser and natural voices",
        "licence": "MIT (code, English recogniser), Apache-2.0 (Kokoro voices), BSD (pronouncing dictionary)",
        "source": "moonshine-voice 0.0.69",
        "size_bytes": SIZE_BYTES,
        "bytes_done": 0,
        "reason": "",
        **asset,
    }
    page.route("**/api/engines", lambda route: route.fulfill(json={"data": [engine]}))
    page.route("**/api/assets", lambda route: route.fulfill(json={"data": [offered]}))
    page.route("**/api/engines/local", lambda route: route.fulfill(json={"data": servers}))


def visit(page: Page) -> None:
    """Come for the first time: without `?debug`, which keeps the sheet away."""
    page.goto(page.url.partition("?")[0])
    page.get_by_role("heading", name="Before you talk").wait_for()


def shoot_first_visit(page: Page, peer: Peer) -> None:
    answer_rest(page, {"state": "absent"})
    visit(page)
    page.get_by_text("Ollama").first.wait_for()
    settle(page)


def shoot_fetching(page: Page, peer: Peer) -> None:
    answer_rest(page, {"state": "fetching", "bytes_done": 84_000_000})
    visit(page)
    page.get_by_role("progressbar").wait_for()
    settle(page)


def shoot_fetch_failed(page: Page, peer: Peer) -> None:
    reason = "The models were not fetched: no network, or the package's server does not answer."
    answer_rest(page, {"state": "failed", "reason": reason}, [])
    visit(page)
    page.get_by_role("button", name="Try again").wait_for()
    settle(page)


def shoot_fetched(page: Page, peer: Peer) -> None:
    answer_rest(page, {"state": "ready", "bytes_done": SIZE_BYTES}, [])
    visit(page)
    page.get_by_text("Installed.").first.wait_for()
    settle(page)


def shoot_local_servers(page: Page, peer: Peer) -> None:
    answer_rest(page, {"state": "absent"})
    visit(page)
    page.get_by_role("button", name="Copy: Configuration for LM Studio").scroll_into_view_if_needed()
    settle(page)


def shoot_engines_key(page: Page, peer: Peer) -> None:
    page.route("**/api/**", lambda route: route.fulfill(status=401, json={"error": {"message": "no key"}}))
    visit(page)
    page.get_by_label("This server asks for a key.").wait_for()
    settle(page)


def shoot_cost(page: Page, peer: Peer) -> None:
    page.evaluate("""localStorage.setItem('vivavoce.settings', JSON.stringify({hasCost: true}))""")
    page.reload()
    converse(page, peer)
    cost = {
        "usd": 0.0421,
        "usd_per_min": 0.031,
        "responses": 3,
        "cached_share": 0.62,
        "budget_usd": 5,
        "spent_usd": 1.4,
    }
    vivavoce = {"engine": "upstream", "ignored": [], "events": [], "cost": {**cost, "prices": "2026-11-01"}}
    audio = {"output": {"voice": "marin"}}
    peer.send(
        "session.updated", session={"type": "realtime", "model": "gpt-realtime", "audio": audio, "vivavoce": vivavoce}
    )
    page.get_by_text("per minute").wait_for()
    settle(page)


def shoot_cost_details(page: Page, peer: Peer) -> None:
    shoot_cost(page, peer)
    page.keyboard.press("l")
    settle(page)


def shoot_shortcuts(page: Page, peer: Peer) -> None:
    page.keyboard.press("?")
    settle(page)


STATES: dict[str, Callable[[Page, Peer], None]] = {
    "idle": shoot_idle,
    "connecting": shoot_connecting,
    "listening": shoot_listening,
    "hearing": shoot_hearing,
    "thinking": shoot_thinking,
    "speaking": shoot_speaking,
    "interrupted": shoot_interrupted,
    "muted": shoot_muted,
    "typing": shoot_typing,
    "reconnecting": shoot_reconnecting,
    "error": shoot_error,
    "blocked-microphone": shoot_blocked_microphone,
    "push-to-talk": shoot_push_to_talk,
    "ended": shoot_ended,
    "voices": shoot_voices,
    "settings": shoot_settings,
    "latency": shoot_latency,
    "shortcuts": shoot_shortcuts,
    "first-visit": shoot_first_visit,
    "fetching": shoot_fetching,
    "fetch-failed": shoot_fetch_failed,
    "fetched": shoot_fetched,
    "local-servers": shoot_local_servers,
    "engines-key": shoot_engines_key,
    "cost": shoot_cost,
    "cost-details": shoot_cost_details,
}

DOCUMENTED = (
    "idle",
    "connecting",
    "listening",
    "hearing",
    "thinking",
    "speaking",
    "interrupted",
    "muted",
    "typing",
    "reconnecting",
    "error",
    "blocked-microphone",
    "first-visit",
    "fetching",
)


def launch(playwright: Any, microphone: Path) -> Browser:  # the playwright object has no public type
    flags = ["--disable-gpu", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    flags.append(f"--use-file-for-fake-audio-capture={microphone}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")
    browser: Browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
    return browser


def shoot(browser: Browser, url: str, state: str, size: str, theme: str, path: Path, query: str) -> None:
    context = browser.new_context(
        viewport=SIZES[size],
        color_scheme=theme,
        has_touch=size == "390",
        is_mobile=size == "390",
        reduced_motion="no-preference",
    )
    page = context.new_page()
    page.on("console", lambda message: print(f"  console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: print(f"  page error: {error}"))
    peer = Peer()
    page.route_web_socket("**/v1/realtime*", peer.accept)
    page.goto(url + query)
    STATES[state](page, peer)
    page.screenshot(path=path)
    shrink(path)
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=WEB.parent / "docs" / "images")
    parser.add_argument("--themes", default="dark")
    parser.add_argument("--sizes", default="390,1440")
    parser.add_argument("--only", default=",".join(DOCUMENTED), help=f"states out of: {', '.join(STATES)}")
    parser.add_argument("--query", default="?debug")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, serve() as url, sync_playwright() as playwright:
        microphone = Path(folder) / "microphone.wav"
        with wave.open(str(microphone), "wb") as file:
            file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            file.writeframes(voice_pcm(5))
        browser = launch(playwright, microphone)
        for theme in options.themes.split(","):
            for size in options.sizes.split(","):
                for state in options.only.split(","):
                    path = options.out / f"voice-{size}-{state}-{theme}.png"
                    shoot(browser, url, state, size, theme, path, options.query)
                    print(path.name, path.stat().st_size // 1000, "kB")
        browser.close()


if __name__ == "__main__":
    main()
