"""What a conversation looks like in the terminal: a line for each thing said."""

from collections.abc import Iterator, Mapping
from typing import Any

Event = Mapping[str, Any]  # JSON boundary: a server event


def captions(event: Event) -> Iterator[str]:
    """Yield the lines that a server event adds to the transcript on the screen."""
    match event["type"]:
        case "conversation.item.input_audio_transcription.completed":
            yield f"you: {event['transcript'].strip() or '(nothing understood)'}"
        case "conversation.item.input_audio_transcription.failed":
            yield f"you: (not transcribed: {event['error'].get('message')})"
        case "response.output_item.done":
            yield from _item_lines(event["item"])
        case "response.done":
            yield from _failure_lines(event["response"])
        case _:
            pass


def fault(event: Event) -> str | None:
    """Return the sentence of an `error` event, None for any other."""
    return f"error: {event['error'].get('message')}" if event["type"] == "error" else None


def _item_lines(item: Event) -> Iterator[str]:
    if item["type"] == "function_call":
        yield f"assistant calls {item['name']}({item['arguments']})"
        return
    text = "".join(part.get("transcript") or part.get("text") or "" for part in item.get("content", ())).strip()
    cut = " [interrupted]" if item.get("status") == "incomplete" else ""
    if text or cut:
        yield f"assistant: {text}{cut}"


def _failure_lines(response: Event) -> Iterator[str]:
    if response["status"] == "failed":
        details = (response.get("status_details") or {}).get("error") or {}
        yield f"assistant: (failed: {details.get('message') or details.get('code')})"
