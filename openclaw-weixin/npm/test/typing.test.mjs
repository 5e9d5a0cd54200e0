import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { createHeartbeat, turnTyping } from "../typing.js";
import { fakeLog, fakePort } from "./fakes.mjs";

const state = mkdtempSync(path.join(tmpdir(), "weixin-"));
after(() => rmSync(state, { recursive: true }));
mkdirSync(path.join(state, "openclaw-weixin"));
writeFileSync(path.join(state, "openclaw-weixin", "accounts.json"), '["a","b"]');

function heartbeat() {
  const port = fakePort({ "account.infer": () => "b" });
  return { port, ...createHeartbeat({ acquire: async () => port, stateDir: () => state }) };
}
const signs = (port) => port.called("typing").map(({ accountId, to, on }) => [accountId, to, on]);

test("a turn's typing is asked for once, taken back once, and may fail", async () => {
  const port = fakePort({ typing: () => Promise.reject(new Error("no ticket")) });
  const log = fakeLog();
  const typing = turnTyping({ port, accountId: "a", to: "u", log });
  await typing.onReplyStart();
  await typing.onReplyStart();
  typing.onIdle();
  typing.onCleanup();
  assert.deepEqual(signs(port), [["a", "u", true], ["a", "u", false]]);
  await new Promise(setImmediate);
  assert.deepEqual(log.lines, Array(2).fill("debug: [a] typing not shown: no ticket"));
});

test("a heartbeat types from the account that it names, else from the one that the addon finds", async () => {
  const { port, sendTyping, clearTyping } = heartbeat();
  await sendTyping({ to: "user:u@im.wechat", accountId: "a" });
  await clearTyping({ to: "u@im.wechat" });
  assert.deepEqual(signs(port), [["a", "u@im.wechat", true], ["b", "u@im.wechat", false]]);
  assert.equal(port.released, 2);
});

test("guarded typing asks the guard first and ends with its signal", async () => {
  const { port, sendTypingGuarded } = heartbeat();
  const refuse = () => {
    throw new Error("not authorised");
  };
  const controller = new AbortController();
  const target = { to: "u", accountId: "a", signal: controller.signal };
  await assert.rejects(sendTypingGuarded({ ...target, assertPlatformSendAuthorized: refuse }), /not authorised/);
  await sendTypingGuarded({ ...target, assertPlatformSendAuthorized: () => {} });
  controller.abort();
  await new Promise(setImmediate);
  await assert.rejects(sendTypingGuarded({ ...target, assertPlatformSendAuthorized: () => {} }), { name: "AbortError" });
  assert.deepEqual(signs(port), [["a", "u", true], ["a", "u", false]]);
});
