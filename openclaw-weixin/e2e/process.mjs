// Child processes of the harness: started, watched line by line, ended by their own pid.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

const TAIL = 200;

/** A running program with its output as lines. */
export class Program {
  /** @param {string} name for messages */
  constructor(name, command, args, options = {}) {
    this.name = name;
    this.lines = [];
    this.watchers = new Set();
    this.child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
    // A program that ends while we still write to it is no error of ours.
    this.child.stdin.on("error", () => {});
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.#take(line));
    }
    this.exited = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", (code, signal) => {
        this.ended = { code, signal };
        for (const watcher of [...this.watchers]) watcher.end();
        resolve(this.ended);
      });
    });
    this.exited.catch(() => {});
  }

  #take(line) {
    this.lines.push(line);
    for (const watcher of [...this.watchers]) watcher.line(line);
  }

  /** The first line, from `from` on, that matches; fails at the deadline or when the program ends first. */
  waitForLine(pattern, { ms = 60_000, from = 0 } = {}) {
    const early = this.lines.slice(from).find((line) => pattern.test(line));
    if (early !== undefined) return Promise.resolve(early);
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${this.name}: ${why} before ${pattern}\n${this.tail()}`));
      const settle = (settled) => {
        this.watchers.delete(watcher);
        clearTimeout(timer);
        settled();
      };
      const timer = setTimeout(() => settle(() => fail(`${ms} ms passed`)), ms);
      const watcher = {
        line: (line) => pattern.test(line) && settle(() => resolve(line)),
        end: () => settle(() => fail(`ended with ${JSON.stringify(this.ended)}`)),
      };
      if (this.ended) settle(() => fail("had ended"));
      else this.watchers.add(watcher);
    });
  }

  /** `promise`, unless the program ends first: then its last lines say why. */
  during(promise) {
    const ended = this.exited.then((how) => {
      throw new Error(`${this.name} ended early with ${JSON.stringify(how)}\n${this.tail()}`);
    });
    return Promise.race([promise, ended]);
  }

  /** Ends the program with `signal` and tells how long that took; SIGKILL at the deadline. */
  async stop(signal = "SIGTERM", ms = 20_000) {
    const start = Date.now();
    if (!this.ended) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill("SIGKILL"), ms);
    const ended = await this.exited;
    clearTimeout(timer);
    return { ...ended, ms: Date.now() - start };
  }

  tail(count = 40) {
    return this.lines.slice(-Math.min(count, TAIL)).map((line) => `  | ${line}`).join("\n");
  }
}

/** A port that was free a moment ago; for programs that cannot choose one themselves. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Living processes whose environment mentions `marker`: whatever our programs have started, and left. */
export function processesWith(marker) {
  const found = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    try {
      if (!readFileSync(`/proc/${pid}/environ`, "utf8").includes(marker)) continue;
      found.push(`${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()}`);
    } catch {
      // Ended while we looked, or not ours to read.
    }
  }
  return found;
}
