//! The channel: any number of accounts over one state folder.

mod builder;
mod handler;

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::SystemTime;

use ilink_client::{Bot, Client};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use weixin_media::Remote;

pub use self::builder::ChannelBuilder;
use self::builder::Settings;
use crate::access::admission::PairingPolicy;
use crate::account::running::{Run, RunningAccounts};
use crate::account::status::{AccountState, AccountStatus};
use crate::account::{Account, AccountConfig, AccountId};
use crate::backend::{Backend, DeadLetter};
use crate::error::Error;
use crate::folder::StateDir;
use crate::inbound::delivery::Lanes;
use crate::inbound::dispatch::Dispatcher;
use crate::inbound::poller::Poller;
use crate::inbound::settlements::Settlements;
use crate::inbound::{ControlWords, InboundPolicy};
use crate::outbound::SendPolicy;
use crate::outbound::typing::Tickets;
use crate::quote::history::QuoteHistory;

/// How much is read at once of what waits.
pub(crate) const PAGE: u32 = 1_000;

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
    inner: Arc<Inner>,
}

/// What a monitor holds of its channel, so that it does not keep it alive.
#[derive(Clone)]
pub(crate) struct WeakChannel(Weak<Inner>);

pub(crate) struct Inner {
    pub(crate) state: StateDir,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) settings: Settings,
    pub(crate) lanes: Lanes,
    pub(crate) quotes: QuoteHistory,
    pub(crate) pairing: PairingPolicy,
    pub(crate) running: RunningAccounts,
    pub(crate) remote: OnceLock<Remote>,
    pub(crate) tickets: Tickets,
    /// Accounts that may say `notifystart` at the same time.
    pub(crate) starts: Arc<Semaphore>,
    /// Voice messages that are decoded at the same time: each takes a core for seconds.
    pub(crate) decoders: Semaphore,
}

impl Channel {
    /// Settings first; then the channel and the messages that come in.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder::default()
    }

    pub(crate) fn from_inner(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// The state folder. With a [backend](crate::ChannelBuilder::backend) of your own only fetched media lies there.
    #[must_use]
    pub fn state(&self) -> &StateDir {
        &self.inner.state
    }

    /// Where everything is kept.
    #[must_use]
    pub fn backend(&self) -> &dyn Backend {
        &*self.inner.backend
    }

    pub(crate) fn tickets(&self) -> &Tickets {
        &self.inner.tickets
    }

    /// All accounts that have a token, oldest first.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        self.backend().accounts().await
    }

    /// Starts an account: from now on its messages come. Starting one that runs is no error; one that runs with
    /// another token or other settings is started anew.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`], [`Error::Locked`], or if its files or settings are unusable. What the server says is
    /// no error here but a [status](Self::status).
    pub async fn start(&self, id: &AccountId, config: AccountConfig) -> Result<(), Error> {
        let (running, mut task) = self.inner.running.enter(id).await;
        let Some(account) = self.backend().account(id).await? else {
            self.inner.running.remove(id);
            return Err(Error::UnknownAccount(id.clone()));
        };
        let same = running.run(|run| run.account == account && run.config == config);
        if same == Some(true) && task.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        running.end(&mut task, self.backend()).await;
        let bot = self.bot_for(&account, &config)?;
        // From before it was asked for: the backend's own count begins later.
        let good_until = self.backend().lease_time().map(|time| Instant::now() + time);
        running.lease.set(self.backend().acquire(id, &holder()).await?, good_until);
        let (stop, stopped) = watch::channel(());
        let (requeue, requeued) = mpsc::unbounded_channel();
        let dispatcher = Dispatcher {
            account: account.clone(),
            config: config.clone(),
            settlements: Settlements::new(self.inner.backend.clone()),
            channel: WeakChannel(Arc::downgrade(&self.inner)),
            lanes: self.inner.lanes.clone(),
            in_flight: running.in_flight.clone(),
            lease: running.lease.clone(),
        };
        let monitor = Poller {
            account: id.clone(),
            bot: bot.clone(),
            backend: self.inner.backend.clone(),
            lease: running.lease.clone(),
            status: running.status.clone(),
            control: ControlWords::new(self.inbound_policy()),
            policy: self.inbound_policy().clone(),
            dispatcher,
            starts: self.inner.starts.clone(),
            requeued,
            stop: stopped,
        };
        *task = Some(tokio::spawn(monitor.run()));
        running.begin(Run { account, config, bot, _stop: stop, requeue });
        Ok(())
    }

    /// Stops an account, within a second, whatever is in flight. Stopping one that does not run is no error. Messages
    /// that are with a handler can still be acknowledged.
    pub async fn stop(&self, id: &AccountId) {
        if let Some(running) = self.inner.running.get(id) {
            running.stop(self.backend()).await;
        }
    }

    /// Stops all accounts, within a second.
    pub async fn stop_all(&self) {
        let mut stops: JoinSet<()> = JoinSet::new();
        for (_, running) in self.inner.running.all() {
            let backend = self.inner.backend.clone();
            stops.spawn(async move { running.stop(&*backend).await });
        }
        stops.join_all().await;
    }

    /// Stops an account and forgets it: token, cursor, context tokens, journal. Its messages that are with a handler
    /// can still be acknowledged, which leaves nothing behind.
    ///
    /// # Errors
    /// If a file or the journal cannot be written; what is left is then forgotten by the next try.
    pub async fn logout(&self, id: &AccountId) -> Result<(), Error> {
        let (running, mut task) = self.inner.running.enter(id).await;
        running.end(&mut task, self.backend()).await;
        running.in_flight.forget();
        running.sends.close();
        let forgotten = self.forget(id).await;
        self.inner.running.remove(id);
        forgotten
    }

    async fn forget(&self, id: &AccountId) -> Result<(), Error> {
        self.backend().remove_account(id).await?;
        self.inner.tickets.forget(id);
        self.inner.quotes.forget(id).await;
        self.backend().forget(id).await
    }

    /// The messages of an account that were given up, oldest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn dead_letters(&self, id: &AccountId) -> Result<Vec<DeadLetter>, Error> {
        let mut letters: Vec<DeadLetter> = Vec::new();
        loop {
            let after = letters.last().map_or(0, |letter| letter.entry.id);
            let page = self.backend().dead_letters(id, after, PAGE).await?;
            if page.is_empty() {
                return Ok(letters);
            }
            letters.extend(page);
        }
    }

    /// Puts the dead letter with this [`entry.id`](crate::backend::Entry::id) back: it is delivered as if it were new, behind
    /// what its user has written since. False if there is no such dead letter.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn requeue(&self, id: &AccountId, letter: i64) -> Result<bool, Error> {
        let Some(entry) = self.backend().requeue(id, letter).await? else { return Ok(false) };
        self.update_status(id, |status| status.dead = status.dead.saturating_sub(1));
        if let Some(running) = self.inner.running.get(id) {
            // A monitor that has ended leaves it to its successor, which reads the journal.
            running.run(|run| run.requeue.send(entry).is_ok());
        }
        Ok(true)
    }

    /// How an account is doing. One that was not started in this process is stopped, and its counts are 0 whatever the
    /// journal holds.
    #[must_use]
    pub fn status(&self, id: &AccountId) -> AccountStatus {
        let running = self.inner.running.get(id);
        running.map_or_else(|| AccountStatus::stopped(id.clone()), |running| running.status.get())
    }

    /// Each change of an account's state from now on.
    #[must_use]
    pub fn status_events(&self) -> broadcast::Receiver<AccountStatus> {
        self.inner.running.events().subscribe()
    }

    /// The bot of an account, running or not.
    ///
    /// # Errors
    /// If there is no such account, or its files or settings are unusable.
    pub async fn bot(&self, id: &AccountId) -> Result<Bot, Error> {
        Ok(self.bot_and_config(id).await?.0)
    }

    /// The bot of an account; one that does not run here gets `config`, as [`start`](Self::start) would give it.
    ///
    /// # Errors
    /// If there is no such account, or its files or settings are unusable.
    pub async fn bot_with(&self, id: &AccountId, config: &AccountConfig) -> Result<Bot, Error> {
        if let Some((bot, _)) = self.running_bot(id) {
            return Ok(bot);
        }
        let account = self.backend().account(id).await?.ok_or_else(|| Error::UnknownAccount(id.clone()))?;
        self.bot_for(&account, config)
    }

    pub(crate) async fn bot_and_config(&self, id: &AccountId) -> Result<(Bot, AccountConfig), Error> {
        if let Some(running) = self.running_bot(id) {
            return Ok(running);
        }
        let account = self.backend().account(id).await?.ok_or_else(|| Error::UnknownAccount(id.clone()))?;
        let config = AccountConfig::default();
        Ok((self.bot_for(&account, &config)?, config))
    }

    fn running_bot(&self, id: &AccountId) -> Option<(Bot, AccountConfig)> {
        self.inner.running.get(id)?.run(|run| (run.bot.clone(), run.config.clone()))
    }

    /// A client with the channel's settings and those of an account.
    pub(crate) fn client_for(&self, config: &AccountConfig) -> Result<Client, Error> {
        self.inner.settings.client(config)
    }

    fn bot_for(&self, account: &Account, config: &AccountConfig) -> Result<Bot, Error> {
        let mut credentials = account.credentials();
        if config.base_url.is_some() {
            credentials.base_url.clone_from(&config.base_url);
        }
        Ok(self.client_for(config)?.bot(credentials)?)
    }

    pub(crate) fn running(&self) -> &RunningAccounts {
        &self.inner.running
    }

    pub(crate) fn update_status(&self, id: &AccountId, change: impl FnOnce(&mut AccountStatus)) {
        if let Some(running) = self.inner.running.get(id) {
            running.status.update(change);
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.inner.settings.now()
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    pub(crate) fn send_policy(&self) -> &SendPolicy {
        &self.inner.settings.sends
    }

    pub(crate) fn inbound_policy(&self) -> &InboundPolicy {
        &self.inner.settings.inbound
    }

    pub(crate) fn quotes(&self) -> &QuoteHistory {
        &self.inner.quotes
    }

    pub(crate) fn pairing_policy(&self) -> &PairingPolicy {
        &self.inner.pairing
    }
}

/// What others are told of who has an account.
fn holder() -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_name()).unwrap_or_default();
    format!("{} pid {}", program.display(), std::process::id())
}

impl WeakChannel {
    pub(crate) fn upgrade(&self) -> Option<Channel> {
        self.0.upgrade().map(|inner| Channel { inner })
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.inner.running.all();
        let states: Vec<(AccountId, AccountState)> =
            running.into_iter().map(|(id, running)| (id, running.status.get().state)).collect();
        f.debug_struct("Channel")
            .field("state", &self.inner.state)
            .field("accounts", &states)
            .finish_non_exhaustive()
    }
}
