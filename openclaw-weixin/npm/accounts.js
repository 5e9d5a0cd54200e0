// Accounts and their settings: read from the state folder and the config, without the addon, because the
// host lists accounts in every command. Everything here is synchronous and never throws for bad files: it
// only reads, and the addon keeps a damaged file aside before it writes. What Rust decides too, it decides by the same
// cases: fixtures/rules.
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";

export const CHANNEL_ID = "openclaw-weixin";

/** File-safe account id: the hosts' own rule, so that theirs and ours never differ. `b0f5@im.bot` is `b0f5-im-bot`. */
export function normalizeAccountId(id) {
  const text = String(id ?? "").trim().toLowerCase();
  if (/^[a-z0-9][a-z0-9_-]{0,63}$/.test(text)) return text;
  return text.replace(/[^a-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
}

/** The id as WeChat writes it, which files of older versions are named by: `b0f5-im-bot` is `b0f5@im.bot`. */
export function rawAccountId(id) {
  return id.replace(/-im-(bot|wechat)$/, "@im.$1");
}

/**
 * Logged-in accounts, oldest first; without an index, those whose files are there. `report` is told of an index that
 * cannot be understood.
 *
 * @param {string} stateDir
 * @param {(problem: string) => void} [report]
 * @returns {string[]}
 */
export function listAccountIds(stateDir, report = () => {}) {
  const folder = path.join(stateDir, CHANNEL_ID);
  const index = path.join(folder, "accounts.json");
  let names = readJson(index);
  if (!Array.isArray(names)) {
    if (existsSync(index)) {
      report(
        `${index} is damaged. The accounts are those that have a file in ${path.join(folder, "accounts")}; ` +
          `\`openclaw channels login --channel ${CHANNEL_ID}\` keeps it under another name.`,
      );
    }
    names = accountsOnDisk(path.join(folder, "accounts"));
  }
  const ids = names.filter((name) => typeof name === "string").map(normalizeAccountId);
  return [...new Set(ids)].filter(Boolean);
}

/** The accounts that have a file with a token, oldest first. */
function accountsOnDisk(folder) {
  return directory(folder)
    .filter((name) => name.endsWith(".json") && !/\.(sync|context-tokens|allow-from)\.json$/.test(name))
    .map((name) => path.join(folder, name))
    .filter((file) => hasToken(readJson(file)))
    .map((file) => ({ id: path.basename(file).slice(0, -".json".length), written: statSync(file).mtimeMs }))
    .sort((a, b) => a.written - b.written || (a.id < b.id ? -1 : 1))
    .map(({ id }) => id);
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
    userId: text(saved?.userId),
    dmPolicy: dmPolicy(settings),
    allowFrom: allowList(settings),
  };
}

/** What the login has left: in the account's file, or where older versions had it (protocol §8), as the addon looks. */
function savedLogin(id, stateDir) {
  const files = [id, rawAccountId(id)].map((name) => path.join(CHANNEL_ID, "accounts", `${name}.json`));
  return [...files, path.join("credentials", CHANNEL_ID, "credentials.json")]
    .map((file) => readJson(path.join(stateDir, file)))
    .find(hasToken);
}

function hasToken(login) {
  return text(login?.token) !== undefined;
}

/** The newest login; `default` (which is never logged in) when there is none yet. */
export function defaultAccountId(stateDir) {
  return listAccountIds(stateDir).at(-1) ?? "default";
}

/** What the addon needs to know to talk to the server for an account or a login. */
export function connectionSettings(cfg, accountId) {
  const { baseUrl, cdnBaseUrl, routeTag, botAgent } = accountSettings(cfg, accountId);
  return {
    baseUrl: text(baseUrl),
    cdnBaseUrl: text(cdnBaseUrl),
    routeTag: text(typeof routeTag === "number" ? String(routeTag) : routeTag),
    botAgent: text(botAgent),
  };
}

/** What the addon needs to know before anything else: settings that hold for all accounts. */
export function portSettings(cfg) {
  const { outbox, markdown, quoteCache, shareReceivedMedia } = accountSettings(cfg);
  const limits = Object.entries(plainObject(quoteCache)).filter(([key, value]) => typeof value === (key === "enabled" ? "boolean" : "number"));
  return {
    outbox: outbox === true,
    shareReceivedMedia: shareReceivedMedia === true,
    markdown: typeof markdown === "string" ? markdown : undefined,
    quotes: Object.fromEntries(limits),
  };
}

/** Unknown policies count as the strictest that still lets the owner in. */
export function dmPolicy(settings) {
  const policy = settings.dmPolicy ?? "pairing";
  return ["pairing", "allowlist", "open", "disabled"].includes(policy) ? policy : "allowlist";
}

/** `allowFrom` of the config, as clean user ids, or `*`. */
export function allowList(settings) {
  const entries = Array.isArray(settings.allowFrom) ? settings.allowFrom : [];
  return entries.map((entry) => normalizeUserId(entry)).filter(Boolean);
}

/** A user id without what hosts and people put before it: names of the channel, then one kind. Ids are case-sensitive. */
export function normalizeUserId(raw) {
  const given = String(raw ?? "").trim();
  const id = given.replace(/^(?:(?:openclaw-weixin|weixin|wechat):\s*)*(?:(?:user|dm|direct):\s*)?/i, "");
  // Everybody is written `*` and no other way, as for the hosts.
  return id === "*" && id !== given ? "" : id;
}

/** The longest id that is taken for one, in bytes; WeChat's have some forty. */
const LONGEST_ID = 256;

/** Whether a sender is called like somebody: not like everybody, like a list's way to write another, or like nobody. */
export function isUserId(id) {
  if (typeof id !== "string" || id === "" || Buffer.byteLength(id) > LONGEST_ID) return false;
  return !/[\s\p{Cc}*]/u.test(id) && normalizeUserId(id) === id;
}

/** A text without white space around it; undefined for anything else, and for a blank one. */
function text(value) {
  return (typeof value === "string" && value.trim()) || undefined;
}

function directory(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
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
