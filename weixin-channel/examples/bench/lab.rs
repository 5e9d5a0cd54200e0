//! State folders with accounts, and policies without limits of time.

use std::path::Path;
use std::time::Duration;

use ilink_fixtures::BotInfo;
use weixin_channel::access::Policy;
use weixin_channel::{AccountConfig, AccountId, SendPolicy};

/// The user who writes.
pub const USER: &str = "o9cq8bench0001@im.wechat";

/// Writes an account as a login does.
pub fn log_in(folder: &Path, bot: &BotInfo) -> std::io::Result<AccountId> {
    let id = AccountId::new(&bot.bot_id);
    let accounts = folder.join("openclaw-weixin/accounts");
    std::fs::create_dir_all(&accounts)?;
    let json = serde_json::json!({ "token": bot.token, "userId": bot.user_id });
    std::fs::write(accounts.join(format!("{id}.json")), json.to_string())?;
    Ok(id)
}

/// An account that lets everybody in.
pub fn open() -> AccountConfig {
    let mut config = AccountConfig::default();
    config.access = Policy::Open;
    config
}

/// Neither budget nor pace: they are not what is measured.
pub fn unlimited() -> SendPolicy {
    let mut policy = SendPolicy::default();
    policy.enforce = false;
    policy.pace.refill = Duration::ZERO;
    policy
}
