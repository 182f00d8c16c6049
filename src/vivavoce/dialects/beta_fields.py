"""Fields that the beta keeps elsewhere or says otherwise: `voice` is `audio.output.voice`, `pcm16` is `audio/pcm`.

All functions take any JSON, change none of it, and leave what they do not know as it is.
Rows follow the tables of session fields, of `response.create` and of the response object in the beta reference.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

Json = Any  # JSON boundary: what clients and upstreams send
Body = dict[str, Any]  # JSON boundary: an object of theirs

FORMATS: Final = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
PCM_RATE_HZ: Final = 24_000
_FORMAT_NAMES: Final = {type_: name for name, type_ in FORMATS.items()}
_TOOL_CHOICES: Final = ("auto", "none", "required")
_MODALITIES: Final = (["text"], ["audio"], ["audio", "text"], ["text", "audio"])


def unchanged(value: Json) -> Json:
    """Return the value."""
    return value


def modalities_to_ga(value: Json) -> Json:
    """Return `["audio"]` or `["text"]`: spoken answers always have a transcript."""
    if value not in _MODALITIES:
        return value
    return ["audio"] if "audio" in value else ["text"]


def modalities_to_beta(value: Json) -> Json:
    """Return `["audio", "text"]` for `["audio"]`."""
    return ["audio", "text"] if value in (["audio"], ("audio",)) else value


def format_to_ga(value: Json) -> Json:
    """Return the object for the name of an audio format."""
    type_ = FORMATS.get(value) if isinstance(value, str) else None
    if type_ is None:
        return value
    return {"type": type_, "rate": PCM_RATE_HZ} if type_ == "audio/pcm" else {"type": type_}


def format_to_beta(value: Json) -> Json:
    """Return the name of an audio format; one that has no name in the beta stays an object."""
    type_ = value.get("type") if isinstance(value, dict) else None
    name = _FORMAT_NAMES.get(type_) if isinstance(type_, str) else None
    return value if name is None or format_to_ga(name) not in (value, {"rate": PCM_RATE_HZ, **value}) else name


def voice_to_beta(value: Json) -> Json:
    """Return the id of a custom voice as its name."""
    return value["id"] if isinstance(value, dict) and isinstance(value.get("id"), str) else value


def choice_to_ga(value: Json) -> Json:
    """Return a tool choice: the beta also writes a bare function name, or has it or an object with it in `function`."""
    if isinstance(value, str):
        return value if value in _TOOL_CHOICES else {"type": "function", "name": value}
    nested = value.get("function") if isinstance(value, dict) else None
    if isinstance(nested, str):  # rt-client
        nested = {"name": nested}
    if not isinstance(nested, dict):
        return value
    return {**{key: member for key, member in value.items() if key != "function"}, **nested}


def choice_to_beta(value: Json) -> Json:
    """Return a tool choice; one of MCP tools, which the beta does not have, is `auto`."""
    return "auto" if isinstance(value, dict) and value.get("type") == "mcp" else value


def tools_to_ga(value: Json) -> Json:
    """Return tools with their type: in the beta all may be functions without saying so."""
    if not isinstance(value, list):
        return value
    return [{"type": "function", **tool} if isinstance(tool, dict) else tool for tool in value]


def turn_detection_to_ga(value: Json) -> Json:
    """Return turn detection: `none` is null, and no type is `server_vad`."""
    if not isinstance(value, dict):
        return value
    return None if value.get("type") == "none" else {"type": "server_vad", **value}


class Place(NamedTuple):
    """Where a beta field is in the canonical object, and how its value is said there."""

    path: tuple[str, ...]
    to_ga: Callable[[Json], Json] = unchanged
    to_beta: Callable[[Json], Json] = unchanged


_SHARED: Final = {
    "modalities": Place(("output_modalities",), modalities_to_ga, modalities_to_beta),
    "voice": Place(("audio", "output", "voice"), unchanged, voice_to_beta),
    "output_audio_format": Place(("audio", "output", "format"), format_to_ga, format_to_beta),
    "tools": Place(("tools",), tools_to_ga),
    "tool_choice": Place(("tool_choice",), choice_to_ga, choice_to_beta),
}
SESSION_PLACES: Final = {
    **_SHARED,
    "input_audio_format": Place(("audio", "input", "format"), format_to_ga, format_to_beta),
    "input_audio_transcription": Place(("audio", "input", "transcription")),
    "turn_detection": Place(("audio", "input", "turn_detection"), turn_detection_to_ga),
    "input_audio_noise_reduction": Place(("audio", "input", "noise_reduction")),
    "max_response_output_tokens": Place(("max_output_tokens",)),
    "speed": Place(("audio", "output", "speed")),
}
RESPONSE_PLACES: Final = _SHARED  # it is `max_output_tokens` there in both dialects

_CONTAINER: Final = "audio"  # the object that the beta does not have


def nested(flat: Mapping[str, Json], places: Mapping[str, Place]) -> Body:
    """Return the canonical object for a flat one; unknown fields stay at the top."""
    body: Body = {name: _loosened(name, value) for name, value in flat.items() if name not in places}
    for name, value in flat.items():
        if name in places:
            _put(body, places[name].path, places[name].to_ga(value))
    return body


def flattened(body: Mapping[str, Json], places: Mapping[str, Place]) -> Body:
    """Return the flat object for a canonical one; unknown fields stay where they are."""
    rest: Body = {name: _loosened(name, value) for name, value in body.items()}
    flat: Body = {}
    for name, place in places.items():
        holder = _holder(rest, place.path)
        if holder is not None and place.path[-1] in holder:
            flat[name] = place.to_beta(holder.pop(place.path[-1]))
    _prune(rest)
    return {**rest, **flat}


def _loosened(name: str, value: Json) -> Json:
    """Return the value, copied as deep as fields are put into it and taken out of it."""
    if name != _CONTAINER or not isinstance(value, dict):
        return value
    return {key: dict(member) if isinstance(member, dict) else member for key, member in value.items()}


def _put(body: Body, path: tuple[str, ...], value: Json) -> None:
    *parents, name = path
    for parent in parents:
        if not isinstance(body.get(parent), dict):
            body[parent] = {}
        body = body[parent]
    body[name] = value


def _holder(body: Body, path: tuple[str, ...]) -> Body | None:
    for parent in path[:-1]:
        child = body.get(parent)
        if not isinstance(child, dict):
            return None
        body = child
    return body


def _prune(body: Body) -> None:
    """Drop what holds nothing any more; null means absent."""
    audio = body.get(_CONTAINER)
    if isinstance(audio, dict):
        kept = {key: member for key, member in audio.items() if not (key in ("input", "output") and not member)}
        body[_CONTAINER] = kept
    if not body.get(_CONTAINER, True):
        del body[_CONTAINER]
