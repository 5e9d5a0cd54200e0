// One turn of the agent: what it reads, and how its answers leave.
import { randomUUID } from "node:crypto";

import { CHANNEL_ID, accountSettings } from "./accounts.js";
import { runReplyTurn } from "./host.js";
import { mediaContext, saveInboundMedia } from "./media.js";
import { mediaOf, sendPayload } from "./outbound.js";
import { turnTyping } from "./typing.js";

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

/** Returns how many replies were delivered. */
export async function runTurn(cfg, { deliveryId, message }, access, deps) {
  const { channelRuntime, account, port, log } = deps;
  const { accountId } = account;
  const route = channelRuntime.routing.resolveAgentRoute({
    cfg,
    channel: CHANNEL_ID,
    accountId,
    peer: { kind: "direct", id: message.from },
  });
  const store = channelRuntime.media;
  const media = message.media > 0 && store ? await saveInboundMedia({ port, accountId, deliveryId, store, log }) : [];
  const ctx = channelRuntime.reply.finalizeInboundContext(
    buildContext(message, account, route, access.commands, media),
  );
  const { blockStreaming, replyProgressMessages } = accountSettings(cfg, accountId);
  const sender = createReplySender({ port, accountId, to: message.from, roots: () => deps.roots(cfg, route.agentId) });
  try {
    await runReplyTurn(channelRuntime, {
      cfg,
      ctx,
      route,
      channel: CHANNEL_ID,
      accountId,
      log,
      deliver: sender.deliver,
      typing: turnTyping({ port, accountId, to: message.from, log }),
      replyOptions: {
        runId: sender.runId,
        // Unset, the host's own `agents.defaults.blockStreamingDefault` decides.
        ...(typeof blockStreaming === "boolean" ? { disableBlockStreaming: !blockStreaming } : {}),
        // Hosts since 2026.9 tell a channel of tools if it shows them in place of their own messages about them.
        ...(replyProgressMessages === false ? {} : { onItemEvent: sender.item, suppressDefaultToolProgressMessages: true }),
      },
    });
  } finally {
    await sender.end().catch((error) => {
      log.error(`[${accountId}] the end of a reply is not delivered: ${error.message}`);
    });
  }
  return sender.delivered();
}

/**
 * Sends what one agent run says, bit by bit or at once; all of it carries the same run id.
 *
 * @param {object} options
 * @param {import("./messages.d.ts").Port} options.port
 * @param {string} options.accountId
 * @param {string} options.to
 * @param {() => readonly string[]} options.roots the folders that files may come from
 */
export function createReplySender({ port, accountId, to, roots }) {
  const runId = randomUUID();
  const target = { accountId, to, runId };
  let delivered = 0;
  // Signs of tools go in order, and nobody waits for them.
  let signs = /** @type {Promise<unknown>} */ (Promise.resolve());
  return {
    runId,
    delivered: () => delivered,
    /** @param {{ text?: string, mediaUrl?: string, mediaUrls?: string[] }} payload @param {{ kind?: string }} [info] */
    async deliver(payload, info) {
      await signs;
      const isBlock = info?.kind !== undefined && info.kind !== "final" && mediaOf(payload).length === 0;
      const sent = isBlock ? await block(payload.text) : await sendPayload(port, target, payload, roots);
      if (sent) delivered += 1;
      return { visibleReplySent: sent !== undefined, messageIds: sent?.messageId ? [sent.messageId] : [] };
    },
    /** A step of the host's work; tools are shown, the rest is not. */
    item(step) {
      const sign = toolSign(step);
      if (sign) signs = signs.then(() => port.call("turn.tool", { ...target, ...sign })).catch(() => {});
    },
    /** Blocks that found no room are sent now. */
    async end() {
      await signs;
      await port.call("turn.end", { accountId, runId });
    },
  };

  async function block(text) {
    return text?.trim() ? port.call("turn.block", { ...target, text }) : undefined;
  }
}

/** What the phone is shown of a tool's start or end. Exported for tests. */
export function toolSign({ kind, phase, name, title, toolCallId, itemId, status }) {
  const call = toolCallId?.trim() || itemId?.trim();
  if (kind !== "tool" || !call || (phase !== "start" && phase !== "end")) return undefined;
  const sign = { name: name?.trim() || title?.trim() || "tool", call };
  if (phase === "start") return sign;
  return { ...sign, status: ["completed", "failed", "blocked"].includes(status) ? status : "unknown" };
}
