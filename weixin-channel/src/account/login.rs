//! Login by QR code, with the account stored at its end.

use std::sync::Arc;

use ilink_client::{Login, LoginCode, LoginEvent, LoginInput};
use tokio::task::JoinHandle;

use crate::account::lifecycle::{retire, stop};
use crate::account::{AccountConfig, AccountId};
use crate::backend::SavedLogin;
use crate::blocking::failed;
use crate::core::Core;
use crate::error::Error;

/// A login whose account is stored once it is confirmed; from [`Channel::login`](crate::Channel::login).
#[derive(Debug)]
#[must_use = "a login does nothing unless it is asked for events"]
pub struct ChannelLogin {
    core: Arc<Core>,
    login: Login,
    /// What is stored, and nobody was told yet.
    stored: Option<SavedLogin>,
    /// What is being stored: that goes on whoever waits for it.
    saving: Option<JoinHandle<Result<SavedLogin, Error>>>,
}

/// What happens in a login.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ChannelLoginEvent {
    /// Something on the way: a code to show, digits to ask for, …
    Progress(LoginEvent),
    /// Done: the account is stored. Start it.
    LoggedIn {
        /// The new account.
        account: AccountId,
        /// Older accounts of the same user; the server has unbound them, and they are stopped and retired.
        retired: Vec<AccountId>,
        /// Messages of those that nobody had handled to the end. Who has one in hand may go on; the others stay in the
        /// journal, and are not given out again.
        unhandled: usize,
    },
    /// The bot is bound to this installation already; its account is still good.
    AlreadyBound,
}

impl ChannelLogin {
    /// See [`Channel::login`](crate::Channel::login).
    pub(crate) async fn start(core: Arc<Core>, config: &AccountConfig) -> Result<Self, Error> {
        core.backend.check_writable().await?;
        let mut accounts = core.backend.accounts().await?;
        accounts.reverse();
        let tokens = accounts.into_iter().map(|account| account.token);
        // The account's own setting comes before what the server names (lifecycle::start).
        let stays = config.base_url.is_some();
        let login = core.clients.client(config)?.login().local_tokens(tokens).stay_at_base_url(stays).start();
        Ok(Self { core, login, stored: None, saving: None })
    }

    /// The next event; `None` after the last one. Cancel-safe: what a confirmation brings is stored at once, and told
    /// by the next call if this one is dropped.
    pub async fn next(&mut self) -> Option<Result<ChannelLoginEvent, Error>> {
        if self.stored.is_none() && self.saving.is_none() {
            match self.login.next().await? {
                Ok(LoginEvent::Confirmed(credentials)) => {
                    let core = self.core.clone();
                    let save = async move { core.backend.save_login(&credentials, core.now()).await };
                    self.saving = Some(tokio::spawn(save));
                }
                Ok(LoginEvent::AlreadyBound) => return Some(Ok(ChannelLoginEvent::AlreadyBound)),
                Ok(other) => return Some(Ok(ChannelLoginEvent::Progress(other))),
                Err(error) => return Some(Err(error.into())),
            }
        }
        if let Some(saving) = &mut self.saving {
            let saved = saving.await.unwrap_or_else(|error| Err(failed(error)));
            self.saving = None;
            match saved {
                Ok(stored) => self.stored = Some(stored),
                Err(error) => return Some(Err(error)),
            }
        }
        let mut unhandled = 0;
        for old in self.stored.iter().flat_map(|stored| &stored.retired) {
            stop(&self.core, old).await;
            unhandled += retire(&self.core, old).await;
        }
        let SavedLogin { account, retired, .. } = self.stored.take()?;
        Some(Ok(ChannelLoginEvent::LoggedIn { account, retired, unhandled }))
    }

    /// Gives the digits that the phone shows.
    ///
    /// # Errors
    /// If it is anything but digits.
    pub fn verify_code(&self, digits: &str) -> Result<(), Error> {
        Ok(self.login.verify_code(digits)?)
    }

    /// A handle that takes the digits from elsewhere.
    #[must_use]
    pub fn input(&self) -> LoginInput {
        self.login.input()
    }

    /// The code to show now.
    #[must_use]
    pub fn code(&self) -> Option<&LoginCode> {
        self.login.code()
    }
}
