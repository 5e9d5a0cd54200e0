// The plugin on a real OpenClaw, from installation to a reply on the phone, with no address in the config: the hosts that
// are compiled in, over TLS. One story in order: each step starts from where the one before it has left the host.
// `cargo xtask e2e` runs it.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after } from "node:test";

import { CHANNEL } from "./host.mjs";
import { OWNER, PICTURE, accountId, converse, openStage } from "./stage.mjs";

const STRANGER = "o9cq80stranger@im.wechat";
const SECOND_OWNER = "o9cq80second@im.wechat";

const stage = await openStage();
const { folder, host, model, sim, step } = stage;
after(() => stage.close());

let bot;
let second;

step(`installs on OpenClaw ${host.traits.version} and is listed`, async () => {
  await stage.install();
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
  const { baseUrl, cdnBaseUrl } = host.config().channels?.[CHANNEL] ?? {};
  assert.deepEqual({ baseUrl, cdnBaseUrl }, { baseUrl: undefined, cdnBaseUrl: undefined });
  const login = await stage.login();
  bot = login.bot;
  for (const said of [/Scanned/, /Connected/, /[█▀▄]{4}/u, /https?:\/\/\S+/]) {
    assert.ok(login.lines.some((line) => said.test(line)), `${said} is printed`);
  }

  const state = path.join(host.state, CHANNEL);
  assert.deepEqual(JSON.parse(readFileSync(path.join(state, "accounts.json"), "utf8")), [accountId(bot)]);
  assert.equal(statSync(path.join(state, "accounts", `${accountId(bot)}.json`)).mode & 0o777, 0o600);
  // Hosts with their allow-lists in a database do not start over a file of ours there.
  assert.equal(existsSync(path.join(host.state, "credentials")), false);
});

step("answers a text on the phone, typing meanwhile", async () => {
  await stage.startGateway(bot);
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
  const other = host.run("message", "send", "--channel", CHANNEL, "--target", OWNER, "--media", path.join(folder, "private.png"));
  // Some hosts read what their operator names themselves, and hand us a copy in their media store.
  if (host.traits.commandReadsMedia) await other;
  else await assert.rejects(other);
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
  const status = async () => {
    const answer = await host.run("channels", "status", "--probe", "--json");
    const { channelAccounts } = JSON.parse(answer.slice(answer.indexOf("{")));
    return channelAccounts[CHANNEL].find((known) => known.accountId === accountId(bot));
  };
  const phone = sim.phone(OWNER);
  let account;
  // After a login the host starts the channel's accounts anew, once no turn runs: this may be that moment.
  for (let tries = 0; tries < 5 && !(account?.connected && account.probe.lastPollAt); tries += 1) {
    const mark = await phone.mark();
    await phone.send(`/echo number ${tries}`, bot);
    await phone.waitFor(new RegExp(`^number ${tries}$`), mark);
    account = await status();
  }
  assert.equal(account.configured, true);
  assert.equal(account.connected, true);
  assert.equal(account.probe.ok, true, JSON.stringify(account.probe));
  assert.equal(account.probe.link, "online");
  assert.ok(account.probe.lastPollAt > 0);
  assert.ok(account.lastInboundAt > 0 && account.lastOutboundAt > 0, JSON.stringify(account));
  assert.match(await host.run("channels", "status", "--probe"), new RegExp(accountId(bot)));
});

step("a logout stops the account and forgets it; the other one goes on", async () => {
  await host.run("channels", "logout", "--channel", CHANNEL, "--account", accountId(second));
  await sim.waitForPoll(second, { polling: false });
  const state = path.join(host.state, CHANNEL);
  assert.deepEqual(JSON.parse(readFileSync(path.join(state, "accounts.json"), "utf8")), [accountId(bot)]);
  const left = readdirSync(path.join(state, "accounts")).filter((name) => name.startsWith(accountId(second)));
  assert.deepEqual(left.filter((name) => !name.endsWith(".lock")), []);
  await converse(sim.phone(OWNER), bot, "hello after the logout");
});

step("SIGTERM in the middle of a turn: stops cleanly, leaves nothing behind, and each message gets one answer", async () => {
  const phone = sim.phone(OWNER);
  const mark = await phone.mark();
  const release = model.hold();
  const asked = model.asked();
  await phone.send("half done", bot);
  await asked;
  const stopping = host.stopGateway();
  release();
  const { code, signal, ms } = await stopping;
  console.log(`stopped after ${ms} ms`);
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  assert.deepEqual(host.leftovers(), []);
  await phone.send("written while it was down", bot);
  await host.startGateway();
  await phone.waitFor(/reply \d+: written while it was down/, mark);
  const texts = await phone.texts(mark);
  assert.equal(texts.filter((text) => text.includes("half done")).length, 1, JSON.stringify(texts));
  await host.stopGateway();
  assert.deepEqual(host.leftovers(), []);
});

step("has kept to the protocol, over TLS", async () => {
  assert.ok((await sim.network()).connections > 0);
  assert.deepEqual(await sim.deviations(), []);
});
