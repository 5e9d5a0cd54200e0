// Where hosts differ. Everything that is not the same on all hosts of the supported range is decided here, by
// looking at what there is, not by version numbers.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The oldest host that this plugin runs on; package.json is the one place that says it. */
export function oldestHost() {
  return require("./package.json").openclaw.install.minHostVersion.replace(/^>=/, "");
}

/**
 * What is to be said about a host's version before anything else.
 *
 * @param {string | undefined} version `api.runtime.version`
 * @returns {{ refuse?: string, note?: string }}
 */
export function judgeHost(version, oldest = oldestHost()) {
  const found = numbers(version);
  if (!found) {
    return { note: `this OpenClaw does not tell its version (${version ?? "nothing"}); ${oldest} or newer is needed` };
  }
  const wanted = /** @type {number[]} */ (numbers(oldest));
  const at = wanted.findIndex((number, index) => number !== found[index]);
  if (at < 0 || found[at] > wanted[at]) return {};
  return {
    refuse:
      `openclaw-weixin needs OpenClaw ${oldest} or newer, and this is ${version}; ` +
      "update it with `npm install -g openclaw@latest` and restart the gateway.",
  };
}

/** `2026.9.6-beta.1` as [2026, 9, 6]; undefined for anything else. */
function numbers(version) {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version ?? "");
  return match ? match.slice(1).map(Number) : undefined;
}

/** The config as it is now; `api.config` is what it was when the plugin was registered. */
export function currentConfig(api) {
  const config = api.runtime?.config;
  return config?.current?.() ?? config?.loadConfig?.() ?? api.config;
}

/** Changes the config file; `change` edits a draft in place. */
export async function changeConfig(config, change) {
  if (config?.mutateConfigFile) {
    await config.mutateConfigFile({ afterWrite: { mode: "auto" }, mutate: change });
  } else if (config?.loadConfig && config?.writeConfigFile) {
    const draft = structuredClone(await config.loadConfig());
    change(draft);
    await config.writeConfigFile(draft);
  } else {
    throw new Error("this host offers plugins no way to change the config");
  }
}

/** The host's channel helpers: given to each account, or, before 2026.2.19, to the plugin as a whole. */
export function channelRuntime(ctx, api) {
  const found = ctx?.channelRuntime ?? api.runtime?.channel;
  if (!found?.reply || !found.routing || !found.session || !found.pairing) {
    throw new Error(
      "This OpenClaw gives plugins no channel helpers; update it with `npm install -g openclaw@latest`.",
    );
  }
  return found;
}

/** The senders that were approved by pairing. */
export async function approvedSenders({ pairing }, channel, accountId) {
  // Before 2026.2 the first argument is the channel's name itself; a key that reads as the name serves both.
  const key = { channel, accountId, toString: () => channel };
  return (await pairing.readAllowFromStore(key)).map(String);
}

/** Runs one turn of the agent; resolves when all of its replies have been handed to `dispatcher`'s `deliver`. */
export async function runReplyTurn({ reply }, { dispatcher, ctx, cfg, replyOptions }) {
  const run = () =>
    reply.dispatchReplyFromConfig({
      ctx,
      cfg,
      dispatcher,
      replyOptions,
      // Hosts since 2026.9.4 replace the config object while a turn is prepared, and refuse the old one.
      usePublishedModelRuntime: true,
    });
  if (reply.withReplyDispatcher) return reply.withReplyDispatcher({ dispatcher, run });
  // Before 2026.2 a turn's promise does not wait for the deliveries.
  try {
    return await run();
  } finally {
    await dispatcher.waitForIdle();
  }
}
