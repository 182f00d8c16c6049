"""The stock types of the beta API: `python validate.py EVENTS.json` prints what they say of each event.

The file holds a list of `[direction, event]`, direction being `client` or `server`. Printed is a list as long: null
for an event that its type takes, else the complaints; an event whose type is not among the stock ones is `unknown`.
"""

import json
import sys
from pathlib import Path
from typing import get_args

from openai.types.beta.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import ValidationError


def models_of(union: object) -> dict:
    """Return the models of a union by the `type` of their events."""
    members = get_args(get_args(union)[0])
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in members}


MODELS = {"client": models_of(RealtimeClientEvent), "server": models_of(RealtimeServerEvent)}


def verdict(direction: str, event: dict) -> str | None:
    model = MODELS[direction].get(event["type"])
    if model is None:
        return "unknown"
    try:
        model.model_validate(event, strict=True)
    except ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return None


events = json.loads(Path(sys.argv[1]).read_text())
print(json.dumps([verdict(direction, event) for direction, event in events]))
