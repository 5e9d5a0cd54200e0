// The rules that Rust and JavaScript share, by the cases of fixtures/rules.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { hasAccounts, stateFolder } from "../../cli/installer.js";
import { decideAccess } from "../access.js";
import { allowList, dmPolicy, listAccountIds, normalizeAccountId, normalizeUserId, rawAccountId, resolveAccount } from "../accounts.js";
import { channelSchema } from "../settings.js";

const RULES = new URL("../../../fixtures/rules/", import.meta.url);

/** How a case of a file is run: its input in, what came of it out. */
const RUNNERS = {
  "access.json": ({ policy, sender, owner, allowFrom, approved, ...rest }) => {
    nothing(rest);
    const decided = decideAccess({
      policy,
      senderId: sender,
      ownerId: owner ?? undefined,
      allowFrom: allowList({ allowFrom }),
      storeAllowFrom: approved,
    });
    return decided.verdict;
  },
  "account-ids.json": (text) => {
    const id = normalizeAccountId(text);
    return { id, bot: rawAccountId(id) };
  },
  "accounts.json": (files, folder) => {
    files.forEach(([name, text], age) => {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
      utimesSync(file, 1_700_000_000 + age, 1_700_000_000 + age);
    });
    const problems = [];
    const ids = listAccountIds(folder, (problem) => problems.push(problem));
    assert.equal(hasAccounts(folder), ids.length > 0, "what the installer finds");
    const accounts = ids.map((id) => resolveAccount({}, id, folder)).filter((account) => account.configured);
    const loggedIn = accounts.map(({ accountId, userId }) => [accountId, userId ?? null]);
    return { ids, damaged: problems.length === 1, loggedIn };
  },
  "policies.json": (name) => {
    const policy = dmPolicy({ dmPolicy: name });
    if (name === null || policy === name) return policy;
    assert.equal(policy, "allowlist", "what is no policy lets in whom the list names");
    assert.ok(!channelSchema.properties.dmPolicy.enum.includes(name));
    return null;
  },
  "state-folder.json": ({ env, home, folders, ...rest }) => {
    nothing(rest);
    for (const folder of folders) mkdirSync(folder, { recursive: true });
    // With the slashes of the file.
    return stateFolder(env, home).replaceAll(path.sep, "/");
  },
  "user-ids.json": normalizeUserId,
};

test("each file of rules is run, and each holds cases", () => {
  assert.deepEqual(readdirSync(RULES).sort(), Object.keys(RUNNERS).sort());
});

for (const [name, run] of Object.entries(RUNNERS)) {
  const cases = JSON.parse(readFileSync(new URL(name, RULES), "utf8"));
  assert.ok(cases.length > 0, name);
  cases.forEach((one, index) => {
    test(`${name} ${index}: ${JSON.stringify(one.input)}`, () => {
      const root = mkdtempSync(path.join(tmpdir(), "rules-"));
      try {
        const places = { "{root}": root, "{cwd}": process.cwd() };
        const fill = (text) => text.replace(/\{root\}|\{cwd\}/g, (name) => places[name].replaceAll(path.sep, "/"));
        const { input, expected, why, ...rest } = JSON.parse(fill(JSON.stringify(one)));
        nothing(rest);
        assert.ok(why.length > 0);
        assert.deepEqual(run(input, root), expected, why);
      } finally {
        rmSync(root, { recursive: true });
      }
    });
  });
}

/** A case may not hold what nobody looks at. */
function nothing(rest) {
  assert.deepEqual(rest, {});
}
