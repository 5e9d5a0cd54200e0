//! What makes a message the same when it comes again (field note 7).

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ilink_client::wire::{ItemKind, MessageItem, MessageType, WeixinMessage};
use ilink_client::{BotId, ContextToken, Update, UserId};
use md5::{Digest as _, Md5};

use crate::backend::{Content, NewEntry};

/// Repetitions under another id were seen 1–11 s apart.
const SOON: Duration = Duration::from_secs(15);

/// What goes into the journal for one element of a batch; `None` for the bot's own messages, which the server is
/// not known to send back. `arrival` is the element's place among all that have come, for those that say nothing of
/// themselves.
pub(crate) fn journal_entry(
    update: &Update,
    bot: &BotId,
    arrival: impl FnOnce() -> String,
) -> Option<NewEntry> {
    let raw = update.raw().as_str();
    let Some(message) = update.message() else {
        let mut entry = NewEntry::new(format!("raw:{}", digest(raw)), UserId::default(), raw);
        entry.dead = Some("not a message".to_owned());
        return Some(entry);
    };
    let from = message.from_user_id.clone().unwrap_or_default();
    if message.message_type == Some(MessageType::Bot) || from.as_str() == bot.as_str() {
        return None;
    }
    let id = id(message);
    let print = fingerprint(message);
    // Two equal messages that do not say when they were written may be two, if they have ids that differ.
    let comparable = message.create_time_ms.is_some() || id.is_none();
    let key = id.unwrap_or_else(|| match message.create_time_ms {
        Some(_) => format!("print:{print}"),
        None => format!("arrival:{}", arrival()),
    });
    Some(NewEntry {
        key,
        content: comparable.then_some(Content { fingerprint: print, within: SOON }),
        dead: from.is_empty().then(|| "it does not say who wrote it".to_owned()),
        peer: from,
        raw: raw.to_owned(),
        written: message.create_time_ms.and_then(unix_time),
        context_token: message.context_token.clone().filter(|token: &ContextToken| !token.is_empty()),
        dispatched: false,
    })
}

/// The message's id, else the sender's, else its number, else an item's id.
fn id(message: &WeixinMessage) -> Option<String> {
    let from = message.from_user_id.as_ref().map(UserId::as_str).unwrap_or_default();
    if let Some(id) = message.message_id.filter(|id| id.0 != 0) {
        Some(format!("message:{id}"))
    } else if let Some(id) = message.client_id.as_ref().filter(|id| !id.is_empty()) {
        // As it came: what is shown of an id is escaped and short.
        Some(format!("client:{from}:{}", id.as_str()))
    } else if let Some(seq) = message.seq.filter(|&seq| seq != 0) {
        Some(format!("seq:{seq}"))
    } else {
        let item_id = message.items().iter().find_map(|item| item.msg_id.filter(|id| id.0 != 0));
        item_id.map(|id| format!("item:{id}"))
    }
}

/// Who wrote what when: sender, time, and type and content of each item.
fn fingerprint(message: &WeixinMessage) -> String {
    let from = message.from_user_id.as_ref().map(UserId::as_str).unwrap_or_default();
    let mut text = format!("{from}\n{:?}", message.create_time_ms);
    for item in message.items() {
        let (kind, content) = content(item);
        let _ = write!(text, "\n{kind} {} {content}", content.len());
        if let Some(quote) = &item.ref_msg {
            // The same words about another message are another message.
            let _ = write!(text, "\nabout {}", serde_json::to_string(quote).unwrap_or_default());
        }
    }
    digest(&text)
}

/// A text, or what tells one piece of media from another.
fn content(item: &MessageItem) -> (u32, String) {
    let media = |media: Option<&ilink_client::wire::CdnMedia>| {
        media
            .and_then(|media| media.encrypt_query_param.clone().or_else(|| media.full_url.clone()))
            .unwrap_or_default()
    };
    match item.kind() {
        ItemKind::Text(text) => (1, text.text.clone().unwrap_or_default()),
        ItemKind::Image(image) => (2, media(image.media.as_ref())),
        ItemKind::Voice(voice) => (3, media(voice.media.as_ref())),
        ItemKind::File(file) => (4, media(file.media.as_ref())),
        ItemKind::Video(video) => (5, media(video.media.as_ref())),
        _ => (0, serde_json::to_string(item).unwrap_or_default()),
    }
}

fn digest(text: &str) -> String {
    Md5::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn unix_time(ms: i64) -> Option<SystemTime> {
    let ms = u64::try_from(ms).ok().filter(|&ms| ms != 0)?;
    UNIX_EPOCH.checked_add(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> NewEntry {
        let bot = BotId::from("b@im.bot");
        journal_entry(&Update::from_json(json), &bot, || "1".to_owned()).unwrap()
    }

    fn text(fields: &str, text: &str) -> NewEntry {
        entry(&format!(
            r#"{{{fields}"from_user_id":"u","item_list":[{{"type":1,"text_item":{{"text":"{text}"}}}}]}}"#
        ))
    }

    #[test]
    fn note_7_the_layers_of_an_identity() {
        assert_eq!(entry(r#"{"message_id":"5","client_id":"c","from_user_id":"u"}"#).key, "message:5");
        assert_eq!(entry(r#"{"client_id":"c","seq":3,"from_user_id":"u"}"#).key, "client:u:c");
        assert_eq!(entry(r#"{"seq":3,"from_user_id":"u"}"#).key, "seq:3");
        assert_eq!(entry(r#"{"from_user_id":"u","item_list":[{"msg_id":9}]}"#).key, "item:9");
        let one = text(r#""create_time_ms":7,"#, "hi");
        assert_eq!(one.key, text(r#""create_time_ms":7,"#, "hi").key);
        assert_ne!(one.key, text(r#""create_time_ms":8,"#, "hi").key);
        assert_ne!(one.key, text(r#""create_time_ms":7,"#, "ho").key);
        assert_eq!(text("", "hi").key, "arrival:1");
    }

    #[test]
    fn note_7_equal_content_of_one_moment_is_one_message() {
        let print = |entry: NewEntry| entry.content.map(|content| content.fingerprint);
        let first = print(text(r#""message_id":1,"create_time_ms":7,"#, "hi"));
        assert!(first.is_some());
        assert_eq!(first, print(text(r#""message_id":2,"create_time_ms":7,"#, "hi")));
        assert_ne!(first, print(text(r#""message_id":2,"create_time_ms":8,"#, "hi")));
        // Two real messages, as far as anybody can tell.
        assert_eq!(print(text(r#""message_id":1,"#, "hi")), None);
        // Nothing to tell them apart but the time between them.
        assert_eq!(print(text("", "hi")), print(text("", "hi")));
        let image = |param: &str| {
            print(entry(&format!(
                r#"{{"from_user_id":"u","create_time_ms":7,"item_list":[{{"type":2,"image_item":{{"media":{{"encrypt_query_param":"{param}"}}}}}}]}}"#
            )))
        };
        assert_eq!(image("a"), image("a"));
        assert_ne!(image("a"), image("b"));
    }

    #[test]
    fn nothing_vanishes() {
        let bot = BotId::from("b@im.bot");
        assert_eq!(entry("\"odd\"").dead.unwrap(), "not a message");
        assert!(entry(r#"{"message_id":5}"#).dead.is_some());
        let own = Update::from_json(r#"{"message_id":5,"from_user_id":"b@im.bot"}"#);
        assert!(journal_entry(&own, &bot, || unreachable!()).is_none());
    }
}
