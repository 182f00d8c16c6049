"""What a transcription used, as servers tell it."""

from typing import Any

import msgspec

from vivavoce.protocol.server_events import DurationUsage, TokensUsage


def usage_of(told: Any) -> TokensUsage | DurationUsage | None:  # JSON boundary: servers differ
    """Return the usage object of an answer; None if there is none that clients could read."""
    try:
        usage = msgspec.convert(told, TokensUsage | DurationUsage)
    except msgspec.ValidationError:
        return None
    counts = (usage.seconds,) if isinstance(usage, DurationUsage) else (usage.input_tokens, usage.output_tokens)
    return usage if min(counts) >= 0 else None
