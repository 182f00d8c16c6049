"""A session's ears: brings wire audio to 16 kHz for the detector and the transcribers, and counts windows back."""

from collections.abc import Callable, Sequence
from typing import Final

from vivavoce.audio.g711 import decode_alaw, decode_mulaw
from vivavoce.audio.resample import StreamResampler
from vivavoce.core.limits import WINDOW_SAMPLES
from vivavoce.core.requests import SAMPLE_RATE_HZ, AudioEncoding
from vivavoce.core.vocabulary import (
    DetectSpeech,
    EngineFault,
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

G711_RATE_HZ: Final = 8_000
_DECODERS: Final = {AudioEncoding.PCMU: decode_mulaw, AudioEncoding.PCMA: decode_alaw}


class WireDecoder:
    """Turns wire audio into pcm16le, mono, 16 kHz, continuously."""

    def __init__(self, encoding: AudioEncoding) -> None:
        self._decode = _DECODERS.get(encoding)
        rate_hz = G711_RATE_HZ if self._decode else SAMPLE_RATE_HZ
        self._resampler = StreamResampler(rate_hz, DETECTOR_RATE_HZ)

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
        self._decoder = WireDecoder(AudioEncoding.PCM)

    def detect(self, speech: DetectSpeech) -> None:
        """Feed audio; scores come back as `SpeechScored`, each with the end of its window."""
        if self._stream is None or speech.detection_id != self._detection_id:
            self.close()
            self._detection_id = speech.detection_id
            self._scored_sample = speech.start_sample
            self._decoder = WireDecoder(speech.encoding)
            self._stream = self._detector.open(self._scorer(speech.detection_id))
        self._stream.feed(self._decoder.decode(speech.audio))

    @property
    def pending_ms(self) -> float:
        """Audio that was fed and not scored."""
        return self._stream.pending_ms if self._stream is not None else 0.0

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _scorer(self, detection_id: int) -> Callable[[Sequence[float]], None]:
        def deliver(probabilities: Sequence[float]) -> None:
            for probability in probabilities:
                if detection_id != self._detection_id:
                    return
                self._scored_sample += WINDOW_SAMPLES
                self._post(SpeechScored(detection_id, self._scored_sample, probability))

        return deliver


class TranscriptEar:
    """The transcriber stream of one utterance."""

    def __init__(self, transcriber: Transcriber, post: Callable[[Input], None], opened: OpenTranscript) -> None:
        self._post = post
        self._item_id = opened.item_id
        self._decoder = WireDecoder(opened.encoding)
        self._stream: TranscriberStream = transcriber.open(opened.options, self._deliver)

    def feed(self, audio: bytes) -> None:
        self._stream.feed(self._decoder.decode(audio))

    def finish(self) -> None:
        self._stream.finish()

    def abort(self) -> None:
        self._stream.abort()

    @property
    def pending_ms(self) -> float:
        """Audio that was fed and not decoded."""
        return self._stream.pending_ms

    def _deliver(self, result: Partial | FinalTranscript | EngineError) -> None:
        match result:
            case Partial(stable=stable, text=text):
                self._post(TranscriptRevised(self._item_id, stable, text))
            case FinalTranscript(text=text, words=words):
                self._post(TranscriptFinalized(self._item_id, text, words))
            case EngineError() as error:
                fault = EngineFault(error.engine, error.code, str(error), error.is_retryable)
                self._post(TranscriptFailed(self._item_id, fault))
