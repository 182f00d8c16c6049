"""Builds what sessions find the server's own functions in."""

from vivavoce.config.load import ConfigurationError
from vivavoce.config.model import Configuration
from vivavoce.engines.tools.box import FunctionBox
from vivavoce.engines.tools.loading import ToolsUnusable, load_tools


def build_tools(configuration: Configuration) -> FunctionBox | None:
    """Return the functions that `tools.modules` register, None without any module.

    Raises:
        ConfigurationError: a module cannot be imported or registers nothing usable.
    """
    modules = configuration.tools.modules
    if not modules:
        return None
    try:
        return FunctionBox(load_tools(modules), configuration.tools.timeout_s)
    except ToolsUnusable as error:
        raise ConfigurationError(f"tools.modules: {error}.") from error
