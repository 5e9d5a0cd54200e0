import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { install, parseArguments } from "../installer.js";

const glibc = (glibcVersionRuntime) => ({ getReport: () => ({ header: { glibcVersionRuntime } }) });
const MACHINE = { versions: { node: "24.21.0" }, platform: "linux", arch: "x64", report: glibc("2.39") };
const NEW_HELP = "--force  --accept-capabilities";

/** Plays OpenClaw: `answers[args]` is an output, a code, or both; everything else succeeds silently. */
async function play(answers = {}, { options = {}, machine = MACHINE, state = "/nowhere", addons } = {}) {
  const ran = [];
  const lines = [];
  const run = async (command, args) => {
    const line = [command, ...args].join(" ").replace(/^openclaw /, "");
    ran.push(line);
    const answer = { "--version": "OpenClaw 2026.9.6", "plugins list --enabled": "openclaw-weixin", ...answers }[line] ?? "";
    const { output = "", ...rest } = typeof answer === "string" ? { output: answer } : answer;
    return { code: 0, missing: false, answer: output, output, ...rest };
  };
  const done = await install({
    plugin: "@x/openclaw-weixin",
    minHostVersion: "2026.1.29",
    addons,
    options: { dryRun: false, ...options },
    run,
    print: (line) => lines.push(line),
    machine,
    env: { OPENCLAW_STATE_DIR: state },
  });
  const changed = ran.filter((line) => !/^(--version|plugins list|plugins install --help|channels status)/.test(line));
  return { done, ran, changed, said: lines.join("\n") };
}

test("installs, enables, logs in, restarts and looks", async () => {
  const { done, changed, ran } = await play({ "plugins install --help": NEW_HELP });
  assert.equal(done, true);
  assert.deepEqual(changed, [
    "plugins install --force --accept-capabilities @x/openclaw-weixin@latest",
    "plugins enable openclaw-weixin",
    "channels login --channel openclaw-weixin",
    "gateway restart",
  ]);
  assert.equal(ran.at(-1), "channels status --probe --json");
});

test("a host that knows no --force updates what is there", async () => {
  const list = { "plugins list --json": 'log line\n{"plugins":[{"id":"openclaw-weixin"}]}' };
  assert.equal((await play(list)).changed[0], "plugins update openclaw-weixin");
  assert.equal((await play()).changed[0], "plugins install @x/openclaw-weixin@latest");
});

test("a second run leaves the login alone, unless told", async () => {
  const state = mkdtempSync(path.join(tmpdir(), "weixin-cli-"));
  mkdirSync(path.join(state, "openclaw-weixin"));
  writeFileSync(path.join(state, "openclaw-weixin", "accounts.json"), '["a-im-bot"]');
  const logins = async (options) => (await play({}, { state, options })).changed.filter((line) => /login/.test(line)).length;
  assert.equal(await logins({}), 0);
  assert.equal(await logins({ login: true }), 1);
  assert.equal((await play({}, { options: { login: false } })).changed.length, 3);
  rmSync(state, { recursive: true });
});

test("a dry run says the commands and runs none that changes anything", async () => {
  const { done, changed, said } = await play({}, { options: { dryRun: true } });
  assert.equal(done, true);
  assert.deepEqual(changed, []);
  assert.match(said, /\$ openclaw plugins install @x\/openclaw-weixin@latest[^]*\$ openclaw gateway restart[^]*Nothing was changed/);
});

test("each obstacle is one sentence that says what to do, before anything is changed", async () => {
  const obstacles = [
    [await play({ "--version": { code: null, missing: true } }), /npm install -g openclaw@latest/],
    [await play({ "--version": { code: 1, output: "'openclaw' is not recognized" } }), /not recognized[^]*npm install -g openclaw@latest/],
    [await play({ "--version": "2026.1.28" }), /2026\.1\.28 is too old.*npm install/],
    [await play({ "--version": { code: 1, output: "needs Node 24" } }), /needs Node 24/],
    [await play({}, { machine: { ...MACHINE, versions: { node: "18.1.0" } } }), /Node\.js 20/],
    [await play({}, { machine: { ...MACHINE, platform: "aix" }, addons: ["linux-x64-gnu"] }), /no addon for aix-x64.*linux-x64-gnu/],
    [await play({}, { machine: { ...MACHINE, arch: "arm" }, addons: ["linux-arm64-gnu"] }), /no addon for linux-arm-gnu/],
    [await play({}, { machine: { ...MACHINE, report: glibc(undefined) }, addons: ["linux-x64-gnu"] }), /no addon for linux-x64-musl/],
  ];
  for (const [{ done, changed, said }, expected] of obstacles) {
    assert.equal(done, false);
    assert.deepEqual(changed, []);
    assert.match(said, expected);
  }
});

test("a step that fails stops the installation and repeats what OpenClaw said", async () => {
  const { done, changed, said } = await play({ "plugins install @x/openclaw-weixin@latest": { code: 1, output: "a\nintegrity mismatch" } });
  assert.equal(done, false);
  assert.equal(changed.length, 1);
  assert.match(said, /integrity mismatch[^]*run this installer again/);
});

test("the result names each account and what WeChat says", async () => {
  const status = JSON.stringify({
    channelAccounts: {
      "openclaw-weixin": [
        { accountId: "a", probe: { ok: true } },
        { accountId: "b", probe: { ok: false, error: "run the login again" } },
      ],
    },
  });
  const { said } = await play({ "channels status --probe --json": status });
  assert.match(said, /account a: WeChat answers\n.*account b: not yet \(run the login again\)/);
  assert.match((await play({ "channels status --probe --json": { code: 1 } })).said, /no gateway answers/);
});

test("machines with an addon are let in, and a host without accounts is told the command", async () => {
  const addons = ["linux-x64-gnu", "linux-arm64-musl", "darwin-arm64", "win32-x64-msvc"];
  const machines = [
    MACHINE,
    { ...MACHINE, arch: "arm64", report: glibc(undefined) },
    { ...MACHINE, platform: "darwin", arch: "arm64" },
    { ...MACHINE, platform: "win32" },
  ];
  for (const machine of machines) assert.equal((await play({}, { machine, addons })).done, true);
  const { said } = await play({ "channels status --probe --json": '{"channelAccounts":{"openclaw-weixin":[]}}' });
  assert.match(said, /no account is logged in; run `openclaw channels login/);
});

test("arguments", () => {
  assert.deepEqual(parseArguments(["install", "--dry-run"]), { dryRun: true, login: undefined, help: false, problem: undefined });
  assert.match(parseArguments([]).problem, /Name a command/);
  assert.match(parseArguments(["remove"]).problem, /remove/);
  assert.match(parseArguments(["install", "--fast"]).problem, /--fast/);
});
