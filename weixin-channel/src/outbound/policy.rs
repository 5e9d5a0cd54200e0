//! How much may be sent, and what a refusal means: counted by ourselves, since the server does not say.
//!
//! The figures are what users measured (field notes 1–3 and 23), not what Tencent promised; each is a setting.

use std::time::{Duration, SystemTime};

use crate::backend::{Health, Ledger, Reserve};
use crate::markdown::Mode;
use crate::outbound::refusal::Refusal;
use crate::split::SplitLimits;

/// What sends keep to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SendPolicy {
    /// Sends that a user's message allows; 10 ([field note 3]).
    ///
    /// [field note 3]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-3
    pub per_inbound: u32,
    /// How long after the user's last message; 24 h ([field note 3]).
    ///
    /// [field note 3]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-3
    pub window: Duration,
    /// Sends of those that are kept for the final answer; 1.
    pub reserve: u32,
    /// Tool progress is sent only while at least this number of sends is left; 4 ([field note 37]).
    ///
    /// [field note 37]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-37
    pub progress_floor: u32,
    /// Whether a send beyond these limits is refused here, without asking the server; yes. A refused send is said to
    /// count too, and too many cost the whole bot minutes of silence.
    pub enforce: bool,
    /// The size of one message ([field note 23]).
    ///
    /// [field note 23]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-23
    pub split: SplitLimits,
    /// More bytes than this in one text are why the server refused it; 16,384 ([field note 23]).
    ///
    /// [field note 23]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-23
    pub server_bytes: usize,
    /// How fast one bot sends.
    pub pace: Pace,
    /// The same content, to the same user, in the same run and with no message from them in between, is sent once
    /// within this time; 5 s ([field note 11]).
    ///
    /// [field note 11]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-11
    pub repeat_window: Duration,
    /// What becomes of Markdown; it is sent as it is, since phones render it ([field note 26]).
    ///
    /// [field note 26]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-26
    pub markdown: Mode,
    /// Whether sends that are refused for now wait for the user's next message; no.
    pub outbox: Option<OutboxPolicy>,
}

/// How fast one bot sends: at once as long as there are tokens, then at their pace. 18 sends in 34 s brought refusals
/// for minutes, 10 in 170 s did not ([field note 3]).
///
/// [field note 3]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-3
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pace {
    /// Tokens at most; 5.
    pub burst: u32,
    /// The time that brings one back; 3 s. Zero: no pacing.
    pub refill: Duration,
    /// More sends than this …; 10
    pub suspect: u32,
    /// … within this time are why the server refuses, if nothing else is; 60 s.
    pub suspect_within: Duration,
}

/// Sends that wait for their user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxPolicy {
    /// Older ones are dropped; 3 days.
    pub ttl: Duration,
    /// The most per user; 20.
    pub cap: u32,
}

impl Default for SendPolicy {
    fn default() -> Self {
        Self {
            per_inbound: 10,
            window: Duration::from_secs(24 * 60 * 60),
            reserve: 1,
            progress_floor: 4,
            enforce: true,
            split: SplitLimits::default(),
            server_bytes: 16_384,
            pace: Pace::default(),
            repeat_window: Duration::from_secs(5),
            markdown: Mode::default(),
            outbox: None,
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            burst: 5,
            refill: Duration::from_secs(3),
            suspect: 10,
            suspect_within: Duration::from_secs(60),
        }
    }
}

impl Default for OutboxPolicy {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(3 * 24 * 60 * 60), cap: 20 }
    }
}

/// How much a send matters when sends run short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Importance {
    /// The final answer: it may have the last send.
    Answer,
    /// A part on the way to it.
    Block,
    /// A sign that a tool works.
    Progress,
}

impl SendPolicy {
    /// Sends that are left for a user.
    #[must_use]
    pub fn remaining(&self, ledger: &Ledger) -> u32 {
        self.per_inbound.saturating_sub(ledger.sends)
    }

    /// What is asked of the budget for sends of some importance.
    pub(crate) fn reserve(&self, user: &str, sends: u32, importance: Importance, now: SystemTime) -> Reserve {
        let mut wanted = Reserve::new(user);
        wanted.sends = sends;
        if self.enforce || importance != Importance::Answer {
            let floor = self.floor(importance);
            wanted.max_sends = Some(self.per_inbound.saturating_add(1).saturating_sub(floor));
        }
        if self.enforce {
            wanted.written_after = now.checked_sub(self.window);
        }
        wanted
    }

    /// How many sends must be left for one of some importance, itself included.
    fn floor(&self, importance: Importance) -> u32 {
        match importance {
            Importance::Answer => 1,
            Importance::Block => self.reserve.saturating_add(1),
            Importance::Progress => self.progress_floor.max(self.reserve.saturating_add(1)),
        }
    }

    /// What forbids a send, before the server is asked.
    pub(crate) fn check(
        &self,
        ledger: &Ledger,
        importance: Importance,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let floor = self.floor(importance);
        // Signs and parts on the way give way even where the limits are not enforced.
        if (self.enforce || importance != Importance::Answer) && self.remaining(ledger) < floor {
            return Err(Refusal::QuotaExhausted);
        }
        if self.enforce && self.is_closed(ledger, now) {
            return Err(Refusal::WindowClosed);
        }
        Ok(())
    }

    /// Why the server answered `ret:-2`. `ledger` counts the refused send too.
    pub(crate) fn classify(
        &self,
        ledger: &Ledger,
        bytes: usize,
        recent: u32,
        health: Health,
        now: SystemTime,
    ) -> Refusal {
        if self.is_closed(ledger, now) {
            Refusal::WindowClosed
        } else if ledger.sends > self.per_inbound {
            Refusal::QuotaExhausted
        } else if bytes > self.server_bytes {
            Refusal::TooLong
        } else if health.suppressed_since.is_some() {
            Refusal::Suppressed
        } else if recent > self.pace.suspect {
            Refusal::Throttled
        } else {
            Refusal::Unknown
        }
    }

    /// A user who was never heard of here has no window to close: another program may have been used before.
    fn is_closed(&self, ledger: &Ledger, now: SystemTime) -> bool {
        ledger
            .last_inbound
            .is_some_and(|last| now.duration_since(last).is_ok_and(|since| since >= self.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn ledger(sends: u32, ago: Duration, now: SystemTime) -> Ledger {
        Ledger { last_inbound: Some(now - ago), sends, ..Ledger::default() }
    }

    #[test]
    fn note_3_the_last_slot_is_the_answers() {
        let (policy, now) = (SendPolicy::default(), SystemTime::now());
        let allowed = |sends| {
            [Importance::Progress, Importance::Block, Importance::Answer]
                .map(|importance| policy.check(&ledger(sends, HOUR, now), importance, now).is_ok())
        };
        assert_eq!(allowed(6), [true, true, true], "4 are left");
        assert_eq!(allowed(7), [false, true, true]);
        assert_eq!(allowed(9), [false, false, true]);
        assert_eq!(allowed(10), [false, false, false]);
    }

    #[test]
    fn note_3_the_window() {
        let (policy, now) = (SendPolicy::default(), SystemTime::now());
        let check = |ago| policy.check(&ledger(0, ago, now), Importance::Answer, now);
        assert_eq!(check(HOUR * 23), Ok(()));
        assert_eq!(check(HOUR * 24), Err(Refusal::WindowClosed));
        let never = Ledger::default();
        assert_eq!(policy.check(&never, Importance::Answer, now), Ok(()));
    }

    #[test]
    fn limits_that_are_not_enforced_let_answers_through() {
        let (mut policy, now) = (SendPolicy::default(), SystemTime::now());
        policy.enforce = false;
        let late = ledger(30, HOUR * 30, now);
        assert_eq!(policy.check(&late, Importance::Answer, now), Ok(()));
        assert!(policy.check(&late, Importance::Block, now).is_err());
    }

    #[test]
    fn note_2_a_refusal_is_told_by_our_own_counting() {
        let (policy, now) = (SendPolicy::default(), SystemTime::now());
        let healthy = Health::default();
        let suppressed = Health { suppressed_since: Some(now), ..healthy };
        let why = |sends, ago, bytes, recent, health| {
            policy.classify(&ledger(sends, ago, now), bytes, recent, health, now)
        };
        assert_eq!(why(11, HOUR, 10, 1, healthy), Refusal::QuotaExhausted);
        assert_eq!(why(1, HOUR * 25, 10, 1, healthy), Refusal::WindowClosed);
        assert_eq!(why(1, HOUR, 20_000, 1, healthy), Refusal::TooLong);
        assert_eq!(why(1, HOUR, 10, 1, suppressed), Refusal::Suppressed);
        assert_eq!(why(1, HOUR, 10, 18, healthy), Refusal::Throttled);
        assert_eq!(why(1, HOUR, 10, 1, healthy), Refusal::Unknown);
    }
}
