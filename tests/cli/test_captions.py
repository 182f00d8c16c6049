"""The lines that events add to the transcript on the screen."""

import pytest

from vivavoce.cli.captions import Event, captions, fault

MESSAGE = {"type": "message", "status": "completed", "content": [{"type": "output_audio", "transcript": " Hello. "}]}
CALL = {"type": "function_call", "name": "get_time", "arguments": "{}"}


def transcription(verb: str, **fields: object) -> Event:
    return {"type": f"conversation.item.input_audio_transcription.{verb}", "item_id": "item_1", **fields}


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (transcription("completed", transcript="hi there"), ["you: hi there"]),
        (transcription("completed", transcript=""), ["you: (nothing understood)"]),
        (transcription("failed", error={"message": "too long"}), ["you: (not transcribed: too long)"]),
        ({"type": "response.output_item.done", "item": MESSAGE}, ["assistant: Hello."]),
        (
            {"type": "response.output_item.done", "item": {**MESSAGE, "status": "incomplete"}},
            ["assistant: Hello. [interrupted]"],
        ),
        ({"type": "response.output_item.done", "item": {**MESSAGE, "content": []}}, []),
        ({"type": "response.output_item.done", "item": CALL}, ["assistant calls get_time({})"]),
        (
            {"type": "response.done", "response": {"status": "failed", "status_details": {"error": {"message": "no"}}}},
            ["assistant: (failed: no)"],
        ),
        ({"type": "response.done", "response": {"status": "completed"}}, []),
        ({"type": "session.created"}, []),
    ],
)
def test_an_event_adds_its_lines(event: Event, lines: list[str]) -> None:
    assert list(captions(event)) == lines


def test_only_an_error_event_has_a_fault() -> None:
    assert fault({"type": "error", "error": {"message": "Wrong."}}) == "error: Wrong."
    assert fault({"type": "session.created"}) is None
