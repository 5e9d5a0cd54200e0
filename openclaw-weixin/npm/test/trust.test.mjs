import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { trustedRoots } from "../trust.js";

const silent = { warn: () => assert.fail("nothing to warn of") };

test("Node's own list where it has one", () => {
  const node = { getCACertificates: (type) => [`all of ${type}`], rootCertificates: [] };
  assert.deepEqual(trustedRoots({ log: silent, node, env: { NODE_EXTRA_CA_CERTS: "/nowhere" } }), ["all of default"]);
});

test("Node.js before 22.15: the bundled ones and NODE_EXTRA_CA_CERTS; without it the addon chooses", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "weixin-trust-"));
  const node = { rootCertificates: ["bundled"] };
  try {
    const file = path.join(folder, "company.pem");
    writeFileSync(file, "company");
    assert.deepEqual(trustedRoots({ log: silent, node, env: { NODE_EXTRA_CA_CERTS: file } }), ["bundled", "company"]);
    assert.equal(trustedRoots({ log: silent, node, env: {} }), undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a file that cannot be read is told, and changes nothing", () => {
  const said = [];
  const log = { warn: (text) => said.push(text) };
  assert.equal(trustedRoots({ log, node: { rootCertificates: ["bundled"] }, env: { NODE_EXTRA_CA_CERTS: "/no/such.pem" } }), undefined);
  assert.match(said.join(), /NODE_EXTRA_CA_CERTS.*no such/i);
});
