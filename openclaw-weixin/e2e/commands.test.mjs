// The commands of OpenClaw's page about this channel (docs/channels/wechat.md), as a user types them, with our
// packages in a registry on loopback. One story in order; `cargo xtask e2e` runs it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";

import { CHANNEL } from "./host.mjs";
import { startRegistry } from "./registry.mjs";
import { OWNER, converse, openStage } from "./stage.mjs";

const { E2E_NODE, E2E_REGISTRY, E2E_VERDACCIO } = process.env;
const PACKAGE = "@tencent-weixin/openclaw-weixin";
// OpenClaw 2026.9.6 pins the bare name to one version of Tencent's archive, by its hash; the tag makes it ask the registry.
const SPEC = `${PACKAGE}@latest`;
const GUEST = "o9cq80guest@im.wechat";

const stage = await openStage();
const { folder, host, model, sim, step } = stage;
let registry;
let bot;

before(async () => {
  registry = await startRegistry({ node: E2E_NODE, verdaccio: E2E_VERDACCIO, folder: path.join(folder, "registry") });
  Object.assign(host.env, registry.env);
  for (const name of ["platform", "plugin", "cli"]) await registry.publish(path.join(E2E_REGISTRY, name));
});

after(async () => {
  await registry?.close();
  await stage.close();
});

step("plugins install finds plugin and addon in the registry", async () => {
  await host.install(SPEC);
  assert.match(await host.run("plugins", "list", "--enabled"), /openclaw-weixin/);
});

step("the config switches the plugin off and on", async () => {
  const entry = `plugins.entries.${CHANNEL}.enabled`;
  await host.run("config", "set", entry, "false");
  assert.doesNotMatch(await host.run("plugins", "list", "--enabled"), /openclaw-weixin/);
  await host.run("config", "set", entry, "true");
  assert.match(await host.run("plugins", "list", "--enabled"), /openclaw-weixin/);
});

step("channels login on a terminal, digits typed", async () => {
  await stage.connect();
  const phone = sim.phone(OWNER);
  await phone.setVerifyCode("0815");
  const login = host.startOnTerminal("channels", "login", "--channel", CHANNEL);
  const code = await login.during(phone.scan());
  await login.waitForLine(/Type the digits/);
  login.child.stdin.write("0815\n");
  bot = await code.confirm();
  await login.waitForLine(/Connected/);
  assert.equal((await login.exited).code, 0, login.tail());
});

step("with dmScope per-account-channel-peer two senders have two sessions; pairing list and approve", async () => {
  await host.run("config", "set", "session.dmScope", "per-account-channel-peer");
  await stage.startGateway(bot);
  await converse(sim.phone(OWNER), bot, "the owner's secret");
  const guest = sim.phone(GUEST);
  const mark = await guest.mark();
  await guest.send("let me in", bot);
  const { text } = await guest.waitFor(/pairing/i, mark);
  const [, code] = text.match(/\b([A-Z0-9]{8})\b/);
  assert.match(await host.run("pairing", "list", CHANNEL), new RegExp(code));
  await host.run("pairing", "approve", CHANNEL, code);
  await converse(guest, bot, "hello from the guest");
  assert.doesNotMatch(JSON.stringify(model.requests.at(-1).messages), /the owner's secret/);
  await converse(sim.phone(OWNER), bot, "hello again");
  assert.match(JSON.stringify(model.requests.at(-1).messages), /the owner's secret/);
});

step("plugins install --force updates in place; the login is kept", async () => {
  for (const name of ["platform", "plugin"]) await registry.publish(path.join(E2E_REGISTRY, name), "99.0.0");
  const before = readFileSync(accountsFile(), "utf8");
  await host.run("plugins", "install", SPEC, ...host.traits.installFlags);
  assert.equal(readFileSync(accountsFile(), "utf8"), before);
  assert.match(await host.run("plugins", "list", "--json"), /"version": "99\.0\.0"/);
});

step("gateway restart: the gateway goes on with the update, in the same process", async () => {
  const started = await sim.requests("notifystart");
  await host.run("gateway", "restart");
  await sim.waitForRequest("notifystart", started);
  await sim.waitForPoll(bot);
  assert.equal(host.gateway.ended, undefined);
  await converse(sim.phone(OWNER), bot, "hello after the update");
});

step("channels status says when the login has ended, and which command helps", async () => {
  await sim.admin(`bots/${encodeURIComponent(bot.bot_id)}`, { method: "DELETE" });
  const said = await host.run("channels", "status", "--probe");
  assert.match(said, /channels login --channel openclaw-weixin/);
});

step("plugins uninstall removes the plugin, not the login", async () => {
  const before = readFileSync(accountsFile(), "utf8");
  await host.stopGateway();
  await host.run("plugins", "uninstall", CHANNEL, "--force");
  assert.doesNotMatch(await host.run("plugins", "list"), /99\.0\.0/);
  assert.equal(readFileSync(accountsFile(), "utf8"), before);
});

step("the installer: a dry run changes nothing, a run installs, the next would update", async () => {
  const npx = (...args) => host.npx("-y", `${PACKAGE}-cli`, ...args);
  const config = readFileSync(host.configFile, "utf8");
  assert.match(await npx("install", "--dry-run"), /Nothing was changed/);
  assert.equal(readFileSync(host.configFile, "utf8"), config);
  assert.match(await npx("install"), /an account is logged in already[^]*the plugin is enabled[^]*Done\./);
  assert.match(await npx("install", "--dry-run"), /it is there already; updating it/);
});

function accountsFile() {
  return path.join(host.state, CHANNEL, "accounts.json");
}
