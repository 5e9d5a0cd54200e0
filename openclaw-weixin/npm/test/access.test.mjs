import assert from "node:assert/strict";
import { test } from "node:test";

import { decideAccess } from "../access.js";

// Who is let in: fixtures/rules/access.json, in rules.test.mjs.
test("who is named may use commands; who is let in by a wildcard may not", () => {
  const decide = (facts) =>
    decideAccess({ policy: "pairing", senderId: "me", ownerId: "owner", allowFrom: [], storeAllowFrom: [], ...facts });
  const named = { verdict: "allowed", commands: true };
  for (const policy of ["pairing", "allowlist", "open"]) {
    assert.deepEqual(decide({ policy, senderId: "owner" }), named, policy);
    assert.deepEqual(decide({ policy, allowFrom: ["*"] }), { verdict: "allowed", commands: false }, policy);
    assert.deepEqual(decide({ policy, allowFrom: ["*", "me"] }), named, policy);
    assert.equal(decide({ policy: "disabled", senderId: "owner", allowFrom: ["*"] }).commands, false);
  }
  assert.deepEqual(decide({ storeAllowFrom: ["me"] }), named);
  assert.deepEqual(decide({ allowFrom: ["*"], storeAllowFrom: ["me"] }), named);
  assert.equal(decide({}).commands, false);
});
