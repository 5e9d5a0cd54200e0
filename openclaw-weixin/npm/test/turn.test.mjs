import assert from "node:assert/strict";
import { test } from "node:test";

import { createReplySender, toolSign } from "../turn.js";
import { fakePort } from "./fakes.mjs";

const sender = (port) => createReplySender({ port, accountId: "a", to: "u", roots: () => [] });
const methods = (port) => port.calls.map(({ method, params }) => [method, params.text ?? params.status ?? params.name]);

test("blocks go as blocks, answers as answers, and what waits at the end", async () => {
  const port = fakePort({ send: () => ({ outcome: "accepted", messageId: "9" }), "turn.block": () => ({ outcome: "waiting" }) });
  const run = sender(port);
  assert.deepEqual(await run.deliver({ text: "one" }, { kind: "block" }), { visibleReplySent: true, messageIds: [] });
  await run.deliver({ text: " " }, { kind: "block" });
  await run.deliver({ text: "two", mediaUrl: "https://x/1.png" }, { kind: "block" });
  assert.deepEqual(await run.deliver({ text: "three" }, { kind: "final" }), { visibleReplySent: true, messageIds: ["9"] });
  assert.deepEqual(await run.deliver({ text: "" }, { kind: "final" }), { visibleReplySent: false, messageIds: [] });
  await run.end();
  assert.deepEqual(methods(port), [["turn.block", "one"], ["send", "two"], ["send", "three"], ["turn.end", undefined]]);
  assert.equal(run.delivered(), 3);
  assert.equal(new Set(port.calls.map(({ params }) => params.runId)).size, 1);
});

test("tools are shown in order, before the answer, and never stand in its way", async () => {
  const port = fakePort({ "turn.tool": () => Promise.reject(new Error("budget")) });
  const run = sender(port);
  run.item({ kind: "tool", phase: "start", name: "read", toolCallId: "c1" });
  run.item({ kind: "tool", phase: "update", name: "read", toolCallId: "c1" });
  run.item({ kind: "reasoning", phase: "start", itemId: "r1" });
  run.item({ kind: "tool", phase: "end", name: "read", toolCallId: "c1", status: "failed" });
  await run.deliver({ text: "done" }, { kind: "final" });
  assert.deepEqual(methods(port), [["turn.tool", "read"], ["turn.tool", "failed"], ["send", "done"]]);
});

test("a tool's sign has a name, and a state that phones know", () => {
  assert.deepEqual(toolSign({ kind: "tool", phase: "start", title: "Read a file", itemId: "i" }), { name: "Read a file", call: "i" });
  assert.deepEqual(toolSign({ kind: "tool", phase: "end", itemId: "i", status: "odd" }), { name: "tool", call: "i", status: "unknown" });
  assert.equal(toolSign({ kind: "tool", phase: "start", name: "no id" }), undefined);
});
