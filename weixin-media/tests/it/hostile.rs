//! Text of others does nothing where it is shown: in no error, in no `Debug`.

use std::fmt::Debug;

use ilink_client::wire::{CdnMedia, MessageItem};
use weixin_media::codec::{MediaKey, MediaKind, VoiceFile, convert_voice, safe_file_name};
use weixin_media::{Error, Media, MediaRef, Remote, Source, Thumbnail, TransferPolicy, Upload};

use crate::script::{Answer, Script};

const TRICKS: &str = "\u{1b}[31m\u{1b}]8;;http://evil.example\u{1b}\\\u{9b}2J\r\nINFO all is well\u{85}\u{2028}\u{202e}\u{2066}\u{200b}\0";
/// What a header can hold of it.
const HEADER: &str = "\u{9b}31m\u{85}\u{2028}\u{202e}\u{feff}";

fn check(name: &str, shown: &str) {
    let bad = shown.chars().find(|&char| {
        char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
    });
    let start: String = shown.escape_debug().take(600).collect();
    assert_eq!(bad, None, "{name}: {start}");
    assert!(shown.len() < 4000 && !shown.contains("CANARY"), "{name}: {} bytes: {start}", shown.len());
}

fn check_error(name: &str, error: &Error) {
    check(name, &error.to_string());
    check(name, &format!("{error:?}"));
}

fn check_debug(name: &str, value: &impl Debug) {
    check(name, &format!("{value:?}"));
}

fn once() -> TransferPolicy {
    TransferPolicy { max_attempts: 1, ..TransferPolicy::default() }
}

fn image() -> MediaRef {
    let cdn = CdnMedia { encrypt_query_param: Some("p".into()), ..CdnMedia::default() };
    MediaRef::new(MediaKind::Image, cdn)
}

#[tokio::test(start_paused = true)]
async fn no_answer_of_the_cdn_reaches_a_terminal_as_it_is() {
    let long = format!("{TRICKS}{}", "x".repeat(20 << 20));
    let many = "a".repeat(1 << 20);
    let answers = [
        Answer::new(403).header("x-error-message", HEADER),
        Answer::new(500).bytes(long.as_bytes()),
        Answer::new(302).header("location", HEADER),
        Answer::new(302).header("location", format!("https://user:CANARY@{many}.example/?CANARY")),
        Answer::new(302).header("location", format!("https://user:CANARY@{many}.weixin.qq.com/?CANARY")),
        Answer::new(200).header("content-type", format!("text/html; {HEADER}")),
        Answer::new(206).header("content-range", HEADER),
        Answer::new(200).header("content-length", "18446744073709551615"),
        Answer::new(206).header("content-range", "bytes 0-1/18446744073709551615"),
        Answer::new(206).header("content-range", "bytes 18446744073709551615-1/1"),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let error =
            Script::new([answer.clone()]).media(once()).download(&image()).to_bytes().await.unwrap_err();
        check_error(&format!("download {number}"), &error);
        let place = Answer::new(200).bytes(br#"{"ret":0,"upload_param":"p"}"#);
        let media = Script::new([place, answer]).media(once());
        let error = media.upload("u", Source::bytes(&b"text"[..])).await.unwrap_err();
        check_error(&format!("upload {number}"), &error);
    }
    let place = serde_json::json!({ "ret": 0, "upload_full_url": format!("https://user:CANARY@{many}.example/?{TRICKS}CANARY") });
    for answer in [
        place,
        serde_json::json!({ "ret": -2, "errmsg": &long[..100_000] }),
        serde_json::json!({ "upload_full_url": TRICKS }),
    ] {
        let media = Script::new([Answer::new(200).bytes(answer.to_string().as_bytes())]).media(once());
        let error = media.upload("u", Source::bytes(&b"text"[..])).await.unwrap_err();
        check_error("a place", &error);
    }
}

#[tokio::test]
async fn no_url_of_an_agent_is_repeated_as_it_is() {
    let many = "a".repeat(1 << 20);
    let remote =
        Remote::builder().lookup(|_| Box::pin(async { Err(std::io::Error::other(TRICKS)) })).build().unwrap();
    for url in [
        TRICKS.to_owned(),
        format!("{many}://user:CANARY@host.example/?CANARY"),
        "https://user:CANARY@host.example/?CANARY".to_owned(),
        format!("http://{many}.example/?CANARY"),
        format!("http://host.example/{TRICKS}?CANARY"),
        "http://127.0.0.1/?CANARY#CANARY".to_owned(),
    ] {
        let download = remote.download(url);
        check_debug("a download", &download);
        check_error("a download", &download.to_bytes().await.unwrap_err());
    }
    let script = Script::new([]);
    for url in [
        format!("https://user:CANARY@{many}.example"),
        "https://user:CANARY@cdn.example".to_owned(),
        TRICKS.to_owned(),
    ] {
        check_error("a CDN", &script.media(once()).cdn_base_url(&url).err().unwrap());
    }
}

#[test]
fn no_type_shows_content_or_text_as_it_came() {
    let text = format!("{TRICKS}{}CANARY", "x".repeat(20 << 20));
    let item = serde_json::json!({ "type": 4, "file_item": { "file_name": text, "len": text, "md5": text,
        "media": { "aes_key": text, "full_url": text, "encrypt_query_param": text } } });
    let item: MessageItem = serde_json::from_value(item).unwrap();
    let media = MediaRef::of(&item).unwrap();
    check_debug("media", &media);
    check("a name", &safe_file_name(media.name().unwrap()));
    let voice: VoiceFile = convert_voice(text.clone().into_bytes().into()).unwrap();
    check_debug("a voice", &voice);
    check_debug("a thumbnail", &Thumbnail { bytes: text.clone().into_bytes().into(), width: 1, height: 1 });
    check_debug("a source", &Source::bytes(text.clone().into_bytes()));
    check_debug("a key", &MediaKey::parse(&text[..44]));
    let script = Script::new([]);
    let media: Media = script.media(once());
    check_debug("a mover", &media);
    let upload: Upload<'_> = media.upload(text.as_str(), Source::bytes(text.clone().into_bytes()));
    check_debug("an upload", &upload);
}
