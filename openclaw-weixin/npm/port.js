// The message port to the addon: one per process and state folder, opened with its first user, closed with its last.
import { createRequire } from "node:module";

import { loadAddon } from "./loader.js";
import { plainError, plainLog } from "./plain.js";
import { trustedRoots } from "./trust.js";

const { version } = createRequire(import.meta.url)("./package.json");

/**
 * Shared by all copies of this module in the process: the host evaluates a fresh one at each reload, and a turn of
 * the copy before must find the port on which the account runs now. Two ports would share a journal, too.
 */
const slots = (globalThis[Symbol.for("openclaw-weixin.ports")] ??= new Map());

/** The methods of a turn, which may outlive the account's stop. */
const ANSWERS = new Set(["send", "turn.block", "turn.end"]);

/**
 * @param {object} options
 * @param {() => string} options.stateDir the host's state folder
 * @param {object} options.log the host's logger
 * @param {() => object} [options.settings] what the config says about all accounts (`portSettings`)
 * @param {(accountId: string) => void} [options.onSent] told of each message that has left
 * @param {() => { Addon: new (onEvent: (json: string) => void) => import("./messages.d.ts").Addon }} [options.load] the addon; tests pass their own
 */
export function createPortPool({ stateDir, log: hostLog, settings = () => ({}), onSent, load = loadAddon }) {
  const log = plainLog(hostLog);

  /** The slot of the state folder as it is now. A newer version of the plugin does not talk to an older addon. */
  function slotNow() {
    const key = `${version} ${stateDir()}`;
    const slot = slots.get(key) ?? { current: undefined, closing: Promise.resolve() };
    slots.set(key, slot);
    return slot;
  }

  function open() {
    const listeners = new Map();
    const { Addon } = load();
    const addon = new Addon((json) => {
      // An error here would end the process: the callback runs on the bare event loop.
      try {
        dispatch(JSON.parse(json), listeners, log);
      } catch (error) {
        log.error(`openclaw-weixin: event handler failed: ${error?.stack ?? error}`);
      }
    });
    const call = async (method, params = {}) => {
      try {
        return JSON.parse(await addon.call(method, JSON.stringify(params)));
      } catch (error) {
        // Everybody who handles a failure reads its message, and the host shows it.
        throw plainError(error, `The WeChat addon's ${method} failed without a reason.`);
      }
    };
    const ready = call("init", {
      stateDir: stateDir(),
      roots: trustedRoots({ log }),
      logLevel: log.debug ? "debug" : "info",
      ...settings(),
    });
    return { addon, call, listeners, ready, users: 0 };
  }

  function tellIfSent(method, params, answer) {
    if (!(method === "send" || method === "turn.block") || (answer?.outcome === "waiting" && !answer.messageId)) return;
    try {
      onSent?.(params.accountId);
    } catch (error) {
      // What has left must not look as if it had failed: it would be sent again.
      log.debug?.(`openclaw-weixin: the host could not note a send: ${error?.message}`);
    }
  }

  /** Call `release` when done; the last one closes the port. */
  return async function acquire() {
    const slot = slotNow();
    // Two ports at once would share the state folder's journal. While this waits, another may begin to close.
    for (let closing; closing !== slot.closing; ) {
      closing = slot.closing;
      await closing;
    }
    const port = (slot.current ??= open());
    port.users += 1;
    let released = false;
    const release = async () => {
      if (released) return;
      released = true;
      port.users -= 1;
      if (port.users > 0) return;
      if (slot.current === port) slot.current = undefined;
      // A port that cannot close is no reason to refuse the next one.
      slot.closing = closed(port.addon).catch((error) => log.warn(`openclaw-weixin: ${error?.message}`));
      await slot.closing;
    };
    try {
      await port.ready;
    } catch (error) {
      await release();
      throw error;
    }
    const use = async (method, params) => {
      const answer = await port.call(method, params);
      tellIfSent(method, params, answer);
      return answer;
    };
    return {
      use,
      async call(method, params) {
        if (!ANSWERS.has(method)) return use(method, params);
        // A turn may outlive its account's stop, as turns do when the host restarts in place: its replies leave on the
        // port that is open now, which stays open until they have left.
        const now = await acquire();
        try {
          return await now.use(method, params);
        } finally {
          await now.release();
        }
      },
      /** Events of one account: `{ inbound, status }`. Returns what stops them. */
      listen(accountId, listener) {
        port.listeners.set(accountId, listener);
        return () => {
          if (port.listeners.get(accountId) === listener) port.listeners.delete(accountId);
        };
      },
      release,
    };
  };
}

/** Waits for the addon's end, but not for ever: it stops within a second. */
async function closed(addon) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the addon did not close in time")), 2000);
  });
  try {
    await Promise.race([addon.close(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function dispatch(event, listeners, log) {
  if (event.type === "log") {
    const write = log[event.level] ?? log.info;
    write?.(`openclaw-weixin: ${event.message}`);
    return;
  }
  // An event that crosses the account's stop on its way has no listener; the journal keeps its message.
  listeners.get(event.accountId)?.[event.type]?.(event);
}
