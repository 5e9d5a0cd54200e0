// The plugin with nothing between it and the real names: a network namespace of its own, where the machine's name server
// is the simulator's and port 443 its TLS server. Needs root on Linux, `unshare` and `ip`; elsewhere it is left out.
// `cargo xtask e2e` runs it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { OWNER, PICTURE, converse, openStage } from "./stage.mjs";

const SETUP = 'ip link set lo up && mount --bind "$E2E_RESOLV" /etc/resolv.conf && exec "$@"';

/** Runs a program in a new namespace. */
function inNamespace(program, args, options) {
  return spawnSync("unshare", ["--net", "--mount", "sh", "-c", SETUP, "sh", program, ...args], options);
}

function enter() {
  const folder = mkdtempSync(path.join(tmpdir(), "weixin-names-"));
  const env = { ...process.env, E2E_RESOLV: path.join(folder, "resolv.conf"), E2E_INSIDE: "1" };
  writeFileSync(env.E2E_RESOLV, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
  try {
    const { status, stderr, error } = inNamespace("true", [], { env, encoding: "utf8" });
    if (status !== 0) {
      test("the real names, found by a name server", { skip: `no network namespace here: ${error ?? stderr.trim()}` });
      return;
    }
    // This file again, inside. What it reports goes to the same runner.
    const inside = inNamespace(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url)], { env, stdio: "inherit" });
    process.exitCode = inside.status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function play() {
  const stage = await openStage({ network: "names" });
  const { host, sim, step } = stage;
  const phone = sim.phone(OWNER);
  after(() => stage.close());
  let bot;

  step("real names: a login, a text and a picture, with no address in the config and no proxy", async () => {
    await stage.install();
    ({ bot } = await stage.login());
    await stage.startGateway(bot);
    await converse(phone, bot, "hello by name");
    const mark = await phone.mark();
    await phone.sendImage(PICTURE, bot);
    await phone.waitFor(/^reply \d+:/, mark);
  });

  step("real names: the name is gone for a while; status says so, and the account recovers by itself", async () => {
    const { addresses } = await sim.network();
    const mark = await phone.mark();
    await sim.admin("network/addresses", { method: "PUT", body: [] });
    await sim.cutConnections();
    await sim.waitForPoll(bot, { polling: false });
    await phone.send("who resolves this?", bot);
    assert.match(await host.run("channels", "status", "--probe"), /the name ilinkai\.weixin\.qq\.com was not found/);
    await phone.send("written meanwhile", bot);
    await sim.admin("network/addresses", { method: "PUT", body: addresses });
    await phone.waitFor(/written meanwhile/, mark);
    const texts = await phone.texts(mark);
    for (const asked of ["who resolves this?", "written meanwhile"]) {
      assert.equal(texts.filter((text) => text.includes(asked)).length, 1, JSON.stringify(texts));
    }
  });

  step("real names: the first of several addresses refuses connections", async () => {
    await sim.admin("network/addresses", { method: "PUT", body: ["127.0.0.2", "::1", "127.0.0.1"] });
    await sim.cutConnections();
    await converse(phone, bot, "by the last address");
    assert.deepEqual(await sim.deviations(), []);
  });
}

if (process.env.E2E_INSIDE) await play();
else enter();
