//! What holds of every message, whatever it says.

use weixin_channel::fuzzing;
use weixin_channel::ilink_client::{BotId, Update};

/// A message as it goes into the journal, and comes out of it for a handler.
pub fn check(raw: &str) {
    let bot = BotId::from("b0f5860fdecb@im.bot");
    let update = Update::from_json(raw);
    let entry = fuzzing::journal_entry(&update, &bot);
    let inbound = fuzzing::inbound(raw);
    let Some(entry) = entry else {
        // The bot's own.
        assert!(update.message().is_some());
        return;
    };
    let _ = format!("{entry:?} {inbound:?}");
    // It is known again, under the same key and by the same content.
    let again = fuzzing::journal_entry(&Update::from_json(&entry.raw), &bot).unwrap();
    assert_eq!((&entry.key, &entry.content, &entry.peer), (&again.key, &again.content, &again.peer));
    assert!(!entry.key.is_empty());
    assert!(entry.context_token.as_ref().is_none_or(|token| !token.is_empty()));
    // What no handler can be given is a dead letter, and says why; nothing else is.
    assert_eq!(entry.dead.is_some(), entry.peer.as_str().is_empty());
    let Some(inbound) = inbound else {
        assert!(entry.dead.is_some(), "a message that vanishes: {raw}");
        return;
    };
    assert!(entry.dead.is_some() || inbound.from == entry.peer);
    // From the journal it is read the same way.
    let back = fuzzing::inbound(&entry.raw).unwrap();
    assert_eq!((&inbound.message, &inbound.text), (&back.message, &back.text));
    // Each item has its line, and each piece of media its item.
    let items = inbound.message.items();
    let lines: usize = items.iter().map(|item| item.text().map_or(1, |text| text.split('\n').count())).sum();
    assert_eq!(inbound.text.split('\n').count(), lines.max(1));
    assert!(inbound.attachments.iter().all(|attachment| attachment.item < items.len()));
    assert!(inbound.attachments.windows(2).all(|two| two[0].item < two[1].item), "in order");
}
