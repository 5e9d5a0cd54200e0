// The built addon in a real Node.js, without OpenClaw. `cargo xtask ci` builds it and names it in WEIXIN_ADDON, and the
// simulator in WEIXIN_SIMULATOR.
// `node` is given this file alone.
import "./files.test.mjs";

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

const addon = process.env.WEIXIN_ADDON;
assert.ok(addon, "WEIXIN_ADDON must name the built addon; run `cargo xtask ci --fast`");
const simulator = process.env.WEIXIN_SIMULATOR;
assert.ok(simulator, "WEIXIN_SIMULATOR must name the built ilink-sim; run `cargo xtask ci --fast`");
const { Addon } = createRequire(import.meta.url)(addon);

/** An addon with its own state folder; `use` gets a `call` with objects on both sides. */
async function withAddon(use) {
  const stateDir = mkdtempSync(path.join(tmpdir(), "weixin-addon-"));
  const instance = new Addon(() => {});
  const call = async (method, params = {}) => JSON.parse(await instance.call(method, JSON.stringify(params)));
  try {
    await use({ call, instance, stateDir });
  } finally {
    await instance.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

test("failures are errors with a stable code and a sentence", () =>
  withAddon(async ({ call, instance, stateDir }) => {
    await assert.rejects(call("account.start", { accountId: "a" }), (error) => {
      assert.ok(error instanceof Error);
      assert.equal(error.code, "not-initialised");
      return true;
    });
    await call("init", { stateDir });
    await assert.rejects(call("no.such.method"), { code: "unknown-method" });
    await assert.rejects(call("account.start", {}), { code: "invalid-input", message: /accountId/ });
    await assert.rejects(instance.call("account.start", "{"), { code: "invalid-input" });
    await assert.rejects(call("account.start", { accountId: "a-im-bot" }), { code: "unknown-account" });
  }));

test("a state folder that cannot be written is named", () =>
  withAddon(async ({ call, stateDir }) => {
    const file = path.join(stateDir, "file");
    writeFileSync(file, "");
    await assert.rejects(call("init", { stateDir: path.join(file, "state") }), (error) => {
      assert.match(error.message, /file[\\/]state/);
      return true;
    });
  }));

test("plain http is for this machine only, and the error names the setting", () =>
  withAddon(async ({ call, stateDir }) => {
    await call("init", { stateDir });
    await assert.rejects(call("login.start", { baseUrl: "http://weixin.example" }), /baseUrl/);
    await assert.rejects(call("login.start", { baseUrl: "not a url" }), /baseUrl/);
  }));

test("a login without settings greets Tencent's host by TLS, here through a proxy that ends there", { timeout: 60_000 }, (t) =>
  withAddon(async ({ call, stateDir }) => {
    const asked = [];
    const proxy = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (request) => {
        asked.push(request.toString().split("\r\n")[0]);
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        // 0x16 is a record of type handshake (RFC 8446, section 5.1); the host's name stands in it as it is.
        socket.once("data", (record) => {
          asked.push({ type: record[0], host: /ilinkai\.weixin\.qq\.com/.exec(record.toString("latin1"))?.[0] });
          socket.destroy();
        });
      });
    });
    await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    setProxy(t, `http://127.0.0.1:${proxy.address().port}`);
    await call("init", { stateDir });
    await assert.rejects(call("login.start"));
    proxy.close();
    assert.deepEqual(asked.slice(0, 2), ["CONNECT ilinkai.weixin.qq.com:443 HTTP/1.1", { type: 0x16, host: "ilinkai.weixin.qq.com" }]);
  }));

test("a login without settings, over TLS, and the account that it makes", { timeout: 60_000 }, (t) =>
  withAddon(async ({ call, stateDir }) => {
    const ready = path.join(stateDir, "ready.json");
    const args = ["--proxy", "--auto-scan", "--exit-on-stdin-eof", "--ready-file", ready];
    const sim = spawn(simulator, args, { stdio: ["pipe", "ignore", "inherit"] });
    const ended = once(sim, "exit");
    const tooEarly = ended.then(() => assert.fail("ilink-sim has ended"));
    tooEarly.catch(() => {});
    while (!existsSync(ready)) await Promise.race([new Promise(setImmediate), tooEarly]);
    const { https_proxy: proxy, ca_file: authority } = JSON.parse(readFileSync(ready, "utf8"));
    setProxy(t, proxy);
    await call("init", { stateDir, roots: [readFileSync(authority, "utf8")] });
    const { loginId, qr } = await call("login.start");
    assert.equal(new URL(qr.url).host, "liteapp.weixin.qq.com");
    let step;
    do step = await call("login.next", { loginId });
    while (step.event === "scanned");
    assert.equal(step.event, "confirmed", JSON.stringify(step));
    assert.equal((await call("account.probe", { accountId: step.accountId })).ok, true);
    sim.stdin.end();
    await ended;
  }));

/** One proxy for https and no other setting, until the test ends. */
function setProxy(t, proxy) {
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (/^(https?|all|no)_proxy$/i.test(name)) delete process.env[name];
  process.env.HTTPS_PROXY = proxy;
  t.after(() => {
    delete process.env.HTTPS_PROXY;
    Object.assign(process.env, before);
  });
}

test("a close does not wait for what is in flight", { timeout: 20_000 }, () =>
  withAddon(async ({ call, instance, stateDir }) => {
    const silent = createServer(() => {});
    await new Promise((resolve) => silent.listen(0, "127.0.0.1", resolve));
    await call("init", { stateDir });
    const login = call("login.start", { baseUrl: `http://127.0.0.1:${silent.address().port}` });
    const rejected = assert.rejects(login, { code: "closed" });
    await new Promise((resolve) => silent.once("connection", resolve));
    await instance.close();
    await rejected;
    await assert.rejects(call("init", { stateDir }), { code: "closed" });
    silent.close();
  }));

// Node.js has SQLite since 22.5.
const sqlite = await import("node:sqlite").catch(() => undefined);

test("a close takes no second although another program has locked the journal", { skip: !sqlite && "no node:sqlite", timeout: 20_000 }, () =>
  withAddon(async ({ call, instance, stateDir }) => {
    const { server, baseUrl } = await accountAt(stateDir, { ret: 0 });
    await call("init", { stateDir });
    await call("account.start", { accountId: "a-im-bot", baseUrl });
    const journal = new sqlite.DatabaseSync(path.join(stateDir, "openclaw-weixin", "channel.sqlite"));
    journal.exec("BEGIN IMMEDIATE");
    const logout = call("account.logout", { accountId: "a-im-bot" });
    const rejected = assert.rejects(logout, { code: "closed" });
    const begin = performance.now();
    await instance.close();
    const took = performance.now() - begin;
    assert.ok(took < 1_000, `${took} ms`);
    await rejected;
    journal.close();
    server.close();
  }));

/** A server that answers every request with `answer`, and an account of it below `stateDir`. */
async function accountAt(stateDir, answer) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => {
      const body = JSON.stringify(answer);
      socket.end(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      );
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const folder = path.join(stateDir, "openclaw-weixin");
  mkdirSync(path.join(folder, "accounts"), { recursive: true });
  writeFileSync(path.join(folder, "accounts.json"), '["a-im-bot"]');
  const account = { token: "secret", userId: "owner@im.wechat", baseUrl: `http://127.0.0.1:${server.address().port}` };
  writeFileSync(path.join(folder, "accounts", "a-im-bot.json"), JSON.stringify(account));
  return { server, baseUrl: account.baseUrl };
}

test("a probe tells what the server says, and what it does not say", () =>
  withAddon(async ({ call, stateDir }) => {
    const cases = [
      [{ ret: 0, typing_ticket: "t" }, { ok: true, code: undefined }],
      [{ ret: -4 }, { ok: true, code: "rejected" }],
      [{ errcode: -14, errmsg: "session timeout" }, { ok: false, code: "needs-login" }],
    ];
    let last;
    await call("init", { stateDir });
    for (const [answer, expected] of cases) {
      const { server, baseUrl } = await accountAt(stateDir, answer);
      last = baseUrl;
      const { ok, code, status } = await call("account.probe", { accountId: "a-im-bot", baseUrl });
      server.close();
      assert.deepEqual({ ok, code }, expected, JSON.stringify(answer));
      assert.equal(status.state, "stopped");
    }
    const { ok, code } = await call("account.probe", { accountId: "a-im-bot", baseUrl: last });
    assert.deepEqual({ ok, code }, { ok: false, code: "unreachable" });
    assert.equal((await call("account.probe", { accountId: "b-im-bot" })).code, "unknown-account");
  }));

test("a logout removes what the login has made", () =>
  withAddon(async ({ call, stateDir }) => {
    const { server } = await accountAt(stateDir, { ret: 0 });
    server.close();
    await call("init", { stateDir });
    await call("account.logout", { accountId: "a-im-bot" });
    const folder = path.join(stateDir, "openclaw-weixin");
    assert.deepEqual(JSON.parse(readFileSync(path.join(folder, "accounts.json"), "utf8")), []);
    assert.equal(existsSync(path.join(folder, "accounts", "a-im-bot.json")), false);
    await assert.rejects(call("account.start", { accountId: "a-im-bot" }), { code: "unknown-account" });
  }));

test("a running account spawns nothing, listens nowhere and has one thread", { skip: process.platform !== "linux", timeout: 20_000 }, () =>
  withAddon(async ({ call, instance, stateDir }) => {
    const { server, baseUrl } = await accountAt(stateDir, { ret: 0, msgs: [], get_updates_buf: "1" });
    const before = own();
    await call("init", { stateDir });
    await call("account.start", { accountId: "a-im-bot", baseUrl });
    await new Promise((resolve) => server.once("connection", resolve));
    const running = own();
    assert.deepEqual(running.children, before.children);
    assert.deepEqual(running.listening, before.listening);
    assert.equal(running.threads, 1);
    await call("account.stop", { accountId: "a-im-bot" });
    await instance.close();
    // The thread reports its end a moment before it is gone.
    while (own().threads > 0) await new Promise(setImmediate);
    server.close();
  }));

/** What the kernel knows of this process: children, listening sockets, threads of addons. */
function own() {
  const tasks = readdirSync("/proc/self/task");
  const sockets = new Set();
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`)) ?? [];
      if (inode) sockets.add(inode);
    } catch {
      // Closed while we looked.
    }
  }
  // Field 3 is the state, 0A is LISTEN; field 9 is the inode.
  const listening = ["tcp", "tcp6"]
    .flatMap((name) => readFileSync(`/proc/self/net/${name}`, "utf8").split("\n").slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === "0A" && sockets.has(fields[9]))
    .map((fields) => fields[1]);
  const of = (task, name) => {
    try {
      return readFileSync(`/proc/self/task/${task}/${name}`, "utf8").trim();
    } catch {
      return ""; // Ended while we looked.
    }
  };
  return {
    children: tasks.map((task) => of(task, "children")).filter(Boolean),
    listening: listening.sort(),
    threads: tasks.filter((task) => of(task, "comm").startsWith("openclaw-weixin")).length,
  };
}

test("an addon that is never closed does not keep Node running", () => {
  const script = `new (require(${JSON.stringify(addon)}).Addon)(() => {});`;
  execFileSync(process.execPath, ["-e", script], { timeout: 10_000 });
});
