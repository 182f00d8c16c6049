"""The recogniser of moonshine-voice in worker processes, with models that were fetched before.

Which process decodes what is decided as for the embedded recogniser (worker_pool.py); moonshine_worker.py decodes.
"""

import os
import sys
from pathlib import Path
from typing import Final as Constant

import msgspec

from vivavoce.core.requests import TranscriptOptions
from vivavoce.engines.base import Capabilities, EngineError
from vivavoce.engines.stt import moonshine_worker
from vivavoce.engines.stt.pocketsphinx import Deliver, PocketsphinxStream
from vivavoce.engines.stt.worker_pool import WorkerPool

NAME: Constant = "moonshine"
WORKER_COMMAND: Constant = (sys.executable, "-P", str(Path(moonshine_worker.__file__).resolve()))


class MoonshineModel(msgspec.Struct, frozen=True):
    """A recogniser's files: their folder, the library's number for their kind, and the language they know."""

    folder: Path
    architecture: int
    language: str = "en"


class MoonshineTranscriber:
    """Hears with moonshine-voice. Each process holds the model, so there are few: see `workers_at_most`."""

    def __init__(
        self,
        model: MoonshineModel,
        min_workers: int = 1,
        max_workers: int | None = None,
        command: tuple[str, ...] = WORKER_COMMAND,
    ) -> None:
        """Prepare; nothing is loaded before `start`.

        Args:
            min_workers: processes that stay.
            max_workers: utterances that are decoded at a time; further ones wait and are decoded faster than spoken.
        """
        most = workers_at_most() if max_workers is None else min(max_workers, workers_at_most())
        self._language = model.language
        arguments = (str(model.folder), str(model.architecture))
        self._pool = WorkerPool(min(min_workers, most), most, (*command, *arguments))
        self._utterances = 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name=NAME,
            has_word_times=True,
            is_streaming=True,
            languages=(self._language,),
            note="Runs on this machine with punctuation and word times; one language.",
        )

    async def start(self) -> None:
        """Start the workers and return when each has decoded a little silence; raises EngineError."""
        try:
            await self._pool.start()
        except TimeoutError as error:
            raise EngineError(NAME, "no recogniser process was ready in time", code="engine_timeout") from error
        except OSError as error:
            raise EngineError(NAME, str(error)) from error

    async def close(self) -> None:
        """Fail what is live and end all workers."""
        await self._pool.close()

    async def process_ids(self) -> list[int]:
        """Return the ids of the running workers, for diagnosis."""
        return await self._pool.process_ids()

    def open(self, options: TranscriptOptions, deliver: Deliver) -> PocketsphinxStream:
        """Open an utterance; one in another language than the model's fails at its `finish`.

        `options.prompt` has no effect: the library biases all of a model's utterances at once.
        """
        self._utterances += 1
        stream = PocketsphinxStream(self._pool, self._utterances, deliver, self._refusal(options.language), NAME)
        if stream.refusal is None:
            self._pool.add(stream)
        return stream

    def _refusal(self, language: str | None) -> str | None:
        if language is None or language.lower().split("-")[0] == self._language:
            return None
        return f"this recogniser knows {self._language!r} only, the language asked for is {language!r}"


def workers_at_most(cores: int | None = None) -> int:
    """Return how many processes a machine can use: the library decodes with several threads, and each loads a model."""
    return max(1, (cores or os.cpu_count() or 1) // 2)
