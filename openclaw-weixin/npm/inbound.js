// One message from WeChat: authorise, hand it to the host's agent, send the replies, acknowledge.
import { CHANNEL_ID, accountSettings, allowList, dmPolicy } from "./accounts.js";
import { decideAccess } from "./access.js";
import { answerCommand, turnTrace } from "./commands.js";
import { approvedSenders, runReplyTurn } from "./host.js";
import { defaultRoots, mediaContext, saveInboundMedia } from "./media.js";
import { createReplySender } from "./outbound.js";

/**
 * Handles one delivery to its end. Never throws: what goes wrong is logged, and told to the addon, which
 * keeps the message until it is acknowledged.
 *
 * @param {object} event the addon's `inbound` event
 * @param {object} deps
 * @param {{call: Function}} deps.port
 * @param {object} deps.channelRuntime the host's channel helpers
 * @param {() => object} deps.currentConfig the config as it is now, not as it was at start
 * @param {{accountId: string, userId?: string}} deps.account
 * @param {AbortSignal} deps.signal aborted when the account stops
 * @param {object} deps.log
 */
export async function handleInbound(event, deps) {
  const { port, account, signal, log } = deps;
  const { accountId } = account;
  const { deliveryId, message } = event;
  try {
    const cfg = deps.currentConfig();
    const access = await resolveAccess(cfg, message.from, deps);
    let settle = "inbound.ack";
    if (access.verdict === "allowed") await takeTurn(cfg, event, access, deps);
    else if (access.verdict === "pairing") await offerPairing(message.from, deps);
    else log.info(`[${accountId}] dropped a message: its sender is not allowed (policy ${access.policy})`);
    // Nothing is to be remembered of those who are not let in.
    if (access.verdict !== "allowed") settle = "inbound.dismiss";
    // A turn that the stop cut short is not over: the message stays in the journal for the next start.
    if (!signal.aborted) await port.call(settle, { accountId, deliveryId });
  } catch (error) {
    if (signal.aborted) return;
    log.error(`[${accountId}] message ${message.messageId} was not handled: ${error?.message ?? error}`);
    const reason = String(error?.message ?? error).slice(0, 500);
    await port.call("inbound.fail", { accountId, deliveryId, reason }).catch((failure) => {
      log.error(`[${accountId}] could not report that: ${failure.message}`);
    });
  }
}

async function resolveAccess(cfg, senderId, { channelRuntime, account }) {
  const settings = accountSettings(cfg, account.accountId);
  const policy = dmPolicy(settings);
  const storeAllowFrom =
    policy === "pairing"
      ? await approvedSenders(channelRuntime, CHANNEL_ID, account.accountId)
      : [];
  return {
    policy,
    ...decideAccess({
      policy,
      senderId,
      ownerId: account.userId,
      allowFrom: allowList(settings),
      storeAllowFrom,
    }),
  };
}

/** Sends the pairing code, once per request: a stranger cannot make us talk all day. */
async function offerPairing(senderId, { channelRuntime, account, port, log }) {
  const { accountId } = account;
  const { code, created } = await channelRuntime.pairing.upsertPairingRequest({
    channel: CHANNEL_ID,
    accountId,
    id: senderId,
  });
  if (!created) return;
  const text = channelRuntime.pairing.buildPairingReply({
    channel: CHANNEL_ID,
    idLine: `Your WeChat user id: ${senderId}`,
    code,
  });
  await port.call("send.text", { accountId, to: senderId, text });
  log.info(`[${accountId}] sent a pairing code to a new sender; see \`openclaw pairing list ${CHANNEL_ID}\``);
}

/** The host's message context. */
export function buildContext(message, account, route, commandAuthorized, media = []) {
  const text = message.text ?? "";
  return {
    Body: text,
    RawBody: text,
    CommandBody: text,
    BodyForAgent: text,
    BodyForCommands: text,
    From: message.from,
    To: message.from,
    SenderId: message.from,
    AccountId: account.accountId,
    SessionKey: route.sessionKey,
    ChatType: "direct",
    Provider: CHANNEL_ID,
    Surface: CHANNEL_ID,
    OriginatingChannel: CHANNEL_ID,
    OriginatingTo: message.from,
    MessageSid: message.messageId,
    Timestamp: message.timestampMs,
    CommandAuthorized: commandAuthorized,
    ...quoteContext(message.quote),
    ...mediaContext(media),
  };
}

function quoteContext(quote) {
  if (!quote) return {};
  return {
    ReplyToId: quote.messageId ?? undefined,
    ReplyToBody: quote.selected ?? quote.body,
    ReplyToIsQuote: true,
  };
}

/** A command of ours, or a turn of the agent. */
async function takeTurn(cfg, event, access, deps) {
  const { message } = event;
  const { account, port, log } = deps;
  const { accountId } = account;
  const { from: to, timestampMs } = message;
  const receivedAt = Date.now();
  const ours = await answerCommand({
    text: message.text,
    authorized: access.commands,
    receivedAt,
    timestampMs,
    reply: (text) => port.call("send.text", { accountId, to, text }),
    toggleDebug: () => port.call("debug.toggle", { accountId }),
  });
  if (ours) return;
  const debug = await port.call("debug.status", { accountId }).catch(() => false);
  const dispatchedAt = Date.now();
  const replies = await runTurn(cfg, event, access, deps);
  if (debug !== true) return;
  const text = turnTrace({ receivedAt, timestampMs, dispatchedAt, endedAt: Date.now(), replies });
  await port.call("send.text", { accountId, to, text }).catch((error) => {
    log.warn(`[${accountId}] debug line not sent: ${error.message}`);
  });
}

/** Returns how many replies were delivered. */
async function runTurn(cfg, { deliveryId, message }, access, deps) {
  const { channelRuntime, account, port, log } = deps;
  const { accountId } = account;
  const route = channelRuntime.routing.resolveAgentRoute({
    cfg,
    channel: CHANNEL_ID,
    accountId,
    peer: { kind: "direct", id: message.from },
  });
  const storePath = channelRuntime.session.resolveStorePath(cfg.session?.store, { agentId: route.agentId });
  const store = channelRuntime.media;
  const media = message.media > 0 && store ? await saveInboundMedia({ port, accountId, deliveryId, store, log }) : [];
  const context = channelRuntime.reply.finalizeInboundContext(
    buildContext(message, account, route, access.commands, media),
  );
  await channelRuntime.session.recordInboundSession({
    storePath,
    sessionKey: route.sessionKey,
    ctx: context,
    updateLastRoute: {
      sessionKey: route.mainSessionKey,
      channel: CHANNEL_ID,
      to: message.from,
      accountId,
    },
    onRecordError: (error) => log.warn(`[${accountId}] session not recorded: ${error?.message ?? error}`),
  });

  const sender = createReplySender({ port, accountId, to: message.from, roots: () => defaultRoots(cfg, deps.stateDir()) });
  const { dispatcher, replyOptions, markDispatchIdle } =
    channelRuntime.reply.createReplyDispatcherWithTyping({
      humanDelay: channelRuntime.reply.resolveHumanDelayConfig?.(cfg, route.agentId),
      ...createTyping({ port, accountId, to: message.from, log }),
      deliver: (payload) => sender.deliver(payload),
      onError: (error, info) => {
        log.error(`[${accountId}] reply (${info?.kind}) not delivered: ${error?.message ?? error}`);
      },
    });
  try {
    await runReplyTurn(channelRuntime, {
      dispatcher,
      ctx: context,
      cfg,
      replyOptions: { ...replyOptions, disableBlockStreaming: true },
    });
  } finally {
    markDispatchIdle();
  }
  return sender.delivered();
}

/** Typing while the agent works; the addon repeats it. A failure is no reason to disturb the turn. */
function createTyping({ port, accountId, to, log }) {
  let on = false;
  const set = async (wanted) => {
    if (on === wanted) return;
    on = wanted;
    await port.call("typing", { accountId, to, on }).catch((error) => {
      log.debug?.(`[${accountId}] typing not shown: ${error.message}`);
    });
  };
  const stop = () => void set(false);
  return { onReplyStart: () => set(true), onIdle: stop, onCleanup: stop };
}
