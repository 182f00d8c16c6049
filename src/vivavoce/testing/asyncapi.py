"""The wire as documents made from its types: AsyncAPI 3 for the events, JSON Schema for our own additions.

`asyncapi()` is docs/reference/asyncapi.json, `extensions()` docs/reference/extensions.schema.json.
"""

import inspect
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final, get_args

import msgspec

from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.extensions import ExtensionPatch, ResponseExtension, ResponseReport, SessionExtension
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.translation import TranslationClientEvent, TranslationServerEvent

Json = dict[str, Any]  # JSON boundary: a document
SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

DESCRIPTION: Final = (
    "The events of the Realtime API as this server takes and sends them, one JSON object per WebSocket text message. "
    "Written from the server's side: it receives what clients send."
)
QUERY: Final[Json] = {
    "type": "object",
    "properties": {
        "model": {"type": "string", "description": "The model, or the name of an engine."},
        "intent": {"enum": ["conversation", "transcription"], "description": "The kind of session."},
    },
}
# What the fields of our additions mean, by their place.
MEANINGS: Final[dict[str, str]] = {
    "EngineStages.vad": "Detects speech.",
    "EngineStages.stt": "Transcribes speech.",
    "EngineStages.llm": "Generates answers.",
    "EngineStages.tts": "Speaks answers.",
    "EngineStages.noise": "The engine that reduces noise where the session asks for it; absent where there is none.",
    "EngineStages.turn": "Hears whether a turn is complete, with `semantic_vad`; absent where nothing does.",
    "SessionExtension.engine": "The engine that serves the session.",
    "SessionExtension.stages": "Which engine does each part of the work.",
    "SessionExtension.ignored": "Accepted fields, by their path in the session, that have no effect here.",
    "SessionExtension.events": "Types of extension events that this client receives.",
    "SessionExtension.locked": "Paths in the session that this client may not change.",
    "SessionExtension.pre_roll_ms": "Audio that `input_audio_buffer.clear` keeps while there is no turn detection.",
    "SessionExtension.cost": "What the session has cost so far; only for clients that asked for it.",
    "SessionCost.usd": "US dollars, by the price list of `prices`.",
    "SessionCost.usd_per_min": "US dollars per minute since the session began.",
    "SessionCost.responses": "Responses that have ended.",
    "SessionCost.cached_share": "Share of the input tokens that were cached, in [0, 1].",
    "SessionCost.budget_usd": "What the key may spend on a day of UTC; null: unlimited.",
    "SessionCost.spent_usd": "What all sessions of the key have spent today; null without a budget.",
    "SessionCost.prices": "Date of the price list.",
    "SessionCost.unpriced": "Models that the price list does not have: they count nothing.",
    "ResponseReport.cost": "What the response has cost; in `response.done` for clients that asked for it.",
    "ResponseCost.usd": "US dollars.",
    "ResponseCost.session": "What the session has cost with it.",
    "ExtensionPatch.cost": "Show what the session costs, here and in every `response.done`.",
    "ExtensionPatch.events": "Types of extension events to receive; none are sent unasked.",
    "ExtensionPatch.locked": "Paths in the session that the holder of a client secret may not change; only there.",
    "ExtensionPatch.pre_roll_ms": "Audio that `input_audio_buffer.clear` keeps while there is no turn detection.",
    "ResponseExtension.say": "A text to be spoken exactly as it is, without a language model.",
}
# Channel -> its address, what it is for, and the unions of events received and sent.
CHANNELS: Final[dict[str, tuple[str, str, Any, Any]]] = {  # Any: unions of event structs
    "realtime": ("/v1/realtime", "A conversation or a transcription session.", ClientEvent, ServerEvent),
    "translations": (
        "/v1/realtime/translations",
        "A translation session.",
        TranslationClientEvent,
        TranslationServerEvent,
    ),
}


def asyncapi() -> Json:
    """Return the AsyncAPI 3 document of the wire."""
    unions = [union for _, _, received, sent in CHANNELS.values() for union in (received, sent)]
    _, schemas = msgspec.json.schema_components(unions, ref_template="#/components/schemas/{name}")
    events = {event.__name__: event for union in unions for event in get_args(union)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vivavoce realtime events",
            "version": version("vivavoce"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:8040", "protocol": "ws"}},
        "channels": {name: _channel(*parts) for name, parts in CHANNELS.items()},
        "operations": {key: value for name in CHANNELS for key, value in _operations(name).items()},
        "components": {
            "messages": {name: _message(event) for name, event in sorted(events.items())},
            "schemas": {name: portable(schema) for name, schema in sorted(schemas.items())},
        },
    }


def extensions() -> Json:
    """Return the JSON Schema of the objects that hold our additions to the wire."""
    places = {"session.vivavoce": ExtensionPatch, "response.vivavoce": ResponseExtension}
    echoed = {"session.vivavoce": SessionExtension, "response.vivavoce": ResponseReport}
    kinds = [*places.values(), *echoed.values()]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "Extensions of the Realtime API in the object `vivavoce`",
        "description": "`sent` is what a client may send at each place, `echoed` what the server answers there.",
        "type": "object",
        "properties": {
            side: {
                "type": "object",
                "properties": {place: {"$ref": f"#/$defs/{kind.__name__}"} for place, kind in kinds_by_place.items()},
            }
            for side, kinds_by_place in (("sent", places), ("echoed", echoed))
        },
        "$defs": {name: _explained(name, portable(schema)) for name, schema in sorted(schemas.items())},
    }


def _explained(name: str, schema: Json) -> Json:
    """The schema of an object with the meaning of each field."""
    properties = {
        field: {"description": MEANINGS[f"{name}.{field}"], **described}
        for field, described in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def text(document: Json) -> str:
    """Return a document as it is written to its file."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def event_schema(document: Json, channel: str, wire_name: str) -> Json:
    """Return the JSON Schema of an event of a channel, with all that it refers to."""
    messages: Mapping[str, Json] = document["components"]["messages"]
    name = document["channels"][channel]["messages"][wire_name]["$ref"].rpartition("/")[2]
    return {"$schema": SCHEMA_DIALECT, **messages[name]["payload"], "components": document["components"]}


def portable(schema: Any) -> Any:  # JSON boundary: a schema or a part of one
    """Return a schema without what only one tool reads: OpenAPI's discriminators, Python's end of text in patterns."""
    if isinstance(schema, list):
        return [portable(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: portable(value) for key, value in schema.items() if key != "discriminator" or "mapping" not in value}
    if isinstance(kept.get("pattern"), str):
        kept["pattern"] = kept["pattern"].replace("\\Z", "$")
    return kept


def _channel(address: str, purpose: str, received: Any, sent: Any) -> Json:  # Any: unions of event structs
    events = [*get_args(received), *get_args(sent)]
    return {
        "address": address,
        "description": purpose,
        "messages": {_wire_name(event): {"$ref": f"#/components/messages/{event.__name__}"} for event in events},
        "bindings": {"ws": {"method": "GET", "query": QUERY}},
    }


def _operations(channel: str) -> Json:
    _, _, received, sent = CHANNELS[channel]
    return {
        f"{channel}.{action}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [{"$ref": f"#/channels/{channel}/messages/{_wire_name(event)}"} for event in get_args(union)],
        }
        for action, union in (("receive", received), ("send", sent))
    }


def _message(event: type[msgspec.Struct]) -> Json:
    return {
        "name": _wire_name(event),
        "title": event.__name__,
        "summary": (inspect.getdoc(event) or "").partition("\n")[0],
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
    }


def _wire_name(event: type[msgspec.Struct]) -> str:
    return str(event.__struct_config__.tag)
