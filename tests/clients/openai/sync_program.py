"""The stock `openai` client, synchronous: `python sync_program.py ASSIGNMENT.json` prints what it did as JSON.

The key is given to the client as it is, and the session is configured by `session.update`.
"""

import base64
import json
import sys
from importlib.metadata import version
from pathlib import Path

from openai import OpenAI
from openai.resources.realtime.realtime import RealtimeConnection

CHUNK_BYTES = 4800  # 100 ms of pcm16 at 24 kHz
SILENCE = bytes(2 * 24_000)  # a second: ends a turn
HEARD_BYTES = 24_000


def speak(connection: RealtimeConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), CHUNK_BYTES):
        connection.input_audio_buffer.append(audio=base64.b64encode(pcm[start : start + CHUNK_BYTES]).decode())


def write(connection: RealtimeConnection, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    connection.response.create()


def answer(connection: RealtimeConnection) -> dict:
    """Read until a response is done; returns what it said, called and how it ended."""
    said, audio_bytes, calls, heard = "", 0, [], None
    for event in connection:
        if event.type == "response.output_audio_transcript.delta":
            said += event.delta
        elif event.type == "response.output_audio.delta":
            audio_bytes += len(base64.b64decode(event.delta))
        elif event.type == "response.function_call_arguments.done":
            calls.append(event)
        elif event.type == "conversation.item.input_audio_transcription.completed":
            heard = event.transcript
        elif event.type == "response.done":
            status = event.response.status
            return {"answer": said, "audio_bytes": audio_bytes, "calls": calls, "heard": heard, "status": status}
    raise ConnectionError("closed before the response was done")


def text_turn(connection: RealtimeConnection) -> dict:
    write(connection, "Hello there.")
    turn = answer(connection)
    return {"answer": turn["answer"], "audio_bytes": turn["audio_bytes"], "status": turn["status"]}


def tool_round(connection: RealtimeConnection) -> dict:
    write(connection, "What is the weather?")
    [call] = answer(connection)["calls"]
    output = f"sunny in {json.loads(call.arguments)['city']}"
    connection.conversation.item.create(
        item={"type": "function_call_output", "call_id": call.call_id, "output": output}
    )
    connection.response.create()
    return {"arguments": json.loads(call.arguments), "answer": answer(connection)["answer"]}


def barge_in(connection: RealtimeConnection, interruption: bytes) -> dict:
    """Speak over an answer once half a second of it has come, and cut it where the listener's speaker stopped."""
    write(connection, "Go on for ever.")
    spoken, heard_bytes, late_bytes, cancelled = False, 0, 0, None
    for event in connection:
        if event.type == "response.output_audio.delta":
            heard_bytes += len(base64.b64decode(event.delta))
            late_bytes += len(base64.b64decode(event.delta)) if cancelled else 0
            if heard_bytes >= HEARD_BYTES and not spoken:
                spoken = True
                speak(connection, interruption)
        elif event.type == "response.done" and cancelled is None:
            cancelled = event.response
            [item] = cancelled.output
            connection.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=100)
        elif event.type == "conversation.item.truncated":
            break
    speak(connection, SILENCE)
    next_turn = answer(connection)
    return {
        "status": cancelled.status,
        "reason": cancelled.status_details.reason,
        "heard_bytes": heard_bytes,
        "late_bytes": late_bytes,
        "next_answer": next_turn["answer"],
    }


def error(connection: RealtimeConnection) -> dict:
    connection.conversation.item.delete(item_id="item_absent", event_id="my_mistake")
    for event in connection:
        if event.type == "error":
            return {"code": event.error.code, "message": event.error.message, "event_id": event.error.event_id}
    raise ConnectionError("closed without an error event")


def spoken_turn(connection: RealtimeConnection, question: bytes) -> dict:
    speak(connection, question + SILENCE)
    turn = answer(connection)
    return {"heard": turn["heard"], "answer": turn["answer"], "audio_bytes": turn["audio_bytes"]}


def run(assignment: dict) -> dict:
    found = {"client": "openai (sync)", "version": version("openai")}
    with OpenAI(base_url=f"{assignment['url']}/v1", api_key=assignment["key"]) as client:
        with client.realtime.connect(model=assignment["scripted_model"]) as connection:
            session = {"instructions": assignment["instructions"], "tools": [assignment["tool"]]}
            connection.session.update(session={"type": "realtime", **session})
            found["text"] = text_turn(connection)
            found["tool"] = tool_round(connection)
            found["barge_in"] = barge_in(connection, Path(assignment["interruption"]).read_bytes())
            found["error"] = error(connection)
        with client.realtime.connect(model=assignment["spoken_model"]) as connection:
            transcription = {"model": "whisper-1"}
            connection.session.update(
                session={"type": "realtime", "audio": {"input": {"transcription": transcription}}}
            )
            found["spoken"] = spoken_turn(connection, Path(assignment["question"]).read_bytes())
    return found


print(json.dumps(run(json.loads(Path(sys.argv[1]).read_text()))))
