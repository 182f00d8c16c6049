"""A session's ear in another language: one stream of the translator, whose results come back as inputs."""

import logging
from collections.abc import Callable
from typing import Final

from vivavoce.core.requests import SAMPLE_RATE_HZ
from vivavoce.core.translation_vocabulary import (
    SourceHeard,
    SpeechTranslated,
    TextTranslated,
    TranslationFailed,
    TranslationFinished,
    TranslationSessionInput,
)
from vivavoce.engines.base import (
    EngineError,
    SourceText,
    TranslatedSpeech,
    TranslatedText,
    Translation,
    TranslationEnded,
    TranslationOptions,
    Translator,
    TranslatorStream,
)
from vivavoce.runtime.faults import fault_of

_log = logging.getLogger(__name__)

BYTES_PER_MS: Final = 2 * SAMPLE_RATE_HZ // 1000
PIECE_BYTES: Final = 200 * BYTES_PER_MS  # of translated speech in one event

Post = Callable[[TranslationSessionInput], None]


class TranslatorEar:
    """One stream of the translator. After its end, its failure or `abort` nothing is delivered."""

    def __init__(self, translator: Translator, post: Post, options: TranslationOptions) -> None:
        self._translator = translator
        self._post = post
        self._is_over = False
        self._stream: TranslatorStream | None = None
        self._guard(lambda: self._open(options))

    @property
    def pending_ms(self) -> float:
        """Audio that was fed and not translated."""
        return 0.0 if self._stream is None else self._stream.pending_ms

    def feed(self, pcm: bytes) -> None:
        if pcm:
            self._with_stream(lambda stream: stream.feed(pcm))

    def change(self, options: TranslationOptions) -> None:
        self._with_stream(lambda stream: stream.change(options))

    def finish(self) -> None:
        self._with_stream(lambda stream: stream.finish())

    def abort(self) -> None:
        self._is_over = True
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort()

    def _open(self, options: TranslationOptions) -> None:
        self._stream = self._translator.open(options, self._deliver)
        if self._is_over:  # it failed before it was returned
            self._stream = None

    def _with_stream(self, work: Callable[[TranslatorStream], None]) -> None:
        stream = self._stream
        if stream is not None:
            self._guard(lambda: work(stream))

    def _guard(self, work: Callable[[], None]) -> None:
        """Do something with the engine; what it raises becomes its failure."""
        try:
            work()
        except Exception as error:
            if not isinstance(error, EngineError):
                _log.exception("translator broke its contract")
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._is_over:
            return
        try:
            self.abort()
        except Exception:
            _log.exception("translator could not be aborted")
        self._post(TranslationFailed(fault_of(error, self._translator)))

    def _deliver(self, result: Translation | EngineError) -> None:
        if self._is_over:
            return
        match result:
            case SourceText(text=text, elapsed_ms=elapsed_ms):
                self._post(SourceHeard(text, elapsed_ms))
            case TranslatedText(text=text, elapsed_ms=elapsed_ms):
                self._post(TextTranslated(text, elapsed_ms))
            case TranslatedSpeech(pcm=pcm, elapsed_ms=elapsed_ms):
                for start in range(0, len(pcm), PIECE_BYTES):
                    self._post(SpeechTranslated(pcm[start : start + PIECE_BYTES], elapsed_ms))
            case TranslationEnded():
                self._settle(TranslationFinished())
            case EngineError():
                self._settle(TranslationFailed(fault_of(result, self._translator)))

    def _settle(self, result: TranslationFinished | TranslationFailed) -> None:
        self._is_over = True
        self._stream = None
        self._post(result)
