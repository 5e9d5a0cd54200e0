// A channel plugin in a process of its own, without a host around it: how long it takes to register, and how long its
// account takes to stop. bench.mjs starts it: `node alone.mjs ENTRY HOST_VERSION [CONFIG ACCOUNT]`; with an account it
// says when that runs, and ends when its stdin does.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , entry, version, configFile, accountId] = process.argv;
const cfg = configFile ? JSON.parse(readFileSync(configFile, "utf8")) : {};
const log = Object.fromEntries(["trace", "debug", "info", "warn", "error"].map((level) => [level, () => {}]));
let plugin;
const api = {
  id: "openclaw-weixin",
  registrationMode: "full",
  config: cfg,
  logger: log,
  runtime: { version, config: { current: () => cfg, loadConfig: () => cfg }, channel: {} },
  registerChannel: (registration) => (plugin = registration.plugin),
};

const begin = performance.now();
const { default: definition } = await import(pathToFileURL(entry).href);
await definition.register(api);
console.log(`registered after ${performance.now() - begin} ms`);

if (accountId) {
  let status = { accountId };
  const stop = new AbortController();
  const context = {
    cfg,
    accountId,
    account: plugin.config.resolveAccount(cfg, accountId),
    abortSignal: stop.signal,
    runtime: { log: () => {}, error: () => {}, exit: () => {} },
    log,
    // No message comes, so none of these is called.
    channelRuntime: { reply: {}, routing: {}, session: {}, pairing: {} },
    getStatus: () => status,
    setStatus: (next) => (status = next),
  };
  const running = plugin.gateway.startAccount(context);
  await once(process.stdin.resume(), "end");
  const stopping = performance.now();
  // As the host does it.
  stop.abort();
  await plugin.gateway.stopAccount?.(context);
  await running;
  console.log(`stopped after ${performance.now() - stopping} ms`);
}
