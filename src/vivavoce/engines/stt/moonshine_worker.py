"""The recogniser process with moonshine-voice: `moonshine_worker.py MODEL_FOLDER ARCHITECTURE`, frames at fd 0.

Frames and the order of work are those of pocketsphinx_worker.py. An utterance is a stream of the library, a long one
several: its decoder stops after some hundred words and every pass goes over all of the stream's words, so a stream of
a quarter of a minute is ended at the next quiet moment. The library's own voice detection is off; the utterance was
cut before it came here.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from vivavoce.engines.stt.pocketsphinx_worker import RATE_HZ, Result, WordRow, common_prefix, serve, texts

PASS_EVERY_S: Final = 0.3  # speech between two hypotheses, or as much as the last one took to make
STABLE_AFTER: Final = 3  # hypotheses in a row that agree on a word before it counts as stable
FULL_SCALE: Final = 32_768.0
STREAM_S: Final = 15.0  # a stream ends at the first quiet moment after so much speech,
LONGEST_STREAM_S: Final = 25.0  # and without one after this
QUIET: Final = 0.3  # of the stream's RMS
NEVER_S: Final = 1e9  # the library makes no pass by itself
FLUSH_SAMPLES: Final = 512  # the library takes sound in pieces of this size and drops what is left at the end

OPTIONS: Final = {
    "word_timestamps": "true",
    # Where it verifies the last hypothesis in one go, 0.1.5 aligns only the words after it: the others have no times.
    "use_speculative_decoding": "false",
    "vad_threshold": "0",
    "return_audio_data": "false",  # it would come back as a list of Python numbers with every pass
}


class MoonshineRecogniser:
    """Decodes one utterance after the other; see Decoding."""

    def __init__(self, folder: Path, architecture: int) -> None:
        from moonshine_voice import ModelArch, Transcriber  # not for the parent, which imports this file for its path

        self._transcriber: Any = Transcriber(folder, ModelArch(architecture), options=OPTIONS)  # untyped library
        self._part: Part | None = None
        self._rows: list[WordRow] = []  # of the parts that are over
        self._prefix = AgreedPrefix()

    def start(self) -> None:
        """Begin an utterance; one that was open is dropped."""
        self.drop()
        self._rows = []
        self._prefix = AgreedPrefix()
        self._part = Part(self._transcriber, 0)

    def drop(self) -> None:
        """Forget the open utterance."""
        if self._part is not None:
            self._part.close()
            self._part = None

    def decode(self, pcm: bytes) -> tuple[str, str]:
        """Take more audio and decode it when that is worth a pass; returns the stable prefix and the text so far.

        Raises:
            RuntimeError: the library could not decode the end of a part.
        """
        part = self._live_part()
        part.feed(np.frombuffer(pcm, "<i2").astype(np.float32) / FULL_SCALE)
        if part.is_long_enough:
            self._end_part(part)
            self._part = Part(self._transcriber, part.end_samples)
        elif part.is_worth_a_pass:
            self._prefix.revise([*texts(self._rows), *part.words()])
        return self._prefix.stable, self._prefix.text

    def finish(self) -> Result:
        """End the utterance; returns its transcript, which begins with the stable prefix.

        Raises:
            RuntimeError: the library could not decode the rest.
        """
        self._end_part(self._live_part())
        self._part = None
        rows = self._prefix.finished(self._rows)
        return Result(text=" ".join(texts(rows)), words=rows)

    def _live_part(self) -> "Part":
        assert self._part is not None, "a worker decodes only what it started"
        return self._part

    def _end_part(self, part: "Part") -> None:
        self._rows += part.finish()
        self._prefix.revise(texts(self._rows))


class Part:
    """One stream of the library: the utterance from `first_sample` on."""

    def __init__(self, transcriber: Any, first_sample: int) -> None:  # untyped library
        self._force = transcriber.MOONSHINE_FLAG_FORCE_UPDATE  # else it wants half a second more for each pass
        self._stream: Any = transcriber.create_stream(update_interval=NEVER_S, transcribe_flags=self._force)
        self._stream.start()
        self._first_sample = first_sample
        self._samples = 0
        self._undecoded_samples = 0
        self._pass_s = 0.0  # what the last pass took
        self._energy = 0.0  # sum of squares
        self._is_quiet = False

    @property
    def end_samples(self) -> int:
        """Where in the utterance the next part begins."""
        return self._first_sample + self._samples

    @property
    def is_long_enough(self) -> bool:
        """Whether this is the place to end it."""
        return self._samples >= (STREAM_S if self._is_quiet else LONGEST_STREAM_S) * RATE_HZ

    @property
    def is_worth_a_pass(self) -> bool:
        """Whether enough was said since the last one."""
        return self._undecoded_samples >= max(PASS_EVERY_S, self._pass_s) * RATE_HZ

    def feed(self, samples: Any) -> None:  # float32, shape (samples,), range [-1, 1], 16 kHz
        """Take more audio."""
        self._stream.add_audio(samples.tolist(), RATE_HZ)
        energy = float(np.square(samples).sum())
        self._samples += samples.size
        self._undecoded_samples += samples.size
        self._energy += energy
        self._is_quiet = energy / samples.size <= QUIET**2 * self._energy / self._samples

    def words(self) -> list[str]:
        """Decode what came; returns the words so far."""
        began_s = time.monotonic()
        transcript = self._stream.update_transcription(self._force)
        self._pass_s = time.monotonic() - began_s
        self._undecoded_samples = 0
        return spoken_words(transcript)

    def finish(self) -> list[WordRow]:
        """Decode all and end the stream; returns the words with their times in the utterance.

        Raises:
            RuntimeError: the library could not.
        """
        self._stream.add_audio([0.0] * FLUSH_SAMPLES, RATE_HZ)
        transcript = self._stream.stop()
        self.close()
        if transcript is None:  # so the library tells that its last pass failed
            raise RuntimeError("the recogniser could not decode the end of the utterance")
        first_ms, last_ms = (1000 * place // RATE_HZ for place in (self._first_sample, self.end_samples))
        return timed_words(spoken_words(transcript), list(aligned_words(transcript)), first_ms, last_ms)

    def close(self) -> None:
        """Release the stream."""
        self._stream.close()


class AgreedPrefix:
    """The words at the start of a growing hypothesis on which the last few agree; they are never taken back."""

    def __init__(self) -> None:
        self.text = ""
        self._stable: list[str] = []
        self._recent: list[list[str]] = []

    @property
    def stable(self) -> str:
        """Return the stable words."""
        return " ".join(self._stable)

    def revise(self, words: list[str]) -> None:
        """Take the next hypothesis."""
        self._recent = [*self._recent[1 - STABLE_AFTER :], words]
        if len(self._recent) == STABLE_AFTER:
            agreed = common_prefix(self._recent)
            if agreed[: len(self._stable)] == self._stable:
                self._stable = agreed
        self.text = " ".join(self._stable + words[len(self._stable) :])

    def finished(self, rows: list[WordRow]) -> list[WordRow]:
        """Return the final words; those that were stable stay as they were told, at the places of the final ones."""
        told = [WordRow({**row, "text": text}) for row, text in zip(rows, self._stable, strict=False)]
        end_ms = rows[-1]["end_ms"] if rows else 0
        missing = [WordRow(text=text, start_ms=end_ms, end_ms=end_ms) for text in self._stable[len(rows) :]]
        return told + missing + rows[len(told) :]


def spoken_words(transcript: Any) -> list[str]:  # untyped library
    """Return the words of all lines."""
    return [word for line in transcript.lines for word in line.text.split()]


def aligned_words(transcript: Any) -> Iterator[tuple[str, float, float]]:  # untyped library
    """Yield the words that the library placed, with start and end in seconds of the stream.

    Its confidences are left out: streaming models have 1 for every word.
    """
    for line in transcript.lines:
        for word in line.words or ():
            yield word.word.strip(), word.start, word.end


def timed_words(
    words: list[str], aligned: list[tuple[str, float, float]], first_ms: int, last_ms: int
) -> list[WordRow]:
    """Return the words with times in ms, which never go back and lie between `first_ms` and `last_ms`.

    Words that the alignment does not have as the text does share the time evenly.
    """
    if [text for text, _, _ in aligned] != words:
        share_s = (last_ms - first_ms) / 1000 / max(1, len(words))
        aligned = [(word, index * share_s, (index + 1) * share_s) for index, word in enumerate(words)]
    rows: list[WordRow] = []
    end_ms = first_ms
    for text, start_s, end_s in aligned:
        start_ms = min(last_ms, max(end_ms, first_ms + round(start_s * 1000)))
        end_ms = min(last_ms, max(start_ms, first_ms + round(end_s * 1000)))
        rows.append(WordRow(text=text, start_ms=start_ms, end_ms=end_ms))
    return rows


if __name__ == "__main__":
    serve(lambda: MoonshineRecogniser(Path(sys.argv[1]), int(sys.argv[2])))
