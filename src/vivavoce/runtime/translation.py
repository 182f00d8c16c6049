"""Runs translation sessions: performs their outputs with a translating engine, and is their `LiveSession`.

A slow client is not outrun: while its outbox is full nothing is read from it, so the translator gets no more audio.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, cast

import msgspec

from vivavoce.core.policy import SessionPolicy
from vivavoce.core.requests import SAMPLE_RATE_HZ, AudioEncoding
from vivavoce.core.session import Session
from vivavoce.core.translation import TranslationSession
from vivavoce.core.translation_vocabulary import (
    AbortTranslation,
    ChangeTranslation,
    FeedTranslation,
    FinishTranslation,
    FromTranslationClient,
    OpenTranslation,
    SendTranslation,
    TranslationSessionInput,
    TranslationSessionOutput,
)
from vivavoce.core.vocabulary import (
    ClientRejected,
    Close,
    Disconnected,
    Draining,
    FromClient,
    Input,
    Opened,
    ReduceNoise,
    Send,
)
from vivavoce.engines.base import (
    EngineError,
    TranslationOptions,
)
from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.extensions import SessionExtension
from vivavoce.protocol.ids import IdSource
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.translation import Translation as TranslationObject
from vivavoce.protocol.translation import TranslationClientEvent, TranslationPatch, merge_translation
from vivavoce.runtime.clock import Clock
from vivavoce.runtime.hosted import CATCH_UP_POLL_S, MAX_PENDING_MS
from vivavoce.runtime.intake import WireReducer
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.runner import Performer, Runner
from vivavoce.runtime.sink import Sink
from vivavoce.runtime.slices import Slices
from vivavoce.runtime.translator_ear import BYTES_PER_MS, Post, TranslatorEar

_log = logging.getLogger(__name__)

SLICE_BYTES: Final = 60 * BYTES_PER_MS  # noise reduction costs about 2 ms for so much


class TranslationPerformer:
    """Performs the outputs of one translation session."""

    def __init__(self, engines: EngineSet, sink: Sink, post: Post) -> None:
        assert engines.translator is not None, "a translation session is opened only where an engine translates"
        self._engines = engines
        self._translator = engines.translator
        self._sink = sink
        self._post = post
        self._sequence = 0
        self._ear: TranslatorEar | None = None
        self._reducer: WireReducer | None = None
        self._slices = Slices(self._feed, SLICE_BYTES)

    def perform(self, output: TranslationSessionOutput | Send) -> None:
        """Carry out one output; never blocks."""
        match output:
            case SendTranslation(event=event):
                # Sinks encode events without looking into them, so the union they are declared for is not theirs.
                self._send(cast(ServerEvent, event))
            case Send(event=event):  # the runner's own, when a session failed
                self._send(event)
            case Close(code=code, reason=reason):
                self._sink.close(code, reason)
            case FeedTranslation(audio=audio):
                self._slices.put(audio)
            case AbortTranslation():
                self._abort()
            case _:
                self._slices.then(lambda: self._direct(output))

    @property
    def pending_ms(self) -> float:
        """Audio that was taken and not translated."""
        waiting_ms = self._slices.waiting_bytes / BYTES_PER_MS
        return waiting_ms + (0.0 if self._ear is None else self._ear.pending_ms)

    def close(self) -> None:
        """Stop everything; may be called again."""
        with ExitStack() as streams:  # each is closed, whatever another raises
            streams.callback(self._abort)
            if self._reducer is not None:
                streams.callback(self._reducer.close)
                self._reducer = None

    def _send(self, event: ServerEvent) -> None:
        self._sequence += 1
        self._sink.send(self._sequence, event)

    def _direct(self, output: OpenTranslation | ChangeTranslation | FinishTranslation | ReduceNoise) -> None:
        """Do what has its place between the audio before and the audio after."""
        match output:
            case OpenTranslation():
                self._ear = TranslatorEar(self._translator, self._post, _options(output))
            case ChangeTranslation():
                self._hear(lambda ear: ear.change(_options(output)))
            case FinishTranslation():
                self._flush_reducer()
                self._hear(lambda ear: ear.finish())
            case ReduceNoise():
                self._flush_reducer()
                self._replace_reducer(output)

    def _abort(self) -> None:
        self._slices.clear()
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.abort()

    def _hear(self, work: Callable[[TranslatorEar], None]) -> None:
        if self._ear is not None:
            work(self._ear)

    def _feed(self, pcm: bytes) -> None:
        cleaned = self._cleaned(lambda reducer: reducer.process(pcm), pcm)
        self._hear(lambda ear: ear.feed(cleaned))

    # Noise reduction ------------------------------------------------------------------------------------------

    def _replace_reducer(self, wanted: ReduceNoise) -> None:
        """Clean what is fed from here on as wanted; nothing is withheld in the stream that is replaced."""
        self._stop_reducer()
        reduction, engine = wanted.reduction, self._engines.noise_reducer
        if reduction is None or engine is None or reduction.strength == 0:
            return
        strength = reduction.strength if isinstance(reduction.strength, float | int) else 1.0
        try:
            stream = engine.open(reduction.type, strength, SAMPLE_RATE_HZ)
        except Exception as error:
            self._tell(error)
        else:
            self._reducer = WireReducer(stream, AudioEncoding.PCM)

    def _flush_reducer(self) -> None:
        rest = self._cleaned(lambda reducer: reducer.flush(), b"")
        self._hear(lambda ear: ear.feed(rest))

    def _cleaned(self, clean: Callable[[WireReducer], bytes], otherwise: bytes) -> bytes:
        """Return cleaned audio; if the reducer fails, all that it has not given back, as it came."""
        reducer = self._reducer
        if reducer is None:
            return otherwise
        try:
            return clean(reducer)
        except Exception as error:
            self._stop_reducer()
            self._tell(error)
            return reducer.unreturned

    def _stop_reducer(self) -> None:
        reducer, self._reducer = self._reducer, None
        if reducer is None:
            return
        try:
            reducer.close()
        except Exception:
            _log.exception("noise reducer could not be closed")

    def _tell(self, error: Exception) -> None:
        _log.warning("noise reduction failed, audio passes as it comes", exc_info=error)
        code = error.code if isinstance(error, EngineError) else "engine_unavailable"
        text = "Noise reduction failed; audio passes unprocessed until 'audio.input.noise_reduction' is set again."
        param = "session.audio.input.noise_reduction"
        self._post(ClientRejected(ErrorDetail(type="server_error", code=code, message=text, param=param)))


def _options(output: OpenTranslation | ChangeTranslation) -> TranslationOptions:
    return TranslationOptions(output.language, output.wants_source)


def initial_translation(
    session_id: str, model: str, engine: str, configuration: TranslationPatch | None
) -> TranslationObject:
    """Return the session before it starts; `configuration` is that of the client secret."""
    session = TranslationObject(id=session_id, model=model, vivavoce=SessionExtension(engine=engine))
    return session if configuration is None else merge_translation(session, configuration)


class TranslationSetting(msgspec.Struct, frozen=True):
    """What the server gives to every translation session."""

    engines: EngineSet
    policy: SessionPolicy
    clock: Clock
    ids: IdSource


class HostedTranslation:
    """A translation session with its runner and its engine; a `LiveSession`."""

    def __init__(
        self, session: TranslationObject, setting: TranslationSetting, sink: Sink, on_closed: Callable[[], None]
    ) -> None:
        self._id = session.id
        self._performer = TranslationPerformer(setting.engines, sink, self._post)
        core = TranslationSession(session, setting.ids, setting.policy)
        # A runner carries inputs and outputs across unopened; those it knows are in both vocabularies.
        self._runner = Runner(cast(Session, core), cast(Performer, self._performer), setting.clock, on_closed=on_closed)

    @property
    def id(self) -> str:
        return self._id

    @property
    def takes_messages(self) -> bool:
        return False

    def post(self, input: Input) -> None:
        """Hand an input of the connection to the session; inputs that a conversation alone has are no concern here."""
        match input:
            case FromClient(event=event):
                # The transport of this session reads with `decode_translation_event`.
                self._post(FromTranslationClient(cast(TranslationClientEvent, event)))
            case Opened() | ClientRejected() | Draining() | Disconnected():
                self._post(input)
            case _:
                pass

    def forward(self, message: bytes) -> bool:
        """Return False: messages are decoded on their way."""
        return False

    def is_behind(self) -> bool:
        return self._performer.pending_ms > MAX_PENDING_MS

    async def caught_up(self) -> None:
        """Return when the translator holds no more than its share of audio."""
        while self.is_behind():  # noqa: ASYNC110  # engines report a level, not an event
            await asyncio.sleep(CATCH_UP_POLL_S)

    def set_full(self, is_full: bool) -> None:
        """Do nothing: what is made here waits for `Sink.writable`."""

    def _post(self, input: TranslationSessionInput) -> None:
        self._runner.post(cast(Input, input))  # see above
