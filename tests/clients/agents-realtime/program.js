/** The stock `@openai/agents-realtime` in Node: `node program.js ASSIGNMENT.json` prints what it did as JSON. */

import { readFileSync } from "node:fs";
import * as sdk from "@openai/agents-realtime";
import { z } from "zod";
import { converse } from "./conversation.js";

const assignment = JSON.parse(readFileSync(process.argv[2], "utf8"));
const installed = new URL("node_modules/@openai/agents-realtime/package.json", import.meta.url);
const calls = [];
const tool = sdk.tool({
  name: "get_weather",
  description: "Tell the weather of a city.",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    calls.push(city);
    return `sunny in ${city}`;
  },
});
const [question, interruption] = [assignment.question, assignment.interruption].map(
  (path) => new Uint8Array(readFileSync(path)),
);
const found = await converse(sdk, { ...assignment, question, interruption }, tool);
found.tool.calls = calls;
const { version } = JSON.parse(readFileSync(installed, "utf8"));
console.log(JSON.stringify({ client: "@openai/agents-realtime (Node)", version, ...found }));
