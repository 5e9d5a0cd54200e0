// The folders that files may be sent from when the host does not say: an agent can be talked into naming any file.
import { lstatSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";

/**
 * The host's media store, its temporary folder, where it makes speech, and the agent's workspace; without an agent,
 * all of theirs.
 *
 * @param {object} host
 * @param {string} host.stateDir
 * @param {(agentId: string) => string} host.workspaceOf
 * @param {any} cfg
 * @param {string} [agentId]
 * @param {string[]} [temporary]
 * @returns {string[]}
 */
export function defaultRoots({ stateDir, workspaceOf }, cfg, agentId, temporary = hostTemporary()) {
  const agents = agentId ? [agentId] : [defaultAgent(cfg), ...listedAgents(cfg).map(({ id }) => id)];
  return [path.join(stateDir, "media"), ...temporary.filter(isOurs), ...new Set(agents.map(workspaceOf))];
}

/** Where an agent works: the host says it since 2026.3.22; before, it is found as those hosts find it. */
export function agentWorkspace(api, cfg, agentId, env = process.env) {
  const told = api.runtime?.agent?.resolveAgentWorkspaceDir?.(cfg, agentId);
  if (told) return told;
  const home = env.OPENCLAW_HOME?.trim() || homedir();
  const resolve = (folder) => path.resolve(folder.trim().replace(/^~(?=$|[\\/])/, home));
  const is = (id) => id.trim().toLowerCase() === agentId.toLowerCase();
  const own = listedAgents(cfg).find(({ id }) => is(id))?.workspace;
  if (isText(own)) return resolve(own);
  const base = path.join(home, ".openclaw");
  if (!is(defaultAgent(cfg))) return path.join(base, `workspace-${agentId.toLowerCase()}`);
  const shared = cfg?.agents?.defaults?.workspace;
  if (isText(shared)) return resolve(shared);
  const profile = env.OPENCLAW_PROFILE?.trim();
  return path.join(base, profile && profile.toLowerCase() !== "default" ? `workspace-${profile}` : "workspace");
}

function listedAgents(cfg) {
  const list = cfg?.agents?.list;
  return Array.isArray(list) ? list.filter((agent) => isText(agent?.id)) : [];
}

function defaultAgent(cfg) {
  const listed = listedAgents(cfg);
  return (listed.find((agent) => agent.default) ?? listed[0])?.id ?? "main";
}

function isText(value) {
  return typeof value === "string" && value.trim() !== "";
}

/** Where hosts since 2026.2 put what they make: the first, or the second if that is not to be trusted. */
function hostTemporary() {
  const user = process.getuid?.();
  return user === undefined ? [path.join(tmpdir(), "openclaw")] : ["/tmp/openclaw", path.join(tmpdir(), `openclaw-${user}`)];
}

/** A folder that nobody else can put files into. */
function isOurs(folder) {
  try {
    const stats = lstatSync(folder);
    if (!stats.isDirectory()) return false;
    return process.platform === "win32" || (stats.uid === process.getuid?.() && (stats.mode & 0o022) === 0);
  } catch {
    return false;
  }
}
