// Made from openclaw-weixin/src/messages.rs by `cargo test -p openclaw-weixin`; do not edit.

/**
 * What a message quotes.
 */
export type QuotedMessage = { messageId: string | null, body: string, 
/**
 * The part that was selected, where only a part was quoted.
 */
selected: string | null, };

/**
 * `init`: before anything else.
 */
export type Init = { 
/**
 * OpenClaw's state folder.
 */
stateDir: string, 
/**
 * The least severe log events to send: `error`, `warn`, `info` or `debug`.
 */
logLevel?: Severity, 
/**
 * Trusted certificates, PEM; the bundled ones if empty.
 */
roots?: Array<string>, 
/**
 * Answers that may not be sent now wait for their user's next message.
 */
outbox?: boolean, 
/**
 * What one user has sent may be sent to others.
 */
shareReceivedMedia?: boolean, 
/**
 * What becomes of Markdown: `native`, `filtered` or `plain`.
 */
markdown?: string, 
/**
 * What is kept to know what a quote quotes.
 */
quotes?: QuoteCache, };

/**
 * The config's `quoteCache`; what is absent is the official plugin's default (protocol §7).
 */
export type QuoteCache = { enabled?: boolean, retentionDays?: number, maxMessagesPerAccount?: number, mediaRetentionDays?: number, maxMediaBytesPerAccount?: number, maxSingleMediaBytes?: number, };

/**
 * Severity of log events.
 */
export type Severity = "error" | "warn" | "info" | "debug";

/**
 * How to reach the server; what is absent is the server's default.
 */
export type Connection = { baseUrl?: string, cdnBaseUrl?: string, routeTag?: string, botAgent?: string, };

/**
 * `login.next` and `login.cancel`.
 */
export type LoginRef = { loginId: string, };

/**
 * `login.verify`.
 */
export type LoginVerify = { loginId: string, 
/**
 * The digits that the phone shows.
 */
code: string, };

/**
 * What `login.start` answers.
 */
export type LoginStarted = { loginId: string, qr: Qr, };

/**
 * A login code, ready to show.
 */
export type Qr = { url: string, 
/**
 * Drawn with block characters.
 */
terminal: string, pngDataUrl: string, };

/**
 * What `login.next` answers.
 */
export type LoginStep = { "event": "scanned" } | { "event": "verifyCodeNeeded", 
/**
 * The digits given before were wrong.
 */
retry: boolean, } | { "event": "refreshed", qr: Qr, } | { "event": "redirected", host: string, } | { "event": "alreadyBound" } | { "event": "confirmed", accountId: string, 
/**
 * Older accounts of the same user, which WeChat has unbound.
 */
replaced: Array<string>, 
/**
 * How many messages to those were not handled.
 */
unhandled: number, } | { "event": "failed", code: string, message: string, };

/**
 * `account.start`.
 */
export type AccountStart = { accountId: string, baseUrl?: string, cdnBaseUrl?: string, routeTag?: string, botAgent?: string, };

/**
 * `account.stop`, `account.status`, `account.logout`, `debug.status` and `debug.toggle`.
 */
export type AccountRef = { accountId: string, };

/**
 * How an account is doing; also what `account.status` answers.
 */
export type Status = { accountId: string, 
/**
 * `stopped`, `starting`, `online`, `backoff`, `stale` or `needs-login`.
 */
state: string, 
/**
 * The last error, until a poll succeeds again.
 */
detail: string | null, lastPollMs: number | null, lastInboundMs: number | null, lastOutboundMs: number | null, 
/**
 * Messages that are not acknowledged yet.
 */
pending: number, 
/**
 * Messages that were given up after several attempts.
 */
dead: number, 
/**
 * Sends that wait for their user's next message.
 */
outbox: number, 
/**
 * What is sent since is accepted without a name and perhaps never shown.
 */
suppressedSinceMs: number | null, 
/**
 * So much is the clock of this machine slow, at least.
 */
clockBehindMs: number | null, };

/**
 * What `account.probe` answers: the server's word of this moment, and the link's state.
 */
export type Probe = { 
/**
 * The server has answered, and knows the account's token.
 */
ok: boolean, 
/**
 * Why not: a stable code and a sentence.
 */
code?: string, error?: string, status: Status, };

/**
 * `inbound.ack` and `inbound.dismiss`.
 */
export type DeliveryRef = { accountId: string, deliveryId: string, };

/**
 * `inbound.nack`.
 */
export type DeliveryNack = { accountId: string, deliveryId: string, reason: string, };

/**
 * `inbound.media`: fetch what a message carries, once its sender is authorised.
 */
export type MediaFetch = { accountId: string, deliveryId: string, 
/**
 * Where to, an existing folder.
 */
folder: string, 
/**
 * Larger media is refused; bytes.
 */
maxSize: number, };

/**
 * One piece of media of a message, in the answer to `inbound.media`: a file, or why there is none.
 */
export type Fetched = { "outcome": "file", path: string, mime: string, name: string, } | { "outcome": "failed", error: string, };

/**
 * `account.infer`.
 */
export type Recipient = { to: string, };

/**
 * `send`: words, then media, as one answer.
 */
export type Outgoing = { accountId: string, to: string, 
/**
 * Goes first, as a text of its own.
 */
text?: string, media?: Array<MediaSource>, 
/**
 * One per agent run. Blocks of this run that still wait are put before the answer.
 */
runId?: string, };

/**
 * A file of this machine, or what a URL names; one of the two.
 */
export type MediaSource = { 
/**
 * Relative to one of the roots, or absolute and below one.
 */
path?: string, 
/**
 * The folders that the file may lie in, whatever links lead to it; without any, no file is sent.
 */
roots?: Array<string>, 
/**
 * https or http, never an address of a private network.
 */
url?: string, 
/**
 * Not as an image or video, whatever it is.
 */
asFile?: boolean, };

/**
 * `turn.block`: a part of an answer that is not finished.
 */
export type Block = { accountId: string, to: string, runId: string, text: string, };

/**
 * `turn.tool`: the sign that a tool works, or has worked.
 */
export type ToolSign = { accountId: string, to: string, runId: string, name: string, 
/**
 * The same at its start and its end.
 */
call: string, 
/**
 * How it ended: `completed`, `failed`, `blocked` or `unknown`; absent while it works.
 */
status?: string, };

/**
 * `turn.end`: nothing more comes of this run.
 */
export type TurnEnd = { accountId: string, runId: string, };

/**
 * What `send`, `turn.block` and `turn.end` answer.
 */
export type Sent = { outcome: Outcome, 
/**
 * Of the last part, where the server names it. A string: JavaScript's numbers cannot hold it.
 */
messageId?: string, 
/**
 * Why a file was left out of what was sent: the first that may not be, or cannot be.
 */
refused?: string, };

/**
 * What the server has made of it.
 */
export type Outcome = "accepted" | "unconfirmed" | "waiting";

/**
 * `typing`.
 */
export type Typing = { accountId: string, to: string, on: boolean, };

/**
 * A message from a phone.
 */
export type Message = { messageId: string, from: string, to: string, text: string, timestampMs: number | null, 
/**
 * How many pieces of media it has.
 */
media: number, quote: QuotedMessage | null, };

/**
 * Events that belong to an account; log lines have their own form (`log.rs`).
 */
export type Event = { "type": "inbound", accountId: string, deliveryId: string, message: Message, } | { "type": "status" } & Status;

export type Line = { type: string, level: string, message: string, };

/** What `call` takes and answers. */
export interface Methods {
  "init": { params: Init; answer: null };
  "login.start": { params: Connection; answer: LoginStarted };
  "login.next": { params: LoginRef; answer: LoginStep };
  "login.verify": { params: LoginVerify; answer: null };
  "login.cancel": { params: LoginRef; answer: null };
  "account.start": { params: AccountStart; answer: null };
  "account.stop": { params: AccountRef; answer: null };
  "account.status": { params: AccountRef; answer: Status };
  "account.probe": { params: AccountStart; answer: Probe };
  "account.logout": { params: AccountRef; answer: null };
  "account.infer": { params: Recipient; answer: string };
  "inbound.ack": { params: DeliveryRef; answer: null };
  "inbound.dismiss": { params: DeliveryRef; answer: null };
  "inbound.nack": { params: DeliveryNack; answer: null };
  "inbound.media": { params: MediaFetch; answer: Array<Fetched> };
  "send": { params: Outgoing; answer: Sent };
  "turn.block": { params: Block; answer: Sent };
  "turn.tool": { params: ToolSign; answer: boolean };
  "turn.end": { params: TurnEnd; answer: Sent };
  "debug.status": { params: AccountRef; answer: boolean };
  "debug.toggle": { params: AccountRef; answer: boolean };
  "typing": { params: Typing; answer: null };
}

/** What a failed call rejects with. */
export type Failure = Error & { code: string };

/** The addon's class; the JSON of `call` is that of `Methods`. */
export interface Addon {
  call(method: string, params: string): Promise<string>;
  close(): Promise<void>;
}

/** The port as the plugin uses it. */
export interface Port {
  call<M extends keyof Methods>(method: M, params: Methods[M]['params']): Promise<Methods[M]['answer']>;
  release(): Promise<void>;
}
