//! Several processes that share the accounts of one backend, each its part.
//!
//! ```no_run
//! # #[cfg(feature = "postgres")]
//! # async fn run() -> Result<(), weixin_channel::Error> {
//! use weixin_channel::Channel;
//! use weixin_channel::fleet::{Fleet, FleetOptions};
//! use weixin_channel::postgres::{PostgresBackend, PostgresOptions};
//!
//! let backend = PostgresBackend::open("postgres://bot@db.internal/weixin", PostgresOptions::default()).await?;
//! let (channel, mut deliveries) = Channel::builder().state_dir("media").backend(backend.clone()).build().await?;
//! let fleet = Fleet::start(channel.clone(), backend, FleetOptions::default());
//! while let Some(delivery) = deliveries.next().await {
//!     delivery.reply(&format!("echo: {}", delivery.inbound.text)).await?;
//!     delivery.ack().await?;
//! }
//! fleet.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Each process looks twice a second who is alive, computes which accounts are its own, starts those and stops others.
//! An account runs in one process at a time, by its [lease](crate::backend::Leases). Messages of an account go to
//! handlers where it runs; sends can be made from any process.

mod share;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use crate::account::status::AccountState;
use crate::account::{AccountConfig, AccountId};
use crate::backend::Answer;
use crate::blocking::blocking;
use crate::channel::Channel;
use crate::error::Error;

/// Accounts that are started at the same time, and how many before it is looked again who is alive.
const AT_ONCE: usize = 16;
const A_LOOK: usize = 512;

/// A process that has its part of the accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number, which none had before.
    pub id: i64,
    /// Its name, from which its share follows.
    pub name: String,
}

/// Who is alive, and how new the list of accounts is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Our own number.
    pub me: i64,
    /// All members, we included.
    pub members: Vec<Member>,
    /// Another number than before if accounts have come or gone.
    pub revision: i64,
}

/// What a backend that several processes share tells of them.
pub trait Members: Send + Sync + 'static {
    /// Makes this process a member if it is none, and says who is alive.
    fn join(&self) -> Answer<'_, Membership>;

    /// This process is a member no longer: whatever leases it has left are free at once.
    fn leave(&self) -> Answer<'_, ()>;

    /// All accounts that have a token.
    fn account_ids(&self) -> Answer<'_, Vec<AccountId>>;

    /// Those of these accounts that no living process has.
    fn free<'a>(&'a self, wanted: &'a [AccountId]) -> Answer<'a, Vec<AccountId>>;
}

/// How a [`Fleet`] works.
#[derive(Clone)]
#[non_exhaustive]
pub struct FleetOptions {
    /// How often it is looked who is alive: 500 ms.
    pub refresh: Duration,
    /// The settings that an account is started with: the default ones.
    pub config: Arc<dyn Fn(&AccountId) -> AccountConfig + Send + Sync>,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self { refresh: Duration::from_millis(500), config: Arc::new(|_| AccountConfig::default()) }
    }
}

/// This process's part in running the accounts. Dropped, it stops what it runs, in the background.
#[derive(Debug)]
pub struct Fleet {
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Fleet {
    /// Begins to run this process's share of the accounts in `channel`, which must have the same backend. What fails is
    /// logged and tried again.
    pub fn start(channel: Channel, members: impl Members, options: FleetOptions) -> Self {
        let (stop, stopped) = watch::channel(false);
        let work = Work {
            channel,
            members: Arc::new(members),
            options,
            membership: None,
            accounts: Arc::default(),
            mine: HashSet::new(),
            started: HashSet::new(),
            renewed: false,
        };
        Self { stop, task: Mutex::new(Some(tokio::spawn(work.run(stopped)))) }
    }

    /// Stops all accounts and gives them to the others, which have them within a second or two.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

struct Work {
    channel: Channel,
    members: Arc<dyn Members>,
    options: FleetOptions,
    membership: Option<Membership>,
    accounts: Arc<Vec<AccountId>>,
    /// What this process is to run.
    mine: HashSet<AccountId>,
    /// What it has begun to run.
    started: HashSet<AccountId>,
    /// Accounts have changed: those that wait for a login may have a new token.
    renewed: bool,
}

impl Work {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut looks = interval(self.options.refresh);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.changed() => break,
                _ = looks.tick() => {}
            }
            tokio::select! {
                _ = stop.changed() => break,
                looked = self.look() => if let Err(error) = looked {
                    tracing::warn!(%error, "who shares the accounts is not known");
                }
            }
        }
        let started = std::mem::take(&mut self.started);
        self.stop_all(started).await;
        if let Err(error) = self.members.leave().await {
            tracing::warn!(%error, "other processes take over once they miss this one");
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let membership = self.members.join().await?;
        if self.membership.as_ref() != Some(&membership) {
            if self.membership.as_ref().is_none_or(|known| known.revision != membership.revision) {
                self.accounts = Arc::new(self.members.account_ids().await?);
                self.renewed = true;
            }
            let (accounts, now) = (self.accounts.clone(), membership.clone());
            // Long, for many accounts.
            let mine = blocking(move || Ok(share::share(&now.members, now.me, &accounts))).await?;
            tracing::info!(
                members = membership.members.len(),
                accounts = mine.len(),
                "a share of the accounts"
            );
            self.mine = mine.into_iter().collect();
            self.membership = Some(membership);
        }
        let others: Vec<AccountId> = self.started.difference(&self.mine).cloned().collect();
        for account in &others {
            self.started.remove(account);
        }
        self.stop_all(others).await;
        self.start_missing().await
    }

    async fn start_missing(&mut self) -> Result<(), Error> {
        let renewed = std::mem::take(&mut self.renewed);
        let (mut wanted, mut again) = (Vec::new(), Vec::new());
        for account in &self.mine {
            match self.channel.status(account).state {
                AccountState::Stopped => wanted.push(account.clone()),
                AccountState::NeedsLogin if renewed => again.push(account.clone()),
                _ => {}
            }
        }
        wanted.truncate(A_LOOK);
        if !wanted.is_empty() {
            wanted = self.members.free(&wanted).await?;
        }
        wanted.append(&mut again);
        let mut wanted = wanted.into_iter();
        let mut starts: JoinSet<()> = JoinSet::new();
        loop {
            while starts.len() < AT_ONCE
                && let Some(account) = wanted.next()
            {
                self.started.insert(account.clone());
                let (channel, config) = (self.channel.clone(), (self.options.config)(&account));
                starts.spawn(async move {
                    match channel.start(&account, config).await {
                        Ok(()) => {}
                        Err(Error::Locked { .. } | Error::UnknownAccount(_)) => {
                            tracing::debug!(%account, "another process was faster, or the account is gone");
                        }
                        Err(error) => tracing::warn!(%account, %error, "an account was not started yet"),
                    }
                });
            }
            if starts.join_next().await.is_none() {
                return Ok(());
            }
        }
    }

    /// Within a second.
    async fn stop_all(&self, accounts: impl IntoIterator<Item = AccountId>) {
        let mut stops: JoinSet<()> = JoinSet::new();
        for account in accounts {
            let channel = self.channel.clone();
            stops.spawn(async move { channel.stop(&account).await });
        }
        stops.join_all().await;
    }
}

impl fmt::Debug for FleetOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetOptions").field("refresh", &self.refresh).finish_non_exhaustive()
    }
}
