"""The recogniser process with moonshine-voice: `moonshine_worker.py MODEL_FOLDER ARCHITECTURE`, frames at fd 0.

Frames and the order of work are those of pocketsphinx_worker.py. One utterance is one stream of the library. Its own
voice detection is off: the utterance was cut before it came here.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from vivavoce.engines.stt.pocketsphinx_worker import RATE_HZ, Result, WordRow, common_prefix, serve

PASS_EVERY_S: Final = 0.3  # speech between two hypotheses, or as much as the last one took to make
NEVER_S: Final = 1e9  # the library makes no pass by itself
STABLE_AFTER: Final = 3  # hypotheses in a row that agree on a word before it counts as stable
FULL_SCALE: Final = 32_768.0
# Without its own voice detection the library completes a line after so much audio. Lines of a quarter of a minute keep
# the passes over the open line short; words across a boundary are seldom hurt, since it looks for a pause to cut at.
LINE_S: Final = 15

OPTIONS: Final = {
    "word_timestamps": "true",
    "vad_threshold": "0",
    "vad_max_segment_duration": str(LINE_S),
    "return_audio_data": "false",  # it would come back as a list of Python numbers with every pass
}


class MoonshineRecogniser:
    """Decodes one utterance after the other; see Decoding."""

    def __init__(self, folder: Path, architecture: int) -> None:
        from moonshine_voice import ModelArch, Transcriber  # not for the parent, which imports this file for its path

        self._transcriber: Any = Transcriber(folder, ModelArch(architecture), options=OPTIONS)  # untyped library
        self._stream: Any = None
        self._prefix = AgreedPrefix()
        self._undecoded_s = 0.0  # speech since the last pass
        self._pass_s = 0.0  # what the last pass took

    def start(self) -> None:
        """Begin an utterance; one that was open is dropped."""
        self.drop()
        self._prefix = AgreedPrefix()
        self._undecoded_s = self._pass_s = 0.0
        self._stream = self._transcriber.create_stream(update_interval=NEVER_S)
        self._stream.start()

    def drop(self) -> None:
        """Forget the open utterance."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def decode(self, pcm: bytes) -> tuple[str, str]:
        """Take more audio and decode it when that is worth a pass; returns the stable prefix and the text so far."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / FULL_SCALE
        self._stream.add_audio(samples.tolist(), RATE_HZ)
        self._undecoded_s += samples.size / RATE_HZ
        if self._undecoded_s >= max(PASS_EVERY_S, self._pass_s):
            self._pass()
        return self._prefix.stable, self._prefix.text

    def finish(self) -> Result:
        """End the utterance; returns its transcript, which begins with the stable prefix.

        Raises:
            RuntimeError: the library could not decode the rest.
        """
        transcript = self._stream.stop()
        self.drop()
        if transcript is None:  # so the library tells that its last pass failed
            raise RuntimeError("the recogniser could not decode the end of the utterance")
        return self._prefix.finished(spoken_text(transcript), list(word_rows(transcript)))

    def _pass(self) -> None:
        began_s = time.monotonic()
        self._prefix.revise(spoken_text(self._stream.update_transcription()))
        self._pass_s = time.monotonic() - began_s
        self._undecoded_s = 0.0


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

    def revise(self, text: str) -> None:
        """Take the next hypothesis."""
        words = text.split()
        self._recent = [*self._recent[1 - STABLE_AFTER :], words]
        if len(self._recent) == STABLE_AFTER:
            agreed = common_prefix(self._recent)
            if agreed[: len(self._stable)] == self._stable:
                self._stable = agreed
        self.text = " ".join(self._kept(words))

    def finished(self, text: str, rows: list[WordRow]) -> Result:
        """Return the final transcript; words that were stable stay as they were told, with the times of the final."""
        words = self._kept(text.split())
        if len(rows) != len(words):  # the alignment has other words than the text: their places cannot be told
            return Result(text=" ".join(words), words=[])
        told = [WordRow({**row, "text": word}) for row, word in zip(rows, words, strict=True)]
        return Result(text=" ".join(words), words=told)

    def _kept(self, words: list[str]) -> list[str]:
        return self._stable + words[len(self._stable) :]


def spoken_text(transcript: Any) -> str:  # untyped library
    """Return the words of all lines, with single spaces."""
    return " ".join(word for line in transcript.lines for word in line.text.split())


def word_rows(transcript: Any) -> Iterator[WordRow]:  # untyped library
    """Yield the words with their times in ms from the first sample and confidences in [0, 1], in order."""
    end_ms = 0
    for line in transcript.lines:
        for word in line.words or ():
            start_ms = max(end_ms, round(word.start * 1000))
            end_ms = max(start_ms, round(word.end * 1000))
            confidence = min(1.0, max(0.0, float(word.confidence)))
            yield WordRow(text=word.word.strip(), start_ms=start_ms, end_ms=end_ms, confidence=confidence)


if __name__ == "__main__":
    serve(lambda: MoonshineRecogniser(Path(sys.argv[1]), int(sys.argv[2])))
