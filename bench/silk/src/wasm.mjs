// The best time, in milliseconds, in which silk-wasm decodes a file to 24 kHz, and its samples: FOLDER FILE RUNS.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, file, runs] = process.argv.slice(2);
const { decode } = createRequire(import.meta.url)(folder);
const bytes = new Uint8Array(readFileSync(file));
let best = Infinity;
let samples = 0;
for (let n = 0; n < Number(runs); n += 1) {
  const start = performance.now();
  samples = (await decode(bytes, 24000)).data.length / 2;
  best = Math.min(best, performance.now() - start);
}
console.log(best, samples);
