// What the installer does, step by step. Everything it touches is a parameter.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

import { plain } from "./plain.js";

const CHANNEL = "openclaw-weixin";

export const HELP = `Usage: openclaw-weixin-cli install [--dry-run] [--login | --no-login]

  --dry-run    look and say what would be done, change nothing
  --login      log in although an account is there already: a second one
  --no-login   do not log in`;

/**
 * @param {string[]} args
 * @returns {{ dryRun: boolean, login?: boolean, help: boolean, problem?: string }}
 */
export function parseArguments(args) {
  /** @type {ReturnType<typeof parseArguments>} */
  const options = { dryRun: false, login: undefined, help: false, problem: undefined };
  let command;
  for (const arg of args) {
    if (arg === "--dry-run") options.dryRun = true;
    else if (arg === "--login") options.login = true;
    else if (arg === "--no-login") options.login = false;
    else if (arg === "--help" || arg === "-h") options.help = true;
    else if (command === undefined && !arg.startsWith("-")) command = arg;
    else options.problem ??= `Unknown argument ${arg}.`;
  }
  if (command !== "install") options.problem ??= command ? `Unknown command ${command}.` : "Name a command: install.";
  if (options.problem) options.help = true;
  return options;
}

/** A failure whose message the user sees unchanged. */
class Stop extends Error {}

/**
 * Runs all steps; returns whether the plugin is in place.
 *
 * @param {object} setup
 * @param {string} setup.plugin the npm package to install
 * @param {string} setup.minHostVersion the oldest OpenClaw
 * @param {string[]} [setup.addons] platforms with an addon; all if not known
 * @param {{ dryRun: boolean, login?: boolean }} setup.options
 * @param {(command: string, args: string[], how?: { show?: boolean }) => Promise<{ code: number | null, answer: string, output: string, missing: boolean }>} setup.run
 * @param {(line: string) => void} setup.print
 * @param {{ versions: { node: string }, platform: string, arch: string, report?: any }} [setup.machine]
 * @param {NodeJS.ProcessEnv} [setup.env]
 */
export async function install({ plugin, minHostVersion, addons, options, run, print, machine = process, env = process.env }) {
  const openclaw = (...args) => run("openclaw", args);
  /** A command that changes something: said, then done (or not, in a dry run). */
  const change = async (show, ...args) => {
    print(`   $ openclaw ${args.join(" ")}`);
    if (options.dryRun) return { code: 0, answer: "", output: "" };
    return run("openclaw", args, { show });
  };
  const must = async (args, help) => {
    const { code, output } = await change(false, ...args);
    if (code !== 0) throw new Stop(`\`openclaw ${args.join(" ")}\` failed: ${lastLines(output)}\n${help}`);
  };

  try {
    print("1. This machine");
    checkMachine(machine, addons, print);

    print("2. OpenClaw");
    const version = await hostVersion(openclaw, minHostVersion);
    print(`   version ${version}`);

    print(`3. Installing ${plugin}`);
    const installed = await isInstalled(openclaw);
    const known = (await openclaw("plugins", "install", "--help")).output;
    const flags = ["--force", "--accept-capabilities"].filter((flag) => known.includes(flag));
    if (installed) print("   it is there already; updating it");
    const way =
      installed && !flags.includes("--force")
        ? ["plugins", "update", CHANNEL]
        : // The tag: hosts pin the bare names of their catalogue to one archive.
          ["plugins", "install", ...flags, `${plugin}@latest`];
    await must(way, "Mend what it names and run this installer again.");

    print("4. Enabling it");
    await must(["plugins", "enable", CHANNEL], "Run this installer again.");

    print("5. Login");
    await login({ options, change, print, isLoggedIn: hasAccounts(stateFolder(env)) });

    print("6. Restarting the gateway");
    const restarted = await change(false, "gateway", "restart");
    if (restarted.code !== 0) print(`   no gateway service was restarted; if you run a gateway by hand, restart it yourself`);

    print("7. Looking whether it works");
    if (options.dryRun) print("   (not in a dry run)");
    else await verify(openclaw, print);
    print(options.dryRun ? "Nothing was changed." : "Done.");
    return true;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    print(`Stopped: ${error.message}`);
    return false;
  }
}

function checkMachine(machine, addons, print) {
  const [major] = machine.versions.node.split(".").map(Number);
  print(`   Node.js ${machine.versions.node}, ${machine.platform} ${machine.arch}`);
  if (major < 20) throw new Stop(`Node.js 20 or newer is needed; OpenClaw itself wants 22.12 or newer.`);
  const here = platformName(machine);
  if (addons && !addons.some((addon) => addon === here || addon === `${here}-msvc`)) {
    throw new Stop(`There is no addon for ${here}; there are ${addons.join(", ")}.`);
  }
}

/** `linux-x64-gnu`, `linux-arm64-musl`, `darwin-arm64`: the plugin looks for its addon by the same names. */
function platformName({ platform, arch, report }) {
  if (platform !== "linux") return `${platform}-${arch}`;
  // Without this the report looks up the names of all open connections, which takes seconds.
  if (report) report.excludeNetwork = true;
  return `linux-${arch}-${report?.getReport().header.glibcVersionRuntime ? "gnu" : "musl"}`;
}

async function hostVersion(openclaw, oldest) {
  const { code, output, missing } = await openclaw("--version");
  if (missing) throw new Stop("OpenClaw is not installed, or not on PATH: run `npm install -g openclaw@latest` first.");
  const version = /\b(\d{4}\.\d+\.\d+)/.exec(output)?.[1];
  if (code !== 0 || !version) {
    // On Windows its shell is what misses a program, in the language of the user.
    const help = "Mend what it names; if OpenClaw is not installed, run `npm install -g openclaw@latest` first.";
    throw new Stop(`\`openclaw --version\` failed: ${lastLines(output)}\n${help}`);
  }
  if (compare(version, oldest) < 0) {
    throw new Stop(`OpenClaw ${version} is too old, ${oldest} is needed: run \`npm install -g openclaw@latest\` first.`);
  }
  return version;
}

async function isInstalled(openclaw) {
  const { code, answer } = await openclaw("plugins", "list", "--json");
  if (code !== 0) return false;
  try {
    const { plugins } = JSON.parse(answer.slice(answer.indexOf("{")));
    return plugins.some(({ id }) => id === CHANNEL);
  } catch {
    return answer.includes(CHANNEL);
  }
}

async function login({ options, change, print, isLoggedIn }) {
  if (options.login === false) return print("   left out, as you said");
  if (isLoggedIn && !options.login) return print("   an account is logged in already; --login adds another");
  const { code } = await change(true, "channels", "login", "--channel", CHANNEL);
  if (code !== 0) throw new Stop(`The login failed; try \`openclaw channels login --channel ${CHANNEL}\` again.`);
  return undefined;
}

async function verify(openclaw, print) {
  const listed = await openclaw("plugins", "list", "--enabled");
  if (!listed.answer.includes(CHANNEL)) {
    throw new Stop(`OpenClaw does not list the plugin as enabled: see \`openclaw plugins doctor\`.`);
  }
  print("   the plugin is enabled");
  const { code, answer } = await openclaw("channels", "status", "--probe", "--json");
  const accounts = code === 0 ? channelAccounts(answer) : undefined;
  if (!accounts) {
    print("   no gateway answers; start it with `openclaw gateway` and see `openclaw channels status --probe`");
    return;
  }
  if (accounts.length === 0) print(`   no account is logged in; run \`openclaw channels login --channel ${CHANNEL}\``);
  for (const { accountId, probe, lastError } of accounts) {
    const problem = probe?.error ?? lastError;
    print(`   account ${plain(accountId)}: ${probe?.ok ? "WeChat answers" : `not yet (${plain(problem ?? "no probe")})`}`);
  }
}

function channelAccounts(answer) {
  try {
    return JSON.parse(answer.slice(answer.indexOf("{"))).channelAccounts?.[CHANNEL];
  } catch {
    return undefined;
  }
}

/** OpenClaw's state folder, as it finds that itself; `osHome` is where the system says the user is at home. */
export function stateFolder(env, osHome = homedir()) {
  const below = (home, folder) => path.resolve(folder.replace(/^~(?=$|[\\/])/, () => home));
  const set = (name) => env[name]?.trim() || undefined;
  const place = (name) => (["undefined", "null"].includes(set(name)) ? undefined : set(name));
  const system = place("HOME") ?? place("USERPROFILE") ?? osHome;
  const home = below(system, place("OPENCLAW_HOME") ?? system);
  const named = set("OPENCLAW_STATE_DIR") ?? set("CLAWDBOT_STATE_DIR");
  if (named) return below(home, named);
  const folders = [".openclaw", ".clawdbot"].map((name) => path.join(home, name));
  return folders.find((folder) => existsSync(folder)) ?? folders[0];
}

/** Does the plugin list an account there? Its accounts.js, in short. */
export function hasAccounts(folder) {
  const accounts = path.join(folder, CHANNEL, "accounts");
  const names = readJson(`${accounts}.json`);
  if (Array.isArray(names)) return names.some((name) => typeof name === "string" && /[a-z0-9_]/i.test(name));
  const files = directory(accounts).filter((name) => /[a-z0-9_].*\.json$/i.test(name) && !/\.(sync|context-tokens|allow-from)\.json$/.test(name));
  return files.some((name) => String(readJson(path.join(accounts, name))?.token ?? "").trim() !== "");
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function directory(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function compare(left, right) {
  const [a, b] = [left, right].map((version) => version.split(".").map(Number));
  const at = a.findIndex((number, index) => number !== b[index]);
  return at < 0 ? 0 : a[at] - b[at];
}

function lastLines(output) {
  // By the ends of lines of each system; what else is in them is not the terminal's business.
  const lines = output.trim().split(/\r?\n/).slice(-5);
  return lines.map((line) => plain(line)).join("\n   ") || "it said nothing";
}
