// Media between WeChat and the host: files that the addon has fetched go into the host's media store, and what the
// host sends comes from its store, its workspaces, or a URL.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** What a phone sends is smaller; what is larger is a mistake or an attack. */
const MAX_BYTES = 100 * 1024 * 1024;

/**
 * Fetches the media of a message into the host's media store. A piece that cannot be had is left out, and said.
 *
 * @param {object} delivery
 * @param {import("./messages.d.ts").Port} delivery.port
 * @param {string} delivery.accountId
 * @param {string} delivery.deliveryId
 * @param {{ saveMediaBuffer: Function }} delivery.store `channelRuntime.media`
 * @param {{ warn: (line: string) => void }} delivery.log
 * @returns {Promise<{ path: string, contentType: string }[]>}
 */
export async function saveInboundMedia({ port, accountId, deliveryId, store, log }) {
  const folder = await mkdtemp(path.join(tmpdir(), "weixin-inbound-"));
  try {
    const fetched = await port.call("inbound.media", { accountId, deliveryId, folder, maxSize: MAX_BYTES });
    const saved = [];
    for (const piece of fetched) {
      try {
        if (piece.outcome === "failed") throw new Error(piece.error);
        // Beside the gateway's own thread: a large file takes a while.
        const bytes = await readFile(piece.path);
        const kept = await store.saveMediaBuffer(bytes, piece.mime, "inbound", MAX_BYTES, piece.name);
        saved.push({ path: kept.path, contentType: kept.contentType ?? piece.mime });
      } catch (error) {
        log.warn(`[${accountId}] media of a message is left out: ${error?.message ?? error}`);
      }
    }
    return saved;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The fields for media in the host's message context: the ones of old hosts, and those of hosts since 2026.9. */
export function mediaContext(media) {
  if (media.length === 0) return {};
  const paths = media.map((piece) => piece.path);
  const types = media.map((piece) => piece.contentType);
  return {
    MediaPath: paths[0],
    MediaType: types[0],
    MediaUrl: paths[0],
    MediaPaths: paths,
    MediaTypes: types,
    MediaUrls: paths,
    media: media.map(({ path: file, contentType }) => ({ path: file, url: file, contentType })),
  };
}

/**
 * What to send for a URL or path that the host names: `{ url }`, or `{ path, roots }`. A file must lie below one of
 * `roots`, whatever links lead to it: an agent can be talked into naming any. The addon opens it there, and what it has
 * opened is what it sends; a path that was looked at here could lead elsewhere by then.
 *
 * @param {string} named
 * @param {readonly string[]} roots
 * @returns {{ url: string } | { path: string, roots: string[] }}
 */
export function outboundSource(named, roots) {
  if (/^https?:\/\//i.test(named)) return { url: named };
  let file = named;
  if (/^file:/i.test(named)) file = fileURLToPath(named);
  else if (/^[a-z][a-z0-9+.-]+:/i.test(named)) throw new Error(`${named.split(":")[0]}: links cannot be sent; use a path, file://, http:// or https://.`);
  return { path: file, roots: roots.map((root) => path.resolve(root)) };
}
