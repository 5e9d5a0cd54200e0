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
  listAccountIds,
  portSettings,
  resolveAccount,
  settingPath,
} from "../accounts.js";

let stateDir;
beforeEach(() => {
  stateDir = mkdtempSync(path.join(tmpdir(), "weixin-"));
  mkdirSync(path.join(stateDir, "openclaw-weixin", "accounts"), { recursive: true });
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const save = (name, content) => writeFileSync(path.join(stateDir, "openclaw-weixin", name), content);

test("the newest login is the default, and a damaged list is told with what to do", () => {
  assert.equal(defaultAccountId(stateDir), "default");
  save("accounts.json", '["a@im.bot", "b-im-bot"]');
  assert.equal(defaultAccountId(stateDir), "b-im-bot");
  save("accounts.json", "{ half a fi");
  const problems = [];
  assert.deepEqual(listAccountIds(stateDir, (problem) => problems.push(problem)), []);
  assert.match(problems.join(), /accounts\.json is damaged.*channels login/);
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
  assert.deepEqual(told({}), { outbox: false, shareReceivedMedia: false, markdown: undefined, quotes: {} });
  const quoteCache = { enabled: false, retentionDays: 3, maxMessagesPerAccount: "many" };
  assert.deepEqual(told({ outbox: true, markdown: "plain", quoteCache }), {
    outbox: true,
    shareReceivedMedia: false,
    markdown: "plain",
    quotes: { enabled: false, retentionDays: 3 },
  });
  assert.deepEqual(told({ outbox: "yes", markdown: 1, quoteCache: [] }), { outbox: false, shareReceivedMedia: false, markdown: undefined, quotes: {} });
});

test("an account is configured when a token is saved, and the token stays in the file", () => {
  save("accounts/a-im-bot.json", '{"token":"secret","userId":"u@im.wechat"}');
  const account = resolveAccount({}, "a@im.bot", stateDir);
  assert.equal(account.configured, true);
  assert.equal(account.userId, "u@im.wechat");
  assert.equal(account.dmPolicy, "pairing");
  assert.ok(!JSON.stringify(account).includes("secret"));
  assert.equal(resolveAccount({}, "b-im-bot", stateDir).configured, false);
  assert.equal(resolveAccount({}, undefined, stateDir).accountId, "a-im-bot");
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

test("entries of a list that are nobody are left out", () => {
  assert.deepEqual(allowList({ allowFrom: ["weixin:a@im.wechat", "", null, "*", "weixin:*"] }), ["a@im.wechat", "*"]);
  assert.deepEqual(allowList({ allowFrom: "a@im.wechat" }), []);
});
