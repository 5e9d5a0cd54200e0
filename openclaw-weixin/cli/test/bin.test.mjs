import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const BIN = fileURLToPath(new URL("../bin.js", import.meta.url));

/** An OpenClaw that warns on its error output, before and after what it says. */
const NOISY = `#!/bin/sh
echo "(node:1) Warning: {odd} openclaw-weixin" >&2
case "$*" in
  --version) echo "OpenClaw 2026.9.6" ;;
  "plugins list --json") echo '{"plugins":[]}' ;;
  "plugins list --enabled") echo openclaw-weixin ;;
  "channels status --probe --json") echo '{"channelAccounts":{"openclaw-weixin":[{"accountId":"a","probe":{"ok":true}}]}}' ;;
esac
echo "again {" >&2
`;

test("warnings of OpenClaw are not taken for its answers", { skip: process.platform === "win32" }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "weixin-cli-"));
  try {
    writeFileSync(path.join(folder, "openclaw"), NOISY, { mode: 0o755 });
    const env = { ...process.env, PATH: `${folder}${path.delimiter}${process.env.PATH}`, OPENCLAW_STATE_DIR: folder };
    const { stdout } = await promisify(execFile)(process.execPath, [BIN, "install", "--no-login"], { env });
    assert.doesNotMatch(stdout, /it is there already/);
    assert.match(stdout, /account a: WeChat answers/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
