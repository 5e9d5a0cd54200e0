// The official plugin's own quote store on the state folder of OPENCLAW_STATE_DIR: what it finds of ours, after it has
// written a message of its own and cleaned up. Arguments: the plugin's folder, account, user, our id, its id.
import fs from "node:fs";
import { registerHooks } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

// All it wants of the host is a folder for its log.
const log = JSON.stringify(process.env.OPENCLAW_STATE_DIR);
const host = `data:text/javascript,export const resolvePreferredOpenClawTmpDir = () => ${encodeURIComponent(log)};`;
registerHooks({
  resolve: (name, context, next) =>
    name.startsWith("openclaw/") ? { url: host, shortCircuit: true } : next(name, context),
});

const [plugin, accountId, conversationId, ours, messageId] = process.argv.slice(2);
const file = path.join(plugin, "dist/src/messaging/quote-store.js");
const { QuoteStore, resolveQuoteCachePolicy, resolveQuoteMediaSubdir } = await import(pathToFileURL(file).href);
const store = await QuoteStore.open({ policy: resolveQuoteCachePolicy({ channels: {} }) });
const folder = path.join(process.env.OPENCLAW_STATE_DIR, "media", resolveQuoteMediaSubdir(accountId));
fs.mkdirSync(folder, { recursive: true });
const sourceMediaPath = path.join(folder, "theirs.png");
fs.writeFileSync(sourceMediaPath, "theirs");
const media = { sourceMediaPath, mediaMime: "image/png", mediaName: "theirs.png" };
await store.put({ accountId, conversationId, messageId, direction: "inbound", body: "theirs", createdAt: Date.now(), ...media });
store.runGc();
const found = store.find(accountId, conversationId, ours);
found.mediaBytes = fs.readFileSync(found.mediaPath, "utf8");
console.log(JSON.stringify(found));
process.exit(0);
