/** The stock `openai-realtime-api`: `node program.js ASSIGNMENT.json` prints what it did as JSON.
 *
 * It is the beta's reference client for JavaScript in TypeScript, as it was published. It connects as a browser does.
 */

import { readFileSync } from "node:fs";
import { RealtimeClient } from "openai-realtime-api";

const CHUNK_BYTES = 4800; // 100 ms of pcm16 at 24 kHz
const SILENCE = Buffer.alloc(2 * 24_000); // a second: ends a turn
const HEARD_SAMPLES = 12_000;
const LOCK = new URL("package-lock.json", import.meta.url);
const PACKAGE = "node_modules/openai-realtime-api";

async function opened(assignment, model, sessionConfig) {
  const url = `${assignment.websocket_url}/v1/realtime`;
  const client = new RealtimeClient({ url, model, apiKey: assignment.key, sessionConfig });
  await client.connect();
  await client.waitForSessionCreated();
  return client;
}

function speak(client, pcm) {
  for (let start = 0; start < pcm.length; start += CHUNK_BYTES) {
    const piece = new Uint8Array(pcm.subarray(start, start + CHUNK_BYTES));
    client.appendInputAudio(new Int16Array(piece.buffer));
  }
}

/** Returns the assistant's message that is whole next. */
async function nextAnswer(client) {
  for (;;) {
    const { item } = await client.realtime.waitForNext("server.response.output_item.done");
    if (item.type === "message") return client.conversation.getItem(item.id);
  }
}

async function textTurn(client) {
  client.sendUserMessageContent([{ type: "input_text", text: "Hello there." }]);
  const { formatted, status } = await nextAnswer(client);
  return { answer: formatted.transcript, audio_bytes: formatted.audio.byteLength, status };
}

/** The client calls the function, tells what it returned as JSON, and asks for the answer itself. */
async function toolRound(client, called) {
  client.sendUserMessageContent([{ type: "input_text", text: "What is the weather?" }]);
  const { formatted } = await nextAnswer(client);
  return { arguments: called[0], answer: formatted.transcript.replaceAll('"', ""), calls: called.map(({ city }) => city) };
}

async function bargeIn(client, interruption) {
  let late = 0;
  let cancelled = null;
  client.sendUserMessageContent([{ type: "input_text", text: "Go on for ever." }]);
  const answer = await new Promise((resolve) => {
    client.on("conversation.updated", ({ item }) => {
      const isHeard = item.role === "assistant" && item.formatted.audio.length >= HEARD_SAMPLES;
      if (isHeard && item.status === "in_progress") resolve(item);
    });
  });
  client.realtime.on("server.response.audio.delta", ({ delta }) => (late += cancelled ? delta.length : 0));
  const done = client.realtime.waitForNext("server.response.done");
  speak(client, interruption);
  const { response } = await done;
  cancelled = response;
  const heard_bytes = answer.formatted.audio.byteLength;
  const truncated = client.realtime.waitForNext("server.conversation.item.truncated");
  const cut = { item_id: answer.id, content_index: 0, audio_end_ms: 100 };
  client.realtime.send("conversation.item.truncate", cut);
  await truncated;
  const late_bytes = late;
  speak(client, SILENCE);
  const { formatted } = await nextAnswer(client);
  return { heard_bytes, late_bytes, next_answer: formatted.transcript };
}

async function mistake(client) {
  const answer = client.realtime.waitForNext("server.error");
  client.realtime.send("conversation.item.delete", { item_id: "item_absent", event_id: "my_mistake" });
  const { code, message, event_id } = (await answer).error;
  return { code, message, event_id };
}

async function run(assignment) {
  const { version } = JSON.parse(readFileSync(LOCK, "utf8")).packages[PACKAGE];
  const found = { client: "openai-realtime-api", version };
  const detection = { turn_detection: { type: "server_vad" } };
  const { instructions, tool } = assignment;
  const scripted = await opened(assignment, assignment.scripted_model, { ...detection, instructions });
  const called = [];
  scripted.addTool(tool, ({ city }) => {
    called.push({ city });
    return `sunny in ${city}`;
  });
  found.text = await textTurn(scripted);
  found.tool = await toolRound(scripted, called);
  found.barge_in = await bargeIn(scripted, readFileSync(assignment.interruption));
  found.error = await mistake(scripted);
  scripted.disconnect();
  const hearing = { ...detection, input_audio_transcription: { model: "whisper-1" } };
  const spoken = await opened(assignment, assignment.spoken_model, hearing);
  const transcript = spoken.realtime.waitForNext("server.conversation.item.input_audio_transcription.completed");
  speak(spoken, Buffer.concat([readFileSync(assignment.question), SILENCE]));
  const { formatted } = await nextAnswer(spoken);
  const { formatted: asked } = spoken.conversation.getItem((await transcript).item_id);
  found.spoken = { heard: asked.transcript, answer: formatted.transcript, audio_bytes: formatted.audio.byteLength };
  spoken.disconnect();
  return found;
}

console.log(JSON.stringify(await run(JSON.parse(readFileSync(process.argv[2], "utf8")))));
