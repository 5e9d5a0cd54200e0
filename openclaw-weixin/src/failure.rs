//! The one error that crosses to JavaScript: a stable code and one sentence that says what to do.

use std::any::Any;

use weixin_channel::Error;
use weixin_channel::ilink_client::Printable;

/// A sentence with what others said in it, on one line and no longer than a screen.
pub(crate) fn shown(text: &str) -> String {
    Printable::new(text).max_chars(1_000).to_string()
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Stable, machine-readable; JavaScript decides by it, never by the message.
    pub(crate) code: &'static str,
    /// For a person: what happened and what to do.
    pub(crate) message: String,
}

impl Failure {
    /// Whatever a server, a stranger or an agent has put into the message: it is shown on terminals and in logs.
    pub(crate) fn new(code: &'static str, message: impl AsRef<str>) -> Self {
        Self { code, message: shown(message.as_ref()) }
    }

    /// For calls that use `baseUrl`: the channel does not know where its URL was written.
    pub(crate) fn of_connection(error: Error) -> Self {
        let Self { code, message } = Self::from(error);
        match code {
            "host-not-allowed" | "invalid-input" | "unreachable" => Self::new(
                code,
                format!(
                    "{message}; the address comes from channels.openclaw-weixin.baseUrl, or from Tencent if that is not set"
                ),
            ),
            _ => Self { code, message },
        }
    }

    /// The answer to calls that were in flight, or come, when the port has closed.
    pub(crate) fn closed() -> Self {
        Self::new("closed", "The WeChat channel is stopped; start the gateway's channel again to use it.")
    }

    /// A bug of ours, caught at the boundary so that only this call fails.
    pub(crate) fn panicked(method: &str, panic: &(dyn Any + Send)) -> Self {
        let what = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Self::new(
            "internal",
            format!(
                "A bug in openclaw-weixin made {method} fail ({what}); please report it with the gateway's log."
            ),
        )
    }

    pub(crate) fn invalid(method: &str, why: &serde_json::Error) -> Self {
        Self::new(
            "invalid-input",
            format!(
                "{method} was called with arguments it does not understand ({why}); update the plugin as a whole, its JavaScript and its addon belong together."
            ),
        )
    }
}

impl From<Error> for Failure {
    /// The channel's errors are written for a person already.
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_some_length() {
        let failure = Failure::new("rejected", format!("no\r\n\u{9b}2J\u{202e}{}", "x".repeat(1 << 20)));
        assert!(failure.message.starts_with(r"no\r\n\u{9b}2J\u{202e}xxx"), "{}", failure.message);
        assert!(failure.message.len() < 1_100, "{} bytes", failure.message.len());
    }
}
