// Accounts and their settings: read from the state folder and the config, without the addon, because the
// host lists accounts in every command. Everything here is synchronous and never throws for bad files: it
// only reads, and the addon keeps a damaged file aside before it writes.
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

export const CHANNEL_ID = "openclaw-weixin";

/** The host's state folder, as the host itself resolves it where it tells. */
export function resolveStateDir(runtime, env = process.env) {
  const told = runtime?.state?.resolveStateDir?.(env);
  if (told) return told;
  const set = env.OPENCLAW_STATE_DIR?.trim() || env.CLAWDBOT_STATE_DIR?.trim();
  const home = env.OPENCLAW_HOME?.trim() || homedir();
  if (!set) return path.join(home, ".openclaw");
  return path.resolve(set.replace(/^~(?=$|[\\/])/, home));
}

/** File-safe account id, the same as the addon's: `b0f5@im.bot` is `b0f5-im-bot`. */
export function normalizeAccountId(id) {
  return String(id ?? "").trim().replace(/[^A-Za-z0-9_-]/g, "-");
}

/**
 * Logged-in accounts, oldest first. `report` is told when the list is there but cannot be understood.
 *
 * @param {string} stateDir
 * @param {(problem: string) => void} [report]
 * @returns {string[]}
 */
export function listAccountIds(stateDir, report = () => {}) {
  const file = path.join(stateDir, CHANNEL_ID, "accounts.json");
  const ids = readJson(file);
  if (!Array.isArray(ids)) {
    if (existsSync(file)) {
      report(
        `${file} is damaged, so no WeChat account starts: repair it, or log in again with ` +
          `\`openclaw channels login --channel ${CHANNEL_ID}\`, which keeps it under another name.`,
      );
    }
    return [];
  }
  return [...new Set(ids.filter((id) => typeof id === "string" && id.trim()).map(normalizeAccountId))];
}

/**
 * The channel's settings for one account: `channels.openclaw-weixin.accounts.{id}` over
 * `channels.openclaw-weixin`. Without an id, the channel's own.
 */
export function accountSettings(cfg, accountId) {
  const section = plainObject(cfg?.channels?.[CHANNEL_ID]);
  const { accounts, ...shared } = section;
  const { own } = accountSection(accounts, accountId);
  return { ...shared, ...own, enabled: shared.enabled !== false && own.enabled !== false };
}

/** What an account has of its own, without what it leaves open, and under which key: people write the bot's id, too. */
function accountSection(accounts, accountId) {
  const sections = plainObject(accounts);
  const id = normalizeAccountId(accountId);
  const key = id in sections ? id : (Object.keys(sections).find((name) => normalizeAccountId(name) === id) ?? id);
  const set = Object.entries(plainObject(id ? sections[key] : {})).filter(([, value]) => value !== null && value !== undefined);
  return { key, own: Object.fromEntries(set) };
}

/** Where a setting of an account stands, or would: its own section if it has it there, else the channel's. */
export function settingPath(cfg, accountId, key) {
  const section = `channels.${CHANNEL_ID}`;
  const { key: account, own } = accountSection(cfg?.channels?.[CHANNEL_ID]?.accounts, accountId);
  return own[key] === undefined ? `${section}.${key}` : `${section}.accounts.${account}.${key}`;
}

/** What the host passes around as "the account". Holds no secret. */
export function resolveAccount(cfg, accountId, stateDir) {
  const id = normalizeAccountId(accountId) || defaultAccountId(stateDir);
  const settings = accountSettings(cfg, id);
  const saved = savedLogin(id, stateDir);
  return {
    accountId: id,
    name: typeof settings.name === "string" ? settings.name : undefined,
    enabled: settings.enabled,
    configured: saved !== undefined,
    userId: typeof saved?.userId === "string" ? saved.userId : undefined,
    dmPolicy: dmPolicy(settings),
    allowFrom: allowList(settings),
  };
}

/** What the login has left: in the account's file, or where older versions had it (protocol §8), as the addon looks. */
function savedLogin(id, stateDir) {
  const raw = id.replace(/-im-bot$/, "@im.bot");
  const files = [id, raw].map((name) => path.join(CHANNEL_ID, "accounts", `${name}.json`));
  return [...files, path.join("credentials", CHANNEL_ID, "credentials.json")]
    .map((file) => plainObject(readJson(path.join(stateDir, file))))
    .find(({ token }) => typeof token === "string" && token.trim() !== "");
}

/** The newest login; `default` (which is never logged in) when there is none yet. */
export function defaultAccountId(stateDir) {
  return listAccountIds(stateDir).at(-1) ?? "default";
}

/** What the addon needs to know to talk to the server for an account or a login. */
export function connectionSettings(cfg, accountId) {
  const { baseUrl, cdnBaseUrl, routeTag, botAgent } = accountSettings(cfg, accountId);
  const text = (value) => (typeof value === "string" && value.trim() ? value.trim() : undefined);
  return {
    baseUrl: text(baseUrl),
    cdnBaseUrl: text(cdnBaseUrl),
    routeTag: text(typeof routeTag === "number" ? String(routeTag) : routeTag),
    botAgent: text(botAgent),
  };
}

/** What the addon needs to know before anything else: settings that hold for all accounts. */
export function portSettings(cfg) {
  const { outbox, markdown, quoteCache } = accountSettings(cfg);
  const limits = Object.entries(plainObject(quoteCache)).filter(([key, value]) => typeof value === (key === "enabled" ? "boolean" : "number"));
  return {
    outbox: outbox === true,
    markdown: typeof markdown === "string" ? markdown : undefined,
    quotes: Object.fromEntries(limits),
  };
}

/** Unknown policies count as the strictest that still lets the owner in. */
export function dmPolicy(settings) {
  const policy = settings.dmPolicy ?? "pairing";
  return ["pairing", "allowlist", "open", "disabled"].includes(policy) ? policy : "allowlist";
}

/** `allowFrom` of the config, as clean user ids. */
export function allowList(settings) {
  const entries = Array.isArray(settings.allowFrom) ? settings.allowFrom : [];
  return entries.map((entry) => normalizeUserId(entry)).filter(Boolean);
}

/** A user id without the prefixes that hosts and people put before it; ids are case-sensitive. */
export function normalizeUserId(raw) {
  return String(raw ?? "")
    .trim()
    .replace(/^(?:openclaw-weixin|weixin|wechat):/i, "")
    .replace(/^user:/i, "")
    .trim();
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function plainObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}
