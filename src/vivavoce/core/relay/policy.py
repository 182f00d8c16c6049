"""What a client of the relay may ask: locked parts of the session, and what only this server understands.

Fields are looked at as JSON. Those that nobody here knows are the upstream's to judge.
"""

from collections.abc import Collection
from typing import Any, Final

from vivavoce.core.relay.vocabulary import Body
from vivavoce.protocol.errors import invalid_content, invalid_type, unknown_parameter
from vivavoce.protocol.extensions import ExtensionPatch
from vivavoce.protocol.locks import LOCKABLE, is_locked, parameter_locked
from vivavoce.protocol.misspellings import suggested
from vivavoce.protocol.rejections import type_name

_MISSING: Final = object()
_HOLDERS: Final = ("audio", "audio.input", "audio.output")  # lockable as a whole; their parts are lockable too


def refuse_locked_session(locked: Collection[str], current: Body, patch: Body) -> None:
    """Refuse an update that changes what is locked; repeating a value is no change.

    Raises:
        ClientError: `parameter_locked`.
    """
    for path in LOCKABLE:
        given = _at(patch, path)
        if given is _MISSING or not is_locked(locked, path):
            continue
        if path in _HOLDERS:
            _refuse_unknown_parts(path, given)
        elif given != _at(current, path):
            raise parameter_locked(f"session.{path}")


def refuse_locked_response(locked: Collection[str], current: Body, params: Body) -> None:
    """Refuse a response that sets what is locked in the session.

    Raises:
        ClientError: `parameter_locked`.
    """
    for path in LOCKABLE:
        given = _at(params, path)
        if given is _MISSING or given is None or path in _HOLDERS or not is_locked(locked, path):
            continue
        if given != _at(current, path):
            raise parameter_locked(f"response.{path}")
    items = params.get("input")
    for index, item in enumerate(items if isinstance(items, list) else ()):
        refuse_locked_item(locked, item, f"response.input[{index}]")


def refuse_locked_item(locked: Collection[str], item: Any, param: str) -> None:  # JSON boundary
    """Refuse a message that speaks with the voice of the instructions, where these are locked.

    Raises:
        ClientError: `parameter_locked`.
    """
    role = item.get("role") if isinstance(item, dict) else None
    if role not in (None, "user", "assistant") and is_locked(locked, "instructions"):
        raise parameter_locked(f"{param}.role")


def take_extension(session: Body, upstream: Body) -> tuple[bool | None, Body]:
    """Return what an update says about showing cost, and the session without what only this server understands.

    The rest of `session.vivavoce` is for an upstream that is a server like this one, which its session shows.

    Raises:
        ClientError: it has what no session, or no session of this upstream, understands.
    """
    given = session.get("vivavoce")
    others = {name: value for name, value in session.items() if name != "vivavoce"}
    if given is None:
        return None, others
    if not isinstance(given, dict):
        raise invalid_type("session.vivavoce", "an object", type_name(given))
    if given.get("locked"):
        raise parameter_locked("session.vivavoce.locked")
    cost = given.get("cost")
    if cost is not None and not isinstance(cost, bool):
        raise invalid_type("session.vivavoce.cost", "a boolean", type_name(cost))
    rest = {name: value for name, value in given.items() if name not in ("cost", "locked")}
    for name in rest:
        if name not in ExtensionPatch.__struct_fields__:
            raise suggested(unknown_parameter(f"session.vivavoce.{name}"), ExtensionPatch.__struct_fields__)
        if rest[name] and "vivavoce" not in upstream:
            raise invalid_content(f"session.vivavoce.{name}", "it is not available in a relayed session")
    return cost, {**others, "vivavoce": rest} if rest and "vivavoce" in upstream else others


def refuse_functions(names: Collection[str], tools: Any, param: str) -> None:  # JSON boundary
    """Refuse functions of the client that would take the place of the server's.

    Raises:
        ClientError: `invalid_value`, naming the first.
    """
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        if is_named(tool, names):
            raise invalid_content(f"{param}[{index}].name", f"the server has a function '{tool['name']}' of its own")


def is_named(body: Any, names: Collection[str]) -> bool:  # JSON boundary
    """Tell whether an object has one of these names."""
    name = body.get("name") if isinstance(body, dict) else None
    return isinstance(name, str) and name in names


def _at(body: Body, path: str) -> Any:  # JSON boundary
    value: Any = body
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _refuse_unknown_parts(path: str, given: Any) -> None:  # JSON boundary
    parts = given if isinstance(given, dict) else {"": given}
    for name in parts:
        if f"{path}.{name}" not in LOCKABLE:
            raise parameter_locked(f"session.{path}.{name}".rstrip("."))
