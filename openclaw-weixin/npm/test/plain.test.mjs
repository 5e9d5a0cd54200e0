import assert from "node:assert/strict";
import { test } from "node:test";

import { plain, plainError, plainLog, reasonOf } from "../plain.js";
import { fakeLog } from "./fakes.mjs";

const HOSTILE = [
  ["\u001b[31mred\u0007", "\\u{1b}[31mred\\u{7}"],
  ["\u001b]8;;http://x\u001b\\link", "\\u{1b}]8;;http://x\\u{1b}\\link"],
  ["\u009b2J\u0085\u007f\0", "\\u{9b}2J\\u{85}\\u{7f}\\u{0}"],
  ["a\r\nERROR forged\tb", "a\\r\\nERROR forged\\tb"],
  ["a\u2028b\u2029c", "a\\u{2028}b\\u{2029}c"],
  ["\u202etxt.exe\u2066", "\\u{202e}txt.exe\\u{2066}"],
  ["\u200b\ufeff\u{e0041}", "\\u{200b}\\u{feff}\\u{e0041}"],
  ["\ud800x", "\\u{d800}x"],
];

test("what does something to a terminal or a log is escaped, once", () => {
  for (const [text, shown] of HOSTILE) {
    assert.equal(plain(text), shown);
    assert.equal(plain(shown), shown, "twice");
  }
  const fine = "你好 می\u200cخواهم 👩\u200d🚀 C:\\a";
  assert.equal(plain(fine), fine);
  assert.equal(plain(undefined), "");
});

test("what is too long is cut, and said", () => {
  for (const text of ["\u001b".repeat(20 << 20), "语".repeat(1001), "\n".repeat(999), "👩".repeat(501)]) {
    const once = plain(text);
    assert.ok(once.length <= 1000, `${once.length}`);
    assert.match(once, new RegExp(`… \\[${text.length} characters\\]$`));
    assert.equal(plain(once), once, "twice");
  }
  assert.equal(plain("语".repeat(1000)), "语".repeat(1000));
  assert.ok(plain("x".repeat(500), 100).length <= 100);
});

test("a log line stays one line, at each level that the host has", () => {
  const host = fakeLog();
  const log = plainLog(host);
  for (const level of ["debug", "info", "warn", "error"]) log[level]("a\r\n[gateway] forged \u001b[2J");
  assert.equal(host.lines.length, 4);
  for (const line of host.lines) assert.match(line, /^[a-z]+: a\\r\\n\[gateway\] forged \\u\{1b\}\[2J$/);
  assert.equal(plainLog({ info() {} }).debug, undefined, "some hosts have no debug");
});

test("errors keep their code; what is thrown beside errors becomes one", () => {
  const hostile = Object.assign(new Error("no\r\n\u001b[2J"), { code: "rejected" });
  const shown = plainError(hostile);
  assert.deepEqual([shown.message, shown.code], ["no\\r\\n\\u{1b}[2J", "rejected"]);
  assert.ok(!shown.stack.includes("\u001b"));
  const fine = new Error("fine");
  assert.equal(plainError(fine), fine);
  assert.equal(plainError(undefined, "failed without a reason").message, "failed without a reason");
  assert.equal(reasonOf("\u001bx"), "\\u{1b}x");
});
