"""An agent that calls tools, with the stock `openai-agents` SDK and nothing changed but the address.

    pip install openai-agents
    python examples/agent.py "What is the weather in Paris?" [--out answer.wav] [--url ws://127.0.0.1:8040/v1/realtime]

The model may call the functions below; the SDK runs them here and sends their results back. Printed are the calls and
the answers, and the spoken answer is kept as a WAV file. `--model` takes any model of the server: `gpt-realtime` where
it relays to a hosted one.
"""

import argparse
import asyncio
import json
import os
import wave
from pathlib import Path

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession

RATE_HZ = 24_000
IN_STOCK = {"apples": 12, "pears": 0, "plums": 40}


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"It is sunny in {city}, 22 degrees."


@function_tool
def count_stock(fruit: str) -> str:
    """Tell how many pieces of a fruit are in stock."""
    return f"There are {IN_STOCK.get(fruit.lower(), 0)} {fruit}."


AGENT = RealtimeAgent(
    name="Clerk",
    instructions="You are the clerk of a small shop. Use the tools for weather and stock, and answer in one sentence.",
    tools=[get_weather, count_stock],
)


async def answer(session: RealtimeSession, question: str) -> tuple[str, bytes]:
    """Ask, and return what was said in the end, and its audio: pcm16le, mono, 24 kHz."""
    await session.send_message(question)
    audio, said, open_calls = bytearray(), "", 0
    async for event in session:
        match event.type:
            case "audio":
                audio += event.audio.data
            case "tool_start":
                open_calls += 1
                print(json.dumps({"calls": event.tool.name, "with": json.loads(event.arguments)}), flush=True)
            case "tool_end":
                print(json.dumps({"returned": str(event.output)}), flush=True)
            case "history_added" | "history_updated":
                items = event.history if event.type == "history_updated" else [event.item]
                said = last_answer(items) or said
            case "error":
                raise RuntimeError(event.error)
            case "agent_end" if open_calls:
                open_calls = 0  # that was the response with the calls; the answer follows
            case "agent_end":
                break
    return said, bytes(audio)


def last_answer(items: list) -> str:
    """Return the words of the last message of the assistant."""
    for item in reversed(items):
        if item.type == "message" and item.role == "assistant":
            parts = (getattr(part, "transcript", None) or getattr(part, "text", None) for part in item.content)
            return "".join(part for part in parts if part)
    return ""


async def main(arguments: argparse.Namespace) -> None:
    address = {"url": f"{arguments.url}?model={arguments.model}", "api_key": os.environ.get("OPENAI_API_KEY", "none")}
    settings = {"model_name": arguments.model, "output_modalities": ["audio"]}
    runner = RealtimeRunner(AGENT, config={"model_settings": settings})
    async with await runner.run(model_config=address) as session:
        said, audio = await answer(session, arguments.question)
    print(json.dumps({"said": said, "seconds": round(len(audio) / 2 / RATE_HZ, 2)}))
    if arguments.out:
        with wave.open(str(arguments.out), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(audio)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask an agent that calls tools.")
    parser.add_argument("question")
    parser.add_argument("--url", default="ws://127.0.0.1:8040/v1/realtime")
    parser.add_argument("--model", default="vivavoce-local")
    parser.add_argument("--out", type=Path)
    asyncio.run(main(parser.parse_args()))
