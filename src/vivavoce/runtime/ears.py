"""A session's ears: brings wire audio to 16 kHz for the detector and the transcribers, and counts windows back."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from vivavoce.audio.g711 import decode_alaw, decode_mulaw
from vivavoce.audio.resample import StreamResampler
from vivavoce.core.limits import WINDOW_SAMPLES
from vivavoce.core.requests import SAMPLE_RATE_HZ, AudioEncoding
from vivavoce.core.vocabulary import (
    DetectionFailed,
    DetectSpeech,
    Input,
    OpenTranscript,
    SpeechScored,
    TranscriptFailed,
    TranscriptFinalized,
    TranscriptRevised,
)
from vivavoce.engines.base import (
    DETECTOR_RATE_HZ,
    Detector,
    DetectorStream,
    EngineError,
    Partial,
    Transcriber,
    TranscriberStream,
)
from vivavoce.engines.base import (
    Final as FinalTranscript,
)
from vivavoce.runtime.faults import fault_of
from vivavoce.runtime.slices import Slices

_log = logging.getLogger(__name__)

G711_RATE_HZ: Final = 8_000
_DECODERS: Final = {AudioEncoding.PCMU: decode_mulaw, AudioEncoding.PCMA: decode_alaw}


class WireDecoder:
    """Turns wire audio into pcm16le, mono, 16 kHz, continuously."""

    def __init__(self, encoding: AudioEncoding) -> None:
        self._decode = _DECODERS.get(encoding)
        rate_hz = G711_RATE_HZ if self._decode else SAMPLE_RATE_HZ
        self._resampler = StreamResampler(rate_hz, DETECTOR_RATE_HZ)
        self.bytes_per_ms = rate_hz / 1000 * (1 if self._decode else 2)

    def decode(self, audio: bytes) -> bytes:
        return self._resampler.process(self._decode(audio) if self._decode else audio)


class DetectionEar:
    """The live detector stream of a session; a new detection id replaces it."""

    def __init__(self, detector: Detector, post: Callable[[Input], None]) -> None:
        self._detector = detector
        self._post = post
        self._detection_id = 0
        self._scored_sample = 0
        self._stream: DetectorStream | None = None
        self._failed_id: int | None = None  # the detection whose stream broke; its audio is dropped
        self._decoder = WireDecoder(AudioEncoding.PCM)
        self._slices = Slices(self._feed)

    def detect(self, speech: DetectSpeech) -> None:
        """Feed audio; scores come back as `SpeechScored`, each with the end of its window.

        A detector that raises is closed and reported once, as `DetectionFailed`.
        """
        if speech.detection_id == self._failed_id:
            return
        if self._stream is None or speech.detection_id != self._detection_id:
            self._guard(lambda: self._open(speech))
        self._slices.put(speech.audio)

    def _open(self, speech: DetectSpeech) -> None:
        self.close()
        self._detection_id = speech.detection_id
        self._scored_sample = speech.start_sample
        self._decoder = WireDecoder(speech.encoding)
        self._stream = self._detector.open(self._scorer(speech.detection_id))

    def _feed(self, audio: bytes) -> None:
        stream = self._stream
        if stream is not None:
            self._guard(lambda: stream.feed(self._decoder.decode(audio)))

    def _guard(self, work: Callable[[], None]) -> None:
        """Do something with the detector; what it raises ends the detection."""
        try:
            work()
        except Exception as error:
            if not isinstance(error, EngineError):
                _log.exception("detector broke its contract")
            self._failed_id = self._detection_id
            self.close()
            self._post(DetectionFailed(self._detection_id, fault_of(error, self._detector)))

    @property
    def pending_ms(self) -> float:
        """Audio that was fed and not scored."""
        waiting_ms = self._slices.waiting_bytes / self._decoder.bytes_per_ms
        return waiting_ms + (self._stream.pending_ms if self._stream is not None else 0.0)

    def close(self) -> None:
        self._slices.clear()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _scorer(self, detection_id: int) -> Callable[[Sequence[float]], None]:
        def deliver(probabilities: Sequence[float]) -> None:
            for probability in probabilities:
                if detection_id != self._detection_id or detection_id == self._failed_id:
                    return
                self._scored_sample += WINDOW_SAMPLES
                self._post(SpeechScored(detection_id, self._scored_sample, probability))

        return deliver


class TranscriptEar:
    """The transcriber stream of one utterance. After its final result, its failure or `abort` nothing is delivered."""

    def __init__(self, transcriber: Transcriber, post: Callable[[Input], None], opened: OpenTranscript) -> None:
        self._post = post
        self._item_id = opened.item_id
        self._transcriber = transcriber
        self._decoder = WireDecoder(opened.encoding)
        self._stream: TranscriberStream | None = None
        self._slices = Slices(self._feed)
        self.is_over = False
        self._guard(lambda: self._open(opened))

    def feed(self, audio: bytes) -> None:
        if self._stream is not None:
            self._slices.put(audio)

    def finish(self) -> None:
        self._slices.then(self._finish)

    def abort(self) -> None:
        self.is_over = True
        self._slices.clear()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort()

    @property
    def pending_ms(self) -> float:
        """Audio that was fed and not decoded."""
        waiting_ms = self._slices.waiting_bytes / self._decoder.bytes_per_ms
        return waiting_ms + (self._stream.pending_ms if self._stream is not None else 0.0)

    def _open(self, opened: OpenTranscript) -> None:
        self._stream = self._transcriber.open(opened.options, self._deliver)
        if self.is_over:  # it failed before it was returned
            self._stream = None

    def _feed(self, audio: bytes) -> None:
        stream = self._stream
        if stream is not None:
            self._guard(lambda: stream.feed(self._decoder.decode(audio)))

    def _finish(self) -> None:
        if self._stream is not None:
            self._guard(self._stream.finish)

    def _guard(self, work: Callable[[], None]) -> None:
        """Do something with the engine; what it raises becomes its failure."""
        try:
            work()
        except Exception as error:
            if not isinstance(error, EngineError):
                _log.exception("transcriber broke its contract")
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self.is_over:
            return
        try:
            self.abort()
        except Exception:
            _log.exception("transcriber could not be aborted")
        self._post(TranscriptFailed(self._item_id, fault_of(error, self._transcriber)))

    def _deliver(self, result: Partial | FinalTranscript | EngineError) -> None:
        if self.is_over:
            return
        if isinstance(result, Partial):
            self._post(TranscriptRevised(self._item_id, result.stable, result.text))
            return
        self.is_over = True
        self._stream = None
        if isinstance(result, FinalTranscript):
            self._post(TranscriptFinalized(self._item_id, result.text, result.words, result.parts, result.usage))
        else:
            self._post(TranscriptFailed(self._item_id, fault_of(result, self._transcriber)))
