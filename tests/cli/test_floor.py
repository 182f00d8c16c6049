"""Who has the floor, told from events."""

from vivavoce.cli.floor import ANSWER_WAIT_S, TRANSCRIPT_WAIT_S, Event, Floor

STARTED = {"type": "input_audio_buffer.speech_started", "item_id": "item_1"}
COMMITTED = {"type": "input_audio_buffer.committed", "item_id": "item_1"}
TRANSCRIBED = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "item_1"}
CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
DONE = {"type": "response.done", "response": {"id": "resp_1"}}


def floor_after(*events: Event) -> Floor:
    floor = Floor()
    for event in events:
        floor.receive(event, 100.0)
    return floor


def test_nobody_has_the_floor_at_the_start() -> None:
    assert floor_after().is_idle(100.0)


def test_the_user_has_it_while_speech_is_heard() -> None:
    floor = floor_after(STARTED)

    assert floor.is_speaking
    assert not floor.is_idle(100.0)


def test_an_answer_is_expected_after_a_commit_but_not_for_ever() -> None:
    floor = floor_after(STARTED, COMMITTED, TRANSCRIBED)

    assert floor.is_answering(100.0)
    assert floor.is_idle(100.0 + ANSWER_WAIT_S)


def test_the_assistant_has_it_until_the_response_is_done() -> None:
    floor = floor_after(STARTED, COMMITTED, CREATED, TRANSCRIBED)

    assert floor.is_answering(1000.0)
    floor.receive(DONE, 1000.0)
    assert floor.is_idle(1000.0)


def test_a_transcript_is_waited_for_but_not_for_ever() -> None:
    floor = floor_after(COMMITTED, CREATED, DONE)

    assert not floor.is_idle(100.0)
    assert floor.is_idle(100.0 + TRANSCRIPT_WAIT_S)
