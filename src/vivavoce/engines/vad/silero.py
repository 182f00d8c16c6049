"""Speech detection with Silero VAD (16 kHz ONNX model) through onnxruntime.

Theory of operation. A window of 512 samples, preceded by the last 64 samples of the window before it, and a recurrent
state of shape (2, batch, 128) give the probability of speech. A run costs 0.1 ms for one window and about half of
that per window in a batch of 8 or more, so few live streams are scored at once on the caller's thread (`inline`), and
many are gathered into batches by one scheduler thread. A stream that feeds more than a few windows at once goes to the
thread whatever the number of streams. While any window of a stream is with the thread, later ones follow it there:
probabilities keep their order. Only one side touches a stream's state at a time: the caller while the stream has no
window outstanding, the thread otherwise.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from vivavoce.engines.base import DETECTOR_RATE_HZ, DETECTOR_WINDOW_SAMPLES, Capabilities, EngineError
from vivavoce.engines.vad.tail_gate import TailGate

CONTEXT_SAMPLES: Final = 64  # as in the model's own reference code for 16 kHz
STATE_CELLS: Final = 128
WINDOW_BYTES: Final = DETECTOR_WINDOW_SAMPLES * 2
WINDOW_MS: Final = DETECTOR_WINDOW_SAMPLES * 1000 / DETECTOR_RATE_HZ
INLINE_STREAMS: Final = 8  # with more live streams a batch saves more than the hop to the thread costs
INLINE_WINDOWS: Final = 16  # per feed: at most 2 ms on the caller's thread
BATCH_WINDOWS: Final = 32  # larger batches gain nothing and delay the first of them
GATHER_S: Final = 0.004  # with many live streams a batch is collected for so long
MAX_PENDING_MS: Final = 2_000.0  # callers stop reading their peer above this; a feed itself is always taken whole

Window = npt.NDArray[np.int16]
FloatArray = npt.NDArray[np.float32]


class Model(Protocol):
    """Scores a batch of windows."""

    def score(self, windows: FloatArray, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return probabilities, shape (batch,), and the next state.

        Args:
            windows: float32, shape (batch, 64 + 512), range [-1, 1], 16 kHz.
            state: float32, shape (2, batch, 128), zeros at the start of a stream.
        """
        ...


class OnnxModel:
    """The Silero model file, one thread and no spinning so that an idle server takes no processor time."""

    def __init__(self, path: Path) -> None:
        import onnxruntime  # 40 MB of memory, needed by this engine only

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._rate = np.array(DETECTOR_RATE_HZ, dtype=np.int64)

    def score(self, windows: FloatArray, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """See Model."""
        probabilities, next_state = self._session.run(None, {"input": windows, "state": state, "sr": self._rate})
        return probabilities[:, 0], next_state


class SileroStream:
    """One session's detector stream; see DetectorStream."""

    def __init__(self, detector: "SileroDetector", deliver: Callable[[Sequence[float]], None]) -> None:
        self._detector = detector
        self._deliver: Callable[[Sequence[float]], None] | None = deliver
        self._rest = b""  # less than one window
        self.windows: deque[Window] = deque()  # with the thread; guarded by the scheduler's lock
        self.outstanding = 0  # windows given to the thread and not delivered; caller's thread only
        self.context = np.zeros(CONTEXT_SAMPLES, np.float32)
        self.state = np.zeros((2, STATE_CELLS), np.float32)
        self.gate = TailGate()

    @property
    def pending_ms(self) -> float:
        """Audio that was fed and has no probability delivered yet, without the incomplete last window."""
        return self.outstanding * WINDOW_MS

    @property
    def is_live(self) -> bool:
        """False once closed."""
        return self._deliver is not None

    def feed(self, pcm: bytes) -> None:
        """Score all whole windows: at once, or soon on the scheduler thread.

        Raises:
            EngineError: the model failed earlier.
            ValueError: an odd number of bytes.
        """
        if len(pcm) % 2:
            raise ValueError(f"pcm16 audio needs an even number of bytes, got {len(pcm)}")
        if not self.is_live:
            return
        audio = self._rest + pcm
        whole = len(audio) // WINDOW_BYTES * WINDOW_BYTES
        self._rest = audio[whole:]
        if whole:
            windows = np.frombuffer(audio, "<i2", whole // 2).reshape(-1, DETECTOR_WINDOW_SAMPLES)
            self._detector.take(self, windows)

    def deliver(self, probabilities: Sequence[float]) -> None:
        """Hand results to the owner unless the stream was closed."""
        if self._deliver is not None:
            self._deliver(probabilities)

    def close(self) -> None:
        """End the stream; nothing is delivered afterwards."""
        if self.is_live:
            self._deliver = None
            self._detector.forget(self)


class SileroDetector:
    """The embedded detector. `model_path` is the file silero_vad_16k_op15.onnx of silero-vad 6."""

    capabilities = Capabilities(name="silero", note="Silero VAD 6, runs on this machine.")

    def __init__(self, model_path: Path, inline_streams: int = INLINE_STREAMS) -> None:
        self._model_path = model_path
        self._inline_streams = inline_streams
        self._live_streams = 0
        self._model: Model | None = None
        self._scheduler: Scheduler | None = None

    async def start(self) -> None:
        """Load the model and score one window; raises EngineError if the file cannot be used."""
        try:
            self._model = await asyncio.to_thread(_load, self._model_path)
        except ImportError as error:
            raise EngineError("silero", f"onnxruntime cannot be loaded: {error}") from error
        except Exception as error:  # onnxruntime raises its own types, which derive from Exception only
            raise EngineError("silero", f"the model {self._model_path.name} cannot be loaded: {error}") from error
        self._scheduler = Scheduler(self._model, asyncio.get_running_loop())

    async def close(self) -> None:
        """Stop the scheduler thread."""
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            await asyncio.to_thread(scheduler.stop)

    def open(self, deliver: Callable[[Sequence[float]], None]) -> SileroStream:
        """Open a fresh stream; raises EngineError before `start` and after `close`."""
        if self._scheduler is None:
            raise EngineError("silero", "the detector is not started")
        self._live_streams += 1
        return SileroStream(self, deliver)

    def take(self, stream: SileroStream, windows: Window) -> None:
        """Score windows of a stream, shape (count, 512); called by the stream."""
        if self._scheduler is None or self._model is None:
            raise EngineError("silero", "the detector is closed")
        if self._scheduler.failure is not None:
            raise EngineError("silero", f"the model failed: {self._scheduler.failure}", code="server_error")
        is_crowded = self._live_streams >= self._inline_streams
        if stream.outstanding or is_crowded or len(windows) > INLINE_WINDOWS:
            self._scheduler.submit(stream, windows, GATHER_S if is_crowded else 0.0)
        else:
            stream.deliver([score_batch(self._model, [(stream, window)])[0] for window in windows])

    def forget(self, stream: SileroStream) -> None:
        """Count a closed stream out and drop its windows; called by the stream."""
        self._live_streams -= 1
        if self._scheduler is not None:
            self._scheduler.drop(stream)


class Scheduler:
    """One thread that scores batches; results come back on the loop's thread in the order of submission."""

    def __init__(self, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        self.failure: Exception | None = None
        self._model = model
        self._loop = loop
        self._changed = threading.Condition()
        self._ready: deque[SileroStream] = deque()  # streams with windows, each once, longest waiting first
        self._scored: list[tuple[SileroStream, float]] = []
        self._gather_s = 0.0
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="silero", daemon=True)
        self._thread.start()

    def submit(self, stream: SileroStream, windows: Window, gather_s: float) -> None:
        """Queue windows, shape (count, 512); `gather_s` is how long to wait for other streams' windows."""
        stream.outstanding += len(windows)
        with self._changed:
            self._gather_s = gather_s
            if not stream.windows:
                self._ready.append(stream)
                self._changed.notify()
            stream.windows.extend(windows)

    def drop(self, stream: SileroStream) -> None:
        """Forget the stream's queued windows."""
        with self._changed:
            stream.windows.clear()

    def stop(self) -> None:
        """End the thread; blocks for the batch in hand, a few ms."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._post(batch, score_batch(self._model, batch))
        except Exception as error:  # reported to the next feed; a thread has nobody else to tell
            self.failure = error

    def _next_batch(self) -> list[tuple[SileroStream, Window]]:
        """Wait for work; returns at most one window per stream, nothing when stopping."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._ready or self._is_stopping)
                if self._gather_s and self._is_worth_gathering():
                    self._changed.wait_for(lambda: self._is_stopping, self._gather_s)
                if self._is_stopping:
                    return []
                if batch := self._take_batch():
                    return batch

    def _is_worth_gathering(self) -> bool:
        """False for a full batch, and while someone has a backlog, which waiting would only prolong."""
        return len(self._ready) < BATCH_WINDOWS and all(len(stream.windows) < 3 for stream in self._ready)

    def _take_batch(self) -> list[tuple[SileroStream, Window]]:
        taken = [self._ready.popleft() for _ in range(min(BATCH_WINDOWS, len(self._ready)))]
        batch = [(stream, stream.windows.popleft()) for stream in taken if stream.windows]
        self._ready.extend(stream for stream, _ in batch if stream.windows)
        return batch

    def _post(self, batch: list[tuple[SileroStream, Window]], probabilities: list[float]) -> None:
        with self._changed:
            is_delivery_due = not self._scored
            self._scored.extend((stream, p) for (stream, _), p in zip(batch, probabilities, strict=True))
        if is_delivery_due:  # one wake-up of the loop carries all results until it runs
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop was closed without closing the detector
                self._is_stopping = True

    def _deliver(self) -> None:
        with self._changed:
            scored, self._scored = self._scored, []
        by_stream: dict[SileroStream, list[float]] = {}
        for stream, probability in scored:
            by_stream.setdefault(stream, []).append(probability)
        for stream, probabilities in by_stream.items():
            stream.outstanding -= len(probabilities)
            stream.deliver(probabilities)


def score_batch(model: Model, batch: Sequence[tuple[SileroStream, Window]]) -> list[float]:
    """Score one window of each stream and advance the streams' state; returns their probabilities."""
    audio = np.empty((len(batch), CONTEXT_SAMPLES + DETECTOR_WINDOW_SAMPLES), np.float32)
    state = np.empty((2, len(batch), STATE_CELLS), np.float32)
    for row, (stream, window) in enumerate(batch):
        audio[row, :CONTEXT_SAMPLES] = stream.context
        np.multiply(window, np.float32(1 / 32768), out=audio[row, CONTEXT_SAMPLES:])
        state[:, row] = stream.state
    probabilities, state = model.score(audio, state)
    for row, (stream, _) in enumerate(batch):
        stream.context = audio[row, -CONTEXT_SAMPLES:]
        stream.state = state[:, row]
    return [
        stream.gate.judge(float(probability), row[CONTEXT_SAMPLES:])
        for (stream, _), probability, row in zip(batch, probabilities, audio, strict=True)
    ]


def _load(path: Path) -> Model:
    model = OnnxModel(path)
    silence = np.zeros((1, CONTEXT_SAMPLES + DETECTOR_WINDOW_SAMPLES), np.float32)
    model.score(silence, np.zeros((2, 1, STATE_CELLS), np.float32))
    return model
