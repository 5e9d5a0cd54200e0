import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { agentWorkspace, defaultRoots } from "../roots.js";

const slashes = (name) => name.replaceAll(path.sep, "/").replace(/^[A-Z]:/, "");

test("files come from the media store and the workspace of the agent, or of all if none is meant", () => {
  const cfg = { agents: { list: [{ id: "a" }, { id: "b", default: true }] } };
  const roots = (agent) => defaultRoots({ stateDir: "/state", workspaceOf: (id) => `/w/${id}` }, cfg, agent, []).map(slashes);
  assert.deepEqual(roots(), ["/state/media", "/w/b", "/w/a"]);
  assert.deepEqual(roots("a"), ["/state/media", "/w/a"]);
});

test("the host knows where an agent works; older ones did it like this", () => {
  const api = { runtime: { agent: { resolveAgentWorkspaceDir: (_cfg, id) => `/told/${id}` } } };
  assert.equal(agentWorkspace(api, {}, "a"), "/told/a");
  const workspace = (agents, id, env = {}) => slashes(agentWorkspace({}, { agents }, id, { OPENCLAW_HOME: "/people/me", ...env }));
  const agents = { defaults: { workspace: "~/shared" }, list: [{ id: "a", workspace: "~/a" }, { id: "Main", default: true }, { id: "c" }] };
  assert.equal(workspace(agents, "A"), "/people/me/a");
  assert.equal(workspace(agents, "main"), "/people/me/shared");
  // Not the default agent's: it holds no file of this one.
  assert.equal(workspace(agents, "c"), "/people/me/.openclaw/workspace-c");
  assert.equal(workspace(undefined, "main"), "/people/me/.openclaw/workspace");
  assert.equal(workspace({ list: null }, "main", { OPENCLAW_PROFILE: "work" }), "/people/me/.openclaw/workspace-work");
});

test("the host's own temporary folder, where it makes speech, is one more; a stranger's is not", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "weixin-roots-"));
  try {
    const [own, open, link] = ["own", "open", "link"].map((name) => path.join(folder, name));
    mkdirSync(own, { mode: 0o700 });
    mkdirSync(open);
    chmodSync(open, 0o777);
    symlinkSync(own, link);
    const host = { stateDir: "/state", workspaceOf: () => "/w" };
    const roots = defaultRoots(host, {}, undefined, [own, open, link, path.join(folder, "none")]);
    assert.deepEqual(roots.slice(1, -1), process.platform === "win32" ? [own, open] : [own]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
