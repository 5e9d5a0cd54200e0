// `cargo xtask demo --openclaw`: a real gateway with our plugin, and the simulator's phone in the browser.
import { OWNER, openStage } from "./stage.mjs";

const { DEMO_MODEL_URL, DEMO_MODEL, OPENAI_API_KEY } = process.env;

/** Which model of an OpenAI-compatible server to use; found out before anything is installed. */
async function findModel(url) {
  const headers = OPENAI_API_KEY ? { authorization: `Bearer ${OPENAI_API_KEY}` } : {};
  const response = await fetch(`${url.replace(/\/$/, "")}/models`, { headers }).catch((error) => {
    const why = error.cause?.code ?? error.cause?.message ?? error.message;
    throw new Error(`there is no model server at ${url} (${why}); --model-url wants its base URL, which mostly ends in /v1.`);
  });
  if (response.status === 401 || response.status === 403) {
    throw new Error(`${url} refuses the key in OPENAI_API_KEY (HTTP ${response.status}); set another one.`);
  }
  if (DEMO_MODEL) return DEMO_MODEL;
  const listed = await response.json().catch(() => ({}));
  const first = listed.data?.[0]?.id;
  if (!first) throw new Error(`${url} does not list its models (HTTP ${response.status}); name one with --model.`);
  return first;
}

async function play(stage) {
  const { host, sim } = stage;
  console.log(`OpenClaw ${host.traits.version} is being set up; this takes a minute or two.`);
  await stage.install();
  console.log("The plugin is installed; logging in.");
  const { bot } = await stage.login();
  console.log("Logged in; the gateway is starting.");
  await stage.startGateway(bot);
  console.log(`\nThe phone: ${sim.url}/phone?user=${encodeURIComponent(OWNER)}#token=${sim.token}`);
  console.log(`It has scanned the bot's code: write to it.${DEMO_MODEL_URL ? "" : " The model is a stub that repeats what you write."}`);
  console.log("Ctrl-C ends everything.");
  const { code, signal } = await host.gateway.exited;
  throw new Error(`the gateway has ended with ${code ?? signal}:\n${host.gateway.tail()}`);
}

let stage;
let over = false;
const interrupted = new Promise((resolve) => {
  const end = () => {
    over = true;
    resolve();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, end);
});
try {
  const realModel = DEMO_MODEL_URL && {
    modelUrl: DEMO_MODEL_URL,
    model: await findModel(DEMO_MODEL_URL),
    // The host reads it from its environment, so it is in no file.
    apiKey: OPENAI_API_KEY ? "${OPENAI_API_KEY}" : undefined,
  };
  if (realModel) console.log(`The model is ${realModel.model} of ${DEMO_MODEL_URL}.`);
  stage = await openStage({ purpose: "demo", realModel });
  if (OPENAI_API_KEY) Object.assign(stage.host.env, { OPENAI_API_KEY });
  const playing = play(stage).catch((error) => {
    // What is interrupted fails, too.
    if (!over) throw error;
  });
  await Promise.race([interrupted, playing]);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
} finally {
  await stage?.close();
}
