//! What the rooms of a channel share. [`Channel`](crate::Channel), the facade, lies above the rooms; this lies below
//! them, and knows none of those that use it.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use ilink_client::{Bot, BotAgent, Client, ClientBuilder, UserId};
use md5::{Digest as _, Md5};
use tokio::sync::Semaphore;
use weixin_media::{Media, Remote};

use crate::access::pairing::PairingPolicy;
use crate::account::running::RunningAccounts;
use crate::account::status::{AccountState, AccountStatus};
use crate::account::{Account, AccountConfig, AccountId};
use crate::backend::Backend;
use crate::error::Error;
use crate::folder::state_dir::StateDir;
use crate::inbound::policy::InboundPolicy;
use crate::inbound::suspects::Suspects;
use crate::outbound::policy::SendPolicy;
use crate::outbound::tickets::Tickets;
use crate::quote::history::QuoteHistory;

/// How much is read at once of what waits.
pub(crate) const PAGE: u32 = 1_000;

/// Where everything is kept, the settings, and what this process has of each account. The accounts stop when the last
/// who shares it lets go of it.
pub(crate) struct Core {
    pub(crate) state: StateDir,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) clients: Clients,
    pub(crate) sends: SendPolicy,
    pub(crate) inbound: InboundPolicy,
    pub(crate) pairing: PairingPolicy,
    pub(crate) quotes: QuoteHistory,
    pub(crate) running: RunningAccounts,
    pub(crate) remote: OnceLock<Remote>,
    pub(crate) tickets: Tickets,
    /// Accounts that may say `notifystart` at the same time.
    pub(crate) starts: Arc<Semaphore>,
    /// Voice messages that are decoded at the same time: each takes a core for seconds.
    pub(crate) decoders: Semaphore,
    pub(crate) suspects: Suspects,
}

/// What the clients of all accounts have in common.
pub(crate) struct Clients {
    /// Has the transport that all of them share.
    template: ClientBuilder,
    /// One with no account's settings.
    plain: Client,
}

impl Core {
    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clients.plain.now()
    }

    /// The bot of an account, running or not.
    pub(crate) async fn bot(&self, id: &AccountId) -> Result<Bot, Error> {
        Ok(self.bot_and_config(id, &AccountConfig::default()).await?.0)
    }

    /// The bot of an account, with the settings that it runs with; with these if it does not run here.
    pub(crate) async fn bot_and_config(
        &self,
        id: &AccountId,
        config: &AccountConfig,
    ) -> Result<(Bot, AccountConfig), Error> {
        let running = self.running.get(id);
        if let Some(running) =
            running.and_then(|account| account.run(|run| (run.bot.clone(), run.config.clone())))
        {
            return Ok(running);
        }
        let account = self.backend.account(id).await?.ok_or_else(|| Error::UnknownAccount(id.clone()))?;
        Ok((self.bot_for(&account, config)?, config.clone()))
    }

    /// The bot of an account with these settings.
    pub(crate) fn bot_for(&self, account: &Account, config: &AccountConfig) -> Result<Bot, Error> {
        let mut credentials = account.credentials();
        if config.base_url.is_some() {
            credentials.base_url.clone_from(&config.base_url);
        }
        Ok(self.clients.client(config)?.bot(credentials)?)
    }

    /// Uploads and downloads of an account, through the CDN that its settings name.
    pub(crate) async fn media(&self, id: &AccountId) -> Result<Media, Error> {
        let (bot, config) = self.bot_and_config(id, &AccountConfig::default()).await?;
        let media = Media::new(bot)?;
        Ok(match &config.cdn_base_url {
            Some(url) => media.cdn_base_url(url)?,
            None => media,
        })
    }

    /// Where fetched media of a user's messages lies: a folder of their own, so that a program can let an agent that
    /// answers them read that one alone. Its name says nothing of them.
    pub(crate) fn media_dir(&self, account: &AccountId, user: &UserId) -> PathBuf {
        let folder = self.quotes.media_dir(account).unwrap_or_else(|| self.state.media_dir(account));
        let digest = Md5::digest(format!("{account}\n{}", user.as_str()));
        folder.join(digest.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }))
    }

    pub(crate) fn status(&self, id: &AccountId) -> AccountStatus {
        let running = self.running.get(id);
        running.map_or_else(|| AccountStatus::stopped(id.clone()), |running| running.status.get())
    }

    pub(crate) fn update_status(&self, id: &AccountId, change: impl FnOnce(&mut AccountStatus)) {
        if let Some(running) = self.running.get(id) {
            running.status.update(change);
        }
    }
}

impl Clients {
    /// `plain` is what `template` builds; its connections are those of all.
    pub(crate) fn new(template: ClientBuilder, plain: Client) -> Self {
        Self { template: template.transport(plain.transport().clone()), plain }
    }

    pub(crate) fn roots(&self) -> &[Vec<u8>] {
        self.template.given_root_certificates()
    }

    /// A client with the channel's settings and those of an account.
    pub(crate) fn client(&self, config: &AccountConfig) -> Result<Client, Error> {
        let mut builder = self.template.clone();
        if let Some(agent) = &config.bot_agent {
            builder = builder.bot_agent(BotAgent::new(agent));
        }
        if let Some(url) = &config.base_url {
            builder = builder.base_url(url);
        }
        if let Some(tag) = &config.route_tag {
            builder = builder.route_tag(tag);
        }
        Ok(builder.build()?)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.running.all();
        let accounts: Vec<(AccountId, AccountState)> =
            running.into_iter().map(|(id, running)| (id, running.status.get().state)).collect();
        f.debug_struct("Core")
            .field("state", &self.state)
            .field("accounts", &accounts)
            .finish_non_exhaustive()
    }
}
