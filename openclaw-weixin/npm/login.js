// Login by QR code: on a terminal, and in steps for the host's own pages.
import { CHANNEL_ID, connectionSettings } from "./accounts.js";
import { changeConfig } from "./host.js";
import { createLineReader } from "./lines.js";
import { plain, plainError, reasonOf } from "./plain.js";

const RETRY = `run \`openclaw channels login --channel ${CHANNEL_ID}\` again`;

/**
 * `openclaw channels login`: draws the code, follows the phone, asks for the digits when the phone shows some.
 *
 * @param {object} deps
 * @param {object} deps.cfg
 * @param {string} [deps.accountId]
 * @param {(text: string) => void} deps.print
 * @param {() => Promise<object>} deps.acquire opens the message port
 * @param {() => Promise<void>} deps.announce makes a running gateway pick the account up
 * @param {import("node:stream").Readable} [deps.input]
 */
export async function loginOnTerminal({ cfg, accountId, print, acquire, announce, input = process.stdin }) {
  const port = await acquire();
  const lines = createLineReader(input);
  let loginId;

  async function askForDigits(retry) {
    print(retry ? "Those digits were wrong. Type what your phone shows now:" : "Type the digits that your phone shows:");
    for (;;) {
      const code = await nextCode(lines);
      try {
        await port.call("login.verify", { loginId, code });
        return;
      } catch (error) {
        // A typing mistake is no reason to start over.
        if (error.code !== "invalid-input") throw error;
        print(`${reasonOf(error)}. Type them again:`);
      }
    }
  }

  try {
    const started = await port.call("login.start", connectionSettings(cfg, accountId));
    loginId = started.loginId;
    drawCode(started.qr, print);
    for (;;) {
      const event = await port.call("login.next", { loginId });
      switch (event.event) {
        case "scanned":
          print("Scanned. Confirm the login on your phone.");
          break;
        case "verifyCodeNeeded":
          await askForDigits(event.retry);
          break;
        case "refreshed":
          print("\nThe QR code has expired; here is a new one.");
          drawCode(event.qr, print);
          break;
        case "redirected":
          break;
        case "alreadyBound":
          print("This WeChat account is already connected to this OpenClaw; nothing has changed.");
          return;
        case "confirmed":
          print(connected(event));
          await announceOrExplain(announce, print);
          return;
        default:
          throw plainError(new Error(event.message ?? `The login failed (${event.event}); ${RETRY}.`));
      }
    }
  } finally {
    lines.close();
    if (loginId) await port.call("login.cancel", { loginId }).catch(() => {});
    await port.release();
  }
}

async function nextCode(lines) {
  for (;;) {
    const line = await lines.next();
    if (line === undefined) {
      throw new Error(`The input ended before the digits came; ${RETRY} in a terminal, or pipe the digits in.`);
    }
    const code = line.replace(/\s/g, "");
    if (code) return code;
  }
}

function drawCode(qr, print) {
  print(`\nScan this code with WeChat on your phone:\n\n${qr.terminal}\n`);
  print(`Or open this link in WeChat: ${plain(qr.url)}\n`);
}

/** What a login has brought, and what it has ended. */
function connected({ accountId, replaced, unhandled }) {
  const sentences = [`Connected: account ${plain(accountId)}.`];
  if (replaced.length > 0) sentences.push(`It replaces ${plain(replaced.join(", "))}.`);
  if (unhandled > 0) {
    const messages = unhandled === 1 ? "1 message to it was" : `${unhandled} messages to it were`;
    sentences.push(`${messages} not answered yet: who gets no answer should write again.`);
  }
  return sentences.join(" ");
}

async function announceOrExplain(announce, print) {
  try {
    await announce();
  } catch (error) {
    print(
      `The login is saved, but the gateway could not be told (${reasonOf(error)}); ` +
        "run `openclaw gateway restart` if it is running.",
    );
  }
}

/**
 * Touches the channel's config after a login: the gateway watches the config file and restarts the channel,
 * which lists its accounts anew.
 *
 * @param {object} config `api.runtime.config`
 */
export async function bumpConfig(config, now = new Date()) {
  const touch = (draft) => {
    draft.channels ??= {};
    draft.channels[CHANNEL_ID] = {
      ...draft.channels[CHANNEL_ID],
      channelConfigUpdatedAt: now.toISOString(),
    };
  };
  await changeConfig(config, touch);
}

/** A login that nobody has waited for so long is given up: it keeps the port open. Milliseconds. */
const ABANDONED = 5 * 60_000;

/** `loginWithQrStart` / `loginWithQrWait`: the same login, asked for step by step. */
export function createQrLogin({ acquire, announce, currentConfig }) {
  const sessions = new Map();

  async function end(session) {
    clearTimeout(session.idle);
    if (session.ended) return;
    session.ended = true;
    await session.port.call("login.cancel", { loginId: session.loginId }).catch(() => {});
    await session.port.release();
  }

  async function forget(session) {
    sessions.delete(session.loginId);
    await end(session);
  }

  function leave(session) {
    clearTimeout(session.idle);
    if (session.ended || session.waits > 0) return;
    session.idle = setTimeout(() => void forget(session).catch(() => {}), ABANDONED);
    session.idle.unref?.();
  }

  return {
    /** @param {{ accountId?: string }} [params] */
    async loginWithQrStart({ accountId } = {}) {
      // One login at a time: an abandoned page must not keep its poll going.
      for (const old of [...sessions.values()]) await forget(old);
      const port = await acquire();
      try {
        const { loginId, qr } = await port.call("login.start", connectionSettings(currentConfig(), accountId));
        const session = { loginId, port, qr, waits: 0, next: undefined, idle: undefined, ended: false };
        sessions.set(loginId, session);
        leave(session);
        return {
          sessionKey: loginId,
          qrDataUrl: qr.pngDataUrl,
          message: `Scan the code with WeChat on your phone, or open ${plain(qr.url)} there.`,
        };
      } catch (error) {
        await port.release();
        throw error;
      }
    },

    /** @param {{ sessionKey?: string, timeoutMs?: number, currentQrDataUrl?: string }} [params] */
    async loginWithQrWait({ sessionKey, timeoutMs = 60_000, currentQrDataUrl } = {}) {
      const session = sessionKey ? sessions.get(sessionKey) : [...sessions.values()].at(-1);
      if (!session) return { connected: false, message: "No login is under way; start a new one." };
      session.waits += 1;
      try {
        return await wait(session, Date.now() + timeoutMs, currentQrDataUrl);
      } finally {
        session.waits -= 1;
        leave(session);
      }
    },
  };

  async function wait(session, deadline, shownQrDataUrl) {
    for (;;) {
      if (shownQrDataUrl && shownQrDataUrl !== session.qr.pngDataUrl) {
        return { connected: false, message: "Scan the new code.", qrDataUrl: session.qr.pngDataUrl };
      }
      // The step outlives a wait that times out, and belongs to the next; two waits at a time share it.
      const next = (session.next ??= follow(session));
      const done = await before(next, deadline - Date.now());
      if (!done) return { connected: false, message: "Still waiting for the phone." };
      if (session.next === next) session.next = undefined;
      if (session.ended) sessions.delete(session.loginId);
      if (done.error) throw done.error;
      if (done.outcome) return done.outcome;
    }
  }

  /** What the login does next. Never rejects: nobody may be waiting. */
  async function follow(session) {
    try {
      const { port, loginId } = session;
      return { outcome: await step(session, await port.call("login.next", { loginId })) };
    } catch (error) {
      await end(session).catch(() => {});
      return { error };
    }
  }

  async function step(session, event) {
    switch (event.event) {
      case "scanned":
      case "redirected":
        return undefined;
      case "refreshed":
        session.qr = event.qr;
        return { connected: false, message: "Scan the new code.", qrDataUrl: event.qr.pngDataUrl };
      case "confirmed": {
        await end(session);
        const said = [connected(event)];
        await announceOrExplain(announce, (text) => said.push(text));
        return { connected: true, message: said.join(" ") };
      }
      case "alreadyBound":
        await end(session);
        return { connected: true, message: "This WeChat account is already connected." };
      case "verifyCodeNeeded":
        await end(session);
        return {
          connected: false,
          message: `WeChat asks for digits, which this page cannot take; ${RETRY} in a terminal.`,
        };
      default:
        await end(session);
        return { connected: false, message: plain(event.message ?? `The login failed; ${RETRY}.`) };
    }
  }
}

/** The promise's value, or undefined after `ms`. */
async function before(promise, ms) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
