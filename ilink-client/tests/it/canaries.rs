//! Nothing that is secret or private is ever printed: each request carries canaries, each failure is printed in both
//! ways.

use std::error::Error as _;

use ilink_client::{Client, Credentials, Error};

use crate::script::{Play, Script};

fn printed(error: &Error) -> String {
    let mut all = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        all = format!("{all} {error} {error:?}");
        source = error.source();
    }
    all
}

#[tokio::test(start_paused = true)]
async fn failures_show_no_token_query_or_text() {
    for failure in [
        Play::Refuse,
        Play::Break,
        Play::Hang,
        Play::Answer(500, "{\"text\":\"CANARY\"}".into()),
        Play::Answer(403, "CANARY".into()),
        Play::ok("{\"text\":\"CANARY"),
        Play::ok("[\"CANARY\"]"),
        Play::ok("{\"ret\":-2,\"text\":\"CANARY\"}"),
    ] {
        let script = Script::new((0..9).map(|_| failure.clone()));
        let bot = script.bot();
        let send = bot.send_text("u@im.wechat", "CANARY").context_token("CANARY");
        let mut all = format!("{send:?}");
        all += &printed(&send.await.unwrap_err());
        all = format!("{all} {:?} {bot:?}", bot.credentials());
        assert!(!all.contains("CANARY"), "{failure:?}: {all}");
    }
}

#[tokio::test]
async fn a_real_connection_shows_no_query() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::builder()
        .base_url(format!("http://{address}/?CANARY"))
        .retry(ilink_client::RetryPolicy::never())
        .build()
        .unwrap();
    let mut login = client.login().start();
    let error = login.next().await.unwrap().unwrap_err();
    let bot = client.bot(Credentials::new("b@im.bot", "CANARY")).unwrap();
    let poll = bot.get_updates("CANARY");
    let all = format!("{poll:?} {login:?} {}", printed(&error)) + &printed(&poll.await.unwrap_err());
    assert!(!all.contains("CANARY"), "{all}");
}

#[test]
fn what_is_received_shows_no_text() {
    let update = ilink_client::Update::from_json(
        r#"{"message_id":5,"context_token":"CANARY","item_list":[{"type":1,"text_item":{"text":"CANARY"}}],"odd":"CANARY"}"#,
    );
    assert!(!format!("{update:?} {update:#?}").contains("CANARY"), "{update:?}");
}
