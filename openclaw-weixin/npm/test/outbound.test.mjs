import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { chooseAccount, createOutbound, sendPayload } from "../outbound.js";
import { fakePort } from "./fakes.mjs";

test("the only account is used; of several the addon finds out; none says how to log in", () => {
  assert.equal(chooseAccount(undefined, ["a"]), "a");
  assert.equal(chooseAccount("default", ["a"]), "a");
  assert.equal(chooseAccount("b@im.bot", ["a", "b-im-bot"]), "b-im-bot");
  assert.equal(chooseAccount(undefined, ["a", "b"]), undefined);
  assert.throws(() => chooseAccount(undefined, []), /channels login/);
  assert.throws(() => chooseAccount("c", ["a"]), /c is not logged in; use one of \[a\]/);
});

test("words and all that a payload attaches go as one answer; each piece once", async () => {
  const port = fakePort();
  const urls = ["https://x/1.png", "https://x/2.png"];
  await sendPayload(port, { accountId: "a", to: "u" }, { text: "see", mediaUrl: urls[0], mediaUrls: urls }, () => []);
  assert.deepEqual(port.called("send"), [
    { accountId: "a", to: "u", text: "see", media: urls.map((url) => ({ url, asFile: false })) },
  ]);
  assert.equal(await sendPayload(port, {}, { text: " " }, () => []), undefined);
});

test("a file that may not be sent is refused aloud, and what goes with it arrives", async () => {
  const port = fakePort({ send: () => ({ messageId: "7", refused: "/etc/passwd\r\n is not sent: there is no such file in /nowhere" }) });
  const payload = { text: "see", mediaUrls: ["/etc/passwd", "data:,x", "https://x/1.png"] };
  const sent = sendPayload(port, { accountId: "a", to: "u" }, payload, () => ["/nowhere"]);
  await assert.rejects(sent, /data: links cannot be sent/);
  const [{ text, media }] = port.called("send");
  assert.deepEqual([text, media.map(({ url, path: file }) => url ?? file)], ["see", ["/etc/passwd", "https://x/1.png"]]);
  const alone = sendPayload(port, {}, { mediaUrl: "/etc/passwd" }, () => ["/nowhere"]);
  await assert.rejects(alone, (error) => error.message.startsWith("/etc/passwd\\r\\n is not sent"));
});

test("the host's roots rule where it names them", async () => {
  const port = fakePort({ send: () => ({ messageId: "7" }), "account.infer": () => "b" });
  const state = mkdtempSync(path.join(tmpdir(), "weixin-"));
  mkdirSync(path.join(state, "openclaw-weixin"));
  writeFileSync(path.join(state, "openclaw-weixin", "accounts.json"), '["a"]');
  const file = path.join(state, "report.pdf");
  writeFileSync(file, "%PDF");
  const outbound = createOutbound({ acquire: async () => port, stateDir: () => state, currentConfig: () => ({}), roots: () => ["/default"] });
  const ctx = { to: "user:u@im.wechat", text: "", mediaUrl: file };
  const sent = await outbound.sendMedia({ ...ctx, mediaLocalRoots: [state], forceDocument: true });
  assert.deepEqual(sent, { channel: "openclaw-weixin", messageId: "7", chatId: "u@im.wechat" });
  const [{ accountId, to, media }] = port.called("send");
  assert.deepEqual([accountId, to], ["a", "u@im.wechat"]);
  assert.deepEqual(media, [{ path: file, roots: [state], asFile: true }]);
  await outbound.sendMedia({ ...ctx, mediaLocalRoots: [] });
  assert.deepEqual(port.called("send").at(-1).media[0].roots, [], "none is none");
  for (const unnamed of [undefined, "any"]) {
    await outbound.sendMedia({ ...ctx, mediaLocalRoots: unnamed });
    assert.deepEqual(port.called("send").at(-1).media[0].roots, [path.resolve("/default")]);
  }
  writeFileSync(path.join(state, "openclaw-weixin", "accounts.json"), '["a","b"]');
  await outbound.sendText({ to: "u@im.wechat", text: "which?" });
  assert.deepEqual([port.called("account.infer")[0], port.called("send").at(-1).accountId], [{ to: "u@im.wechat" }, "b"]);
  rmSync(state, { recursive: true });
});
