//! State folders with accounts, and policies without limits of time.

use std::path::Path;
use std::time::Duration;

use ilink_fixtures::BotInfo;
use weixin_channel::{AccountConfig, AccountId, SendPolicy};

/// The user who writes.
pub(crate) const USER: &str = "o9cq8bench0001@im.wechat";

/// Writes an account as a login does.
pub(crate) fn log_in(folder: &Path, bot: &BotInfo) -> std::io::Result<AccountId> {
    write_account(
        folder,
        &serde_json::json!({
            "bot_id": bot.bot_id, "token": bot.token, "user_id": bot.user_id,
        }),
    )
}

/// The same, from JSON.
pub(crate) fn write_account(folder: &Path, bot: &serde_json::Value) -> std::io::Result<AccountId> {
    let id = AccountId::new(bot["bot_id"].as_str().unwrap_or_default());
    let accounts = folder.join("openclaw-weixin/accounts");
    std::fs::create_dir_all(&accounts)?;
    let json = serde_json::json!({ "token": bot["token"], "userId": bot["user_id"] });
    std::fs::write(accounts.join(format!("{id}.json")), json.to_string())?;
    Ok(id)
}

/// An account that lets everybody in.
pub(crate) fn open() -> AccountConfig {
    AccountConfig::default().open()
}

/// Neither budget nor pace: they are not what is measured.
pub(crate) fn unlimited() -> SendPolicy {
    let mut policy = SendPolicy::default();
    policy.enforce = false;
    policy.pace.refill = Duration::ZERO;
    policy
}
