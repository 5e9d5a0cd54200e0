//! Keeping a lease that lasts for a time only.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::account::lease_cell::LeaseCell;
use crate::backend::{Leases, StoreError};
use crate::error::Error;

/// Keeps the lease of an account.
pub(super) struct Keeper<'a> {
    leases: &'a dyn Leases,
    cell: &'a LeaseCell,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(leases: &'a dyn Leases, cell: &'a LeaseCell) -> Self {
        Self { leases, cell }
    }

    /// Renews the lease for as long as that works; resolves once the account may be another process's.
    pub(super) async fn lost(&self) -> Error {
        let (Some(lease), Some(mut time)) = (self.cell.get(), self.leases.lease_time()) else {
            return std::future::pending().await;
        };
        let fenced = || StoreError::fenced(&lease.account).into();
        loop {
            let good_until = self.cell.good_until().unwrap_or_else(Instant::now);
            // In good time for another try.
            sleep_until(good_until - time * 2 / 3).await;
            loop {
                let asked = Instant::now();
                // After a sleep of the whole process it is too late to ask.
                if asked >= good_until {
                    return fenced();
                }
                // Before it is renewed, so that it is no more than it was.
                time = self.leases.lease_time().unwrap_or(time);
                let next = (asked + time / 3).min(good_until);
                match timeout_at(next, self.leases.renew(&lease)).await {
                    Ok(Ok(())) => {
                        self.cell.renewed(asked + time);
                        break;
                    }
                    Ok(Err(error)) if error.is_fenced() => return error,
                    Ok(Err(error)) => {
                        tracing::warn!(account = %lease.account, %error, "the lease was not renewed");
                    }
                    Err(_) => tracing::warn!(account = %lease.account, "the lease was not renewed in time"),
                }
                sleep_until(next).await;
            }
        }
    }

    /// Does something that nobody may do without the lease, in steps that each look whether it is still good: a process
    /// that was stopped and goes on does not know yet that time has passed.
    pub(super) async fn while_good<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| if self.is_good() { work.as_mut().poll(context) } else { Poll::Pending }).await
    }

    fn is_good(&self) -> bool {
        self.cell.good_until().is_none_or(|time| Instant::now() < time)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::{advance, timeout};

    use super::*;
    use crate::account::AccountId;
    use crate::backend::{Answer, Lease, StoreErrorKind};

    const TIME: Duration = Duration::from_secs(6);

    /// What a renewal comes to.
    enum Renewal {
        Fails,
        Hangs,
        Refused,
    }

    /// Leases that are renewed, but for some.
    #[derive(Default)]
    struct Fake {
        renewals: AtomicUsize,
        next: Mutex<VecDeque<Option<Renewal>>>,
        no_time: bool,
    }

    impl Fake {
        fn then(renewals: impl IntoIterator<Item = Option<Renewal>>) -> Self {
            Self { next: Mutex::new(renewals.into_iter().collect()), ..Self::default() }
        }

        fn renewals(&self) -> usize {
            self.renewals.load(Ordering::Relaxed)
        }
    }

    impl Leases for Fake {
        fn acquire<'a>(&'a self, account: &'a AccountId, _: &'a str) -> Answer<'a, Lease> {
            Box::pin(async { Ok(Lease::new(account.clone(), 1)) })
        }

        fn renew<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
            self.renewals.fetch_add(1, Ordering::Relaxed);
            let next = self.next.lock().unwrap().pop_front().flatten();
            Box::pin(async move {
                match next {
                    None => Ok(()),
                    Some(Renewal::Fails) => Err(StoreError::new(StoreErrorKind::Transient, "not now").into()),
                    Some(Renewal::Hangs) => std::future::pending().await,
                    Some(Renewal::Refused) => Err(StoreError::fenced(&lease.account).into()),
                }
            })
        }

        fn release<'a>(&'a self, _: &'a Lease) -> Answer<'a, ()> {
            Box::pin(async { Ok(()) })
        }

        fn lease_time(&self) -> Option<Duration> {
            (!self.no_time).then_some(TIME)
        }
    }

    fn cell(fake: &Fake) -> LeaseCell {
        let cell = LeaseCell::default();
        cell.set(Lease::new(AccountId::new("a"), 1), fake.lease_time().map(|time| Instant::now() + time));
        cell
    }

    /// How long it was kept.
    async fn kept(fake: &Fake) -> Option<Duration> {
        let (cell, begin) = (cell(fake), Instant::now());
        let keeper = Keeper::new(fake, &cell);
        let error = timeout(TIME * 100, keeper.lost()).await.ok()?;
        assert!(error.is_fenced(), "{error}");
        Some(begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_three_times_as_often_as_it_has_to_be() {
        let fake = Fake::default();
        assert_eq!(kept(&fake).await, None, "it is never lost");
        assert!((299..=300).contains(&fake.renewals()), "{}", fake.renewals());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_without_a_time_is_let_be() {
        let fake = Fake { no_time: true, ..Fake::default() };
        assert_eq!(kept(&fake).await, None);
        assert_eq!(fake.renewals(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_in_between_loses_nothing() {
        let fake = Fake::then([Some(Renewal::Fails), None, Some(Renewal::Hangs), None]);
        assert_eq!(kept(&fake).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_cannot_be_renewed_is_lost_when_its_time_is_up() {
        let always = |renewal: fn() -> Renewal| (0..9).map(move |_| Some(renewal()));
        assert_eq!(kept(&Fake::then(always(|| Renewal::Fails))).await, Some(TIME));
        assert_eq!(kept(&Fake::then(always(|| Renewal::Hangs))).await, Some(TIME));
        // The time counts from when the last renewal that worked was asked for.
        let once = [None].into_iter().chain(always(|| Renewal::Hangs));
        assert_eq!(kept(&Fake::then(once)).await, Some(TIME / 3 + TIME));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_another_has_is_lost_at_once() {
        assert_eq!(kept(&Fake::then([None, Some(Renewal::Refused)])).await, Some(TIME * 2 / 3));
    }

    /// As after a SIGSTOP: the first thing that runs again is not the timer, and no renewal is asked for.
    #[tokio::test(start_paused = true)]
    async fn a_process_that_slept_does_nothing_more() {
        let fake = Fake::default();
        let cell = cell(&fake);
        let keeper = Keeper::new(&fake, &cell);
        let polls = AtomicUsize::new(0);
        let poll = poll_fn(|context| {
            polls.fetch_add(1, Ordering::Relaxed);
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let mut work = pin!(keeper.while_good(poll));
        let mut lost = pin!(keeper.lost());
        let both = poll_fn(|context| {
            let _ = work.as_mut().poll(context);
            lost.as_mut().poll(context)
        });
        assert!(timeout(Duration::ZERO, both).await.is_err());
        let before = polls.load(Ordering::Relaxed);
        assert!(before > 0);
        advance(TIME).await;
        assert!(cell.is_lost(1), "nor is a message handed out that came before");
        let both = poll_fn(|context| {
            let _ = work.as_mut().poll(context);
            lost.as_mut().poll(context)
        });
        assert!(both.await.is_fenced());
        assert_eq!((polls.load(Ordering::Relaxed), fake.renewals()), (before, 0));
    }
}
