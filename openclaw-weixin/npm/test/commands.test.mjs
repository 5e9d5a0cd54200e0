import assert from "node:assert/strict";
import { test } from "node:test";

import { answerCommand, turnTrace } from "../commands.js";

async function answer(text, { authorized = true, debug = true } = {}) {
  const replies = [];
  const ours = await answerCommand({
    text,
    authorized,
    receivedAt: 1100,
    timestampMs: 1000,
    now: () => 1107,
    reply: async (line) => replies.push(line),
    toggleDebug: async () => debug,
  });
  return { ours, replies };
}

test("/echo answers with the text and the times", async () => {
  assert.deepEqual(await answer("/echo hello\nthere"), {
    ours: true,
    replies: ["hello\nthere", "⏱ 100 ms from WeChat, 7 ms here"],
  });
  assert.deepEqual((await answer(" /ECHO ")).replies, ["⏱ 100 ms from WeChat, 7 ms here"]);
});

test("/toggle-debug says how it is now", async () => {
  assert.match((await answer("/toggle-debug")).replies[0], /is on/);
  assert.match((await answer("/toggle-debug", { debug: false })).replies[0], /is off/);
});

test("everything else is the host's, and so is everything of those who may not use commands", async () => {
  for (const text of ["/status", "/echoes", "echo hi", "hello /echo", "/", "", undefined]) {
    assert.deepEqual(await answer(text), { ours: false, replies: [] }, String(text));
  }
  assert.deepEqual(await answer("/echo hi", { authorized: false }), { ours: false, replies: [] });
});

test("debug mode's line", () => {
  const trace = turnTrace({ receivedAt: 1100, timestampMs: 1000, dispatchedAt: 1110, endedAt: 2000, replies: 2 });
  assert.equal(trace, "⏱ 100 ms from WeChat, 10 ms before the agent, 890 ms with it, 2 replies");
});
