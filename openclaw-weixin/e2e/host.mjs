// A real OpenClaw with a private state folder: its commands and its gateway.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { randomUUID } from "node:crypto";

import { hostTraits } from "./hosts.mjs";
import { Program, freePort, processesWith } from "./process.mjs";

export const CHANNEL = "openclaw-weixin";

export class Host {
  /**
   * @param {object} options
   * @param {string} options.node a Node.js that this host accepts
   * @param {string} options.install the folder with `node_modules/openclaw`
   * @param {string} options.version of the host
   * @param {string} options.folder ours alone; home, state and config live below it
   * @param {object} [options.env] further variables
   */
  constructor({ node, install, version, folder, env = {} }) {
    this.traits = hostTraits(version);
    this.node = node;
    this.bin = path.join(install, "node_modules", ".bin");
    this.entry = path.join(install, "node_modules", "openclaw", "openclaw.mjs");
    this.folder = folder;
    this.state = path.join(folder, "state");
    this.configFile = path.join(this.state, "openclaw.json");
    this.programs = [];
    /** Variables of every command but those that install: npm goes to its registry by its own way. */
    this.networkEnv = {};
    for (const name of ["home", "state", "workspace", "tmp"]) mkdirSync(path.join(folder, name), { recursive: true });
    this.env = {
      // npm and shells that the host starts find this Node, not the machine's.
      PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH}`,
      HOME: path.join(folder, "home"),
      TMPDIR: path.join(folder, "tmp"),
      LANG: "C.UTF-8",
      NO_COLOR: "1",
      OPENCLAW_STATE_DIR: this.state,
      OPENCLAW_CONFIG_PATH: this.configFile,
      OPENCLAW_NO_AUTO_UPDATE: "1",
      OPENCLAW_DISABLE_BONJOUR: "1",
      // The registry that the machine is set up for.
      ...Object.fromEntries(Object.entries(process.env).filter(([key]) => /^npm_config_|_proxy$|^NODE_EXTRA/i.test(key))),
      ...env,
    };
  }

  /** Nothing here reaches for the internet: model, channel and catalogue are local or off. */
  async configure({ modelUrl, model: modelName = "stub", apiKey = "none" }) {
    this.port = await freePort();
    const model = {
      id: modelName,
      name: modelName,
      reasoning: false,
      input: ["text", "image"],
      cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
      contextWindow: 128000,
      maxTokens: 4096,
    };
    const config = {
      gateway: {
        mode: "local",
        bind: "loopback",
        port: this.port,
        auth: { mode: "token", token: randomUUID() },
      },
      models: {
        mode: "replace",
        ...(this.traits.config.catalogRefresh ? { catalogRefresh: { enabled: false } } : {}),
        providers: {
          lab: { baseUrl: modelUrl, apiKey, api: "openai-completions", models: [model] },
        },
      },
      agents: {
        defaults: { model: { primary: `lab/${modelName}` }, workspace: path.join(this.folder, "workspace") },
      },
      update: { checkOnStart: false },
      logging: { file: path.join(this.folder, "gateway.log") },
    };
    writeFileSync(this.configFile, JSON.stringify(config, null, 2));
  }

  config() {
    return JSON.parse(readFileSync(this.configFile, "utf8"));
  }

  /** Starts `openclaw …args`. */
  start(...args) {
    const env = args[0] === "plugins" ? this.env : { ...this.env, ...this.networkEnv };
    return this.#program(`openclaw ${args.join(" ")}`, this.node, [this.entry, ...args], env);
  }

  /** The same with a terminal on all three streams; what is written to its stdin is typed. */
  startOnTerminal(...args) {
    const line = [this.node, this.entry, ...args].map((word) => `'${word}'`).join(" ");
    return this.#program(`openclaw ${args.join(" ")} (tty)`, "script", ["-qefc", line, "/dev/null"], {
      ...this.env,
      ...this.networkEnv,
    });
  }

  #program(name, command, args, env = this.env) {
    const program = new Program(name, command, args, { env, cwd: this.folder });
    this.programs.push(program);
    return program;
  }

  /** Runs `openclaw …args` to its end, without a terminal; fails if it does. */
  run(...args) {
    return this.#toItsEnd(this.start(...args));
  }

  /** Runs `npx …args` where `openclaw` is on PATH. */
  npx(...args) {
    const PATH = `${this.bin}${path.delimiter}${this.env.PATH}`;
    return this.#toItsEnd(this.#program(`npx ${args.join(" ")}`, "npx", args, { ...this.env, PATH }));
  }

  async #toItsEnd(program) {
    program.child.stdin.end();
    const timer = setTimeout(() => program.child.kill("SIGKILL"), 400_000);
    const { code, signal } = await program.exited;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`${program.name} ended with ${code ?? signal}\n${program.tail()}`);
    return program.lines.join("\n");
  }

  /** Installs our package, or updates it in place. */
  async install(spec) {
    return this.run("plugins", "install", ...this.traits.installFlags, spec);
  }

  /** Starts the gateway and waits until it is ready. */
  async startGateway() {
    const args = [this.entry, "gateway", "run", "--port", String(this.port), "--bind", "loopback"];
    // A restart of it stays in the process that we watch.
    const env = { ...this.env, ...this.networkEnv, OPENCLAW_NO_RESPAWN: "1" };
    this.lastGateway = this.gateway = this.#program("openclaw gateway run", this.node, args, env);
    await this.gateway.waitForLine(new RegExp(this.traits.ready), { ms: 180_000 });
    return this.gateway;
  }

  /** Ends the gateway as an init system would. */
  async stopGateway() {
    const { gateway } = this;
    this.gateway = undefined;
    return gateway.stop("SIGTERM");
  }

  /** Ends the gateway as a power cut would. */
  async killGateway() {
    const { gateway } = this;
    this.gateway = undefined;
    const stopped = gateway.stop("SIGKILL");
    this.#killLeftovers();
    await stopped;
  }

  /** What is still running of all that we started. */
  leftovers() {
    return processesWith(this.folder);
  }

  /** Ends everything, however the test went. */
  async close() {
    const stopped = this.programs.filter((program) => !program.ended).map((program) => program.stop("SIGKILL"));
    this.#killLeftovers();
    await Promise.all(stopped);
  }

  /** Old hosts run commands in a child of their own, which holds our pipes after its parent is gone. */
  #killLeftovers() {
    for (const left of this.leftovers()) {
      try {
        process.kill(Number.parseInt(left, 10), "SIGKILL");
      } catch {
        // Ended meanwhile.
      }
    }
  }
}
