// Which files the built addon sends: as addon.test.mjs, without OpenClaw.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

const addon = process.env.WEIXIN_ADDON;
assert.ok(addon, "WEIXIN_ADDON must name the built addon; run `cargo xtask ci --fast`");
const { Addon } = createRequire(import.meta.url)(addon);

let folder;
let root;
before(() => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), "weixin-files-")));
  root = path.join(folder, "root");
  mkdirSync(path.join(root, "sub"), { recursive: true });
  writeFileSync(path.join(root, "a.png"), "");
  writeFileSync(path.join(folder, "secret"), "");
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What becomes of a send of a file alone. The account has no login: what may be sent gets as far as that. */
async function send(named, roots = [root], { to = "u@im.wechat", ...settings } = {}) {
  const instance = new Addon(() => {});
  try {
    await instance.call("init", JSON.stringify({ stateDir: path.join(folder, "state"), ...settings }));
    const params = { accountId: "a", to, media: [{ path: named, roots }] };
    return await instance.call("send", JSON.stringify(params)).then(assert.fail, (error) => error);
  } finally {
    await instance.close();
  }
}

test("files come from below the roots only, whatever leads there", async () => {
  for (const named of [path.join(root, "a.png"), "a.png", path.join("sub", "..", "a.png")]) {
    assert.equal((await send(named)).code, "unknown-account", named);
  }
  assert.equal((await send("a.png", [path.join(folder, "none"), root])).code, "unknown-account");
  for (const named of [path.join(folder, "secret"), path.join("..", "secret"), "missing.png", ""]) {
    assert.match((await send(named)).message, /is not sent: .*root/, named);
  }
  assert.match((await send("a.png", [])).message, /is not sent/);
  assert.match((await send(path.join(root, "a.png"), [path.parse(root).root])).message, /is not sent/, "any file is no folder");
});

test("links lead nowhere else", { skip: process.platform === "win32" }, async () => {
  symlinkSync(path.join(folder, "secret"), path.join(root, "link"));
  symlinkSync(path.join("..", "secret"), path.join(root, "up"));
  symlinkSync(folder, path.join(root, "out"));
  symlinkSync("a.png", path.join(root, "inside"));
  symlinkSync(root, path.join(folder, "alias"));
  linkSync(path.join(folder, "secret"), path.join(root, "hard"));
  for (const named of ["link", "up", path.join("out", "secret")]) {
    assert.match((await send(named)).message, /is not sent: there is no such file/, named);
  }
  assert.match((await send("hard")).message, /hard is not sent: .*a hard link.*send the copy/);
  assert.equal((await send("inside")).code, "unknown-account");
  assert.equal((await send("a.png", [path.join(folder, "alias")])).code, "unknown-account");
});

test("what is no regular file is refused, and not waited for", { timeout: 20_000 }, async () => {
  assert.match((await send("sub")).message, /is not sent: .*not a regular file/);
  if (process.platform === "win32") return;
  execFileSync("mkfifo", [path.join(root, "pipe")]);
  assert.match((await send("pipe")).message, /pipe is not sent: .*not a regular file/);
  assert.match((await send("null", ["/dev"])).message, /not a regular file/);
});

test("what one user has sent is sent to no other, whatever the file is called now", async () => {
  const state = path.join(folder, "state", "openclaw-weixin");
  mkdirSync(state, { recursive: true });
  const md5 = (text) => createHash("md5").update(text).digest("hex");
  const line = { size: 4, md5: md5("of B"), from: md5("a\nB@im.wechat"), at: Math.floor(Date.now() / 1000) };
  writeFileSync(path.join(state, "received-media.jsonl"), `${JSON.stringify(line)}\n`);
  writeFileSync(path.join(root, "copy.txt"), "of B");
  assert.match((await send("copy.txt")).message, /copy\.txt is not sent: .*another WeChat user.*shareReceivedMedia/);
  assert.equal((await send("copy.txt", [root], { to: "B@im.wechat" })).code, "unknown-account");
  assert.equal((await send("copy.txt", [root], { shareReceivedMedia: true })).code, "unknown-account");
  // Whoever has logged the bot in.
  mkdirSync(path.join(state, "accounts"), { recursive: true });
  writeFileSync(path.join(state, "accounts.json"), '["a"]');
  writeFileSync(path.join(state, "accounts", "a.json"), '{"token":"t","userId":"owner@im.wechat"}');
  assert.equal((await send("copy.txt", [root], { to: "owner@im.wechat" })).code, "no-context");
  rmSync(state, { recursive: true });
});

test("what an agent calls a file does nothing to a log", async () => {
  const { message } = await send(`no\r\n[gateway] forged\u001b[2J${"x".repeat(1 << 20)}`);
  assert.ok(message.startsWith("no\\r\\n[gateway] forged\\u{1b}[2Jxxx") && message.length < 1_100, message.slice(0, 200));
});
