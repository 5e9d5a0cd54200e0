//! Futures that are dropped before their end: after no poll, after one, after two, …

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use ilink_client::{ClientId, Cursor, UserId};

use super::{Lab, entry};
use crate::backend::{Answer, Backend, Counts, NewOutboxItem, Settlement};

/// What a future comes to within a number of polls.
async fn cut<T>(polls: usize, work: Answer<'_, T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(|result| Some(result.expect("a method that is cut off later")))
    })
    .await
}

/// A batch is there with its cursor, or not at all; and repeating it brings what is missing.
pub(super) async fn ingest<B: Backend>(lab: Lab<B>) {
    for polls in 0.. {
        let cursor = Cursor::from(format!("c{polls}"));
        let before = lab.backend.cursor(&lab.a).await.expect("cursor");
        let known = lab.pending().await.len();
        let batch = [entry(&format!("{polls} 1"), "u"), entry(&format!("{polls} 2"), "u")];
        let ended = cut(polls, lab.backend.ingest(&lab.lease, &cursor, &batch, lab.now)).await;
        let now = lab.backend.cursor(&lab.a).await.expect("cursor");
        let new = lab.pending().await.len() - known;
        // It may happen between the two looks, but never by halves.
        assert!(new == 0 || new == 2, "half a batch is there after {polls} polls");
        assert!(now == before || now.as_ref() == Some(&cursor), "the cursor is of nobody");
        lab.backend.ingest(&lab.lease, &cursor, &batch, lab.now).await.expect("ingest");
        assert_eq!(lab.pending().await.len() - known, 2, "repeated after {polls} polls, it is there once");
        assert_eq!(lab.backend.cursor(&lab.a).await.expect("cursor"), Some(cursor));
        if ended.is_some() {
            return;
        }
    }
}

pub(super) async fn the_others<B: Backend>(lab: Lab<B>) {
    for polls in 0.. {
        let ids =
            lab.ingest("c", &[entry(&format!("{polls} 1"), "u"), entry(&format!("{polls} 2"), "u")]).await;
        let done = [Settlement::Acked(ids[0]), Settlement::Acked(ids[1])];
        let ended = cut(polls, lab.backend.settle(&lab.lease, &done)).await;
        let pending = lab.pending().await.len();
        assert!(pending == 0 || pending == 2, "half of what was settled is there after {polls} polls");
        lab.settle(&done).await.expect("settle");
        assert!(lab.pending().await.is_empty(), "repeated, it is settled");

        let id = ClientId::from(format!("id {polls}"));
        let item = [NewOutboxItem::new(UserId::from("u"), id, "{}", lab.now, lab.now)];
        let kept = cut(polls, lab.backend.enqueue(&lab.a, None, &item, 1)).await;
        assert!(
            lab.backend.enqueue(&lab.a, None, &item, 1).await.expect("enqueue"),
            "repeated, it is kept once"
        );
        let waiting = lab.backend.outbox(&lab.a, 0, 10).await.expect("outbox");
        assert_eq!(waiting.len(), 1);
        let out = cut(polls, lab.backend.dequeue(&lab.a, None, &[waiting[0].id])).await;
        lab.backend.dequeue(&lab.a, None, &[waiting[0].id]).await.expect("dequeue");
        assert_eq!(lab.backend.counts(&lab.a).await.expect("counts"), Counts::default());

        // Whoever got a lease and was not told lets go of it.
        lab.backend.release(&lab.lease_b).await.expect("release");
        let third = crate::account::AccountId::new(&format!("third {polls}"));
        let got = cut(polls, lab.backend.acquire(&third, "one that is cut off")).await;
        let lease = match got {
            Some(lease) => lease,
            None => soon(&lab, &third).await,
        };
        lab.backend.release(&lease).await.expect("release");
        if ended.is_some() && kept.is_some() && out.is_some() && polls > 8 {
            return;
        }
    }
}

/// What was cut off may take a moment to let go.
async fn soon<B: Backend>(lab: &Lab<B>, account: &crate::account::AccountId) -> crate::backend::Lease {
    for _ in 0..10_000 {
        if let Ok(lease) = lab.backend.acquire(account, "the conformance suite").await {
            return lease;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("a lease that nobody was told of is never let go of")
}
