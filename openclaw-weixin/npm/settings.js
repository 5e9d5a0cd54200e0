// The schema of the channel's settings, and what a config gets wrong by it. The manifest is the one source: hosts
// read it without running us.
import { createRequire } from "node:module";

import { CHANNEL_ID, accountSettings, allowList, dmPolicy, settingPath } from "./accounts.js";

/** JSON schema of `channels.openclaw-weixin`. */
export const channelSchema = createRequire(import.meta.url)("./openclaw.plugin.json").channelConfigs[CHANNEL_ID].schema;

/** What hosts read in the section of any channel, and in those of its accounts (seen in 2026.9.6). */
const HOST_SETTINGS = new Set([
  "blockStreamingCoalesce",
  "commands",
  "configWrites",
  "contextVisibility",
  "defaultAccount",
  "dmHistoryLimit",
  "dms",
  "healthMonitor",
  "heartbeatVisibility",
  "responsePrefix",
  "streaming",
  "textChunkLimit",
]);

/** One sentence for each setting that is unknown or has the wrong type; they are ignored, not fatal. */
export function configProblems(cfg) {
  const section = cfg?.channels?.[CHANNEL_ID];
  if (section === undefined) return [];
  return [...check(section, channelSchema, `channels.${CHANNEL_ID}`), ...openForNobody(cfg)];
}

/** A policy that says open and is not, once for each place that says so. */
function openForNobody(cfg) {
  const accounts = cfg.channels[CHANNEL_ID]?.accounts;
  const ids = [undefined, ...(typeOf(accounts) === "object" ? Object.keys(accounts) : [])];
  const places = ids.flatMap((id) => {
    const settings = accountSettings(cfg, id);
    return dmPolicy(settings) === "open" && !allowList(settings).includes("*") ? [settingPath(cfg, id, "dmPolicy")] : [];
  });
  return [...new Set(places)].map((place) => `${place} is "open", which lets nobody new in unless allowFrom holds "*".`);
}

function check(value, schema, path) {
  if (schema.enum) {
    if (schema.enum.includes(value)) return [];
    return [`${path} is ${JSON.stringify(value)}; it must be one of ${schema.enum.join(", ")}.`];
  }
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.includes(typeOf(value))) return [`${path} must be of type ${types.join(" or ")}.`];
  if (typeOf(value) === "array") return value.flatMap((item, index) => check(item, schema.items ?? {}, `${path}[${index}]`));
  if (typeOf(value) !== "object") return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const own = schema.properties?.[key];
    if (own) return check(member, own, `${path}.${key}`);
    if (typeof schema.additionalProperties === "object") return check(member, schema.additionalProperties, `${path}.${key}`);
    const known = Object.keys(schema.properties ?? {});
    if (known.includes("dmPolicy") && HOST_SETTINGS.has(key)) return [];
    return known.length > 0 ? [`${path}.${key} is no setting of this plugin; known are ${known.join(", ")}.`] : [];
  });
}

function typeOf(value) {
  return Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
}
