//! Accounts, login, and what is said when something is wrong.

use std::time::Duration;

use ilink_fixtures::{Endpoint, Fault};
use weixin_channel::ilink_client::{Client, LoginEvent};
use weixin_channel::{AccountConfig, AccountState, Channel, ChannelLoginEvent, Error};

use crate::in_process::{BASE_URL, InProcess};
use crate::{Lab, PATIENCE, USER, config, next, until};

#[tokio::test(start_paused = true)]
async fn a_login_is_stored_and_its_account_starts() {
    let lab = Lab::empty();
    let (channel, mut deliveries) = lab.builder().build().await.unwrap();
    let (account, retired, _) = lab.log_in_again(&channel).await;
    assert!(retired.is_empty());
    let stored = channel.backend().account(&account).await.unwrap().unwrap();
    assert_eq!(stored.user_id.unwrap().as_str(), USER);
    // Hosts that keep allow-lists in their database refuse to start beside such a file (2026.9.6 does).
    assert!(!lab.folder.path().join("credentials").exists());
    channel.start(&account, AccountConfig::default()).await.unwrap();
    lab.phone().send_text("hi");
    assert_eq!(next(&mut deliveries).await.inbound.text, "hi");
    channel.logout(&account).await.unwrap();
    assert!(channel.accounts().await.unwrap().is_empty());
}

/// The server names an address for the new bot that may not be used: the user learns it, and what was there stays.
#[tokio::test(start_paused = true)]
async fn a_login_that_leads_to_a_host_that_is_not_allowed_changes_nothing() {
    let lab = Lab::new();
    // Without a base URL on this machine the simulator's own address, which its logins name, is not allowed.
    let transport = InProcess(lab.simulator.clone());
    let (channel, _deliveries) = Channel::builder()
        .state_dir(lab.folder.path())
        .client(Client::builder().transport(transport))
        .build()
        .await
        .unwrap();
    let before = channel.accounts().await.unwrap().remove(0);
    lab.simulator.revoke(before.credentials().bot_id.as_ref());
    let mut login = channel.login(&AccountConfig::default()).await.unwrap();
    let error = loop {
        match login.next().await.expect("the login says why it ends") {
            Ok(ChannelLoginEvent::Progress(LoginEvent::Code(_))) => {
                let pending = lab.simulator.wait_for_qrcode(PATIENCE).await.unwrap();
                lab.phone().scan(&pending.qrcode).unwrap();
                lab.phone().confirm(&pending.qrcode).unwrap();
            }
            Ok(ChannelLoginEvent::LoggedIn { .. }) => panic!("logged in to a host that is not allowed"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), "host-not-allowed");
    insta::assert_snapshot!(error);
    assert!(login.next().await.is_none());
    let accounts = channel.accounts().await.unwrap();
    assert_eq!(accounts, [before], "nothing stored, nothing retired");
}

/// Its own base URL comes before what the server names, so that this does not matter.
#[tokio::test(start_paused = true)]
async fn a_login_with_a_base_url_of_its_own_may_be_led_anywhere() {
    let lab = Lab::empty();
    let (channel, mut deliveries) = lab.builder().build().await.unwrap();
    let bot = lab.simulator.add_bot(USER);
    let body = format!(
        r#"{{"ret":0,"status":"confirmed","bot_token":"{}","ilink_bot_id":"{}","baseurl":"https://evil.example","ilink_user_id":"{USER}"}}"#,
        bot.token, bot.bot_id
    );
    lab.simulator.fault(Fault::Body { body }, Endpoint::GetQrcodeStatus, 1);
    let mut own = config();
    own.base_url = Some(BASE_URL.to_owned());
    let mut login = channel.login(&own).await.unwrap();
    let account = loop {
        if let ChannelLoginEvent::LoggedIn { account, .. } = login.next().await.unwrap().unwrap() {
            break account;
        }
    };
    channel.start(&account, own).await.unwrap();
    lab.phone().send_text("hi");
    assert_eq!(next(&mut deliveries).await.inbound.text, "hi");
}

#[tokio::test(start_paused = true)]
async fn mistakes_are_named() {
    let lab = Lab::new();
    let message = |error: Error| error.to_string().replace(&lab.folder.path().display().to_string(), "STATE");
    let mut seen = Vec::new();

    seen.push(message(
        Channel::builder()
            .state_dir(lab.folder.path())
            .client(Client::builder().base_url("ilinkai"))
            .build()
            .await
            .unwrap_err(),
    ));
    seen.push(message(
        Channel::builder()
            .state_dir(lab.folder.path())
            .client(Client::builder().base_url("http://example.com"))
            .build()
            .await
            .unwrap_err(),
    ));

    seen.push(message(lab.builder().state_dir("").build().await.unwrap_err()));
    let other = tempfile::tempdir().unwrap();
    let journal = other.path().join("openclaw-weixin/channel.sqlite");
    std::fs::create_dir_all(journal.parent().unwrap()).unwrap();
    std::fs::write(&journal, "no database, whatever its name says").unwrap();
    let error = lab.builder().state_dir(other.path()).build().await.unwrap_err();
    seen.push(message(error).replace(&other.path().display().to_string(), "OTHER"));

    let (channel, _deliveries) = lab.builder().build().await.unwrap();
    seen.push(message(channel.conversation(&lab.account, "").send("hello").await.unwrap_err()));
    let nobody = weixin_channel::AccountId::new("nobody");
    seen.push(message(channel.start(&nobody, AccountConfig::default()).await.unwrap_err()));

    let file = lab.folder.path().join("openclaw-weixin/accounts").join(format!("{}.json", lab.account));
    std::fs::write(&file, "{\"token\":").unwrap();
    let error = channel.start(&lab.account, AccountConfig::default()).await.unwrap_err();
    let Error::Corrupt { kept, .. } = &error else { panic!("{error}") };
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "{\"token\":", "kept, not overwritten");
    let kept = kept.file_name().unwrap().to_str().unwrap().to_owned();
    seen.push(message(error).replace(&kept, "KEPT"));

    insta::assert_snapshot!(seen.join("\n").replace(lab.account.as_str(), "ACCOUNT"));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_another_process_has_is_not_started() {
    let lab = Lab::new();
    let (_one, _deliveries) = lab.start().await;
    let (two, _more) = lab.builder().build().await.unwrap();
    let error = two.start(&lab.account, AccountConfig::default()).await.unwrap_err();
    assert_eq!(error.code(), "account-locked");
}

/// A program without a log has no other way to learn it.
#[tokio::test(start_paused = true)]
async fn a_program_none_of_whose_accounts_can_start_ends_with_the_reason() {
    let mut lab = Lab::new();
    let (_one, _deliveries) = lab.start().await;
    let run = |lab: &Lab| lab.builder().run(async |_, _| Ok::<(), Error>(()));
    let ended = tokio::time::timeout(PATIENCE, run(&lab)).await.expect("it said nothing");
    assert_eq!(ended.unwrap_err().code(), "account-locked");
    // With one that can, it runs.
    lab.add_account("o9cq8Another0001@im.wechat");
    assert!(tokio::time::timeout(PATIENCE, run(&lab)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_channel_stops_its_accounts() {
    let lab = Lab::new();
    let (channel, deliveries) = lab.start().await;
    until(&channel, &lab.account, AccountState::Online).await;
    drop((channel, deliveries));
    // Its lock is free once the poller has ended.
    let (again, _deliveries) = lab.builder().build().await.unwrap();
    let start = async {
        while let Err(error) = again.start(&lab.account, AccountConfig::default()).await {
            assert_eq!(error.code(), "account-locked");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, start).await.expect("the account is still locked");
}

#[tokio::test]
async fn an_unreachable_server_is_a_status_that_names_it() {
    let lab = Lab::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (channel, _deliveries) = Channel::builder()
        .state_dir(lab.folder.path())
        .client(Client::builder().base_url(&url))
        .build()
        .await
        .unwrap();
    let mut config = AccountConfig::default();
    config.base_url = Some(url);
    channel.start(&lab.account, config).await.unwrap();
    until(&channel, &lab.account, AccountState::Backoff).await;
    let error = channel.status(&lab.account).last_error.unwrap();
    assert!(error.contains("127.0.0.1 refuses the connection"), "{error}");
}
