//! Any answer to a poll: no panic, no message lost, and what was understood survives a round trip.
#![no_main]

mod common;

use ilink_client::{RawJson, Update, wire::WeixinMessage};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let server = common::Server::new([(200, body.to_vec())]);
    let bot = server.bot();
    let Ok(batch) = common::run(async { bot.get_updates("old").await }) else { return };
    // The typed reading has as many messages as the JSON has elements.
    if let Ok(Value::Object(answer)) = serde_json::from_slice::<Value>(body) {
        let expected = match answer.get("msgs") {
            Some(Value::Array(list)) => list.len(),
            None | Some(Value::Null) => 0,
            Some(_) => 1,
        };
        assert_eq!(batch.messages.len(), expected);
    }
    for update in &batch.messages {
        let _ = format!("{update:?}");
        let raw: &RawJson = update.raw();
        // From the journal it is read the same way.
        let again = Update::from_json(raw.as_str());
        assert_eq!(update.message(), again.message());
        if let Some(message) = update.message() {
            let _ = (message.text(), message.items().iter().map(|item| item.kind()).count());
            let json = serde_json::to_string(message).unwrap();
            let back: WeixinMessage = serde_json::from_str(&json).unwrap();
            assert_eq!(&back, message);
        }
    }
});
