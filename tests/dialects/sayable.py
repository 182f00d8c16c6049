"""What of an event both dialects can say."""

import copy
from typing import Any

Json = Any  # JSON boundary


def sayable(event: Json) -> Json:
    """The event without what only ours can say, and in the one way in which the beta can say the rest."""
    event = copy.deepcopy(event)
    for root in ("session", "response"):
        body = event.get(root)
        if isinstance(body, dict):
            _unify(body)
    for item in items_of(event):
        if item.get("object") == "realtime.item":
            del item["object"]
    return event


def _unify(body: Json) -> None:
    for name in ("parallel_tool_calls", "reasoning", "temperature"):
        body.pop(name, None)
    if body.get("output_modalities"):
        body["output_modalities"] = ["audio"] if body["output_modalities"][0] == "audio" else ["text"]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "mcp":
        body["tool_choice"] = "auto"
    _unify_audio(body)


def _unify_audio(body: Json) -> None:
    audio = body.get("audio")
    for side in ("input", "output") if isinstance(audio, dict) else ():
        fields = audio.get(side)
        if isinstance(fields, dict):
            _unify_format(fields)
            if isinstance(fields.get("voice"), dict):
                fields["voice"] = fields["voice"]["id"]
        if not fields:
            audio.pop(side, None)
    if not audio:
        body.pop("audio", None)


def _unify_format(fields: Json) -> None:
    names = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
    if isinstance(fields.get("format"), str):
        fields["format"] = {"type": names[fields["format"]]}
    if isinstance(fields.get("format"), dict) and fields["format"]["type"] == "audio/pcm":
        fields["format"]["rate"] = 24000


def items_of(event: Json) -> list[Json]:
    response = event.get("response") or {}
    items = [event.get("item"), *(response.get("output") or ()), *(response.get("input") or ())]
    return [item for item in items if isinstance(item, dict)]
