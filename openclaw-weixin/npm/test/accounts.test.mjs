import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import {
  accountSettings,
  allowList,
  connectionSettings,
  defaultAccountId,
  dmPolicy,
  listAccountIds,
  normalizeAccountId,
  normalizeUserId,
  portSettings,
  resolveAccount,
  resolveStateDir,
  settingPath,
} from "../accounts.js";

let stateDir;
beforeEach(() => {
  stateDir = mkdtempSync(path.join(tmpdir(), "weixin-"));
  mkdirSync(path.join(stateDir, "openclaw-weixin", "accounts"), { recursive: true });
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const pick = ({ configured, userId }) => ({ configured, userId });

const save = (name, content) => writeFileSync(path.join(stateDir, "openclaw-weixin", name), content);

test("the state folder is the host's, else that of its variables", () => {
  const runtime = { state: { resolveStateDir: () => "/told" } };
  assert.equal(resolveStateDir(runtime, {}), "/told");
  assert.equal(resolveStateDir(undefined, { OPENCLAW_STATE_DIR: "/a", CLAWDBOT_STATE_DIR: "/b" }), "/a");
  assert.equal(resolveStateDir(undefined, { CLAWDBOT_STATE_DIR: "/b" }), "/b");
  assert.equal(resolveStateDir(undefined, { OPENCLAW_HOME: "/h" }), path.join("/h", ".openclaw"));
  assert.equal(resolveStateDir(undefined, { OPENCLAW_HOME: "/h", OPENCLAW_STATE_DIR: "~/x" }), path.join("/h", "x"));
});

test("accounts are listed oldest first, whatever the file holds", () => {
  assert.deepEqual(listAccountIds(stateDir), []);
  save("accounts.json", '["a@im.bot", "b-im-bot", 7, "", "a-im-bot"]');
  assert.deepEqual(listAccountIds(stateDir), ["a-im-bot", "b-im-bot"]);
  assert.equal(defaultAccountId(stateDir), "b-im-bot");
  const problems = [];
  assert.deepEqual(listAccountIds(path.join(stateDir, "nowhere"), (problem) => problems.push(problem)), []);
  assert.deepEqual(problems, []);
  save("accounts.json", "{ half a fi");
  assert.deepEqual(listAccountIds(stateDir, (problem) => problems.push(problem)), []);
  assert.match(problems.join(), /accounts\.json is damaged.*channels login/);
  assert.equal(defaultAccountId(stateDir), "default");
});

test("an account's settings lie over the channel's", () => {
  const cfg = {
    channels: {
      "openclaw-weixin": {
        baseUrl: "https://all",
        botAgent: "All/1",
        accounts: { "a-im-bot": { baseUrl: "https://a", enabled: false } },
      },
    },
  };
  assert.deepEqual(connectionSettings(cfg, "a@im.bot"), {
    baseUrl: "https://a",
    cdnBaseUrl: undefined,
    routeTag: undefined,
    botAgent: "All/1",
  });
  assert.equal(connectionSettings(cfg).baseUrl, "https://all");
  assert.equal(accountSettings(cfg, "a-im-bot").enabled, false);
  assert.equal(accountSettings(cfg, "b-im-bot").enabled, true);
  assert.equal(accountSettings({ channels: { "openclaw-weixin": { enabled: false } } }, "b-im-bot").enabled, false);
  assert.equal(connectionSettings({ channels: { "openclaw-weixin": { routeTag: 7 } } }).routeTag, "7");
});

test("a setting is where the account has it, else with the channel's", () => {
  const cfg = { channels: { "openclaw-weixin": { accounts: { a: { dmPolicy: "open" } } } } };
  assert.equal(settingPath(cfg, "a", "dmPolicy"), "channels.openclaw-weixin.accounts.a.dmPolicy");
  assert.equal(settingPath(cfg, "a", "allowFrom"), "channels.openclaw-weixin.allowFrom");
  assert.equal(settingPath({}, "a", "dmPolicy"), "channels.openclaw-weixin.dmPolicy");
});

test("what holds for all accounts is told in types that the addon takes", () => {
  const told = (section) => portSettings({ channels: { "openclaw-weixin": section } });
  assert.deepEqual(told({}), { outbox: false, markdown: undefined, quotes: {} });
  const quoteCache = { enabled: false, retentionDays: 3, maxMessagesPerAccount: "many" };
  assert.deepEqual(told({ outbox: true, markdown: "plain", quoteCache }), {
    outbox: true,
    markdown: "plain",
    quotes: { enabled: false, retentionDays: 3 },
  });
  assert.deepEqual(told({ outbox: "yes", markdown: 1, quoteCache: [] }), { outbox: false, markdown: undefined, quotes: {} });
});

test("an account is configured when a token is saved, and the token stays in the file", () => {
  save("accounts/a-im-bot.json", '{"token":"secret","userId":"u@im.wechat"}');
  const account = resolveAccount({}, "a@im.bot", stateDir);
  assert.equal(account.configured, true);
  assert.equal(account.userId, "u@im.wechat");
  assert.equal(account.dmPolicy, "pairing");
  assert.ok(!JSON.stringify(account).includes("secret"));
  assert.equal(resolveAccount({}, "b-im-bot", stateDir).configured, false);
  assert.equal(resolveAccount({}, undefined, stateDir).accountId, "default");
});

test("accounts under the names of older versions are configured too", () => {
  save("accounts/a@im.bot.json", '{"token":"secret","userId":"u@im.wechat"}');
  assert.deepEqual(pick(resolveAccount({}, "a-im-bot", stateDir)), { configured: true, userId: "u@im.wechat" });
  assert.deepEqual(pick(resolveAccount({}, "b-im-bot", stateDir)), { configured: false, userId: undefined });
  mkdirSync(path.join(stateDir, "credentials", "openclaw-weixin"), { recursive: true });
  writeFileSync(path.join(stateDir, "credentials", "openclaw-weixin", "credentials.json"), '{"token":"old"}');
  assert.deepEqual(pick(resolveAccount({}, "b-im-bot", stateDir)), { configured: true, userId: undefined });
});

test("an account without its own value for a setting has the channel's", () => {
  const accounts = { a: { dmPolicy: null, allowFrom: null, baseUrl: null } };
  const cfg = { channels: { "openclaw-weixin": { dmPolicy: "disabled", allowFrom: ["u"], baseUrl: "https://all", accounts } } };
  const { dmPolicy: policy, allowFrom } = resolveAccount(cfg, "a", stateDir);
  assert.deepEqual([policy, allowFrom, connectionSettings(cfg, "a").baseUrl], ["disabled", ["u"], "https://all"]);
  assert.equal(settingPath(cfg, "a", "dmPolicy"), "channels.openclaw-weixin.dmPolicy");
});

test("an account's section may carry the bot's id as WeChat writes it", () => {
  const cfg = { channels: { "openclaw-weixin": { accounts: { "b0f5@im.bot": { dmPolicy: "disabled" } } } } };
  assert.equal(resolveAccount(cfg, "b0f5-im-bot", stateDir).dmPolicy, "disabled");
  assert.equal(settingPath(cfg, "b0f5-im-bot", "dmPolicy"), "channels.openclaw-weixin.accounts.b0f5@im.bot.dmPolicy");
});

test("ids lose what hosts and people put around them", () => {
  assert.equal(normalizeAccountId(" b0f5@im.bot "), "b0f5-im-bot");
  // As the addon does: its events carry its own name of the account.
  assert.equal(normalizeAccountId("../x y"), "---x-y");
  assert.equal(normalizeUserId(" openclaw-weixin:user:o9Cq@im.wechat"), "o9Cq@im.wechat");
  assert.equal(normalizeUserId(undefined), "");
  assert.deepEqual(allowList({ allowFrom: ["weixin:a@im.wechat", "", "*"] }), ["a@im.wechat", "*"]);
});

test("an unknown policy is strict, not open", () => {
  assert.equal(dmPolicy({}), "pairing");
  assert.equal(dmPolicy({ dmPolicy: "opne" }), "allowlist");
});
