// The addon's link states, in the host's words.

/** @param {{ state: string, detail?: string }} event */
export function statusPatch({ state, detail }, now = Date.now()) {
  switch (state) {
    case "online":
      return { connected: true, linked: true, lifecycle: "ready", lastConnectedAt: now, lastError: null };
    case "starting":
      return { connected: false, lifecycle: "starting" };
    case "needs-login":
      return { connected: false, linked: false, lifecycle: "blocked", lastError: detail ?? null };
    case "stopped":
      return { connected: false, lifecycle: "stopped" };
    default:
      return { connected: false, lifecycle: "recovering", lastError: detail ?? null };
  }
}
