//! One process at a time, and nothing is written by those before.

use std::time::Duration;

use ilink_client::{ClientId, Cursor, UserId};

use super::{Lab, dispatched, entry};
use crate::backend::{Backend, NewOutboxItem, Reserve, SendRecord, Settlement};
use crate::error::Error;

pub(super) async fn one_at_a_time<B: Backend>(lab: Lab<B>) {
    let taken = lab.backend.acquire(&lab.a, "another").await.expect_err("it is held");
    let Error::Locked { account, holder } = &taken else { panic!("another error: {taken}") };
    assert_eq!((account, holder.as_str()), (&lab.a, "the conformance suite"), "it says who has it");
    lab.backend.renew(&lab.lease).await.expect("renew");
    for _ in 0..2 {
        lab.backend.release(&lab.lease).await.expect("release, twice");
    }
    lab.ingest("c1", &[entry("1", "u")]).await;
    let next = lab.backend.acquire(&lab.a, "another").await.expect("it is free at once");
    assert!(next.generation > lab.lease.generation, "later leases have higher generations");
    // Letting go of a lease that was lost is not letting go of the other's.
    lab.backend.release(&lab.lease).await.expect("release");
    lab.backend.acquire(&lab.a, "a third").await.expect_err("another has it");
    lab.backend.renew(&lab.lease_b).await.expect("accounts know nothing of each other");
    if let Some(time) = lab.backend.lease_time() {
        assert!(time >= Duration::from_secs(1), "a lease lasts longer than a moment");
    }
}

pub(super) async fn fencing<B: Backend>(lab: Lab<B>) {
    let ids = lab.ingest("c1", &[entry("1", "u")]).await;
    lab.backend.release(&lab.lease).await.expect("release");
    lab.settle(&[dispatched(ids[0], 1)]).await.expect("nobody else has it yet");
    let latest = lab.backend.acquire(&lab.a, "another").await.expect("acquire");
    let (old, item) = (Some(&lab.lease), |id: &str| {
        NewOutboxItem::new(UserId::from("u"), ClientId::from(id), "{}", lab.now, lab.now)
    });
    let unknown = Reserve { unknown_user: true, ..Reserve::new("u") };
    let record = SendRecord { accepted: Some(true), ..SendRecord::new(UserId::from("u"), None) };
    let refused = [
        lab.backend.renew(&lab.lease).await.err(),
        lab.backend.ingest(&lab.lease, &Cursor::from("c2"), &[entry("2", "u")], lab.now).await.err(),
        lab.settle(&[Settlement::Acked(ids[0])]).await.err(),
        lab.backend.reserve(&lab.a, old, &unknown, lab.now).await.err(),
        lab.backend.record_send(&lab.a, old, &record, lab.now).await.err(),
        lab.backend.enqueue(&lab.a, old, &[item("1")], 10).await.err(),
        lab.backend.dequeue(&lab.a, old, &[1]).await.err(),
    ];
    for (n, error) in refused.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("write {n} of a lease that was lost was taken"));
        assert!(error.is_fenced(), "{n}: {error}");
    }
    assert_eq!(lab.backend.cursor(&lab.a).await.expect("cursor"), Some(Cursor::from("c1")));
    assert_eq!(lab.pending().await, ids, "nothing has changed");
    assert_eq!(lab.sends_of(&UserId::from("u")).await, 0);
    assert!(lab.backend.outbox(&lab.a, 0, 10).await.expect("outbox").is_empty());
    lab.backend.settle(&latest, &[Settlement::Acked(ids[0])]).await.expect("the latest lease writes");
    lab.backend.reserve(&lab.a, None, &unknown, lab.now).await.expect("any process sends");
}
