"""The stock `openai-agents` SDK: `python program.py ASSIGNMENT.json` prints what it did as JSON."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path

from agents import function_tool
from agents.realtime import (
    RealtimeAgent,
    RealtimeModelSendRawMessage,
    RealtimeRunner,
    RealtimeSession,
    RealtimeSessionEvent,
)

CHUNK_BYTES = 4800  # 100 ms of pcm16 at 24 kHz
SILENCE = bytes(2 * 24_000)  # a second: ends a turn
HEARD_BYTES = 24_000
asked_for: list[str] = []


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    asked_for.append(city)
    return f"sunny in {city}"


async def speak(session: RealtimeSession, pcm: bytes) -> None:
    for start in range(0, len(pcm), CHUNK_BYTES):
        await session.send_audio(pcm[start : start + CHUNK_BYTES])


def last_said(history: list, role: str) -> str:
    """What was said in the last message of a role."""
    messages = [item for item in history if item.type == "message" and item.role == role]
    if not messages:
        return ""
    parts = messages[-1].content
    return "".join(getattr(part, "transcript", None) or getattr(part, "text", None) or "" for part in parts)


class Listener:
    """Reads a session's events, and keeps the history and how much audio came."""

    def __init__(self, session: RealtimeSession) -> None:
        self._events: AsyncIterator[RealtimeSessionEvent] = session.__aiter__()
        self.history: list = []
        self.audio_bytes = 0

    async def until(self, *types: str) -> RealtimeSessionEvent:
        """Return the first event of one of these types; an error that is not waited for is raised."""
        async for event in self._events:
            if event.type == "history_updated":
                self.history = event.history
            elif event.type == "history_added":
                self.history = [*(it for it in self.history if it.item_id != event.item.item_id), event.item]
            elif event.type == "audio":
                self.audio_bytes += len(event.audio.data)
            if event.type in types:
                return event
            if event.type == "error":
                raise RuntimeError(event.error)
        raise ConnectionError(f"closed before {types}")


async def text_turn(session: RealtimeSession, listener: Listener) -> dict:
    await session.send_message("Hello there.")
    await listener.until("agent_end")
    return {"answer": last_said(listener.history, "assistant"), "audio_bytes": listener.audio_bytes}


async def tool_round(session: RealtimeSession, listener: Listener) -> dict:
    await session.send_message("What is the weather?")
    ended = await listener.until("tool_end")
    while "sunny" not in last_said(listener.history, "assistant"):
        await listener.until("agent_end")
    return {"arguments": json.loads(ended.arguments), "answer": last_said(listener.history, "assistant")}


async def barge_in(session: RealtimeSession, listener: Listener, interruption: bytes) -> dict:
    """Speak over an answer once half a second of it has come; the SDK interrupts and truncates by itself."""
    await session.send_message("Go on for ever.")
    begun = listener.audio_bytes
    first = await listener.until("audio")
    while listener.audio_bytes < begun + HEARD_BYTES:
        await listener.until("audio")
    await speak(session, interruption)
    interrupted = await listener.until("audio_interrupted")
    await listener.until("agent_end")
    heard_bytes = listener.audio_bytes - begun
    await speak(session, SILENCE)
    await listener.until("agent_start")
    late_bytes = listener.audio_bytes - begun - heard_bytes
    await listener.until("agent_end")
    return {
        "interrupted_the_same_item": interrupted.item_id == first.item_id,
        "heard_bytes": heard_bytes,
        "late_bytes": late_bytes,
        "next_answer": last_said(listener.history, "assistant"),
    }


async def error(session: RealtimeSession, listener: Listener) -> dict:
    message = {"type": "conversation.item.delete", "other_data": {"item_id": "item_absent", "event_id": "my_mistake"}}
    await session.model.send_event(RealtimeModelSendRawMessage(message=message))
    reported = (await listener.until("error")).error
    return {"code": reported.code, "message": reported.message, "event_id": reported.event_id}


async def spoken_turn(session: RealtimeSession, listener: Listener, question: bytes) -> dict:
    await speak(session, question + SILENCE)
    await listener.until("agent_end")
    return {
        "heard": last_said(listener.history, "user"),
        "answer": last_said(listener.history, "assistant"),
        "audio_bytes": listener.audio_bytes,
    }


def connected(assignment: dict, model: str, agent: RealtimeAgent):
    url = f"{assignment['websocket_url']}/v1/realtime?model={model}"
    config = {"model_settings": {"model_name": model, "audio": {"input": {"transcription": {"model": "whisper-1"}}}}}
    return RealtimeRunner(agent, config=config).run(model_config={"url": url, "api_key": assignment["key"]})


async def run(assignment: dict) -> dict:
    found = {"client": "openai-agents", "version": version("openai-agents")}
    agent = RealtimeAgent(name="Clerk", instructions=assignment["instructions"], tools=[get_weather])
    async with await connected(assignment, assignment["scripted_model"], agent) as session:
        listener = Listener(session)
        found["text"] = await text_turn(session, listener)
        found["tool"] = {**await tool_round(session, listener), "calls": asked_for}
        found["barge_in"] = await barge_in(session, listener, assignment["interruption"])
        found["error"] = await error(session, listener)
    agent = RealtimeAgent(name="Host", instructions="Be brief.")
    async with await connected(assignment, assignment["spoken_model"], agent) as session:
        found["spoken"] = await spoken_turn(session, Listener(session), assignment["question"])
    return found


def load(path: str) -> dict:
    assignment = json.loads(Path(path).read_text())
    recordings = {name: Path(assignment[name]).read_bytes() for name in ("question", "interruption")}
    return {**assignment, **recordings}


print(json.dumps(asyncio.run(run(load(sys.argv[1])))))
