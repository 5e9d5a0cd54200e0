import assert from "node:assert/strict";
import { test } from "node:test";

import { configProblems } from "../settings.js";

const problems = (section) => configProblems({ channels: { "openclaw-weixin": section } });

test("settings of the official plugin and ours are known", () => {
  assert.deepEqual(configProblems({}), []);
  assert.deepEqual(
    problems({
      name: "n",
      enabled: true,
      baseUrl: "https://x",
      cdnBaseUrl: "https://x",
      routeTag: 7,
      botAgent: "A/1",
      replyProgressMessages: false,
      quoteCache: { enabled: true, retentionDays: 1, maxSingleMediaBytes: 5 },
      channelConfigUpdatedAt: "2026-01-01T00:00:00Z",
      dmPolicy: "open",
      allowFrom: ["*"],
      accounts: { "a-im-bot": { name: "n", dmPolicy: "disabled", routeTag: "t" } },
    }),
    [],
  );
});

test("what the host itself reads there is no mistake", () => {
  const host = { healthMonitor: { enabled: false }, textChunkLimit: 2000, dmHistoryLimit: 5 };
  assert.deepEqual(problems({ ...host, defaultAccount: "a", accounts: { a: host } }), []);
  assert.match(problems({ quoteCache: { textChunkLimit: 1 } })[0], /quoteCache\.textChunkLimit is no setting/);
});

test("an open policy that lets nobody in is said", () => {
  const said = (section) => problems(section).join();
  assert.match(said({ dmPolicy: "open" }), /^channels\.openclaw-weixin\.dmPolicy is "open", which .* allowFrom holds "\*"/);
  assert.match(said({ allowFrom: ["u"], accounts: { a: { dmPolicy: "open" } } }), /^channels\.openclaw-weixin\.accounts\.a\.dmPolicy is "open"/);
  assert.equal(said({ dmPolicy: "open", allowFrom: ["*"], accounts: { a: { name: "n" } } }), "");
});

test("each mistake is one sentence with the place", () => {
  const [unknown] = problems({ baseURL: "https://x" });
  assert.match(unknown, /^channels\.openclaw-weixin\.baseURL is no setting of this plugin; known are name, .*baseUrl/);
  assert.match(problems({ dmPolicy: "opne" })[0], /dmPolicy is "opne"; it must be one of pairing, allowlist, open, disabled/);
  assert.match(problems({ allowFrom: "me" })[0], /allowFrom must be of type array/);
  assert.match(problems({ allowFrom: [7] })[0], /allowFrom\[0\] must be of type string/);
  assert.match(problems({ routeTag: true })[0], /routeTag must be of type string or number/);
  assert.match(problems({ accounts: { a: { foo: 1 } } })[0], /accounts\.a\.foo is no setting/);
  assert.match(problems({ quoteCache: { days: 1 } })[0], /quoteCache\.days is no setting/);
  assert.match(problems([])[0], /channels\.openclaw-weixin must be of type object/);
});
