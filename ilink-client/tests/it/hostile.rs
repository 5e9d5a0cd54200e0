//! Text of others does nothing where it is shown: no `Display` and no `Debug` of any error or type holds a character that
//! a terminal obeys or a reader does not see, and none is long.

use std::error::Error as _;
use std::fmt::{Debug, Display};

use ilink_client::wire::{LoginStatus, MediaType, MessageItem, ToolStatus, WeixinMessage};
use ilink_client::{
    BotAgent, BotId, Client, ClientId, ClientVersion, ContextToken, Credentials, Cursor, Error, ErrorKind,
    HostPolicy, LoginSession, MessageId, Printable, QrHandle, RunId, Secret, Transport, TransportError,
    TypingTicket, Update, UserId,
};
use serde_json::{Value, json};

use crate::script::{Play, Script};

/// Colours, a link, a title, a new line in the log, an end of line that some viewers know, a turn of direction, no width.
const TRICKS: &str = "\u{1b}[31m\u{1b}]8;;http://evil.example\u{1b}\\\u{1b}]0;title\u{7}\u{9b}2J\u{90}\r\n2026-11-25 INFO all is well\
    \u{85}\u{2028}\u{2029}\u{202e}\u{2066}\u{61c}\u{200b}\u{feff}\u{e0041}\0\u{7f}\u{8}";

/// More than fits on any screen.
const LONG: usize = 20 << 20;

/// In bytes: a type with all of its fields, and the same over many lines.
const LONGEST_SHOWN: usize = 6000;
const LONGEST_PRETTY: usize = 20_000;

fn hostile(bytes: usize) -> String {
    TRICKS.to_owned() + &"x".repeat(bytes)
}

fn check(name: &str, shown: &str, lines: bool) {
    let bad = shown.chars().find(|&char| {
        let turns = matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{61c}');
        let hides = matches!(char, '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        (char.is_control() && !(lines && char == '\n')) || turns || hides
    });
    let start: String = shown.escape_debug().take(600).collect();
    assert_eq!(bad, None, "{name}: {start}");
    let longest = if lines { LONGEST_PRETTY } else { LONGEST_SHOWN };
    assert!(shown.len() < longest, "{name}: {} bytes: {start}", shown.len());
}

/// In the pretty form, lines of our own are no forgery.
fn check_debug(name: &str, value: &(impl Debug + ?Sized)) {
    check(name, &format!("{value:?}"), false);
    check(name, &format!("{value:#?}"), true);
}

fn check_error(name: &str, error: &Error) {
    check(name, &error.to_string(), false);
    check_debug(name, error);
    assert!(!error.to_string().is_empty() && !error.code().is_empty());
}

fn check_display(name: &str, value: &impl Display) {
    check(name, &value.to_string(), false);
}

/// What each endpoint makes of one answer.
async fn errors_of(play: Play) -> Vec<Error> {
    let bot = || Script::new((0..3).map(|_| play.clone())).bot();
    let hex = "0123456789abcdef0123456789abcdef";
    let upload = bot();
    let upload = upload.get_upload_url("u", MediaType::File).plain(1, hex).encrypted_size(16).key(hex, hex);
    let login = Script::new((0..3).map(|_| play.clone())).client().login().start().next().await;
    [
        bot().get_updates("").await.err(),
        bot().send_text("u", "hi").await.err(),
        bot().get_config("u").await.err(),
        bot().send_typing("u", "t".into(), true).await.err(),
        bot().notify_start().await.err(),
        bot().notify_stop().await.err(),
        upload.await.err(),
        login.and_then(Result::err),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test(start_paused = true)]
async fn no_answer_reaches_a_terminal_as_it_is() {
    let text = |bytes: usize| hostile(bytes);
    let small = 100 << 10;
    let said = |code: i64, bytes: usize| json!({ "ret": code, "errmsg": text(bytes) }).to_string();
    let mut plays = vec![
        Play::ok(format!("<html>{}", text(small))),
        Play::ok(format!("{{\"broken\":\"{}", text(small))),
        Play::ok(text(1 << 20)),
        Play::ok(said(-1, LONG)),
        Play::Answer(500, said(-1, small)),
        Play::Answer(418, text(small)),
        Play::AnswerWith(302, "location", "https://user:CANARY@evil.example/%1b[31m?CANARY", text(small)),
        Play::AnswerWith(302, "location", "\u{9b}31m", text(small)),
        Play::AnswerWith(429, "retry-after", "18446744073709551615", text(small)),
        Play::Fail(true, text(LONG)),
        Play::Fail(false, text(LONG)),
    ];
    plays.extend([-1, -2, -3, -14].map(|code| Play::ok(said(code, small))));
    let mut kinds = std::collections::HashSet::new();
    for (number, play) in plays.into_iter().enumerate() {
        let errors = errors_of(play).await;
        assert!(!errors.is_empty(), "{number}");
        for error in errors {
            let name = format!("answer {number}, {:?} of {:?}", error.kind(), error.endpoint());
            check_error(&name, &error);
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
            kinds.insert(error.kind());
        }
    }
    for kind in [
        ErrorKind::Connect,
        ErrorKind::Interrupted,
        ErrorKind::Status,
        ErrorKind::Body,
        ErrorKind::TooLarge,
        ErrorKind::Api,
    ] {
        assert!(kinds.contains(&kind), "{kind:?} was not tried");
    }
}

#[tokio::test(start_paused = true)]
async fn no_login_leads_a_terminal_astray() {
    let code =
        |link: &str| json!({ "ret": 0, "qrcode": hostile(1000), "qrcode_img_content": link }).to_string();
    let good = code("https://liteapp.weixin.qq.com/q/1");
    let statuses = [
        json!({ "status": "scaned_but_redirect", "redirect_host": hostile(small()) }),
        json!({ "status": "scaned_but_redirect", "redirect_host": format!("{}.weixin.qq.com", "a".repeat(small())) }),
        json!({ "status": "scaned_but_redirect", "redirect_host": "a\u{1b}[31m.weixin.qq.com" }),
        json!({ "status": "confirmed", "bot_token": "t", "ilink_bot_id": hostile(1000), "baseurl": hostile(small()) }),
        json!({ "status": "confirmed", "bot_token": "t", "ilink_bot_id": "b",
            "baseurl": format!("https://user:CANARY@{}.example/?CANARY", "a".repeat(small())) }),
        json!({ "status": "confirmed", "bot_token": hostile(1000), "ilink_bot_id": hostile(1000), "ilink_user_id": hostile(1000) }),
        json!({ "status": hostile(small()) }),
        json!({ "status": "confirmed" }),
    ];
    let answers = statuses.map(|status| vec![Play::ok(good.clone()), Play::ok(status.to_string())]);
    let links = [hostile(0), "\u{1b}[2J".to_owned(), hostile(small()), format!("https://a.example/{TRICKS}")];
    for plays in answers.into_iter().chain(links.map(|link| vec![Play::ok(code(&link))])) {
        // The clock of a login is the wall's.
        let looks = std::sync::atomic::AtomicU64::new(0);
        let clock = move || {
            let look = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(20 * look)
        };
        let client = Client::builder().transport(Script::new(plays)).clock(clock).seed(1).build().unwrap();
        let mut login = client.login().start();
        while let Some(event) = login.next().await {
            check_debug("a login", &login);
            check_debug("a session", login.session());
            match event {
                Ok(ilink_client::LoginEvent::Code(code)) => {
                    assert!(code.url.is_ascii() && code.url.len() < 3000, "{:?}", code.url);
                    check_display("a link", &code.url);
                }
                Ok(event) => check_debug("an event", &event),
                Err(error) => {
                    check_error("a login", &error);
                    assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
                }
            }
        }
    }
}

fn small() -> usize {
    100 << 10
}

#[test]
fn no_setting_is_repeated_as_it_is() {
    const LONG: usize = 1 << 20;
    let text = hostile(LONG);
    let secret = |scheme: &str| format!("{scheme}://user:CANARY@host.example:1/?CANARY");
    let errors = [
        Client::builder().base_url(text.as_str()).build().err(),
        Client::builder().base_url(secret("ftp")).build().err(),
        Client::builder().base_url(secret("https")).build().err(),
        Client::builder().base_url(format!("https://{}.example", "a".repeat(LONG))).build().err(),
        Client::builder().route_tag(text.as_str()).build().err(),
        Client::builder().proxy(text.as_str()).build().err(),
        Client::builder().proxy(secret("ftp")).build().err(),
        Client::builder().root_certificates(text.as_str()).build().err(),
        text.parse::<ClientVersion>().err(),
        Client::new().unwrap().bot(Credentials::new(text.as_str(), text.as_str())).err(),
        Client::new().unwrap().bot(Credentials::new("b", "t").base_url(text.as_str())).err(),
        Client::new().unwrap().bot(Credentials::new("b", "t").base_url(secret("https"))).err(),
        HostPolicy::default().check(&format!("https://{}.evil/", "a".repeat(LONG)).parse().unwrap()).err(),
    ];
    for (number, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("setting {number} was taken"));
        check_error(&format!("setting {number}"), &error);
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
    }
    check_debug("a builder", &Client::builder().base_url(text.as_str()));
    let builder = format!("{:?}", Client::builder().base_url(secret("https")).proxy(secret("http")));
    assert!(!builder.contains("CANARY"), "{builder}");
    let credentials = format!("{:?}", Credentials::new("b", "CANARY").base_url(secret("https")));
    assert!(
        !credentials.contains("CANARY") && credentials.contains("https://host.example:1\""),
        "{credentials}"
    );
    check_display("an agent", &BotAgent::new(&text).as_str());
}

#[test]
fn no_type_shows_text_as_it_came() {
    let text = hostile(LONG);
    macro_rules! ids {
        ($($id:ident),*) => {$( check_debug(stringify!($id), &$id::from(text.as_str())); )*};
    }
    ids!(UserId, BotId, ClientId, RunId, ContextToken, Cursor, TypingTicket, QrHandle, Secret);
    check_display("a user", &UserId::from(text.as_str()));
    check_display("a bot", &BotId::from(text.as_str()));
    check_display("a client id", &ClientId::from(text.as_str()));
    check_display("a run", &RunId::from(text.as_str()));
    check_debug("a message id", &MessageId(u64::MAX));
    check_debug("a status", &LoginStatus::from(text.as_str()));
    check_debug("a tool's status", &ToolStatus::from(text.as_str()));
    check_debug("a text", &Printable::new(&text));

    // Every field of every type, each item in a message of its own, and many of them.
    let fields = hostile(1 << 10);
    let media =
        json!({ "encrypt_query_param": fields, "aes_key": fields, "full_url": fields, "odd": fields });
    let quoted = (0..60).fold(Value::Null, |inner, _| {
        json!({ "title": fields, "message_item": { "type": 1, "text_item": { "text": fields }, "ref_msg": inner },
            "partial_text": { "start": fields, "end": fields, "quotemd5": fields } })
    });
    let items = [
        json!({ "type": 1, "text_item": { "text": fields, "odd": fields }, "ref_msg": quoted }),
        json!({ "type": 2, "image_item": { "media": media, "aeskey": fields, "url": fields, "thumb_media": media } }),
        json!({ "type": 3, "voice_item": { "media": media, "text": fields } }),
        json!({ "type": 4, "file_item": { "media": media, "file_name": fields, "md5": fields, "len": fields } }),
        json!({ "type": 5, "video_item": { "media": media, "video_md5": fields } }),
        json!({ "type": 11, "tool_call_start_item": { "tool_name": fields, "tool_call_id": fields, "odd": fields } }),
        json!({ "type": 12, "tool_call_result_item": { "tool_name": fields, "tool_call_id": fields, "status": fields } }),
        json!({ "type": 99, "card_item": fields }),
    ];
    for item in &items {
        check_debug("an item", &serde_json::from_value::<MessageItem>(item.clone()).unwrap());
    }
    let many: Vec<&Value> = items.iter().cycle().take(500).collect();
    for list in [json!([items[0]]), json!([items[5]]), json!(items), json!(many)] {
        let message = json!({
            "message_id": 5, "from_user_id": fields, "to_user_id": fields, "client_id": fields, "session_id": fields,
            "group_id": fields, "context_token": fields, "run_id": fields, "item_list": list, "odd": { "deep": fields },
        });
        let update = Update::from_json(message.to_string());
        check_debug("an update", &update);
        check_debug("a message", &serde_json::from_value::<WeixinMessage>(message).unwrap());
    }
    let session = json!({ "tokens": [fields, fields], "base_url": text, "started_ms": 0, "issued_ms": 0,
        "code": { "url": text, "number": 1 }, "handle": text, "scanned": false, "asked": false,
        "outcome": { "Confirmed": { "bot_id": text, "token": text, "base_url": text, "user_id": text } } });
    check_debug("a session", &serde_json::from_value::<LoginSession>(session).unwrap());
}

#[tokio::test(start_paused = true)]
async fn no_batch_and_no_request_is_long() {
    let message = json!({ "message_id": 5, "from_user_id": hostile(1000) });
    let messages: Vec<&Value> = std::iter::repeat_n(&message, 5000).collect();
    let script =
        Script::new([Play::ok(json!({ "ret": 0, "msgs": messages, "get_updates_buf": "c" }).to_string())]);
    let bot = script.bot();
    let batch = bot.get_updates("").await.unwrap();
    assert_eq!(batch.messages.len(), 5000);
    check_debug("a batch", &batch);
    check_debug("an event", &ilink_client::UpdatesEvent::Batch(batch));
    let text = hostile(LONG);
    check_debug(
        "a send",
        &bot.send_text(text.as_str(), text.as_str()).run_id(text.as_str()).client_id(text.as_str()),
    );
    check_debug("a poll", &bot.get_updates(text.as_str()));
    check_debug(
        "a question",
        &bot.get_config(text.as_str()).context_token(ContextToken::from(text.as_str())),
    );
    check_debug("a sign", &bot.send_typing(text.as_str(), text.as_str().into(), true));
    check_debug(
        "an upload",
        &bot.get_upload_url(text.as_str(), MediaType::File).key(text.as_str(), text.as_str()),
    );
    check_debug("a bot", &bot);
    check_debug("a stream", &bot.updates(text.as_str()));
    check_debug("a transport", &script as &dyn Transport);
}

#[test]
fn no_transport_says_more_than_it_should() {
    let text = hostile(LONG);
    let wrapped = || std::io::Error::other(text.clone());
    for error in [
        TransportError::connect(text.as_str()),
        TransportError::interrupted(text.as_str()),
        TransportError::connect(wrapped()),
        TransportError::interrupted(wrapped()),
    ] {
        check_display("a transport's error", &error);
        check_debug("a transport's error", &error);
        let error = error.into_error(&text);
        check_error("a transport's error", &error);
        // What lies below is there as it is, for those who look for its type.
        assert!(error.source().is_some());
    }
}
