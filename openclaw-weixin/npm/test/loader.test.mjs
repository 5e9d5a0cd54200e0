import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { loadAddon, platformName } from "../loader.js";

const { version } = createRequire(import.meta.url)("../package.json");
const name = platformName();
const wanted = `openclaw-weixin-${name}`;

let folder;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "weixin-loader-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function addonPackage(place, description = {}) {
  const found = path.join(place, wanted);
  mkdirSync(found, { recursive: true });
  writeFileSync(path.join(found, "package.json"), JSON.stringify({ name: wanted, version, ...description }));
  return path.join(found, "openclaw-weixin.node");
}

function bundledAddon(here) {
  const file = path.join(here, "native", `openclaw-weixin.${name}.node`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, "");
  return file;
}

/** Which files are loaded for a package in `here`. */
function load(here, fail = () => false) {
  const asked = [];
  const loaded = new Map();
  const addon = loadAddon(
    (file) => {
      asked.push(file);
      if (fail(file)) throw new Error("GLIBC_2.99 not found\nand a trace");
      return { from: file };
    },
    loaded,
    here,
  );
  assert.equal(loadAddon(() => assert.fail("loaded twice"), loaded, here), addon, "another copy of the plugin takes the one that is there");
  return asked;
}

test("platforms have npm's names", () => {
  const report = (header) => ({ getReport: () => ({ header }) });
  assert.equal(platformName({ platform: "linux", arch: "x64", report: report({ glibcVersionRuntime: "2.39" }) }), "linux-x64-gnu");
  assert.equal(platformName({ platform: "linux", arch: "arm64", report: report({}) }), "linux-arm64-musl");
  assert.equal(platformName({ platform: "darwin", arch: "arm64" }), "darwin-arm64");
  assert.equal(platformName({ platform: "win32", arch: "x64" }), "win32-x64-msvc");
});

test("the bundled addon comes first, then what was installed inside of the package, then beside it", () => {
  const here = path.join(folder, "node_modules", "openclaw-weixin");
  const beside = addonPackage(path.join(folder, "node_modules"));
  assert.deepEqual(load(here), [beside]);
  const inside = addonPackage(path.join(here, "node_modules"));
  assert.deepEqual(load(here), [inside]);
  const bundled = bundledAddon(here);
  assert.deepEqual(load(here), [bundled]);
  assert.deepEqual(load(here, (file) => file === bundled), [bundled, inside]);
});

test("what lies in a node_modules further up is never run", () => {
  const here = path.join(folder, "extensions", "openclaw-weixin");
  mkdirSync(here, { recursive: true });
  for (const place of [folder, path.join(folder, "extensions")]) addonPackage(path.join(place, "node_modules"));
  // Beside the package, but no folder of packages.
  addonPackage(path.join(folder, "extensions"));
  assert.throws(() => load(here), new RegExp(`no addon for ${name}.*none was installed with it.*plugins install`));
});

test("another version, or another package under the name, is not run", () => {
  const here = path.join(folder, "openclaw-weixin");
  for (const description of [{ version: "0.0.1" }, { version: undefined }, { name: "evil" }]) {
    addonPackage(path.join(here, "node_modules"), description);
    assert.throws(() => load(here), new RegExp(`not ${wanted} ${version.replaceAll(".", "\\.")}`));
  }
  writeFileSync(path.join(here, "node_modules", wanted, "package.json"), "{ half");
  assert.throws(() => load(here), /no addon for/);
});

test("an addon that does not load here is one clear error", () => {
  bundledAddon(folder);
  assert.throws(() => load(folder, () => true), new RegExp(`no addon for ${name}.*GLIBC_2\\.99 not found\\).*plugins install`));
});
