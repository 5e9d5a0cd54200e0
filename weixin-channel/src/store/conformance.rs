//! What any [`Store`] has to keep to, as checks to run in its tests.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use weixin_channel::store::{SqliteStore, conformance};
//!
//! conformance::check(async || SqliteStore::in_memory().unwrap()).await;
//! # }
//! ```

#![allow(clippy::expect_used, reason = "a check fails by panicking")]

use std::time::{Duration, SystemTime};

use ilink_client::{ClientId, ContextToken, Cursor, UserId};

use super::{Content, Health, NewEntry, NewOutboxItem, Retention, Store};
use crate::account::AccountId;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Runs all checks, each on a new and empty store. What differs is shown by a panic that names it.
///
/// # Panics
/// If the store does not do what [`Store`] says, or if a method of it fails.
pub async fn check<S: Store>(new: impl AsyncFn() -> S) {
    let lab = async || Lab { store: new().await, a: AccountId::new("a"), b: AccountId::new("b"), now: now() };
    messages_and_cursor(lab().await).await;
    keys(lab().await).await;
    content(lab().await).await;
    settling(lab().await).await;
    dead_letters(lab().await).await;
    take_over(lab().await).await;
    context_tokens(lab().await).await;
    ledger(lab().await).await;
    health(lab().await).await;
    outbox(lab().await).await;
    prune(lab().await).await;
    forget(lab().await).await;
}

/// Two accounts of one store, at one moment.
struct Lab<S> {
    store: S,
    a: AccountId,
    b: AccountId,
    now: SystemTime,
}

/// Whole milliseconds: no store has to keep more.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_800_000_123)
}

fn entry(key: &str, peer: &str) -> NewEntry {
    NewEntry {
        key: key.to_owned(),
        content: None,
        peer: UserId::from(peer),
        raw: format!("{{\"key\":{key:?}}}"),
        written: None,
        dead: None,
        context_token: None,
    }
}

impl<S: Store> Lab<S> {
    /// The numbers of the messages that were new.
    async fn ingest(&self, cursor: &str, entries: &[NewEntry]) -> Vec<i64> {
        self.ingest_at(cursor, entries, self.now).await
    }

    async fn ingest_at(&self, cursor: &str, entries: &[NewEntry], now: SystemTime) -> Vec<i64> {
        let fresh = self.store.ingest(&self.a, &Cursor::from(cursor), entries, now).await;
        fresh.expect("ingest").into_iter().map(|entry| entry.id).collect()
    }

    async fn pending(&self) -> Vec<i64> {
        let pending = self.store.pending(&self.a).await.expect("pending");
        pending.into_iter().map(|entry| entry.id).collect()
    }
}

async fn messages_and_cursor<S: Store>(lab: Lab<S>) {
    let cursor = async || lab.store.cursor(&lab.a).await.expect("cursor");
    assert_eq!(cursor().await, None, "an account that was never polled has no cursor");
    let entries = [entry("1", "u"), entry("2", "v")];
    let fresh = lab.store.ingest(&lab.a, &Cursor::from("c1"), &entries, lab.now).await.expect("ingest");
    assert_eq!(fresh.len(), 2);
    assert!(fresh[0].id < fresh[1].id, "later messages have higher numbers");
    for (fresh, entry) in fresh.iter().zip(&entries) {
        assert_eq!((&fresh.raw, &fresh.peer), (&entry.raw, &entry.peer));
        assert_eq!((fresh.attempts, fresh.dispatched), (0, false));
    }
    assert_eq!(
        cursor().await,
        Some((Cursor::from("c1"), lab.now)),
        "the cursor goes along with the messages"
    );
    assert_eq!(lab.store.pending(&lab.a).await.expect("pending"), fresh, "they wait, in order");
    assert_eq!(lab.ingest("c2", &[]).await, [0_i64; 0]);
    assert_eq!(cursor().await.expect("a cursor").0.as_str(), "c2");
    assert_eq!(lab.store.cursor(&lab.b).await.expect("cursor"), None, "accounts know nothing of each other");
    assert!(lab.store.pending(&lab.b).await.expect("pending").is_empty());
}

async fn keys<S: Store>(lab: Lab<S>) {
    let first = lab.ingest("c1", &[entry("1", "u"), entry("1", "u")]).await;
    assert_eq!(first.len(), 1, "a key is new once, in one batch too");
    lab.store.done(&lab.a, first[0]).await.expect("done");
    assert!(lab.ingest("c2", &[entry("1", "u")]).await.is_empty(), "a handled message is known");
    let other =
        lab.store.ingest(&lab.b, &Cursor::from("c"), &[entry("1", "u")], lab.now).await.expect("ingest");
    assert_eq!(other.len(), 1, "keys belong to their account");
}

async fn content<S: Store>(lab: Lab<S>) {
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

async fn settling<S: Store>(lab: Lab<S>) {
    let ids = lab.ingest("c1", &[entry("1", "u"), entry("2", "u"), entry("3", "u")]).await;
    lab.store.dispatched(&lab.a, ids[0]).await.expect("dispatched");
    let pending = lab.store.pending(&lab.a).await.expect("pending");
    let flags: Vec<bool> = pending.iter().map(|entry| entry.dispatched).collect();
    assert_eq!(flags, [true, false, false], "a message that a handler had is known as such");
    for _ in 0..2 {
        lab.store.done(&lab.a, ids[0]).await.expect("done, twice");
    }
    lab.store.failed(&lab.a, ids[1], "why", false).await.expect("failed");
    let pending = lab.store.pending(&lab.a).await.expect("pending");
    assert_eq!(
        (pending.len(), pending[0].id, pending[0].attempts),
        (2, ids[1], 1),
        "a failed message waits on"
    );
    lab.store.failed(&lab.a, ids[0], "too late", true).await.expect("failed");
    assert!(lab.store.dead_letters(&lab.a).await.expect("dead letters").is_empty(), "done is done");
}

async fn dead_letters<S: Store>(lab: Lab<S>) {
    let odd = NewEntry { dead: Some("odd".to_owned()), ..entry("1", "") };
    let ids = lab.ingest("c1", &[odd, entry("2", "u")]).await;
    assert_eq!(ids.len(), 1, "what no handler can be given is not new to one");
    lab.store.failed(&lab.a, ids[0], "no use", true).await.expect("failed");
    assert!(lab.pending().await.is_empty());
    let dead = lab.store.dead_letters(&lab.a).await.expect("dead letters");
    let reasons: Vec<&str> = dead.iter().map(|letter| letter.reason.as_str()).collect();
    assert_eq!(reasons, ["odd", "no use"], "oldest first, with their reasons");
    assert_eq!((dead[1].received, dead[1].entry.attempts), (lab.now, 1));
    let back = lab.store.requeue(&lab.a, dead[1].entry.id).await.expect("requeue").expect("the letter");
    assert_eq!((back.id, back.attempts, back.raw), (ids[0], 0, dead[1].entry.raw.clone()));
    assert_eq!(lab.pending().await, ids, "it waits again");
    assert_eq!(lab.store.requeue(&lab.a, ids[0]).await.expect("requeue"), None, "it is no dead letter now");
    assert_eq!(lab.store.dead_letters(&lab.a).await.expect("dead letters").len(), 1);
}

async fn take_over<S: Store>(lab: Lab<S>) {
    let tokens = [(UserId::from("u"), ContextToken::from("t1"))];
    lab.store.take_over(&lab.a, &Cursor::from("old"), &tokens, lab.now).await.expect("take over");
    assert_eq!(lab.store.cursor(&lab.a).await.expect("cursor"), Some((Cursor::from("old"), lab.now)));
    assert_eq!(lab.store.context_tokens(&lab.a).await.expect("tokens"), tokens);
}

async fn context_tokens<S: Store>(lab: Lab<S>) {
    let with = |key: &str, peer: &str, token: &str| NewEntry {
        context_token: Some(ContextToken::from(token)),
        ..entry(key, peer)
    };
    let token = async |user: &str| {
        let found = lab.store.context_token(&lab.a, user).await.expect("token");
        found.map(|(user, token)| (user.as_str().to_owned(), token.as_str().to_owned()))
    };
    let pair = |user: &str, token: &str| Some((user.to_owned(), token.to_owned()));
    lab.ingest("c1", &[with("1", "O9@im.wechat", "t1")]).await;
    assert_eq!(
        token("o9@IM.wechat").await,
        pair("O9@im.wechat", "t1"),
        "case is folded, the answer is as spelled"
    );
    lab.ingest("c2", &[with("1", "O9@im.wechat", "t2")]).await;
    assert_eq!(
        token("O9@im.wechat").await,
        pair("O9@im.wechat", "t2"),
        "a repeated message may bring a newer one"
    );
    lab.ingest("c3", &[with("2", "o9@im.wechat", "t3")]).await;
    assert_eq!(token("O9@im.wechat").await, pair("O9@im.wechat", "t2"), "the exact spelling comes first");
    assert_eq!(token("nobody").await, None);
}

async fn ledger<S: Store>(lab: Lab<S>) {
    let user = UserId::from("u");
    let ledger = async || lab.store.ledger(&lab.a, &user).await.expect("ledger");
    assert_eq!(ledger().await, super::Ledger::default());
    lab.ingest("c1", &[entry("1", "u")]).await;
    assert_eq!(ledger().await.last_inbound, Some(lab.now), "it begins when the message came");
    for n in 1..3 {
        lab.store.note_send(&lab.a, &user, 10, lab.now + HOUR * n).await.expect("note");
    }
    let counted = ledger().await;
    assert_eq!((counted.sends, counted.bytes, counted.last_send), (2, 20, Some(lab.now + HOUR * 2)));
    lab.ingest_at("c2", &[entry("1", "u")], lab.now + HOUR * 3).await;
    assert_eq!(ledger().await.sends, 2, "a repeated message allows nothing new");
    let old = NewEntry { written: Some(lab.now - HOUR), ..entry("2", "u") };
    lab.ingest_at("c3", &[old], lab.now + HOUR * 3).await;
    assert_eq!(
        (ledger().await.sends, ledger().await.last_inbound),
        (2, Some(lab.now)),
        "nor does an older one"
    );
    let late = NewEntry { written: Some(lab.now + HOUR), ..entry("3", "u") };
    lab.ingest_at("c4", &[late], lab.now + HOUR * 4).await;
    assert_eq!(
        (ledger().await.sends, ledger().await.last_inbound),
        (0, Some(lab.now + HOUR)),
        "it counts from when it was written"
    );
    let future = NewEntry { written: Some(lab.now + HOUR * 9), ..entry("4", "u") };
    lab.ingest_at("c5", &[future], lab.now + HOUR * 5).await;
    assert_eq!(ledger().await.last_inbound, Some(lab.now + HOUR * 5), "and never from the future");
    lab.store.note_send(&lab.a, &user, 10, lab.now + HOUR * 5).await.expect("note");
    lab.ingest_at("c6", &[entry("5", "u")], lab.now).await;
    assert_eq!(
        (ledger().await.sends, ledger().await.last_inbound),
        (0, Some(lab.now)),
        "a clock that was set back holds up nothing"
    );
}

async fn health<S: Store>(lab: Lab<S>) {
    assert_eq!(lab.store.health(&lab.a).await.expect("health"), Health::default());
    let ill = Health { ids_seen: true, suppressed_since: Some(lab.now) };
    lab.store.set_health(&lab.a, ill).await.expect("set health");
    assert_eq!(lab.store.health(&lab.a).await.expect("health"), ill);
    assert_eq!(lab.store.health(&lab.b).await.expect("health"), Health::default());
}

async fn outbox<S: Store>(lab: Lab<S>) {
    let item = |user: &str, id: &str| NewOutboxItem {
        user: UserId::from(user),
        client_id: ClientId::from(id),
        item: format!("{{\"n\":{id:?}}}"),
        run: Some("run".to_owned()),
        created: lab.now,
        expires: lab.now + HOUR,
    };
    let put = async |items: &[NewOutboxItem]| lab.store.enqueue(&lab.a, items, 2).await.expect("enqueue");
    let waiting = async || lab.store.outbox(&lab.a).await.expect("outbox");
    assert!(put(&[item("u", "1")]).await);
    assert!(!put(&[item("u", "2"), item("u", "3")]).await, "more than the cap: none of them is kept");
    assert!(put(&[item("u", "4"), item("v", "5")]).await, "the cap is per user");
    let kept: Vec<_> = waiting().await.into_iter().map(|waiting| waiting.content).collect();
    assert_eq!(kept, [item("u", "1"), item("u", "4"), item("v", "5")], "in order, and whole");
    let first = waiting().await[0].id;
    lab.store.dequeue(&lab.a, first).await.expect("dequeue");
    assert_eq!(waiting().await.len(), 2);
    assert!(lab.store.outbox(&lab.b).await.expect("outbox").is_empty());
}

async fn prune<S: Store>(lab: Lab<S>) {
    let mut retention = Retention::default();
    (retention.done, retention.dead) = (HOUR * 2, HOUR * 2);
    (retention.done_rows, retention.dead_rows) = (2, 1);
    let old = lab.ingest("c1", &[entry("old", "u"), entry("waits", "u"), entry("old-dead", "u")]).await;
    let late = lab.now + HOUR * 3;
    let odd = NewEntry { dead: Some("odd".to_owned()), ..entry("dead", "") };
    let new = lab.ingest_at("c2", &[odd, entry("1", "u"), entry("2", "u"), entry("3", "u")], late).await;
    for id in [old[0], new[0], new[1], new[2]] {
        lab.store.done(&lab.a, id).await.expect("done");
    }
    lab.store.failed(&lab.a, old[2], "why", true).await.expect("failed");
    let gone = lab.store.prune(&lab.a, &retention, late).await.expect("prune");
    assert_eq!(gone, 3, "too old: one handled, one dead; too many: the oldest of the three handled");
    assert_eq!(lab.pending().await, [old[1]], "what waits is never pruned");
    assert_eq!(lab.store.dead_letters(&lab.a).await.expect("dead letters").len(), 1);
    assert_eq!(
        lab.ingest_at("c3", &[entry("old", "u"), entry("3", "u")], late).await.len(),
        1,
        "a pruned key is new again"
    );
}

async fn forget<S: Store>(lab: Lab<S>) {
    let with_token = NewEntry { context_token: Some(ContextToken::from("t")), ..entry("1", "u") };
    lab.ingest("c1", &[with_token]).await;
    lab.store.ingest(&lab.b, &Cursor::from("c"), &[entry("1", "u")], lab.now).await.expect("ingest");
    lab.store.set_health(&lab.a, Health { ids_seen: true, suppressed_since: None }).await.expect("health");
    lab.store.forget(&lab.a).await.expect("forget");
    assert_eq!(lab.store.cursor(&lab.a).await.expect("cursor"), None);
    assert!(lab.pending().await.is_empty());
    assert!(lab.store.context_tokens(&lab.a).await.expect("tokens").is_empty());
    assert_eq!(lab.store.ledger(&lab.a, &UserId::from("u")).await.expect("ledger"), super::Ledger::default());
    assert_eq!(lab.store.health(&lab.a).await.expect("health"), Health::default());
    assert_eq!(lab.store.pending(&lab.b).await.expect("pending").len(), 1, "and of the other one nothing");
}
