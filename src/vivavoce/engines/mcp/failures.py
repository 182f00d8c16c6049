"""Failures of remote MCP servers as the data that an item carries.

| what happened | error |
|---|---|
| the server answered with an HTTP error or a redirect that is not followed | `http_error` with its status |
| the address is not allowed | `http_error` 403 |
| no connection, or it broke | `http_error` 502 |
| no answer within the time | `http_error` 504 |
| a JSON-RPC error | `protocol_error` with its code |
| no JSON, or not what the protocol says | `protocol_error` -32700 or -32603 |
| arguments that are no JSON object | `protocol_error` -32602 |
| the tool said that it failed | `tool_execution_error` |

502 to 504 are what a gateway would answer in this server's place (RFC 9110 section 15.6).
"""

import http
from typing import Final

from vivavoce.core.requests import McpServer
from vivavoce.protocol.items import McpError, McpHttpError, McpProtocolError, McpToolExecutionError

PARSE_ERROR: Final = -32700  # the JSON-RPC 2.0 specification, section 5.1
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
MAX_MESSAGE: Final = 500  # characters of a server's error message that are kept

_MIN_TOKEN: Final = 8  # shorter secrets are words that may stand anywhere
_MIN_HEADER: Final = 16


def refused(reason: str) -> McpError:
    """The address is not allowed."""
    return McpHttpError(code=403, message=f"The MCP server is not allowed: {reason}.")


def unreachable(reason: str) -> McpError:
    """No connection, or it broke."""
    return McpHttpError(code=502, message=f"The MCP server could not be reached: {reason}.")


def timed_out(timeout_s: float) -> McpError:
    """No answer in time."""
    return McpHttpError(code=504, message=f"The MCP server did not answer within {timeout_s:g} s.")


def answered(status: int) -> McpError:
    """An HTTP status that is an error. What the server wrote is left out: it may repeat credentials."""
    phrase = http.HTTPStatus(status).phrase if status in set(http.HTTPStatus) else ""
    return McpHttpError(code=status, message=f"The MCP server answered with HTTP {status} {phrase}".rstrip() + ".")


def broken(reason: str, code: int = INTERNAL_ERROR) -> McpError:
    """The server sent what the protocol does not allow, or what this server does not take."""
    return McpProtocolError(code=code, message=f"The MCP server's answer was not accepted: {reason}.")


def without_secrets(text: str, server: McpServer) -> str:
    """Return the text without the credentials that the server was given, should it repeat them."""
    secrets = [value for _, value in server.headers if len(value) >= _MIN_HEADER]
    if server.authorization is not None and len(server.authorization) >= _MIN_TOKEN:
        secrets.append(server.authorization)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    return text


def presentable(error: McpError, server: McpServer) -> McpError:
    """Return the error with a message of one bounded line that holds no credentials."""
    text = without_secrets(error.message, server)
    line = "".join(character if character.isprintable() else " " for character in text)
    message = line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}…"
    match error:
        case McpProtocolError():
            return McpProtocolError(code=error.code, message=message)
        case McpToolExecutionError():
            return McpToolExecutionError(message=message)
        case McpHttpError():
            return McpHttpError(code=error.code, message=message)
