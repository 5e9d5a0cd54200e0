//! Uploads and downloads as users of the crate see them: against the simulator over loopback, and against a scripted
//! transport on a paused clock.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bad_media;
mod cuts;
mod download;
mod hostile;
mod https;
mod remote;
mod script;
mod upload;
mod upload_faults;

use ilink_client::{Bot, Client, Credentials};
use ilink_fixtures::{BotInfo, DEFAULT_USER, Phone, Simulator};
use weixin_media::{Media, TransferPolicy};

/// A simulator that listens, and media for a bot of it.
pub(crate) struct Lab {
    pub(crate) simulator: Simulator,
    pub(crate) media: Media,
    pub(crate) bot: Bot,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let simulator = Simulator::start().await.unwrap();
        let bot = simulator.add_bot(DEFAULT_USER);
        let client = Client::builder().base_url(simulator.url()).build().unwrap();
        let bot = bot_of(&client, &bot);
        // Failures are played on purpose: nothing is gained by waiting after them.
        let policy = TransferPolicy { base_delay: std::time::Duration::ZERO, ..TransferPolicy::default() };
        let media =
            Media::new(bot.clone()).unwrap().cdn_base_url(&simulator.cdn_url()).unwrap().policy(policy);
        Self { simulator, media, bot }
    }

    pub(crate) fn phone(&self) -> Phone {
        self.simulator.phone(DEFAULT_USER)
    }
}

pub(crate) fn bot_of(client: &Client, bot: &BotInfo) -> Bot {
    client.bot(Credentials::new(bot.bot_id.as_str(), bot.token.as_str())).unwrap()
}

/// Bytes that are the same each time and compress into nothing.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .collect()
}
