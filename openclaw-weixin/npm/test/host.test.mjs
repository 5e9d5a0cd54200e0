import assert from "node:assert/strict";
import { test } from "node:test";

import { approvedSenders, changeConfig, channelRuntime, currentConfig, judgeHost, oldestHost, runReplyTurn } from "../host.js";
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

test("a turn is over when its deliveries are, on old hosts too", async () => {
  const order = [];
  const dispatcher = {
    waitForIdle: async () => {
      await new Promise(setImmediate);
      order.push("delivered");
    },
  };
  await runReplyTurn({ reply: { dispatchReplyFromConfig: async () => order.push("run") } }, { dispatcher });
  assert.deepEqual(order, ["run", "delivered"]);
});
