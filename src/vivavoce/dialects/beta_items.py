"""Conversation items, content parts and response objects, translated both ways.

All functions take any JSON, change none of it, and leave what they do not know as it is.
Rows follow the tables of items, of content parts and of the response object in the beta reference.
"""

from collections.abc import Callable
from typing import Final

from vivavoce.dialects.beta_fields import RESPONSE_PLACES, Body, Json, flattened, nested

ITEM_OBJECT: Final = "realtime.item"
DEFAULT_TEMPERATURE: Final = 0.8

_TO_BETA: Final = {"output_text": "text", "output_audio": "audio"}
_TO_GA: Final = {"text": "output_text", "audio": "output_audio"}
_TO_GA_FROM_CLIENT: Final = {**_TO_GA, "input_text": "output_text"}  # some early clients write their history so
_NULLS: Final = {"mcp_call": ("approval_request_id", "output", "error")}  # clients of today need these keys
_OMITTED: Final = ("reasoning", "parallel_tool_calls")  # of a response: the beta has no such fields


def item_to_beta(item: Json) -> Json:
    """Return an item as beta clients and upstreams take it."""
    if not isinstance(item, dict):
        return item
    return {**_with_parts(item, _TO_BETA), "object": item.get("object", ITEM_OBJECT)}


def item_for_beta_upstream(item: Json) -> Json:
    """Return an item that a client adds, as a beta upstream takes it."""
    return _with_parts(item, _TO_BETA) if isinstance(item, dict) else item


def item_from_beta_client(item: Json) -> Json:
    """Return an item that a beta client adds."""
    return _with_parts(item, _TO_GA_FROM_CLIENT) if isinstance(item, dict) else item


def input_from_beta_client(item: Json) -> Json:
    """Return an item of `response.input`: early clients write a reference as the only part of a message."""
    parts = item.get("content") if isinstance(item, dict) else None
    if isinstance(parts, list) and len(parts) == 1 and _type_of(parts[0]) == "item_reference":
        return parts[0]
    return item_from_beta_client(item)


def item_from_beta_upstream(item: Json, status: str) -> Json:
    """Return an item of a beta upstream with the keys that clients of today need.

    Args:
        status: what the item is in, where the upstream does not say it.
    """
    if not isinstance(item, dict):
        return item
    body = {key: value for key, value in _with_parts(item, _TO_GA).items() if (key, value) != ("object", ITEM_OBJECT)}
    if body.get("type") == "mcp_tool_call":  # as one version of the beta names it
        body["type"] = "mcp_call"
    match body.get("type"):
        case "message":
            body.setdefault("content", [])
            body["content"] = _with_transcripts(body)
        case "function_call":
            body.setdefault("arguments", "")
        case _:
            pass
    for name in _NULLS.get(str(body.get("type")), ()):
        body.setdefault(name, None)
    if body.get("type") in ("message", "function_call", "function_call_output"):
        body.setdefault("status", status)
    return body


def response_to_beta(response: Json, temperature: float | None = None) -> Json:
    """Return a response object as beta clients take it, with the temperature that the client asked for."""
    if not isinstance(response, dict):
        return response
    flat = flattened(response, RESPONSE_PLACES)
    flat["temperature"] = DEFAULT_TEMPERATURE if temperature is None else temperature
    return _with_items(flat, "output", item_to_beta)


def response_from_beta(response: Json) -> Json:
    """Return a response object of a beta upstream; its temperature has no place in it."""
    if not isinstance(response, dict):
        return response
    body = nested({name: value for name, value in response.items() if name != "temperature"}, RESPONSE_PLACES)
    return _with_items(body, "output", lambda item: item_from_beta_upstream(item, "completed"))


def params_from_beta_client(params: Body) -> Body:
    """Return the `response` of `response.create`; the temperature has no place in it.

    Early clients say `max_response_output_tokens` where later ones say `max_output_tokens`.
    """
    flat = dict(params)
    flat.pop("temperature", None)
    if "max_response_output_tokens" in flat:
        flat.setdefault("max_output_tokens", flat.pop("max_response_output_tokens"))
        flat.pop("max_response_output_tokens", None)
    return _with_items(nested(flat, RESPONSE_PLACES), "input", input_from_beta_client)


def params_to_beta(params: Body) -> Body:
    """Return the `response` of `response.create` without what the beta has no field for."""
    flat = flattened({name: value for name, value in params.items() if name not in _OMITTED}, RESPONSE_PLACES)
    return _with_items(flat, "input", item_for_beta_upstream)


def _with_items(body: Body, name: str, translate: Callable[[Json], Json]) -> Body:
    items = body.get(name)
    return {**body, name: [translate(item) for item in items]} if isinstance(items, list) else body


def _with_parts(item: Body, names: dict[str, str]) -> Body:
    parts = item.get("content")
    if item.get("role") != "assistant" or not isinstance(parts, list):
        return dict(item)
    return {**item, "content": [_renamed(part, names) for part in parts]}


def _renamed(part: Json, names: dict[str, str]) -> Json:
    name = names.get(_type_of(part))
    return part if name is None else {**part, "type": name}


def _type_of(part: Json) -> str:
    type_ = part.get("type") if isinstance(part, dict) else None
    return type_ if isinstance(type_, str) else ""


def _with_transcripts(item: Body) -> Json:
    """Return the content with the transcripts of user audio, null until they are known."""
    parts = item["content"]
    if item.get("role") != "user" or not isinstance(parts, list):
        return parts
    return [{"transcript": None, **part} if _type_of(part) == "input_audio" else part for part in parts]
