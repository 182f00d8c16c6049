"""Functions that users register: their names, what they are for, and what they take.

    @server_tool
    def opening_hours(day: Weekday, branch: str = "main") -> str:
        '''Tell when a branch of the shop is open.

        Args:
            day: of the week.
            branch: its name, as on the web page.
        '''

The model reads the docstring and the types; what it calls the function with is checked against them.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

import msgspec

from vivavoce.core.requests import FunctionSpec
from vivavoce.engines.tools.parameters import Parameters, given_parameters, signature_parameters
from vivavoce.protocol.tools import TOOL_NAME_PATTERN

MARK: Final = "__vivavoce_tool__"  # the attribute of a registered function
MAX_DESCRIPTION_LENGTH: Final = 16_384
_NAME: Final = re.compile(TOOL_NAME_PATTERN)
_SECTION: Final = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?):\s*$", re.MULTILINE)

F = TypeVar("F", bound=Callable[..., Any])  # Any: functions of users take and return what they like
Json = dict[str, Any]  # JSON boundary: a schema


class ToolError(Exception):
    """A function of the server failed, in words for the model; functions of users may raise it themselves."""


class ServerTool(msgspec.Struct, frozen=True):
    """A registered function. `is_async` functions run on the event loop, others in a thread."""

    spec: FunctionSpec
    function: Callable[..., Any]
    parameters: Parameters
    is_async: bool


@overload
def server_tool(function: F) -> F: ...


@overload
def server_tool(
    *, name: str | None = None, description: str | None = None, parameters: Json | None = None
) -> Callable[[F], F]: ...


def server_tool(
    function: F | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Json | None = None,
) -> F | Callable[[F], F]:
    """Register a function that the model may call; it is returned as it was.

    Args:
        name: letters, digits, `_` and `-`, at most 64; the function's own by default.
        description: what it is for; the docstring by default.
        parameters: JSON Schema of the arguments; made from the signature by default. Without it arguments are converted
            to the types of the signature, with it they are what JSON has.

    Raises:
        TypeError: it cannot be registered; the message says why.
    """

    def register(given: F) -> F:
        setattr(given, MARK, _tool(given, name, description, parameters))
        return given

    return register if function is None else register(function)


def _tool(function: Callable[..., Any], name: str | None, description: str | None, schema: Json | None) -> ServerTool:
    if not inspect.isfunction(function):
        raise TypeError(f"server_tool: expected a function, got {function!r}.")
    named = function.__name__ if name is None else name
    if _NAME.match(named) is None:
        raise TypeError(f"server_tool: expected a name of 1 to 64 letters, digits, '_' and '-', got {named!r}.")
    place = f"server_tool {named!r}"
    text = (_first_part(inspect.getdoc(function) or "") if description is None else description).strip()
    if not 0 < len(text) <= MAX_DESCRIPTION_LENGTH:
        bounds = f"1 to {MAX_DESCRIPTION_LENGTH} characters"
        raise TypeError(f"{place}: expected a docstring or a description of {bounds}, got {len(text)}.")
    taken = signature_parameters(function, place) if schema is None else given_parameters(schema, place)
    spec = FunctionSpec(named, text, taken.schema)
    return ServerTool(spec, function, taken, inspect.iscoroutinefunction(function))


def _first_part(docstring: str) -> str:
    """Return a docstring up to its first section; the arguments' lines stand in the schema."""
    return _SECTION.split(docstring, maxsplit=1)[0]
