// The official plugin's own upload and download, measured as the others are: seconds, and KiB above baseline.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [plugin, what, mib, url, folder, key] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(path.join(plugin, "dist/src/cdn", file)).href);
const { uploadFileAttachmentToWeixin } = await load("upload.js");
const { downloadAndDecryptBuffer } = await load("pic-decrypt.js");

const cdnBaseUrl = `${url}/c2c`;
const upload = (name) =>
  uploadFileAttachmentToWeixin({
    filePath: path.join(folder, `${name}.bin`),
    toUserId: "o9cq80SimOwner0001@im.wechat",
    opts: { baseUrl: url, token: "token" },
    cdnBaseUrl,
  });
const download = async (size) => {
  const bytes = await downloadAndDecryptBuffer(String(size), key, cdnBaseUrl, "bench");
  if (bytes.length !== size) throw new Error(`${bytes.length} instead of ${size} bytes`);
};
const status = (name) =>
  Number(fs.readFileSync("/proc/self/status", "utf8").match(new RegExp(`${name}:\\s+(\\d+)`))[1]);

await upload(0);
await download(1024);
fs.writeFileSync("/proc/self/clear_refs", "5");
const before = status("VmRSS");
const start = process.hrtime.bigint();
await (what === "upload" ? upload(mib) : download(Number(mib) * 2 ** 20));
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
console.log(`${seconds} ${status("VmHWM") - before}`);
process.exit(0);
