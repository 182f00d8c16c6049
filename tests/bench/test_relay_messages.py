"""How the relay's benchmark tells what became of messages, on lists made by hand."""

import json
from typing import Any

from bench.relay.alterations import alterations
from bench.relay.exactness import FRAGMENTS, SIZES, message_of, messages
from bench.relay.passive import APPENDS, Script
from bench.relay.stuck import masked_text, queued_bytes

CREATED = '{"type":"session.created","event_id":"event_1","session":{"id":"a"}}'
DELTA = '{"type":"response.output_audio.delta","event_id":"event_2","delta":"AAAA"}'


def test_messages_that_arrive_as_they_were_are_passed() -> None:
    made = alterations([CREATED, DELTA], [CREATED, DELTA])

    assert (made.passed, made.rewritten, made.changed, made.dropped, made.added) == (2, 0, 0, 0, 0)


def test_the_same_json_in_other_bytes_is_rewritten() -> None:
    made = alterations([DELTA], [json.dumps(json.loads(DELTA))])

    assert (made.passed, made.rewritten, made.changed) == (0, 1, 0)


def test_another_value_under_the_same_event_id_is_a_change() -> None:
    made = alterations([CREATED], [CREATED.replace('"a"', '"b"')])

    assert made.kinds == {"changed session.created": 1}


def test_an_event_with_an_id_of_its_own_is_paired_by_its_type() -> None:
    made = alterations([CREATED], [CREATED.replace("event_1", "event_9")])

    assert (made.changed, made.dropped, made.added) == (1, 0, 0)


def test_what_has_no_counterpart_is_dropped_or_added() -> None:
    made = alterations([CREATED], ['{"type":"response.create"}'])

    assert made.kinds == {"dropped session.created": 1, "added response.create": 1}


def test_a_message_that_comes_twice_is_added_once() -> None:
    made = alterations([DELTA], [DELTA, DELTA])

    assert (made.passed, made.added) == (1, 1)


def test_what_is_no_json_is_added() -> None:
    made = alterations([], ["?"])

    assert made.kinds == {"added None": 1}


def test_messages_of_the_exactness_test_have_the_size_that_is_asked_for() -> None:
    sizes = {size: len(message_of("bench.up", 0, size).encode()) for size in SIZES}

    assert sizes == {size: size for size in SIZES}


def test_every_size_of_fragments_is_sent() -> None:
    fragments = {fragment for _, fragment in messages("bench.up")}

    assert fragments == {None, *(size for size, _ in FRAGMENTS)}


def test_script_hears_a_turn_in_so_many_appends_and_asks_for_no_response() -> None:
    script = Script()

    answers = [list(script.answer({"type": "input_audio_buffer.append"})) for _ in range(APPENDS)]

    assert not any(answers[:-1])
    assert [event["type"] for event in answers[-1]][-1] == "conversation.item.input_audio_transcription.completed"
    assert not any(event["type"].startswith("response.") for event in answers[-1])


def test_client_frame_is_masked_text() -> None:
    payload = b"x" * 300

    frame = masked_text(payload)

    mask = frame[4:8]
    assert frame[:4] == b"\x81\xfe\x01\x2c"
    assert bytes(byte ^ mask[index % 4] for index, byte in enumerate(frame[8:])) == payload


def test_queues_of_both_ends_of_a_port_are_counted_and_others_are_not() -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when"
    rows: list[Any] = [
        "   0: 0100007F:1F90 0100007F:C001 01 00000010:00000001 00:00000000",
        "   1: 0100007F:C001 0100007F:1F90 01 00000000:00000100 00:00000000",
        "   2: 0100007F:C002 0100007F:1F90 01 00000000:00000200 00:00000000",
    ]

    total = queued_bytes("\n".join([head, *rows]), {0xC001})

    assert total == 0x10 + 0x1 + 0x100
