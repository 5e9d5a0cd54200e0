//! Limits as data.

use std::time::Duration;

/// Limits of transfers: attempts, times, sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferPolicy {
    /// At most this many attempts, the first included ([protocol §6]: three).
    ///
    /// [protocol §6]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#6-media
    pub max_attempts: u32,
    /// The delay before the second attempt, before jitter; doubled each time.
    pub base_delay: Duration,
    /// No delay is longer than this.
    pub max_delay: Duration,
    /// An attempt ends when nothing has moved for this long.
    pub idle_timeout: Duration,
    /// An attempt may take this long, and longer by its size.
    pub base_deadline: Duration,
    /// The slowest rate allowed: an attempt may take `base_deadline`, and one second more for each of these many bytes.
    pub min_bytes_per_second: u64,
    /// No download is larger than this, in bytes of plaintext. The official client allows 100 MB.
    pub max_download: u64,
}

impl Default for TransferPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            base_deadline: Duration::from_secs(60),
            min_bytes_per_second: 64 << 10,
            max_download: 100 << 20,
        }
    }
}

impl TransferPolicy {
    /// How long an attempt with this many bytes may take; a year at most, so that a time can be added to it.
    #[must_use]
    pub fn deadline(&self, bytes: u64) -> Duration {
        let more = Duration::from_secs(bytes / self.min_bytes_per_second.max(1));
        self.base_deadline.saturating_add(more).min(Duration::from_secs(365 * 24 * 3600))
    }

    /// The delay after this many failures: exponential, with the upper half drawn at random.
    pub(crate) fn delay(&self, failures: u32) -> Duration {
        let whole =
            self.base_delay.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.max_delay);
        whole.div_f64(2.0) + whole.div_f64(2.0).mul_f64(fastrand::f64())
    }
}

/// How far a transfer is, in bytes of ciphertext. It may fall back when an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes that were handed to the network, or came from it.
    pub done: u64,
    /// All bytes, where that is known.
    pub total: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_grows_with_size() {
        let policy = TransferPolicy::default();
        assert_eq!(policy.deadline(0), Duration::from_secs(60));
        assert_eq!(policy.deadline(64 << 20), Duration::from_secs(60 + 1024));
        let endless = TransferPolicy { min_bytes_per_second: 0, ..policy.clone() };
        assert_eq!(endless.deadline(u64::MAX), Duration::from_secs(365 * 24 * 3600));
        for failures in 1..40 {
            assert!(policy.delay(failures) <= policy.max_delay);
        }
    }
}
