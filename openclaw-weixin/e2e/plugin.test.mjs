// The plugin on a real OpenClaw, from installation to a reply on the phone. One story in order: each step
// starts from where the one before it has left the host. `cargo xtask e2e` runs it.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { CHANNEL, Host } from "./host.mjs";
import { startModel } from "./model.mjs";
import { startSimulator } from "./sim.mjs";

const { E2E_NODE, E2E_HOST_INSTALL, E2E_HOST_VERSION, E2E_PACKAGE, E2E_SIMULATOR } = process.env;
const OWNER = "o9cq80owner@im.wechat";
const STRANGER = "o9cq80stranger@im.wechat";
// One pixel.
const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
  "base64",
);
const SECOND_OWNER = "o9cq80second@im.wechat";

// Not the channel's name: the audit test looks for that.
const folder = mkdtempSync(path.join(tmpdir(), "weixin-e2e-"));
let host;
let model;
let sim;
let bot;
let second;
let failed = false;

/** A step of the story; once one has failed, the rest would only repeat its failure. */
function step(name, run) {
  test(name, async (t) => {
    if (failed) return t.skip("an earlier step failed");
    try {
      await run();
    } catch (error) {
      failed = true;
      console.error(`gateway log, last lines:\n${host.lastGateway?.tail(60) ?? "  (never started)"}`);
      throw error;
    }
  });
}

before(async () => {
  sim = await startSimulator(E2E_SIMULATOR);
  model = await startModel();
  host = new Host({ node: E2E_NODE, install: E2E_HOST_INSTALL, version: E2E_HOST_VERSION, folder });
  await host.configure({ modelUrl: model.baseUrl });
});

after(async () => {
  await host?.close();
  await model?.close();
  await sim?.close();
  if (failed) console.error(`everything is kept in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
});

step(`installs on OpenClaw ${E2E_HOST_VERSION} and is listed`, async () => {
  await host.install(E2E_PACKAGE);
  await host.run("plugins", "enable", CHANNEL);
  assert.match(await host.run("plugins", "list", "--enabled"), /openclaw-weixin/);
});

step("has no finding in the security audit", async () => {
  const audit = await host.run("security", "audit", "--deep", "--json");
  const findings = JSON.parse(audit.slice(audit.indexOf("{"))).findings;
  const ours = findings.filter((finding) => JSON.stringify(finding).includes(CHANNEL)).map(({ checkId }) => checkId);
  // These two are about any plugin in a config without `plugins.allow`, whatever the plugin does.
  const general = ["plugins.extensions_no_allowlist", "plugins.tools_reachable_permissive_policy"];
  assert.deepEqual(ours.filter((checkId) => !general.includes(checkId)), []);
});

step("logs in by QR code", async () => {
  await host.run("config", "set", `channels.${CHANNEL}.baseUrl`, sim.url);
  await host.run("config", "set", `channels.${CHANNEL}.cdnBaseUrl`, `${sim.url}/c2c`);
  const login = host.start("channels", "login", "--channel", CHANNEL);
  const code = await login.during(sim.phone(OWNER).scan());
  await login.waitForLine(/Scanned/);
  bot = await code.confirm();
  await login.waitForLine(/Connected/);
  assert.equal((await login.exited).code, 0, login.tail());
  assert.ok(login.lines.some((line) => /[█▀▄]{4}/u.test(line)), "the code is drawn");
  assert.ok(login.lines.some((line) => /https?:\/\/\S+/.test(line)), "the link is printed");

  const state = path.join(host.state, CHANNEL);
  assert.deepEqual(JSON.parse(readFileSync(path.join(state, "accounts.json"), "utf8")), [id(bot)]);
  assert.equal(statSync(path.join(state, "accounts", `${id(bot)}.json`)).mode & 0o777, 0o600);
  // Hosts with their allow-lists in a database do not start over a file of ours there.
  assert.equal(existsSync(path.join(host.state, "credentials")), false);
});

step("answers a text on the phone, typing meanwhile", async () => {
  await host.startGateway();
  await sim.waitForPoll(bot);
  const phone = sim.phone(OWNER);
  await converse(phone, bot, "hello agent");
  assert.ok((await phone.typingUntilItEnds()).some(({ typing }) => typing), "typing was shown");
});

step("answers /echo itself", async () => {
  const phone = sim.phone(OWNER);
  const asked = model.requests.length;
  const mark = await phone.mark();
  await phone.send("/echo echoed", bot);
  await phone.waitFor(/^echoed$/, mark);
  await phone.waitFor(/^⏱ .* ms here$/, mark);
  assert.equal(model.requests.length, asked, "the agent was not asked");
});

step("sends what the command line asks for, from the gateway", async () => {
  const phone = sim.phone(OWNER);
  const mark = await phone.mark();
  await host.run("message", "send", "--channel", CHANNEL, "--target", OWNER, "--message", "from the command line");
  const entry = await phone.waitFor(/^from the command line$/, mark);
  assert.ok(entry.message.context_token, "with the context token of the conversation");
});

step("hands a picture from the phone to the agent", async () => {
  const phone = sim.phone(OWNER);
  const mark = await phone.mark();
  await phone.sendImage(PICTURE, bot);
  await phone.waitFor(/^reply \d+:/, mark);
  const asked = JSON.stringify(model.requests.at(-1).messages);
  assert.match(asked, /image_url|media attached/, "the model was told of it");
  const kept = readdirSync(path.join(host.state, "media", "inbound")).map((name) => path.join(host.state, "media", "inbound", name));
  assert.ok(kept.some((file) => readFileSync(file).equals(PICTURE)), "it is in the host's media store");
});

step("sends a picture with its caption, and none from elsewhere", async () => {
  const phone = sim.phone(OWNER);
  const mark = await phone.mark();
  const file = path.join(folder, "workspace", "picture.png");
  writeFileSync(file, PICTURE);
  await host.run("message", "send", "--channel", CHANNEL, "--target", OWNER, "--message", "a caption", "--media", file);
  await phone.waitFor(/^a caption$/, mark);
  const { media } = await phone.waitFor(/^/, mark, "image");
  assert.equal(media.size, PICTURE.length);
  writeFileSync(path.join(folder, "private.png"), PICTURE);
  const refused = host.run("message", "send", "--channel", CHANNEL, "--target", OWNER, "--media", path.join(folder, "private.png"));
  await assert.rejects(refused);
});

step("offers a stranger pairing, and nothing before it is approved", async () => {
  const phone = sim.phone(STRANGER);
  const mark = await phone.mark();
  const asked = model.requests.length;
  await phone.send("let me in", bot);
  const { text } = await phone.waitFor(/pairing/i, mark);
  const [, code] = text.match(/\b([A-Z0-9]{8})\b/);
  assert.match(await host.run("pairing", "list", CHANNEL), new RegExp(code));
  assert.equal(model.requests.length, asked, "the agent was not asked");
  await host.run("pairing", "approve", CHANNEL, code);
  await converse(phone, bot, "hello as a guest");
});

step("a login while the gateway runs is live without a restart", async () => {
  const phone = sim.phone(SECOND_OWNER);
  await phone.setVerifyCode("4711");
  const login = host.start("channels", "login", "--channel", CHANNEL);
  // Lines that wait in the pipe before they are asked for; only the first is the code.
  login.child.stdin.write("4711\nnot a code\n");
  const code = await login.during(phone.scan());
  await login.waitForLine(/digits/);
  second = await code.confirm();
  await login.waitForLine(/Connected/);
  console.log(`polled for after ${await sim.waitForPoll(second, { ms: 30_000 })} ms`);
  assert.equal((await login.exited).code, 0, login.tail());
  await converse(phone, second, "hello from the second account");
  await converse(sim.phone(OWNER), bot, "hello from the first account");
});

step("status --probe tells what the server says now", async () => {
  const answer = await host.run("channels", "status", "--probe", "--json");
  const { channelAccounts } = JSON.parse(answer.slice(answer.indexOf("{")));
  const account = channelAccounts[CHANNEL].find(({ accountId }) => accountId === id(bot));
  assert.equal(account.configured, true);
  assert.equal(account.connected, true);
  assert.equal(account.probe.ok, true, JSON.stringify(account.probe));
  assert.equal(account.probe.link, "online");
  assert.ok(account.probe.lastPollAt > 0);
  assert.match(await host.run("channels", "status", "--probe"), new RegExp(id(bot)));
});

step("a logout stops the account and forgets it; the other one goes on", async () => {
  await host.run("channels", "logout", "--channel", CHANNEL, "--account", id(second));
  await sim.waitForPoll(second, { polling: false });
  const state = path.join(host.state, CHANNEL);
  assert.deepEqual(JSON.parse(readFileSync(path.join(state, "accounts.json"), "utf8")), [id(bot)]);
  const left = readdirSync(path.join(state, "accounts")).filter((name) => name.startsWith(id(second)));
  assert.deepEqual(left.filter((name) => !name.endsWith(".lock")), []);
  await converse(sim.phone(OWNER), bot, "hello after the logout");
});

step("stops cleanly on SIGTERM, leaves nothing behind, and starts again", async () => {
  const { code, signal, ms } = await host.stopGateway();
  console.log(`stopped after ${ms} ms`);
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  assert.deepEqual(host.leftovers(), []);
  const phone = sim.phone(OWNER);
  const mark = await phone.mark();
  await phone.send("written while it was down", bot);
  await host.startGateway();
  await phone.waitFor(/reply \d+: written while it was down/, mark);
  await host.stopGateway();
  assert.deepEqual(host.leftovers(), []);
});

step("has kept to the protocol", async () => {
  assert.deepEqual(await sim.deviations(), []);
});

/** The account's name on this side. */
function id({ bot_id }) {
  return bot_id.replace(/[@.]/g, "-");
}

async function converse(phone, with_bot, text) {
  const mark = await phone.mark();
  await phone.send(text, with_bot);
  const reply = await phone.waitFor(new RegExp(`^reply \\d+: ${text}$`), mark);
  assert.equal(reply.bot_id, with_bot.bot_id);
}
