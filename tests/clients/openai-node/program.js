/** The stock `openai` client for Node: `node program.js ASSIGNMENT.json` prints what it did as JSON. It dials `wss` only. */

import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { VERSION } from "openai/version";

const CHUNK_BYTES = 4800; // 100 ms of pcm16 at 24 kHz
const SILENCE = Buffer.alloc(2 * 24_000); // a second: ends a turn
const HEARD_BYTES = 24_000;

/** A connection whose events are read one after the other. */
class Conversation {
  constructor(client, model) {
    this.events = [];
    this.wake = () => {};
    this.realtime = new OpenAIRealtimeWS({ model }, client);
    this.realtime.on("event", (event) => this.keep(event));
    this.realtime.on("error", (error) => {
      if (!error.error) this.keep({ type: "failure", error }); // no event of the server
      else this.reported = error;
      this.wake();
    });
    this.opened = new Promise((resolve) => this.realtime.socket.on("open", resolve));
  }

  keep(event) {
    this.events.push(event);
    this.wake();
  }

  async next() {
    while (this.events.length === 0) await new Promise((resolve) => (this.wake = resolve));
    const event = this.events.shift();
    if (event.type === "failure") throw event.error;
    return event;
  }

  async until(type) {
    for (;;) {
      const event = await this.next();
      if (event.type === type) return event;
    }
  }

  speak(pcm) {
    for (let start = 0; start < pcm.length; start += CHUNK_BYTES) {
      const audio = pcm.subarray(start, start + CHUNK_BYTES).toString("base64");
      this.realtime.send({ type: "input_audio_buffer.append", audio });
    }
  }

  write(text) {
    const item = { type: "message", role: "user", content: [{ type: "input_text", text }] };
    this.realtime.send({ type: "conversation.item.create", item });
    this.realtime.send({ type: "response.create" });
  }

  /** Read until a response is done; returns what it said, called and how it ended. */
  async answer() {
    const turn = { answer: "", audio_bytes: 0, calls: [], heard: null };
    for (;;) {
      const event = await this.next();
      if (event.type === "response.output_audio_transcript.delta") turn.answer += event.delta;
      if (event.type === "response.output_audio.delta") turn.audio_bytes += Buffer.from(event.delta, "base64").length;
      if (event.type === "response.function_call_arguments.done") turn.calls.push(event);
      if (event.type === "conversation.item.input_audio_transcription.completed") turn.heard = event.transcript;
      if (event.type === "response.done") return { ...turn, status: event.response.status };
    }
  }
}

async function textTurn(conversation) {
  conversation.write("Hello there.");
  const { answer, audio_bytes, status } = await conversation.answer();
  return { answer, audio_bytes, status };
}

async function toolRound(conversation) {
  conversation.write("What is the weather?");
  const [call] = (await conversation.answer()).calls;
  const output = `sunny in ${JSON.parse(call.arguments).city}`;
  const item = { type: "function_call_output", call_id: call.call_id, output };
  conversation.realtime.send({ type: "conversation.item.create", item });
  conversation.realtime.send({ type: "response.create" });
  return { arguments: JSON.parse(call.arguments), answer: (await conversation.answer()).answer };
}

/** Speak over an answer once half a second of it has come, and cut it where the listener's speaker stopped. */
async function bargeIn(conversation, interruption) {
  conversation.write("Go on for ever.");
  let heard = 0;
  while (heard < HEARD_BYTES) {
    const event = await conversation.until("response.output_audio.delta");
    heard += Buffer.from(event.delta, "base64").length;
  }
  conversation.speak(interruption);
  const { response } = await conversation.until("response.done");
  const item_id = response.output[0].id;
  conversation.realtime.send({ type: "conversation.item.truncate", item_id, content_index: 0, audio_end_ms: 100 });
  let late = 0;
  for (;;) {
    const event = await conversation.next();
    if (event.type === "response.output_audio.delta") late += Buffer.from(event.delta, "base64").length;
    if (event.type === "conversation.item.truncated") break;
  }
  conversation.speak(SILENCE);
  return {
    status: response.status,
    reason: response.status_details.reason,
    heard_bytes: heard,
    late_bytes: late,
    next_answer: (await conversation.answer()).answer,
  };
}

async function mistake(conversation) {
  conversation.realtime.send({ type: "conversation.item.delete", item_id: "item_absent", event_id: "my_mistake" });
  while (!conversation.reported) await new Promise((resolve) => (conversation.wake = resolve));
  const { code, message, event_id } = conversation.reported.error;
  return { code, message, event_id };
}

async function run(assignment) {
  const found = { client: "openai (Node)", version: VERSION };
  const client = new OpenAI({ baseURL: `${assignment.url}/v1`, apiKey: assignment.key });
  const scripted = new Conversation(client, assignment.scripted_model);
  await scripted.opened;
  const { instructions, tool } = assignment;
  scripted.realtime.send({ type: "session.update", session: { type: "realtime", instructions, tools: [tool] } });
  found.text = await textTurn(scripted);
  found.tool = await toolRound(scripted);
  found.barge_in = await bargeIn(scripted, readFileSync(assignment.interruption));
  found.error = await mistake(scripted);
  scripted.realtime.close();
  const spoken = new Conversation(client, assignment.spoken_model);
  await spoken.opened;
  const audio = { input: { transcription: { model: "whisper-1" } } };
  spoken.realtime.send({ type: "session.update", session: { type: "realtime", audio } });
  spoken.speak(Buffer.concat([readFileSync(assignment.question), SILENCE]));
  const { heard, answer, audio_bytes } = await spoken.answer();
  found.spoken = { heard, answer, audio_bytes };
  spoken.realtime.close();
  return found;
}

console.log(JSON.stringify(await run(JSON.parse(readFileSync(process.argv[2], "utf8")))));
