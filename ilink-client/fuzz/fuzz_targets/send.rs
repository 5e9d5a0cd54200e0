//! Any answer to a send: accepted, refused or an error, never a panic, and what is printed shows no text of ours.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let server = common::Server::new([(200, body.to_vec())]);
    let bot = server.bot();
    match common::run(async { bot.send_text("u@im.wechat", "CANARY-5f3a").await }) {
        Ok(sent) => assert!(sent.message_id.is_none_or(|id| id.0 != 0)),
        Err(error) => {
            assert_eq!(error.endpoint(), Some("sendmessage"));
            assert!(!format!("{error} {error:?}").contains("CANARY-5f3a"));
            common::check_shown(&format!("{error} {error:?}"));
        }
    }
});
