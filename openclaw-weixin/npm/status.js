// How an account is doing, in the host's words.
import { CHANNEL_ID, connectionSettings } from "./accounts.js";
import { plain, reasonOf } from "./plain.js";

const LOGIN = `openclaw channels login --channel ${CHANNEL_ID}`;

/** The host's snapshot fields for a link state of the addon. @param {{ state: string, detail?: string }} event */
export function statusPatch({ state, detail }, now = Date.now()) {
  const lastError = detail ? plain(detail) : null;
  switch (state) {
    case "online":
      return { connected: true, linked: true, lifecycle: "ready", lastConnectedAt: now, lastError: null };
    case "starting":
      return { connected: false, lifecycle: "starting" };
    case "needs-login":
      return { connected: false, linked: false, lifecycle: "blocked", lastError };
    case "stopped":
      return { connected: false, lifecycle: "stopped" };
    default:
      return { connected: false, lifecycle: "recovering", lastError };
  }
}

/** `channels status --probe`: the addon asks the server, now. Never rejects: a failure is the answer. */
export function createProbe({ acquire }) {
  return async function probeAccount({ account, cfg }) {
    const started = Date.now();
    const elapsed = () => Date.now() - started;
    let port;
    try {
      port = await acquire();
      const { ok, code, error, status } = await port.call("account.probe", {
        accountId: account.accountId,
        ...connectionSettings(cfg, account.accountId),
      });
      return {
        ok,
        ...(ok ? {} : { code, error: withHelp(code, plain(error)) }),
        elapsedMs: elapsed(),
        link: status.state,
        lastPollAt: status.lastPollMs ?? null,
        lastInboundAt: status.lastInboundMs ?? null,
        lastOutboundAt: status.lastOutboundMs ?? null,
        lastError: status.detail ? plain(status.detail) : null,
        pending: status.pending,
        outbox: status.outbox,
        dead: status.dead,
        suppressedSince: status.suppressedSinceMs ?? null,
        clockBehindMs: status.clockBehindMs ?? null,
      };
    } catch (error) {
      return { ok: false, code: error?.code, error: reasonOf(error), elapsedMs: elapsed() };
    } finally {
      await port?.release().catch(() => {});
    }
  };
}

function withHelp(code, error) {
  return code === "needs-login" ? `${error}; run \`${LOGIN}\`` : error;
}

/** What is wrong and which command helps. */
export function collectStatusIssues(accounts) {
  return accounts.flatMap((account) => {
    if (account.enabled === false) return [];
    const settings = (account.configProblems ?? []).map((message) => ({
      kind: "config",
      message,
      fix: "Mend it with `openclaw config set` or `openclaw config unset`.",
    }));
    return [problemOf(account), ...healthOf(account), ...settings]
      .filter(Boolean)
      .map((problem) => ({ channel: CHANNEL_ID, accountId: account.accountId, ...problem }));
  });
}

/** Flags of an account that is online and yet not well; known where it was probed. */
function healthOf({ accountId, probe }) {
  const issues = [];
  if (probe?.suppressedSince) {
    issues.push({
      kind: "runtime",
      message: `WeChat accepts what ${accountId} sends and perhaps shows none of it, since ${new Date(probe.suppressedSince).toISOString()}.`,
      fix: "Write to the bot from the phone; if its answers stay away, run the login again.",
    });
  }
  if (probe?.clockBehindMs) {
    issues.push({
      kind: "runtime",
      message: `This machine's clock is at least ${Math.round(probe.clockBehindMs / 1000)} s slow.`,
      fix: "Set the clock, for instance with `timedatectl set-ntp true`.",
    });
  }
  if (probe?.dead) {
    issues.push({
      kind: "runtime",
      message: `${probe.dead} messages to ${accountId} were given up after several attempts.`,
      fix: "See the gateway's log for the reasons.",
    });
  }
  return issues;
}

function problemOf({ accountId, configured, linked, running, connected, lifecycle, lastError, probe }) {
  // The host keeps what it was told, by older versions too.
  const said = lastError ? `: ${plain(lastError)}` : "";
  if (configured === false) {
    return { kind: "auth", message: `Account ${accountId} is not logged in.`, fix: `Run \`${LOGIN}\`.` };
  }
  if (linked === false || probe?.code === "needs-login") {
    return {
      kind: "auth",
      message: `WeChat has ended the login of ${accountId}, by age or by a login of the same user elsewhere${said}`,
      fix: `Run \`${LOGIN}\` and scan the code.`,
    };
  }
  if (lifecycle === "recovering") {
    return {
      kind: "runtime",
      message: `Account ${accountId} gets no answer from WeChat and keeps trying${said}`,
      fix: `Check this machine's network, proxy and clock, and channels.${CHANNEL_ID}.baseUrl.`,
    };
  }
  if (probe && probe.ok === false) {
    return {
      kind: "runtime",
      message: `A request to WeChat for ${accountId} failed: ${plain(probe.error ?? "no reason given")}`,
      fix: `Check this machine's network, proxy and clock, and channels.${CHANNEL_ID}.baseUrl.`,
    };
  }
  if (running === false && connected !== true && lastError) {
    return {
      kind: "runtime",
      message: `Account ${accountId} does not run${said}`,
      fix: "Mend what the message names, then run `openclaw gateway restart`.",
    };
  }
  return undefined;
}
