"""The voices' process with moonshine-voice: `moonshine_worker.py VOICES_FOLDER LANGUAGE VOICE`; the pair is warmed up.

On standard input come lines of JSON, an Order or {"cancel": id}; on standard output go frames: a header (kind, id,
payload length) and a payload. One order is spoken at a time, in the order they came. A cancelled one ends before its
next piece of sound. The process ends when its standard input closes.
"""

import json
import os
import queue
import signal
import struct
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final, TypedDict

import numpy as np

READY: Final = 1  # the first voice has spoken a word
SOUND: Final = 2  # pcm16le, mono, 24 kHz
END: Final = 3  # all of the order was spoken, or it was cancelled
FAILED: Final = 4  # a sentence why there is no more

HEADER: Final = struct.Struct("<BII")
RATE_HZ: Final = 24_000
PIECE_SAMPLES: Final = RATE_HZ // 5
MAX_VOICES: Final = 2  # loaded at a time; each holds the whole model, some hundred MB


class Order(TypedDict):
    """A text to speak; `id` counts up."""

    id: int
    text: str
    language: str
    voice: str
    speed: float


class Voices:
    """Voices that are loaded, the latest used ones."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._loaded: OrderedDict[tuple[str, str], Any] = OrderedDict()  # untyped library

    def get(self, language: str, voice: str) -> Any:
        """Return a voice, loading it in place of the one longest unused."""
        from moonshine_voice import TextToSpeech  # not for the parent, which imports this file for the frames

        speaker = self._loaded.pop((language, voice), None)
        if speaker is None:
            while len(self._loaded) >= MAX_VOICES:
                self._loaded.popitem(last=False)[1].close()
            speaker = TextToSpeech().language(language).voice(voice).models_from(self._folder)
            speaker.load()
        self._loaded[language, voice] = speaker
        return speaker


class Inbox:
    """Reads orders in a thread of its own, so that a cancellation is known while sound is made."""

    def __init__(self) -> None:
        self.orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._cancelled = 0  # the highest id; orders are cancelled or spoken in turn
        threading.Thread(target=self._read, daemon=True).start()

    def is_cancelled(self, order: Order) -> bool:
        """Return whether nobody wants more of an order."""
        return order["id"] <= self._cancelled

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            message = json.loads(line)
            if "cancel" in message:
                self._cancelled = message["cancel"]
            else:
                self.orders.put(message)
        os._exit(0)  # the parent is gone, or wants no more


def sounds(speaker: Any, order: Order) -> Iterator[Any]:  # untyped library; float samples in [-1, 1]
    """Yield the sound of an order: piece by piece at the voice's own pace, otherwise as a whole."""
    if order["speed"] == 1.0:
        yield from ((chunk.samples, chunk.sample_rate) for chunk in speaker.stream(order["text"]))
    else:  # the library takes a pace for whole texts only
        yield speaker.synthesize(order["text"], speed=order["speed"])


def pieces(samples: Any, rate_hz: int) -> Iterator[bytes]:  # untyped library
    """Yield float samples as pcm16le in pieces of at most 200 ms.

    Raises:
        ValueError: another rate than 24 kHz.
    """
    if rate_hz != RATE_HZ:
        raise ValueError(f"expected speech at {RATE_HZ} Hz, got {rate_hz}")
    pcm = (np.clip(np.asarray(samples, np.float32), -1.0, 1.0) * 32_767.0).round().astype("<i2")
    for start in range(0, pcm.size, PIECE_SAMPLES):
        yield pcm[start : start + PIECE_SAMPLES].tobytes()


def speak(voices: Voices, order: Order, inbox: Inbox, output: Any) -> None:  # a binary file
    """Answer one order with SOUND frames and END, or FAILED."""
    try:
        speaker = voices.get(order["language"], order["voice"])
        try:
            for samples, rate_hz in sounds(speaker, order):
                for pcm in pieces(samples, rate_hz):
                    if inbox.is_cancelled(order):
                        return
                    send(output, SOUND, order["id"], pcm)
        finally:
            if speaker.is_streaming:
                speaker.cancel_stream()
    except Exception as error:  # whatever the library cannot do is told; the next order may do better
        send(output, FAILED, order["id"], f"{type(error).__name__}: {error}".encode())
    finally:
        send(output, END, order["id"])


def send(output: Any, kind: int, order_id: int, payload: bytes = b"") -> None:  # a binary file
    """Send one frame."""
    output.write(HEADER.pack(kind, order_id, len(payload)) + payload)
    output.flush()


def main(arguments: list[str]) -> None:
    """Load, warm up, say READY and speak orders until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when to end
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints is no frame
    voices = Voices(arguments[0])
    try:
        voices.get(arguments[1], arguments[2]).synthesize("Ready.")
    except Exception as error:  # whatever the library cannot do is told, then the process ends
        send(output, FAILED, 0, f"{type(error).__name__}: {error}".encode())
        return
    inbox = Inbox()
    send(output, READY, 0)
    try:
        while True:
            order = inbox.orders.get()
            speak(voices, order, inbox, output)
    except BrokenPipeError:
        os._exit(0)  # the parent is gone; at an ordinary end the reading thread would hold a lock


if __name__ == "__main__":
    main(sys.argv[1:])
