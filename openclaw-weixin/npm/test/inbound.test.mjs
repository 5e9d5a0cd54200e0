import assert from "node:assert/strict";
import { test } from "node:test";

import { handleInbound } from "../inbound.js";
import { fakeChannelRuntime, fakeLog, fakePort } from "./fakes.mjs";

const MESSAGE = { messageId: "7441535359615655688", from: "owner", to: "bot", text: "hi", timestampMs: 5 };
const EVENT = { accountId: "a", deliveryId: "d1", message: MESSAGE };

function setup({ message, config = {}, signal = new AbortController().signal, port = fakePort(), ...runtime } = {}) {
  const log = fakeLog();
  const deps = {
    port,
    log,
    signal,
    account: { accountId: "a", userId: "owner" },
    channelRuntime: fakeChannelRuntime(runtime),
    currentConfig: () => ({ channels: { "openclaw-weixin": config } }),
  };
  return { port, log, handle: () => handleInbound({ ...EVENT, message: { ...MESSAGE, ...message } }, deps) };
}

test("a turn: typing, the reply, typing off, and only then the acknowledgement", async () => {
  let seen;
  const { port, handle } = setup({
    reply: async (deliver, { ctx }) => {
      seen = ctx;
      await deliver({ text: "hello" });
    },
  });
  await handle();
  assert.deepEqual(
    port.calls.map(({ method, params }) => (method === "typing" ? `typing ${params.on}` : method)),
    ["debug.status", "typing true", "send", "typing false", "turn.end", "inbound.ack"],
  );
  const [sent] = port.called("send");
  assert.equal(sent.to, "owner");
  assert.match(sent.runId, /^[0-9a-f-]{36}$/);
  assert.equal(seen.MessageSid, MESSAGE.messageId);
  assert.equal(seen.SenderId, "owner");
  assert.equal(seen.CommandAuthorized, true);
});

test("all replies of a turn carry one run id", async () => {
  const { port, handle } = setup({
    reply: async (deliver) => {
      await deliver({ text: "one" });
      await deliver({ text: " " });
      await deliver({ text: "two" });
    },
  });
  await handle();
  const sent = port.called("send");
  assert.deepEqual(sent.map(({ text }) => text), ["one", "two"]);
  assert.equal(sent[0].runId, sent[1].runId);
});

test("a stranger gets a pairing code once, and the agent hears nothing", async () => {
  const reply = () => assert.fail("the agent was asked");
  const first = setup({ message: { from: "stranger" }, reply });
  await first.handle();
  assert.deepEqual(first.port.called("send"), [{ accountId: "a", to: "stranger", text: "pairing code CODE1234" }]);
  assert.equal(first.port.called("inbound.dismiss").length, 1);
  const again = setup({ message: { from: "stranger" }, reply, pairing: { code: "CODE1234", created: false } });
  await again.handle();
  assert.deepEqual(again.port.called("send"), []);
  assert.equal(again.port.called("inbound.dismiss").length, 1);
});

test("a pairing code that could not be sent is sent when the message comes again, and only then", async () => {
  let broken = true;
  const send = () => {
    if (broken) throw new Error("unreachable");
  };
  const from = "stranger2";
  const first = setup({ message: { from }, port: fakePort({ send }) });
  await first.handle();
  assert.equal(first.port.called("inbound.nack").length, 1);
  broken = false;
  const pairing = { code: "CODE1234", created: false };
  const again = setup({ message: { from }, pairing });
  await again.handle();
  assert.deepEqual(again.port.called("send"), [{ accountId: "a", to: from, text: "pairing code CODE1234" }]);
  const third = setup({ message: { from }, pairing });
  await third.handle();
  assert.deepEqual(third.port.called("send"), []);
});

test("a command whose answer cannot be sent is not done again", async () => {
  let toggled = 0;
  const answers = {
    "debug.toggle": () => (toggled += 1) % 2 === 1,
    send: () => {
      throw new Error("budget");
    },
  };
  const { port, log, handle } = setup({ message: { text: "/toggle-debug" }, port: fakePort(answers) });
  await handle();
  assert.deepEqual([port.called("inbound.ack").length, port.called("inbound.nack").length], [1, 0]);
  assert.match(log.lines.join(), /error: .*answer to \/toggle-debug not sent: budget/);
});

test("a blocked sender gets nothing, and the log does not hold the text", async () => {
  const { port, log, handle } = setup({ message: { from: "stranger", text: "psst" }, config: { dmPolicy: "allowlist" } });
  await handle();
  assert.deepEqual(port.calls.map(({ method }) => method), ["inbound.dismiss"]);
  assert.ok(!log.lines.join().includes("psst"));
});

test("a turn that breaks is given back with the reason", async () => {
  const { port, handle } = setup({
    reply: async () => {
      throw new Error("no model");
    },
  });
  await handle();
  assert.deepEqual(port.called("inbound.nack"), [{ accountId: "a", deliveryId: "d1", reason: "no model" }]);
  assert.deepEqual(port.called("inbound.ack"), []);
  assert.equal(port.called("typing").at(-1).on, false);
});

test("a turn that the stop cuts short is neither acknowledged nor failed", async () => {
  for (const reason of [undefined, new Error("aborted")]) {
    const controller = new AbortController();
    const { port, handle } = setup({
      signal: controller.signal,
      reply: async () => {
        controller.abort();
        if (reason) throw reason;
      },
    });
    await handle();
    assert.deepEqual(port.calls.map(({ method }) => method).filter((method) => method.startsWith("inbound")), []);
  }
});

test("typing that fails disturbs nothing", async () => {
  const port = fakePort({ typing: () => Promise.reject(new Error("no ticket")) });
  const { handle } = setup({ port, reply: (deliver) => deliver({ text: "hello" }) });
  await handle();
  assert.equal(port.called("inbound.ack").length, 1);
});

test("a command of ours is answered without the agent, for those who may use commands", async () => {
  const { port, handle } = setup({ message: { text: "/echo hi" }, reply: () => assert.fail("the agent was asked") });
  await handle();
  assert.deepEqual(port.called("send").map(({ text }) => text.replace(/\d+ ms/g, "N ms")), ["hi", "⏱ N ms from WeChat, N ms here"]);
  assert.equal(port.called("inbound.ack").length, 1);
  let asked = 0;
  const stranger = setup({
    message: { from: "stranger", text: "/echo hi" },
    config: { dmPolicy: "open", allowFrom: ["*"] },
    reply: async () => {
      asked += 1;
    },
  });
  await stranger.handle();
  assert.equal(asked, 1);
  assert.deepEqual(stranger.port.called("send"), []);
});

test("debug mode adds its line after the replies; that it cannot be sent is no failure of the turn", async () => {
  const answers = { "debug.status": () => true };
  const { port, handle } = setup({ port: fakePort(answers), reply: (deliver) => deliver({ text: "hello" }) });
  await handle();
  assert.match(port.called("send")[1].text, /1 reply$/);
  let sends = 0;
  answers["send"] = () => {
    sends += 1;
    if (sends === 2) throw new Error("budget");
  };
  const broken = setup({ port: fakePort(answers), reply: (deliver) => deliver({ text: "hello" }) });
  await broken.handle();
  assert.equal(broken.port.called("inbound.ack").length, 1);
  assert.match(broken.log.lines.join(), /debug line not sent: budget/);
});
