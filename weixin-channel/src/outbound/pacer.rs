//! How fast one bot sends.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::policy::Pace;

/// A token bucket, as the moment at which it will be full again, and the sends that were made of late.
#[derive(Debug, Default)]
pub(crate) struct Pacer(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    full_at: Option<Instant>,
    recent: VecDeque<Instant>,
}

impl Pacer {
    /// Waits for a token. Those who wait get theirs in the order in which they came.
    pub(crate) async fn take(&self, pace: &Pace) {
        let at = self.book(pace, Duration::MAX);
        if let Some(at) = at.filter(|at| *at > Instant::now()) {
            sleep_until(at).await;
        }
    }

    /// Takes a token if there is one.
    pub(crate) fn try_take(&self, pace: &Pace) -> bool {
        self.book(pace, Duration::ZERO).is_some()
    }

    /// Books the next token, if it can be had within `patience`.
    fn book(&self, pace: &Pace, patience: Duration) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.lock();
        let full_at = state.full_at.map_or(now, |at| at.max(now)) + pace.refill;
        let whole = pace.refill * pace.burst.max(1);
        let at = full_at.checked_sub(whole).map_or(now, |at| at.max(now));
        if at - now > patience {
            return None;
        }
        state.full_at = Some(full_at);
        state.recent.push_back(at);
        Some(at)
    }

    /// Sends of late, the ones that wait included.
    pub(crate) fn recent(&self, within: Duration) -> u32 {
        let now = Instant::now();
        let mut state = self.lock();
        state.recent.retain(|at| now.saturating_duration_since(*at) < within);
        u32::try_from(state.recent.len()).unwrap_or(u32::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody suspects more than that.
        while state.recent.len() > 256 {
            state.recent.pop_front();
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn note_3_a_burst_then_the_pace() {
        let (pacer, pace, start) = (Pacer::default(), Pace::default(), Instant::now());
        let mut times = Vec::new();
        for _ in 0..8 {
            pacer.take(&pace).await;
            times.push(start.elapsed().as_secs());
        }
        assert_eq!(times, [0, 0, 0, 0, 0, 3, 6, 9]);
        assert!(!pacer.try_take(&pace));
        tokio::time::sleep(pace.refill * 5).await;
        assert!(pacer.try_take(&pace));
        assert_eq!(pacer.recent(Duration::from_secs(16)), 2, "the one at 9 s, and the last");
    }

    #[tokio::test(start_paused = true)]
    async fn no_refill_time_is_no_pacing() {
        let pace = Pace { refill: Duration::ZERO, ..Pace::default() };
        let (pacer, start) = (Pacer::default(), Instant::now());
        for _ in 0..100 {
            pacer.take(&pace).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
