//! Any status with any body, at every endpoint that has no target of its own.
#![no_main]

mod common;

use ilink_client::wire::MediaType;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, u8, &[u8])| {
    let (status, endpoint, body) = input;
    let status = 100 + status % 900;
    let server = common::Server::new([(status, body.to_vec())]);
    let bot = server.bot();
    let hex = "0123456789abcdef0123456789abcdef";
    let result = common::run(async {
        match endpoint % 6 {
            0 => bot.notify_start().await,
            1 => bot.notify_stop().await,
            2 => bot.get_config("u@im.wechat").await.map(drop),
            3 => bot.send_typing("u@im.wechat", "ticket".into(), true).await,
            4 => bot
                .get_upload_url("u@im.wechat", MediaType::File)
                .plain(1, hex)
                .encrypted_size(16)
                .key(hex, hex)
                .await
                .map(drop),
            _ => server.client().login().start().next().await.unwrap().map(drop),
        }
    });
    match result {
        Ok(()) => assert!((200..300).contains(&status)),
        Err(error) => {
            let shown = format!("{error}");
            assert!(!shown.is_empty() && shown.len() < 8_000);
            common::check_shown(&format!("{shown} {error:?}"));
            let _ = error.retry_class();
        }
    }
});
