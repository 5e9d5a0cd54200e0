//! Login by QR code, with the account stored at its end.

use ilink_client::{Login, LoginCode, LoginEvent, LoginInput};

use crate::account::{AccountConfig, AccountId};
use crate::channel::Channel;
use crate::error::Error;

/// A login whose account is stored once it is confirmed; from [`Channel::login`].
#[derive(Debug)]
#[must_use = "a login does nothing unless it is asked for events"]
pub struct ChannelLogin {
    channel: Channel,
    login: Login,
    /// What is stored, and nobody was told yet.
    stored: Option<(AccountId, Vec<AccountId>)>,
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

impl Channel {
    /// Starts a login. Nothing is stored or retired unless its account can be used: one that the server sends to a host
    /// that is not allowed ends with an error. The tokens that are here already go along, so that the server can say
    /// "already bound".
    ///
    /// # Errors
    /// If the state folder cannot be written: better now than after the scan. If a setting is unusable.
    pub fn login(&self, config: &AccountConfig) -> Result<ChannelLogin, Error> {
        self.state().prepare()?;
        let mut accounts = self.state().accounts()?;
        accounts.reverse();
        let tokens = accounts.into_iter().map(|account| account.token);
        // The account's own setting comes before what the server names (Channel::start).
        let stays = config.base_url.is_some();
        let login = self.client_for(config)?.login().local_tokens(tokens).stay_at_base_url(stays).start();
        Ok(ChannelLogin { channel: self.clone(), login, stored: None })
    }
}

impl ChannelLogin {
    /// The next event; `None` after the last one. Cancel-safe: what a confirmation brings is stored at once, and told
    /// by the next call if this one is dropped.
    pub async fn next(&mut self) -> Option<Result<ChannelLoginEvent, Error>> {
        if self.stored.is_none() {
            match self.login.next().await? {
                Ok(LoginEvent::Confirmed(credentials)) => {
                    match self.channel.state().save_login(&credentials) {
                        Ok(stored) => self.stored = Some(stored),
                        Err(error) => return Some(Err(error)),
                    }
                }
                Ok(LoginEvent::AlreadyBound) => return Some(Ok(ChannelLoginEvent::AlreadyBound)),
                Ok(other) => return Some(Ok(ChannelLoginEvent::Progress(other))),
                Err(error) => return Some(Err(error.into())),
            }
        }
        let mut unhandled = 0;
        for old in self.stored.iter().flat_map(|(_, retired)| retired) {
            self.channel.stop(old).await;
            unhandled += self.channel.retired(old).await;
        }
        let (account, retired) = self.stored.take()?;
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
