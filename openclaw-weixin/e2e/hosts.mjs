// What is different from host to host, as data: hosts.json.
import { readFileSync } from "node:fs";

/** All hosts of the matrix, oldest first. */
export const hosts = JSON.parse(readFileSync(new URL("hosts.json", import.meta.url), "utf8")).hosts;

/** The entry of one host. */
export function hostTraits(version) {
  const traits = hosts.find((host) => host.version === version);
  if (!traits) throw new Error(`OpenClaw ${version} is not in hosts.json`);
  return traits;
}
