//! Logins.

use ilink_client::{Credentials, UserId};

use super::Lab;
use crate::account::AccountId;
use crate::backend::{Backend, SavedLogin};

fn login(bot: &str, user: &str) -> Credentials {
    Credentials::new(bot, "token").base_url("https://ilinkai.weixin.qq.com").user_id(user)
}

pub(super) async fn logins<B: Backend>(lab: Lab<B>) {
    let save = async |bot: &str, user: &str| {
        lab.backend.save_login(&login(bot, user), lab.now).await.expect("save login")
    };
    let ids = async || {
        let accounts = lab.backend.accounts().await.expect("accounts");
        accounts.into_iter().map(|account| account.id.to_string()).collect::<Vec<_>>()
    };
    lab.backend.check_writable().await.expect("check");
    assert!(ids().await.is_empty());
    let one = AccountId::new("aaaaaaaaaaaa@im.bot");
    assert_eq!(save("aaaaaaaaaaaa@im.bot", "one@im.wechat").await, SavedLogin::new(one.clone(), Vec::new()));
    let account = lab.backend.account(&one).await.expect("account").expect("it is there");
    assert_eq!((account.token.expose(), account.user_id), ("token", Some(UserId::from("one@im.wechat"))));
    assert_eq!(account.base_url.as_deref(), Some("https://ilinkai.weixin.qq.com"));
    save("bbbbbbbbbbbb@im.bot", "two@im.wechat").await;
    assert_eq!(ids().await, ["aaaaaaaaaaaa-im-bot", "bbbbbbbbbbbb-im-bot"], "the oldest first");
    assert!(
        save("aaaaaaaaaaaa@im.bot", "one@im.wechat").await.retired.is_empty(),
        "the same bot is no other"
    );
    assert_eq!(ids().await, ["bbbbbbbbbbbb-im-bot", "aaaaaaaaaaaa-im-bot"]);
    let again = save("cccccccccccc@im.bot", "one@im.wechat").await;
    assert_eq!(again.retired, std::slice::from_ref(&one), "one account per user");
    assert_eq!(ids().await, ["bbbbbbbbbbbb-im-bot", "cccccccccccc-im-bot"]);
    assert!(lab.backend.account(&one).await.expect("account").is_none());
    for _ in 0..2 {
        lab.backend.remove_account(&again.account).await.expect("remove, twice");
    }
    assert_eq!(ids().await, ["bbbbbbbbbbbb-im-bot"]);
    assert!(lab.backend.account(&again.account).await.expect("account").is_none());
}

pub(super) async fn approvals<B: Backend>(lab: Lab<B>) {
    let save = async |bot: &str| {
        let saved = lab.backend.save_login(&login(bot, "one@im.wechat"), lab.now).await;
        saved.expect("save login").account
    };
    let first = save("aaaaaaaaaaaa@im.bot").await;
    assert!(lab.backend.allow(&first, &UserId::from("friend@im.wechat")).await.expect("allow"));
    let second = save("bbbbbbbbbbbb@im.bot").await;
    let allowed = lab.backend.allowed(&second).await.expect("allowed");
    assert_eq!(allowed, ["friend@im.wechat"], "who was allowed goes along to the new account");
    lab.backend.remove_account(&second).await.expect("remove");
    assert!(lab.backend.allowed(&second).await.expect("allowed").is_empty(), "and is forgotten with it");
}
