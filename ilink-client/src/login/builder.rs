//! How a login is set up.

use super::event::LoginPolicy;
use super::session::LoginSession;
use super::{Login, unix_ms};
use crate::client::Client;
use crate::secret::Secret;

/// Settings of a login, from [`Client::login`].
#[derive(Debug)]
#[must_use = "call start() and ask for events"]
pub struct LoginBuilder {
    client: Client,
    policy: LoginPolicy,
    tokens: Vec<Secret>,
    stays: bool,
}

impl LoginBuilder {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, policy: LoginPolicy::default(), tokens: Vec::new(), stays: false }
    }

    /// The tokens that this installation has already, newest account first. By them the server recognises a bot that
    /// is bound to it. At most ten are sent.
    pub fn local_tokens(mut self, tokens: impl IntoIterator<Item = Secret>) -> Self {
        self.tokens = tokens.into_iter().take(10).collect();
        self
    }

    /// Another policy than the default.
    pub fn policy(mut self, policy: LoginPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The bot will be used at the client's base URL, whatever the server names. Then a base URL that is not allowed
    /// is left out of the credentials; else it ends the login, since its bot could never be used.
    pub fn stay_at_base_url(mut self, stay: bool) -> Self {
        self.stays = stay;
        self
    }

    /// The login. Nothing is sent before the first event is asked for.
    pub fn start(self) -> Login {
        let session = LoginSession {
            tokens: self.tokens,
            base_url: self.client.base_url().to_string(),
            started_ms: unix_ms(&self.client),
            issued_ms: 0,
            code: None,
            handle: None,
            scanned: false,
            asked: false,
            outcome: None,
            stays: self.stays,
        };
        Login::new(self.client, self.policy, session)
    }
}
