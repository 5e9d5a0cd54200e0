//! The facade: what a program does with a channel. Each method calls down into the room whose subject it is; no room
//! knows this one.

mod builder;
mod handler;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ilink_client::Bot;
use tokio::sync::broadcast;
use weixin_media::MediaRef;

pub use self::builder::ChannelBuilder;
use crate::access::allow_list::AllowList;
use crate::access::pairing::PairingRequest;
use crate::account::lifecycle;
use crate::account::login::ChannelLogin;
use crate::account::reconcile::reconcile;
use crate::account::status::AccountStatus;
use crate::account::{Account, AccountConfig, AccountId};
use crate::backend::{Backend, DeadLetter, OutboxItem};
use crate::conversation::Conversation;
use crate::core::Core;
use crate::error::Error;
use crate::folder::state_dir::StateDir;
use crate::inbound::delivery::Lanes;
use crate::inbound::message::SavedMedia;
use crate::inbound::{dead_letters, media};
use crate::outbound::{outbox, route};

/// Any number of accounts over one state folder. Cheap to clone; the accounts stop when the last clone is dropped.
///
/// Everything runs on the tokio runtime that [`start`](Self::start) is called on.
///
/// ```no_run
/// # async fn run() -> Result<(), weixin_channel::Error> {
/// use weixin_channel::Channel;
///
/// let (channel, mut deliveries) = Channel::builder().state_dir("state").build().await?;
/// for account in channel.accounts().await? {
///     channel.start(&account.id, Default::default()).await?;
/// }
/// while let Some(delivery) = deliveries.next().await {
///     delivery.reply(&format!("echo: {}", delivery.inbound.text)).await?;
///     delivery.ack().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Channel {
    core: Arc<Core>,
    /// Where the messages of the accounts that it starts go.
    lanes: Lanes,
}

impl Channel {
    /// Settings first; then the channel and the messages that come in.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder::default()
    }

    pub(crate) fn new(core: Core, lanes: Lanes) -> Self {
        Self { core: Arc::new(core), lanes }
    }

    /// The state folder. With a [backend](crate::ChannelBuilder::backend) of your own only fetched media lies there.
    #[must_use]
    pub fn state(&self) -> &StateDir {
        &self.core.state
    }

    /// Where everything is kept.
    #[must_use]
    pub fn backend(&self) -> &dyn Backend {
        self.core.backend()
    }

    /// All accounts that have a token, oldest first.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        self.core.backend.accounts().await
    }

    /// Starts a login. Nothing is stored or retired unless its account can be used: one that the server sends to a host
    /// that is not allowed ends with an error. The tokens that are here already go along, so that the server can say
    /// "already bound".
    ///
    /// # Errors
    /// If the state folder cannot be written: better now than after the scan. If a setting is unusable.
    pub async fn login(&self, config: &AccountConfig) -> Result<ChannelLogin, Error> {
        ChannelLogin::start(self.core.clone(), config).await
    }

    /// Starts an account: from now on its messages come. Starting one that runs is no error; one that runs with
    /// another token or other settings is started anew.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`], [`Error::Locked`], or if its files or settings are unusable. What the server says is
    /// no error here but a [status](Self::status).
    pub async fn start(&self, id: &AccountId, config: AccountConfig) -> Result<(), Error> {
        lifecycle::start(&self.core, &self.lanes, id, config).await
    }

    /// Makes the accounts that run those of the state folder: starts new ones, stops those that are gone, and starts
    /// anew those whose token or settings have changed. An account that cannot be started does not keep the others
    /// from it; its [status](Self::status) says why.
    ///
    /// # Errors
    /// If the accounts cannot be listed.
    pub async fn reconcile(&self, config: impl Fn(&AccountId) -> AccountConfig) -> Result<(), Error> {
        self.start_all(config).await.map(drop)
    }

    /// The same; what became of each account.
    pub(crate) async fn start_all(
        &self,
        config: impl Fn(&AccountId) -> AccountConfig,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        reconcile(&self.core, &self.lanes, config).await
    }

    /// Stops an account, within a second, whatever is in flight. Stopping one that does not run is no error. Messages
    /// that are with a handler can still be acknowledged.
    pub async fn stop(&self, id: &AccountId) {
        lifecycle::stop(&self.core, id).await;
    }

    /// Stops all accounts, within a second.
    pub async fn stop_all(&self) {
        lifecycle::stop_all(&self.core).await;
    }

    /// Stops an account and forgets it: token, cursor, context tokens, journal. Its messages that are with a handler
    /// can still be acknowledged, which leaves nothing behind.
    ///
    /// # Errors
    /// If a file or the journal cannot be written; what is left is then forgotten by the next try.
    pub async fn logout(&self, id: &AccountId) -> Result<(), Error> {
        lifecycle::logout(&self.core, id).await
    }

    /// How an account is doing. One that was not started in this process is stopped, and its counts are 0 whatever the
    /// journal holds.
    #[must_use]
    pub fn status(&self, id: &AccountId) -> AccountStatus {
        self.core.status(id)
    }

    /// Each change of an account's state from now on.
    #[must_use]
    pub fn status_events(&self) -> broadcast::Receiver<AccountStatus> {
        self.core.running.events().subscribe()
    }

    /// A user of an account. They are looked up, when something is done for them, among those who have written: upper and
    /// lower case are folded, and what hosts put in front of an id (`user:`, `dm:`) is ignored
    /// ([field note 10](https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-10)).
    #[must_use]
    pub fn conversation(&self, account: &AccountId, user: impl AsRef<str>) -> Conversation {
        Conversation::new(self.core.clone(), account, user.as_ref())
    }

    /// The account to write to a user from: the one that they have written to, or the only one there is
    /// ([field note 4]).
    ///
    /// # Errors
    /// [`Error::NoAccounts`]; [`Error::AmbiguousAccount`], which lists the candidates.
    ///
    /// [field note 4]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-4
    pub async fn account_for(&self, to: &str) -> Result<AccountId, Error> {
        route::account_for(&self.core, to).await
    }

    /// The messages of an account that were given up, oldest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn dead_letters(&self, id: &AccountId) -> Result<Vec<DeadLetter>, Error> {
        dead_letters::list(&self.core, id).await
    }

    /// Puts the dead letter with this [`entry.id`](crate::backend::Entry::id) back: it is delivered as if it were new, behind
    /// what its user has written since. False if there is no such dead letter.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn requeue(&self, id: &AccountId, letter: i64) -> Result<bool, Error> {
        dead_letters::requeue(&self.core, id, letter).await
    }

    /// The sends of an account that wait, oldest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn outbox(&self, account: &AccountId) -> Result<Vec<OutboxItem>, Error> {
        outbox::list(&self.core, account).await
    }

    /// Drops a send that waits.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn drop_from_outbox(&self, account: &AccountId, id: i64) -> Result<(), Error> {
        outbox::remove(&self.core, account, id).await
    }

    /// The strangers who ask to be let in, with their codes.
    ///
    /// # Errors
    /// If the requests cannot be read.
    pub async fn pairing_requests(&self) -> Result<Vec<PairingRequest>, Error> {
        self.core.backend.pairing_requests(&self.core.pairing.limits, self.core.now()).await
    }

    /// Lets in the stranger who was sent this code; `None` if there is no such code, or no longer.
    ///
    /// # Errors
    /// If the allow-list cannot be written.
    pub async fn approve(&self, code: &str) -> Result<Option<PairingRequest>, Error> {
        self.core.backend.approve(code, &self.core.pairing.limits, self.core.now()).await
    }

    /// The users who were let in by a code, or by hand.
    #[must_use]
    pub fn allow_list(&self, account: &AccountId) -> AllowList {
        AllowList::new(self.core.backend.clone(), account.clone())
    }

    /// Fetches one piece of media into a folder, under a safe name of its own; a voice message in SILK becomes WAV, so
    /// that an agent can hear it. What is there already is not fetched again.
    ///
    /// # Errors
    /// [`Error::Media`] if it cannot be had, or is larger than `max_size` bytes; [`Error::State`] if the folder cannot
    /// be written.
    pub async fn save_media(
        &self,
        account: &AccountId,
        media: &MediaRef,
        folder: &Path,
        max_size: u64,
    ) -> Result<SavedMedia, Error> {
        media::save(&self.core, account, media, folder, max_size).await
    }

    /// The bot of an account, running or not.
    ///
    /// # Errors
    /// If there is no such account, or its files or settings are unusable.
    pub async fn bot(&self, id: &AccountId) -> Result<Bot, Error> {
        self.core.bot(id).await
    }

    /// The bot of an account; one that does not run here gets `config`, as [`start`](Self::start) would give it.
    ///
    /// # Errors
    /// If there is no such account, or its files or settings are unusable.
    pub async fn bot_with(&self, id: &AccountId, config: &AccountConfig) -> Result<Bot, Error> {
        Ok(self.core.bot_and_config(id, config).await?.0)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Channel").field(&self.core).finish()
    }
}
