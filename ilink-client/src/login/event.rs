//! What happens in a login, and how patient it is.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bot::Credentials;

/// How long a login waits, and how often it renews its code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginPolicy {
    /// The whole login is given up after this.
    pub deadline: Duration,
    /// A code that nobody scanned is replaced at this age, before the server lets it expire.
    pub code_lifetime: Duration,
    /// At most this many codes.
    pub max_codes: u32,
    /// The pause between an answer and the next poll.
    pub pause: Duration,
    /// A server's `Retry-After` is honoured up to this: somebody waits in front of the code.
    pub max_retry_after: Duration,
}

impl Default for LoginPolicy {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(480),
            code_lifetime: Duration::from_secs(290),
            max_codes: 3,
            pause: Duration::from_secs(1),
            max_retry_after: Duration::from_secs(30),
        }
    }
}

/// What happens in a login.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LoginEvent {
    /// Show this code; it replaces an earlier one.
    Code(LoginCode),
    /// The code was scanned, or the digits were right: the phone asks for confirmation.
    Scanned,
    /// The phone shows digits: give them to [`Login::verify_code`](super::Login::verify_code).
    VerifyCodeNeeded {
        /// The digits given before were wrong.
        wrong: bool,
    },
    /// The login goes on at another host.
    Redirected {
        /// Which one.
        host: String,
    },
    /// This bot is bound to this installation already: the credentials that it has are still good. The last event.
    AlreadyBound,
    /// The login has succeeded. The last event.
    Confirmed(Credentials),
}

/// A login code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LoginCode {
    /// The link to draw as a QR code, or to open on the phone.
    pub url: String,
    /// Which code of this login it is, from 1.
    pub number: u32,
}

impl fmt::Debug for LoginCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The link is the login: whoever scans it has the bot.
        f.debug_struct("LoginCode").field("number", &self.number).finish_non_exhaustive()
    }
}
