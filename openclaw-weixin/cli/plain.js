// Text of a server, a stranger or an agent, made fit for a terminal and for one line of a log. The addon does the same
// (weixin-channel's printable): to do it twice changes nothing.

/** Characters of an error or a log line. */
const LINE = 1000;

// Ends of lines, what steers a terminal, directions of writing, what has no width, tags, halves of a character; not U+200C
// and U+200D, which Persian and emoji are written with.
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\u180e\u200b\u2060-\u2065\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\ud800-\udfff]/gu;

const NAMED = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * On one line, and no longer than that.
 *
 * @param {unknown} value
 * @param {number} [most] characters
 */
export function plain(value, most = LINE) {
  const text = String(value ?? "");
  const shown = escape(text.slice(0, most));
  if (text.length <= most && shown.length <= most) return shown;
  const mark = `… [${text.length} characters]`;
  return escape(text.slice(0, most - mark.length)).slice(0, most - mark.length) + mark;
}

function escape(text) {
  return text.replace(UNSAFE, (character) => NAMED[character] ?? `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** An error's message, or whatever else was thrown. */
export function reasonOf(error, most = LINE) {
  return plain(error?.message ?? error, most);
}

/**
 * A logger that writes one line for each call, whatever is in it.
 *
 * @template {{ info?: Function, warn?: Function, error?: Function, debug?: Function }} Log
 * @param {Log} log
 * @returns {any}
 */
export function plainLog(log) {
  const levels = ["debug", "info", "warn", "error"].filter((level) => typeof log?.[level] === "function");
  return Object.fromEntries(levels.map((level) => [level, (message) => log[level](plain(message))]));
}

/** The same error, with a message that can be shown; what is no error becomes one. */
export function plainError(error, otherwise) {
  if (!(error instanceof Error)) return new Error(plain(otherwise ?? error));
  const message = plain(error.message);
  if (message === error.message) return error;
  // Not the old one: its stack begins with its message.
  return Object.assign(new Error(message), "code" in error ? { code: error.code } : {});
}
