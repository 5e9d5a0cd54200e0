import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { pathToFileURL } from "node:url";

import { buildContext } from "../turn.js";
import { mediaContext, outboundSource, saveInboundMedia } from "../media.js";
import { fakeLog, fakePort } from "./fakes.mjs";

let folder;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "weixin-media-"))));
afterEach(() => rmSync(folder, { recursive: true }));

// Which files may be sent, the addon decides where it opens them: ../../tests/files.test.mjs.
test("a file is named with the folders that it may lie in, a URL is passed on", () => {
  const root = path.join(folder, "root");
  const file = path.join(root, "a.png");
  assert.deepEqual(outboundSource(file, [root]), { path: file, roots: [root] });
  assert.deepEqual(outboundSource("a.png", [root, folder]), { path: "a.png", roots: [root, folder] });
  assert.deepEqual(outboundSource(pathToFileURL(file).href, []), { path: file, roots: [] });
  assert.throws(() => outboundSource("data:text/plain,hi", [root]), /data: links cannot be sent/);
  assert.deepEqual(outboundSource("HTTPS://x/a.png", []), { url: "HTTPS://x/a.png" });
});

test("what the addon fetched goes into the host's store; what it could not is left out and logged", async () => {
  const log = fakeLog();
  let used;
  const port = fakePort({
    "inbound.media": (params) => {
      used = params.folder;
      const file = path.join(used, "0.png");
      writeFileSync(file, "bytes");
      return [
        { outcome: "file", path: file, mime: "image/png", name: "cat.png" },
        { outcome: "failed", error: "HTTP 404" },
      ];
    },
  });
  const kept = [];
  const store = {
    saveMediaBuffer: async (buffer, mime, subdir, _max, name) => {
      kept.push([buffer.toString(), mime, subdir, name]);
      return { path: "/store/cat.png", contentType: mime };
    },
  };
  const saved = await saveInboundMedia({ port, accountId: "a", deliveryId: "1", store, log });
  assert.deepEqual(saved, [{ path: "/store/cat.png", contentType: "image/png" }]);
  assert.deepEqual(kept, [["bytes", "image/png", "inbound", "cat.png"]]);
  assert.match(log.lines.join(), /left out: HTTP 404/);
  assert.throws(() => readdirSync(used), { code: "ENOENT" });
});

test("old and new fields of the context hold the same media", () => {
  assert.deepEqual(mediaContext([]), {});
  const context = mediaContext([
    { path: "/1.png", contentType: "image/png" },
    { path: "/2.wav", contentType: "audio/wav" },
  ]);
  assert.deepEqual([context.MediaPath, context.MediaType, context.MediaPaths, context.MediaTypes], ["/1.png", "image/png", ["/1.png", "/2.wav"], ["image/png", "audio/wav"]]);
  assert.deepEqual(context.media.map((piece) => [piece.path, piece.contentType]), [["/1.png", "image/png"], ["/2.wav", "audio/wav"]]);
});

test("a quote is told to the host, the selected part of it where there is one", () => {
  const context = (quote) => buildContext({ from: "u", text: "t", quote }, { accountId: "a" }, {}, true);
  assert.equal(context(null).ReplyToBody, undefined);
  assert.deepEqual(
    [context({ messageId: "7", body: "whole", selected: null }).ReplyToBody, context({ messageId: "7", body: "whole", selected: null }).ReplyToId],
    ["whole", "7"],
  );
  assert.equal(context({ messageId: null, body: "whole", selected: "part" }).ReplyToBody, "part");
});

test("a file that takes its time does not hold up the gateway", { skip: process.platform === "win32" }, async () => {
  // A pipe is read to its end only once somebody has written to it: who waits for that on this thread waits for ever.
  const pipe = path.join(folder, "slow");
  execFileSync("mkfifo", [pipe]);
  const port = fakePort({
    "inbound.media": () => [{ outcome: "file", path: pipe, mime: "image/png", name: "cat.png" }],
  });
  const store = { saveMediaBuffer: async (buffer) => ({ path: buffer.toString() }) };
  const saving = saveInboundMedia({ port, accountId: "a", deliveryId: "1", store, log: fakeLog() });
  await writeFile(pipe, "at last");
  assert.deepEqual(await saving, [{ path: "at last", contentType: "image/png" }]);
});
