"""Events about what the user says: the detector's, the input buffer's and the transcriber's, on the client's clock."""

from collections.abc import Callable
from typing import Final

import msgspec

from vivavoce.core.relay.links import Link
from vivavoce.core.relay.mirror import MirrorItem
from vivavoce.core.relay.old_items import bytes_per_ms
from vivavoce.core.relay.state import RelayState, Utterance
from vivavoce.core.relay.vocabulary import Body, Json
from vivavoce.protocol.server_events import DurationUsage, TokensUsage

_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription."
_AUDIO_KEY: Final = b'"audio"'


def input_of(link: Link) -> Body:
    """Return `audio.input` of the upstream's session."""
    audio = link.session.get("audio")
    given = audio.get("input") if isinstance(audio, dict) else None
    return given if isinstance(given, dict) else {}


def note_input(state: RelayState, link: Link) -> None:
    """The session may have another format or detector: silence need not be kept where one listens."""
    state.journal.bytes_per_ms = bytes_per_ms(input_of(link).get("format"))
    state.journal.keeps_silence_only = input_of(link).get("turn_detection") is not None and not state.utterance.item_id


def keep_spoken(state: RelayState, item: MirrorItem) -> None:
    """Keep the audio of an item that was just committed, until its words are known."""
    messages = state.client.spoken.pop(item.id, None)
    if messages:
        state.mirror.keep_audio(item, [audio for message in messages if (audio := _audio_of(message))])


def _audio_of(message: bytes) -> str:
    """Return the base64 text in an append of the usual form."""
    end = message.rfind(b'"')
    start = message.rfind(b'"', 0, end) + 1
    return message[start:end].decode("ascii", "ignore") if _AUDIO_KEY in message[:2048] else ""


def _speech_started(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item_id, utterance = event.get("item_id"), state.utterance
    if utterance.is_again and utterance.item_id is not None and isinstance(item_id, str):
        utterance.is_again = False
        state.client.aliases[item_id] = utterance.item_id
        state.client.real_ids[utterance.item_id] = item_id
        return None
    start_ms = _client_ms(link, event.get("audio_start_ms"))
    state.utterance = Utterance(item_id if isinstance(item_id, str) else None, start_ms, owes_answer=False)
    state.journal.keeps_silence_only = False
    state.calls.drop_debt()
    return _moved(event, link, "audio_start_ms")


def _speech_stopped(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    state.utterance.end_ms = _client_ms(link, event.get("audio_end_ms"))
    return _moved(event, link, "audio_end_ms")


def _committed(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item_id, utterance = event.get("item_id"), state.utterance
    is_detected = utterance.end_ms is not None and utterance.item_id == item_id
    if is_detected and utterance.end_ms is not None:
        audio = state.journal.audio_between(utterance.start_ms, utterance.end_ms)
        state.journal.commit(utterance.end_ms)
    else:
        audio = state.journal.committed_by_client()
    if isinstance(item_id, str):
        state.client.spoken = {item_id: audio}
        if input_of(link).get("transcription") is not None:
            state.client.untranscribed.add(item_id)
    detection = input_of(link).get("turn_detection")
    answers = is_detected and isinstance(detection, dict) and detection.get("create_response") is not False
    is_realtime = state.setting.kind == "realtime"
    state.utterance = Utterance(owes_answer=answers and is_realtime)
    note_input(state, link)
    return event


def _cleared(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    state.utterance = Utterance(owes_answer=state.utterance.owes_answer)
    note_input(state, link)
    return event


def _timeout_triggered(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    state.utterance = Utterance(owes_answer=True)
    return _moved(event, link, "audio_start_ms", "audio_end_ms")


def _transcript_delta(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    # The words of an utterance that is heard again come whole at its end; the client has the first of them already.
    return None if event.get("item_id") in state.client.real_ids else event


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
    state.client.untranscribed.discard(str(event.get("item_id")))
    return event


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
