// A JSON array of texts from stdin through the official plugin's own Markdown filter, each as a whole.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const file = path.join(process.argv[2], "dist/src/messaging/markdown-filter.js");
const { StreamingMarkdownFilter } = await import(pathToFileURL(file).href);
const texts = JSON.parse(fs.readFileSync(0, "utf8"));
const filtered = texts.map((text) => {
  const filter = new StreamingMarkdownFilter();
  return filter.feed(text) + filter.flush();
});
process.stdout.write(JSON.stringify(filtered));
