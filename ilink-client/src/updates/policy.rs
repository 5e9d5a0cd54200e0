//! How patient an update stream is.

use std::time::Duration;

/// How [`Updates`](super::Updates) behaves. The defaults answer what users met in practice: sessions that end
/// ([field note 5]), polls that are cut off ([field note 13]), not answered ([field note 14]) or answered at once
/// ([field note 15]).
///
/// [field note 5]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-5
/// [field note 13]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-13
/// [field note 14]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-14
/// [field note 15]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-15
///
/// ```no_run
/// # fn run(bot: ilink_client::Bot) {
/// use std::time::Duration;
/// use ilink_client::{Cursor, UpdatesPolicy};
///
/// let mut policy = UpdatesPolicy::default();
/// policy.stale_probe = Duration::from_secs(3600);
/// let updates = bot.updates(Cursor::default()).policy(policy);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdatesPolicy {
    /// Poll lengths to try: the first one at start, the next one whenever a gateway cuts a poll short
    /// (HTTP 504, 524 or an early close, [field note 13]). Hosts below `wechat.com` start at the last one.
    ///
    /// [field note 13]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-13
    pub poll_lengths: Vec<Duration>,
    /// How much longer than the server's announced hold we wait before a poll counts as timed out.
    pub grace: Duration,
    /// After this many time-outs in a row all connections are closed and opened again ([field note 14]).
    ///
    /// [field note 14]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-14
    pub deaf_after: u32,
    /// The first delay after a failed poll; doubled each time, with jitter.
    pub base_delay: Duration,
    /// The longest delay after a failed poll.
    pub max_delay: Duration,
    /// An empty answer that comes faster than this is suspicious, and so is one that only brings again what was there;
    /// three in a row are slowed down ([field note 15]).
    ///
    /// [field note 15]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-15
    pub quick: Duration,
    /// The longest delay between suspicious answers.
    pub max_quick_delay: Duration,
    /// After a `-14`: `notifystart`, then polls after these delays ([field note 5]).
    ///
    /// [field note 5]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-5
    pub stale_retries: Vec<Duration>,
    /// The pause between later polls, which find out whether the session has come back by itself.
    pub stale_probe: Duration,
    /// A server's `Retry-After` is honoured up to this; 5 min. Whoever stands between could otherwise make a bot deaf for
    /// as long as they like.
    pub max_retry_after: Duration,
}

impl Default for UpdatesPolicy {
    fn default() -> Self {
        let seconds = |list: &[u64]| list.iter().copied().map(Duration::from_secs).collect();
        Self {
            poll_lengths: seconds(&[35, 20, 10]),
            grace: Duration::from_secs(2),
            deaf_after: 3,
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(30),
            quick: Duration::from_secs(1),
            max_quick_delay: Duration::from_secs(10),
            stale_retries: seconds(&[5, 15, 60]),
            stale_probe: Duration::from_secs(15 * 60),
            max_retry_after: Duration::from_secs(5 * 60),
        }
    }
}
