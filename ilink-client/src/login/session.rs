//! A login as data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{LoginCode, LoginEvent};
use crate::bot::Credentials;
use crate::hosts::shown_text;
use crate::id::QrHandle;
use crate::secret::Secret;

/// A login that can be stored and continued later, for example by another process. It holds the login's handle and,
/// once confirmed, the credentials: keep it as secret as these.
///
/// ```
/// use ilink_client::{Client, LoginSession};
///
/// let client = Client::new()?;
/// let login = client.login().start();
/// let stored = serde_json::to_string(login.session()).unwrap();
/// let session: LoginSession = serde_json::from_str(&stored).unwrap();
/// let login = client.resume_login(session);
/// # Ok::<(), ilink_client::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct LoginSession {
    pub(super) tokens: Vec<Secret>,
    pub(super) base_url: String,
    pub(super) started_ms: u64,
    pub(super) issued_ms: u64,
    pub(super) code: Option<LoginCode>,
    pub(super) handle: Option<QrHandle>,
    pub(super) scanned: bool,
    pub(super) asked: bool,
    pub(super) outcome: Option<Outcome>,
    /// The bot stays at the client's base URL.
    #[serde(default)]
    pub(super) stays: bool,
}

impl fmt::Debug for LoginSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginSession")
            .field("base_url", &shown_text(&self.base_url))
            .field("tokens", &self.tokens.len())
            .field("code", &self.code)
            .field("scanned", &self.scanned)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Outcome {
    AlreadyBound,
    Confirmed(Credentials),
}

impl From<Outcome> for LoginEvent {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::AlreadyBound => Self::AlreadyBound,
            Outcome::Confirmed(credentials) => Self::Confirmed(credentials),
        }
    }
}
