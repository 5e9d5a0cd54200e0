// The typing sign: of a turn, and of a heartbeat. The addon repeats it. A failure is no reason to disturb anybody.
import { withTarget } from "./outbound.js";

/** The callbacks of a turn. */
export function turnTyping({ port, accountId, to, log }) {
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

/** The host's heartbeat adapter: it asks again and again while it works, and once at the end. */
export function createHeartbeat({ acquire, stateDir }) {
  const typing = (/** @type {any} */ target, on, guard = () => {}) =>
    withTarget({ acquire, stateDir }, target, (port, found) => {
      guard();
      return port.call("typing", { ...found, on });
    });
  return {
    sendTyping: (target) => typing(target, true),
    clearTyping: (target) => typing(target, false),
    /** Since 2026.9: of a task in the background, which ends with its signal; the guard is asked when all waits are over. @param {any} target */
    async sendTypingGuarded({ signal, assertPlatformSendAuthorized, ...target }) {
      const guard = () => {
        signal.throwIfAborted();
        assertPlatformSendAuthorized();
      };
      await typing(target, true, guard);
      const end = () => void typing(target, false).catch(() => {});
      if (signal.aborted) end();
      else signal.addEventListener("abort", end, { once: true });
    },
  };
}
