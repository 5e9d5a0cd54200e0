// The built addon in a real Node.js, without OpenClaw. `cargo xtask ci` builds it and names it in WEIXIN_ADDON.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

const addon = process.env.WEIXIN_ADDON;
assert.ok(addon, "WEIXIN_ADDON must name the built addon; run `cargo xtask ci --fast`");
const { Host } = createRequire(import.meta.url)(addon);

/** A host with its own state folder; `use` gets a `call` with objects on both sides. */
async function withHost(use) {
  const stateDir = mkdtempSync(path.join(tmpdir(), "weixin-addon-"));
  const host = new Host(() => {});
  const call = async (method, params = {}) => JSON.parse(await host.call(method, JSON.stringify(params)));
  try {
    await use({ call, host, stateDir });
  } finally {
    await host.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

test("failures are errors with a stable code and a sentence", () =>
  withHost(async ({ call, host, stateDir }) => {
    await assert.rejects(call("account.start", { accountId: "a" }), (error) => {
      assert.ok(error instanceof Error);
      assert.equal(error.code, "not-initialised");
      return true;
    });
    await call("init", { stateDir });
    await assert.rejects(call("no.such.method"), { code: "unknown-method" });
    await assert.rejects(call("account.start", {}), { code: "invalid-input", message: /accountId/ });
    await assert.rejects(host.call("account.start", "{"), { code: "invalid-input" });
    await assert.rejects(call("account.start", { accountId: "a-im-bot" }), { code: "unknown-account" });
  }));

test("a state folder that cannot be written is named", () =>
  withHost(async ({ call, stateDir }) => {
    const file = path.join(stateDir, "file");
    writeFileSync(file, "");
    await assert.rejects(call("init", { stateDir: path.join(file, "state") }), (error) => {
      assert.match(error.message, /file[\\/]state/);
      return true;
    });
  }));

test("plain http is for this machine only, and the error names the setting", () =>
  withHost(async ({ call, stateDir }) => {
    await call("init", { stateDir });
    await assert.rejects(call("login.start", { baseUrl: "http://weixin.example" }), /baseUrl/);
    await assert.rejects(call("login.start", { baseUrl: "not a url" }), /baseUrl/);
  }));

test("a close does not wait for what is in flight", { timeout: 20_000 }, () =>
  withHost(async ({ call, host, stateDir }) => {
    const silent = createServer(() => {});
    await new Promise((resolve) => silent.listen(0, "127.0.0.1", resolve));
    await call("init", { stateDir });
    const login = call("login.start", { baseUrl: `http://127.0.0.1:${silent.address().port}` });
    const rejected = assert.rejects(login, { code: "closed" });
    await new Promise((resolve) => silent.once("connection", resolve));
    await host.close();
    await rejected;
    await assert.rejects(call("init", { stateDir }), { code: "closed" });
    silent.close();
  }));

test("a host that is never closed does not keep Node running", () => {
  const script = `new (require(${JSON.stringify(addon)}).Host)(() => {});`;
  execFileSync(process.execPath, ["-e", script], { timeout: 10_000 });
});
