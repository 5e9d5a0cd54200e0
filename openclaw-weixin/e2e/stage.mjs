// What every test here plays on: a simulated WeChat, a stub model, and a real OpenClaw in a folder of its own that knows
// both. xtask tells by environment variables where host, package and simulator are.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { CHANNEL, Host } from "./host.mjs";
import { startModel } from "./model.mjs";
import { startSimulator } from "./sim.mjs";

const { E2E_NODE, E2E_HOST_INSTALL, E2E_HOST_VERSION, E2E_PACKAGE, E2E_SIMULATOR } = process.env;

export const OWNER = "o9cq80owner@im.wechat";
/** A PNG of one pixel. */
export const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
  "base64",
);

/** The account's name on this side. */
export function accountId({ bot_id }) {
  return bot_id.replace(/[@.]/g, "-");
}

/** A phone writes to a bot and gets the stub's answer to just that. */
export async function converse(phone, bot, text) {
  const mark = await phone.mark();
  await phone.send(text, bot);
  const reply = await phone.waitFor(new RegExp(`^reply \\d+: ${text}$`), mark);
  assert.equal(reply.bot_id, bot.bot_id);
  return reply;
}

/** How the host finds the simulator: what the simulator is told, and what the host is. */
const NETWORKS = {
  /** The hosts that are compiled in, over TLS, through a proxy: as for a user whom a company's network keeps in. */
  proxy: {
    simulator: ["--proxy"],
    env: ({ https_proxy: proxy }) => ({ HTTPS_PROXY: proxy, NO_PROXY: "127.0.0.1,localhost,::1" }),
  },
  /** The same hosts, found by their names: where the machine's name server is ours (namespace.test.mjs). */
  names: { simulator: ["--tls=127.0.0.1:443", "--dns", "127.0.0.1:53"], env: () => ({}) },
  /** Plain http to an address in the config. */
  loopback: { simulator: [], config: (url) => ({ baseUrl: url, cdnBaseUrl: `${url}/c2c` }) },
};

/**
 * Nothing is installed yet, and nobody logged in.
 *
 * @param {object} [options]
 * @param {string} [options.purpose] in the folder's name; not the channel's name, the audit test looks for that
 * @param {keyof typeof NETWORKS} [options.network]
 * @param {number} [options.thinkMs] how long the stub model thinks
 * @param {(folder: string) => object} [options.env] further variables of the host
 * @param {{ modelUrl: string, model?: string, apiKey?: string }} [options.realModel] instead of the stub
 */
export async function openStage({ purpose = "e2e", network = "proxy", thinkMs, env, realModel } = {}) {
  if (!NETWORKS[network]) throw new Error(`there is no network ${network}; known are: ${Object.keys(NETWORKS).join(", ")}`);
  const stage = new Stage(mkdtempSync(path.join(tmpdir(), `weixin-${purpose}-`)), NETWORKS[network], env);
  try {
    stage.sim = await startSimulator(E2E_SIMULATOR, stage.network.simulator);
    await stage.trust();
    if (!realModel) stage.model = await startModel({ thinkMs });
    await stage.host.configure(realModel ?? { modelUrl: stage.model.baseUrl });
    return stage;
  } catch (error) {
    await stage.close();
    throw error;
  }
}

class Stage {
  failed = false;

  constructor(folder, network, env) {
    this.folder = folder;
    this.network = network;
    this.host = new Host({ node: E2E_NODE, install: E2E_HOST_INSTALL, version: E2E_HOST_VERSION, folder, env: env?.(folder) });
  }

  /** Gives the host what it needs to reach the simulator under the real names. */
  async trust() {
    if (!this.network.env) return;
    const network = await this.sim.network();
    const file = path.join(this.folder, "ca.pem");
    writeFileSync(file, network.ca);
    this.host.networkEnv = { NODE_EXTRA_CA_CERTS: file, ...this.network.env(network) };
  }

  /** Installs our package, if no other is named, and leads the channel to the simulator. */
  async install(spec = E2E_PACKAGE) {
    await this.host.install(spec);
    await this.host.run("plugins", "enable", CHANNEL);
    await this.connect();
  }

  async connect() {
    for (const [key, value] of Object.entries(this.network.config?.(this.sim.url) ?? {})) {
      await this.host.run("config", "set", `channels.${CHANNEL}.${key}`, value);
    }
  }

  /** The owner scans the code of `channels login`; returns the bot and what the command printed. */
  async login() {
    const login = this.host.start("channels", "login", "--channel", CHANNEL);
    const code = await login.during(this.sim.phone(OWNER).scan());
    await login.waitForLine(/Scanned/);
    const bot = await code.confirm();
    assert.equal((await login.exited).code, 0, login.tail());
    return { bot, lines: login.lines };
  }

  /** Starts the gateway and waits until it asks for messages to this bot. */
  async startGateway(bot) {
    await this.host.startGateway();
    await this.sim.waitForPoll(bot);
  }

  /** Runs a part of the play. If it fails, the gateway's last words are shown and the folder is kept. */
  async act(run) {
    try {
      return await run();
    } catch (error) {
      this.failed = true;
      console.error(`gateway log, last lines:\n${this.host.lastGateway?.tail(60) ?? "  (never started)"}`);
      throw error;
    }
  }

  /** A test that begins where the one before it ended; once one has failed, the rest would only repeat its failure. */
  step = (name, run) => {
    test(name, (t) => (this.failed ? t.skip("an earlier step failed") : this.act(run)));
  };

  async close() {
    await this.host.close();
    await this.model?.close();
    await this.sim?.close();
    if (this.failed) console.error(`everything is kept in ${this.folder}`);
    else rmSync(this.folder, { recursive: true, force: true });
  }
}
