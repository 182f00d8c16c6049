"""What of a conversation fits into a model's input: the oldest items are left out first.

`auto` drops down to the limit, a retention ratio further, so that the start of the context changes rarely;
`disabled` drops nothing. What a default response has dropped stays dropped; the items remain in the conversation.
"""

from collections.abc import Sequence

from msgspec import UNSET

from vivavoce.core.context import context_characters, context_items, text_tokens
from vivavoce.core.conversation import Entry
from vivavoce.core.requests import ContextItem
from vivavoce.protocol.items import FunctionCallOutput
from vivavoce.protocol.session import RetentionRatio, Truncation


class ContextTooLong(Exception):
    """The context exceeds the model's input, and nothing more may be left out."""

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(f"the context has about {tokens} tokens, the model takes {limit}")


def fit_context(
    entries: Sequence[Entry], truncation: Truncation, limit_tokens: int, fixed_tokens: int, own_tokens: int = 0
) -> tuple[int, tuple[ContextItem, ...]]:
    """Return how many of the oldest entries to leave out, and what a generator reads of the others.

    Args:
        limit_tokens: of the whole input.
        fixed_tokens: of instructions and tools, which are always sent.
        own_tokens: of what the response has said and found out so far, which is always sent too.

    Raises:
        ContextTooLong: truncation is disabled, or the newest item alone is too long.
    """
    room = _room(truncation, limit_tokens - fixed_tokens)
    budget = room - own_tokens
    items = context_items(entries)
    tokens = text_tokens(context_characters(items))
    if tokens <= budget:
        return 0, items
    if truncation == "disabled":
        raise ContextTooLong(tokens + own_tokens + fixed_tokens, room + fixed_tokens)
    count = _excess(entries, _target(truncation, room) - own_tokens)
    items = context_items(entries[count:])
    while count < len(entries) - 1 and text_tokens(context_characters(items)) > budget:
        count += 1  # entries may say more together than each for itself
        items = context_items(entries[count:])
    while count and not items:  # the newest is the output of a call: it says nothing without it
        count -= 1
        items = context_items(entries[count:])
    kept_tokens = text_tokens(context_characters(items))
    if kept_tokens > budget or not items:
        raise ContextTooLong(kept_tokens + own_tokens + fixed_tokens, room + fixed_tokens)
    return count, items


def _room(truncation: Truncation, available: int) -> int:
    """Return the tokens that are left after instructions and tools."""
    limits = truncation.token_limits if isinstance(truncation, RetentionRatio) else UNSET
    given = UNSET if limits is UNSET else limits.post_instructions
    return available if given is UNSET else min(available, given)


def _target(truncation: Truncation, room: int) -> float:
    return room * truncation.retention_ratio if isinstance(truncation, RetentionRatio) else room


def _excess(entries: Sequence[Entry], target: float) -> int:
    """Return how many of the oldest entries have to go; the newest stays."""
    tokens = 0
    for index in range(len(entries) - 1, -1, -1):
        tokens += _tokens(entries[index])
        if tokens > target:
            return min(index + 1, len(entries) - 1)
    return 0


def _tokens(entry: Entry) -> int:
    if isinstance(entry.item, FunctionCallOutput):
        return text_tokens(len(entry.item.output))  # without its call it would not be read at all
    return text_tokens(context_characters(context_items((entry,))))
