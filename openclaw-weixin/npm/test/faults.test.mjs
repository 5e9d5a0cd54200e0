// Nothing that happens at the addon's boundary may take the gateway down: every fault of every method, while an
// account runs a turn, is probed, logged out, logged in and stopped. A rejection that nobody handles ends Node.js.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { createChannel } from "../channel.js";
import { loadAddon } from "../loader.js";
import { fakeChannelRuntime, fakeLog } from "./fakes.mjs";

const METHODS = [
  "init",
  "account.start",
  "account.stop",
  "account.probe",
  "account.logout",
  "inbound.ack",
  "inbound.dismiss",
  "inbound.media",
  "inbound.nack",
  "send",
  "turn.block",
  "turn.tool",
  "turn.end",
  "account.infer",
  "debug.status",
  "debug.toggle",
  "typing",
  "login.start",
  "login.next",
  "login.cancel",
];

const never = () => new Promise(() => {});
const FAULTS = {
  "throws at once": () => {
    throw new Error("thrown");
  },
  rejects: () => Promise.reject(Object.assign(new Error("rejected"), { code: "internal" })),
  "rejects with nothing": () => Promise.reject(undefined),
  "answers no JSON": () => Promise.resolve("<html>"),
  "answers null": () => Promise.resolve("null"),
  hangs: never,
};

/** Good answers, but for one method. */
function brokenAddon(method, fault) {
  const answers = {
    "account.probe": { ok: true, status: { state: "online", pending: 0 } },
    "login.start": { loginId: "l", qr: { url: "u", terminal: "t", pngDataUrl: "d" } },
    "inbound.media": [{ outcome: "failed", error: "HTTP 404" }],
    "login.next": { event: "confirmed", accountId: "a", replaced: [], unhandled: 0 },
  };
  const addon = { called: new Set() };
  addon.load = () => ({
    Addon: class {
      constructor(onEvent) {
        addon.emit = onEvent;
      }
      call(name) {
        addon.called.add(name);
        return name === method ? fault() : Promise.resolve(JSON.stringify(answers[name] ?? null));
      }
      close = () => (method === "close" ? fault() : Promise.resolve());
    },
  });
  return addon;
}

/** A turn with all that an agent may do: tools, a block, an answer with a picture. */
async function agent(deliver, { replyOptions }) {
  for (const phase of ["start", "end"]) replyOptions.onItemEvent({ kind: "tool", phase, name: "read", toolCallId: "1" });
  await deliver({ text: "hold on" }, { kind: "block" });
  await deliver({ text: "hello", mediaUrl: "https://x/a.png" }, { kind: "final" });
}

const states = mkdtempSync(path.join(tmpdir(), "weixin-"));
after(() => rmSync(states, { recursive: true }));

/** A state folder with two accounts. */
function stateFolder() {
  const state = mkdtempSync(path.join(states, "state-"));
  mkdirSync(path.join(state, "openclaw-weixin"));
  writeFileSync(path.join(state, "openclaw-weixin", "accounts.json"), '["a","b"]');
  return state;
}

/** Everything that a host does with an account; returns once nothing moves any more. */
async function live(addon, { setStatus = () => {} } = {}) {
  const log = fakeLog();
  const state = stateFolder();
  const api = { logger: log, config: {}, runtime: { state: { resolveStateDir: () => state }, config: {} } };
  const channel = createChannel(api, addon.load);
  const controller = new AbortController();
  const account = { accountId: "a", userId: "owner", configured: true, dmPolicy: "pairing", allowFrom: [] };
  const host = {
    accountId: "a",
    account,
    abortSignal: controller.signal,
    channelRuntime: fakeChannelRuntime({ reply: agent }),
    getStatus: () => ({ accountId: "a" }),
    setStatus,
  };
  const ends = [];
  const watch = (promise) => ends.push(Promise.resolve(promise).then(() => "ok", (error) => error ?? "nothing"));
  const started = Promise.resolve(channel.gateway.startAccount(host));
  watch(started);
  await settle();
  const messages = [
    { from: "owner", text: "hi", media: 1 },
    { from: "owner", text: "/toggle-debug", media: 0 },
    { from: "stranger", text: "hi", media: 1 },
  ];
  for (const [index, message] of messages.entries()) {
    const deliveryId = String(index + 1);
    addon.emit?.(JSON.stringify({ type: "inbound", accountId: "a", deliveryId, message: { messageId: deliveryId, to: "a", timestampMs: 1, ...message } }));
  }
  for (const event of ["{", "null", "7", '{"type":"log"}', '{"type":"status","accountId":"a"}', '{"type":"new"}']) addon.emit?.(event);
  watch(channel.status.probeAccount({ account, cfg: {} }));
  watch(channel.outbound.sendText({ to: "owner", text: "x" }));
  watch(channel.heartbeat.sendTyping({ to: "owner", accountId: "a" }));
  watch(channel.auth.login({ cfg: {}, runtime: { log: () => {} } }));
  watch(channel.gateway.loginWithQrStart({}).then(({ sessionKey }) => channel.gateway.loginWithQrWait({ sessionKey, timeoutMs: 1 })));
  await settle();
  watch(channel.gateway.logoutAccount({ accountId: "a", account, runtime: { log: () => {} } }));
  controller.abort();
  await started.catch(() => {});
  await settle();
  return { log, ends };
}

/** Some turns of the event loop in which no file is waited for: those take as long as the disk wants. */
async function settle() {
  for (let quiet = 0; quiet < 20; quiet += 1) {
    await new Promise(setImmediate);
    if (process.getActiveResourcesInfo().some((resource) => /^FSReq|^FileHandle/.test(resource))) quiet = 0;
  }
}

/** Runs `body` and fails if anything was left unhandled meanwhile. */
async function nothingUnhandled(body) {
  const stray = [];
  const note = (error) => stray.push(error);
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
  try {
    await body();
    await settle();
  } finally {
    process.off("unhandledRejection", note);
    process.off("uncaughtException", note);
  }
  assert.deepEqual(stray, []);
}

for (const [name, fault] of Object.entries(FAULTS)) {
  for (const method of [...METHODS, "close"]) {
    test(`${method} ${name}`, { timeout: 20_000 }, () =>
      nothingUnhandled(async () => {
        const addon = brokenAddon(method, fault);
        await live(addon);
        if (method !== "close" && method !== "inbound.nack") assert.ok(addon.called.has(method), `${method} was never called`);
      }));
  }
}

test("an addon that is not there is one sentence that names the platform and what to do", () =>
  nothingUnhandled(async () => {
    const load = () =>
      loadAddon(() => {
        throw new Error("Cannot find module");
      }, new Map());
    const { ends } = await live({ load });
    const [started] = await Promise.all(ends);
    assert.match(started.message, new RegExp(`no addon for ${process.platform}-${process.arch}.*plugins install`));
  }));

test("a host whose status table throws still gets its messages handled", () =>
  nothingUnhandled(async () => {
    const addon = brokenAddon();
    const { log } = await live(addon, {
      setStatus: () => {
        throw new Error("no table");
      },
    });
    assert.ok(addon.called.has("inbound.ack"));
    assert.ok(log.lines.some((line) => /event handler failed.*no table/.test(line)));
  }));
