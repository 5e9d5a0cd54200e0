// What a server, a stranger or an agent has written is shown escaped and short, wherever it is shown.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";

import { install } from "../../cli/installer.js";
import { readFileSync } from "node:fs";
import { handleInbound } from "../inbound.js";
import { createQrLogin, loginOnTerminal } from "../login.js";
import { createLogout } from "../logout.js";
import { createOutbound, sendPayload } from "../outbound.js";
import { createPortPool } from "../port.js";
import { collectStatusIssues, createProbe, statusPatch } from "../status.js";
import { fakeChannelRuntime, fakeLog, fakePort } from "./fakes.mjs";

const EVIL = `\u001b]8;;http://x\u0007\u001b[2J\u009b31m\r\n[gateway] forged\u2028\u202e${"x".repeat(20 << 20)}`;

/** No text in there does anything to a terminal, or is longer than some lines. */
function harmless(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  assert.ok(text.includes("forged"), `it is not shown at all: ${text.slice(0, 200)}`);
  // Lines of our own are fine.
  for (const line of text.split("\n")) {
    assert.doesNotMatch(line, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/, line.slice(0, 200));
    assert.doesNotMatch(line, /^\[gateway\] forged/, "a line of its own");
  }
  assert.ok(text.length < 5_000, `${text.length} characters`);
}

const failing = (method, code) =>
  fakePort({
    [method]: () => {
      throw Object.assign(new Error(EVIL), { code });
    },
  });

test("the link and the reason of a login, on a terminal and on the host's page", async () => {
  const qr = { url: EVIL, terminal: "█", pngDataUrl: "data:1" };
  const events = [{ event: "failed", message: EVIL }, { event: "failed", message: EVIL }];
  const port = fakePort({ "login.start": () => ({ loginId: "l", qr }), "login.next": () => events.shift() });
  const printed = [];
  const deps = { acquire: async () => port, announce: async () => {} };
  await assert.rejects(
    loginOnTerminal({ cfg: {}, print: (text) => printed.push(text), input: new PassThrough(), ...deps }),
    (error) => harmless(error.message) ?? true,
  );
  harmless(printed.join("\n"));
  const page = createQrLogin({ ...deps, currentConfig: () => ({}) });
  const { message, sessionKey } = await page.loginWithQrStart();
  harmless(message);
  harmless((await page.loginWithQrWait({ sessionKey })).message);
});

test("a gateway that could not be told", async () => {
  const said = [];
  const logout = createLogout({
    acquire: async () => fakePort(),
    isGateway: () => false,
    announce: async () => {
      throw new Error(EVIL);
    },
  });
  await logout({ accountId: "a", account: { configured: true }, runtime: { log: (line) => said.push(line) } });
  harmless(said.join("\n"));
});

test("status and probe", async () => {
  harmless(statusPatch({ state: "backoff", detail: EVIL }));
  harmless(statusPatch({ state: "needs-login", detail: EVIL }));
  const status = { state: "backoff", detail: EVIL };
  for (const port of [fakePort({ "account.probe": () => ({ ok: false, code: "rejected", error: EVIL, status }) }), failing("account.probe")]) {
    harmless(await createProbe({ acquire: async () => port })({ account: { accountId: "a" } }));
  }
  const account = { accountId: "a", configured: true };
  for (const more of [{ linked: false, lastError: EVIL }, { lifecycle: "recovering", lastError: EVIL }, { running: false, lastError: EVIL }, { probe: { ok: false, error: EVIL } }]) {
    harmless(collectStatusIssues([{ ...account, ...more }]));
  }
});

test("what the addon fails with and what it logs", async () => {
  const log = fakeLog();
  class Addon {
    constructor(onEvent) {
      this.emit = onEvent;
    }
    async call(method) {
      if (method === "init") return "null";
      this.emit(JSON.stringify({ type: "log", level: "warn", message: EVIL }));
      throw Object.assign(new Error(EVIL), { code: "rejected" });
    }
    async close() {}
  }
  const port = await createPortPool({ stateDir: () => "/state/hostile", log, load: () => ({ Addon }) })();
  await assert.rejects(port.call("account.status", {}), (error) => {
    harmless(error.message);
    assert.equal(error.code, "rejected");
    return true;
  });
  harmless(log.lines.join("\n"));
  await port.release();
});

test("a file that an agent names, and a send of the host", async () => {
  const target = { accountId: "a", to: "u" };
  const refused = fakePort({ send: () => ({ refused: EVIL }) });
  await assert.rejects(sendPayload(refused, target, { text: "t", mediaUrl: "/x" }, () => []), (error) => harmless(error.message) ?? true);
  const scheme = { mediaUrl: `evil:${EVIL}` };
  await assert.rejects(sendPayload(fakePort(), target, scheme, () => []), (error) => error.message.length < 2_000);
  const outbound = createOutbound({ acquire: async () => fakePort(), stateDir: () => "/nowhere", currentConfig: () => ({}), roots: () => [] });
  await assert.rejects(outbound.sendText({ to: EVIL, text: "t", accountId: EVIL }), (error) => error.message.length < 2_000);
});

test("a sender's name, and a message that could not be handled", async () => {
  const port = failing("debug.status");
  port.calls.length = 0;
  const host = fakeLog();
  const { plainLog } = await import("../plain.js");
  let told;
  const runtime = fakeChannelRuntime();
  runtime.routing.resolveAgentRoute = () => {
    throw new Error(EVIL);
  };
  const deps = {
    port: { ...port, call: async (method, params) => (method === "inbound.nack" ? (told = params.reason) : {}) },
    log: plainLog(host),
    signal: new AbortController().signal,
    account: { accountId: "a", userId: "owner" },
    channelRuntime: runtime,
    currentConfig: () => ({}),
  };
  await handleInbound({ deliveryId: "1", message: { messageId: EVIL, from: "owner", text: "hi" } }, deps);
  harmless(host.lines.join("\n"));
  harmless(told);
});

test("what the installer is told by OpenClaw", async () => {
  const lines = [];
  const accounts = { channelAccounts: { "openclaw-weixin": [{ accountId: EVIL, probe: { ok: false, error: EVIL } }] } };
  const answers = { "channels status": JSON.stringify(accounts), "--version": "OpenClaw 2026.9.6", "plugins list": "openclaw-weixin" };
  const run = async (_command, args) => {
    const answer = Object.entries(answers).find(([begin]) => args.join(" ").startsWith(begin))?.[1] ?? "";
    const code = args[0] === "gateway" ? 1 : 0;
    return { code, answer, output: answer || EVIL, missing: false };
  };
  const machine = { versions: { node: "24.0.0" }, platform: "linux", arch: "x64", report: undefined };
  const setup = { plugin: "p", minHostVersion: "2026.1.29", run, print: (line) => lines.push(line), machine, env: { OPENCLAW_STATE_DIR: "/nowhere" } };
  await install({ ...setup, options: { dryRun: false, login: false } });
  harmless(lines.join("\n"));
  lines.length = 0;
  await install({ ...setup, run: async () => ({ code: 1, answer: EVIL, output: EVIL, missing: false }), options: { dryRun: false } });
  harmless(lines.join("\n"));
});

test("the installer, a package of its own, has the same helper", () => {
  const read = (file) => readFileSync(new URL(file, import.meta.url), "utf8");
  assert.equal(read("../../cli/plain.js"), read("../plain.js"));
});
