"""The translation session: audio in, translated speech and text out, continuously.

Theory of operation. There are no turns. The translator is opened by the first audio and told of later changes. The
session ends in one of these ways:

- `session.close`: what is left is translated, then `session.closed`, then close code 1000
- the server shuts down: what is left is translated, then 1012 (a `session.close` in the meantime turns it into 1000)
- the lifetime is over: an `error` event, then 1001
- the translator fails: an `error` event, then 1011 (or the end that was under way)
"""

import enum
from typing import Final, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from vivavoce.core.limits import UNLIMITED_SESSION_S
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.requests import AudioEncoding
from vivavoce.core.translation_vocabulary import (
    AbortTranslation,
    ChangeTranslation,
    FeedTranslation,
    FinishTranslation,
    FromTranslationClient,
    OpenTranslation,
    SendTranslation,
    SourceHeard,
    SpeechTranslated,
    TextTranslated,
    Translated,
    TranslationFailed,
    TranslationFinished,
    TranslationSessionInput,
    TranslationSessionOutput,
)
from vivavoce.core.vocabulary import (
    ClientRejected,
    Close,
    Deadline,
    DeadlineReason,
    Disconnected,
    Draining,
    EngineFault,
    Opened,
    ReduceNoise,
)
from vivavoce.protocol.errors import ClientError, ErrorDetail, session_expired
from vivavoce.protocol.extensions import SessionExtension
from vivavoce.protocol.ids import IdSource
from vivavoce.protocol.server_events import ErrorEvent
from vivavoce.protocol.translation import (
    FRAME_MS,
    Translation,
    TranslationAppend,
    TranslationClientEvent,
    TranslationClose,
    TranslationClosed,
    TranslationCreated,
    TranslationInputTranscriptDelta,
    TranslationOutputAudioDelta,
    TranslationOutputTranscriptDelta,
    TranslationPatch,
    TranslationServerEvent,
    TranslationUpdate,
    TranslationUpdated,
    merge_translation,
)

FLUSH_TIMEOUT_S: Final = 15.0  # without a sign of the translator while the rest is awaited


class Phase(enum.Enum):
    """Where a translation session is in its life."""

    CREATED = "created"  # constructed, nothing sent
    ACTIVE = "active"
    CLOSING = "closing"  # the client asked to end; the rest is being translated
    DRAINING = "draining"  # the server goes down; the rest is being translated
    ENDED = "ended"  # a close was asked for; only the end of the connection is awaited
    GONE = "gone"


_TAKES_INPUT: Final = frozenset({Phase.ACTIVE, Phase.CLOSING, Phase.DRAINING})
_AWAITS_REST: Final = frozenset({Phase.CLOSING, Phase.DRAINING})


class TranslationSession:
    """One translation session; keeps the contract of `core.session.Session` over its own vocabulary."""

    def __init__(self, session: Translation, ids: IdSource, policy: SessionPolicy) -> None:
        self._session = session
        self._ids = ids
        self._policy = policy
        self._phase = Phase.CREATED
        self._outputs: list[TranslationSessionOutput] = []
        self._expires_at: float | None = None  # monotonic, like the next
        self._rest_due_at: float | None = None
        self._carry = b""  # half a sample waits for its other half
        self._is_translating = False  # a translator is open

    def handle(self, input: TranslationSessionInput, now: float) -> list[TranslationSessionOutput]:
        """Take one input and return all outputs it causes, in order."""
        if isinstance(input, Disconnected):
            self._leave()
        elif isinstance(input, Opened):
            self._open(input, now)
        elif self._phase in _TAKES_INPUT:
            self._dispatch(input, now)
        return self._drained()

    def handle_timer(self, now: float) -> list[TranslationSessionOutput]:
        """Act on every deadline that has passed."""
        if self._phase in _TAKES_INPUT and self._expires_at is not None and now >= self._expires_at:
            detail = session_expired(round(self._policy.lifetime_s / 60)).detail
            self._report(detail)
            self._end(1001, detail.message)
        elif self._phase in _AWAITS_REST and self._rest_due_at is not None and now >= self._rest_due_at:
            text = "the translator did not answer in time"
            self._fail(EngineFault("translator", "engine_timeout", text))
        return self._drained()

    def next_deadline(self) -> Deadline | None:
        """Return when and why `handle_timer` is wanted next."""
        if self._phase not in _TAKES_INPUT:
            return None
        deadlines = []
        if self._expires_at is not None:
            deadlines.append(Deadline(self._expires_at, DeadlineReason.SESSION_EXPIRY))
        if self._rest_due_at is not None:
            deadlines.append(Deadline(self._rest_due_at, DeadlineReason.TRANSLATION_TIMEOUT))
        return min(deadlines, key=lambda deadline: deadline.at, default=None)

    def _dispatch(self, input: FromTranslationClient | ClientRejected | Draining | Translated, now: float) -> None:
        match input:
            case FromTranslationClient(event=event):
                try:
                    self._take_event(event, now)
                except ClientError as error:
                    self._report(error.with_event_id(event.event_id).detail)
            case ClientRejected(error=detail):
                self._report(detail)
            case Draining(is_final=is_final):
                self._drain(is_final, now)
            case _:
                self._take_result(input, now)

    # The connection -------------------------------------------------------------------------------------------

    def _open(self, opened: Opened, now: float) -> None:
        if self._phase is not Phase.CREATED:
            return
        self._phase = Phase.ACTIVE
        lifetime_s = self._policy.lifetime_s
        self._expires_at = now + lifetime_s if lifetime_s else None
        expires_at = opened.unix_s + int(lifetime_s or UNLIMITED_SESSION_S)
        self._session = self._extended(msgspec.structs.replace(self._session, expires_at=expires_at))
        self._reduce_noise()
        self._send(TranslationCreated(event_id=self._event_id(), session=self._session))

    def _drain(self, is_final: bool, now: float) -> None:
        if is_final:
            self._end(1012, _RESTARTING)
        elif self._phase is Phase.ACTIVE:
            self._phase = Phase.DRAINING
            self._finish(now)

    def _leave(self) -> None:
        self._abort()
        self._phase = Phase.GONE

    # The client -----------------------------------------------------------------------------------------------

    def _take_event(self, event: TranslationClientEvent, now: float) -> None:
        if self._phase is Phase.CLOSING:
            text = "The session is closing: expected no event after 'session.close'."
            raise ClientError("session_closing", text)
        match event:
            case TranslationUpdate(session=patch):
                self._update(patch)
            case TranslationAppend(audio=audio):
                if self._phase is Phase.ACTIVE:  # what comes while the server shuts down is too late
                    self._append(audio)
            case TranslationClose():
                is_draining = self._phase is Phase.DRAINING
                self._phase = Phase.CLOSING
                if not is_draining:
                    self._finish(now)
            case _:
                assert_never(event)

    def _update(self, patch: TranslationPatch) -> None:
        before, self._session = self._session, self._extended(merge_translation(self._session, patch))
        if self._session.audio.input.noise_reduction != before.audio.input.noise_reduction:
            self._reduce_noise()
        if self._is_translating and _wishes(self._session) != _wishes(before):
            self._outputs.append(ChangeTranslation(*_wishes(self._session)))
        self._send(TranslationUpdated(event_id=self._event_id(), session=self._session))

    def _append(self, audio: bytes) -> None:
        joined = self._carry + audio if self._carry else audio
        whole = joined[: len(joined) - len(joined) % 2]
        self._carry = joined[len(whole) :]
        if not whole:
            return
        if not self._is_translating:
            self._is_translating = True
            self._outputs.append(OpenTranslation(*_wishes(self._session)))
        self._outputs.append(FeedTranslation(whole))

    def _reduce_noise(self) -> None:
        if self._policy.reduces_noise:
            self._outputs.append(ReduceNoise(self._session.audio.input.noise_reduction, AudioEncoding.PCM))

    def _extended(self, session: Translation) -> Translation:
        """Return the session with what it asks for in vain listed in `vivavoce.ignored`."""
        is_vain = session.audio.input.noise_reduction is not None and not self._policy.reduces_noise
        current = SessionExtension() if isinstance(session.vivavoce, UnsetType) else session.vivavoce
        extension = msgspec.structs.replace(current, ignored=("audio.input.noise_reduction",) if is_vain else ())
        return msgspec.structs.replace(session, vivavoce=UNSET if extension == SessionExtension() else extension)

    # The translator -------------------------------------------------------------------------------------------

    def _take_result(self, result: Translated, now: float) -> None:
        if not self._is_translating:
            return
        if self._rest_due_at is not None:
            self._rest_due_at = now + FLUSH_TIMEOUT_S
        match result:
            case TranslationFailed(fault=fault):
                self._is_translating = False
                self._fail(fault)
            case TranslationFinished():
                self._is_translating = False
                if self._rest_due_at is not None:  # unasked, it means that the next audio opens another
                    self._end_as_asked()
            case _:
                self._pass_on(result)

    def _pass_on(self, result: SourceHeard | TextTranslated | SpeechTranslated) -> None:
        event_id, elapsed_ms = self._event_id(), _in_frames(result.elapsed_ms)
        match result:
            case SourceHeard(text=text):
                if self._session.audio.input.transcription is not None:
                    self._send(TranslationInputTranscriptDelta(event_id=event_id, delta=text, elapsed_ms=elapsed_ms))
            case TextTranslated(text=text):
                self._send(TranslationOutputTranscriptDelta(event_id=event_id, delta=text, elapsed_ms=elapsed_ms))
            case SpeechTranslated(audio=audio):
                self._send(TranslationOutputAudioDelta(event_id=event_id, delta=audio, elapsed_ms=elapsed_ms))
            case _:
                assert_never(result)

    def _finish(self, now: float) -> None:
        """Have the rest translated; without any the session ends at once."""
        if not self._is_translating:
            self._end_as_asked()
            return
        self._rest_due_at = now + FLUSH_TIMEOUT_S
        self._outputs.append(FinishTranslation())

    def _fail(self, fault: EngineFault) -> None:
        """Tell the client; a session without a translator has nothing left to do."""
        self._report(ErrorDetail(type="server_error", code=fault.code, message=fault.message))
        if self._phase is Phase.ACTIVE:
            self._end(1011, "The translating engine failed.")
        else:
            self._end_as_asked()

    def _end_as_asked(self) -> None:
        if self._phase is Phase.CLOSING:
            self._send(TranslationClosed(event_id=self._event_id()))
            self._end(1000, "")
        else:
            self._end(1012, _RESTARTING)

    def _end(self, code: int, reason: str) -> None:
        self._abort()
        self._phase = Phase.ENDED
        self._outputs.append(Close(code, reason))

    def _abort(self) -> None:
        if self._is_translating:
            self._is_translating = False
            self._outputs.append(AbortTranslation())

    # Outputs --------------------------------------------------------------------------------------------------

    def _event_id(self) -> str:
        return self._ids.make("event")

    def _report(self, detail: ErrorDetail) -> None:
        self._send(ErrorEvent(event_id=self._event_id(), error=detail))

    def _send(self, event: TranslationServerEvent) -> None:
        self._outputs.append(SendTranslation(event))

    def _drained(self) -> list[TranslationSessionOutput]:
        outputs, self._outputs = self._outputs, []
        return outputs


_RESTARTING: Final = "The server is restarting."


def _wishes(session: Translation) -> tuple[str, bool]:
    """Return what the translator has to know: the target language, and whether the source's words are wanted."""
    return session.audio.output.language, session.audio.input.transcription is not None


def _in_frames(elapsed_ms: int | None) -> int | UnsetType:
    """Return a place in the input in the steps that the API has."""
    return UNSET if elapsed_ms is None else elapsed_ms // FRAME_MS * FRAME_MS
