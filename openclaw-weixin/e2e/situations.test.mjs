// What users suffer from with the official plugin on a real OpenClaw (openclaw-host.md, last table), and not with ours.
// The rows that need no fault, and those about commands, are in plugin.test.mjs and commands.test.mjs; SIGKILL in the
// middle of a turn is in crash.mjs.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";

import { CHANNEL } from "./host.mjs";
import { OWNER, PICTURE, converse, openStage } from "./stage.mjs";

const VOICE = readFileSync(new URL("../../weixin-media/tests/silk/000.silk", import.meta.url));

const stage = await openStage();
const { folder, host, model, sim } = stage;
const phone = sim.phone(OWNER);
after(() => stage.close());

let bot;

stage.step("the owner is logged in", async () => {
  await stage.install();
  ({ bot } = await stage.login());
  await stage.startGateway(bot);
});

/** Unlike a step, it is tried whatever became of those before it. */
function situation(name, run) {
  test(name, (t) => {
    if (!bot) return t.skip("nobody is logged in");
    return stage.act(async () => {
      try {
        // The user has just written: sends are allowed, and the conversation has a context token.
        await converse(phone, bot, "hello");
        await run(await phone.mark());
      } finally {
        await sim.clearFaults();
      }
    });
  });
}

const send = (...args) => host.run("message", "send", "--channel", CHANNEL, "--target", OWNER, ...args);

situation("errcode -14 on a send: a typed error, reported", async () => {
  await sim.fault("sendmessage", { kind: "errcode", errcode: -14, errmsg: "session timeout" });
  await assert.rejects(send("--message", "into the void"), /log in again/);
});

situation("ret -2 on a send: reported as not delivered, with its reason", async () => {
  await sim.fault("sendmessage", { kind: "ret", ret: -2 });
  await assert.rejects(send("--message", "too much"), /ret -2/);
});

situation("500 and no JSON on a send: made again, with the same id, and shown once", async (mark) => {
  await sim.fault("sendmessage", { kind: "status", status: 500 });
  await sim.fault("sendmessage", { kind: "garbage" });
  await send("--message", "after all");
  await phone.waitFor(/^after all$/, mark);
  assert.deepEqual((await phone.texts(mark)).filter((text) => text === "after all").length, 1);
});

situation("CDN 5xx: media is tried again; where it fails for good its caption arrives, and the failure is known", async (mark) => {
  const file = path.join(folder, "workspace", "picture.png");
  writeFileSync(file, PICTURE);
  await sim.fault("cdn_upload", { kind: "status", status: 500 }, 2);
  await send("--message", "first", "--media", file);
  await phone.waitFor(/^first$/, mark);
  await phone.waitFor(/^/, mark, "image");
  await sim.fault("cdn_upload", { kind: "status", status: 500 }, 99);
  await assert.rejects(send("--message", "second", "--media", file), /500/);
  await phone.waitFor(/^second$/, mark);
});

situation("image and text in one message: the agent gets both", async (mark) => {
  await phone.sendImage(PICTURE, bot);
  await phone.waitFor(/^reply \d+:/, mark);
  const image = (await phone.chat()).findLast(({ kind, from_bot }) => kind === "image" && !from_bot).message;
  const again = await phone.mark();
  const both = {
    ...image,
    message_id: "8441535359615655688",
    seq: 9_999,
    create_time_ms: image.create_time_ms + 60_000,
    item_list: [...image.item_list, { type: 1, text_item: { text: "what is on it?" } }],
  };
  await phone.sendAny({ kind: "raw", messages: [both] }, bot);
  await phone.waitFor(/^reply \d+:/, again);
  // The host puts a message of its own behind the user's.
  const asked = JSON.stringify(model.requests.at(-1).messages.slice(-2));
  assert.match(asked, /what is on it\?/);
  assert.match(asked, /image_url|media attached/);
});

situation("voice: the agent gets WAV", async (mark) => {
  await phone.sendAny({ kind: "voice", data: VOICE.toString("base64"), transcript: "listen" }, bot);
  await phone.waitFor(/^reply \d+:/, mark);
  const inbound = path.join(host.state, "media", "inbound");
  const kept = readdirSync(inbound, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const heads = kept.map((entry) => readFileSync(path.join(entry.parentPath, entry.name)).subarray(0, 4).toString("latin1"));
  assert.ok(heads.includes("RIFF"), `${kept.map(({ name }) => name)}`);
  assert.match(JSON.stringify(model.requests.at(-1).messages), /listen/);
});

situation("a reply of 9,000 characters: in parts, with nothing lost", async (mark) => {
  const story = Array.from({ length: 1_000 }, (_, n) => `line ${String(n).padStart(4, "0")}`).join("\n");
  model.answers.push(`${story}\nTHE END`);
  await phone.send("tell me a story", bot);
  await phone.waitFor(/THE END$/, mark);
  const parts = await phone.texts(mark);
  assert.ok(parts.length >= 3 && parts.every((part) => part.length <= 4_000), `${parts.map((part) => part.length)}`);
  assert.equal(parts.join("\n"), `${story}\nTHE END`);
});

situation("/echo while a turn runs: does not wait for it", async (mark) => {
  const release = model.hold();
  try {
    const asked = model.asked();
    await phone.send("think hard", bot);
    await asked;
    await phone.send("/echo still here", bot);
    await phone.waitFor(/^still here$/, mark);
  } finally {
    release();
  }
  await phone.waitFor(/^reply \d+: think hard/, mark);
});

situation("a quote: the agent is told what is quoted", async (mark) => {
  const { message_id: id } = (await phone.chat()).findLast(({ from_bot, kind }) => from_bot && kind === "text");
  const quoting = { type: 1, text_item: { text: "what did you mean?" }, ref_msg: { svr_id: id } };
  await phone.sendAny({ kind: "item", item: quoting }, bot);
  await phone.waitFor(/^reply \d+:/, mark);
  const asked = JSON.stringify(model.requests.at(-1).messages);
  assert.match(asked, /what did you mean\?/);
  assert.ok(!asked.includes("引用消息内容未缓存"), "it is known");
});

situation("the path breaks: status says how, and what was written meanwhile is answered when it is whole again", async (mark) => {
  await sim.networkFault({ kind: "unknown_issuer" });
  await sim.cutConnections();
  await sim.waitForPoll(bot, { polling: false });
  assert.match(await host.run("channels", "status", "--probe"), /certificate/);
  await phone.send("written while the path was broken", bot);
  await sim.networkFault();
  await phone.waitFor(/^reply \d+: (.*\n)*written while the path was broken$/m, mark);
});

test("all of that kept to the protocol", async () => {
  assert.deepEqual(await sim.deviations(), []);
});
