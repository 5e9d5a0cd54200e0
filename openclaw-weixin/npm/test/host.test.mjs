import assert from "node:assert/strict";
import { test } from "node:test";

import { approvedSenders, changeConfig, channelRuntime, currentConfig, judgeHost, oldestHost, runReplyTurn, withMessageHooks } from "../host.js";
import entry from "../index.js";

test("a host that is too old is refused with the command that helps; unknown versions are let in with a note", () => {
  assert.match(judgeHost("2025.12.31", "2026.1.29").refuse, /needs OpenClaw 2026\.1\.29.*2025\.12\.31.*npm install -g openclaw/);
  assert.deepEqual(judgeHost("2026.1.29", "2026.1.29"), {});
  assert.deepEqual(judgeHost("2026.10.1-beta.2", "2026.9.6"), {});
  assert.match(judgeHost("2026.9.10", "2026.10.1").refuse, /2026\.9\.10/);
  assert.match(judgeHost("unknown").note, new RegExp(`does not tell its version.*${oldestHost()}`));
  assert.match(judgeHost(undefined).note, /nothing/);
});

test("the entry registers nothing on a host that is too old", () => {
  const api = { runtime: { version: "2025.1.1" }, registerChannel: () => assert.fail("registered") };
  assert.throws(() => entry.register(api), /update it with/);
});

test("the config is read from where the host has it", () => {
  assert.equal(currentConfig({ runtime: { config: { current: () => 1, loadConfig: () => 2 } }, config: 3 }), 1);
  assert.equal(currentConfig({ runtime: { config: { loadConfig: () => 2 } }, config: 3 }), 2);
  assert.equal(currentConfig({ config: 3 }), 3);
});

test("the config is changed by whichever way there is, and never in the host's own object", async () => {
  const change = (draft) => {
    draft.changed = true;
  };
  const mutated = {};
  await changeConfig({ mutateConfigFile: async ({ mutate }) => mutate(mutated) }, change);
  assert.deepEqual(mutated, { changed: true });
  const loaded = {};
  let written;
  await changeConfig({ loadConfig: () => loaded, writeConfigFile: async (config) => (written = config) }, change);
  assert.deepEqual([loaded, written], [{}, { changed: true }]);
  await assert.rejects(changeConfig({}, change), /no way to change the config/);
});

test("channel helpers are the account's, else the plugin's, else a clear error", () => {
  const whole = { reply: {}, routing: {}, session: {}, pairing: {} };
  assert.equal(channelRuntime({ channelRuntime: whole }, {}), whole);
  assert.equal(channelRuntime({}, { runtime: { channel: whole } }), whole);
  assert.throws(() => channelRuntime({}, { runtime: { channel: { reply: {} } } }), /npm install -g openclaw@latest/);
});

test("approved senders are read from hosts of both kinds", async () => {
  const byName = { pairing: { readAllowFromStore: async (channel, env = "env") => [String(channel), env] } };
  assert.deepEqual(await approvedSenders(byName, "weixin", "a"), ["weixin", "env"]);
  const byKey = { pairing: { readAllowFromStore: async ({ channel, accountId }) => [channel, accountId, 7] } };
  assert.deepEqual(await approvedSenders(byKey, "weixin", "a"), ["weixin", "a", "7"]);
});

/** What `runReplyTurn` wants to know, but for what a test is about. */
const turn = (more) => ({
  cfg: {},
  ctx: { From: "u", MessageSid: "7" },
  route: { agentId: "main", sessionKey: "s", mainSessionKey: "m" },
  channel: "weixin",
  accountId: "a",
  log: { error: assert.fail, warn: assert.fail },
  deliver: async () => ({ visibleReplySent: true, messageIds: ["9"] }),
  typing: {},
  replyOptions: { runId: "r" },
  ...more,
});

test("a turn is over when its deliveries are, on old hosts too", async () => {
  const order = [];
  const dispatcher = {
    waitForIdle: async () => {
      await new Promise(setImmediate);
      order.push("delivered");
    },
  };
  const reply = {
    createReplyDispatcherWithTyping: () => ({ dispatcher, markDispatchIdle: () => order.push("idle") }),
    dispatchReplyFromConfig: async () => order.push("run"),
  };
  const session = { resolveStorePath: () => "store", recordInboundSession: async () => order.push("recorded") };
  await runReplyTurn({ reply, session }, turn());
  assert.deepEqual(order, ["recorded", "run", "delivered", "idle"]);
});

test("a host that runs turns itself is given the whole turn", async () => {
  let given;
  const { deliver, ...rest } = turn();
  await runReplyTurn({ reply: {}, inbound: { dispatch: async (plan) => (given = plan) } }, { deliver, ...rest });
  assert.equal(given.delivery.deliver, deliver);
  assert.equal(given.delivery.observeMessageSent, true);
  assert.deepEqual([given.messageId, given.replyOptions.runId, given.record.updateLastRoute.sessionKey], ["7", "r", "m"]);
});

test("a conversation of its own does not become the main session's last route", async () => {
  const key = async (lastRoutePolicy) => {
    let given;
    const route = { ...turn().route, lastRoutePolicy };
    await runReplyTurn({ reply: {}, inbound: { dispatch: async (plan) => (given = plan) } }, turn({ route }));
    return given.record.updateLastRoute.sessionKey;
  };
  assert.deepEqual([await key("session"), await key("main"), await key(undefined)], ["s", "m", "m"]);
});

test("message hooks change a reply, cancel it, and hear what became of it", async () => {
  const heard = [];
  const hooks = {
    hasHooks: () => true,
    runMessageSending: async ({ content }) => (content === "secret" ? { cancel: true } : { content: content.toUpperCase() }),
    runMessageSent: async ({ to, content, success, messageId, error }) => void heard.push([to, content, success, messageId ?? error]),
  };
  const sent = [];
  const deliver = async ({ text }) => {
    if (text === "LATE") throw new Error("budget");
    sent.push(text);
    return { visibleReplySent: true, messageIds: ["9"] };
  };
  const about = { channel: "weixin", accountId: "a", to: "u", runId: "r" };
  const hooked = withMessageHooks(hooks, about, deliver);
  await hooked({ text: "hi" });
  assert.deepEqual(await hooked({ text: "secret" }), { visibleReplySent: false, messageIds: [] });
  await assert.rejects(hooked({ text: "late" }), /budget/);
  assert.deepEqual([sent, heard], [["HI"], [["u", "HI", true, "9"], ["u", "LATE", false, "budget"]]]);
  const broken = { ...hooks, runMessageSending: async () => Promise.reject(new Error("hook")), runMessageSent: async () => Promise.reject(new Error("hook")) };
  await withMessageHooks(broken, about, deliver)({ text: "still" });
  await withMessageHooks(undefined, about, deliver)({ text: "plain" });
  assert.deepEqual(sent, ["HI", "still", "plain"]);
});
