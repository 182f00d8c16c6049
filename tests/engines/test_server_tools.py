"""Functions that users register: what the model is told of them, what they are called with, and what may go wrong."""

import asyncio
import contextvars
import enum
import logging
import sys
import textwrap
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from vivavoce.config.load import ConfigurationError, load
from vivavoce.engines.tools import ServerTool, ToolError, server_tool
from vivavoce.engines.tools.box import MAX_OUTPUT_BYTES, FunctionBox
from vivavoce.engines.tools.functions import MARK
from vivavoce.engines.tools.loading import ToolsUnusable, load_tools
from vivavoce.wiring.tools import build_tools

Json = dict[str, Any]  # JSON boundary: schemas


def tool_of(function: Callable[..., Any]) -> ServerTool:
    tool: ServerTool = getattr(function, MARK)
    return tool


def called(function: Callable[..., Any], arguments: str = "{}", timeout_s: float = 10.0) -> str:
    """Register a function if need be, and call it as the model would."""
    registered = function if hasattr(function, MARK) else server_tool(description="For a test.")(function)
    tool = tool_of(registered)
    return asyncio.run(FunctionBox([tool], timeout_s).call(tool.spec.name, arguments))


def failure(function: Callable[..., Any], arguments: str = "{}", timeout_s: float = 10.0) -> str:
    with pytest.raises(ToolError) as failed:
        called(function, arguments, timeout_s)
    return str(failed.value)


def returning(value: object) -> Callable[[], object]:
    def give() -> object:
        return value

    return give


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Guest(BaseModel):
    name: str
    age: int = 18


@server_tool
def book_table(
    day: date,
    guests: Annotated[int, Field(ge=1, le=12, description="How many people.")],
    area: Literal["inside", "garden"] = "inside",
    title: str | None = None,
) -> str:
    """Book a table.

    At least a day ahead.

    Args:
        day: of the visit,
            in this year.
        area: where to sit.

    Returns:
        the number of the table.
    """
    return f"{day:%d.%m.} {guests} {area} {title}"


# What the model is told -----------------------------------------------------------------------------------------


def test_the_signature_and_the_docstring_make_the_function_that_the_model_sees() -> None:
    spec = tool_of(book_table).spec

    assert (spec.name, spec.description) == ("book_table", "Book a table.\n\nAt least a day ahead.")
    assert spec.parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": ["day", "guests"],
        "properties": {
            "day": {"type": "string", "format": "date", "description": "of the visit, in this year."},
            "guests": {"type": "integer", "minimum": 1, "maximum": 12, "description": "How many people."},
            "area": {
                "type": "string",
                "enum": ["inside", "garden"],
                "default": "inside",
                "description": "where to sit.",
            },
            "title": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
    }


def test_the_function_itself_stays_what_it_was() -> None:
    assert book_table(date(2026, 12, 1), 2) == "01.12. 2 inside None"


def test_name_description_and_parameters_can_be_given() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}

    @server_tool(name="do-it", description="Do it.", parameters=schema)
    def helper(**given: Any) -> Any:
        return given

    spec = tool_of(helper).spec
    assert (spec.name, spec.description, spec.parameters) == ("do-it", "Do it.", schema)


def _undocumented() -> None: ...


def _starred(*values: int) -> None:
    """Take values."""


def _unreadable(value: "Nowhere") -> None:  # type: ignore[name-defined] # noqa: F821 - what is tested
    """Take a value."""


def _not_json(value: threading.Lock) -> None:
    """Take a value."""


@pytest.mark.parametrize(
    ("register", "told"),
    [
        (lambda: server_tool(_undocumented), "'_undocumented': expected a docstring or a description"),
        (lambda: server_tool(_starred), "'_starred': parameters need a name and a value of their own, got '*values"),
        (lambda: server_tool(_unreadable), "'_unreadable': an annotation cannot be read: name 'Nowhere'"),
        (lambda: server_tool(_not_json), "'_not_json': its types cannot be JSON"),
        (lambda: server_tool(name="no space")(_starred), "expected a name of 1 to 64 letters, digits, '_' and '-'"),
        (lambda: server_tool(len), "expected a function, got <built-in function len>"),
        (lambda: server_tool(parameters={"type": "array"})(_starred), "a JSON Schema with the type 'object'"),
        (lambda: server_tool(parameters={"type": "object", "required": 3})(_starred), "not a JSON Schema"),
    ],
)
def test_what_cannot_be_registered_is_refused_where_it_stands(register: Callable[[], object], told: str) -> None:
    with pytest.raises(TypeError) as refused:
        register()

    assert str(refused.value).startswith("server_tool")
    assert told in str(refused.value)


# What it is called with -----------------------------------------------------------------------------------------


def test_arguments_come_in_the_types_of_the_signature() -> None:
    def take(day: date, size: Size, guest: Guest, copy: bool = True) -> list[str]:
        return [type(value).__name__ for value in (day, size, guest, copy)]

    returned = called(take, '{"day": "2026-12-01", "size": "small", "guest": {"name": "Ada"}}')

    assert returned == '["date","Size","Guest","bool"]'


def test_with_a_schema_of_its_own_a_function_gets_what_the_json_has() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}

    @server_tool(description="For a test.", parameters=schema)
    def take(**given: object) -> object:
        return given

    assert called(take, '{"day": "2026-12-01", "more": [1]}') == '{"day":"2026-12-01","more":[1]}'
    assert failure(take, "{}") == "The arguments do not fit: 'day' is a required property."
    assert failure(take, '{"day": 3}') == "The arguments do not fit: day: 3 is not of type 'string'."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{"day": "2026-12-01", "guests": 0}', "guests: Input should be greater than or equal to 1"),
        ('{"day": "soon", "guests": 2}', "day: Input should be a valid date"),
        ('{"guests": 2}', "day: Field required"),
        ('{"day": "2026-12-01", "guests": 2, "roof": true}', "roof: Extra inputs are not permitted"),
        ('{"day": "2026-12-01", "guests": 2, "p0": "2026-12-02"}', "p0: Extra inputs are not permitted"),
        ("[]", "The arguments must be a JSON object, not an array."),
        ("null", "The arguments must be a JSON object, not null."),
        ("{", "The arguments are not valid JSON."),
        ("[" * 100_000, "The arguments are not valid JSON."),
    ],
)
def test_arguments_that_do_not_fit_are_told_to_the_model(arguments: str, told: str) -> None:
    assert told in failure(book_table, arguments)


def test_many_faults_are_told_in_few_words() -> None:
    arguments = {f"x{index}": "y" * 1_000 for index in range(100)}

    told = failure(book_table, str(arguments).replace("'", '"'))

    assert len(told) < 3_000


def test_no_arguments_may_be_no_text() -> None:
    assert called(returning("yes"), "") == "yes"


# What it returns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain\0text \ud800", "plain\ufffdtext ?"),
        (None, "null"),
        (3.5, "3.5"),
        ({"day": date(2026, 12, 1), "size": Size.SMALL}, '{"day":"2026-12-01","size":"small"}'),
        ([Guest(name="Ada")], '[{"name":"Ada","age":18}]'),
    ],
)
def test_what_is_returned_becomes_text(value: object, text: str) -> None:
    assert called(returning(value)) == text


def test_what_is_no_json_is_a_failure() -> None:
    assert failure(returning(object())) == "The function 'give' failed (PydanticSerializationError)."


def test_a_long_output_is_refused() -> None:
    def long() -> str:
        return "ä" * (MAX_OUTPUT_BYTES // 2 + 1)

    assert (
        failure(long)
        == f"The function 'long' returned {MAX_OUTPUT_BYTES + 2} bytes, at most {MAX_OUTPUT_BYTES} are taken."
    )


# What may go wrong ----------------------------------------------------------------------------------------------


def test_a_function_tells_the_model_in_its_own_words() -> None:
    def refuse() -> None:
        raise ToolError("There is no table left.")

    assert failure(refuse) == "There is no table left."


@pytest.mark.parametrize("error", [ValueError, SystemExit, StopIteration, TimeoutError, asyncio.CancelledError])
@pytest.mark.parametrize("is_async", [False, True])
def test_what_a_function_raises_is_told_without_what_was_said(
    error: type[BaseException], is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def sync(word: str) -> None:
        raise error(word)

    async def asynchronous(word: str) -> None:
        raise error(word)

    with caplog.at_level(logging.DEBUG):
        told = failure(asynchronous if is_async else sync, '{"word": "secret-word"}')

    assert told.startswith(f"The function '{'asynchronous' if is_async else 'sync'}' failed (")
    assert "secret-word" not in told
    assert "secret-word" not in str([vars(record) for record in caplog.records])
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "function failed"
    ]


def test_a_function_has_its_time() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    assert failure(wait, timeout_s=0.01) == "The function 'wait' did not return within 0.01 s."


def test_a_thread_that_does_not_return_is_left_behind() -> None:
    released = threading.Event()

    def wait() -> bool:
        return released.wait(60)

    assert failure(wait, timeout_s=0.01) == "The function 'wait' did not return within 0.01 s."
    released.set()


def test_an_unknown_function_is_named() -> None:
    box = FunctionBox([tool_of(book_table)], 1.0)

    with pytest.raises(ToolError, match="There is no function 'cancel_table'"):
        asyncio.run(box.call("cancel_table", "{}"))


def test_cancelling_ends_the_wait_at_once() -> None:
    released, began = threading.Event(), threading.Event()

    def wait() -> bool:
        began.set()
        return released.wait(60)

    tool = tool_of(server_tool(description="For a test.")(wait))

    async def scenario() -> bool:
        async with asyncio.TaskGroup() as group:
            calling = group.create_task(FunctionBox([tool], 60.0).call("wait", ""))
            await asyncio.to_thread(began.wait)
            calling.cancel()
        return calling.cancelled()

    assert asyncio.run(scenario())
    released.set()


def test_sync_functions_run_beside_the_loop_and_each_other_with_the_context_of_the_caller() -> None:
    together = threading.Barrier(3, timeout=30)  # two functions and the loop's own thread
    variable = contextvars.ContextVar("variable", default="none")

    def meet() -> str:
        together.wait()
        return variable.get()

    tool = tool_of(server_tool(description="For a test.")(meet))

    async def scenario() -> list[str]:
        box = FunctionBox([tool], 30.0)
        variable.set("mine")
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(box.call("meet", "")) for _ in range(2)]
            await asyncio.to_thread(together.wait)
        return [call.result() for call in calls]

    assert asyncio.run(scenario()) == ["mine", "mine"]


# Finding them ---------------------------------------------------------------------------------------------------

MODULE = '''
from vivavoce.engines.tools import server_tool

@server_tool
def {name}() -> str:
    """Say hello."""
    return "hello"
'''


def module(folder: Path, text: str = MODULE.format(name="hello"), name: str = "kitchen") -> str:
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(text))
    return str(path)


def test_a_file_and_a_module_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(tmp_path, MODULE.format(name="wave"), "vivavoce_test_tools")
    monkeypatch.syspath_prepend(tmp_path)

    tools = load_tools([module(tmp_path), "vivavoce_test_tools"])

    sys.modules.pop("vivavoce_test_tools")
    assert [tool.spec.name for tool in tools] == ["hello", "wave"]
    assert asyncio.run(FunctionBox(tools, 1.0).call("wave", "")) == "hello"


def test_a_function_that_two_modules_have_is_one(tmp_path: Path) -> None:
    path = module(tmp_path)
    (first,) = load_tools([path])
    again = module(tmp_path, "from vivavoce_tools_kitchen import hello\n", "again")

    assert [tool.spec.name for tool in load_tools([again, again])] == ["hello"]
    assert first.spec.name == "hello"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\n", "registers no function with server_tool"),
        ("import nowhere_to_be_found\n", "cannot be imported: ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "cannot be imported: SystemExit"),
        ("def broken(:\n", "cannot be imported: SyntaxError"),
        (MODULE.format(name="hello").replace('"""Say hello."""', "pass"), "cannot be imported: TypeError: server_tool"),
    ],
)
def test_a_module_that_is_of_no_use_stops_the_start(tmp_path: Path, text: str, told: str) -> None:
    path = module(tmp_path, text)

    with pytest.raises(ToolsUnusable) as refused:
        load_tools([path])

    assert repr(path) in str(refused.value)
    assert told in str(refused.value)


def test_a_name_is_registered_once(tmp_path: Path) -> None:
    paths = [module(tmp_path, name=name) for name in ("one", "two")]

    with pytest.raises(ToolsUnusable, match="registers 'hello', which is registered already"):
        load_tools(paths)


def test_the_configuration_names_the_modules(tmp_path: Path) -> None:
    def configured(*modules: str) -> FunctionBox | None:
        return build_tools(load(flags={"tools.modules": modules}, environment={}).configuration)

    box = configured(module(tmp_path))

    assert box is not None
    assert [spec.name for spec in box.functions] == ["hello"]
    assert configured() is None
    with pytest.raises(ConfigurationError, match=r"tools\.modules: the module 'nowhere' cannot be imported"):
        configured("nowhere")
