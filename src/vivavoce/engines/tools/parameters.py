"""What a function takes: its JSON Schema, and how the model's JSON text becomes arguments."""

import inspect
import json
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError

MAX_SCHEMA_LENGTH: Final = 65_536  # as JSON text
MAX_FAULTS: Final = 8  # that the model is told at once
MAX_FAULT_LENGTH: Final = 300
_ARGUMENT: Final = re.compile(r"^(?P<name>\w+)(\s*\([^)]*\))?:\s*(?P<text>.*)$")
_KINDS: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

Json = dict[str, Any]  # JSON boundary: schemas, and arguments of functions of users


class WrongArguments(Exception):
    """What the model wrote does not fit; the message is for it."""


class Parameters(msgspec.Struct, frozen=True):
    """`schema` is what the model sees; `check` returns the arguments by name or raises WrongArguments."""

    schema: Json
    check: Callable[[Json], Json]

    def read(self, arguments: str) -> Json:
        """Return the arguments that JSON text holds; no text is no arguments.

        Raises:
            WrongArguments: it is no JSON object, or not what the function takes.
        """
        try:
            values = msgspec.json.decode(arguments or "{}")
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise WrongArguments("The arguments are not valid JSON.") from None
        if not isinstance(values, dict):
            raise WrongArguments(f"The arguments must be a JSON object, not {_json_kind(values)}.")
        return self.check(values)


def signature_parameters(function: Callable[..., Any], place: str) -> Parameters:
    """Return what a function takes, by its annotations, defaults and docstring.

    Raises:
        TypeError: the signature has what JSON cannot give; `place` begins the message.
    """
    signature, hints = inspect.signature(function), _hints(function, place)
    notes = _argument_notes(inspect.getdoc(function) or "")
    fields: Json = {}
    for index, parameter in enumerate(signature.parameters.values()):
        if parameter.kind not in _KINDS:
            raise TypeError(f"{place}: parameters need a name and a value of their own, got {str(parameter)!r}.")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        note: Json = {"description": notes[parameter.name]} if parameter.name in notes else {}
        field = Field(default, alias=parameter.name, **note)
        fields[f"p{index}"] = (hints.get(parameter.name, Any), field)
    names = {f"p{index}": name for index, name in enumerate(signature.parameters)}
    try:
        config = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
        model: type[BaseModel] = create_model("Arguments", __config__=config, **fields)
        schema = _plain(model.model_json_schema(by_alias=True))
    except (PydanticUserError, TypeError, ValueError) as error:
        raise TypeError(f"{place}: its types cannot be JSON: {str(error).splitlines()[0]}") from error
    return Parameters(_bounded(schema, place), lambda values: _converted(model, names, values))


def given_parameters(schema: Json, place: str) -> Parameters:
    """Return what a JSON Schema tells, checked against it.

    Raises:
        TypeError: it is no JSON Schema of an object; `place` begins the message.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if schema.get("type") != "object":
        raise TypeError(f"{place}: expected a JSON Schema with the type 'object', got {schema!r:.200}.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise TypeError(f"{place}: not a JSON Schema: {error.message:.200}.") from error
    validator = Draft202012Validator(schema)

    def check(values: Json) -> Json:
        faults = (f"{_path(fault.absolute_path)}{fault.message}" for fault in validator.iter_errors(values))
        _refuse(faults)
        return values

    return Parameters(_bounded(schema, place), check)


def _hints(function: Callable[..., Any], place: str) -> Json:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise TypeError(f"{place}: an annotation cannot be read: {error}.") from error


def _converted(model: type[BaseModel], names: dict[str, str], values: Json) -> Json:
    try:
        made = model.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        _refuse(f"{_path(fault['loc'])}{fault['msg']}" for fault in faults)
        raise AssertionError("a validation error names a fault") from error
    return {name: getattr(made, field) for field, name in names.items()}


def _refuse(faults: Iterator[str]) -> None:
    """Raise WrongArguments if there is a fault."""
    told = [fault[:MAX_FAULT_LENGTH] for _, fault in zip(range(MAX_FAULTS), faults, strict=False)]
    if told:
        raise WrongArguments(f"The arguments do not fit: {'; '.join(told)}.")


def _path(steps: typing.Iterable[object]) -> str:
    text = ".".join(str(step) for step in steps)
    return f"{text}: " if text else ""


def _bounded(schema: Json, place: str) -> Json:
    try:
        length = len(json.dumps(schema, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{place}: its parameters are not JSON: {error}.") from error
    if length > MAX_SCHEMA_LENGTH:
        raise TypeError(f"{place}: expected parameters of at most {MAX_SCHEMA_LENGTH} characters, got {length}.")
    return schema


def _plain(schema: Json) -> Json:
    """Return a schema of pydantic's without the titles it makes up; parameters may be called "title"."""
    plain: Json = {key: value for key, value in schema.items() if key != "title"}
    for key in ("properties", "$defs"):
        if key in plain:
            plain[key] = {name: _plain(inner) for name, inner in plain[key].items()}
    return plain


def _argument_notes(docstring: str) -> dict[str, str]:
    """Return what the section `Args:` of a docstring says of each argument."""
    _, _, section = docstring.partition("Args:\n")
    notes: dict[str, str] = {}
    current, indent = "", None
    for line in section.splitlines():
        depth = len(line) - len(line.lstrip())
        if not line.strip() or depth == 0:
            break
        indent = depth if indent is None else indent
        found = _ARGUMENT.match(line.strip()) if depth == indent else None
        if found is not None:
            current = found["name"]
            notes[current] = found["text"].strip()
        elif current:
            notes[current] = f"{notes[current]} {line.strip()}".strip()
    return notes


def _json_kind(value: object) -> str:
    kinds = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
