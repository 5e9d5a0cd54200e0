//! Quotes, of backends that keep any.

use ilink_client::{MessageId, UserId};

use super::Lab;
use crate::backend::Backend;
use crate::quote::{Direction, StoredMessage};

/// Unix milliseconds.
const THEN: i64 = 1_763_800_000_123;

pub(super) async fn quotes<B: Backend>(lab: Lab<B>) {
    let (user, other) = (UserId::from("u"), UserId::from("v"));
    // Beyond 2^63: an id is no signed number.
    let id = MessageId(17_441_535_359_615_655_689);
    let body = "what was said".to_owned();
    let message = StoredMessage {
        message_id: id,
        direction: Direction::Inbound,
        body,
        media: None,
        created_at_ms: THEN,
    };
    lab.backend.record_quote(&lab.a, &user, &message).await.expect("record");
    let find = async |user: &UserId| lab.backend.quote_by_id(&lab.a, user, id, THEN).await.expect("by id");
    let Some(found) = find(&user).await else { return };
    assert_eq!(found, message, "what was recorded is found by who asks next");
    assert_eq!(find(&other).await, None, "conversations know nothing of each other");
    let near = lab.backend.quotes_near(&lab.a, &user, THEN, THEN).await.expect("near");
    assert_eq!(near, [message], "by its time");
    lab.backend.prune_quotes(THEN).await.expect("prune");
    assert!(find(&user).await.is_some(), "what is new stays");
    lab.backend.forget_quotes(&lab.a).await.expect("forget");
    assert_eq!(find(&user).await, None);
}
