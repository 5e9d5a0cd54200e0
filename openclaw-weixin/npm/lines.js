// Lines of a terminal or a pipe, one at a time. Lines that are already waiting are kept for the next call:
// a pipe delivers several in one chunk.
import { createInterface } from "node:readline";

/**
 * Does not touch the input before the first `next()`, so a login that needs no digits leaves it alone.
 *
 * @returns {{ next(): Promise<string | undefined>, close(): void }} `undefined` at the end of the input
 */
export function createLineReader(input) {
  const waiting = [];
  const askers = [];
  let reader;
  let ended = false;

  function start() {
    reader = createInterface({ input, terminal: false });
    reader.on("line", (line) => {
      const ask = askers.shift();
      if (ask) ask(line);
      else waiting.push(line);
    });
    reader.on("close", () => {
      ended = true;
      for (const ask of askers.splice(0)) ask(undefined);
    });
  }

  return {
    next() {
      if (!reader) start();
      if (waiting.length > 0) return Promise.resolve(waiting.shift());
      if (ended) return Promise.resolve(undefined);
      return new Promise((resolve) => askers.push(resolve));
    },
    close() {
      reader?.close();
      // A paused but referenced stdin would keep the process alive.
      if (reader) input.unref?.();
    },
  };
}
