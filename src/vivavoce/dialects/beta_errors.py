"""Paths and texts of errors, as clients of the beta and as clients of today know the fields.

A session says `session.audio.input.turn_detection` where a beta client wrote `session.turn_detection`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from vivavoce.dialects.beta_fields import RESPONSE_PLACES, SESSION_PLACES, Body, Json, Place
from vivavoce.protocol.errors import ClientError

_QUOTED: Final = re.compile(r"'((?:session|response)\.[\w.\[\]]*)'")
_PART_NAME: Final = re.compile(r"'output_(text|audio)'")
_HINT: Final = "Did you mean '"
_SUPPORTED: Final = "Supported "  # after it come names of the API, before it what the client sent


def _renamed_paths(root: str, places: Mapping[str, Place]) -> dict[str, str]:
    canonical = {f"{root}.{name}": ".".join((root, *place.path)) for name, place in places.items()}
    return {flat: path for flat, path in canonical.items() if flat != path}


_GA_PATHS: Final = _renamed_paths("session", SESSION_PLACES) | _renamed_paths("response", RESPONSE_PLACES)
_BETA_PATHS: Final = {path: flat for flat, path in _GA_PATHS.items()}


def beta_path(path: str) -> str:
    """Return the beta's name for a dotted path of ours: `session.voice` for `session.audio.output.voice`."""
    return _renamed(path, _BETA_PATHS)


def ga_path(path: str) -> str:
    """Return our name for a dotted path of the beta."""
    return _renamed(path, _GA_PATHS)


def error_to_beta(error: Json) -> Json:
    """Return the `error` object of an event as a beta client understands it."""
    if not isinstance(error, dict):
        return error
    param, message = error.get("param"), error.get("message")
    if error.get("code") == "unknown_parameter" and param in _BETA_PATHS:
        return error  # ours has this field, so the beta client itself wrote that name, and it must stay as it is
    changed = dict(error)
    if isinstance(param, str):
        changed["param"] = beta_path(param)
    if isinstance(message, str):
        changed["message"] = _with_beta_values(_with_paths(message, beta_path), param)
    return changed


def error_to_ga(error: Json) -> Json:
    """Return the `error` object of a beta upstream with the paths that the client knows."""
    if not isinstance(error, dict):
        return error
    changed: Body = dict(error)
    if isinstance(error.get("param"), str):
        changed["param"] = ga_path(error["param"])
    if isinstance(error.get("message"), str):
        changed["message"] = _with_paths(error["message"], ga_path)
    return changed


def beta_fault(error: ClientError, prefix: str = "session.") -> ClientError:
    """Return the error as a beta client understands it: paths are those of the flat object.

    Args:
        prefix: what a path in the session begins with; empty where the body is the session object itself.
    """

    def renamed(path: str) -> str:
        flat = beta_path(path)
        return prefix + flat.removeprefix("session.") if flat.startswith("session.") else path

    detail = error.detail
    param = None if detail.param is None else renamed(detail.param)
    return ClientError(detail.code, _with_paths(detail.message, renamed), param, detail.event_id, detail.type)


def below(error: ClientError, root: str) -> ClientError:
    """Return the error of an object's field as one of `root.FIELD`."""
    detail = error.detail
    if detail.param is None:
        return error
    path = f"{root}.{detail.param}"
    message = detail.message.replace(f"'{detail.param}'", f"'{path}'", 1).replace(_HINT, f"{_HINT}{root}.")
    return ClientError(detail.code, message, path, detail.event_id, detail.type)


def _renamed(path: str, names: Mapping[str, str]) -> str:
    """Return the path with its beginning renamed, whole fields only."""
    end = len(path)
    while end > 0:
        if path[:end] in names:
            return names[path[:end]] + path[end:]
        end = max(path.rfind(".", 0, end), path.rfind("[", 0, end))
    return path


def _with_paths(message: str, rename: Callable[[str], str]) -> str:
    return _QUOTED.sub(lambda match: f"'{rename(match[1])}'", message)


def _with_beta_values(message: str, param: Json) -> str:
    before, mark, after = message.partition(_SUPPORTED)
    if not mark or not isinstance(param, str):
        return message
    if param.endswith("modalities"):
        return before + mark + after.replace("['audio']", "['audio', 'text']")
    if param.endswith(".type") and ".content[" in param:
        return before + mark + _PART_NAME.sub(r"'\1'", after)
    return message
