//! One quote store, used by this crate and by the official plugin in turn: `cargo xtask bench quotes`.
//!
//! `OFFICIAL_PLUGIN` names the folder of `@tencent-weixin/openclaw-weixin`, `NODE` a Node.js with `node:sqlite`.

use std::error::Error;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use weixin_channel::ilink_client::{MessageId, UserId};
use weixin_channel::quote::{Direction, QuoteLimits, QuoteStore, StoredMedia, StoredMessage};
use weixin_channel::{AccountId, StateDir};

/// Beyond 2^53 and 2^63: neither is to pass through a double or a signed integer.
const OURS: MessageId = MessageId(17_441_535_359_615_655_689);
const THEIRS: MessageId = MessageId(7_441_535_359_615_655_687);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (account, user) = (AccountId::new("b0f5860fdecb@im.bot"), UserId::from("o9cq8Owner@im.wechat"));
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let store = QuoteStore::open(&StateDir::new(folder.path()), QuoteLimits::default())?;
    let picture = folder.path().join("ours.png");
    std::fs::write(&picture, "ours")?;
    let media = StoredMedia {
        path: Some(picture),
        mime: Some("image/png".to_owned()),
        name: Some("ours.png".to_owned()),
        size: None,
    };
    let (direction, body) = (Direction::Outbound, "[图片]".to_owned());
    let message = StoredMessage { message_id: OURS, direction, body, media: Some(media), created_at_ms: now };
    store.record(&account, &user, &message)?;

    let plugin = std::env::var_os("OFFICIAL_PLUGIN").ok_or("OFFICIAL_PLUGIN names no folder")?;
    let output = Command::new(std::env::var_os("NODE").unwrap_or_else(|| "node".into()))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/quotes.mjs"))
        .arg(plugin)
        .args([account.as_str(), user.as_str(), &OURS.to_string(), &THEIRS.to_string()])
        .env("OPENCLAW_STATE_DIR", folder.path())
        .output()?;
    let found: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
    for (field, expected) in [
        ("messageId", OURS.to_string()),
        ("direction", "outbound".to_owned()),
        ("body", "[图片]".to_owned()),
        ("mediaMime", "image/png".to_owned()),
        ("mediaName", "ours.png".to_owned()),
        ("mediaSize", "4".to_owned()),
        ("mediaBytes", "ours".to_owned()),
        ("createdAt", now.to_string()),
    ] {
        let seen = found[field].as_str().map_or_else(|| found[field].to_string(), str::to_owned);
        if seen != expected {
            return Err(format!("the official plugin reads {field} as {seen}, not {expected}").into());
        }
    }
    store.prune(now)?;
    let theirs =
        store.by_id(&account, &user, THEIRS, now)?.ok_or("the official plugin's message is not found")?;
    let path = theirs.media.and_then(|media| media.path).ok_or("its media is not found")?;
    let bytes = std::fs::read_to_string(path)?;
    if (theirs.direction, theirs.body.as_str(), bytes.as_str()) != (Direction::Inbound, "theirs", "theirs") {
        return Err("the official plugin's message reads differently here".into());
    }
    println!(
        "the official plugin finds our message with its media, and we find the official plugin's with its"
    );
    Ok(())
}
