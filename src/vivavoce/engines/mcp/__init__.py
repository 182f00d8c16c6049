"""Remote MCP servers over streamable HTTP and SSE, through the official `mcp` package.

`connector` is what others import. Everything that needs the package stands in `operations` and below it, and is
imported when the connector starts, in a thread: it costs about 0.7 s and 35 MB, which is not paid without MCP.
"""
