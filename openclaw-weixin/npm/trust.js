// Which certificates the addon trusts: those that Node.js does, since containers without a CA store exist.
import { readFileSync } from "node:fs";
import tls from "node:tls";

/**
 * Node's certificates, those of NODE_EXTRA_CA_CERTS included; undefined leaves the choice to the addon, which takes the
 * machine's, else those it brings.
 *
 * @param {object} options
 * @param {{ warn: (text: string) => void }} options.log
 * @param {{ getCACertificates?: (type: "default") => string[], rootCertificates: readonly string[] }} [options.node]
 * @param {Record<string, string | undefined>} [options.env]
 * @returns {string[] | undefined}
 */
export function trustedRoots({ log, node = tls, env = process.env }) {
  if (node.getCACertificates) return node.getCACertificates("default");
  // Node.js before 22.15 does not say what it trusts.
  const file = env.NODE_EXTRA_CA_CERTS;
  if (!file) return undefined;
  try {
    return [...node.rootCertificates, readFileSync(file, "utf8")];
  } catch (error) {
    log.warn(`openclaw-weixin: NODE_EXTRA_CA_CERTS is passed by: ${error.message}`);
    return undefined;
  }
}
