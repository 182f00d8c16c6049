"""Functions of the server: what users register with `server_tool`, and the box in which sessions find them."""

from vivavoce.engines.tools.functions import ServerTool, ToolError, server_tool

__all__ = ["ServerTool", "ToolError", "server_tool"]
