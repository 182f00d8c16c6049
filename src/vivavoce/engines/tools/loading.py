"""Finds the registered functions of modules that the configuration names."""

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from vivavoce.engines.tools.functions import MARK, ServerTool
from vivavoce.protocol.tools import MAX_TOOLS

SUFFIX: Final = ".py"  # names with it are files


class ToolsUnusable(Exception):
    """A module cannot be imported or registers nothing usable; the message names it."""


def load_tools(modules: Iterable[str]) -> Sequence[ServerTool]:
    """Import modules, by name or as files ending in `.py`, and return what they register, in the order written.

    Functions that a module has imported from another count as its own; the same one twice is one.

    Raises:
        ToolsUnusable: a module cannot be imported or registers nothing, or a name is registered twice.
    """
    tools: dict[str, ServerTool] = {}
    for module in dict.fromkeys(modules):
        found = _registered(_imported(module))
        if not found:
            raise ToolsUnusable(f"the module {module!r} registers no function with server_tool")
        for tool in found:
            known = tools.setdefault(tool.spec.name, tool)
            if known is not tool:
                raise ToolsUnusable(f"the module {module!r} registers {tool.spec.name!r}, which is registered already")
    if len(tools) > MAX_TOOLS:
        raise ToolsUnusable(f"expected at most {MAX_TOOLS} functions, got {len(tools)}")
    return tuple(tools.values())


def _registered(module: ModuleType) -> list[ServerTool]:
    marked = (getattr(value, MARK, None) for value in vars(module).values())
    return [tool for tool in marked if isinstance(tool, ServerTool)]


def _imported(name: str) -> ModuleType:
    try:
        return _from_file(Path(name).expanduser()) if name.endswith(SUFFIX) else importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a module of a user's may do anything when it is imported
        raise ToolsUnusable(f"the module {name!r} cannot be imported: {type(error).__name__}: {error}") from error


def _from_file(path: Path) -> ModuleType:
    """Return the module of a file; it is known by a name of its own, so that it hides no other."""
    name = f"vivavoce_tools_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a file that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as imports do: annotations and dataclasses look there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
