// `cargo xtask demo --openclaw`: a real gateway with our plugin, and the simulator's phone in the browser.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { CHANNEL, Host } from "./host.mjs";
import { startModel } from "./model.mjs";
import { startSimulator } from "./sim.mjs";

const { E2E_NODE, E2E_HOST_INSTALL, E2E_HOST_VERSION, E2E_PACKAGE, E2E_SIMULATOR } = process.env;
const { DEMO_MODEL_URL, DEMO_MODEL, OPENAI_API_KEY } = process.env;
const OWNER = "o9cq80owner@im.wechat";

const folder = mkdtempSync(path.join(tmpdir(), "weixin-demo-"));
const sim = await startSimulator(E2E_SIMULATOR);
const model = DEMO_MODEL_URL ? undefined : await startModel();
const host = new Host({ node: E2E_NODE, install: E2E_HOST_INSTALL, version: E2E_HOST_VERSION, folder });

async function end() {
  await host.close();
  await model?.close();
  await sim.close();
  rmSync(folder, { recursive: true, force: true });
}
const interrupted = new Promise((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, resolve);
});

try {
  console.log(`OpenClaw ${E2E_HOST_VERSION} is being set up; this takes a minute.`);
  await host.configure(
    model ? { modelUrl: model.baseUrl } : { modelUrl: DEMO_MODEL_URL, model: DEMO_MODEL, apiKey: OPENAI_API_KEY },
  );
  await host.install(E2E_PACKAGE);
  await host.run("plugins", "enable", CHANNEL);
  await host.run("config", "set", `channels.${CHANNEL}.baseUrl`, sim.url);
  await host.run("config", "set", `channels.${CHANNEL}.cdnBaseUrl`, `${sim.url}/c2c`);
  const login = host.start("channels", "login", "--channel", CHANNEL);
  const code = await login.during(sim.phone(OWNER).scan());
  const bot = await code.confirm();
  await login.exited;
  await host.startGateway();
  await sim.waitForPoll(bot);
  console.log(`\nThe phone: ${sim.url}/phone (${OWNER} has scanned the code; write to the bot)`);
  console.log("Ctrl-C ends everything.");
  await interrupted;
} finally {
  await end();
}
