/** The stock `rt-client`: `node program.js ASSIGNMENT.json` prints what it did as JSON. It connects as to Azure. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { LowLevelRTClient, RTClient } from "rt-client";

const CHUNK_BYTES = 4800; // 100 ms of pcm16 at 24 kHz
const SILENCE = Buffer.alloc(2 * 24_000); // a second: ends a turn
const HEARD_BYTES = 24_000;
const require = createRequire(import.meta.url);

function address({ websocket_url }) {
  return new URL(websocket_url);
}

async function joined(pieces) {
  const all = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

/** Read a response to its end; returns what it said and called. */
async function readAnswer(response) {
  const turn = { answer: "", audio_bytes: 0, calls: [] };
  for await (const item of response) {
    if (item.type === "function_call") {
      await item.waitForCompletion();
      turn.calls.push(item);
      continue;
    }
    for await (const content of item) {
      const [words, pcm] = await Promise.all([joined(content.transcriptChunks()), joined(content.audioChunks())]);
      turn.answer += words.join("");
      turn.audio_bytes += pcm.reduce((total, piece) => total + piece.length, 0);
    }
  }
  return { ...turn, status: response.status };
}

async function ask(client, item) {
  await client.sendItem(item);
  return await readAnswer(await client.generateResponse());
}

function written(text) {
  return { type: "message", role: "user", content: [{ type: "input_text", text }] };
}

async function speak(client, pcm) {
  for (let start = 0; start < pcm.length; start += CHUNK_BYTES) {
    await client.sendAudio(pcm.subarray(start, start + CHUNK_BYTES));
  }
}

/** Written turn and tool round by the client's own turns. */
async function conversation(assignment, found) {
  const client = new RTClient(address(assignment), { key: assignment.key }, { deployment: assignment.scripted_model });
  await client.configure({ instructions: assignment.instructions, tools: [assignment.tool], turn_detection: null });
  const { answer, audio_bytes, status } = await ask(client, written("Hello there."));
  found.text = { answer, audio_bytes, status };
  const [call] = (await ask(client, written("What is the weather?"))).calls;
  const output = `sunny in ${JSON.parse(call.arguments).city}`;
  const told = await ask(client, { type: "function_call_output", call_id: call.callId, output });
  found.tool = { arguments: JSON.parse(call.arguments), answer: told.answer };
  await client.close();
}

async function spokenTurn(assignment) {
  const client = new RTClient(address(assignment), { key: assignment.key }, { deployment: assignment.spoken_model });
  await client.configure({ input_audio_transcription: { model: "whisper-1" }, turn_detection: { type: "server_vad" } });
  const speaking = speak(client, Buffer.concat([readFileSync(assignment.question), SILENCE]));
  let heard = null;
  for await (const event of client.events()) {
    if (event.type === "input_audio") {
      await event.waitForCompletion();
      heard = event.transcription;
    } else {
      const { answer, audio_bytes } = await readAnswer(event);
      await speaking;
      await client.close();
      return { heard, answer, audio_bytes };
    }
  }
}

/** Interruption and mistake by the client's events: it has no other way to truncate, or to name an event. */
async function events(assignment, found) {
  const client = new LowLevelRTClient(
    address(assignment),
    { key: assignment.key },
    { deployment: assignment.scripted_model },
  );
  const messages = client.messages()[Symbol.asyncIterator]();
  const next = async () => (await messages.next()).value;
  const until = async (type) => {
    for (;;) {
      const message = await next();
      if (message.type === type) return message;
    }
  };
  const append = async (pcm) => {
    for (let start = 0; start < pcm.length; start += CHUNK_BYTES) {
      const audio = pcm.subarray(start, start + CHUNK_BYTES).toString("base64");
      await client.send({ type: "input_audio_buffer.append", audio });
    }
  };
  await client.send({ type: "session.update", session: { instructions: assignment.instructions } });
  await client.send({ type: "conversation.item.create", item: written("Go on for ever.") });
  await client.send({ type: "response.create" });
  let heard_bytes = 0;
  while (heard_bytes < HEARD_BYTES) {
    heard_bytes += Buffer.from((await until("response.audio.delta")).delta, "base64").length;
  }
  await append(readFileSync(assignment.interruption));
  const { response } = await until("response.done");
  const item_id = response.output[0].id;
  await client.send({ type: "conversation.item.truncate", item_id, content_index: 0, audio_end_ms: 100 });
  let late_bytes = 0;
  for (;;) {
    const message = await next();
    if (message.type === "response.audio.delta") late_bytes += Buffer.from(message.delta, "base64").length;
    if (message.type === "conversation.item.truncated") break;
  }
  await append(SILENCE);
  let next_answer = "";
  for (;;) {
    const message = await next();
    if (message.type === "response.audio_transcript.delta") next_answer += message.delta;
    if (message.type === "response.done") break;
  }
  found.barge_in = { heard_bytes, late_bytes, next_answer };
  await client.send({ type: "conversation.item.delete", item_id: "item_absent", event_id: "my_mistake" });
  const { error } = await until("error");
  found.error = { code: error.code, message: error.message, event_id: error.event_id };
  await client.close();
}

async function run(assignment) {
  const found = { client: "rt-client", version: require("rt-client/package.json").version };
  await conversation(assignment, found);
  await events(assignment, found);
  found.spoken = await spokenTurn(assignment);
  return found;
}

console.log(JSON.stringify(await run(JSON.parse(readFileSync(process.argv[2], "utf8")))));
