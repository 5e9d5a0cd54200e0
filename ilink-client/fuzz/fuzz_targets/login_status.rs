//! Any answer on the way of a login: it goes on, ends well or ends with an error; a token never comes from anything but
//! `confirmed`, and a redirect never leaves the allowed hosts.
#![no_main]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use ilink_client::{Client, LoginEvent, RetryPolicy};
use libfuzzer_sys::fuzz_target;

const CODE: &[u8] = br#"{"ret":0,"qrcode":"q","qrcode_img_content":"https://liteapp.weixin.qq.com/q/1"}"#;

fuzz_target!(|body: &[u8]| {
    let server = common::Server::new([(200, CODE.to_vec()), (200, body.to_vec())]);
    // Ten seconds pass between any two looks at the clock, so that the login's own deadline ends it.
    let looks = AtomicU64::new(0);
    let clock =
        move || SystemTime::UNIX_EPOCH + Duration::from_secs(10 * looks.fetch_add(1, Ordering::Relaxed));
    let client =
        Client::builder().transport(server).retry(RetryPolicy::never()).clock(clock).seed(0).build().unwrap();
    common::run(async {
        let mut login = client.login().start();
        let mut events = 0;
        while let Some(event) = login.next().await {
            events += 1;
            assert!(events < 100, "a login ends");
            match event {
                Ok(LoginEvent::Redirected { host }) => {
                    assert!(host.ends_with(".weixin.qq.com") || host.ends_with(".wechat.com"), "{host}");
                }
                Ok(LoginEvent::Confirmed(credentials)) => {
                    assert!(!credentials.token.is_empty() && !credentials.bot_id.is_empty());
                }
                Ok(event) => common::check_shown(&format!("{event:?}")),
                Err(error) => common::check_shown(&format!("{error} {error:?}")),
            }
            let stored = serde_json::to_string(login.session()).unwrap();
            serde_json::from_str::<ilink_client::LoginSession>(&stored).unwrap();
        }
    });
});
