"""Pairs for the rows of the beta reference about client events: the beta's message and ours."""

from typing import NamedTuple

from tests.dialects.golden_fields import INPUT, ITEMS, RESPONSE, SESSION, Json, Ways


class ClientPair(NamedTuple):
    """One client event in both dialects."""

    row: str
    beta: Json
    ga: Json
    ways: Ways = "both"


_SAME: list[Json] = [
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear", "event_id": "e1"},
    {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 100},
    {"type": "conversation.item.delete", "item_id": "item_1"},
    {"type": "conversation.item.retrieve", "item_id": "item_1"},
    {"type": "response.cancel", "response_id": "resp_1"},
    {"type": "output_audio_buffer.clear"},
    {"type": "response.create"},
    {"type": "response.create", "response": None},
    {"type": "later.event", "session": {"voice": "x"}},
]

CLIENT: list[ClientPair] = [
    *(ClientPair(event["type"], event, event) for event in _SAME),
    *(
        ClientPair(
            f"session.update: {row}",
            {"type": "session.update", "event_id": "e1", "session": beta},
            {"type": "session.update", "event_id": "e1", "session": {"type": "realtime", **ga}},
            ways,
        )
        for row, beta, ga, ways in SESSION
    ),
    *(
        ClientPair(
            f"transcription_session.update: {row}",
            {"type": "transcription_session.update", "session": beta},
            {"type": "session.update", "session": {"type": "transcription", **ga}},
            ways,
        )
        for row, beta, ga, ways in INPUT
    ),
    ClientPair(
        "transcription_session.update: modalities",
        {"type": "transcription_session.update", "session": {"modalities": ["text"]}},
        {"type": "session.update", "session": {"type": "transcription"}},
        "to_ga",
    ),
    *(
        ClientPair(
            f"conversation.item.create: {row}",
            {"type": "conversation.item.create", "previous_item_id": "root", "item": beta},
            {"type": "conversation.item.create", "previous_item_id": "root", "item": ga},
            ways,
        )
        for row, beta, ga, ways in ITEMS
    ),
    *(
        ClientPair(
            f"response.create: {row}",
            {"type": "response.create", "event_id": "e1", "response": beta},
            {"type": "response.create", "event_id": "e1", "response": ga},
            ways,
        )
        for row, beta, ga, ways in RESPONSE
    ),
]
