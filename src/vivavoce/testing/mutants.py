"""The catalogue of mutants: one broken rule each, in a conversation of `bench.mutation_scenarios` that shows it."""

from collections.abc import Callable, Iterator
from typing import Final

from vivavoce.testing.mutations import (
    Breaker,
    Event,
    Match,
    Mutant,
    change,
    drop,
    edit,
    hold,
    insert,
    put,
    remove,
    repeat,
    reuse_id,
)

MESSAGE: Final = {"item.type": "message"}
CALL: Final = {"item.type": "function_call"}
USER: Final = {"item.role": "user"}
ASSISTANT: Final = {"item.role": "assistant"}
ANOTHER: Final = "item_other"

CREATED, DONE = Match("response.created"), Match("response.done")
SESSION, UPDATED = Match("session.created"), Match("session.updated")
OPENED, CLOSED = Match("response.output_item.added"), Match("response.output_item.done")
PART_OPENED, PART_CLOSED = Match("response.content_part.added"), Match("response.content_part.done")
ENTERED, FINISHED = Match("conversation.item.added", ASSISTANT), Match("conversation.item.done", ASSISTANT)
USER_ENTERED, USER_FINISHED = Match("conversation.item.added", USER), Match("conversation.item.done", USER)
TEXT, TEXT_DONE = Match("response.output_text.delta"), Match("response.output_text.done")
SOUND, SOUND_DONE = Match("response.output_audio.delta"), Match("response.output_audio.done")
WORDS, WORDS_DONE = Match("response.output_audio_transcript.delta"), Match("response.output_audio_transcript.done")
ARGUMENTS = Match("response.function_call_arguments.delta")
ARGUMENTS_DONE = Match("response.function_call_arguments.done")
STARTED, STOPPED = Match("input_audio_buffer.speech_started"), Match("input_audio_buffer.speech_stopped")
COMMITTED, CLEARED = Match("input_audio_buffer.committed"), Match("input_audio_buffer.cleared")
HEARD = Match("conversation.item.input_audio_transcription.completed")
HEARD_DELTA = Match("conversation.item.input_audio_transcription.delta")
DEAF = Match("conversation.item.input_audio_transcription.failed")
ERROR = Match("error")
CANCELLED = Match("response.done", {"response.status": "cancelled"})

Start = Callable[[], Breaker]
Named = dict[str, Start]


def _stray_sound(event: Event) -> Event:
    """An audio delta of the item that an event is about."""
    place = {key: event[key] for key in ("response_id", "item_id", "output_index", "content_index")}
    return {"type": "response.output_audio.delta", "delta": "AAAA", **place}


def _stray_text(event: Event) -> Event:
    response = event["response"]
    place = {"response_id": response["id"], "item_id": response["output"][0]["id"], "output_index": 0}
    return {"type": "response.output_text.delta", "delta": "more", "content_index": 0, **place}


def _entered(event: Event) -> Event:
    return {"type": "conversation.item.added", "previous_item_id": None, "item": event["item"]}


def _heard(event: Event) -> Event:
    usage = {"type": "duration", "seconds": 1.0}
    return {"type": HEARD.kind, "item_id": event["item_id"], "content_index": 0, "transcript": "so", "usage": usage}


def _uninvited(event: Event) -> Event:
    response = {**event["response"], "id": "resp_uninvited", "status": "in_progress", "output": []}
    return {"type": "response.created", "response": response}


OUT_OF_BAND: Final = {"response.conversation_id": None}

ENVELOPE: Final[Named] = {
    "event_id is missing": edit(CREATED, remove("event_id")),
    "event_id is null": edit(DONE, put("event_id", None)),
    "event_id is a number": edit(DONE, put("event_id", 7)),
    "event_id is used twice": reuse_id(PART_OPENED),
    "an event type is misspelt": edit(TEXT_DONE, put("type", "response.output_texts.done")),
    "an event type of the beta": edit(TEXT, put("type", "response.text.delta")),
    "an extension event without opt-in": insert(UPDATED, lambda event: {"type": "vivavoce.marked", "mark": 1}),
    "session.created is lost": drop(SESSION),
    "session.created comes twice": repeat(SESSION),
    "session.created comes late": hold(SESSION, UPDATED),
    "session.updated is lost": drop(UPDATED),
    "session.updated comes twice": repeat(UPDATED),
    "the session has another id": edit(UPDATED, put("session.id", "sess_other")),
    "the session has no audio": edit(UPDATED, remove("session.audio")),
    "the session is of no type": edit(UPDATED, remove("session.type")),
    "session.updated does not show the update": edit(UPDATED, put("session.output_modalities", ["audio"])),
}
RESPONSE: Final[Named] = {
    "response.created is lost": drop(CREATED),
    "response.created comes twice": repeat(CREATED),
    "response.created says completed": edit(CREATED, put("response.status", "completed")),
    "response.created has no status": edit(CREATED, remove("response.status")),
    "response.created has output": edit(CREATED, put("response.output", [{"id": ANOTHER, "type": "message"}])),
    "response.created is outside the conversation": edit(CREATED, put("response.conversation_id", None)),
    "response.created names no conversation": edit(CREATED, remove("response.conversation_id")),
    "metadata is not echoed in created": edit(Match(CREATED.kind, nth=1), put("response.metadata", None)),
    "metadata is not echoed in done": edit(Match(DONE.kind, nth=1), remove("response.metadata")),
    "metadata is another": edit(Match(DONE.kind, nth=1), put("response.metadata.topic", "lies")),
    "response.done is lost": drop(DONE),
    "response.done comes twice": repeat(DONE),
    "response.done has another id": edit(DONE, put("response.id", "resp_other")),
    "response.done is in progress": edit(DONE, put("response.status", "in_progress")),
    "response.done has an unknown status": edit(DONE, put("response.status", "finished")),
    "response.done moves to another conversation": edit(DONE, put("response.conversation_id", "conv_other")),
    "response.done has no output": edit(DONE, put("response.output", [])),
    "response.done has an item in progress": edit(DONE, put("response.output.0.status", "in_progress")),
    "response.done has other words than the item": edit(DONE, put("response.output.0.content.0.text", "No.")),
    "usage is missing": edit(DONE, put("response.usage", None)),
    "usage has no total": edit(DONE, remove("response.usage.total_tokens")),
    "usage does not add up": edit(DONE, change("response.usage.total_tokens", lambda total: total + 1)),
    "usage details exceed the tokens": edit(
        DONE, change("response.usage.output_token_details.text_tokens", lambda count: count + 5)
    ),
    "the voice is an object": edit(CREATED, put("response.audio.output.voice", {"id": "cedar"})),
    "a delta after response.done": insert(DONE, _stray_text),
    "a response that nobody asked for": insert(DONE, _uninvited),
}
ITEM: Final[Named] = {
    "output_item.added is lost": drop(OPENED),
    "output_item.added comes twice": repeat(OPENED),
    "output_item.added says completed": edit(OPENED, put("item.status", "completed")),
    "output_item.added has no status": edit(OPENED, remove("item.status")),
    "output_item.added has content": edit(OPENED, put("item.content", [{"type": "output_text", "text": "It is so."}])),
    "output_item.added has no content": edit(OPENED, remove("item.content")),
    "output_item.added has a wrong role": edit(OPENED, put("item.role", "user")),
    "output_item.added has no role": edit(OPENED, remove("item.role")),
    "output_item.added has a wrong index": edit(OPENED, put("output_index", 1)),
    "output_item.added names another response": edit(OPENED, put("response_id", "resp_other")),
    "output_item.added has an unknown item type": edit(OPENED, put("item.type", "speech")),
    "output_item.done is lost": drop(CLOSED),
    "output_item.done comes twice": repeat(CLOSED),
    "output_item.done is in progress": edit(CLOSED, put("item.status", "in_progress")),
    "output_item.done is incomplete in a completed response": edit(CLOSED, put("item.status", "incomplete")),
    "output_item.done has another role": edit(CLOSED, put("item.role", "system")),
    "output_item.done has another id": edit(CLOSED, put("item.id", ANOTHER)),
    "output_item.done has a wrong index": edit(CLOSED, put("output_index", 3)),
    "output_item.done has no content": edit(CLOSED, put("item.content", [])),
    "output_item.done has the part type of the stream": edit(CLOSED, put("item.content.0.type", "text")),
    "conversation.item.added is lost": drop(ENTERED),
    "conversation.item.added comes twice": repeat(ENTERED),
    "conversation.item.added says completed": edit(ENTERED, put("item.status", "completed")),
    "conversation.item.added follows another item": edit(ENTERED, put("previous_item_id", None)),
    "conversation.item.added follows an unknown item": edit(ENTERED, put("previous_item_id", ANOTHER)),
    "conversation.item.added has another id": edit(ENTERED, put("item.id", ANOTHER)),
    "conversation.item.added is the beta's": edit(ENTERED, put("type", "conversation.item.created")),
    "conversation.item.done is lost": drop(FINISHED),
    "conversation.item.done comes twice": repeat(FINISHED),
    "conversation.item.done is in progress": edit(FINISHED, put("item.status", "in_progress")),
    "conversation.item.done has other words": edit(FINISHED, put("item.content.0.text", "No.")),
    "conversation.item.done follows another item": edit(FINISHED, put("previous_item_id", None)),
    "a user item is never done": drop(USER_FINISHED),
    "a user item has the role of the assistant": edit(USER_ENTERED, put("item.role", "assistant")),
    "a user item is in progress when done": edit(USER_FINISHED, put("item.status", "in_progress")),
    "a user item has other words than the client's": edit(USER_ENTERED, put("item.content.0.text", "No.")),
}
PART: Final[Named] = {
    "content_part.added is lost": drop(PART_OPENED),
    "content_part.added comes twice": repeat(PART_OPENED),
    "content_part.added has the part type of items": edit(PART_OPENED, put("part.type", "output_text")),
    "content_part.added has text": edit(PART_OPENED, put("part.text", "It is so.")),
    "content_part.added has a wrong index": edit(PART_OPENED, put("content_index", 1)),
    "content_part.done is lost": drop(PART_CLOSED),
    "content_part.done comes twice": repeat(PART_CLOSED),
    "content_part.done has another type": edit(PART_CLOSED, put("part.type", "audio")),
    "content_part.done has other words": edit(PART_CLOSED, put("part.text", "No.")),
    "a delta is lost": drop(TEXT),
    "a delta comes twice": repeat(TEXT),
    "a delta is null": edit(TEXT, put("delta", None)),
    "a delta names another response": edit(TEXT, put("response_id", "resp_other")),
    "a delta names another item": edit(TEXT, put("item_id", ANOTHER)),
    "a delta has a wrong output index": edit(TEXT, put("output_index", 1)),
    "a delta has a wrong content index": edit(TEXT, put("content_index", 1)),
    "a delta has no content index": edit(TEXT, remove("content_index")),
    "two deltas change places": hold(TEXT, TEXT),
    "output_text.done is lost": drop(TEXT_DONE),
    "output_text.done comes twice": repeat(TEXT_DONE),
    "output_text.done has other words": edit(TEXT_DONE, put("text", "It is not so.")),
    "output_text.done has no text": edit(TEXT_DONE, remove("text")),
}
ORDER: Final[Named] = {
    "output_item.added before response.created": hold(CREATED, OPENED),
    "conversation.item.added before output_item.added": hold(OPENED, ENTERED),
    "content_part.added before conversation.item.added": hold(ENTERED, PART_OPENED),
    "a delta before content_part.added": hold(PART_OPENED, TEXT),
    "a delta after its done": hold(Match(TEXT.kind, nth=1), TEXT_DONE),
    "content_part.done before output_text.done": hold(TEXT_DONE, PART_CLOSED),
    "conversation.item.done before content_part.done": hold(PART_CLOSED, FINISHED),
    "output_item.done before conversation.item.done": hold(FINISHED, CLOSED),
    "response.done before output_item.done": hold(CLOSED, DONE),
    "user item done before added": hold(USER_ENTERED, USER_FINISHED),
}
AUDIO: Final[Named] = {
    "an audio part of the type of items": edit(PART_OPENED, put("part.type", "output_audio")),
    "an audio part without transcript key": edit(PART_OPENED, remove("part.transcript")),
    "an audio part with a null transcript": edit(PART_OPENED, put("part.transcript", None)),
    "a closed audio part without transcript": edit(PART_CLOSED, remove("part.transcript")),
    "a finished audio item without transcript": edit(FINISHED, remove("item.content.0.transcript")),
    "a finished audio item with another transcript": edit(FINISHED, put("item.content.0.transcript", "No.")),
    "an audio delta of half a sample": edit(SOUND, put("delta", "AAAA")),
    "an audio delta that is no base64": edit(SOUND, put("delta", "?AAA")),
    "an empty audio delta": edit(SOUND, put("delta", "")),
    "a transcript delta is lost": drop(WORDS),
    "a transcript that differs from its deltas": edit(WORDS_DONE, put("transcript", "No.")),
    "output_audio.done is lost": drop(SOUND_DONE),
    "output_audio.done comes twice": repeat(SOUND_DONE),
    "output_audio_transcript.done is lost": drop(WORDS_DONE),
    "content_part.done before output_audio.done": hold(SOUND_DONE, PART_CLOSED),
    "audio after output_audio.done": insert(SOUND_DONE, _stray_sound),
    "audio before its part": hold(PART_OPENED, SOUND),
    "the audio of another response": edit(Match(SOUND.kind, nth=1), put("response_id", "resp_other")),
    "the second response has the id of the first": edit(Match(CREATED.kind, nth=1), put("response.id", "resp_other")),
    "response.done has no audio tokens": edit(DONE, put("response.usage.output_token_details.audio_tokens", 0)),
}
TURN: Final[Named] = {
    "audio_start_ms is a float": edit(STARTED, change("audio_start_ms", lambda ms: ms + 0.5)),
    "audio_end_ms is missing": edit(STOPPED, remove("audio_end_ms")),
    "speech ends before it starts": edit(STOPPED, put("audio_end_ms", -1)),
    "speech_started is lost": drop(STARTED),
    "speech_started comes twice": repeat(STARTED),
    "speech_stopped is lost": drop(STOPPED),
    "speech_stopped comes twice": repeat(STOPPED),
    "committed is lost": drop(COMMITTED),
    "committed comes twice": repeat(COMMITTED),
    "the committed item is another than the one that was started": edit(COMMITTED, put("item_id", ANOTHER)),
    "the stopped item is another than the one that was started": edit(STOPPED, put("item_id", ANOTHER)),
    "committed follows an unknown item": edit(COMMITTED, put("previous_item_id", ANOTHER)),
    "committed follows another item": edit(Match(COMMITTED.kind, nth=1), put("previous_item_id", None)),
    "the added item is another than the committed one": edit(USER_ENTERED, put("item.id", ANOTHER)),
    "the spoken item is never added": drop(USER_ENTERED),
    "the spoken item is never done": drop(USER_FINISHED),
    "the spoken item is of the assistant": edit(USER_ENTERED, put("item.role", "assistant")),
    "the spoken item holds text": edit(USER_ENTERED, put("item.content.0", {"type": "input_text", "text": "so"})),
    "the spoken item follows another than committed said": edit(
        Match(USER_ENTERED.kind, USER, nth=1), put("previous_item_id", None)
    ),
    "speech stops before it starts": hold(STARTED, STOPPED),
    "committed before speech_stopped": hold(STOPPED, COMMITTED),
    "the spoken item before committed": hold(COMMITTED, USER_ENTERED),
    "the spoken item is done before it is added": hold(USER_ENTERED, USER_FINISHED),
    "the answer before the spoken item is done": hold(USER_FINISHED, CREATED),
    "speech of another turn within a commit": insert(
        COMMITTED, lambda event: {"type": STARTED.kind, "audio_start_ms": 0, "item_id": ANOTHER}
    ),
    "a transcript before its item": insert(COMMITTED, _heard),
    "a transcript comes twice": repeat(HEARD),
    "a transcript delta after the whole": hold(HEARD_DELTA, HEARD),
    "a transcript has no usage": edit(HEARD, remove("usage")),
    "a transcript has no text": edit(HEARD, remove("transcript")),
    "a transcript of another item": edit(HEARD, put("item_id", ANOTHER)),
    "a transcript of another part": edit(HEARD, put("content_index", 1)),
    "a transcript is lost": drop(HEARD),
}
TOOLS: Final[Named] = {
    "a call has no call_id": edit(Match(OPENED.kind, CALL), remove("item.call_id")),
    "a call has arguments before its deltas": edit(Match(OPENED.kind, CALL), put("item.arguments", "{}")),
    "a call has null arguments": edit(Match(OPENED.kind, CALL), put("item.arguments", None)),
    "a call has no name": edit(Match(OPENED.kind, CALL), remove("item.name")),
    "an arguments delta is of another call": edit(ARGUMENTS, put("call_id", "call_other")),
    "an arguments delta is lost": drop(ARGUMENTS),
    "arguments.done is lost": drop(ARGUMENTS_DONE),
    "arguments.done comes twice": repeat(ARGUMENTS_DONE),
    "arguments.done has other arguments": edit(ARGUMENTS_DONE, put("arguments", '{"at": "nowhere"}')),
    "arguments.done has another name": edit(ARGUMENTS_DONE, put("name", "listen")),
    "arguments.done has another call_id": edit(ARGUMENTS_DONE, put("call_id", "call_other")),
    "a finished call has another call_id": edit(Match(CLOSED.kind, CALL), put("item.call_id", "call_other")),
    "a finished call has other arguments": edit(Match(CLOSED.kind, CALL), put("item.arguments", "{}")),
    "a call never enters the conversation": drop(Match("conversation.item.added", CALL)),
    "a call is done before its arguments": hold(ARGUMENTS_DONE, Match("conversation.item.done", CALL)),
    "a call opens at the index of another": edit(Match(OPENED.kind, CALL, nth=1), put("output_index", 1)),
    "two calls open in the wrong order": hold(Match(OPENED.kind, CALL), Match(OPENED.kind, CALL)),
    "the second call is never closed": drop(Match(CLOSED.kind, CALL, nth=1)),
    "response.done lists the calls in another order": edit(
        DONE, change("response.output", lambda output: list(reversed(output)))
    ),
    "response.done leaves out a call": edit(DONE, remove("response.output.2")),
    "an output is of another call": edit(
        Match("conversation.item.added", {"item.type": "function_call_output"}), put("item.call_id", "call_other")
    ),
}
INTERRUPTION: Final[Named] = {
    "audio after the dones of a cancelled response": insert(SOUND_DONE, _stray_sound),
    "audio between an interruption and its dones": hold(SOUND, STARTED),
    "a cancelled item is completed": edit(CLOSED, put("item.status", "completed")),
    "a cancelled response says nothing of why": edit(CANCELLED, put("response.status_details", None)),
    "a cancelled response has an unknown reason": edit(CANCELLED, put("response.status_details.reason", "whim")),
    "an interrupted response was cancelled by the client": edit(
        CANCELLED, put("response.status_details.reason", "client_cancelled")
    ),
    "an interrupted response claims to be complete": edit(CANCELLED, put("response.status", "completed")),
    "an interrupted part is never closed": drop(PART_CLOSED),
    "an interrupted item is never closed": drop(CLOSED),
    "truncated is lost": drop(Match("conversation.item.truncated")),
    "truncated at another place": edit(Match("conversation.item.truncated"), put("audio_end_ms", 40)),
    "truncated another item": edit(Match("conversation.item.truncated"), put("item_id", ANOTHER)),
}
OUT: Final[Named] = {
    "an item out of band enters the conversation": insert(Match(OPENED.kind, nth=1), _entered),
    "metadata out of band is not echoed": edit(Match(CREATED.kind, OUT_OF_BAND), put("response.metadata", None)),
    "a response out of band claims the conversation": edit(
        Match(CREATED.kind, OUT_OF_BAND), put("response.conversation_id", "conv_other")
    ),
    "a response out of band ends in the conversation": edit(
        Match(DONE.kind, OUT_OF_BAND), put("response.conversation_id", "conv_other")
    ),
    "a response out of band never ends": drop(Match(DONE.kind, OUT_OF_BAND)),
    "a client's cancel says turn_detected": edit(CANCELLED, put("response.status_details.reason", "turn_detected")),
}
MANUAL: Final[Named] = {
    "cleared is lost": drop(CLEARED),
    "cleared comes twice": repeat(CLEARED),
    "a client's commit has a speech_stopped": insert(
        CLEARED, lambda event: {"type": STOPPED.kind, "audio_end_ms": 600, "item_id": ANOTHER}
    ),
    "a client's commit is lost": drop(COMMITTED),
    "a client's commit comes twice": repeat(COMMITTED),
}
ITEMS: Final[Named] = {
    "retrieved another item": edit(Match("conversation.item.retrieved"), put("item.id", ANOTHER)),
    "retrieved is lost": drop(Match("conversation.item.retrieved")),
    "deleted another item": edit(Match("conversation.item.deleted"), put("item_id", ANOTHER)),
    "deleted is lost": drop(Match("conversation.item.deleted")),
    "deleted comes twice": repeat(Match("conversation.item.deleted")),
    "an item put first follows another": edit(
        Match(USER_ENTERED.kind, USER, nth=1), change("previous_item_id", lambda before: ANOTHER)
    ),
    "an item put after another is said to be first": edit(
        Match(USER_ENTERED.kind, USER, nth=2), put("previous_item_id", None)
    ),
    "an item follows a deleted one": edit(Match(USER_ENTERED.kind, USER, nth=3), put("previous_item_id", ANOTHER)),
}
ERRORS: Final[Named] = {
    "an error is lost": drop(ERROR),
    "an error comes twice": repeat(ERROR),
    "an error names no event": edit(ERROR, put("error.event_id", None)),
    "an error names another event": edit(ERROR, put("error.event_id", "client_other")),
    "an error's code is a number": edit(ERROR, put("error.code", 400)),
    "an error has no message": edit(ERROR, remove("error.message")),
    "an error has no type": edit(ERROR, remove("error.type")),
    "an error has no param key": edit(ERROR, remove("error.param")),
    "an error has no code key": edit(ERROR, remove("error.code")),
    "a failed response says nothing of why": edit(
        Match(DONE.kind, {"response.status": "failed"}), put("response.status_details", None)
    ),
    "a failed response claims to be complete": edit(
        Match(DONE.kind, {"response.status": "failed"}), put("response.status", "completed")
    ),
    "a response cut short gives no reason": edit(
        Match(DONE.kind, {"response.status": "incomplete"}), remove("response.status_details.reason")
    ),
    "a failed transcript has no error": edit(DEAF, remove("error")),
    "a failed transcript is lost": drop(DEAF),
}


def _catalogue() -> Iterator[Mutant]:
    text = ENVELOPE | RESPONSE | ITEM | PART | ORDER
    scenarios = {
        "text": text,
        "audio": AUDIO,
        "turn": TURN,
        "tools": TOOLS,
        "barge_in": INTERRUPTION,
        "out_of_band": OUT,
        "manual": MANUAL,
        "items": ITEMS,
        "errors": ERRORS,
    }
    for scenario, mutants in scenarios.items():
        for name, start in mutants.items():
            yield Mutant(name, scenario, start)


MUTANTS: Final = tuple(_catalogue())
