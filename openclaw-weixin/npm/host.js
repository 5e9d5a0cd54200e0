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

/**
 * Runs one turn of the agent; resolves when all of its replies have been handed to `deliver`. Since 2026.9 the host
 * does the whole of it, with its hooks around each reply; before, the channel records the session and runs the hooks
 * that it can find.
 *
 * @param {any} channelRuntime
 * @param {object} turn
 * @param {any} turn.cfg
 * @param {any} turn.ctx the message's context
 * @param {any} turn.route
 * @param {string} turn.channel
 * @param {string} turn.accountId
 * @param {any} turn.log
 * @param {(payload: any, info?: any) => Promise<{ visibleReplySent: boolean, messageIds: string[] }>} turn.deliver
 * @param {object} turn.typing callbacks
 * @param {object} turn.replyOptions
 */
export async function runReplyTurn(channelRuntime, turn) {
  const { cfg, ctx, route, channel, accountId, log, deliver, typing, replyOptions } = turn;
  const { reply, session, inbound } = channelRuntime;
  const onError = (error, info) => {
    log.error(`[${accountId}] reply (${info?.kind}) not delivered: ${error?.message ?? error}`);
  };
  // A person with a session of their own must not become whom the main session's own messages go to.
  const lastRouteKey = route.lastRoutePolicy === "session" ? route.sessionKey : route.mainSessionKey;
  const record = {
    updateLastRoute: { sessionKey: lastRouteKey, channel, to: ctx.From, accountId },
    onRecordError: (error) => log.warn(`[${accountId}] session not recorded: ${error?.message ?? error}`),
  };
  const dispatcherOptions = { humanDelay: reply.resolveHumanDelayConfig?.(cfg, route.agentId), ...typing };
  if (inbound?.dispatch) {
    return inbound.dispatch({
      cfg,
      channel,
      accountId,
      route,
      ctxPayload: ctx,
      messageId: ctx.MessageSid,
      delivery: { deliver, observeMessageSent: true, onError },
      dispatcherOptions,
      replyOptions,
      record,
    });
  }
  const storePath = session.resolveStorePath(cfg.session?.store, { agentId: route.agentId });
  await session.recordInboundSession({ storePath, sessionKey: route.sessionKey, ctx, ...record });
  const {
    dispatcher,
    replyOptions: typingOptions,
    markDispatchIdle,
  } = reply.createReplyDispatcherWithTyping({
    ...dispatcherOptions,
    deliver: withMessageHooks(findHookRunner(), { channel, accountId, to: ctx.From, runId: replyOptions.runId }, deliver),
    onError,
  });
  const run = async () =>
    reply.dispatchReplyFromConfig({
      ctx,
      cfg,
      dispatcher,
      replyOptions: { ...typingOptions, ...replyOptions },
      // Hosts since 2026.9.4 replace the config object while a turn is prepared, and refuse the old one.
      usePublishedModelRuntime: true,
    });
  try {
    if (reply.withReplyDispatcher) await reply.withReplyDispatcher({ dispatcher, run });
    // Before 2026.2 a turn's promise does not wait for the deliveries.
    else await run().finally(() => dispatcher.waitForIdle());
  } finally {
    markDispatchIdle();
  }
}

/** What runs other plugins' hooks: hosts keep one for the process since 2026.3. Found anew for each turn: reloads replace it. */
function findHookRunner() {
  return globalThis[Symbol.for("openclaw.plugins.hook-runner-global-state")]?.hookRunner ?? undefined;
}

/**
 * `deliver` with the hooks `message_sending` (which may change the text, or cancel) before and `message_sent` after.
 * A hook that fails changes nothing. Exported for tests.
 */
export function withMessageHooks(hooks, { channel, accountId, to, runId }, deliver) {
  const context = { channelId: channel, accountId, conversationId: to };
  const ask = async (content) => {
    if (!hooks?.hasHooks("message_sending")) return {};
    const metadata = { channel, accountId, runId };
    return (await hooks.runMessageSending({ to, content, metadata }, context).catch(() => {})) ?? {};
  };
  const tell = async (event) => {
    if (hooks?.hasHooks("message_sent")) await hooks.runMessageSent({ to, ...event }, context);
  };
  return async (payload, info) => {
    const answer = await ask(payload.text ?? "");
    if (answer.cancel) return { visibleReplySent: false, messageIds: [] };
    const changed = typeof answer.content === "string" ? { ...payload, text: answer.content } : payload;
    const content = changed.text ?? "";
    try {
      const sent = await deliver(changed, info);
      if (sent.visibleReplySent) void tell({ content, success: true, messageId: sent.messageIds[0] }).catch(() => {});
      return sent;
    } catch (error) {
      void tell({ content, success: false, error: String(error?.message ?? error) }).catch(() => {});
      throw error;
    }
  };
}
