"""Calls functions of users: each within its time, sync ones in threads, whatever they raise."""

import asyncio
import contextvars
import inspect
import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_json

from vivavoce.core.requests import FunctionSpec
from vivavoce.engines.tools.functions import ServerTool, ToolError
from vivavoce.engines.tools.parameters import WrongArguments

MAX_THREADS: Final = 32  # in which functions run at a time; a call beyond waits, within its time
MAX_OUTPUT_BYTES: Final = 256 * 1024  # of UTF-8

_log = logging.getLogger(__name__)


class FunctionBox:
    """The registered functions, shared by all sessions."""

    def __init__(self, tools: Sequence[ServerTool], timeout_s: float) -> None:
        self._tools = {tool.spec.name: tool for tool in tools}
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(MAX_THREADS)

    @property
    def functions(self) -> Sequence[FunctionSpec]:
        return tuple(tool.spec for tool in self._tools.values())

    async def call(self, name: str, arguments: str) -> str:
        """Call a function with JSON text and return its output as text.

        Cancelling ends the wait at once; a sync function goes on in its thread, and nobody hears what it returns.

        Raises:
            ToolError: it failed or took too long; the text is for the model.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise ToolError(f"There is no function '{name[:64]}'.")
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                values = tool.parameters.read(arguments)
                return _text(tool, await self._run(tool, values))
        except WrongArguments as error:
            raise ToolError(str(error)) from error
        except ToolError as error:
            raise ToolError(str(error) or f"The function '{name}' failed.") from error
        except TimeoutError as error:
            if not limit.expired():
                raise _failed(tool, error) from error
            _log.warning("function took too long", extra={"function": name, "timeout_s": self._timeout_s})
            raise ToolError(f"The function '{name}' did not return within {self._timeout_s:g} s.") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise _failed(tool, error) from error  # of the function's own making
        except (Exception, SystemExit) as error:  # whatever a user's function raises is no fault of the session
            raise _failed(tool, error) from error

    async def _run(self, tool: ServerTool, values: dict[str, Any]) -> Any:  # Any: what a user's function returns
        if tool.is_async:
            return await tool.function(**values)
        await self._free.acquire()
        result = await _in_thread(lambda: tool.function(**values), self._free.release, f"function {tool.spec.name}")
        return await result if inspect.isawaitable(result) else result


async def _in_thread(work: Callable[[], Any], done: Callable[[], None], name: str) -> Any:  # Any: as above
    """Return what `work` returns in a thread of its own; `done` is called on the loop when the thread has ended.

    The thread is a daemon: a function that never returns does not keep the server from ending.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        done()
        if result.done():
            return
        if error is None:
            result.set_result(value)
        else:
            result.set_exception(error)

    def run() -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = context.run(work)
        except StopIteration as stopped:  # a future does not take it
            error = RuntimeError(type(stopped).__name__)
        except BaseException as raised:  # handed to who waits
            error = raised
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:  # the loop has ended meanwhile
            return

    threading.Thread(target=run, name=name, daemon=True).start()
    return await result


def _text(tool: ServerTool, value: Any) -> str:  # Any: what a user's function returned
    """Return an output as the model reads it: text as it is, anything else as JSON."""
    if isinstance(value, str):
        encoded = value.encode("utf-8", "replace")
    else:
        try:
            encoded = to_json(value)
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            raise _failed(tool, error) from error
    if len(encoded) > MAX_OUTPUT_BYTES:
        taken = f"at most {MAX_OUTPUT_BYTES} are taken"
        raise ToolError(f"The function '{tool.spec.name}' returned {len(encoded)} bytes, {taken}.")
    return encoded.decode("utf-8").replace("\0", "\ufffd")


def _failed(tool: ServerTool, error: BaseException) -> ToolError:
    """Log what went wrong without what was said, and return it for the model.

    The text of an exception may hold the arguments; its kind and its place do not.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    fields = {"function": tool.spec.name, "error": type(error).__name__, "place": place}
    _log.warning("function failed", extra=fields)
    return ToolError(f"The function '{tool.spec.name}' failed ({type(error).__name__}).")
