"""The input audio buffer of a scripted upstream, with a detector that hears loudness. Pure."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from vivavoce.audio.g711 import decode_alaw, decode_mulaw
from vivavoce.testing.upstream_items import Refused
from vivavoce.testing.upstream_replies import Json

WINDOW_MS: Final = 10
LOUD: Final = 1000  # of 32768: a window with a sample above it is speech
MIN_COMMIT_MS: Final = 100

SPEECH: Final = b"".join(value.to_bytes(2, "little", signed=True) for value in (8000, -8000))


def speech(duration_ms: int) -> bytes:
    """Return what the detector takes for speech: pcm16le, mono, 24 kHz."""
    return SPEECH * (12 * duration_ms)


def silence(duration_ms: int) -> bytes:
    """Return silence: pcm16le, mono, 24 kHz."""
    return bytes(48 * duration_ms)


class Heard:
    """What the detector tells: `speech_started` or `speech_stopped`, at a time of the audio clock."""

    def __init__(self, kind: str, at_ms: int) -> None:
        self.kind = kind
        self.at_ms = at_ms


class Hearing:
    """Audio since the last commit, and whether somebody speaks. The clock counts ms of audio ever appended."""

    def __init__(self) -> None:
        self.everything = bytearray()  # all that was appended, as it came
        self.is_speech = False
        self._buffer = bytearray()
        self._rest = b""  # less than a window
        self._windows = 0
        self._silent_ms = 0

    @property
    def clock_ms(self) -> int:
        return self._windows * WINDOW_MS

    @property
    def buffered_ms(self) -> int:
        return (len(self._buffer) + len(self._rest)) // 48

    def append(self, audio: bytes, settings: Json) -> Iterator[Heard]:
        """Take audio in the session's format; tell what is heard in it. Each is to be acted on before the next."""
        self.everything += audio
        format_name = settings["format"]["type"]
        decode, window_bytes = _decoder(format_name)
        data = self._rest + audio
        count = len(data) // window_bytes
        self._rest = data[count * window_bytes :]
        for index in range(count):
            pcm = decode(data[index * window_bytes : (index + 1) * window_bytes])
            yield from self._hear(pcm, settings.get("turn_detection"))

    def commit(self, is_detecting: bool) -> bytes:
        """Return what the client commits, and start again.

        Raises:
            Refused: too little, or no speech where speech is detected.
        """
        has_ms = 0 if is_detecting and not self.is_speech else self.buffered_ms
        if has_ms < MIN_COMMIT_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
                f"but buffer only has {has_ms:.2f}ms of audio."
            )
            raise Refused("input_audio_buffer_commit_empty", message)
        return self.take()

    def take(self) -> bytes:
        """Return what is buffered (pcm16le) and empty the buffer; nobody speaks any more."""
        taken = bytes(self._buffer)
        self._buffer.clear()
        self.is_speech = False
        self._silent_ms = 0
        return taken

    def _hear(self, pcm: bytes, detection: Json | None) -> Iterator[Heard]:
        self._windows += 1
        self._buffer += pcm
        if detection is None:
            return
        is_loud = bool(np.any(np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)) > LOUD))
        padding_ms = detection.get("prefix_padding_ms", 300)
        if is_loud and not self.is_speech:
            self.is_speech, self._silent_ms = True, 0
            yield Heard("speech_started", max(0, self.clock_ms - WINDOW_MS - padding_ms))
        elif self.is_speech:
            self._silent_ms = 0 if is_loud else self._silent_ms + WINDOW_MS
            if self._silent_ms >= detection.get("silence_duration_ms", 200):
                yield Heard("speech_stopped", self.clock_ms)
        else:
            del self._buffer[: -48 * padding_ms or None]


def _decoder(format_name: str) -> tuple[Callable[[bytes], bytes], int]:
    """Return how to read a window, and its bytes; G.711 is taken at a third of the rate."""
    if format_name == "audio/pcm":
        return bytes, 48 * WINDOW_MS
    decode = decode_mulaw if format_name == "audio/pcmu" else decode_alaw
    return lambda codes: np.repeat(np.frombuffer(decode(codes), "<i2"), 3).tobytes(), 8 * WINDOW_MS
