"""Whether a turn is complete, judged by its sound: Smart Turn v3.2 (ONNX) through onnxruntime.

The model hears the last 8 s of the turn, as log-mel features, and tells the probability that its speaker has finished.
A score takes 60 to 100 ms of one core, so all are made one after the other on a thread of this engine. Under load
scores would come after the silence that they judge: more than `MAX_WAITING` are refused, and the turn is then decided
by its words alone.
"""

import asyncio
import concurrent.futures
from pathlib import Path
from typing import Final

import numpy as np

from vivavoce.engines.base import Capabilities, EngineError
from vivavoce.engines.turn.log_mel import BANDS, FRAMES, log_mel

NAME: Final = "smart-turn"
ASSET: Final = "smart-turn"  # its row in the asset catalogue
NOT_RUNNING: Final = "the turn scorer is not running"
MAX_WAITING: Final = 8  # scores asked for and not made yet, over all sessions: half a second of work


class OnnxModel:
    """The Smart Turn model file, one thread and no spinning so that an idle server takes no processor time."""

    def __init__(self, path: Path) -> None:
        import onnxruntime  # 40 MB of memory, needed by ONNX engines only

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        shape = self._session.get_inputs()[0].shape
        if shape[1:] != [BANDS, FRAMES]:
            raise ValueError(f"its input has shape {shape}, expected (batch, {BANDS}, {FRAMES})")

    def score(self, pcm: bytes) -> float:
        """Return the probability in [0, 1] that the turn is complete; pcm16le, mono, 16 kHz."""
        # The output is called "logits" and holds probabilities: the sigmoid is part of the file.
        probabilities = self._session.run(None, {"input_features": log_mel(pcm)[np.newaxis]})[0]
        return min(max(float(probabilities[0, 0]), 0.0), 1.0)


class SmartTurnScorer:
    """See TurnScorer. `model_path` is the file smart-turn-v3.2-cpu.onnx."""

    capabilities = Capabilities(name=NAME, note="Smart Turn 3.2, runs on this machine.")

    def __init__(self, model_path: Path) -> None:
        self._model_path = model_path
        self._model: OnnxModel | None = None
        self._waiting = 0
        self._thread: concurrent.futures.ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Load the model and score silence once; raises EngineError if the file cannot be used."""
        thread = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix=NAME)
        try:
            self._model = await asyncio.get_running_loop().run_in_executor(thread, _load, self._model_path)
        except ImportError as error:
            thread.shutdown(wait=False)
            raise EngineError(NAME, f"onnxruntime cannot be loaded: {error}") from error
        except Exception as error:  # onnxruntime raises its own types, which derive from Exception only
            thread.shutdown(wait=False)
            raise EngineError(NAME, f"the model {self._model_path.name} cannot be loaded: {error}") from error
        self._thread = thread

    async def close(self) -> None:
        """End the thread after the score in hand; scores that wait are given up."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.shutdown)

    async def score(self, pcm: bytes) -> float:
        """Return the probability in [0, 1] that the turn is complete.

        Args:
            pcm: pcm16le, mono, 16 kHz, of which the last 8 s count.

        Raises:
            EngineError: not started or closed, too many scores are waiting, or the model failed.
            ValueError: an odd number of bytes.
        """
        if len(pcm) % 2:
            raise ValueError(f"pcm16 audio needs an even number of bytes, got {len(pcm)}")
        if self._thread is None:
            raise EngineError(NAME, NOT_RUNNING)
        if self._waiting >= MAX_WAITING:
            raise EngineError(NAME, f"{self._waiting} scores are waiting", code="engine_timeout", is_retryable=True)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._score, pcm)
        except EngineError:
            raise
        except Exception as error:  # of onnxruntime, see above
            raise EngineError(NAME, f"the model failed: {error}", code="server_error") from error
        finally:
            self._waiting -= 1

    def _score(self, pcm: bytes) -> float:
        """On the engine's thread. Scores that still wait when the engine closes are not made."""
        if self._thread is None or self._model is None:
            raise EngineError(NAME, NOT_RUNNING)
        return self._model.score(pcm)


def _load(path: Path) -> OnnxModel:
    model = OnnxModel(path)
    model.score(b"")
    return model
