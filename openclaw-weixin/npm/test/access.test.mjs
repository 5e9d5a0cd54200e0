import assert from "node:assert/strict";
import { test } from "node:test";

import { decideAccess } from "../access.js";

const decide = (facts) =>
  decideAccess({ policy: "pairing", senderId: "me", ownerId: "owner", allowFrom: [], storeAllowFrom: [], ...facts });

test("who has scanned the code is let in under every policy but disabled", () => {
  for (const policy of ["pairing", "allowlist", "open"]) {
    assert.deepEqual(decide({ policy, senderId: "owner" }), { verdict: "allowed", commands: true }, policy);
  }
  assert.equal(decide({ policy: "disabled", senderId: "owner" }).verdict, "blocked");
});

test("strangers are paired, or blocked where the list is the whole list", () => {
  assert.equal(decide({}).verdict, "pairing");
  assert.equal(decide({ policy: "allowlist" }).verdict, "blocked");
  assert.equal(decide({ policy: "open" }).verdict, "blocked");
});

test("approved pairings count under the policy pairing only", () => {
  assert.equal(decide({ storeAllowFrom: ["me"] }).verdict, "allowed");
  assert.equal(decide({ policy: "allowlist", storeAllowFrom: ["me"] }).verdict, "blocked");
});

test("a wildcard lets in, and gives no commands", () => {
  assert.deepEqual(decide({ policy: "open", allowFrom: ["*"] }), { verdict: "allowed", commands: false });
  assert.deepEqual(decide({ policy: "open", allowFrom: ["*", "me"] }), { verdict: "allowed", commands: true });
  assert.equal(decide({ policy: "pairing", allowFrom: ["*"] }).verdict, "pairing");
});

test("ids are case-sensitive, and nobody is not allowed", () => {
  assert.equal(decide({ senderId: "Owner" }).verdict, "pairing");
  assert.equal(decide({ senderId: "", storeAllowFrom: [""] }).verdict, "blocked");
});
