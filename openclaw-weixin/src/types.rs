//! The declarations of the message port for JavaScript, `npm/messages.d.ts`: made from the Rust types, and checked.

use std::fmt::Write as _;

use ts_rs::{Config, TS};

use crate::log::Line;
use crate::messages::{
    AccountRef, AccountStart, Block, Connection, DeliveryNack, DeliveryRef, Event, Fetched, Init, LoginRef,
    LoginStarted, LoginStep, LoginVerify, MediaFetch, MediaSource, Message, Outcome, Outgoing, Probe, Qr,
    QuoteCache, QuotedMessage, Recipient, Sent, Severity, Status, ToolSign, TurnEnd, Typing,
};

/// Method, parameters, answer. The test below compares the names with those that `service.rs` answers.
const METHODS: &[(&str, &str, &str)] = &[
    ("init", "Init", "null"),
    ("login.start", "Connection", "LoginStarted"),
    ("login.next", "LoginRef", "LoginStep"),
    ("login.verify", "LoginVerify", "null"),
    ("login.cancel", "LoginRef", "null"),
    ("account.start", "AccountStart", "null"),
    ("account.stop", "AccountRef", "null"),
    ("account.status", "AccountRef", "Status"),
    ("account.probe", "AccountStart", "Probe"),
    ("account.logout", "AccountRef", "null"),
    ("account.infer", "Recipient", "string"),
    ("inbound.ack", "DeliveryRef", "null"),
    ("inbound.dismiss", "DeliveryRef", "null"),
    ("inbound.nack", "DeliveryNack", "null"),
    ("inbound.media", "MediaFetch", "Array<Fetched>"),
    ("send", "Outgoing", "Sent"),
    ("turn.block", "Block", "Sent"),
    ("turn.tool", "ToolSign", "boolean"),
    ("turn.end", "TurnEnd", "Sent"),
    ("debug.status", "AccountRef", "boolean"),
    ("debug.toggle", "AccountRef", "boolean"),
    ("typing", "Typing", "null"),
];

/// The port itself, whose JSON the rest is.
const PORT: &str = r"}

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
";

fn declarations() -> String {
    // Times and counts are far below 2^53.
    let config = Config::new().with_large_int("number");
    let mut text = String::from(
        "// Made from openclaw-weixin/src/messages.rs by `cargo test -p openclaw-weixin`; do not edit.\n",
    );
    macro_rules! declare {
        ($($name:ident),*) => {$(
            text.push_str("\n");
            if let Some(docs) = $name::docs() {
                text.push_str(&docs);
            }
            text.push_str("export ");
            text.push_str(&$name::decl(&config));
            text.push_str("\n");
        )*};
    }
    declare!(
        QuotedMessage,
        Init,
        QuoteCache,
        Severity,
        Connection,
        LoginRef,
        LoginVerify,
        LoginStarted,
        Qr,
        LoginStep,
        AccountStart,
        AccountRef,
        Status,
        Probe,
        DeliveryRef,
        DeliveryNack,
        MediaFetch,
        Fetched,
        Recipient,
        Outgoing,
        MediaSource,
        Block,
        ToolSign,
        TurnEnd,
        Sent,
        Outcome,
        Typing,
        Message,
        Event,
        Line
    );
    text.push_str("\n/** What `call` takes and answers. */\nexport interface Methods {\n");
    for (method, params, answer) in METHODS {
        writeln!(text, "  \"{method}\": {{ params: {params}; answer: {answer} }};").unwrap();
    }
    text.push_str(PORT);
    text
}

#[test]
fn the_declarations_are_those_of_the_rust_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/npm/messages.d.ts");
    let wanted = declarations();
    if std::env::var_os("WEIXIN_WRITE_TYPES").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == wanted,
        "npm/messages.d.ts is out of date: run WEIXIN_WRITE_TYPES=1 cargo test -p openclaw-weixin\n{wanted}"
    );
}

#[test]
fn every_method_is_declared() {
    let service = include_str!("service.rs");
    let mut answered: Vec<&str> = service
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix('"')?.split_once("\" => call.answer(").map(|(name, _)| name)
        })
        .collect();
    answered.push("init");
    answered.sort_unstable();
    let mut declared: Vec<&str> = METHODS.iter().map(|(name, _, _)| *name).collect();
    declared.sort_unstable();
    assert_eq!(answered, declared);
}
