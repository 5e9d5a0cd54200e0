// Text and media to WeChat: replies of a turn, and sends that the host asks for (CLI, cron, message tool).
import { randomUUID } from "node:crypto";

import { CHANNEL_ID, listAccountIds, normalizeAccountId, normalizeUserId } from "./accounts.js";
import { defaultRoots, outboundSource } from "./media.js";

/** Sends the payloads of one agent run; all of them carry the same run id. `roots` are the folders that files may come from. */
export function createReplySender({ port, accountId, to, roots }) {
  const runId = randomUUID();
  let delivered = 0;
  return {
    delivered: () => delivered,
    async deliver(payload) {
      await send(port, { accountId, to, runId }, payload.text, mediaOf(payload), roots);
      delivered += 1;
    },
  };
}

/**
 * All that a payload attaches, each once.
 *
 * @param {{ mediaUrl?: string, mediaUrls?: string[] }} payload
 */
function mediaOf({ mediaUrl, mediaUrls }) {
  return [...new Set([...(mediaUrls ?? []), mediaUrl].filter((named) => typeof named === "string" && named.trim()))];
}

/** The text, or the media with the text as the caption of the first; the last answer. */
async function send(port, target, text, media, roots, asFile = false) {
  const caption = text?.trim() ? text : undefined;
  if (media.length === 0) return caption ? port.call("send.text", { ...target, text: caption }) : undefined;
  let sent;
  for (const [index, named] of media.entries()) {
    const source = await sourceOrCaption(port, target, named, roots, index === 0 ? caption : undefined);
    sent = await port.call("send.media", { ...target, ...source, asFile, caption: index === 0 ? caption : undefined });
  }
  return sent;
}

/** Words that go with a file that may not be sent still arrive. */
async function sourceOrCaption(port, target, named, roots, caption) {
  try {
    return outboundSource(named, roots());
  } catch (error) {
    if (caption) await port.call("send.text", { ...target, text: caption });
    throw error;
  }
}

/** The host's outbound adapter. `acquire` opens the message port. */
export function createOutbound({ acquire, stateDir, currentConfig }) {
  /**
   * @param {{ to: string, text: string, accountId?: string | null, mediaUrl?: string, cfg?: any,
   *   mediaLocalRoots?: readonly string[], forceDocument?: boolean }} ctx
   */
  async function deliver(ctx) {
    const account = chooseAccount(ctx.accountId, listAccountIds(stateDir()));
    const to = normalizeUserId(ctx.to);
    const roots = () => ctx.mediaLocalRoots ?? defaultRoots(ctx.cfg ?? currentConfig(), stateDir());
    const port = await acquire();
    try {
      const sent = await send(port, { accountId: account, to }, ctx.text, mediaOf(ctx), roots, ctx.forceDocument === true);
      // Some servers accept a message without naming it; an id is never invented.
      return { channel: CHANNEL_ID, messageId: sent?.messageId ?? "", chatId: to };
    } finally {
      await port.release();
    }
  }

  return {
    // In the gateway, where the context tokens are: a send from a CLI process would go out without one.
    deliveryMode: /** @type {const} */ ("gateway"),
    // The addon splits by itself, by characters and by bytes.
    chunker: null,
    textChunkLimit: 4000,
    sendText: deliver,
    sendMedia: deliver,
  };
}

/** The account to send from. Exported for tests. */
export function chooseAccount(wanted, known) {
  if (wanted) {
    const id = normalizeAccountId(wanted);
    if (known.includes(id)) return id;
    if (id !== "default") {
      throw new Error(
        `WeChat account ${id} is not logged in; use one of [${known.join(", ")}] or log in with ` +
          `\`openclaw channels login --channel ${CHANNEL_ID}\`.`,
      );
    }
  }
  if (known.length === 1) return known[0];
  if (known.length === 0) {
    throw new Error(
      `No WeChat account is logged in; run \`openclaw channels login --channel ${CHANNEL_ID}\`.`,
    );
  }
  throw new Error(
    `Several WeChat accounts are logged in; name one with --account: ${known.join(", ")}.`,
  );
}
