//! Every fault of the path: what an account says of it in its status, and that it recovers by itself, with no message
//! lost or doubled. `docs/path-faults.md` is what this prints.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use tokio::sync::broadcast::error::TryRecvError;
use tokio::task::JoinSet;
use tokio::time::timeout;
use weixin_channel::ilink_client::Client;
use weixin_channel::{AccountConfig, AccountId, AccountState, AccountStatus, Channel, Deliveries, Delivery};

use crate::path::{FAULTS, PathFault, USER, World};

const PATIENCE: Duration = Duration::from_secs(50);

const HEAD: &str = "\
# Faults of the path

What can go wrong between a program and WeChat's server, what its user is told (an account's `last_error`, and the plugin's
`openclaw channels status`), and whether all is well again by itself once the fault is gone: a message that was written
meanwhile arrives then, exactly once, and so do those that follow. `getupdates`, before each sentence, is the request that
met the fault.

This page is printed by `weixin-channel/tests/it/path_faults.rs`, which fails if it is not what accounts say. The same
faults meet an update stream, with the machine-readable cause of each, in `ilink-client/tests/it/path_faults.rs`. A
connection may take 1 s in these tests, and 5 s where nothing is set. That a poll is cut off at 16 s (field note 13), and
that three polls without an answer have the connections made anew (field note 14), is in `ilink-client/tests/it/updates.rs`.

| Fault | What the user is told | Recovers by itself | Tested in |
|---|---|---|---|
";

#[tokio::test]
async fn the_table_is_what_accounts_say_and_each_recovers_by_itself() {
    let mut rows = JoinSet::new();
    for (number, fault) in FAULTS.into_iter().enumerate() {
        rows.spawn(async move {
            let told = timeout(PATIENCE, row(fault)).await;
            (number, fault.name, told.unwrap_or_else(|_| panic!("{}: no end", fault.name)))
        });
    }
    let mut told = rows.join_all().await;
    told.sort_unstable();
    let mut table = HEAD.to_owned();
    for (_, name, told) in told {
        let told =
            told.unwrap_or_else(|| "nothing: no poll fails".into()).replace('|', "\\|").replace('<', "&lt;");
        writeln!(table, "| {name} | {told} | yes | ilink-client, weixin-channel |").unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/path-faults.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&file, &table).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        written == table,
        "docs/path-faults.md is not what accounts say: run this with INSTA_UPDATE=always"
    );
}

async fn row(fault: PathFault) -> Option<String> {
    let world = World::new(fault).await;
    let folder = tempfile::tempdir().unwrap();
    let account = log_in(folder.path(), &world);
    let builder = Channel::builder()
        .state_dir(folder.path())
        .client(Client::builder().transport(world.client.transport().clone()));
    let (channel, mut deliveries) = builder.build().await.unwrap();
    let mut events = channel.status_events();
    let phone = world.simulator.phone(USER);
    if world.comes_later() {
        channel.start(&account, AccountConfig::default().open()).await.unwrap();
        phone.send_text("before");
        assert_eq!(next(&mut deliveries).await, "before");
    }
    world.begin().await;
    phone.send_text("one");
    channel.start(&account, AccountConfig::default().open()).await.unwrap();
    // Either it says what is wrong, or the message is there in spite of it.
    let mut told = None;
    let first = loop {
        tokio::select! {
            delivery = deliveries.next() => break take(delivery.unwrap()).await,
            event = events.recv() => {
                let Ok(AccountStatus { state: AccountState::Backoff, last_error: Some(error), .. }) = event else { continue };
                told.get_or_insert_with(|| World::stable(&error));
                world.end();
            }
        }
    };
    assert_eq!(first, "one", "{}", fault.name);
    for text in ["two", "three"] {
        phone.send_text(text);
        assert_eq!(next(&mut deliveries).await, text, "{}", fault.name);
    }
    assert_eq!(channel.status(&account).last_error, None, "{}", fault.name);
    while let Some(event) = pending(events.try_recv()) {
        let unsaid = event.last_error.filter(|_| told.is_none());
        assert_eq!(unsaid, None, "{}", fault.name);
    }
    channel.stop_all().await;
    world.simulator.assert_conformant();
    told
}

fn pending(event: Result<AccountStatus, TryRecvError>) -> Option<AccountStatus> {
    match event {
        Ok(event) => Some(event),
        Err(TryRecvError::Lagged(missed)) => panic!("{missed} events were missed"),
        Err(_) => None,
    }
}

/// As a login would have stored it: without a base URL, so that the compiled-in one counts.
fn log_in(folder: &Path, world: &World) -> AccountId {
    let account = AccountId::new(&world.bot.bot_id);
    let accounts = folder.join("openclaw-weixin/accounts");
    std::fs::create_dir_all(&accounts).unwrap();
    let token = world.bot.token.as_str();
    let json = format!(r#"{{"token":"{token}","userId":"{USER}"}}"#);
    std::fs::write(accounts.join(format!("{account}.json")), json).unwrap();
    account
}

async fn next(deliveries: &mut Deliveries) -> String {
    take(deliveries.next().await.unwrap()).await
}

async fn take(delivery: Delivery) -> String {
    let text = delivery.inbound.text.clone();
    delivery.ack().await.unwrap();
    text
}
