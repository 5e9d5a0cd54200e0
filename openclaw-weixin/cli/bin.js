#!/usr/bin/env node
// `openclaw-weixin-cli install`: see README.md.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

import { HELP, install, parseArguments } from "./installer.js";

/**
 * Runs a program to its end. Without a terminal of its own (`show` unset) its output is returned, not shown: what it
 * answers, and all that it says.
 *
 * @returns {Promise<{ code: number | null, answer: string, output: string, missing: boolean }>}
 */
function run(command, args, { show = false } = {}) {
  return new Promise((resolve) => {
    // Windows finds `openclaw.cmd` only through its shell; all arguments are ours.
    const shell = process.platform === "win32";
    const child = spawn(command, args, { stdio: show ? "inherit" : ["ignore", "pipe", "pipe"], shell });
    let [answer, output] = ["", ""];
    child.stdout?.setEncoding("utf8").on("data", (text) => (answer += text));
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", (/** @type {NodeJS.ErrnoException} */ error) => resolve({ code: null, answer, output: error.message, missing: error.code === "ENOENT" }));
    child.on("close", (code) => resolve({ code, answer, output, missing: false }));
  });
}

const options = parseArguments(process.argv.slice(2));
if (options.help) {
  console.log(options.problem ? `${options.problem}\n\n${HELP}` : HELP);
  process.exitCode = options.problem ? 2 : 0;
} else {
  const { openclawWeixin } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
  const done = await install({ ...openclawWeixin, options, run, print: (line) => console.log(line) });
  process.exitCode = done ? 0 : 1;
}
