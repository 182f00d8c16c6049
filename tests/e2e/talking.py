"""A conversation over a real socket by the stock client, held against the types and the ordering invariants."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from bench.checked_client import CheckedClient, checked_client

SILENCE = bytes(48 * 800)  # 0.8 s of pcm16 at 24 kHz: ends a turn
SCRIPTED = "vivavoce-scripted"


@contextlib.asynccontextmanager
async def talking(
    address: str, model: str = "vivavoce-local", *, is_cut: bool = False, **session: Any
) -> AsyncIterator[CheckedClient]:
    """Connect and configure; at the end every event must have been valid and no invariant broken.

    Args:
        is_cut: the conversation ends in the middle, so open responses are no violation.
    """
    async with checked_client(address, model) as client:
        if session:
            await client.configure(**session)
        yield client
    assert client.invalid == []
    assert [str(violation) for violation in client.violations(is_cut=is_cut)] == []


def scripted(**script: Any) -> str:
    """Return instructions that carry a script for the scripted generator."""
    return f"vivavoce-script: {json.dumps(script)}"


def said(text: str) -> str:
    """Return a text in lower case without punctuation, for comparing what was said."""
    return " ".join("".join(c for c in text.lower() if c.isalnum() or c in " '").split())
