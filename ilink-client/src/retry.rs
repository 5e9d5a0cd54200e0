//! Retrying as data: a policy one can read, and delays that a seed makes repeatable.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER};

/// How often, how long and how far apart a request is repeated.
///
/// Only what is safe is repeated: a request that never reached the server, or an idempotent one after a
/// transport error, a 5xx or an answer that is not JSON. A server's `Retry-After` is honoured. `ret:-2` and
/// `-3` are never repeated here.
///
/// ```
/// use std::time::Duration;
/// use ilink_client::{Client, RetryPolicy};
///
/// let patient = RetryPolicy { max_attempts: 5, deadline: Duration::from_secs(120), ..RetryPolicy::default() };
/// let client = Client::builder().retry(patient).build()?;
/// # Ok::<(), ilink_client::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// At most this many attempts, the first included.
    pub max_attempts: u32,
    /// The first delay, before jitter; doubled each time.
    pub base_delay: Duration,
    /// No delay is longer than this; a longer `Retry-After` ends the retrying, and the error tells it.
    pub max_delay: Duration,
    /// All attempts and delays together, the last body included.
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(10),
            deadline: Duration::from_secs(45),
        }
    }
}

impl RetryPolicy {
    /// One attempt and no more.
    #[must_use]
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// The delay before the attempt after `failures` failures: exponential, with the upper half drawn at
    /// random, so that many clients do not come back in step.
    pub(crate) fn delay(&self, failures: u32, random: &Random) -> Duration {
        backoff(self.base_delay, self.max_delay, failures, random)
    }
}

/// What is told of a `Retry-After` at most: longer is as good as never, and times are added to it.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What `Retry-After` asks for: a number of seconds, or a date, which is held against `now`. What is neither, or lies in
/// the past, asks for nothing.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // What does not fit into a number is longer than anything that does.
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(now).ok()?
    };
    Some(asked.min(LONGEST_RETRY_AFTER))
}

/// `base · 2^(failures-1)`, at most `max`, between half and the whole of it.
pub(crate) fn backoff(base: Duration, max: Duration, failures: u32, random: &Random) -> Duration {
    let whole = base.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(max);
    whole.div_f64(2.0) + whole.div_f64(2.0).mul_f64(random.unit())
}

/// Randomness as a parameter: seeded by the system, or by a test.
#[derive(Debug)]
pub(crate) struct Random(Mutex<fastrand::Rng>);

impl Random {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(Mutex::new(seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed)))
    }

    pub(crate) fn next_u32(&self) -> u32 {
        self.rng().u32(..)
    }

    /// In `0.0..1.0`.
    fn unit(&self) -> f64 {
        self.rng().f64()
    }

    fn rng(&self) -> std::sync::MutexGuard<'_, fastrand::Rng> {
        // A generator has no state that a panic elsewhere could break.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_a_number_a_date_or_nothing() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_651_200); // 2026-11-26 00:00 UTC
        let asked = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now).map(|asked| asked.as_secs())
        };
        let year = 365 * 24 * 3600;
        for (text, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("86400", Some(86_400)),
            ("18446744073709551615", Some(year)),
            ("99999999999999999999999999", Some(year)),
            ("Thu, 26 Nov 2026 00:01:00 GMT", Some(60)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(year)),
            ("Thu, 26 Nov 2020 00:01:00 GMT", None),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("1e9", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(asked(text), seconds, "{text:?}");
        }
    }

    #[test]
    fn delays_double_up_to_the_cap_and_a_seed_repeats_them() {
        let policy = RetryPolicy::default();
        let delays = |seed| {
            let random = Random::new(Some(seed));
            (1..8).map(|failures| policy.delay(failures, &random)).collect::<Vec<_>>()
        };
        assert_eq!(delays(7), delays(7));
        assert_ne!(delays(7), delays(8));
        for (n, delay) in delays(7).into_iter().enumerate() {
            let whole = Duration::from_millis(500 << n).min(policy.max_delay);
            assert!(delay >= whole / 2 && delay <= whole, "{n}: {delay:?}");
        }
    }
}
