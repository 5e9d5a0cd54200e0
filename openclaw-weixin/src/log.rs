//! The libraries' tracing events, as log events for the host's logger.
//!
//! The subscriber is set for the port's thread only: two ports in one process (the host loads the plugin
//! again at each reload) must not write into each other's log.

use std::fmt::{Debug, Write};
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::events::Events;

/// Where the least severe level to send is set; JavaScript tells it after the thread has started.
#[derive(Debug, Clone)]
pub(crate) struct LogLevel(Arc<RwLock<Level>>);

impl LogLevel {
    pub(crate) fn new(level: Level) -> Self {
        Self(Arc::new(RwLock::new(level)))
    }

    pub(crate) fn set(&self, level: Level) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = level;
    }

    fn allows(&self, level: Level) -> bool {
        level <= *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything of our own crates from a level up.
pub(crate) struct Log {
    events: Events,
    level: LogLevel,
}

impl Log {
    pub(crate) fn new(events: Events, level: LogLevel) -> Self {
        Self { events, level }
    }
}

/// HTTP libraries log URLs with their query; only our own crates know what is secret.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    let ours = ["ilink_client", "weixin_media", "weixin_channel", "openclaw_weixin"];
    metadata.is_event() && ours.iter().any(|name| metadata.target().starts_with(name))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct Line<'a> {
    r#type: &'static str,
    level: &'static str,
    message: &'a str,
}

impl Subscriber for Log {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Not "always": the answer is cached for good, and the level may change.
        if is_ours(metadata) { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata) && self.level.allows(*metadata.level())
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            _ => "debug",
        };
        let message = crate::failure::shown(&text.finish());
        self.events.offer(&Line { r#type: "log", level, message: &message });
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// `message key=value key=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn finish(mut self) -> String {
        self.message.push_str(&self.fields);
        self.message
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_line_has_the_message_first_and_the_level_is_kept() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let events = Events::new(Box::new(move |json, _| sink.lock().unwrap().push(json)));
        let level = LogLevel::new(Level::INFO);
        tracing::subscriber::with_default(Log::new(events, level.clone()), || {
            let poll = || tracing::debug!("polled");
            tracing::warn!(account = "a-im-bot", tries = 3, "poll failed");
            let said = format!("\u{1b}[2J\nERROR forged {}", "x".repeat(20 << 20));
            tracing::warn!(error = %said, "refused");
            tracing::info!(target: "hyper::client", "not ours");
            poll();
            level.set(Level::DEBUG);
            poll();
        });
        let expected = [
            r#"{"type":"log","level":"warn","message":"poll failed account=a-im-bot tries=3"}"#,
            r#"{"type":"log","level":"debug","message":"polled"}"#,
        ];
        let mut lines = lines.lock().unwrap();
        // The text of the event, in JSON once more.
        let hostile = lines.remove(1);
        assert!(hostile.contains(r"refused error=\\u{1b}[2J\\nERROR forged xx"), "{hostile}");
        assert!(hostile.len() < 1_200, "{} bytes", hostile.len());
        assert_eq!(*lines, expected);
    }
}
