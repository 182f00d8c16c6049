"""What a server allows its sessions, and what its engines can do, as far as a session must know it."""

from collections.abc import Mapping
from typing import Final

import msgspec

# Of engines that can do nothing with them; each stands for something that other engines take.
IGNORED_FIELDS: Final = (
    "parallel_tool_calls",
    "reasoning",
    "include",
    "audio.input.noise_reduction",
    "audio.input.transcription.languages",
    "audio.input.transcription.keywords",
    "audio.input.transcription.delay",
)
DEFAULT_CONTEXT_TOKENS: Final = 28_224  # what the reference keeps for input in a 32k context


class SessionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Fixed for the life of a session.

    `lifetime_s` 0 is unlimited. `prompts` holds texts by `id` and by `id@version`. `mcp_hosts` are the names of
    MCP servers that a client may bring, with `*` for any public address; empty: none.
    """

    lifetime_s: float = 3600.0
    context_tokens: int = DEFAULT_CONTEXT_TOKENS
    prompts: Mapping[str, str] = {}
    mcp_hosts: tuple[str, ...] = ()
    language: str | None = None  # the only one that the transcriber understands, ISO-639-1; None: there are more
    scores_turns: bool = False  # an engine tells by the sound whether a turn is complete
    transcription_models: tuple[str, ...] = ()  # names that the transcriber knows; empty: it hears with its own model
    ignored: tuple[str, ...] = IGNORED_FIELDS  # accepted session fields, by path, that have no effect here

    @property
    def reduces_noise(self) -> bool:
        """Whether an engine removes noise from user audio."""
        return "audio.input.noise_reduction" not in self.ignored
