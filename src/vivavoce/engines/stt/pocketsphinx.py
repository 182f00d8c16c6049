"""The embedded recogniser: pocketsphinx in worker processes, English, demo grade.

See worker_pool.py for which process decodes what, and pocketsphinx_worker.py for the decoding itself.
"""

import asyncio
import importlib.util
import json
from collections.abc import Callable
from typing import Final as Constant

from vivavoce.core.requests import TranscriptOptions, Word
from vivavoce.engines.base import TRANSCRIBER_RATE_HZ, Capabilities, EngineError, Final, Partial
from vivavoce.engines.stt import pocketsphinx_worker as wire
from vivavoce.engines.stt.worker_pool import WorkerPool
from vivavoce.engines.stt.worker_process import WORKER_COMMAND

NAME: Constant = "pocketsphinx"
MAX_WORKERS: Constant = 4  # one core keeps up with 4 to 5 people talking at once
MAX_UTTERANCE_S: Constant = 900
MAX_PENDING_MS: Constant = 2_000.0  # callers stop reading their peer above this; a feed itself is always taken whole
BYTES_PER_MS: Constant = TRANSCRIBER_RATE_HZ * 2 // 1000

Deliver = Callable[[Partial | Final | EngineError], None]


class PocketsphinxStream:
    """One utterance in the workers of an engine; see TranscriberStream."""

    def __init__(
        self, pool: WorkerPool, utterance: int, deliver: Deliver, refusal: str | None = None, engine: str = NAME
    ) -> None:
        self.utterance = utterance
        self.refusal = refusal  # why there will be no transcript
        self.is_finished = False
        self.audio = bytearray()  # all of it: decoding may have to begin again in another worker
        self.decoded_bytes = 0
        self.fed_at_s = 0.0  # on the loop's clock
        self._engine = engine
        self._pool = pool
        self._deliver: Deliver | None = deliver
        self._stable = ""

    @property
    def pending_ms(self) -> float:
        """Audio that its worker has received and not decoded; 0 while the utterance waits for a worker."""
        if not self._pool.is_decoding(self):
            return 0.0
        return (len(self.audio) - self.decoded_bytes) / BYTES_PER_MS

    @property
    def is_live(self) -> bool:
        """False after the final result, an error or `abort`."""
        return self._deliver is not None

    def feed(self, pcm: bytes) -> None:
        """Add audio; above 15 minutes the utterance fails with an EngineError. Raises ValueError for an odd length."""
        if len(pcm) % 2:
            raise ValueError(f"pcm16 audio needs an even number of bytes, got {len(pcm)}")
        if not self.is_live or self.is_finished or self.refusal or not pcm:
            return
        self.audio += pcm
        if len(self.audio) > MAX_UTTERANCE_S * 1000 * BYTES_PER_MS:
            self._pool.drop(self)
            self.fail(f"an utterance may last {MAX_UTTERANCE_S // 60} minutes, this one is longer")
            return
        self._pool.feed(self, pcm)

    def finish(self) -> None:
        """The utterance is complete; one Final or EngineError follows."""
        if self.is_live and not self.is_finished:
            self.is_finished = True
            if self.refusal is None:
                self._pool.finish(self)
            else:  # soon, as every other result
                asyncio.get_running_loop().call_soon(self.fail, self.refusal)

    def abort(self) -> None:
        """Forget the utterance; nothing is delivered."""
        if self.is_live:
            self._deliver = None
            self._pool.drop(self)

    def revise(self, progress: bytes) -> None:
        """Deliver a partial, unless it contradicts what was stable before decoding began again."""
        news: wire.Progress = json.loads(progress)
        self.decoded_bytes = news["decoded_bytes"]
        if self._deliver is not None and news["text"] and _continues(self._stable, news["stable"]):
            self._stable = news["stable"]
            self._deliver(Partial(stable=self._stable, text=news["text"]))

    def complete(self, result: bytes) -> None:
        """Deliver the final transcript."""
        final: wire.Result = json.loads(result)
        self._deliver_last(Final(final["text"], tuple(Word(**word) for word in final["words"])))

    def fail(self, message: str, is_retryable: bool = False) -> None:
        """Deliver an error; the utterance is over."""
        self._deliver_last(EngineError(self._engine, message, is_retryable=is_retryable))

    def _deliver_last(self, last: Final | EngineError) -> None:
        deliver, self._deliver = self._deliver, None
        self.audio.clear()
        if deliver is not None:
            deliver(last)


class PocketsphinxTranscriber:
    """The embedded transcriber.

    `min_workers` processes of 90 MB stay, `max_workers` is how many utterances are decoded at a time. `command`
    starts a worker.
    """

    capabilities = Capabilities(
        name=NAME,
        has_word_times=True,
        is_streaming=True,
        languages=("en",),
        note="Demo-grade recognition, English only, without punctuation: expect every fourth word wrong.",
    )

    def __init__(
        self, min_workers: int = 1, max_workers: int = MAX_WORKERS, command: tuple[str, ...] = WORKER_COMMAND
    ) -> None:
        self._pool = WorkerPool(min_workers, max_workers, command)
        self._utterances = 0

    async def start(self) -> None:
        """Start the workers and return when they are warm; raises EngineError."""
        if importlib.util.find_spec("pocketsphinx") is None:
            raise EngineError(
                NAME, "the Python package pocketsphinx is not installed; it has no wheel for every platform"
            )
        try:
            await self._pool.start()
        except TimeoutError as error:
            raise EngineError(
                NAME, f"no recogniser process was ready in time: {error}", code="engine_timeout"
            ) from error
        except OSError as error:
            raise EngineError(NAME, str(error)) from error

    async def close(self) -> None:
        """Fail what is live and end all workers."""
        await self._pool.close()

    async def process_ids(self) -> list[int]:
        """Return the ids of the running workers, for diagnosis."""
        return await self._pool.process_ids()

    def open(self, options: TranscriptOptions, deliver: Deliver) -> PocketsphinxStream:
        """Open an utterance; one in another language than English fails at its `finish`.

        `options.prompt` has no effect: this recogniser has a fixed language model.
        """
        self._utterances += 1
        stream = PocketsphinxStream(self._pool, self._utterances, deliver, _refusal(options.language))
        if stream.refusal is None:
            self._pool.add(stream)
        return stream


def _refusal(language: str | None) -> str | None:
    if language is None or language.lower().split("-")[0] == "en":
        return None
    return f"this recogniser knows English only, the language asked for is {language!r}"


def _continues(stable: str, longer: str) -> bool:
    return f"{longer} ".startswith(f"{stable} ") or not stable
