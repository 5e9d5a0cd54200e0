// Tencent's own plugin, unpatched, on a real OpenClaw: it reaches the simulator with the hosts that are compiled in, over
// TLS, through the proxy. So what this network does to a client is what it does to the reference, too.
// `cargo xtask fixtures reach` runs it; it comes from the registry, so ci leaves it out.
import assert from "node:assert/strict";
import { after } from "node:test";

import { CHANNEL } from "./host.mjs";
import { OWNER, converse, openStage } from "./stage.mjs";

const { E2E_OFFICIAL } = process.env;

const stage = await openStage({ purpose: "reach" });
const { host, sim } = stage;
after(() => stage.close());

stage.step(`the official plugin ${E2E_OFFICIAL}: login, a text and its answer, over TLS`, async () => {
  // Node.js looks at proxies only where it is told to.
  Object.assign(host.networkEnv, { NODE_USE_ENV_PROXY: "1" });
  await stage.install(`@tencent-weixin/openclaw-weixin@${E2E_OFFICIAL}`);
  const login = host.start("channels", "login", "--channel", CHANNEL);
  const code = await login.during(sim.phone(OWNER).scan());
  const bot = await code.confirm();
  assert.equal((await login.exited).code, 0, login.tail());
  assert.equal(bot.base_url, "https://ilinkai.weixin.qq.com");
  await stage.startGateway(bot);
  await converse(sim.phone(OWNER), bot, "hello from the reference");
  assert.deepEqual(await sim.deviations(), []);
  const { connections } = await sim.network();
  console.log(`${connections} connections to the real names`);
  assert.ok(connections > 0);
});
