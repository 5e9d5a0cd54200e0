// The channel as OpenClaw sees it: accounts, login, sends. Translation only; the work is done in the
// addon (see port.js).
import {
  CHANNEL_ID,
  connectionSettings,
  defaultAccountId,
  listAccountIds,
  normalizeAccountId,
  normalizeUserId,
  portSettings,
  resolveAccount,
  settingPath,
} from "./accounts.js";
import { channelRuntime, currentConfig, judgeHost } from "./host.js";
import { handleInbound } from "./inbound.js";
import { bumpConfig, createQrLogin, loginOnTerminal } from "./login.js";
import { createLogout } from "./logout.js";
import { createOutbound } from "./outbound.js";
import { plainLog } from "./plain.js";
import { createPortPool } from "./port.js";
import { agentWorkspace, defaultRoots } from "./roots.js";
import { channelSchema, configProblems } from "./settings.js";
import { messageToolHints } from "./hints.js";
import { collectStatusIssues, createProbe, statusPatch } from "./status.js";
import { createHeartbeat } from "./typing.js";

const STOP_MS = 2000;
const USER_ID = /@im\.wechat$/;

/** Builds the channel for one `register` call. `load` finds the addon; tests pass their own. */
export function createChannel(api, load) {
  const log = plainLog(api.logger ?? console);
  const stateDir = () => api.runtime.state.resolveStateDir();
  const reportOnce = once((problem) => log.error(`openclaw-weixin: ${problem}`));
  const config = () => currentConfig(api);
  const roots = (cfg, /** @type {string | undefined} */ agentId) =>
    defaultRoots({ stateDir: stateDir(), workspaceOf: (id) => agentWorkspace(api, cfg, id) }, cfg, agentId);
  // For `channels status`; some hosts note some of their sends themselves.
  const onSent = (accountId) =>
    api.runtime?.channel?.activity?.record?.({ channel: CHANNEL_ID, accountId, direction: "outbound" });
  const acquire = createPortPool({ stateDir, log, settings: () => portSettings(config()), onSent, load });
  const announce = () => bumpConfig(api.runtime?.config);
  // Commands load the plugin too, each in a process of its own; only the gateway starts accounts.
  let isGateway = false;
  const reported = new Set();

  return {
    id: CHANNEL_ID,
    meta: {
      id: CHANNEL_ID,
      label: "WeChat",
      selectionLabel: "WeChat (Weixin, QR login)",
      docsPath: "/channels/wechat",
      docsLabel: "wechat",
      blurb: "WeChat direct messages over Tencent's iLink bot API; log in by scanning a QR code.",
      order: 75,
    },
    capabilities: { chatTypes: /** @type {"direct"[]} */ (["direct"]), media: true, blockStreaming: true },
    // A message of the user allows about ten sends (field note 3): few large blocks.
    streaming: { blockStreamingCoalesceDefaults: { minChars: 1500, idleMs: 1000 } },
    agentPrompt: { messageToolHints },
    configSchema: { schema: channelSchema },
    reload: { configPrefixes: [`channels.${CHANNEL_ID}`] },
    messaging: {
      normalizeTarget: (raw) => normalizeUserId(raw) || undefined,
      targetResolver: {
        looksLikeId: (raw) => USER_ID.test(normalizeUserId(raw)),
        hint: "<user id>@im.wechat, as in a message that the user has sent to this bot",
      },
    },
    config: {
      listAccountIds: () => listAccountIds(stateDir(), reportOnce),
      defaultAccountId: () => defaultAccountId(stateDir()),
      resolveAccount: (cfg, accountId) => resolveAccount(cfg, accountId, stateDir()),
      isEnabled: (account) => account.enabled,
      disabledReason: () => `disabled in the config (channels.${CHANNEL_ID})`,
      isConfigured: (account) => account.configured,
      unconfiguredReason: () => `not logged in; run \`openclaw channels login --channel ${CHANNEL_ID}\``,
      describeAccount,
      resolveAllowFrom: (/** @type {{ cfg: any, accountId?: string | null }} */ { cfg, accountId }) =>
        resolveAccount(cfg, accountId, stateDir()).allowFrom,
    },
    pairing: { idLabel: "WeChat user id", normalizeAllowEntry: normalizeUserId },
    security: {
      resolveDmPolicy: ({ account, cfg }) => ({
        policy: account.dmPolicy,
        allowFrom: account.allowFrom,
        policyPath: settingPath(cfg, account.accountId, "dmPolicy"),
        allowFromPath: settingPath(cfg, account.accountId, "allowFrom"),
        approveHint: `openclaw pairing approve ${CHANNEL_ID} <code>`,
        normalizeEntry: normalizeUserId,
      }),
    },
    // Older declarations know other members only.
    heartbeat: /** @type {any} */ (createHeartbeat({ acquire, stateDir })),
    outbound: createOutbound({ acquire, stateDir, currentConfig: config, roots }),
    status: {
      defaultRuntime: { accountId: "default", running: false, lastError: null },
      probeAccount: createProbe({ acquire }),
      buildAccountSnapshot: (/** @type {any} */ { account, cfg, runtime, probe }) => ({
        ...runtime,
        ...describeAccount(account),
        configProblems: configProblems(cfg),
        ...(probe ? { probe } : {}),
      }),
      collectStatusIssues,
      buildChannelSummary: ({ snapshot }) => ({
        configured: snapshot.configured ?? false,
        running: snapshot.running ?? false,
        connected: snapshot.connected ?? false,
        lastError: snapshot.lastError ?? null,
      }),
    },
    auth: {
      login: (/** @type {any} */ { cfg, accountId, runtime }) =>
        loginOnTerminal({ cfg, accountId, acquire, announce, print: (text) => runtime.log(text) }),
    },
    gateway: {
      startAccount: (ctx) => {
        isGateway = true;
        for (const problem of configProblems(config())) {
          // Once, although each account starts and starts again.
          if (!reported.has(problem)) log.warn(`openclaw-weixin: ${problem}`);
          reported.add(problem);
        }
        return runAccount(ctx, { api, acquire, roots, currentConfig: config, log });
      },
      logoutAccount: createLogout({
        acquire,
        announce,
        isGateway: () => isGateway,
        isListed: (accountId) => listAccountIds(stateDir()).includes(normalizeAccountId(accountId)),
      }),
      ...createQrLogin({ acquire, announce, currentConfig: config }),
    },
  };
}

function describeAccount(account) {
  const { accountId, name, enabled, configured, dmPolicy, allowFrom } = account;
  return { accountId, name, enabled, configured, dmPolicy, allowFrom };
}

/** Runs one account until its signal is aborted. */
async function runAccount(ctx, { api, acquire, roots, currentConfig, log: fallbackLog }) {
  const { accountId, account, abortSignal: signal } = ctx;
  const log = ctx.log ? plainLog(ctx.log) : fallbackLog;
  const helpers = channelRuntime(ctx, api);
  const { note } = judgeHost(api.runtime?.version);
  if (note) log.info(`[${accountId}] ${note}`);
  if (signal.aborted) return;
  const stopped = aborted(signal);
  const opening = acquire();
  const port = await Promise.race([opening, stopped]);
  if (!port) {
    // Stopped before it was open; whenever that is, nobody needs it.
    opening.then((late) => late.release()).catch(() => {});
    return;
  }
  const deps = { port, account, channelRuntime: helpers, currentConfig, roots, signal, log };
  const unlisten = port.listen(accountId, {
    inbound: (event) => {
      // First: whatever the host's status table does, the message is handled.
      void handleInbound(event, deps);
      ctx.setStatus({ ...ctx.getStatus(), lastInboundAt: Date.now() });
    },
    status: (event) => ctx.setStatus({ ...ctx.getStatus(), ...statusPatch(event) }),
  });
  try {
    if (signal.aborted) return;
    await Promise.race([
      port.call("account.start", { accountId, ...connectionSettings(currentConfig(), accountId) }),
      stopped,
    ]);
    if (!signal.aborted) log.info(`[${accountId}] WeChat account started`);
    await stopped;
  } finally {
    unlisten();
    // The addon stops within a second; a bug there must not hold up the gateway's stop.
    await within(STOP_MS, port.call("account.stop", { accountId }).catch(() => {}));
    await port.release();
  }
}

/** The host lists accounts all the time; a problem is worth one line per registration. */
function once(call) {
  let called = false;
  return (...args) => {
    if (called) return;
    called = true;
    call(...args);
  };
}

/** The promise, or nothing after `ms`. */
async function within(ms, promise) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** @returns {Promise<void>} */
function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
