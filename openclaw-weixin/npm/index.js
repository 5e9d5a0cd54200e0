// The entry that OpenClaw loads. The host evaluates a fresh copy per generation and registration mode, so
// nothing happens here beyond registering: the addon is loaded when an account starts or a login begins.
import { createChannel } from "./channel.js";
import { CHANNEL_ID } from "./accounts.js";
import { judgeHost } from "./host.js";

export default {
  id: CHANNEL_ID,
  name: "WeChat",
  description: "WeChat (Weixin) direct messages, logged in by QR code.",
  configSchema: { jsonSchema: { type: "object", additionalProperties: false, properties: {} } },
  register(api) {
    const { refuse } = judgeHost(api.runtime?.version);
    // The host shows this as the plugin's error and goes on without it.
    if (refuse) throw new Error(refuse);
    api.registerChannel({ plugin: createChannel(api) });
  },
};
