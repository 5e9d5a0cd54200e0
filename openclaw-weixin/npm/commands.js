// Commands that the channel answers itself, without the agent; all others are the host's.

/**
 * Answers `/echo` and `/toggle-debug`.
 *
 * @param {object} turn
 * @param {string} turn.text what the person wrote
 * @param {boolean} turn.authorized whether they may use commands; nobody else gets an answer from here
 * @param {number} turn.receivedAt when it came here, in milliseconds
 * @param {number} [turn.timestampMs] when WeChat had it
 * @param {(text: string) => Promise<unknown>} turn.reply
 * @param {() => Promise<boolean>} turn.toggleDebug tells how it is now
 * @param {() => number} [turn.now]
 * @returns {Promise<boolean>} whether it was one of ours
 */
export async function answerCommand({ text, authorized, receivedAt, timestampMs, reply, toggleDebug, now = Date.now }) {
  const [, name, rest = ""] = /^\s*(\/[a-z-]+)(?:\s+([^]*))?$/i.exec(text ?? "") ?? [];
  if (!name || !authorized) return false;
  switch (name.toLowerCase()) {
    case "/echo": {
      const delay = timestampMs ? `${receivedAt - timestampMs} ms from WeChat, ` : "";
      if (rest.trim()) await reply(rest.trim());
      await reply(`⏱ ${delay}${now() - receivedAt} ms here`);
      return true;
    }
    case "/toggle-debug":
      await reply((await toggleDebug()) ? "Debug mode is on: each reply tells how long it took." : "Debug mode is off.");
      return true;
    default:
      return false;
  }
}

/** What debug mode adds to a turn. */
export function turnTrace({ receivedAt, timestampMs, dispatchedAt, endedAt, replies }) {
  const delay = timestampMs ? `${receivedAt - timestampMs} ms from WeChat, ` : "";
  return `⏱ ${delay}${dispatchedAt - receivedAt} ms before the agent, ${endedAt - dispatchedAt} ms with it, ${replies} ${replies === 1 ? "reply" : "replies"}`;
}
