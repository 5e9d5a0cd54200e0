// Finds and loads the native addon. Our own, because the stock napi loader spawns processes to look at the libc.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { reasonOf } from "./plain.js";

const require = createRequire(import.meta.url);
const { name: packageName, version } = require("./package.json");
const folder = path.dirname(fileURLToPath(import.meta.url));

/**
 * Shared by all copies of this module in the process: the host evaluates a fresh one of the whole package at each
 * restart in place, and Node never unloads an addon. A version is loaded once.
 */
const addons = (globalThis[Symbol.for("openclaw-weixin.addons")] ??= new Map());

/** `linux-x64-gnu`, `linux-arm64-musl`, `darwin-arm64`, `win32-x64-msvc` … */
export function platformName({ platform, arch, report } = /** @type {any} */ (process)) {
  if (platform === "win32") return `win32-${arch}-msvc`;
  if (platform !== "linux") return `${platform}-${arch}`;
  // Without this the report looks up the names of all open connections, which takes seconds.
  if (report) report.excludeNetwork = true;
  return `linux-${arch}-${report?.getReport().header.glibcVersionRuntime ? "gnu" : "musl"}`;
}

/**
 * The addon's exports: the addon that is bundled, else the one that was installed with this package, of its version.
 * No other folder is searched: whatever lies in a `node_modules` further up is not ours to run.
 *
 * @param {(file: string) => any} [load]
 * @param {Map<string, any>} [loaded]
 * @param {string} [here] this package's folder
 */
export function loadAddon(load = require, loaded = addons, here = folder) {
  if (loaded.has(version)) return loaded.get(version);
  const name = platformName();
  const tried = [];
  for (const find of [() => bundled(here, name), ...installed(here, name)]) {
    try {
      const file = find();
      if (!file) continue;
      const addon = load(file);
      loaded.set(version, addon);
      return addon;
    } catch (error) {
      tried.push(reasonOf(error).split("\\n")[0]);
    }
  }
  throw new Error(
    `openclaw-weixin has no addon for ${name} that loads here (${tried.join("; ") || "none was installed with it"}); ` +
      `reinstall it on this machine with \`openclaw plugins install "${packageName}" --force\`, and if that does not ` +
      "help, report your platform.",
  );
}

function bundled(here, name) {
  const file = path.join(here, "native", `openclaw-weixin.${name}.node`);
  return existsSync(file) ? file : undefined;
}

/** Where package managers put what this package depends on: inside of it, or beside it. */
function installed(here, name) {
  // Registries that serve the plugin under another name serve its addons under that one too.
  const wanted = `${packageName}-${name}`;
  const beside = path.resolve(here, ...packageName.split("/").map(() => ".."));
  const places = [path.join(here, "node_modules"), beside].filter((place) => path.basename(place) === "node_modules");
  return places.map((place) => () => {
    const found = path.join(place, wanted);
    const description = path.join(found, "package.json");
    if (!existsSync(description)) return undefined;
    const is = JSON.parse(readFileSync(description, "utf8"));
    if (is.name !== wanted || is.version !== version) {
      throw new Error(`${found} is ${is.name} ${is.version}, not ${wanted} ${version}`);
    }
    return path.join(found, "openclaw-weixin.node");
  });
}
