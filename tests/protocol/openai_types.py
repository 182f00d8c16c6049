"""The published client types as strict judges of what we send."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

_SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
_CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


def check_server_event(payload: bytes) -> BaseModel:
    """Return the event as the openai package reads it, in strict mode; raises pydantic.ValidationError."""
    event = _SERVER_EVENT.validate_json(payload, strict=True)
    assert isinstance(event, BaseModel)
    return event


def check_client_event(payload: bytes) -> BaseModel:
    """Return the client event as the openai package reads it, in strict mode; raises pydantic.ValidationError."""
    event = _CLIENT_EVENT.validate_json(payload, strict=True)
    assert isinstance(event, BaseModel)
    return event


def extra_keys(model: object, path: str = "") -> Iterator[str]:
    """Yield the dotted paths of keys that the openai types do not know."""
    if isinstance(model, list):
        for member in model:
            yield from extra_keys(member, path)
    if not isinstance(model, BaseModel):
        return
    yield from (f"{path}{key}" for key in model.model_extra or {})
    for name in type(model).model_fields:
        yield from extra_keys(getattr(model, name), f"{path}{name}.")


def server_event_types() -> set[str]:
    """Return the `type` of every server event of the openai package."""
    return {type_ for model in _members(RealtimeServerEvent) for type_ in _wire_names(model)}


def client_event_types() -> set[str]:
    """Return the `type` of every client event of the openai package."""
    return {type_ for model in _members(RealtimeClientEvent) for type_ in _wire_names(model)}


# Any: annotations have no common type.
def _members(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    arguments = get_args(annotation)
    for argument in arguments[:1] if get_origin(annotation) is Annotated else arguments:
        yield from _members(argument)


def _wire_names(model: type[BaseModel]) -> tuple[str, ...]:
    names: tuple[str, ...] = get_args(model.model_fields["type"].annotation)
    return names
