//! Messages and cursors.

use std::time::Duration;

use ilink_client::{ContextToken, Cursor, UserId};

use super::{HOUR, Lab, dispatched, entry, failed};
use crate::backend::{
    Backend, Content, Counts, Health, Ledger, NewEntry, Reserve, Retention, SendRecord, Settlement,
};

pub(super) async fn messages_and_cursor<B: Backend>(lab: Lab<B>) {
    let cursor = async || lab.backend.cursor(&lab.a).await.expect("cursor");
    assert_eq!(cursor().await, None, "an account that was never polled has no cursor");
    let entries = [entry("1", "u"), entry("2", "v")];
    let fresh = lab.backend.ingest(&lab.lease, &Cursor::from("c1"), &entries, lab.now).await.expect("ingest");
    assert_eq!(fresh.len(), 2);
    assert!(fresh[0].id < fresh[1].id, "later messages have higher numbers");
    for (fresh, entry) in fresh.iter().zip(&entries) {
        assert_eq!((&fresh.raw, &fresh.peer), (&entry.raw, &entry.peer));
        assert_eq!((fresh.attempts, fresh.dispatched), (0, false));
    }
    assert_eq!(cursor().await, Some(Cursor::from("c1")), "the cursor goes along with the messages");
    assert_eq!(lab.backend.pending(&lab.a, 0, 100).await.expect("pending"), fresh, "they wait, in order");
    assert_eq!(lab.ingest("c2", &[]).await, [0_i64; 0]);
    assert_eq!(cursor().await.expect("a cursor").as_str(), "c2");
    assert_eq!(
        lab.backend.cursor(&lab.b).await.expect("cursor"),
        None,
        "accounts know nothing of each other"
    );
    assert!(lab.backend.pending(&lab.b, 0, 100).await.expect("pending").is_empty());
}

pub(super) async fn keys<B: Backend>(lab: Lab<B>) {
    let first = lab.ingest("c1", &[entry("1", "u"), entry("1", "u")]).await;
    assert_eq!(first.len(), 1, "a key is new once, in one batch too");
    lab.settle(&[Settlement::Acked(first[0])]).await.expect("done");
    assert!(lab.ingest("c2", &[entry("1", "u")]).await.is_empty(), "a handled message is known");
    let other = lab
        .backend
        .ingest(&lab.lease_b, &Cursor::from("c"), &[entry("1", "u")], lab.now)
        .await
        .expect("ingest");
    assert_eq!(other.len(), 1, "keys belong to their account");
}

pub(super) async fn content<B: Backend>(lab: Lab<B>) {
    let within = Duration::from_secs(15);
    let same = |key: &str| NewEntry {
        content: Some(Content { fingerprint: "f".to_owned(), within }),
        ..entry(key, "u")
    };
    assert_eq!(
        lab.ingest("c1", &[same("1"), same("2")]).await.len(),
        1,
        "equal content of one batch is one message"
    );
    let soon = lab.ingest_at("c2", &[same("3")], lab.now + within).await;
    assert!(soon.is_empty(), "equal content that comes soon is the same message");
    let later = lab.ingest_at("c3", &[same("4")], lab.now + within + Duration::from_secs(1)).await;
    assert_eq!(later.len(), 1, "later it is another one");
    let set_back = lab.ingest_at("c4", &[same("5")], lab.now - HOUR).await;
    assert_eq!(set_back.len(), 1, "what came later than now, before the clock was set back, is not soon");
}

pub(super) async fn settling<B: Backend>(lab: Lab<B>) {
    let ids = lab.ingest("c1", &[entry("1", "u"), entry("2", "u"), entry("3", "u")]).await;
    lab.settle(&[dispatched(ids[0], 1)]).await.expect("dispatched");
    let pending = lab.backend.pending(&lab.a, 0, 100).await.expect("pending");
    let flags: Vec<bool> = pending.iter().map(|entry| entry.dispatched).collect();
    assert_eq!(flags, [true, false, false], "a message that a handler had is known as such");
    let going = [NewEntry { dispatched: true, ..entry("4", "v") }];
    let fresh = lab.backend.ingest(&lab.lease, &Cursor::from("c2"), &going, lab.now).await.expect("ingest");
    assert!(fresh[0].dispatched, "and so is one that goes to a handler as soon as it is here");
    let pending = lab.backend.pending(&lab.a, ids[2], 100).await.expect("pending");
    assert_eq!((pending[0].id, pending[0].dispatched), (fresh[0].id, true));
    lab.settle(&[Settlement::Acked(fresh[0].id)]).await.expect("done");
    for _ in 0..2 {
        lab.settle(&[Settlement::Acked(ids[0])]).await.expect("done, twice");
    }
    lab.settle(&[failed(ids[1], "why", false)]).await.expect("failed");
    let pending = lab.backend.pending(&lab.a, 0, 100).await.expect("pending");
    assert_eq!(
        (pending.len(), pending[0].id, pending[0].attempts),
        (2, ids[1], 1),
        "a failed message waits on"
    );
    lab.settle(&[failed(ids[0], "too late", true)]).await.expect("failed");
    assert!(lab.backend.dead_letters(&lab.a, 0, 100).await.expect("dead letters").is_empty(), "done is done");
}

/// What a process began and could not end is known to the next one; what a stop ended is not held against it.
pub(super) async fn attempts<B: Backend>(lab: Lab<B>) {
    let going = [NewEntry { dispatched: true, ..entry("1", "u") }, entry("2", "v")];
    let ids = lab.ingest("c1", &going).await;
    let attempts = async || {
        let pending = lab.backend.pending(&lab.a, 0, 100).await.expect("pending");
        pending.iter().map(|entry| entry.attempts).collect::<Vec<_>>()
    };
    assert_eq!(attempts().await, [1, 0], "the first attempt of what goes at once is noted as it comes");
    for _ in 0..2 {
        lab.settle(&[dispatched(ids[0], 2), dispatched(ids[1], 1)]).await.expect("dispatched");
        assert_eq!(attempts().await, [2, 1], "said twice is said once");
    }
    lab.settle(&[failed(ids[1], "why", false)]).await.expect("failed");
    assert_eq!(attempts().await, [2, 1], "an attempt counts where it begins");
    for _ in 0..2 {
        lab.settle(&[Settlement::Returned { id: ids[0], attempt: 2 }]).await.expect("returned");
        assert_eq!(attempts().await, [1, 1], "one that a stop ended does not count");
    }
    lab.settle(&[dispatched(ids[0], 3)]).await.expect("dispatched");
    lab.settle(&[Settlement::Returned { id: ids[0], attempt: 2 }]).await.expect("returned");
    assert_eq!(attempts().await, [3, 1], "of an attempt before the last nothing is noted");
    lab.settle(&[Settlement::Acked(ids[0])]).await.expect("done");
    lab.settle(&[Settlement::Returned { id: ids[0], attempt: 3 }]).await.expect("returned");
    assert_eq!(lab.pending().await, ids[1..], "done is done");
}

/// Of one conversation, what does not fit into memory is read later.
pub(super) async fn one_conversation<B: Backend>(lab: Lab<B>) {
    let entries: Vec<NewEntry> =
        (0..9).map(|n| entry(&n.to_string(), if n % 3 == 0 { "u" } else { "U" })).collect();
    let ids = lab.ingest("c1", &entries).await;
    lab.settle(&[Settlement::Acked(ids[3])]).await.expect("done");
    let of = async |peer: &str, after, limit| {
        let page = lab.backend.pending_of(&lab.a, &UserId::from(peer), after, limit).await.expect("pending");
        page.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(of("u", 0, 9).await, [ids[0], ids[6]], "in order, and of this user exactly");
    assert_eq!(of("u", ids[0], 9).await, [ids[6]]);
    assert_eq!(of("U", 0, 2).await, ids[1..3], "as many as were asked for");
    assert!(of("nobody", 0, 9).await.is_empty());
}

pub(super) async fn dead_letters<B: Backend>(lab: Lab<B>) {
    let odd = odd("1", "");
    let ids = lab.ingest("c1", &[odd, entry("2", "u")]).await;
    assert_eq!(ids.len(), 1, "what no handler can be given is not new to one");
    lab.settle(&[failed(ids[0], "no use", true)]).await.expect("failed");
    assert!(lab.pending().await.is_empty());
    let dead = lab.backend.dead_letters(&lab.a, 0, 100).await.expect("dead letters");
    let reasons: Vec<&str> = dead.iter().map(|letter| letter.reason.as_str()).collect();
    assert_eq!(reasons, ["odd", "no use"], "oldest first, with their reasons");
    assert_eq!((dead[1].received, dead[1].entry.attempts), (lab.now, 1));
    let back = lab.backend.requeue(&lab.a, dead[1].entry.id).await.expect("requeue").expect("the letter");
    assert_eq!((back.id, back.attempts, back.raw), (ids[0], 0, dead[1].entry.raw.clone()));
    assert_eq!(lab.pending().await, ids, "it waits again");
    assert_eq!(lab.backend.requeue(&lab.a, ids[0]).await.expect("requeue"), None, "it is no dead letter now");
    assert_eq!(lab.backend.dead_letters(&lab.a, 0, 100).await.expect("dead letters").len(), 1);
}

pub(super) async fn pages_and_counts<B: Backend>(lab: Lab<B>) {
    let entries: Vec<NewEntry> = (0..7).map(|n| entry(&n.to_string(), "u")).collect();
    let ids = lab.ingest("c1", &entries).await;
    for id in &ids[4..] {
        lab.settle(&[failed(*id, "why", true)]).await.expect("failed");
    }
    // One that a handler had is among the others.
    lab.settle(&[dispatched(ids[1], 1)]).await.expect("dispatched");
    let page = async |after, limit| {
        let page = lab.backend.pending(&lab.a, after, limit).await.expect("pending");
        page.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 3).await, ids[..3], "the first page, in order");
    assert_eq!(page(ids[2], 3).await, ids[3..4], "the one behind it");
    assert!(page(ids[3], 3).await.is_empty(), "and no more");
    let dead = async |after, limit| {
        let page = lab.backend.dead_letters(&lab.a, after, limit).await.expect("dead letters");
        page.into_iter().map(|letter| letter.entry.id).collect::<Vec<_>>()
    };
    assert_eq!(dead(0, 2).await, ids[4..6]);
    assert_eq!(dead(ids[5], 2).await, ids[6..]);
    let counts = lab.backend.counts(&lab.a).await.expect("counts");
    assert_eq!(counts, Counts::new(4, 3, 0), "pending, dead, outbox");
    assert_eq!(lab.backend.counts(&lab.b).await.expect("counts"), Counts::default());
}

pub(super) async fn prune<B: Backend>(lab: Lab<B>) {
    let mut retention = Retention::default();
    (retention.done, retention.dead) = (HOUR * 2, HOUR * 2);
    (retention.done_rows, retention.dead_rows) = (2, 1);
    let old = lab.ingest("c1", &[entry("old", "u"), entry("waits", "u"), entry("old-dead", "u")]).await;
    let late = lab.now + HOUR * 3;
    let odd = odd("dead", "");
    let new = lab.ingest_at("c2", &[odd, entry("1", "u"), entry("2", "u"), entry("3", "u")], late).await;
    for id in [old[0], new[0], new[1], new[2]] {
        lab.settle(&[Settlement::Acked(id)]).await.expect("done");
    }
    lab.settle(&[failed(old[2], "why", true)]).await.expect("failed");
    let gone = lab.backend.prune(&lab.a, &retention, late).await.expect("prune");
    assert_eq!(gone, 3, "too old: one handled, one dead; too many: the oldest of the three handled");
    assert_eq!(lab.pending().await, [old[1]], "what waits is never pruned");
    assert_eq!(lab.backend.dead_letters(&lab.a, 0, 100).await.expect("dead letters").len(), 1);
    assert_eq!(
        lab.ingest_at("c3", &[entry("old", "u"), entry("3", "u")], late).await.len(),
        1,
        "a pruned key is new again"
    );
}

/// Strangers who are not let in grow no table without bound.
pub(super) async fn prune_users<B: Backend>(lab: Lab<B>) {
    let mut retention = Retention::default();
    (retention.users, retention.unanswered_rows) = (HOUR * 48, 2);
    let heard = async |user: &str, ago: u32| {
        lab.hear_from(user, lab.now - HOUR * ago).await;
        let pending = lab.backend.pending(&lab.a, 0, 100).await.expect("pending");
        let of_user = pending.iter().filter(|entry| entry.peer.as_str() == user);
        let acks: Vec<_> = of_user.map(|entry| Settlement::Acked(entry.id)).collect();
        lab.settle(&acks).await.expect("done");
    };
    for (user, ago) in [("stranger-1", 5), ("stranger-2", 4), ("stranger-3", 3), ("stranger-4", 2)] {
        heard(user, ago).await;
    }
    heard("answered", 6).await;
    lab.backend.reserve(&lab.a, None, &Reserve::new("answered"), lab.now - HOUR * 6).await.expect("reserve");
    heard("of-long-ago", 49).await;
    lab.backend
        .reserve(&lab.a, None, &Reserve::new("of-long-ago"), lab.now - HOUR * 49)
        .await
        .expect("reserve");
    // Its message is not handled yet.
    lab.hear_from("waits", lab.now - HOUR * 50).await;
    let gone = lab.backend.prune(&lab.a, &retention, lab.now).await.expect("prune");
    assert_eq!(
        gone, 6,
        "token and ledger of two strangers, and of who neither wrote nor was written to for long"
    );
    let known = async |user: &str| {
        let context = lab.backend.send_context(&lab.a, user).await.expect("context");
        assert_eq!(
            context.recipient.is_some(),
            context.ledger.last_inbound.is_some(),
            "{user}: both or none"
        );
        context.recipient.is_some()
    };
    for (user, is_known) in [
        ("stranger-1", false),
        ("stranger-2", false),
        ("stranger-3", true),
        ("stranger-4", true),
        ("answered", true),
        ("of-long-ago", false),
        ("waits", true),
    ] {
        assert_eq!(known(user).await, is_known, "{user}");
    }
    assert_eq!(lab.backend.prune(&lab.a, &retention, lab.now).await.expect("prune"), 0);
}

pub(super) async fn forget<B: Backend>(lab: Lab<B>) {
    let with_token = NewEntry { context_token: Some(ContextToken::from("t")), ..entry("1", "u") };
    lab.ingest("c1", &[with_token]).await;
    lab.backend.ingest(&lab.lease_b, &Cursor::from("c"), &[entry("1", "u")], lab.now).await.expect("ingest");
    let mut record = SendRecord::new(UserId::from("u"), None);
    record.accepted = Some(true);
    lab.backend.record_send(&lab.a, None, &record, lab.now).await.expect("health");
    lab.backend.forget(&lab.a).await.expect("forget");
    assert_eq!(lab.backend.cursor(&lab.a).await.expect("cursor"), None);
    assert!(lab.pending().await.is_empty());
    let context = lab.backend.send_context(&lab.a, "u").await.expect("context");
    assert_eq!((context.recipient, context.ledger), (None, Ledger::default()));
    assert_eq!(lab.backend.health(&lab.a).await.expect("health"), Health::default());
    assert_eq!(
        lab.backend.pending(&lab.b, 0, 100).await.expect("pending").len(),
        1,
        "and of the other one nothing"
    );
    let late = lab.settle(&[Settlement::Acked(1)]).await.expect_err("leases of before are lost");
    assert!(late.is_fenced(), "{late}");
}

/// A message that no handler can be given.
fn odd(key: &str, peer: &str) -> NewEntry {
    NewEntry { dead: Some("odd".to_owned()), ..entry(key, peer) }
}
