//! The examples, each run against the simulator.

use std::time::Duration;

use ilink_client::{Client, Credentials, UpdatesEvent};
use ilink_fixtures::{BotInfo, Simulator};

#[allow(dead_code, unreachable_pub, reason = "an example's main is for people")]
#[path = "../../examples/custom_transport.rs"]
mod custom_transport;
#[allow(dead_code, unreachable_pub, reason = "an example's main is for people")]
#[path = "../../examples/echo.rs"]
mod echo;
#[cfg(feature = "qr")]
#[allow(dead_code, unreachable_pub, reason = "an example's main is for people")]
#[path = "../../examples/login.rs"]
mod login;
#[allow(dead_code, unreachable_pub, reason = "an example's main is for people")]
#[path = "../../examples/many_accounts.rs"]
mod many_accounts;
#[allow(dead_code, unreachable_pub, reason = "an example's main is for people")]
#[path = "../../examples/send_text.rs"]
mod send_text;

const USER: &str = "o9cq8Owner0001@im.wechat";
const PATIENCE: Duration = Duration::from_secs(20);

async fn start() -> (Simulator, Client) {
    let simulator = Simulator::start().await.unwrap();
    let client = Client::builder().base_url(simulator.url()).build().unwrap();
    (simulator, client)
}

fn credentials(bot: BotInfo) -> Credentials {
    Credentials::new(bot.bot_id, bot.token).user_id(bot.user_id)
}

#[cfg(feature = "qr")]
#[tokio::test]
async fn login_with_digits() {
    let (simulator, client) = start().await;
    let phone = simulator.phone(USER);
    phone.require_verify_code("123456");
    let scan = async {
        let pending = simulator.wait_for_qrcode(PATIENCE).await.unwrap();
        phone.scan(&pending.qrcode).unwrap();
        // The digits reach the server some time after the scan; only then can the phone confirm.
        while phone.confirm(&pending.qrcode).is_err() {
            tokio::task::yield_now().await;
        }
    };
    let (credentials, ()) = tokio::join!(login::run(&client, || "123456".to_owned()), scan);
    assert_eq!(credentials.unwrap().user_id.unwrap().as_str(), USER);
    simulator.assert_conformant();
}

#[tokio::test]
async fn send_text() {
    let (simulator, client) = start().await;
    let bot = client.bot(credentials(simulator.add_bot(USER))).unwrap();
    simulator.phone(USER).send_text("hi");
    let batch = bot.get_updates("").await.unwrap();
    let token = batch.messages[0].message().unwrap().context_token.clone().unwrap();
    let sent = send_text::run(&bot, USER, token.as_str(), "你好").await.unwrap();
    assert!(send_text::describe(&sent).starts_with("accepted as message 7"), "{sent:?}");
    simulator.phone(USER).wait_for_text("你好", PATIENCE).await.unwrap();
    simulator.assert_conformant();
}

#[tokio::test]
async fn echo() {
    let (simulator, client) = start().await;
    let bot = client.bot(credentials(simulator.add_bot(USER))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cursor = folder.path().join("cursor.txt");
    let phone = simulator.phone(USER);
    for round in ["one", "two"] {
        phone.send_text(round);
        let answer = format!("echo: {round}");
        tokio::select! {
            ended = echo::run(&bot, &cursor) => panic!("{ended:?}"),
            seen = phone.wait_for_text(&answer, PATIENCE) => drop(seen.unwrap()),
        }
    }
    simulator.assert_conformant();
}

#[tokio::test]
async fn many_accounts() {
    let (simulator, client) = start().await;
    let users: Vec<String> = (0..20).map(|n| format!("o9cq8User{n:04}@im.wechat")).collect();
    let bots: Vec<_> = users.iter().map(|user| credentials(simulator.add_bot(user))).collect();
    for user in &users {
        simulator.phone(user).send_text("hi");
    }
    let mut events = many_accounts::run(&client, bots).unwrap();
    let mut heard = std::collections::BTreeSet::new();
    while heard.len() < users.len() {
        let happened = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        if matches!(happened.event, UpdatesEvent::Batch(batch) if !batch.messages.is_empty()) {
            heard.insert(happened.bot.credentials().bot_id.clone());
        }
    }
    simulator.assert_conformant();
}

#[tokio::test]
async fn custom_transport() {
    let (simulator, client) = start().await;
    let counts = custom_transport::Counts::default();
    let client = custom_transport::run(&client, counts.clone()).unwrap();
    client.login().start().next().await.unwrap().unwrap();
    let counts = counts.lock().unwrap();
    assert_eq!(counts["/ilink/bot/get_bot_qrcode"].0, 1);
    simulator.assert_conformant();
}
