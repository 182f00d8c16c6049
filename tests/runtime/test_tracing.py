"""Traces: what stands in a file, what never does, and what happens when too much comes."""

import functools
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from vivavoce.core.vocabulary import PlayAudio
from vivavoce.protocol.client_events import ClientEvent, InputAudioBufferAppend, InputAudioBufferClear
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.server_events import InputAudioBufferCleared
from vivavoce.protocol.session import Tracing
from vivavoce.runtime.trace_lines import MAX_EVENT_BYTES, event_line, holds_what_is_hidden
from vivavoce.runtime.tracing import LineWriter, TraceLimits, Tracer

Json = dict[str, Any]

CLEAR = InputAudioBufferClear()
CLEARED = InputAudioBufferCleared(event_id="event_1")


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def monotonic_s(self) -> float:
        return self.now_s

    def unix_s(self) -> int:
        return 1_800_000_000


def lines_of(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def client_event(event: Json) -> ClientEvent:
    return decode_client_event(msgspec.json.encode(event))


def shown(event: ClientEvent) -> Json:
    read: Json = json.loads(event_line(0, "client", event))["event"]
    return read


# Files --------------------------------------------------------------------------------------------------------------


def test_a_trace_has_its_labels_each_event_with_its_time_and_an_end(tmp_path: Path) -> None:
    clock = HandClock()
    tracer = Tracer(tmp_path / "traces", clock)

    trace = tracer.open("sess_1", Tracing(workflow_name="demo", group_id="g", metadata={"a": [1]}))
    clock.now_s += 0.25
    trace.client(CLEAR)
    trace.server(CLEARED)
    clock.now_s += 1
    trace.close()
    tracer.close()

    assert lines_of(tmp_path / "traces" / "sess_1.jsonl") == [
        {
            "trace": 1,
            "session_id": "sess_1",
            "started_unix_s": 1_800_000_000,
            "workflow_name": "demo",
            "group_id": "g",
            "metadata": {"a": [1]},
        },
        {
            "ms": 250.0,
            "from": "client",
            "type": "input_audio_buffer.clear",
            "event": {"type": "input_audio_buffer.clear", "event_id": None},
        },
        {
            "ms": 250.0,
            "from": "server",
            "type": "input_audio_buffer.cleared",
            "event": {"type": "input_audio_buffer.cleared", "event_id": "event_1"},
        },
        {"ms": 1250.0, "events": 2, "dropped": 0},
    ]


def test_automatic_tracing_has_no_labels(tmp_path: Path) -> None:
    tracer = Tracer(tmp_path, HandClock())

    tracer.open("sess_1", "auto").close()
    tracer.close()

    head = lines_of(tmp_path / "sess_1.jsonl")[0]
    assert head == {"trace": 1, "session_id": "sess_1", "started_unix_s": 1_800_000_000}


def test_only_the_owner_can_read_a_trace(tmp_path: Path) -> None:
    tracer = Tracer(tmp_path / "traces")

    tracer.open("sess_1", "auto").close()
    tracer.close()

    assert stat.S_IMODE((tmp_path / "traces").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "traces" / "sess_1.jsonl").stat().st_mode) == 0o600


def test_sessions_have_traces_of_their_own_and_nothing_follows_an_end(tmp_path: Path) -> None:
    tracer = Tracer(tmp_path)
    first, second = tracer.open("sess_1", "auto"), tracer.open("sess_2", "auto")

    first.client(CLEAR)
    second.server(CLEARED)
    first.close()
    first.close()
    first.client(CLEAR)
    second.close()
    tracer.close()
    tracer.close()

    assert [line.get("from") for line in lines_of(tmp_path / "sess_1.jsonl")] == [None, "client", None]
    assert [line.get("from") for line in lines_of(tmp_path / "sess_2.jsonl")] == [None, "server", None]


def test_a_trace_that_has_reached_its_limit_counts_what_it_drops(tmp_path: Path) -> None:
    tracer = Tracer(tmp_path, limits=TraceLimits(trace=1_000))
    trace = tracer.open("sess_1", "auto")

    for _ in range(50):
        trace.client(CLEAR)
    trace.close()
    tracer.close()

    lines = lines_of(tmp_path / "sess_1.jsonl")
    trailer = lines[-1]
    assert trailer["events"] == len(lines) - 2 > 3
    assert trailer["events"] + trailer["dropped"] == 50
    assert (tmp_path / "sess_1.jsonl").stat().st_size < 1_100


def test_a_disk_that_does_not_keep_up_costs_events_and_no_time(tmp_path: Path) -> None:
    release = threading.Event()
    writer = LineWriter(limit_bytes=100)
    done: list[int] = []

    writer.put(lambda: done.append(0) if release.wait(20) else None, 60)
    taken = [writer.put(functools.partial(done.append, n), 30) for n in (1, 2)]
    needed = writer.put(lambda: done.append(3), 30, is_needed=True)
    release.set()
    writer.close()

    assert (taken, needed) == ([True, False], True)
    assert done == [0, 1, 3]


def test_a_trace_that_cannot_be_written_leaves_the_others_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sess_1.jsonl").write_text("taken")
    tracer = Tracer(tmp_path)

    for session_id in ("sess_1", "sess_2"):
        trace = tracer.open(session_id, "auto")
        trace.client(CLEAR)
        trace.close()
    tracer.close()

    assert (tmp_path / "sess_1.jsonl").read_text() == "taken"
    assert len(lines_of(tmp_path / "sess_2.jsonl")) == 3
    assert [record.message for record in caplog.records] == ["trace cannot be written"]


def test_the_oldest_traces_make_room(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"sess_{number}.jsonl"
        path.write_bytes(bytes(1_000))
        os.utime(path, (number, number))
    (tmp_path / "notes.txt").write_bytes(bytes(9_000))
    tracer = Tracer(tmp_path, limits=TraceLimits(directory=2_500))

    tracer.open("sess_9", "auto").close()
    tracer.close()

    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["notes.txt", "sess_3.jsonl", "sess_4.jsonl", "sess_9.jsonl"]


# What is shown ------------------------------------------------------------------------------------------------------


def test_audio_is_shown_by_its_length_wherever_it_stands() -> None:
    part = {"type": "input_audio", "audio": "AAAAAAAA"}
    item = {"type": "message", "role": "user", "content": [part]}
    played = PlayAudio("event_1", "resp_1", "item_1", 0, 0, bytes(48), 24)

    appended = shown(InputAudioBufferAppend(audio=bytes(4_800)))
    created = shown(client_event({"type": "conversation.item.create", "item": item}))
    heard = json.loads(event_line(1.5, "server", played))

    assert appended["audio"] == "4800 bytes"
    assert created["item"]["content"][0]["audio"] == "6 bytes"
    assert (heard["type"], heard["event"]["delta"]) == ("response.output_audio.delta", "48 bytes")
    assert heard["event"]["item_id"] == "item_1"


def test_credentials_of_mcp_servers_are_hidden() -> None:
    tool = {
        "type": "mcp",
        "server_label": "s",
        "server_url": "http://mcp.example/x",
        "authorization": "secret-1",
        "headers": {"X-Key": "secret-2"},
    }
    update = {"type": "session.update", "session": {"type": "realtime", "tools": [tool]}}

    line = event_line(0, "client", client_event(update))

    assert b"secret" not in line
    (seen,) = json.loads(line)["event"]["session"]["tools"]
    assert (seen["authorization"], seen["headers"]) == ("***", {"X-Key": "***"})


def test_a_very_large_event_is_traced_by_its_size() -> None:
    instructions = "x" * (MAX_EVENT_BYTES + 1)
    update = {"type": "session.update", "event_id": "e1", "session": {"type": "realtime", "instructions": instructions}}

    seen = shown(client_event(update))

    assert (seen["type"], seen["event_id"]) == ("session.update", "e1")
    assert seen["omitted_bytes"] > MAX_EVENT_BYTES
    assert len(json.dumps(seen)) < 200


def test_only_events_that_can_hold_something_to_hide_are_searched_for_it() -> None:
    searched = {one.__name__ for one in get_args(ClientEvent) if holds_what_is_hidden(one)}

    assert searched == {"SessionUpdate", "InputAudioBufferAppend", "ConversationItemCreate", "ResponseCreate"}
