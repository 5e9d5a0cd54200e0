//! The main job against the simulator, over a real socket: login, a text, its answer, typing. The simulator checks
//! every request against the protocol.

use std::time::Duration;

use ilink_client::{Client, Cursor, LoginEvent, UpdatesEvent};
use ilink_fixtures::Simulator;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn login_text_and_answer() {
    let simulator = Simulator::builder().auto_scan(true).start().await.unwrap();
    let client = Client::builder().base_url(simulator.url()).build().unwrap();
    let mut login = client.login().start();
    let credentials = loop {
        match login.next().await.unwrap().unwrap() {
            LoginEvent::Confirmed(credentials) => break credentials,
            other => assert!(matches!(other, LoginEvent::Code(_) | LoginEvent::Scanned), "{other:?}"),
        }
    };
    let user = credentials.user_id.clone().unwrap();
    let phone = simulator.phone(user.as_str());
    let bot = client.bot(credentials).unwrap();
    bot.notify_start().await.unwrap();
    let id = phone.send_text("你好");

    let mut updates = bot.updates(Cursor::default());
    let message = loop {
        let UpdatesEvent::Batch(batch) = updates.next().await else { continue };
        if let Some(update) = batch.messages.first() {
            break update.message().unwrap().clone();
        }
    };
    assert_eq!((message.message_id.unwrap().0, message.text().unwrap().as_str()), (id, "你好"));

    let ticket = bot.get_config(&user).context_token(message.context_token.clone()).await.unwrap().unwrap();
    bot.send_typing(&user, ticket.clone(), true).await.unwrap();
    assert!(phone.typing());
    bot.send_typing(&user, ticket, false).await.unwrap();
    let sent = bot
        .send_text(&user, "echo: 你好")
        .reply_context(message.context_token)
        .run_id("e20c7522-a8fa-4830-8381-e7a34fe642fe")
        .await
        .unwrap();
    assert!(sent.message_id.is_some());
    phone.wait_for_text("echo: 你好", PATIENCE).await.unwrap();
    bot.notify_stop().await.unwrap();
    simulator.assert_conformant();
}

#[tokio::test]
async fn dropping_the_stream_aborts_its_poll() {
    let simulator = Simulator::start().await.unwrap();
    let info = simulator.add_bot("o9cq8Owner0001@im.wechat");
    let client = Client::builder().base_url(simulator.url()).build().unwrap();
    let bot = client.bot(ilink_client::Credentials::new(info.bot_id.as_str(), info.token)).unwrap();
    let mut updates = bot.updates(Cursor::default());
    while simulator.polling(&info.bot_id) == 0 {
        let _ = tokio::time::timeout(Duration::from_millis(1), updates.next()).await;
    }
    drop(updates);
    // The server sees the connection go; the long poll would go on for 35 s.
    tokio::time::timeout(PATIENCE, async {
        while simulator.polling(&info.bot_id) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the poll was not aborted");
}

#[tokio::test]
async fn an_unreachable_server_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::builder()
        .base_url(format!("http://{address}"))
        .retry(ilink_client::RetryPolicy::never())
        .build()
        .unwrap();
    let error = client.login().start().next().await.unwrap().unwrap_err();
    assert!(error.is_connect());
    insta::assert_snapshot!(error, @"get_bot_qrcode: 127.0.0.1 refuses the connection: nothing listens there, or a firewall refuses in its place");
}
