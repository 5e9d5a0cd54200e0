// What happens inside a turn of the agent on a real OpenClaw: hints, tools, blocks, heartbeats, other plugins' hooks.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

import { CHANNEL } from "./host.mjs";
import { OWNER, PICTURE, accountId, converse, openStage } from "./stage.mjs";

const stage = await openStage({ env: (folder) => ({ HOOKS_PROBE_FILE: path.join(folder, "hooks.jsonl") }) });
const { folder, host, model, sim } = stage;
const phone = sim.phone(OWNER);
after(() => stage.close());

let bot;

/** Changes the config of the running gateway, and waits until it has seen it. */
async function reconfigure(key, value) {
  const from = host.lastGateway.lines.length;
  await host.run("config", "set", key, value);
  await host.lastGateway.waitForLine(/\[reload\].*(applied|no restart|skipp)/, { from });
  await sim.waitForPoll(bot);
}

stage.step("the owner is logged in, and a plugin with message hooks is there", async () => {
  await stage.install();
  await host.install(fileURLToPath(new URL("hooks-plugin", import.meta.url)));
  await host.run("plugins", "enable", "hooks-probe");
  // Tools for jobs are for those whom the host's config calls owners.
  await host.run("config", "set", "commands.ownerAllowFrom", JSON.stringify([`${CHANNEL}:${OWNER}`]));
  ({ bot } = await stage.login());
  await stage.startGateway(bot);
  await converse(phone, bot, "hello");
});

// First: signs give way where sends have come fast.
stage.step("the phone is shown which tools run, and not if replyProgressMessages is off", async () => {
  const shown = async () => (await sim.admin(`phones/${encodeURIComponent(OWNER)}/chat`)).tools;
  const read = async () => {
    const mark = await phone.mark();
    const before = (await shown()).length;
    model.answers.push({ tool: "read", args: { path: "AGENTS.md" } }, "I have read it.");
    await phone.send("read it", bot);
    const { message } = await phone.waitFor(/^I have read it\.$/, mark);
    return { signs: (await shown()).slice(before), run: message.run_id };
  };
  const { signs, run } = await read();
  assert.deepEqual(signs.map(({ tool_name, status }) => [tool_name, status]), [["read", null], ["read", "completed"]]);
  assert.ok(signs.every((sign) => sign.run_id === run && sign.tool_call_id === signs[0].tool_call_id));
  await reconfigure(`channels.${CHANNEL}.replyProgressMessages`, "false");
  assert.deepEqual((await read()).signs, []);
});

stage.step("the agent reads our hints, and its tools have what they speak of", async () => {
  const prompt = model.requests[0].messages[0].content;
  for (const hint of [/`media` sends a file or picture/, /about 10 messages/, new RegExp(`accountId: "${accountId(bot)}"`)]) assert.match(prompt, hint);
  const described = async (tool) => {
    const mark = await phone.mark();
    // Most tools are behind a catalogue.
    model.answers.push({ tool: "tool_describe", args: { id: tool } }, `seen ${tool}`);
    await phone.send(`describe ${tool}`, bot);
    await phone.waitFor(new RegExp(`^seen ${tool}$`), mark);
    return JSON.stringify(model.requests.at(-1).messages.findLast(({ role }) => role === "tool"));
  };
  assert.match(await described("message"), /media/);
  const jobs = await described("automations");
  for (const word of ["delivery", "announce", "channel", "to", "accountId"]) assert.match(jobs, new RegExp(`\\b${word}\\b`));
});

stage.step("an answer comes in blocks where the config wants it, whole and in order", async () => {
  const mark = await phone.mark();
  const story = Array.from({ length: 500 }, (_, n) => `This is sentence number ${n} of it.${n % 8 === 7 ? "\n\n" : " "}`).join("");
  await reconfigure(`channels.${CHANNEL}.blockStreaming`, "true");
  model.answers.push(`${story}\n\nTHE END`);
  await phone.send("a story, block by block", bot);
  await phone.waitFor(/THE END$/, mark);
  const texts = await phone.texts(mark);
  assert.equal(texts.join("").replace(/\s/g, ""), `${story}THE END`.replace(/\s/g, ""));
  assert.ok(texts.length > Math.ceil(story.length / 4000) && texts.length <= 10, `${texts.map(({ length }) => length)}`);
  await reconfigure(`channels.${CHANNEL}.blockStreaming`, "false");
});

stage.step("an answer brings a file of the agent's workspace, and none from elsewhere", async () => {
  writeFileSync(path.join(folder, "workspace", "chart.png"), PICTURE);
  writeFileSync(path.join(folder, "private.png"), PICTURE);
  const mark = await phone.mark();
  model.answers.push("Here it is.\nMEDIA:chart.png");
  await phone.send("show me the chart", bot);
  await phone.waitFor(/^Here it is\.$/, mark);
  await phone.waitFor(/^/, mark, "image");
  const before = (await phone.chat()).length;
  const next = await phone.mark();
  model.answers.push(`And this.\nMEDIA:${path.join(folder, "private.png")}`);
  await phone.send("and the other one", bot);
  await phone.waitFor(/And this\./, next);
  await converse(phone, bot, "that was all");
  assert.ok(!(await phone.chat()).slice(before).some(({ from_bot, kind }) => from_bot && kind === "image"));
});

stage.step("the end of an answer that takes too many sends waits for the next message where the config wants it", async () => {
  await reconfigure(`channels.${CHANNEL}.outbox`, "true");
  const mark = await phone.mark();
  const waits = host.lastGateway.waitForLine(/sends wait for their user's next message/, { from: host.lastGateway.lines.length });
  const story = Array.from({ length: 4_500 }, (_, n) => `line ${String(n).padStart(4, "0")}`).join("\n");
  model.answers.push(`${story}\nTHE END`);
  await phone.send("a very long story", bot);
  await waits;
  assert.equal((await phone.texts(mark)).length, 10);
  await phone.send("go on", bot);
  await phone.waitFor(/THE END$/, mark);
  await phone.waitFor(/^reply \d+: go on$/, mark);
  const parts = (await phone.texts(mark)).filter((text) => !text.endsWith("go on"));
  assert.equal(parts.join("\n"), `${story}\nTHE END`);
  await reconfigure(`channels.${CHANNEL}.outbox`, "false");
});

stage.step("Markdown as the config wants it", async () => {
  await reconfigure(`channels.${CHANNEL}.markdown`, "plain");
  const mark = await phone.mark();
  model.answers.push("It is **important**.");
  await phone.send("how important?", bot);
  await phone.waitFor(/^It is important\.$/, mark);
});

stage.step("what is quoted is not remembered where the config says so", async () => {
  await reconfigure(`channels.${CHANNEL}.quoteCache`, JSON.stringify({ enabled: false }));
  const { message_id: id } = await converse(phone, bot, "remember this");
  const mark = await phone.mark();
  const quoting = { type: 1, text_item: { text: "what was that?" }, ref_msg: { svr_id: id } };
  await phone.sendAny({ kind: "item", item: quoting }, bot);
  await phone.waitFor(/^reply \d+:/, mark);
  assert.match(JSON.stringify(model.requests.at(-1).messages), /引用消息内容未缓存/);
});

stage.step("a heartbeat types on the phone", async () => {
  const typed = async () => (await phone.typingUntilItEnds()).length;
  const before = await typed();
  const mark = await phone.mark();
  await reconfigure("agents.defaults.heartbeat.target", "last");
  model.answers.push("The kettle is on.");
  await host.run("system", "event", "--text", "The kettle is on; say so.", "--mode", "now");
  await phone.waitFor(/kettle/, mark);
  assert.ok((await typed()) >= before + 2, "on and off");
});

stage.step("hooks of other plugins change what leaves, hold it back, and hear of it", async () => {
  const mark = await phone.mark();
  const heard = () => readFileSync(path.join(folder, "hooks.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  await phone.send("please change this", bot);
  const changed = await phone.waitFor(/^reply \d+: please changed$/, mark);
  await phone.send("hold this back", bot);
  await phone.send("but not that", bot);
  await phone.waitFor(/^reply \d+: but not that$/, mark);
  assert.ok(!(await phone.texts(mark)).some((text) => text.includes("hold this back")));
  const reply = heard().find(({ content }) => content.includes("please changed"));
  assert.deepEqual([reply.success, reply.messageId], [true, changed.message_id]);
  await host.run("message", "send", "--channel", CHANNEL, "--target", OWNER, "--message", "change this too");
  await phone.waitFor(/^changed too$/, mark);
  assert.equal(heard().filter(({ content }) => content === "changed too").length, 1, "told once");
});

stage.step("all of that kept to the protocol", async () => {
  assert.deepEqual(await sim.deviations(), []);
});
