"""The session's configuration: what it opens with, what an update changes, what engines are told of it."""

from typing import Final

import msgspec

from vivavoce.core import hearing
from vivavoce.core.detection import detection_of
from vivavoce.core.emitter import Emitter
from vivavoce.core.mcp import redacted
from vivavoce.core.mcp_tools import check_servers, import_tools
from vivavoce.core.planning import check_choice, check_prompt, check_voice, encoding_of
from vivavoce.core.rules import answer_pending
from vivavoce.core.state import Profile, SessionState
from vivavoce.core.vocabulary import ReduceNoise, StartTrace
from vivavoce.protocol.errors import invalid_content
from vivavoce.protocol.extensions import SessionExtension
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.locks import parameter_locked, refuse_locked_changes
from vivavoce.protocol.server_events import SessionCreated, SessionUpdated
from vivavoce.protocol.session import RealtimeSession, SessionPatch, merge
from vivavoce.protocol.session_fields import EffectiveSession, as_kind, check_kind, in_use

TRANSCRIPTION_MODEL: Final = "audio.input.transcription.model"
SPEED: Final = "audio.output.speed"
NORMAL_SPEED: Final = 1.0
_NO_EXTENSION: Final = SessionExtension()


def configured(session: RealtimeSession, patch: SessionPatch, profile: Profile) -> RealtimeSession:
    """Return a session that opens with a configuration, such as that of a client secret; it may set locks.

    Raises:
        ClientError: the configuration cannot be had.
    """
    check_kind(patch, profile.kind)
    merged = merge(session, patch)
    _check_fields(SessionState(session, profile, Emitter(CountingIds())), patch, merged)
    locked = (patch.vivavoce.locked if patch.vivavoce is not None else None) or ()
    return msgspec.structs.replace(merged, vivavoce=msgspec.structs.replace(extension_of(merged), locked=locked))


def shown(session: RealtimeSession, profile: Profile) -> EffectiveSession:
    """Return a session as its client may see it: of its kind, without secrets, with what has no effect named."""
    return as_kind(_without_secrets(session, profile), profile.kind)


def open_session(state: SessionState, now: float) -> None:
    """Announce the session; what it was configured with takes effect."""
    tools = state.session.tools
    state.session = _without_secrets(state.session, state.profile)
    state.out.send(SessionCreated(event_id=state.out.event_id(), session=state.shown_session(now)))
    if state.session.audio.input.noise_reduction is not None:
        _reduce_noise(state)
    if state.session.tracing is not None:
        state.out.put(StartTrace(state.session.tracing))
    import_tools(state, tools, now)


def update_session(state: SessionState, patch: SessionPatch, now: float) -> None:
    """Apply an update, all of it or nothing.

    Raises:
        ClientError: naming the first field that cannot be honoured.
    """
    check_kind(patch, state.profile.kind)
    before, session = state.session, merge(state.session, patch)
    if patch.vivavoce is not None and patch.vivavoce.locked is not None:
        raise parameter_locked("session.vivavoce.locked")
    refuse_locked_changes(extension_of(before).locked, before, session)
    _check_fields(state, patch, session)
    if encoding_of(session.audio.input.format) is not state.listening.buffer.encoding:
        _change_encoding(state, session)
    if state.responding.pending is not None and not _answers_by_itself(session):
        answer_pending(state, now)  # the turn ended under the former settings
    was_on, is_on = (s.audio.input.turn_detection is not None for s in (before, session))
    _switch_detection(state, was_on=was_on, is_on=is_on)
    state.session = _without_secrets(session, state.profile)
    state.out.send(SessionUpdated(event_id=state.out.event_id(), session=state.shown_session(now)))
    _take_effect(state, before, now, session)


def _check_fields(state: SessionState, patch: SessionPatch, session: RealtimeSession) -> None:
    check_voice(state, session.audio.output.voice)
    if patch.tools is not None:
        check_servers(state, patch.tools, "session.tools")
    check_choice(session.tools, session.tool_choice, "session.tool_choice")
    check_prompt(state, session)


def _take_effect(state: SessionState, before: RealtimeSession, now: float, session: RealtimeSession) -> None:
    """Tell the engines what an update means for them."""
    old, new = before.audio.input, session.audio.input
    is_reduced = new.noise_reduction is not None
    if new.noise_reduction != old.noise_reduction or (is_reduced and new.format != old.format):
        _reduce_noise(state)
    if session.tracing is not None and before.tracing is None:
        state.out.put(StartTrace(session.tracing))
    import_tools(state, session.tools, now)


def _reduce_noise(state: SessionState) -> None:
    audio = state.session.audio.input
    state.out.put(ReduceNoise(audio.noise_reduction, encoding_of(audio.format)))


def extension_of(session: RealtimeSession) -> SessionExtension:
    """Return our part of a session."""
    return session.vivavoce or _NO_EXTENSION


def _without_secrets(session: RealtimeSession, profile: Profile) -> RealtimeSession:
    ignored = in_use(session, profile.policy.ignored)
    if session.audio.output.speed == NORMAL_SPEED:
        ignored = tuple(path for path in ignored if path != SPEED)
    if not _has_transcription_model(session, profile):
        ignored = (*ignored, TRANSCRIPTION_MODEL)
    extension = msgspec.structs.replace(extension_of(session), ignored=ignored)
    return msgspec.structs.replace(
        session,
        tools=tuple(map(redacted, session.tools)),
        vivavoce=msgspec.UNSET if extension == _NO_EXTENSION else extension,
    )


def _has_transcription_model(session: RealtimeSession, profile: Profile) -> bool:
    """Tell whether the transcriber hears with the model that the session names, as far as it has several."""
    asked, offered = session.audio.input.transcription, profile.policy.transcription_models
    return asked is None or not offered or asked.model in offered


def _answers_by_itself(session: RealtimeSession) -> bool:
    detection = session.audio.input.turn_detection
    return detection is not None and detection.create_response


def _change_encoding(state: SessionState, session: RealtimeSession) -> None:
    """With detection on, buffered silence is nobody's audio and does not stand in the way."""
    listening = state.listening
    kept_ms = extension_of(state.session).pre_roll_ms  # of the clear that came before
    if listening.utterance is not None or (detection_of(state) is None and listening.buffer.duration_ms > kept_ms):
        raise invalid_content(
            "session.audio.input.format", "the format changes only while no audio is buffered; commit or clear first"
        )
    listening.buffer.clear()
    listening.buffer.use_encoding(encoding_of(session.audio.input.format))
    listening.restart_detection()


def _switch_detection(state: SessionState, *, was_on: bool, is_on: bool) -> None:
    """Switched off, speech that is being heard stays for the client to commit; switched on, detection starts afresh."""
    if was_on == is_on:
        return
    if is_on:
        hearing.abandon_utterance(state)
    state.listening.restart_detection()
