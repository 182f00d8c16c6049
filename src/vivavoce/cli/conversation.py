"""A client's side of a conversation: sends, listens, shows captions, and keeps both voices on one clock."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable

from vivavoce.cli.captions import captions, fault
from vivavoce.cli.faults import CommandError
from vivavoce.cli.floor import Floor
from vivavoce.cli.peers import Json, Peer
from vivavoce.cli.tracks import Tracks
from vivavoce.wiring import first_failure


class Conversation:
    """A conversation in progress. Everything happens within `listening`."""

    def __init__(self, peer: Peer, show: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self.tracks = Tracks()
        self.floor = Floor()
        self._peer = peer
        self._show = show
        self._warn = warn
        self._changed = asyncio.Event()
        self._is_configured = False
        self._is_over = False  # the server ended it
        self._answers = 0  # responses that are done since the last written turn

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Take in server events while the body runs; a fault in either ends both."""
        with first_failure():
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen(), name="listen")
                yield
                listening.cancel()

    async def _listen(self) -> None:
        async for event in self._peer.events():
            await self._receive(event)
            self._changed.set()
        self._is_over = True
        self._changed.set()

    async def configure(self, session: Json) -> None:
        """Change the session; returns when the server has confirmed.

        Raises:
            CommandError: it refused, or the session ended.
        """
        self._is_configured = False
        await self._peer.send({"type": "session.update", "session": {"type": "realtime", **session}})
        await self.until(lambda: self._is_configured)

    async def say(self, pcm: bytes) -> None:
        """Send the user's audio (pcm16le, mono, 24 kHz) and move the clock.

        Raises:
            CommandError: the session has ended.
        """
        self._expect_open()
        self.tracks.hear(pcm)
        audio = base64.b64encode(pcm).decode()
        await self._peer.send({"type": "input_audio_buffer.append", "audio": audio})

    async def write(self, text: str) -> None:
        """Send a text turn and ask for its answer; returns when the answer is complete."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        self._answers = 0
        await self._peer.send({"type": "conversation.item.create", "item": item})
        await self._peer.send({"type": "response.create"})
        await self.until(lambda: self._answers > 0)

    async def settled(self) -> None:
        """Return when the server has read what was said so far."""
        await self._peer.settled()

    async def until(self, holds: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Return when a condition holds after an event, or after `timeout_s`.

        Raises:
            CommandError: the session ended before.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not holds():
                    self._expect_open()
                    self._changed.clear()
                    await self._changed.wait()

    def _expect_open(self) -> None:
        if self._is_over:
            raise CommandError("The server ended the session.")

    async def _receive(self, event: Json) -> None:
        self.floor.receive(event, asyncio.get_running_loop().time())
        for line in captions(event):
            self._show(line)
        match event["type"]:
            case "session.updated":
                self._is_configured = True
            case "response.output_audio.delta":
                self.tracks.play(event["item_id"], base64.b64decode(event["delta"]))
            case "response.done":
                self._answers += 1
            case "input_audio_buffer.speech_started":
                await self._stop_playing()
            case "error":
                self._refused(event)
            case _:
                pass

    async def _stop_playing(self) -> None:
        """The user interrupts: playing stops, and the server learns how much was heard."""
        for cut in self.tracks.interrupt():
            self._show(f"(interrupted after {cut.audio_end_ms / 1000:.1f} s)")
            place = {"item_id": cut.item_id, "content_index": 0, "audio_end_ms": cut.audio_end_ms}
            await self._peer.send({"type": "conversation.item.truncate", **place})

    def _refused(self, event: Json) -> None:
        if not self._is_configured:
            raise CommandError(f"The server refused the session: {event['error'].get('message')}")
        self._warn(fault(event) or "error")
