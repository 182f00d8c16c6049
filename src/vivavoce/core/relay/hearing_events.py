"""Events about what the user says: the detector's, the input buffer's and the transcriber's, on the client's clock."""

from collections.abc import Callable
from typing import Final

import msgspec

from vivavoce.core.relay.endings import DISCONNECTED, LOST
from vivavoce.core.relay.links import Link
from vivavoce.core.relay.messages import appended_audio
from vivavoce.core.relay.mirror import MirrorItem
from vivavoce.core.relay.old_items import bytes_per_ms
from vivavoce.core.relay.state import Committed, RelayState, Utterance
from vivavoce.core.relay.vocabulary import Body, Json
from vivavoce.protocol.server_events import DurationUsage, TokensUsage

_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription."


def input_of(link: Link) -> Body:
    """Return `audio.input` of the upstream's session."""
    audio = link.session.get("audio")
    given = audio.get("input") if isinstance(audio, dict) else None
    return given if isinstance(given, dict) else {}


def note_input(state: RelayState, link: Link) -> None:
    """The session may have another format or detector: silence need not be kept where one listens."""
    heard = input_of(link)
    state.journal.bytes_per_ms = bytes_per_ms(heard.get("format"))
    state.journal.keeps_silence_only = heard.get("turn_detection") is not None and not state.utterance.item_id


def keep_spoken(state: RelayState, item: MirrorItem) -> None:
    """Keep the audio of an item that was just committed, until its words are known."""
    committed = state.client.committed
    if committed is not None and committed.item_id == item.id:
        state.client.committed = None
        state.mirror.keep_audio(item, [audio for message in committed.audio if (audio := appended_audio(message))])


def give_up_hearing(state: RelayState) -> None:
    """A fresh detector does not hear what the lost one heard: the utterance ends here, without an item."""
    utterance = state.utterance
    state.utterance = Utterance(owes_answer=utterance.owes_answer)
    state.client.untranscribed.pop(utterance.item_id or "", None)
    if not utterance.is_stopped:
        end_ms = max(round(state.journal.clock_ms), round(utterance.start_ms))
        state.tell({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": end_ms, "item_id": utterance.item_id})
    state.fault(DISCONNECTED, f"{LOST} What was said last could not be heard again.")
    if state.links.live is not None:
        note_input(state, state.links.live)


def _speech_started(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item_id, utterance = event.get("item_id"), state.utterance
    if utterance.again_until is not None and utterance.item_id is not None and isinstance(item_id, str):
        utterance.again_until = None
        link.names.add(item_id, utterance.item_id)
        return None
    start_ms = _client_ms(link, event.get("audio_start_ms"))
    state.utterance = Utterance(item_id if isinstance(item_id, str) else None, start_ms)
    state.journal.keeps_silence_only = False
    state.calls.owes_answer = False  # the answer to what is said sees what the functions return
    return _moved(event, link, "audio_start_ms")


def _speech_stopped(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    utterance = state.utterance
    utterance.end_ms = _client_ms(link, event.get("audio_end_ms"))
    if utterance.is_stopped:
        return None
    utterance.is_stopped = True
    if utterance.end_ms < utterance.start_ms:  # another detector, that heard less
        return {**event, "audio_end_ms": round(utterance.start_ms)}
    return _moved(event, link, "audio_end_ms")


def _committed(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item_id, utterance = event.get("item_id"), state.utterance
    if utterance.again_until is not None and utterance.item_id is not None and isinstance(item_id, str):
        link.names.add(item_id, utterance.item_id)  # the client committed before the fresh detector heard anything
        item_id = utterance.item_id
        event = {**event, "item_id": item_id}
    is_detected = utterance.end_ms is not None and utterance.item_id == item_id
    if is_detected and utterance.end_ms is not None:
        audio = state.journal.commit(utterance.start_ms, utterance.end_ms)
    else:
        audio = state.journal.committed_by_client()
    heard = input_of(link)
    if isinstance(item_id, str):
        state.client.committed = Committed(item_id, audio)
        state.client.writing = item_id
        if heard.get("transcription") is not None:
            state.client.untranscribed[item_id] = None
    detection = heard.get("turn_detection")
    answers = is_detected and isinstance(detection, dict) and detection.get("create_response") is not False
    may_answer = state.setting.kind == "realtime" and state.responses.default() is None
    state.utterance = Utterance(owes_answer=answers and may_answer)
    note_input(state, link)
    return event


def _cleared(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    state.journal.settle("input_audio_buffer.cleared")
    state.utterance = Utterance(owes_answer=state.utterance.owes_answer)
    note_input(state, link)
    return event


def _timeout_triggered(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item_id = event.get("item_id")
    start_ms, end_ms = _client_ms(link, event.get("audio_start_ms")), _client_ms(link, event.get("audio_end_ms"))
    state.utterance = Utterance(item_id if isinstance(item_id, str) else None, start_ms, end_ms, is_stopped=True)
    return _moved(event, link, "audio_start_ms", "audio_end_ms")


def _transcript_delta(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    # The words of an utterance that is heard again come whole at its end; the client has the first of them already.
    item_id = str(event.get("item_id"))
    return None if item_id in link.names.real or item_id in link.told.seeded else event


def _transcribed(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item = state.mirror.get(event.get("item_id"))
    if item is not None:
        state.mirror.transcribe(item, event.get("content_index", 0), event.get("transcript"))
    _charge(state, link, event.get("usage"), now)
    return _transcript_over(state, link, event, now)


def _charge(state: RelayState, link: Link, usage: Json, now: float) -> None:
    """Count what the words cost, where the upstream tells it."""
    transcription = input_of(link).get("transcription")
    model = transcription.get("model") if isinstance(transcription, dict) else None
    try:
        used = msgspec.convert(usage, TokensUsage | DurationUsage)
    except msgspec.ValidationError:
        return
    state.spending.charge_transcription(model if isinstance(model, str) else None, used, now)


def _transcript_over(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item_id = str(event.get("item_id"))
    is_awaited = item_id in state.client.untranscribed
    state.client.untranscribed.pop(item_id, None)
    # Of an item that was told again the client has the words, or was told that none will come.
    return event if is_awaited or item_id not in link.told.seeded else None


def _client_ms(link: Link, value: Json) -> float:
    return link.origin_ms + value if isinstance(value, int | float) else link.origin_ms


def _moved(event: Body, link: Link, *names: str) -> Body:
    """Return an event with its times on the client's clock."""
    if not link.origin_ms:
        return event
    moved = {name: round(link.origin_ms + event[name]) for name in names if isinstance(event.get(name), int | float)}
    return {**event, **moved}


NOTES: Final[dict[str, Callable[[RelayState, Link, Body, float], Body | None]]] = {
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "input_audio_buffer.committed": _committed,
    "input_audio_buffer.cleared": _cleared,
    "input_audio_buffer.timeout_triggered": _timeout_triggered,
    f"{_TRANSCRIPTION}delta": _transcript_delta,
    f"{_TRANSCRIPTION}completed": _transcribed,
    f"{_TRANSCRIPTION}failed": _transcript_over,
}
