//! Parameters from JavaScript: whatever JSON they are, they are refused, or say what the JSON says.

#![no_main]

// What is shipped, without the addon around it, which needs Node.js to be linked. Half of it only answers.
#[allow(dead_code)]
#[path = "../../src/messages.rs"]
mod messages;

#[path = "../../../weixin-channel/fuzz/fuzz_targets/common.rs"]
mod common;

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

use common::Choices;
use messages::{
    AccountRef, AccountStart, Block, Connection, DeliveryNack, DeliveryRef, Init, LoginRef, LoginVerify,
    MediaFetch, MediaSource, Outgoing, QuoteCache, Recipient, Severity, ToolSign, TurnEnd, Typing,
};

const PARAMETERS: Choices = Choices {
    fields: &[
        "accountId", "deliveryId", "loginId", "runId", "to", "text", "media", "path", "roots", "url", "asFile", "folder",
        "maxSize", "reason", "on", "name", "call", "status", "code", "stateDir", "logLevel", "outbox",
        "shareReceivedMedia", "markdown", "quotes", "enabled", "retentionDays", "maxMessagesPerAccount",
        "mediaRetentionDays", "maxMediaBytesPerAccount", "maxSingleMediaBytes", "baseUrl", "cdnBaseUrl", "routeTag",
        "botAgent", "unknown", "account_id",
    ],
    words: &["", "a", "b0f5860fdecb-im-bot", "error", "debug", "info", "warn", "你好", "😀", "\\ud83d", "\\u0000", "../x"],
    values: &[
        "null", "true", "false", "0", "-1", "1.5", "1e300", "18446744073709551615", "[]", "{}", "[\"a\"]",
        "[{\"path\":\"a\",\"roots\":[\"b\"],\"asFile\":true},{\"url\":\"c\"}]",
    ],
};

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        check(text);
    }
    check(&PARAMETERS.object(&mut Unstructured::new(input)));
});

/// Each kind of parameters, read from the same text, has in its fields what the text says under their names.
fn check(text: &str) {
    macro_rules! check {
        ($($kind:ident { $($field:ident = $name:literal),* $(; $more:expr)? })*) => {$(
            if let Ok(read) = serde_json::from_str::<$kind>(text) {
                // What is in no field may be no JSON at all; and serde also reads a struct from the list of its fields.
                if let Ok(said @ Value::Object(_)) = serde_json::from_str::<Value>(text) {
                    $(same($name, &json!(read.$field), &said[$name]);)*
                    $(let more: fn(&$kind, &Value) = $more; more(&read, &said);)?
                }
            }
        )*};
    }
    check! {
        LoginRef { login_id = "loginId" }
        LoginVerify { login_id = "loginId", code = "code" }
        AccountRef { account_id = "accountId" }
        AccountStart { account_id = "accountId"; |read, said| connection(&read.connection, said) }
        Connection { base_url = "baseUrl"; connection }
        DeliveryRef { account_id = "accountId", delivery_id = "deliveryId" }
        DeliveryNack { account_id = "accountId", delivery_id = "deliveryId", reason = "reason" }
        MediaFetch {
            account_id = "accountId", delivery_id = "deliveryId", folder = "folder", max_size = "maxSize"
        }
        Recipient { to = "to" }
        Outgoing {
            account_id = "accountId", to = "to", text = "text", run_id = "runId";
            |read, said| media(&read.media, &said["media"])
        }
        Block { account_id = "accountId", to = "to", run_id = "runId", text = "text" }
        ToolSign {
            account_id = "accountId", to = "to", run_id = "runId", name = "name", call = "call",
            status = "status"
        }
        TurnEnd { account_id = "accountId", run_id = "runId" }
        Typing { account_id = "accountId", to = "to", on = "on" }
        Init {
            state_dir = "stateDir", roots = "roots", outbox = "outbox",
            share_received_media = "shareReceivedMedia", markdown = "markdown";
            |read, said| {
                quotes(&read.quotes, &said["quotes"]);
                let level = match read.log_level {
                    Severity::Error => "error",
                    Severity::Warn => "warn",
                    Severity::Info => "info",
                    Severity::Debug => "debug",
                };
                assert_eq!(said.get("logLevel").map_or("info", |said| said.as_str().unwrap()), level);
            }
        }
    }
}

/// What is read is what is said; or nothing is, and it is what stands for that.
fn same(name: &str, read: &Value, said: &Value) {
    let is_nothing = match read {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    let is_number = read.is_number() && read.as_f64() == said.as_f64();
    assert!(read == said || is_number || is_nothing && said.is_null(), "{name}: {read} of {said}");
}

fn connection(read: &Connection, said: &Value) {
    same("baseUrl", &json!(read.base_url), &said["baseUrl"]);
    same("cdnBaseUrl", &json!(read.cdn_base_url), &said["cdnBaseUrl"]);
    same("routeTag", &json!(read.route_tag), &said["routeTag"]);
    same("botAgent", &json!(read.bot_agent), &said["botAgent"]);
}

fn media(read: &[MediaSource], said: &Value) {
    let said = said.as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(read.len(), said.len());
    for (read, said) in read.iter().zip(said).filter(|(_, said)| said.is_object()) {
        same("path", &json!(read.path), &said["path"]);
        same("roots", &json!(read.roots), &said["roots"]);
        same("url", &json!(read.url), &said["url"]);
        same("asFile", &json!(read.as_file), &said["asFile"]);
    }
}

fn quotes(read: &QuoteCache, said: &Value) {
    if said.is_array() {
        return;
    }
    same("enabled", &json!(read.enabled), &said["enabled"]);
    same("retentionDays", &json!(read.retention_days), &said["retentionDays"]);
    same("maxMessagesPerAccount", &json!(read.max_messages_per_account), &said["maxMessagesPerAccount"]);
    same("mediaRetentionDays", &json!(read.media_retention_days), &said["mediaRetentionDays"]);
    same("maxMediaBytesPerAccount", &json!(read.max_media_bytes_per_account), &said["maxMediaBytesPerAccount"]);
    same("maxSingleMediaBytes", &json!(read.max_single_media_bytes), &said["maxSingleMediaBytes"]);
}
