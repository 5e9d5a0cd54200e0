// One message from WeChat: authorise, hand it to the host's agent, send the replies, acknowledge.
import { CHANNEL_ID, accountSettings, allowList, dmPolicy } from "./accounts.js";
import { decideAccess } from "./access.js";
import { answerCommand, turnTrace } from "./commands.js";
import { approvedSenders } from "./host.js";
import { plain, reasonOf } from "./plain.js";
import { runTurn } from "./turn.js";

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
    else if (access.verdict === "pair") await offerPairing(message.from, deps);
    else log.info(`[${accountId}] dropped a message: its sender is not allowed (policy ${access.policy})`);
    // Nothing is to be remembered of those who are not let in.
    if (access.verdict !== "allowed") settle = "inbound.dismiss";
    // A turn that the stop cut short is not over: the message stays in the journal for the next start.
    if (!signal.aborted) await port.call(settle, { accountId, deliveryId });
  } catch (error) {
    if (signal.aborted) return;
    log.error(`[${accountId}] message ${message.messageId} was not handled: ${reasonOf(error)}`);
    await port.call("inbound.nack", { accountId, deliveryId, reason: reasonOf(error, 500) }).catch((failure) => {
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

/** Whose pairing code is not sent yet: the host calls a request new only once. */
const owedCodes = new Set();

/** Sends the pairing code, once per request: a stranger cannot make us talk all day. */
async function offerPairing(senderId, { channelRuntime, account, port, log }) {
  const { accountId } = account;
  const { code, created } = await channelRuntime.pairing.upsertPairingRequest({
    channel: CHANNEL_ID,
    accountId,
    id: senderId,
  });
  const owed = `${accountId} ${senderId}`;
  if (created) owedCodes.add(owed);
  if (!code || !owedCodes.has(owed)) return;
  const text = channelRuntime.pairing.buildPairingReply({
    channel: CHANNEL_ID,
    idLine: `Your WeChat user id: ${plain(senderId)}`,
    code,
  });
  await port.call("send", { accountId, to: senderId, text });
  owedCodes.delete(owed);
  log.info(`[${accountId}] sent a pairing code to a new sender; see \`openclaw pairing list ${CHANNEL_ID}\``);
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
    // What the command does is done: to do it again because of its answer would undo it.
    reply: (text) =>
      port.call("send", { accountId, to, text }).catch((error) => {
        log.error(`[${accountId}] answer to ${message.text.trim().split(/\s/)[0]} not sent: ${error.message}`);
      }),
    toggleDebug: () => port.call("debug.toggle", { accountId }),
  });
  if (ours) return;
  const debug = await port.call("debug.status", { accountId }).catch(() => false);
  const dispatchedAt = Date.now();
  const replies = await runTurn(cfg, event, access, deps);
  if (debug !== true) return;
  const text = turnTrace({ receivedAt, timestampMs, dispatchedAt, endedAt: Date.now(), replies });
  await port.call("send", { accountId, to, text }).catch((error) => {
    log.warn(`[${accountId}] debug line not sent: ${error.message}`);
  });
}
