import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { chooseAccount, createOutbound, createReplySender } from "../outbound.js";
import { fakePort } from "./fakes.mjs";

test("the only account is used; several must be named; none says how to log in", () => {
  assert.equal(chooseAccount(undefined, ["a"]), "a");
  assert.equal(chooseAccount("default", ["a"]), "a");
  assert.equal(chooseAccount("b@im.bot", ["a", "b-im-bot"]), "b-im-bot");
  assert.throws(() => chooseAccount(undefined, ["a", "b"]), /--account: a, b/);
  assert.throws(() => chooseAccount(undefined, []), /channels login/);
  assert.throws(() => chooseAccount("c", ["a"]), /c is not logged in; use one of \[a\]/);
});

test("media goes with its text as the caption of the first; each once", async () => {
  const port = fakePort();
  const sender = createReplySender({ port, accountId: "a", to: "u", roots: () => [] });
  const urls = ["https://x/1.png", "https://x/2.png"];
  await sender.deliver({ text: "see", mediaUrl: urls[0], mediaUrls: urls });
  const sent = port.called("send.media").map(({ url, caption }) => [url, caption]);
  assert.deepEqual(sent, [[urls[0], "see"], [urls[1], undefined]]);
  assert.deepEqual(port.called("send.text"), []);
  assert.equal(sender.delivered(), 1);
});

test("a file that may not be sent is refused aloud, and its caption arrives", async () => {
  const port = fakePort();
  const sender = createReplySender({ port, accountId: "a", to: "u", roots: () => ["/nowhere"] });
  await assert.rejects(sender.deliver({ text: "see", mediaUrl: "/etc/passwd" }), /\/etc\/passwd is not sent.*\/nowhere/);
  assert.deepEqual(port.called("send.text").map(({ text }) => text), ["see"]);
  assert.deepEqual(port.called("send.media"), []);
});

test("the host's roots rule where it names them", async () => {
  const port = fakePort({ "send.media": () => ({ messageId: "7" }) });
  const state = mkdtempSync(path.join(tmpdir(), "weixin-"));
  mkdirSync(path.join(state, "openclaw-weixin"));
  writeFileSync(path.join(state, "openclaw-weixin", "accounts.json"), '["a"]');
  const file = path.join(state, "report.pdf");
  writeFileSync(file, "%PDF");
  const outbound = createOutbound({ acquire: async () => port, stateDir: () => state, currentConfig: () => ({}) });
  const ctx = { to: "user:u@im.wechat", text: "", mediaUrl: file };
  const sent = await outbound.sendMedia({ ...ctx, mediaLocalRoots: [state], forceDocument: true });
  assert.deepEqual(sent, { channel: "openclaw-weixin", messageId: "7", chatId: "u@im.wechat" });
  const [params] = port.called("send.media");
  assert.deepEqual([params.accountId, params.to, params.asFile, params.path.endsWith("report.pdf")], ["a", "u@im.wechat", true, true]);
  await assert.rejects(outbound.sendMedia({ ...ctx, mediaLocalRoots: [] }), /is not sent/);
  await assert.rejects(outbound.sendMedia(ctx), /is not sent/);
  rmSync(state, { recursive: true });
});
