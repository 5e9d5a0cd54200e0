// Made from openclaw-weixin/src/messages.rs by `cargo test -p openclaw-weixin`; do not edit.

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
roots?: Array<string>, };

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
retry: boolean, } | { "event": "refreshed", qr: Qr, } | { "event": "redirected", host: string, } | { "event": "alreadyBound" } | { "event": "confirmed", accountId: string, } | { "event": "failed", code: string, message: string, };

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
pending: number, };

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
 * `inbound.ack`.
 */
export type DeliveryRef = { accountId: string, deliveryId: string, };

/**
 * `inbound.fail`.
 */
export type DeliveryFail = { accountId: string, deliveryId: string, reason: string, };

/**
 * `send.text`.
 */
export type SendText = { accountId: string, to: string, text: string, 
/**
 * One per agent run.
 */
runId?: string, };

/**
 * What `send.text` answers.
 */
export type Sent = { outcome: Outcome, 
/**
 * Of the last part, where the server names it. A string: JavaScript's numbers cannot hold it.
 */
messageId?: string, };

/**
 * Whether the server has named the message.
 */
export type Outcome = "accepted" | "unconfirmed";

/**
 * `typing`.
 */
export type Typing = { accountId: string, to: string, on: boolean, };

/**
 * A message from a phone.
 */
export type Message = { messageId: string, from: string, to: string, text: string, timestampMs: number | null, };

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
  "inbound.ack": { params: DeliveryRef; answer: null };
  "inbound.fail": { params: DeliveryFail; answer: null };
  "send.text": { params: SendText; answer: Sent };
  "debug.status": { params: AccountRef; answer: boolean };
  "debug.toggle": { params: AccountRef; answer: boolean };
  "typing": { params: Typing; answer: null };
}

/** What a failed call rejects with. */
export type Failure = Error & { code: string };

/** The addon's class; the JSON of `call` is that of `Methods`. */
export interface Host {
  call(method: string, params: string): Promise<string>;
  close(): Promise<void>;
}

/** The port as the plugin uses it. */
export interface Port {
  call<M extends keyof Methods>(method: M, params: Methods[M]['params']): Promise<Methods[M]['answer']>;
  release(): Promise<void>;
}
