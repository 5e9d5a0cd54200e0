//! What sends need.

use std::time::Duration;

use ilink_client::{ClientId, ContextToken, UserId};

use super::{HOUR, Lab, entry};
use crate::backend::{Backend, Health, Ledger, NewEntry, NewOutboxItem, Reserve, SendRecord};

pub(super) async fn context_tokens<B: Backend>(lab: Lab<B>) {
    let with = |key: &str, peer: &str, token: &str| NewEntry {
        context_token: Some(ContextToken::from(token)),
        ..entry(key, peer)
    };
    let token = async |user: &str| {
        let found = lab.backend.send_context(&lab.a, user).await.expect("context").recipient;
        found.map(|found| (found.user.as_str().to_owned(), found.token.as_str().to_owned()))
    };
    let pair = |user: &str, token: &str| Some((user.to_owned(), token.to_owned()));
    lab.ingest("c1", &[with("1", "O9aB@im.wechat", "t1")]).await;
    assert_eq!(
        token("o9ab@im.wechat").await,
        pair("O9aB@im.wechat", "t1"),
        "an id that was lower-cased finds the only user who fits, the answer is as spelled"
    );
    for other in ["O9AB@im.wechat", "o9ab@IM.wechat", "o9aB@im.wechat"] {
        assert_eq!(token(other).await, None, "an id with upper case in it was not lower-cased: {other}");
    }
    lab.ingest("c2", &[with("1", "O9aB@im.wechat", "t2")]).await;
    assert_eq!(
        token("O9aB@im.wechat").await,
        pair("O9aB@im.wechat", "t2"),
        "a repeated message may bring a newer one"
    );
    lab.ingest("c3", &[with("2", "o9Ab@im.wechat", "t3")]).await;
    assert_eq!(token("O9aB@im.wechat").await, pair("O9aB@im.wechat", "t2"), "each has their own");
    assert_eq!(token("o9Ab@im.wechat").await, pair("o9Ab@im.wechat", "t3"), "each has their own");
    assert_eq!(token("o9ab@im.wechat").await, None, "of two who fit, none is meant");
    assert_eq!(token("nobody").await, None);
}

/// A reply never goes to another user, whatever theirs is called.
pub(super) async fn users_that_differ_in_case<B: Backend>(lab: Lab<B>) {
    let with_token = |key: &str, peer: &str| NewEntry {
        context_token: Some(ContextToken::from(format!("token of {peer}"))),
        ..entry(key, peer)
    };
    lab.ingest("c1", &[with_token("1", "o9ABC"), entry("2", "o9abc")]).await;
    let context = async |user: &str| lab.backend.send_context(&lab.a, user).await.expect("context");
    let found = context("o9abc").await;
    assert_eq!(found.recipient, None, "they have written, and brought no token");
    assert_eq!(found.ledger.last_inbound, Some(lab.now), "their own ledger");
    let reserved = lab.backend.reserve(&lab.a, None, &Reserve::new("o9abc"), lab.now).await.expect("reserve");
    assert!(!reserved.granted && reserved.context.recipient.is_none());
    assert_eq!(lab.sends_of(&UserId::from("o9ABC")).await, 0, "nothing was taken out of another's budget");
    lab.ingest("c2", &[with_token("3", "o9abc")]).await;
    for user in ["o9abc", "o9ABC"] {
        let recipient = context(user).await.recipient.expect("a user");
        assert_eq!((recipient.user.as_str(), recipient.token.as_str()), (user, &*format!("token of {user}")));
    }
    // A send to somebody who never wrote makes them no user.
    let wanted = Reserve { unknown_user: true, ..Reserve::new("x9yz") };
    assert!(lab.backend.reserve(&lab.a, None, &wanted, lab.now).await.expect("reserve").granted);
    lab.ingest("c3", &[with_token("4", "X9yZ")]).await;
    assert_eq!(context("x9yz").await.recipient.expect("the only one").user.as_str(), "X9yZ");
}

pub(super) async fn ledger<B: Backend>(lab: Lab<B>) {
    let send = async |now| {
        let wanted = Reserve { bytes: 10, unknown_user: true, ..Reserve::new("u") };
        let reserved = lab.backend.reserve(&lab.a, None, &wanted, now).await.expect("reserve");
        assert!(reserved.granted, "without limits everything is granted");
    };
    let ledger = async || lab.backend.send_context(&lab.a, "u").await.expect("context").ledger;
    assert_eq!(ledger().await, Ledger::default());
    lab.ingest("c1", &[entry("1", "u")]).await;
    assert_eq!(ledger().await.last_inbound, Some(lab.now), "it begins when the message came");
    for n in 1..3 {
        send(lab.now + HOUR * n).await;
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
    send(lab.now + HOUR * 5).await;
    lab.ingest_at("c6", &[entry("5", "u")], lab.now).await;
    assert_eq!(
        (ledger().await.sends, ledger().await.last_inbound),
        (0, Some(lab.now)),
        "a clock that was set back holds up nothing"
    );
}

pub(super) async fn reserve<B: Backend>(lab: Lab<B>) {
    let ask = async |wanted: &Reserve| {
        lab.backend.reserve(&lab.a, Some(&lab.lease), wanted, lab.now).await.expect("reserve")
    };
    let unknown = ask(&Reserve::new("u")).await;
    assert!(!unknown.granted && unknown.context.recipient.is_none(), "nobody sends to whom nobody knows");
    lab.hear_from("U@im.wechat", lab.now - HOUR).await;
    let user = UserId::from("U@im.wechat");
    let wanted = Reserve { sends: 2, bytes: 30, max_sends: Some(3), ..Reserve::new("u@im.wechat") };
    let first = ask(&wanted).await;
    assert!(first.granted);
    let recipient = first.context.recipient.expect("the user");
    assert_eq!((&recipient.user, recipient.token.as_str()), (&user, "token of U@im.wechat"));
    let ledger = first.context.ledger;
    assert_eq!((ledger.sends, ledger.bytes), (2, 30), "the answer counts them");
    assert_eq!((ledger.last_send, ledger.last_inbound), (Some(lab.now), Some(lab.now - HOUR)));
    let second = ask(&wanted).await;
    assert!(!second.granted, "two more would be four");
    assert_eq!(second.context.ledger, ledger, "what is refused is not counted");
    let late = Reserve { written_after: Some(lab.now - HOUR), ..Reserve::new("u@im.wechat") };
    assert!(!ask(&late).await.granted, "a message of that very moment is too old");
    let in_time = late.written_after.map(|time| time - Duration::from_millis(1));
    assert!(ask(&Reserve { written_after: in_time, ..late }).await.granted);
    assert_eq!(lab.sends_of(&user).await, 3);

    let mut record = SendRecord::new(user.clone(), ledger.last_inbound);
    (record.unused, record.unused_bytes) = (1, 10);
    lab.backend.record_send(&lab.a, None, &record, lab.now).await.expect("record");
    assert_eq!(lab.sends_of(&user).await, 2, "what was not made goes back");
    lab.hear_from("U@im.wechat", lab.now).await;
    ask(&Reserve::new("u@im.wechat")).await;
    lab.backend.record_send(&lab.a, None, &record, lab.now).await.expect("record");
    assert_eq!(lab.sends_of(&user).await, 1, "but not into the budget of the user's next message");
}

/// No two take the same send out of a budget.
pub(super) async fn reserving_at_once<B: Backend>(lab: Lab<B>) {
    lab.hear_from("u", lab.now).await;
    let wanted = Reserve { max_sends: Some(3), ..Reserve::new("u") };
    let ask = || lab.backend.reserve(&lab.a, None, &wanted, lab.now);
    let (one, two, three, four, five) = tokio::join!(ask(), ask(), ask(), ask(), ask());
    let granted = [one, two, three, four, five]
        .into_iter()
        .filter(|reserved| reserved.as_ref().expect("reserve").granted);
    assert_eq!(granted.count(), 3);
    assert_eq!(lab.sends_of(&UserId::from("u")).await, 3);
}

pub(super) async fn health<B: Backend>(lab: Lab<B>) {
    let accept = async |named, now| {
        let mut record = SendRecord::new(UserId::from("u"), None);
        record.accepted = Some(named);
        let health = lab.backend.record_send(&lab.a, Some(&lab.lease), &record, now).await.expect("record");
        assert_eq!(lab.backend.health(&lab.a).await.expect("health"), health);
        let context = lab.backend.send_context(&lab.a, "u").await.expect("context");
        assert_eq!(context.health, health);
        health
    };
    assert_eq!(lab.backend.health(&lab.a).await.expect("health"), Health::default());
    assert_eq!(
        accept(false, lab.now).await,
        Health::default(),
        "a server that names nothing is not suspected"
    );
    assert_eq!(accept(true, lab.now).await, Health::new(true, None));
    let ill = Health::new(true, Some(lab.now + HOUR));
    assert_eq!(accept(false, lab.now + HOUR).await, ill, "it used to");
    assert_eq!(accept(false, lab.now + HOUR * 2).await, ill, "since the first one");
    assert_eq!(accept(true, lab.now + HOUR * 3).await, Health::new(true, None), "and again");
    assert_eq!(lab.backend.health(&lab.b).await.expect("health"), Health::default());
}

pub(super) async fn outbox<B: Backend>(lab: Lab<B>) {
    let item = |user: &str, id: &str| {
        let json = format!("{{\"n\":{id:?}}}");
        let (user, id) = (UserId::from(user), ClientId::from(id));
        let mut item = NewOutboxItem::new(user, id, json, lab.now, lab.now + HOUR);
        item.run = Some("run".to_owned());
        item
    };
    let put = async |items: &[NewOutboxItem]| {
        lab.backend.enqueue(&lab.a, Some(&lab.lease), items, 2).await.expect("enqueue")
    };
    let waiting = async || lab.backend.outbox(&lab.a, 0, 100).await.expect("outbox");
    assert!(put(&[item("u", "1")]).await);
    assert!(!put(&[item("u", "2"), item("u", "3")]).await, "more than the cap: none of them is kept");
    assert!(put(&[item("u", "4"), item("v", "5")]).await, "the cap is per user");
    assert!(put(&[item("u", "4"), item("v", "5")]).await, "what is there is kept once, though it is full");
    let kept: Vec<_> = waiting().await.into_iter().map(|waiting| waiting.content).collect();
    assert_eq!(kept, [item("u", "1"), item("u", "4"), item("v", "5")], "in order, and whole");
    let first = waiting().await[0].id;
    lab.backend.dequeue(&lab.a, Some(&lab.lease), &[first]).await.expect("dequeue");
    assert_eq!(waiting().await.len(), 2);
    let rest = lab.backend.outbox(&lab.a, first + 1, 1).await.expect("outbox");
    assert_eq!(rest.len(), 1, "by pages");
    assert_eq!(lab.backend.counts(&lab.a).await.expect("counts").outbox, 2);
    assert!(lab.backend.outbox(&lab.b, 0, 100).await.expect("outbox").is_empty());
}
