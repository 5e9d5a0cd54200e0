// `cargo xtask demo --openclaw`: a real gateway with our plugin, and the simulator's phone in the browser.
import { OWNER, openStage } from "./stage.mjs";

const { DEMO_MODEL_URL, DEMO_MODEL, OPENAI_API_KEY } = process.env;

const interrupted = new Promise((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, resolve);
});
const realModel = DEMO_MODEL_URL && { modelUrl: DEMO_MODEL_URL, model: DEMO_MODEL, apiKey: OPENAI_API_KEY };
const stage = await openStage({ purpose: "demo", realModel });
try {
  console.log(`OpenClaw ${stage.host.traits.version} is being set up; this takes a minute.`);
  await stage.install();
  const { bot } = await stage.login();
  await stage.startGateway(bot);
  console.log(`\nThe phone: ${stage.sim.url}/phone (${OWNER} has scanned the code; write to the bot)`);
  console.log("Ctrl-C ends everything.");
  await interrupted;
} finally {
  await stage.close();
}
