// Finds and loads the native addon. Our own, because the stock napi loader spawns processes to look at the libc.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { name: packageName, version } = require("./package.json");

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

/** The addon's exports, from the package of this platform or from the one that is bundled. */
export function loadAddon(load = require, loaded = addons) {
  if (loaded.has(version)) return loaded.get(version);
  const name = platformName();
  const tried = [];
  // Registries that serve the plugin under another name serve its addons under that one too.
  for (const request of [`${packageName}-${name}`, `./native/openclaw-weixin.${name}.node`]) {
    try {
      const addon = load(request);
      loaded.set(version, addon);
      return addon;
    } catch (error) {
      tried.push(`${request}: ${String(error?.message ?? error).split("\n")[0]}`);
    }
  }
  throw new Error(
    `openclaw-weixin has no addon for ${name} that loads here (${tried.join("; ")}); ` +
      `reinstall it on this machine with \`openclaw plugins install "${packageName}" --force\`, and if that does not ` +
      "help, report your platform.",
  );
}
