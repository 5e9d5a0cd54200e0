// Sends that the host asks for (CLI, cron, message tool), and what they share with the replies of a turn.
import { CHANNEL_ID, listAccountIds, normalizeAccountId, normalizeUserId } from "./accounts.js";
import { outboundSource } from "./media.js";
import { plainError } from "./plain.js";

/**
 * Sends a payload: its text, then all that it attaches. Words that go with a file that may not be sent still arrive.
 *
 * @param {import("./messages.d.ts").Port} port
 * @param {{ accountId: string, to: string, runId?: string }} target
 * @param {{ text?: string, mediaUrl?: string, mediaUrls?: readonly string[] }} payload
 * @param {() => readonly string[]} roots the folders that files may come from
 * @returns {Promise<import("./messages.d.ts").Sent | undefined>} nothing for an empty payload
 */
export async function sendPayload(port, target, payload, roots, asFile = false) {
  const text = payload.text?.trim() ? payload.text : undefined;
  const media = [];
  let refused;
  for (const named of mediaOf(payload)) {
    try {
      media.push({ ...outboundSource(named, roots()), asFile });
    } catch (error) {
      refused ??= plainError(error);
    }
  }
  const sent = text || media.length > 0 ? await port.call("send", { ...target, text, media }) : undefined;
  if (sent?.refused) refused ??= plainError(new Error(sent.refused));
  if (refused) throw refused;
  return sent;
}

/**
 * All that a payload attaches, each once.
 *
 * @param {{ mediaUrl?: string, mediaUrls?: readonly string[] }} payload
 * @returns {string[]}
 */
export function mediaOf({ mediaUrl, mediaUrls }) {
  return [...new Set([...(mediaUrls ?? []), mediaUrl ?? ""].filter((named) => typeof named === "string" && named.trim()))];
}

/** The host's outbound adapter. `acquire` opens the message port; `roots` are for hosts that name none. */
export function createOutbound({ acquire, stateDir, currentConfig, roots: defaultRoots }) {
  /**
   * @param {{ to: string, text: string, accountId?: string | null, mediaUrl?: string, cfg?: any,
   *   mediaLocalRoots?: readonly string[], forceDocument?: boolean }} ctx
   */
  async function deliver(ctx) {
    // Some hosts have a word for "any folder", which is no list.
    const named = Array.isArray(ctx.mediaLocalRoots) ? ctx.mediaLocalRoots : undefined;
    const roots = () => named ?? defaultRoots(ctx.cfg ?? currentConfig());
    return withTarget({ acquire, stateDir }, ctx, async (port, target) => {
      const sent = await sendPayload(port, target, ctx, roots, ctx.forceDocument === true);
      // Some servers accept a message without naming it; an id is never invented.
      return { channel: CHANNEL_ID, messageId: sent?.messageId ?? "", chatId: target.to };
    });
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

/** Opens the port for something that goes to a user, from the account that is named or that there is no doubt about. */
export async function withTarget({ acquire, stateDir }, /** @type {any} */ { to: named, accountId: wanted }, use) {
  const chosen = chooseAccount(wanted, listAccountIds(stateDir()));
  const to = normalizeUserId(named);
  const port = await acquire();
  try {
    return await use(port, { accountId: chosen ?? (await port.call("account.infer", { to })), to });
  } finally {
    await port.release();
  }
}

/** The account to send from; undefined if that depends on who is written to. Exported for tests. */
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
  return undefined;
}
