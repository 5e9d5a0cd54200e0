import assert from "node:assert/strict";
import { test } from "node:test";

import { createLogout } from "../logout.js";
import { collectStatusIssues, createProbe, statusPatch } from "../status.js";
import { fakePort } from "./fakes.mjs";

const STATUS = { accountId: "a", state: "online", detail: null, lastPollMs: 5, pending: 0 };
const probe = (answer) => {
  const port = fakePort({ "account.probe": answer });
  return { port, run: () => createProbe({ acquire: async () => port })({ account: { accountId: "a" } }) };
};

test("a probe tells what the server says now, and lets go of the port", async () => {
  const { port, run } = probe(() => ({ ok: true, status: STATUS }));
  const answer = await run();
  assert.deepEqual([answer.ok, answer.link, answer.lastPollAt, answer.error], [true, "online", 5, undefined]);
  assert.equal(port.called("account.probe")[0].accountId, "a");
  assert.equal(port.released, 1);
});

test("a probe that finds the login ended names the command", async () => {
  const { run } = probe(() => ({ ok: false, code: "needs-login", error: "getconfig: errcode -14", status: STATUS }));
  const answer = await run();
  assert.equal(answer.ok, false);
  assert.match(answer.error, /-14.*openclaw channels login --channel openclaw-weixin/);
});

test("a probe never rejects", async () => {
  const { port, run } = probe(() => {
    throw Object.assign(new Error("the channel is stopped"), { code: "closed" });
  });
  const answer = await run();
  assert.deepEqual([answer.ok, answer.code, answer.error], [false, "closed", "the channel is stopped"]);
  assert.equal(port.released, 1);
  const unopened = await createProbe({ acquire: async () => Promise.reject(new Error("no addon")) })({ account: {} });
  assert.deepEqual([unopened.ok, unopened.error], [false, "no addon"]);
});

test("issues name the trouble and the command; a healthy account has none", () => {
  const issue = (account) => collectStatusIssues([{ accountId: "a", enabled: true, configured: true, ...account }])[0];
  assert.equal(issue({ running: true, ...statusPatch({ state: "online" }) }), undefined);
  assert.equal(issue({ enabled: false, configured: false }), undefined);
  assert.match(issue({ configured: false }).fix, /channels login/);
  const ended = issue({ running: true, ...statusPatch({ state: "needs-login", detail: "errcode -14" }) });
  assert.deepEqual([ended.kind, ended.channel, ended.accountId], ["auth", "openclaw-weixin", "a"]);
  assert.match(ended.message, /login of the same user elsewhere: errcode -14/);
  assert.match(ended.fix, /channels login/);
  assert.equal(issue({ running: true, probe: { ok: false, code: "needs-login" } }).kind, "auth");
  assert.match(issue({ running: true, ...statusPatch({ state: "backoff", detail: "timed out" }) }).message, /timed out/);
  assert.match(issue({ running: true, probe: { ok: false, error: "refused" } }).message, /refused/);
  assert.match(issue({ running: false, lastError: "in use by another process" }).fix, /gateway restart/);
});

test("a logout forgets the account; only a command has to tell the gateway", async () => {
  for (const [isGateway, announced] of [[true, 0], [false, 1]]) {
    const port = fakePort();
    let told = 0;
    const logout = createLogout({
      acquire: async () => port,
      isGateway: () => isGateway,
      announce: async () => {
        told += 1;
      },
    });
    const answer = await logout({ accountId: "a", account: { accountId: "a", configured: true } });
    assert.deepEqual(answer, { cleared: true, loggedOut: true });
    assert.deepEqual(port.called("account.logout"), [{ accountId: "a" }]);
    assert.deepEqual([told, port.released], [announced, 1]);
  }
});

test("a logout of nobody says so; one that cannot be announced says what to run", async () => {
  const lines = [];
  const runtime = { log: (line) => lines.push(line) };
  const port = fakePort();
  const logout = createLogout({
    acquire: async () => port,
    isListed: (id) => id === "listed",
    isGateway: () => false,
    announce: async () => Promise.reject(new Error("read-only")),
  });
  assert.equal((await logout({ accountId: "a", account: { configured: false }, runtime })).cleared, false);
  assert.deepEqual(port.calls, []);
  // Its file is lost or damaged, and yet it is in every list.
  assert.equal((await logout({ accountId: "listed", account: { configured: false }, runtime })).cleared, true);
  await logout({ accountId: "a", account: { configured: true }, runtime });
  assert.match(lines.join("\n"), /not logged in[^]*Logged out: account a\.[^]*read-only.*gateway restart/);
});
