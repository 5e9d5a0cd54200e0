import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { createChannel } from "../channel.js";
import entry from "../index.js";
import { fakeChannelRuntime, fakeLog } from "./fakes.mjs";

const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), "utf8"));
const manifest = read("openclaw.plugin.json");
const description = read("package.json");

/** An addon that remembers its calls and hands out its event callback. */
function fakeAddon() {
  const addon = { calls: [], closed: 0 };
  addon.load = () => ({
    Addon: class {
      constructor(onEvent) {
        addon.emit = (event) => onEvent(JSON.stringify(event));
      }
      async call(method, params) {
        addon.calls.push(method);
        if (method === addon.fail) throw Object.assign(new Error("account a is in use"), { code: "account-locked" });
        return JSON.stringify(JSON.parse(params));
      }
      async close() {
        addon.closed += 1;
      }
    },
  });
  return addon;
}

function account(addon, extra = {}) {
  const log = fakeLog();
  const controller = new AbortController();
  let status = { accountId: "a" };
  const api = { logger: log, config: {}, runtime: { state: { resolveStateDir: () => "/nowhere" } } };
  const ctx = {
    accountId: "a",
    account: { accountId: "a", userId: "owner" },
    abortSignal: controller.signal,
    channelRuntime: fakeChannelRuntime(),
    getStatus: () => status,
    setStatus: (next) => (status = next),
    ...extra,
  };
  const channel = createChannel(api, addon.load);
  return { log, controller, status: () => status, run: () => channel.gateway.startAccount(ctx) };
}

test("entry, manifest and package agree, and registering loads nothing native", () => {
  assert.equal(entry.id, manifest.id);
  assert.deepEqual(manifest.channels, [entry.id]);
  assert.ok(manifest.channelConfigs[entry.id].schema);
  assert.equal(description.openclaw.channel.id, entry.id);
  assert.deepEqual(description.openclaw.extensions, ["./index.js"]);
  assert.equal(description.dependencies, undefined);
  assert.equal(description.scripts, undefined);
  const registered = [];
  entry.register({ registerChannel: ({ plugin }) => registered.push(plugin) });
  assert.equal(registered[0].id, entry.id);
  assert.equal(registered[0].outbound.deliveryMode, "gateway");
});

test("an account that is listed is logged out, however its id is written", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "weixin-"));
  try {
    mkdirSync(path.join(folder, "openclaw-weixin"));
    writeFileSync(path.join(folder, "openclaw-weixin", "accounts.json"), '["b0f5-im-bot"]');
    const addon = fakeAddon();
    const api = { logger: fakeLog(), config: {}, runtime: { state: { resolveStateDir: () => folder } } };
    const { config, gateway } = createChannel(api, addon.load);
    const logout = (accountId) => gateway.logoutAccount({ accountId, account: config.resolveAccount({}, accountId) });
    assert.equal((await logout("B0F5@im.bot")).cleared, true);
    assert.ok(addon.calls.includes("account.logout"));
    assert.equal((await logout("c0f5@im.bot")).cleared, false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("an account runs until its signal, then lets go of everything", async () => {
  const addon = fakeAddon();
  const { controller, status, run, log } = account(addon);
  const running = run();
  while (!log.lines.some((line) => line.includes("started"))) await new Promise(setImmediate);
  addon.emit({ type: "status", accountId: "a", state: "online" });
  assert.equal(status().connected, true);
  addon.emit({ type: "status", accountId: "a", state: "needs-login", detail: "scan again" });
  assert.deepEqual([status().connected, status().lifecycle, status().lastError], [false, "blocked", "scan again"]);
  addon.emit({
    type: "inbound",
    accountId: "a",
    deliveryId: "1",
    message: { messageId: "1", from: "owner", to: "a", text: "hi" },
  });
  while (!addon.calls.includes("inbound.ack")) await new Promise(setImmediate);
  controller.abort();
  await running;
  assert.equal(addon.calls.at(-1), "account.stop");
  assert.equal(addon.closed, 1);
});

test("a signal that is aborted already starts nothing", async () => {
  const addon = fakeAddon();
  const { controller, run } = account(addon);
  controller.abort();
  await run();
  assert.deepEqual(addon.calls, []);
});

test("an account that cannot start says why and lets go", async () => {
  const addon = fakeAddon();
  addon.fail = "account.start";
  await assert.rejects(account(addon).run(), { code: "account-locked" });
  assert.equal(addon.closed, 1);
});

test("a host without channel helpers is told to update", async () => {
  const { run } = account(fakeAddon(), { channelRuntime: undefined });
  await assert.rejects(run(), /npm install -g openclaw@latest/);
});
