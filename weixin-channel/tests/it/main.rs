//! The channel against the simulator in this process, on a paused clock: what is asserted about time is exact.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../disk/mod.rs"]
mod disk;
#[path = "../../../ilink-client/tests/it/in_process.rs"]
mod in_process;
#[path = "../../../ilink-client/tests/it/path.rs"]
mod path;

mod attempts;
mod content_notes;
mod delivery_notes;
mod failing_disk;
mod failing_store;
mod forgotten;
mod hooked;
mod inbound;
mod life;
mod network;
mod off_the_runtime;
mod outbound;
mod path_faults;
#[cfg(feature = "postgres")]
mod postgres;
mod power_loss;
mod processes;
mod races;
mod setup;
mod strangers;
mod words;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ilink_fixtures::{BotInfo, IN_PROCESS_EPOCH_MS, Simulator};
use tempfile::TempDir;
use tokio::time::Instant;
use weixin_channel::backend::conformance;
use weixin_channel::folder::{Durability, FolderBackend, FolderOptions};
use weixin_channel::ilink_client::{Client, LoginEvent};
use weixin_channel::{
    AccountConfig, AccountId, AccountState, Channel, ChannelBuilder, ChannelLoginEvent, Deliveries, Delivery,
    StateDir,
};

use crate::in_process::{BASE_URL, InProcess};

/// The simulated user who scanned.
pub(crate) const USER: &str = "o9cq8Owner0001@im.wechat";

/// Virtual time that no working step comes near.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// A simulator with one bot, and a state folder in which that bot is logged in.
pub(crate) struct Lab {
    pub(crate) simulator: Simulator,
    pub(crate) folder: TempDir,
    pub(crate) account: AccountId,
    pub(crate) start: Instant,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let mut lab = Self::empty();
        lab.add_account(USER);
        lab
    }

    pub(crate) fn empty() -> Self {
        let simulator = Simulator::builder().in_process();
        Self {
            simulator,
            folder: tempfile::tempdir().unwrap(),
            account: AccountId::new("none"),
            start: Instant::now(),
        }
    }

    /// One more bot, logged in too; it is the lab's account from now on.
    pub(crate) fn add_account(&mut self, user: &str) -> AccountId {
        let bot = self.simulator.add_bot(user);
        self.log_in(&bot);
        self.account.clone()
    }

    pub(crate) fn log_in(&mut self, bot: &BotInfo) {
        self.account = AccountId::new(&bot.bot_id);
        let accounts = self.folder.path().join("openclaw-weixin/accounts");
        std::fs::create_dir_all(&accounts).unwrap();
        let json = serde_json::json!({ "token": bot.token, "baseUrl": BASE_URL, "userId": bot.user_id });
        std::fs::write(accounts.join(format!("{}.json", self.account)), json.to_string()).unwrap();
    }

    pub(crate) fn builder(&self) -> ChannelBuilder {
        let transport = InProcess(self.simulator.clone());
        // The simulator's clock.
        let (start, epoch) = (self.start, UNIX_EPOCH + Duration::from_millis(IN_PROCESS_EPOCH_MS));
        let client =
            Client::builder().base_url(BASE_URL).transport(transport).clock(move || epoch + start.elapsed());
        Channel::builder().state_dir(self.folder.path()).client(client).paused_clock()
    }

    /// For a runtime whose clock runs: with threads, for instance.
    pub(crate) fn real_time(&self) -> ChannelBuilder {
        let client = Client::builder().base_url(BASE_URL).transport(InProcess(self.simulator.clone()));
        Channel::builder().state_dir(self.folder.path()).client(client)
    }

    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(IN_PROCESS_EPOCH_MS) + self.start.elapsed()
    }

    /// The lab's state folder.
    pub(crate) async fn backend(&self) -> FolderBackend {
        let mut options = FolderOptions::default();
        options.paused_clock = true;
        FolderBackend::open(StateDir::new(self.folder.path()), options).await.unwrap()
    }

    /// A channel whose account runs.
    pub(crate) async fn start(&self) -> (Channel, Deliveries) {
        let (channel, deliveries) = self.builder().build().await.unwrap();
        channel.start(&self.account, config()).await.unwrap();
        (channel, deliveries)
    }

    /// Logs in with the phone; the new account, those that it replaces, and how many of their messages were not
    /// handled. The token of before is stale.
    pub(crate) async fn log_in_again(&self, channel: &Channel) -> (AccountId, Vec<AccountId>, usize) {
        for bot in self.simulator.bots().into_iter().filter(|bot| bot.user_id == USER) {
            self.simulator.revoke(&bot.bot_id);
        }
        let mut login = channel.login(&config()).await.unwrap();
        loop {
            match login.next().await.unwrap().unwrap() {
                ChannelLoginEvent::Progress(LoginEvent::Code(_)) => {
                    let pending = self.simulator.wait_for_qrcode(PATIENCE).await.unwrap();
                    self.phone().scan(&pending.qrcode).unwrap();
                    self.phone().confirm(&pending.qrcode).unwrap();
                }
                ChannelLoginEvent::LoggedIn { account, retired, unhandled } => {
                    assert!(login.next().await.is_none());
                    return (account, retired, unhandled);
                }
                ChannelLoginEvent::AlreadyBound => panic!("the token was stale"),
                _ => {}
            }
        }
    }

    /// The account's token.
    pub(crate) fn token(&self) -> String {
        let bots = self.simulator.bots();
        bots.into_iter().find(|bot| AccountId::new(&bot.bot_id) == self.account).unwrap().token
    }

    pub(crate) fn phone(&self) -> ilink_fixtures::Phone {
        self.simulator.phone(USER)
    }
}

/// An account that lets everybody in.
pub(crate) fn config() -> AccountConfig {
    let mut config = AccountConfig::default();
    config.cdn_base_url = Some(format!("{BASE_URL}/c2c"));
    config.open()
}

/// The next message, or the end of patience.
pub(crate) async fn next(deliveries: &mut Deliveries) -> Delivery {
    tokio::time::timeout(PATIENCE, deliveries.next())
        .await
        .expect("no message came")
        .expect("the channel is gone")
}

/// True if nothing comes for a long while.
pub(crate) async fn quiet(deliveries: &mut Deliveries) -> bool {
    tokio::time::timeout(PATIENCE, deliveries.next()).await.is_err()
}

pub(crate) async fn until(channel: &Channel, account: &AccountId, state: AccountState) {
    let mut events = channel.status_events();
    while channel.status(account).state != state {
        tokio::time::timeout(PATIENCE, events.recv()).await.expect("the state did not come").unwrap();
    }
}

#[tokio::test]
async fn the_state_folder_does_what_a_backend_does() {
    let folders = TempDir::new().unwrap();
    let count = std::cell::Cell::new(0);
    conformance::check(async || {
        count.set(count.get() + 1);
        let mut options = FolderOptions::default();
        if count.get() % 2 == 0 {
            options.durability = Durability::PowerLoss;
        }
        let state = StateDir::new(folders.path().join(count.get().to_string()));
        FolderBackend::open(state, options).await.unwrap()
    })
    .await;
}
