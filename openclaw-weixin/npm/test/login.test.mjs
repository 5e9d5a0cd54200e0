import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";

import { bumpConfig, createQrLogin, loginOnTerminal } from "../login.js";
import { fakePort } from "./fakes.mjs";

const QR = { url: "https://liteapp/q/1", terminal: "█▀▄", pngDataUrl: "data:1" };

const confirmed = (accountId, replaced = [], unhandled = 0) => ({ event: "confirmed", accountId, replaced, unhandled });

/** A login that goes through `events`. */
function loginPort(events) {
  const rest = [...events];
  return fakePort({
    "login.start": () => ({ loginId: "l1", qr: QR }),
    "login.next": () => rest.shift() ?? new Promise(() => {}),
  });
}

async function login(events, { input = new PassThrough(), announce = async () => {}, cfg = {} } = {}) {
  const port = loginPort(events);
  const printed = [];
  const outcome = await loginOnTerminal({
    cfg,
    print: (text) => printed.push(text),
    acquire: async () => port,
    announce,
    input,
  }).catch((error) => error);
  return { port, outcome, text: printed.join("\n") };
}

test("draws the code and the link, follows the phone, tells the gateway", async () => {
  let announced = 0;
  const cfg = { channels: { "openclaw-weixin": { baseUrl: "http://127.0.0.1:1" } } };
  const { port, outcome, text } = await login(
    [{ event: "scanned" }, { event: "redirected" }, confirmed("a-im-bot")],
    { cfg, announce: async () => void (announced += 1) },
  );
  assert.equal(outcome, undefined);
  assert.equal(port.called("login.start")[0].baseUrl, "http://127.0.0.1:1");
  assert.match(text, /█▀▄[^]*https:\/\/liteapp\/q\/1[^]*Scanned[^]*Connected: account a-im-bot/);
  assert.equal(announced, 1);
  assert.equal(port.released, 1);
});

test("says which account the login replaces, and what was not answered there", async () => {
  const { text } = await login([confirmed("b", ["a"])]);
  assert.ok(text.endsWith("Connected: account b. It replaces a."), text);
  const unanswered = await login([confirmed("b", ["a"], 2)]);
  assert.match(unanswered.text, /replaces a\. 2 messages to it were not answered yet: .* write again\./);
});

test("digits come line by line, also when the pipe held them all before", async () => {
  const input = new PassThrough();
  input.write("\n12 34\n5678\n");
  const { port, outcome, text } = await login(
    [{ event: "verifyCodeNeeded" }, { event: "verifyCodeNeeded", retry: true }, confirmed("a")],
    { input },
  );
  assert.equal(outcome, undefined);
  assert.deepEqual(port.called("login.verify").map(({ code }) => code), ["1234", "5678"]);
  assert.match(text, /digits were wrong/);
});

test("a typing mistake is asked for again", async () => {
  const input = new PassThrough();
  input.write("abc\n123\n");
  const port = loginPort([{ event: "verifyCodeNeeded" }, { event: "alreadyBound" }]);
  const call = port.call;
  port.call = async (method, params) => {
    const answer = await call(method, params);
    if (params.code === "abc") throw Object.assign(new Error("digits only"), { code: "invalid-input" });
    return answer;
  };
  const printed = [];
  await loginOnTerminal({ cfg: {}, print: (text) => printed.push(text), acquire: async () => port, input });
  assert.deepEqual(port.called("login.verify").map(({ code }) => code), ["abc", "123"]);
  assert.match(printed.join("\n"), /digits only/);
});

test("an input that ends before the digits is an error that says what to do", async () => {
  const input = new PassThrough();
  input.end();
  const { port, outcome } = await login([{ event: "verifyCodeNeeded" }], { input });
  assert.match(outcome.message, /pipe the digits in/);
  assert.equal(port.called("login.cancel").length, 1);
  assert.equal(port.released, 1);
});

test("a new code is drawn when the old one has expired", async () => {
  const { text } = await login([
    { event: "refreshed", qr: { ...QR, terminal: "▄█▄" } },
    { event: "alreadyBound" },
  ]);
  assert.match(text, /expired[^]*▄█▄[^]*already connected/);
});

test("a failure is an error with the addon's sentence", async () => {
  const { outcome } = await login([{ event: "failed", message: "Nobody scanned the code; try again." }]);
  assert.equal(outcome.message, "Nobody scanned the code; try again.");
});

test("a gateway that cannot be told is no failed login", async () => {
  const { outcome, text } = await login([confirmed("a")], {
    announce: () => Promise.reject(new Error("read-only")),
  });
  assert.equal(outcome, undefined);
  assert.match(text, /read-only.*openclaw gateway restart/);
});

test("the config is touched in the way that the host offers", async () => {
  const now = new Date(0);
  const touched = { channels: { "openclaw-weixin": { name: "x", channelConfigUpdatedAt: now.toISOString() } } };
  const draft = { channels: { "openclaw-weixin": { name: "x" } } };
  await bumpConfig({ mutateConfigFile: async ({ mutate }) => mutate(draft) }, now);
  assert.deepEqual(draft, touched);

  const loaded = Object.freeze({ channels: Object.freeze({ "openclaw-weixin": Object.freeze({ name: "x" }) }) });
  let written;
  await bumpConfig({ loadConfig: () => loaded, writeConfigFile: async (config) => (written = config) }, now);
  assert.deepEqual(written, touched);

  await assert.rejects(bumpConfig({}), /no way to change the config/);
});

test("in steps: a wait that times out leaves its event to the next", async () => {
  let arrive;
  const port = loginPort([new Promise((resolve) => (arrive = resolve))]);
  const steps = createQrLogin({ acquire: async () => port, announce: async () => {}, currentConfig: () => ({}) });
  const { sessionKey, qrDataUrl } = await steps.loginWithQrStart({});
  assert.equal(qrDataUrl, "data:1");
  assert.equal((await steps.loginWithQrWait({ sessionKey, timeoutMs: 1 })).connected, false);
  arrive(confirmed("a"));
  assert.equal((await steps.loginWithQrWait({ sessionKey, timeoutMs: 1000 })).connected, true);
  assert.equal(port.called("login.next").length, 1);
  assert.equal(port.released, 1);
  assert.match((await steps.loginWithQrWait({ sessionKey })).message, /No login/);
});

test("in steps: two waits at a time lose no event", async () => {
  const arrive = [];
  const port = loginPort([1, 2].map(() => new Promise((resolve) => arrive.push(resolve))));
  let announced = 0;
  const announce = async () => void (announced += 1);
  const steps = createQrLogin({ acquire: async () => port, announce, currentConfig: () => ({}) });
  const { sessionKey } = await steps.loginWithQrStart({});
  const waits = [1, 2].map(() => steps.loginWithQrWait({ sessionKey, timeoutMs: 5000 }));
  arrive[0]({ event: "scanned" });
  await new Promise(setImmediate);
  assert.equal(port.called("login.next").length, 2, "the second wait asks beside the first");
  arrive[1](confirmed("a"));
  assert.deepEqual((await Promise.all(waits)).map(({ connected }) => connected), [true, true]);
  assert.equal(announced, 1);
});

test("in steps: a login that nobody waits for ends by itself, and lets the port go", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const port = loginPort([]);
  const steps = createQrLogin({ acquire: async () => port, announce: async () => {}, currentConfig: () => ({}) });
  await steps.loginWithQrStart({});
  context.mock.timers.tick(30 * 60_000);
  await new Promise(setImmediate);
  assert.deepEqual([port.called("login.cancel").length, port.released], [1, 1]);
});

test("in steps: a gateway that cannot be told is said", async () => {
  const announce = () => Promise.reject(new Error("read-only"));
  const steps = createQrLogin({ acquire: async () => loginPort([confirmed("a")]), announce, currentConfig: () => ({}) });
  const { sessionKey } = await steps.loginWithQrStart({});
  const { connected, message } = await steps.loginWithQrWait({ sessionKey });
  assert.equal(connected, true);
  assert.match(message, /Connected: account a\. .*read-only.*openclaw gateway restart/);
});

test("in steps: a login that breaks is over, and lets the port go", async () => {
  const port = loginPort([Promise.reject(new Error("The WeChat channel is stopped"))]);
  const steps = createQrLogin({ acquire: async () => port, announce: async () => {}, currentConfig: () => ({}) });
  const { sessionKey } = await steps.loginWithQrStart({});
  await assert.rejects(steps.loginWithQrWait({ sessionKey }), /is stopped/);
  assert.equal(port.released, 1);
  assert.match((await steps.loginWithQrWait({ sessionKey })).message, /start a new one/);
});

test("in steps: a new login ends an abandoned one", async () => {
  const port = loginPort([]);
  const steps = createQrLogin({ acquire: async () => port, announce: async () => {}, currentConfig: () => ({}) });
  await steps.loginWithQrStart({});
  await steps.loginWithQrStart({});
  assert.equal(port.called("login.cancel").length, 1);
});
