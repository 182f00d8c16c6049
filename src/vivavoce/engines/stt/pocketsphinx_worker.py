"""The recogniser process: one pocketsphinx decoder, one utterance at a time, frames over the socket at fd 0.

Pocketsphinx holds the interpreter's lock while it decodes, so it runs in processes of its own. This file is started by
path and imports nothing of the package and little else: the process is 90 MB, nearly all of it the decoder. It ends
when the socket closes, hence with its parent, however that ends.

Every frame is a header (kind, utterance id, payload length) and a payload. The worker reads all frames that have
arrived before it decodes the next 100 ms, so an abort overtakes audio that is waiting.
"""

import json
import re
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol, TypedDict

START: Final = 1  # to the worker: the utterance begins; payload empty
AUDIO: Final = 2  # to the worker: pcm16le, mono, 16 kHz
FINISH: Final = 3  # to the worker: the utterance is complete; answered by FINAL
ABORT: Final = 4  # to the worker: forget the utterance
READY: Final = 5  # from the worker: the decoder is loaded and warm
PROGRESS: Final = 6  # from the worker: a Progress
FINAL: Final = 7  # from the worker: a Result
BROKEN: Final = 8  # from the worker, its last frame: a sentence why there is no decoder

HEADER: Final = struct.Struct("<BII")
RATE_HZ: Final = 16_000
STEP_BYTES: Final = RATE_HZ // 10 * 2  # decoded between two looks at the socket; 100 ms take 10 to 30 ms
READ_BYTES: Final = 1 << 18
FRAME_MS: Final = 10  # the decoder's time grid
STABLE_AFTER: Final = 10  # hypotheses in a row, one for each 100 ms; 5 were wrong in 10 of 96 test utterances, 10 in 1

# Cepstral means that the decoder subtracts until it knows the speaker. Its own start value (40, 3, -1) costs 10 points
# of word error rate on the human test clips; these are rounded means of close-talk speech at usual levels.
PRIOR_MEANS: Final = (46.0, 1.5, -1.0, 3.0, -4.0, 0.5, -3.0, -2.0, -3.0, 0.0, -2.0, 0.0, 0.0)
PRIOR_FRAMES: Final = 80  # the weight of the prior against the utterance's own frames
ESTIMATE_BYTES: Final = int(0.8 * RATE_HZ) * 2  # shorter than prefix, shortest word and silence window together
ESTIMATION: Final = "estimation"  # name of the search that runs meanwhile: a keyword spotter, 0.03 of real time
LIVE_WINDOW_FRAMES: Final = 500  # the weight that the decoder itself gives to the means it was set to (CMN_WIN)
VARIANT: Final = re.compile(r"\(\d+\)$")


class WordRow(TypedDict):
    """A word with its times in ms from the first sample."""

    text: str
    start_ms: int
    end_ms: int


class Progress(TypedDict):
    """How much audio is decoded, and what it says."""

    decoded_bytes: int
    stable: str
    text: str


class Result(TypedDict):
    """The final transcript."""

    text: str
    words: list[WordRow]


class Decoding(Protocol):
    """What a worker works with: it decodes one utterance after the other."""

    def start(self) -> None:
        """Begin an utterance; one that was open is dropped."""
        ...

    def drop(self) -> None:
        """Forget the open utterance."""
        ...

    def decode(self, pcm: bytes) -> tuple[str, str]:
        """Decode more audio; returns the stable prefix and the text so far."""
        ...

    def finish(self) -> Result:
        """End the utterance; returns its transcript, which begins with the stable prefix."""
        ...


def pack(kind: int, utterance: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return HEADER.pack(kind, utterance, len(payload)) + payload


def take_frames(buffer: bytearray) -> Iterator[tuple[int, int, bytes]]:
    """Yield and remove the complete frames at the start of the buffer as (kind, utterance id, payload)."""
    while len(buffer) >= HEADER.size:
        kind, utterance, length = HEADER.unpack_from(buffer)
        end = HEADER.size + length
        if len(buffer) < end:
            return
        payload = bytes(buffer[HEADER.size : end])
        del buffer[:end]
        yield kind, utterance, payload


class Recogniser:
    """Decodes one utterance after the other.

    The cepstral means decide the accuracy of a short utterance: they are estimated from its own first 0.8 s, under a
    search that costs next to nothing, and the real search then begins at the start of the utterance.
    """

    def __init__(self) -> None:
        from pocketsphinx import Decoder  # kept out of the parent, which imports this file for the frames

        # fwdflat would add a second pass of 100 ms at the end and no accuracy. At most 3000 active states per frame
        # bound the cost of noise and of the last frames, at no cost in accuracy on the human test clips.
        self._decoder: Any = Decoder(fwdflat=False, maxhmmpf=3000, lw=6.5, loglevel="FATAL")  # untyped library
        self._transcription = self._decoder.current_search()
        self._decoder.add_keyphrase(ESTIMATION, "hello")
        self._head = bytearray()  # of this utterance, until its means are known
        self._is_estimating = False
        self._is_open = False
        self._prefix = StablePrefix()

    def start(self) -> None:
        """Begin an utterance; one that was open is dropped."""
        self.drop()
        self._head.clear()
        self._prefix = StablePrefix()
        self._is_estimating = True
        self._open(ESTIMATION, PRIOR_MEANS)

    def drop(self) -> None:
        """Forget the open utterance."""
        if self._is_open:
            self._decoder.end_utt()
            self._is_open = False

    def decode(self, pcm: bytes) -> tuple[str, str]:
        """Decode more audio; returns the stable prefix and the text so far, both empty in the first 0.8 s."""
        self._decoder.process_raw(pcm, False, False)
        if self._is_estimating:
            self._head += pcm
            if len(self._head) < ESTIMATE_BYTES:
                return "", ""
            self._begin_transcription()
        return self._prefix.revise(self._words())

    def finish(self) -> Result:
        """End the utterance; returns its transcript, which begins with the stable prefix."""
        if self._is_estimating:
            self._begin_transcription()
        self.drop()
        words = keep_prefix(self._prefix.rows, self._words())
        return Result(text=" ".join(word["text"] for word in words), words=words)

    def _words(self) -> list[WordRow]:
        return [
            WordRow(text=text, start_ms=segment.start_frame * FRAME_MS, end_ms=(segment.end_frame + 1) * FRAME_MS)
            for segment in self._decoder.seg() or ()
            if (text := spoken(segment.word))
        ]

    def _open(self, search: str, means: tuple[float, ...]) -> None:
        self._decoder.activate_search(search)
        self._decoder.set_cmn(",".join(f"{mean:.6g}" for mean in means))
        self._decoder.start_utt()
        self._is_open = True

    def _begin_transcription(self) -> None:
        means = self._estimate()
        self.drop()
        self._is_estimating = False
        self._open(self._transcription, means)
        if self._head:
            self._decoder.process_raw(bytes(self._head), False, False)

    def _estimate(self) -> tuple[float, ...]:
        """The means of the frames so far and of the prior, out of the decoder's own running value."""
        frames = self._decoder.n_frames()
        running = [float(mean) for mean in self._decoder.get_cmn(True).split(",")]
        sums = [
            mean * (LIVE_WINDOW_FRAMES + frames) - prior * LIVE_WINDOW_FRAMES
            for mean, prior in zip(running, PRIOR_MEANS, strict=True)
        ]
        return tuple(
            (total + prior * PRIOR_FRAMES) / (frames + PRIOR_FRAMES)
            for total, prior in zip(sums, PRIOR_MEANS, strict=True)
        )


class StablePrefix:
    """Finds the words at the start of a growing hypothesis that are unlikely to change any more."""

    def __init__(self) -> None:
        self.rows: list[WordRow] = []  # the stable words with their times when they became stable
        self._recent: list[list[str]] = []

    def revise(self, rows: list[WordRow]) -> tuple[str, str]:
        """Take the next hypothesis; returns the stable words, and these with the rest of the hypothesis."""
        words = texts(rows)
        self._recent = [*self._recent[1 - STABLE_AFTER :], words]
        if len(self._recent) == STABLE_AFTER:
            candidate = common_prefix(self._recent)
            if len(candidate) > len(self.rows) and candidate[: len(self.rows)] == texts(self.rows):
                self.rows = self.rows + rows[len(self.rows) : len(candidate)]
        stable = texts(self.rows)
        return " ".join(stable), " ".join(stable + words[len(stable) :])


def texts(rows: list[WordRow]) -> list[str]:
    """Return the words without their times."""
    return [row["text"] for row in rows]


def spoken(word: str) -> str:
    """Return a dictionary entry as text: no variant number, and nothing for silence and noise such as <sil>."""
    return "" if word.startswith(("<", "[", "+")) else VARIANT.sub("", word)


def common_prefix(hypotheses: list[list[str]]) -> list[str]:
    """Return the words with which all hypotheses begin."""
    length = 0
    for column in zip(*hypotheses, strict=False):
        if len(set(column)) > 1:
            break
        length += 1
    return hypotheses[0][:length]


def keep_prefix(stable: list[WordRow], final: list[WordRow]) -> list[WordRow]:
    """Return the final words; where they contradict the stable ones, these and the final words after them.

    The decoder's last search is better by 3 points of word error rate, and rewrites the beginning of every fourth
    utterance, which was told already.
    """
    if texts(final[: len(stable)]) == texts(stable):
        return final
    end_ms = stable[-1]["end_ms"]
    return stable + [row for row in final if (row["start_ms"] + row["end_ms"]) / 2 > end_ms]


class Worker:
    """Reads frames, decodes, answers."""

    def __init__(self, peer: socket.socket, recogniser: Decoding) -> None:
        self._peer = peer
        self._recogniser = recogniser
        self._received = bytearray()
        self._waiting = bytearray()  # audio of the live utterance
        self._utterance = 0  # 0: none
        self._is_finishing = False
        self._decoded_bytes = 0

    def run(self) -> None:
        """Work until the peer closes."""
        while self._read(may_wait=not (self._waiting or self._is_finishing)):
            for kind, utterance, payload in take_frames(self._received):
                self._receive(kind, utterance, payload)
            if self._waiting:
                self._decode_step()
            elif self._is_finishing:
                self._finish()

    def _read(self, may_wait: bool) -> bool:
        try:
            data = self._peer.recv(READ_BYTES, 0 if may_wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        self._received += data
        return bool(data)

    def _receive(self, kind: int, utterance: int, payload: bytes) -> None:
        if kind == START:
            self._reset(utterance)
            self._recogniser.start()
        elif utterance != self._utterance:
            return
        elif kind == AUDIO:
            self._waiting += payload
        elif kind == FINISH:
            self._is_finishing = True
        elif kind == ABORT:
            self._reset(0)
            self._recogniser.drop()

    def _reset(self, utterance: int) -> None:
        self._utterance, self._is_finishing, self._decoded_bytes = utterance, False, 0
        self._waiting.clear()

    def _decode_step(self) -> None:
        step = bytes(self._waiting[:STEP_BYTES])
        del self._waiting[:STEP_BYTES]
        stable, text = self._recogniser.decode(step)
        self._decoded_bytes += len(step)
        self._send(PROGRESS, Progress(decoded_bytes=self._decoded_bytes, stable=stable, text=text))

    def _finish(self) -> None:
        self._send(FINAL, self._recogniser.finish())
        self._reset(0)

    def _send(self, kind: int, body: Progress | Result) -> None:
        self._peer.sendall(pack(kind, self._utterance, json.dumps(body).encode()))


def serve(load: Callable[[], Decoding]) -> None:
    """Load, warm up, say READY and serve the socket at fd 0 until its other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when to end
    with socket.socket(fileno=0) as peer:
        try:
            recogniser = load()
            recogniser.start()
            recogniser.decode(bytes(STEP_BYTES * 3))
            recogniser.finish()
        except Exception as error:  # whatever the library cannot do is told, then the process ends
            peer.sendall(pack(BROKEN, 0, f"{type(error).__name__}: {error}".encode()))
            return
        peer.sendall(pack(READY, 0))
        try:
            Worker(peer, recogniser).run()
        except (BrokenPipeError, ConnectionResetError):
            return  # the parent is gone


if __name__ == "__main__":
    serve(Recogniser)
