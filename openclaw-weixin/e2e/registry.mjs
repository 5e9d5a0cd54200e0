// An npm registry of our own on loopback, with our packages in it.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

import { Program, freePort } from "./process.mjs";

const execute = promisify(execFile);

/**
 * Starts verdaccio on a free port.
 *
 * @param {object} options
 * @param {string} options.node
 * @param {string} options.verdaccio its script
 * @param {string} options.folder where it keeps its packages
 */
export async function startRegistry({ node, verdaccio, folder }) {
  mkdirSync(folder, { recursive: true });
  const config = path.join(folder, "config.yaml");
  writeFileSync(
    config,
    [
      `storage: ${path.join(folder, "storage")}`,
      "auth: { htpasswd: { file: ./htpasswd, max_users: 1 } }",
      "uplinks: {}",
      "packages: { '**': { access: $all, publish: $authenticated, unpublish: $authenticated } }",
      "max_body_size: 100mb",
      "log: { type: stdout, format: pretty, level: warn }",
      "",
    ].join("\n"),
  );
  const url = `http://127.0.0.1:${await freePort()}/`;
  const program = new Program("verdaccio", node, [verdaccio, "--config", config, "--listen", url.slice(7, -1)], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder },
  });
  await program.during(answering(url));
  const token = await register(url);
  const npmrc = path.join(folder, "npmrc");
  writeFileSync(npmrc, `registry=${url}\n//${url.slice(7)}:_authToken=${token}\n`);
  const env = { npm_config_registry: url, npm_config_userconfig: npmrc };
  return {
    url,
    /** What npm needs in its environment to use this registry. */
    env,
    /** Publishes a package folder, as another version if one is given. */
    async publish(source, version) {
      const copy = path.join(folder, "publish", `${path.basename(source)}-${version ?? "own"}`);
      cpSync(source, copy, { recursive: true });
      if (version) setVersion(path.join(copy, "package.json"), version);
      const PATH = `${path.dirname(node)}${path.delimiter}${process.env.PATH}`;
      await execute("npm", ["publish", "--loglevel=error"], { cwd: copy, env: { ...process.env, ...env, PATH } });
    },
    close: () => program.stop("SIGTERM"),
  };
}

/** A version of the package and of the addons that it names. */
function setVersion(file, version) {
  const description = JSON.parse(readFileSync(file, "utf8"));
  description.version = version;
  for (const name of Object.keys(description.optionalDependencies ?? {})) {
    description.optionalDependencies[name] = version;
  }
  writeFileSync(file, JSON.stringify(description, null, 2));
}

async function answering(url) {
  for (const deadline = Date.now() + 60_000; ; ) {
    try {
      if ((await fetch(`${url}-/ping`)).ok) return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** npm publishes only with a token, so a user is made. */
async function register(url) {
  const response = await fetch(`${url}-/user/org.couchdb.user:tester`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "tester", password: "only on loopback" }),
  });
  const answer = await response.json();
  if (!answer.token) throw new Error(`verdaccio gave no token: ${JSON.stringify(answer)}`);
  return answer.token;
}
