import assert from "node:assert/strict";
import { test } from "node:test";

import { createPortPool } from "../port.js";
import { fakeLog } from "./fakes.mjs";

/** An addon whose instances can be watched. */
function fakeAddon({ fail } = {}) {
  const instances = [];
  class Addon {
    constructor(onEvent) {
      this.emit = (event) => onEvent(JSON.stringify(event));
      this.closed = false;
      instances.push(this);
    }
    async call(method, params) {
      if (method === fail) throw Object.assign(new Error("cannot write the state folder"), { code: "state" });
      return JSON.stringify({ method, params: JSON.parse(params) });
    }
    async close() {
      this.closed = true;
    }
  }
  return { instances, load: () => ({ Addon }) };
}

let states = 0;

/** Each with its own state folder, unless one is given: ports of one folder are shared. */
function pool(addon, log = fakeLog(), state = `/state/${(states += 1)}`) {
  return createPortPool({ stateDir: () => state, log, load: addon.load });
}

test("one port for all users, opened with the first and closed with the last", async () => {
  const addon = fakeAddon();
  const acquire = pool(addon);
  assert.equal(addon.instances.length, 0);
  const [one, two] = [await acquire(), await acquire()];
  assert.equal(addon.instances.length, 1);
  assert.deepEqual(await one.call("x", { a: 1 }), { method: "x", params: { a: 1 } });
  await one.release();
  await one.release();
  assert.equal(addon.instances[0].closed, false);
  await two.release();
  assert.equal(addon.instances[0].closed, true);
  await acquire();
  assert.equal(addon.instances.length, 2);
});

test("copies of the plugin in one process share the port of a state folder", async () => {
  const [first, second] = [fakeAddon(), fakeAddon()];
  const one = await pool(first, fakeLog(), "/shared")();
  const two = await pool(second, fakeLog(), "/shared")();
  assert.deepEqual([first.instances.length, second.instances.length], [1, 0]);
  await one.release();
  assert.equal(first.instances[0].closed, false);
  await two.release();
  assert.equal(first.instances[0].closed, true);
});

test("a reply that outlives its account's stop goes out on the port of the next start", async () => {
  const addon = fakeAddon();
  const acquire = pool(addon);
  const stopped = await acquire();
  await stopped.release();
  const running = await acquire();
  assert.equal((await stopped.call("send", {})).method, "send");
  assert.deepEqual(addon.instances.map(({ closed }) => closed), [true, false]);
  await running.release();
  // Nobody has started again: the reply still goes out, and nothing stays open.
  await stopped.call("send", {});
  assert.deepEqual(addon.instances.map(({ closed }) => closed), [true, true, true]);
});

test("a reply that is on its way is not cut off by its account's stop", async () => {
  const addon = fakeAddon();
  const port = await pool(addon)();
  const [instance] = addon.instances;
  let arrive;
  instance.call = () => new Promise((resolve) => (arrive = () => resolve('{"outcome":"accepted"}')));
  const sent = port.call("send", { accountId: "a" });
  await new Promise(setImmediate);
  await port.release();
  assert.equal(instance.closed, false);
  arrive();
  assert.deepEqual(await sent, { outcome: "accepted" });
  assert.equal(instance.closed, true);
});

test("who asks while the last user lets go waits for the end of the old port", async () => {
  const addon = fakeAddon();
  const acquire = pool(addon);
  const port = await acquire();
  let close;
  addon.instances[0].close = () => new Promise((resolve) => (close = resolve));
  const next = acquire();
  const released = port.release();
  await new Promise(setImmediate);
  assert.equal(addon.instances.length, 1, "two ports on one state folder");
  close();
  await released;
  await (await next).release();
  assert.equal(addon.instances.length, 2);
});

test("a port that cannot close does not keep the next one from opening", async () => {
  const addon = fakeAddon();
  const acquire = pool(addon);
  const port = await acquire();
  addon.instances[0].close = async () => Promise.reject(new Error("stuck"));
  await port.release();
  await (await acquire()).release();
  assert.equal(addon.instances.length, 2);
});

test("a port that cannot start is closed, and the next try gets a new one", async () => {
  const addon = fakeAddon({ fail: "init" });
  const acquire = pool(addon);
  await assert.rejects(acquire(), { code: "state" });
  await assert.rejects(acquire(), { code: "state" });
  assert.deepEqual(addon.instances.map((instance) => instance.closed), [true, true]);
});

test("events go to their account; a handler that throws is logged, not fatal", async () => {
  const addon = fakeAddon();
  const log = fakeLog();
  const port = await pool(addon, log)();
  const seen = [];
  const stop = port.listen("a", { inbound: (event) => seen.push(event.deliveryId) });
  port.listen("b", {
    inbound() {
      throw new Error("oops");
    },
  });
  const [instance] = addon.instances;
  instance.emit({ type: "inbound", accountId: "a", deliveryId: "1" });
  instance.emit({ type: "inbound", accountId: "b", deliveryId: "2" });
  instance.emit({ type: "inbound", accountId: "gone", deliveryId: "3" });
  instance.emit({ type: "status", accountId: "a", state: "connected" });
  instance.emit({ type: "log", level: "warn", message: "poll failed" });
  stop();
  instance.emit({ type: "inbound", accountId: "a", deliveryId: "4" });
  assert.deepEqual(seen, ["1"]);
  assert.match(log.lines[0], /^error: .*oops/);
  assert.equal(log.lines[1], "warn: openclaw-weixin: poll failed");
});

test("each message that has left is told; a host that cannot note it does not make it fail", async () => {
  const outcomes = ["accepted", "waiting", "unconfirmed"];
  const log = fakeLog();
  const told = [];
  class Addon {
    async call(method) {
      return JSON.stringify(method.startsWith("turn") || method === "send" ? { outcome: outcomes.shift() } : {});
    }
    async close() {}
  }
  const onSent = (accountId) => {
    told.push(accountId);
    throw new Error("no table");
  };
  const port = await createPortPool({ stateDir: () => "/state/sent", log, onSent, load: () => ({ Addon }) })();
  await port.call("turn.block", { accountId: "a" });
  await port.call("turn.block", { accountId: "b" });
  assert.deepEqual(await port.call("send", { accountId: "c" }), { outcome: "unconfirmed" });
  await port.call("account.status", { accountId: "d" });
  assert.deepEqual(told, ["a", "c"]);
  assert.match(log.lines[0], /no table/);
});
