// The message port to the addon: one per process, opened with its first user, closed with its last.
import tls from "node:tls";

import { loadAddon } from "./loader.js";

/**
 * @param {object} options
 * @param {() => string} options.stateDir the host's state folder
 * @param {object} options.log the host's logger
 * @param {() => {Host: Function}} [options.load] the addon; tests pass their own
 */
export function createPortPool({ stateDir, log, load = loadAddon }) {
  let current;
  let closing = Promise.resolve();

  function open() {
    const listeners = new Map();
    const { Host } = load();
    const host = new Host((json) => {
      // An error here would end the process: the callback runs on the bare event loop.
      try {
        dispatch(JSON.parse(json), listeners, log);
      } catch (error) {
        log.error(`openclaw-weixin: event handler failed: ${error?.stack ?? error}`);
      }
    });
    const call = async (method, params = {}) => JSON.parse(await host.call(method, JSON.stringify(params)));
    const ready = call("init", {
      stateDir: stateDir(),
      roots: trustedRoots(),
      logLevel: log.debug ? "debug" : "info",
    });
    return { host, call, listeners, ready, users: 0 };
  }

  /** Call `release` when done; the last one closes the port. */
  return async function acquire() {
    // Two ports at once would share the state folder's journal.
    await closing;
    const port = (current ??= open());
    port.users += 1;
    let released = false;
    const release = async () => {
      if (released) return;
      released = true;
      port.users -= 1;
      if (port.users > 0) return;
      if (current === port) current = undefined;
      closing = port.host.close();
      await closing;
    };
    try {
      await port.ready;
    } catch (error) {
      await release();
      throw error;
    }
    return {
      call: port.call,
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

function dispatch(event, listeners, log) {
  if (event.type === "log") {
    const write = log[event.level] ?? log.info;
    write?.call(log, `openclaw-weixin: ${event.message}`);
    return;
  }
  // An event that crosses the account's stop on its way has no listener; the journal keeps its message.
  listeners.get(event.accountId)?.[event.type]?.(event);
}

/** Node's certificates, NODE_EXTRA_CA_CERTS included: containers without a CA store exist. */
function trustedRoots() {
  return typeof tls.getCACertificates === "function" ? tls.getCACertificates("default") : undefined;
}
