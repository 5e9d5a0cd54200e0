//! The channel against the simulator in this process, on a paused clock: what is asserted about time is exact.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../ilink-client/tests/it/in_process.rs"]
mod in_process;

mod failing_store;
mod inbound;
mod outbound;
mod setup;

use std::time::Duration;

use ilink_fixtures::{BotInfo, Simulator};
use tempfile::TempDir;
use weixin_channel::{AccountConfig, AccountId, Channel, ChannelBuilder, Deliveries, Delivery, LinkState};

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
}

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self::empty();
        let bot = lab.simulator.add_bot(USER);
        lab.with_account(&bot)
    }

    pub(crate) fn empty() -> Self {
        let simulator = Simulator::builder().in_process();
        Self { simulator, folder: tempfile::tempdir().unwrap(), account: AccountId::new("none") }
    }

    fn with_account(mut self, bot: &BotInfo) -> Self {
        self.account = AccountId::new(&bot.bot_id);
        let accounts = self.folder.path().join("openclaw-weixin/accounts");
        std::fs::create_dir_all(&accounts).unwrap();
        let json = serde_json::json!({ "token": bot.token, "baseUrl": BASE_URL, "userId": bot.user_id });
        std::fs::write(accounts.join(format!("{}.json", self.account)), json.to_string()).unwrap();
        self
    }

    pub(crate) fn builder(&self) -> ChannelBuilder {
        let transport = InProcess(self.simulator.clone());
        Channel::builder().state_dir(self.folder.path()).base_url(BASE_URL).transport(transport)
    }

    /// A channel whose account runs.
    pub(crate) async fn start(&self) -> (Channel, Deliveries) {
        let (channel, deliveries) = self.builder().build().unwrap();
        let mut config = AccountConfig::default();
        config.cdn_base_url = Some(format!("{BASE_URL}/c2c"));
        channel.start(&self.account, config).await.unwrap();
        (channel, deliveries)
    }

    pub(crate) fn phone(&self) -> ilink_fixtures::Phone {
        self.simulator.phone(USER)
    }
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

pub(crate) async fn until(channel: &Channel, account: &AccountId, state: LinkState) {
    let mut events = channel.status_events();
    while channel.status(account).state != state {
        tokio::time::timeout(PATIENCE, events.recv()).await.expect("the state did not come").unwrap();
    }
}
