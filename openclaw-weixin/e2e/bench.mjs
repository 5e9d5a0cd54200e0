// `cargo xtask bench host`: what the plugin costs the gateway, beside the official plugin and beside no plugin at all,
// alternately on the same host in one run. Everything is measured from outside: clock, /proc, npm.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { CHANNEL } from "./host.mjs";
import { Program } from "./process.mjs";
import { OWNER, accountId, converse, openStage } from "./stage.mjs";

const { BENCH_OFFICIAL, E2E_NODE, E2E_PACKAGE } = process.env;
const { values: flags } = parseArgs({
  options: { runs: { type: "string", default: "3" }, network: { type: "string", default: "proxy" } },
});
const RUNS = Number(flags.runs);
if (!Number.isInteger(RUNS) || RUNS < 1) throw new Error(`--runs takes a number from 1 on, not ${flags.runs}`);
const REGISTRATIONS = 10;
const TURNS = 8;
/** A person reads before writing again. Without a pause replies would wait for the pace at which ours sends (one in 3 s). */
const READ_MS = 3_500;
const RELOADS = 10;
/** A gateway goes on loading after it has said that it is ready. */
const SETTLE_MS = 10_000;

/** The rows of the result, in order, and each one's unit. */
const ROWS = {
  packed: ["package with its dependencies, packed", "MB"],
  unpacked: ["the same, unpacked", "MB"],
  register: ["import and `register` in a fresh process", "ms"],
  ready: ["gateway: start to ready", "ms"],
  polling: ["gateway: start to first poll", "ms"],
  idle: [`gateway: memory (RSS) ${SETTLE_MS / 1000} s later`, "MB"],
  first: ["first turn, phone to phone", "ms"],
  warm: ["warm turn, phone to phone", "ms"],
  used: [`gateway: memory after ${TURNS + 1} turns`, "MB"],
  reload: ["reload of the channel, to first poll", "ms"],
  reloadThreads: [`threads of the plugin after ${RELOADS} reloads`, ""],
  reloadImages: [`addon images after ${RELOADS} reloads`, ""],
  restart: ["restart in place, to first poll", "ms"],
  restartThreads: [`threads of the plugin after ${RELOADS} restarts in place`, ""],
  restartImages: [`addon images after ${RELOADS} restarts in place`, ""],
  restartMemory: [`gateway: memory after ${RELOADS} restarts in place`, "MB"],
  stop: ["account alone: stop with a poll in flight", "ms"],
  exit: ["gateway: SIGTERM to exit, a poll in flight", "ms"],
};

class Candidate {
  figures = Object.fromEntries(Object.keys(ROWS).map((row) => [row, []]));

  constructor(name, spec) {
    Object.assign(this, { name, spec });
  }

  take(row, figure) {
    this.figures[row].push(figure);
  }

  /** Installed and logged in. The official plugin logs in nowhere but at Tencent, so both get an account file (§8). */
  async setUp() {
    this.stage = await openStage({ purpose: "bench", network: flags.network });
    const { host, sim } = this.stage;
    // The official plugin fetches with Node.js, which looks at proxies only where it is told to.
    if (flags.network === "proxy") Object.assign(host.networkEnv, { NODE_USE_ENV_PROXY: "1" });
    if (!this.spec) return;
    await this.stage.install(this.spec);
    const listed = await host.run("plugins", "list", "--json");
    const plugins = JSON.parse(listed.slice(listed.indexOf("{"))).plugins;
    this.plugin = plugins.find(({ id, origin }) => id === CHANNEL && origin !== "bundled");
    this.phone = sim.phone(OWNER);
    this.bot = await sim.addBot(OWNER);
    const state = path.join(host.state, CHANNEL);
    const file = path.join(state, "accounts", `${accountId(this.bot)}.json`);
    const { token, base_url: baseUrl, user_id: userId } = this.bot;
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(path.join(state, "accounts.json"), JSON.stringify([accountId(this.bot)]));
    writeFileSync(file, JSON.stringify({ token, baseUrl, userId, savedAt: new Date().toISOString() }), { mode: 0o600 });
    this.#size();
  }

  #size() {
    const root = this.plugin.rootDir;
    const modules = root.lastIndexOf("/node_modules/");
    const folders = modules < 0 ? [root] : installed(`${root.slice(0, modules)}/node_modules`);
    const npm = ["pack", "--dry-run", "--json", "--ignore-scripts", "--loglevel=error", ...folders];
    const packages = JSON.parse(execFileSync("npm", npm, { cwd: this.stage.folder, encoding: "utf8" }));
    const sum = (key) => packages.reduce((total, entry) => total + entry[key], 0) / 1e6;
    this.take("packed", sum("size"));
    this.take("unpacked", sum("unpackedSize"));
  }

  /** From a gateway's start to its end; the last round restarts it in place. */
  async round(last) {
    if (this.plugin) await this.#alone();
    const { host, sim } = this.stage;
    const begin = performance.now();
    await host.startGateway();
    this.take("ready", performance.now() - begin);
    if (this.plugin) {
      await sim.waitForPoll(this.bot);
      this.take("polling", performance.now() - begin);
    }
    await wait(SETTLE_MS);
    this.take("idle", this.#memory());
    if (this.plugin) {
      await this.#turns();
      // What each login brings about: the channel's config changes.
      await this.#again("reload", () => {
        const config = host.config();
        // By the hosts that are compiled in, a plugin needs no settings, so there may be no section yet.
        const section = ((config.channels ??= {})[CHANNEL] ??= {});
        section.channelConfigUpdatedAt = new Date().toISOString();
        writeFileSync(host.configFile, JSON.stringify(config, null, 2));
      });
      if (last) {
        // What `openclaw gateway restart` sends to a gateway in the foreground.
        await this.#again("restart", () => process.kill(host.gateway.child.pid, "SIGUSR2"));
        this.take("restartMemory", this.#memory());
      }
    }
    const { code, signal, ms } = await host.stopGateway();
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
    this.take("exit", ms);
  }

  /** Without a host: registering, and the stop of a running account. */
  async #alone() {
    const { host, sim } = this.stage;
    const start = (...args) => {
      const command = [fileURLToPath(new URL("alone.mjs", import.meta.url)), this.plugin.source, host.traits.version, ...args];
      return new Program(`${this.name}, alone`, E2E_NODE, command, { env: { ...host.env, ...host.networkEnv } });
    };
    const after = (line) => Number(line.match(/after ([\d.]+) ms/)[1]);
    for (let n = 0; n < REGISTRATIONS; n += 1) {
      this.take("register", after(await start().waitForLine(/^registered/)));
    }
    const running = start(host.configFile, accountId(this.bot));
    await running.during(sim.waitForPoll(this.bot));
    running.child.stdin.end();
    this.take("stop", after(await running.waitForLine(/^stopped/)));
    await running.stop();
    await sim.waitForPoll(this.bot, { polling: false });
  }

  async #turns() {
    for (let n = 0; n <= TURNS; n += 1) {
      const begin = performance.now();
      await converse(this.phone, this.bot, `number ${n}`);
      this.take(n === 0 ? "first" : "warm", performance.now() - begin);
      await wait(READ_MS);
    }
    this.take("used", this.#memory());
  }

  /** Makes the host start the account anew, again and again; then counts what has been left. */
  async #again(what, trigger) {
    const { host, sim } = this.stage;
    for (let n = 0; n < RELOADS; n += 1) {
      const started = await sim.requests("notifystart");
      const begin = performance.now();
      trigger();
      await sim.waitForRequest("notifystart", started);
      await sim.waitForPoll(this.bot);
      this.take(what, performance.now() - begin);
    }
    await converse(this.phone, this.bot, `still there after each ${what}`);
    const { pid } = host.gateway.child;
    this.take(`${what}Threads`, ownThreads(pid));
    this.take(`${what}Images`, ownImages(pid));
  }

  /** The gateway's RSS in MB. */
  #memory() {
    const status = readFileSync(`/proc/${this.stage.host.gateway.child.pid}/status`, "utf8");
    return Number(status.match(/^VmRSS:\s+(\d+) kB/m)[1]) / 1000;
  }
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The packages in a `node_modules`; the host's own, which is linked there, is not the plugin's. */
function installed(modules) {
  const folders = readdirSync(modules).filter((name) => !name.startsWith("."));
  const names = folders.flatMap((name) => (name.startsWith("@") ? readdirSync(path.join(modules, name)).map((own) => path.join(name, own)) : name));
  return names.map((name) => path.join(modules, name)).filter((folder) => lstatSync(folder).isDirectory());
}

/** Threads with our addon's name. */
function ownThreads(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.filter((thread) => readFileSync(`/proc/${pid}/task/${thread}/comm`, "utf8").trim() === CHANNEL).length;
}

/** Different files with an addon of the plugin. */
function ownImages(pid) {
  const mapped = readFileSync(`/proc/${pid}/maps`, "utf8").matchAll(/\/\S*\/openclaw-weixin[^/]*\.node\b/g);
  return new Set([...mapped].map(([file]) => file)).size;
}

function median(figures) {
  if (figures.length === 0) return undefined;
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function shown(figure) {
  if (figure === undefined) return "–";
  return Number.isInteger(figure) || figure >= 100 ? figure.toFixed(0) : figure.toFixed(figure < 1 ? 2 : 1);
}

/** A table of medians in Markdown. */
function table([none, ours, official]) {
  const rows = Object.entries(ROWS).map(([row, [label, unit]]) => {
    const figures = [none, ours, official].map((candidate) => median(candidate.figures[row]));
    const [, own, other] = figures;
    const ratio = own !== undefined && other ? (own / other).toFixed(2) : "–";
    return [unit ? `${label}, ${unit}` : label, ...figures.map(shown), ratio];
  });
  const lines = [["", none.name, ours.name, official.name, "ours/official"], ["---", "--:", "--:", "--:", "--:"], ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const { version } = JSON.parse(readFileSync(path.join(BENCH_OFFICIAL, "package.json"), "utf8"));
const candidates = [
  new Candidate("no plugin"),
  new Candidate("ours", E2E_PACKAGE),
  new Candidate(`official ${version}`, `@tencent-weixin/openclaw-weixin@${version}`),
];
try {
  for (const candidate of candidates) {
    console.log(`${candidate.name}: being set up`);
    await candidate.setUp();
  }
  for (let run = 1; run <= RUNS; run += 1) {
    for (const candidate of candidates) {
      console.log(`run ${run} of ${RUNS}: ${candidate.name}`);
      await candidate.stage.act(() => candidate.round(run === RUNS));
    }
  }
  const { version: host } = candidates[0].stage.host.traits;
  const way = flags.network === "proxy" ? "over TLS" : "over plain http";
  console.log(`\nOpenClaw ${host}, ${way}, ${cpus().length} × ${cpus()[0].model}, medians of ${RUNS} runs:\n\n${table(candidates)}`);
} finally {
  for (const candidate of candidates) await candidate.stage?.close();
}
