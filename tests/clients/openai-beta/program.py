"""The stock `openai` client of the beta: `python program.py [--azure] ASSIGNMENT.json` prints what it did as JSON.

With `--azure` it is the client for Azure, which connects to a deployment of a preview version.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from pathlib import Path

from openai import AsyncAzureOpenAI, AsyncOpenAI
from openai.resources.beta.realtime.realtime import AsyncRealtimeConnection

CHUNK_BYTES = 4800  # 100 ms of pcm16 at 24 kHz
SILENCE = bytes(2 * 24_000)  # a second: ends a turn
HEARD_BYTES = 24_000


async def speak(connection: AsyncRealtimeConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), CHUNK_BYTES):
        await connection.input_audio_buffer.append(audio=base64.b64encode(pcm[start : start + CHUNK_BYTES]).decode())


async def write(connection: AsyncRealtimeConnection, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    await connection.response.create()


async def answer(connection: AsyncRealtimeConnection) -> dict:
    """Read until a response is done; returns what it said, called and how it ended."""
    said, audio_bytes, calls, heard = "", 0, [], None
    async for event in connection:
        if event.type == "response.audio_transcript.delta":
            said += event.delta
        elif event.type == "response.audio.delta":
            audio_bytes += len(base64.b64decode(event.delta))
        elif event.type == "response.function_call_arguments.done":
            calls.append(event)
        elif event.type == "conversation.item.input_audio_transcription.completed":
            heard = event.transcript
        elif event.type == "response.done":
            status = event.response.status
            return {"answer": said, "audio_bytes": audio_bytes, "calls": calls, "heard": heard, "status": status}
    raise ConnectionError("closed before the response was done")


async def text_turn(connection: AsyncRealtimeConnection) -> dict:
    await write(connection, "Hello there.")
    turn = await answer(connection)
    return {"answer": turn["answer"], "audio_bytes": turn["audio_bytes"], "status": turn["status"]}


async def tool_round(connection: AsyncRealtimeConnection) -> dict:
    await write(connection, "What is the weather?")
    [call] = (await answer(connection))["calls"]
    output = f"sunny in {json.loads(call.arguments)['city']}"
    await connection.conversation.item.create(
        item={"type": "function_call_output", "call_id": call.call_id, "output": output}
    )
    await connection.response.create()
    return {"arguments": json.loads(call.arguments), "answer": (await answer(connection))["answer"]}


async def barge_in(connection: AsyncRealtimeConnection, interruption: bytes) -> dict:
    """Speak over an answer once half a second of it has come, and cut it where the listener's speaker stopped."""
    await write(connection, "Go on for ever.")
    spoken, heard_bytes, late_bytes, cancelled = False, 0, 0, None
    async for event in connection:
        if event.type == "response.audio.delta":
            heard_bytes += len(base64.b64decode(event.delta))
            late_bytes += len(base64.b64decode(event.delta)) if cancelled else 0
            if heard_bytes >= HEARD_BYTES and not spoken:
                spoken = True
                await speak(connection, interruption)
        elif event.type == "response.done" and cancelled is None:
            cancelled = event.response
            [item] = cancelled.output
            await connection.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=100)
        elif event.type == "conversation.item.truncated":
            break
    await speak(connection, SILENCE)
    next_turn = await answer(connection)
    return {
        "status": cancelled.status,
        "reason": cancelled.status_details.reason,
        "heard_bytes": heard_bytes,
        "late_bytes": late_bytes,
        "next_answer": next_turn["answer"],
    }


async def error(connection: AsyncRealtimeConnection) -> dict:
    await connection.conversation.item.delete(item_id="item_absent", event_id="my_mistake")
    async for event in connection:
        if event.type == "error":
            return {"code": event.error.code, "message": event.error.message, "event_id": event.error.event_id}
    raise ConnectionError("closed without an error event")


async def spoken_turn(connection: AsyncRealtimeConnection, question: bytes) -> dict:
    await speak(connection, question + SILENCE)
    turn = await answer(connection)
    return {"heard": turn["heard"], "answer": turn["answer"], "audio_bytes": turn["audio_bytes"]}


async def hold(assignment: dict, open_session: Callable[[str], AbstractAsyncContextManager]) -> dict:
    found = {"client": "openai (beta)", "version": version("openai")}
    async with open_session(assignment["scripted_model"]) as connection:
        session = {"instructions": assignment["instructions"], "tools": [assignment["tool"]]}
        await connection.session.update(session=session)
        found["text"] = await text_turn(connection)
        found["tool"] = await tool_round(connection)
        found["barge_in"] = await barge_in(connection, assignment["interruption"])
        found["error"] = await error(connection)
    async with open_session(assignment["spoken_model"]) as connection:
        await connection.session.update(session={"input_audio_transcription": {"model": "whisper-1"}})
        found["spoken"] = await spoken_turn(connection, assignment["question"])
    return found


def account(assignment: dict, *, is_azure: bool) -> AsyncOpenAI:
    base, key = assignment["websocket_url"], assignment["key"]
    if not is_azure:
        return AsyncOpenAI(base_url=f"{assignment['url']}/v1", websocket_base_url=f"{base}/v1", api_key=key)
    return AsyncAzureOpenAI(
        azure_endpoint=assignment["url"],
        websocket_base_url=f"{base}/openai",
        api_version="2025-04-01-preview",
        api_key=key,
    )


async def run(assignment: dict, *, is_azure: bool) -> dict:
    async with account(assignment, is_azure=is_azure) as client:
        return await hold(assignment, lambda model: client.beta.realtime.connect(model=model))


def load(path: str) -> dict:
    assignment = json.loads(Path(path).read_text())
    recordings = {name: Path(assignment[name]).read_bytes() for name in ("question", "interruption")}
    return {**assignment, **recordings}


print(json.dumps(asyncio.run(run(load(sys.argv[-1]), is_azure="--azure" in sys.argv))))
