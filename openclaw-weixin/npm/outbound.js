// Text to WeChat: replies of a turn, and sends that the host asks for (CLI, cron, message tool).
import { randomUUID } from "node:crypto";

import { CHANNEL_ID, listAccountIds, normalizeAccountId, normalizeUserId } from "./accounts.js";

/** Sends the payloads of one agent run; all of them carry the same run id. */
export function createReplySender({ port, accountId, to }) {
  const runId = randomUUID();
  let delivered = 0;
  return {
    delivered: () => delivered,
    async deliver(payload) {
      const text = payload.text?.trim() ? payload.text : "";
      if (text) await port.call("send.text", { accountId, to, text, runId });
      delivered += 1;
      refuseMedia(payload);
    },
  };
}

/** The host's outbound adapter. `acquire` opens the message port. */
export function createOutbound({ acquire, stateDir }) {
  /** @param {{ to: string, text: string, accountId?: string | null }} send */
  async function sendText({ to, text, accountId }) {
    const account = chooseAccount(accountId, listAccountIds(stateDir()));
    const user = normalizeUserId(to);
    const port = await acquire();
    try {
      const { messageId } = await port.call("send.text", { accountId: account, to: user, text });
      // Some servers accept a message without naming it; an id is never invented.
      return { channel: CHANNEL_ID, messageId: messageId ?? "", chatId: user };
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
    sendText,
    async sendMedia(ctx) {
      const sent = ctx.text?.trim() ? await sendText(ctx) : undefined;
      refuseMedia(ctx);
      return sent ?? { channel: CHANNEL_ID, messageId: "" };
    },
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

/** Better a failure that the host records than a picture that silently never arrives. */
function refuseMedia(payload) {
  if (payload.mediaUrl || payload.mediaUrls?.length) {
    throw new Error("This version of openclaw-weixin sends text only; the attachment was not sent.");
  }
}
