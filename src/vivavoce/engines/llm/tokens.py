"""How the offline generators count tokens: one for every four characters, rounded up, per text.

There is no tokenizer behind it; four characters are the usual rule of thumb for English text.
"""

from vivavoce.core.requests import ContextItem, ContextMessage, ContextToolCall, GenerationRequest

CHARS_PER_TOKEN = 4


def count_tokens(text: str) -> int:
    """Tokens of a text: a quarter of its characters, rounded up."""
    return -(-len(text) // CHARS_PER_TOKEN)


def input_tokens(request: GenerationRequest) -> int:
    """Tokens of the instructions, the conversation, and the tools' names and descriptions."""
    tools = sum(count_tokens(tool.name) + count_tokens(tool.description) for tool in request.tools)
    return count_tokens(request.instructions) + sum(map(_item_tokens, request.items)) + tools


def _item_tokens(item: ContextItem) -> int:
    if isinstance(item, ContextMessage):
        return count_tokens(item.text)
    if isinstance(item, ContextToolCall):
        return count_tokens(item.name) + count_tokens(item.arguments)
    return count_tokens(item.output or "")
