// A plugin as others write them: it looks at what leaves, changes it, and holds some of it back.
import { appendFileSync } from "node:fs";

export default {
  id: "hooks-probe",
  name: "Hooks probe",
  configSchema: { jsonSchema: { type: "object", additionalProperties: false, properties: {} } },
  register(api) {
    api.on("message_sending", ({ content }) => {
      if (content.includes("hold this back")) return { cancel: true };
      return content.includes("change this") ? { content: content.replace("change this", "changed") } : undefined;
    });
    api.on("message_sent", ({ to, content, success, error, messageId }) => {
      const line = JSON.stringify({ to, content, success, error, messageId });
      appendFileSync(process.env.HOOKS_PROBE_FILE, `${line}\n`);
    });
  },
};
