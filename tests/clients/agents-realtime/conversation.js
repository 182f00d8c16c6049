/** What the program for Node and the page for browsers do alike with the stock `@openai/agents-realtime`. */

const CHUNK_BYTES = 4800; // 100 ms of pcm16 at 24 kHz
const SILENCE = new Uint8Array(2 * 24_000); // a second: ends a turn
const HEARD_BYTES = 24_000;

/** Waits for a session's events, which may have come already. */
class Listener {
  constructor(session) {
    this.session = session;
    this.audioBytes = 0;
    this.seen = [];
    this.wake = () => {};
    for (const type of ["agent_end", "agent_tool_end", "audio_interrupted", "error"]) {
      session.on(type, (...details) => this.keep(type, details));
    }
    session.on("audio", (event) => {
      this.audioBytes += event.data.byteLength;
      this.wake();
    });
    session.on("history_updated", () => this.wake());
  }

  keep(type, details) {
    this.seen.push({ type, details });
    this.wake();
  }

  async holds(isReached) {
    while (!isReached()) await new Promise((resolve) => (this.wake = resolve));
  }

  /** Return the first event of a type that was not returned before; an error that is not waited for is thrown. */
  async next(type) {
    let found;
    await this.holds(() => {
      const failure = this.seen.find((event) => event.type === "error");
      if (failure && type !== "error") throw new Error(JSON.stringify(failure.details));
      found = this.seen.find((event) => event.type === type);
      return found;
    });
    this.seen.splice(0, this.seen.indexOf(found) + 1);
    return found.details;
  }
}

function lastSaid(session, role) {
  const messages = session.history.filter((item) => item.type === "message" && item.role === role);
  const parts = messages.at(-1)?.content ?? [];
  return parts.map((part) => part.transcript ?? part.text ?? "").join("");
}

function speak(session, pcm) {
  for (let start = 0; start < pcm.length; start += CHUNK_BYTES) {
    session.sendAudio(pcm.slice(start, start + CHUNK_BYTES).buffer);
  }
}

async function textTurn(session, listener) {
  session.sendMessage("Hello there.");
  const [, , answer] = await listener.next("agent_end");
  return { answer, audio_bytes: listener.audioBytes };
}

async function toolRound(session, listener) {
  session.sendMessage("What is the weather?");
  const [, , , , details] = await listener.next("agent_tool_end");
  await listener.holds(() => lastSaid(session, "assistant").includes("sunny"));
  await listener.next("agent_end");
  return { arguments: JSON.parse(details.toolCall.arguments), answer: lastSaid(session, "assistant") };
}

/** Speak over an answer once half a second of it has come; the SDK interrupts and truncates by itself. */
async function bargeIn(session, listener, interruption) {
  session.sendMessage("Go on for ever.");
  const before = listener.audioBytes;
  await listener.holds(() => listener.audioBytes > before + HEARD_BYTES);
  speak(session, interruption);
  await listener.next("audio_interrupted");
  await listener.next("agent_end");
  const heard = listener.audioBytes;
  speak(session, SILENCE);
  const [, , next_answer] = await listener.next("agent_end");
  return { heard_bytes: heard - before, next_answer };
}

async function mistake(session, listener) {
  session.transport.sendEvent({ type: "conversation.item.delete", item_id: "item_absent", event_id: "my_mistake" });
  const [{ error }] = await listener.next("error");
  const { code, message, event_id } = error.error ?? error;
  return { code, message, event_id };
}

async function spokenTurn(session, listener, question) {
  speak(session, question);
  speak(session, SILENCE);
  const [, , answer] = await listener.next("agent_end");
  await listener.holds(() => lastSaid(session, "user"));
  return { heard: lastSaid(session, "user"), answer, audio_bytes: listener.audioBytes };
}

/**
 * Hold both conversations of an assignment and return what they gave.
 *
 * @param sdk the module `@openai/agents-realtime`, which is a bundle in browsers.
 * @param assignment `keys` has a client secret for each model, where there is no `key`.
 */
export async function converse(sdk, assignment, tool) {
  const found = {};
  const config = { audio: { input: { transcription: { model: "whisper-1" } } } };
  const open = async (agent, model) => {
    const session = new sdk.RealtimeSession(agent, { transport: "websocket", model, config });
    const listener = new Listener(session);
    const url = `${assignment.websocket_url}/v1/realtime?model=${model}`;
    await session.connect({ apiKey: assignment.keys?.[model] ?? assignment.key, url });
    return [session, listener];
  };
  const { instructions } = assignment;
  const clerk = new sdk.RealtimeAgent({ name: "Clerk", instructions, tools: [tool] });
  const [scripted, listener] = await open(clerk, assignment.scripted_model);
  found.text = await textTurn(scripted, listener);
  found.tool = await toolRound(scripted, listener);
  found.barge_in = await bargeIn(scripted, listener, assignment.interruption);
  found.error = await mistake(scripted, listener);
  scripted.close();
  const host = new sdk.RealtimeAgent({ name: "Host", instructions: "Be brief." });
  const [spoken, spokenListener] = await open(host, assignment.spoken_model);
  found.spoken = await spokenTurn(spoken, spokenListener, assignment.question);
  spoken.close();
  return found;
}
