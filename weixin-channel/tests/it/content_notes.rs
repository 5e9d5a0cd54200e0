//! Field notes 19–31, media and security: what each row says we do about it, each by its number.
//!
//! The table is one, and so is this file.
// Long because: one test per row of the field notes, to be read beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use ilink_fixtures::{ChatKind, Endpoint, Fault};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use weixin_channel::weixin_media::Source;
use weixin_channel::{
    Attachment, Channel, Deliveries, Delivery, InboundPolicy, MediaPolicy, Refusal, Reply, SendPolicy,
};

use crate::{Lab, PATIENCE, USER, config, next, quiet};

const STRANGER: &str = "o9cq8Stranger003@im.wechat";
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n and some pixels";

/// A channel that fetches media before the handler gets the message.
async fn eager(lab: &Lab) -> (Channel, Deliveries) {
    let mut policy = InboundPolicy::default();
    policy.media = MediaPolicy::Eager { max_size: 1_000_000 };
    let (channel, deliveries) = lab.builder().inbound(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    (channel, deliveries)
}

async fn greeted(lab: &Lab) -> (Channel, Deliveries, Delivery) {
    let (channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    (channel, deliveries, delivery)
}

/// The items of all messages that were sent.
fn sent_items(lab: &Lab) -> Vec<Value> {
    let requests = lab.simulator.requests_to(Endpoint::SendMessage);
    requests.iter().map(|request| request.json()["msg"]["item_list"][0].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn note_19_media_says_all_that_the_phone_needs_to_open_it() {
    let lab = Lab::new();
    let (_channel, _deliveries, delivery) = greeted(&lab).await;
    delivery.reply(Reply::media(Source::bytes(PICTURE))).await.unwrap();
    delivery.reply(Reply::media(Attachment::new(b"text".to_vec()).name("a.txt"))).await.unwrap();
    let items = sent_items(&lab);
    let image = &items[0]["image_item"];
    assert!(image["mid_size"].as_u64().is_some());
    let key = image["media"]["aes_key"].as_str().unwrap();
    assert_eq!(key.len(), 44, "base64 of 32 hex characters, not of 16 raw bytes");
    assert_eq!(items[1]["file_item"]["md5"].as_str().map(str::len), Some(32));
    assert_eq!(items[1]["file_item"]["len"], "4");
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn note_20_the_cdn_is_retried_and_an_upload_holds_nobody_up() {
    let lab = Lab::new();
    let (channel, _deliveries, delivery) = greeted(&lab).await;
    lab.simulator.fault(Fault::status(500), Endpoint::CdnUpload, 2);
    delivery.reply(Reply::media(Source::bytes(PICTURE))).await.unwrap();
    assert_eq!(lab.simulator.requests_to(Endpoint::CdnUpload).len(), 3);
    assert_eq!(
        lab.simulator.requests_to(Endpoint::GetUploadUrl).len(),
        2,
        "the last try asks for a fresh place"
    );

    lab.simulator.fault(Fault::Delay { ms: 20_000 }, Endpoint::CdnUpload, 1);
    let slow = tokio::spawn({
        let channel = channel.clone();
        let account = lab.account.clone();
        async move {
            channel
                .conversation(&account, USER)
                .send(Reply::text("a caption").and_media(Source::bytes(PICTURE)))
                .await
        }
    });
    sleep(Duration::from_secs(1)).await;
    let text = timeout(Duration::from_secs(5), delivery.reply("meanwhile")).await;
    text.expect("the upload holds up the peer's queue").unwrap();
    slow.await.unwrap().unwrap();
    let kinds: Vec<ChatKind> = lab.phone().replies().iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [ChatKind::Image, ChatKind::Text, ChatKind::Text, ChatKind::Image]);
}

#[tokio::test(start_paused = true)]
async fn note_21_audio_goes_out_as_a_file() {
    let lab = Lab::new();
    let (_channel, _deliveries, delivery) = greeted(&lab).await;
    let audio = Attachment::new(b"ID3\x04 an mp3".to_vec()).name("answer.mp3");
    delivery.reply(Reply::media(audio)).await.unwrap();
    assert_eq!(sent_items(&lab)[0]["file_item"]["file_name"], "answer.mp3");
}

#[tokio::test(start_paused = true)]
async fn note_22_voice_becomes_wav_and_what_is_not_silk_keeps_its_true_type() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = eager(&lab).await;
    let clip = include_bytes!("../../../weixin-media/tests/silk/000.silk");
    lab.phone().send_voice(clip.to_vec(), None);
    lab.phone().send_voice(b"#!AMR\n and then some".to_vec(), Some("你好"));
    let silk = next(&mut deliveries).await;
    let saved = silk.inbound.attachments[0].saved.clone().unwrap().unwrap();
    assert_eq!(
        (saved.mime.essence_str(), saved.path.extension().unwrap().to_str()),
        ("audio/wav", Some("wav"))
    );
    assert_eq!(std::fs::read(&saved.path).unwrap()[..4], *b"RIFF");
    silk.ack().await.unwrap();
    let amr = next(&mut deliveries).await;
    assert_eq!(amr.inbound.text, "你好", "the transcript");
    let saved = amr.inbound.attachments[0].saved.clone().unwrap().unwrap();
    assert!(saved.mime.essence_str().contains("amr"), "{saved:?}");
    assert_eq!(std::fs::read(&saved.path).unwrap(), b"#!AMR\n and then some");
}

#[tokio::test(start_paused = true)]
async fn note_23_long_texts_are_cut_where_readers_would_and_code_stays_code() {
    let lab = Lab::new();
    let (_channel, _deliveries, delivery) = greeted(&lab).await;
    let code: Vec<String> = (0..400).map(|n| format!("let value_{n} = {n};")).collect();
    delivery.reply(format!("Look:\n\n```rust\n{}\n```\n", code.join("\n"))).await.unwrap();
    let items = sent_items(&lab);
    assert!(items.len() > 1);
    for item in &items {
        let text = item["text_item"]["text"].as_str().unwrap();
        assert!(text.chars().count() <= 4_000 && text.len() <= 16_000);
        assert_eq!(text.matches("```").count() % 2, 0, "{text}");
    }
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn note_24_all_items_of_a_message_in_order_with_all_text() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = eager(&lab).await;
    let phone = lab.phone();
    let (one, two) = (phone.upload(1, PICTURE), phone.upload(3, b"notes".to_vec()));
    phone.send_message(json!({
        "message_id": 7, "from_user_id": USER, "message_type": 1, "context_token": "t", "item_list": [
            { "type": 2, "image_item": { "aeskey": one.key_hex, "media": one.cdn_media() } },
            { "type": 1, "text_item": { "text": "看这个" } },
            { "type": 4, "file_item": { "media": two.cdn_media(), "file_name": "notes.txt" } },
            { "type": 1, "text_item": { "text": "and this" } },
            { "type": 99 },
        ],
    }));
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.text, "[图片]\n看这个\n[文件]\nand this\n[暂不支持的消息]");
    let saved: Vec<_> =
        delivery.inbound.attachments.iter().map(|a| a.saved.clone().unwrap().unwrap()).collect();
    assert_eq!(saved.iter().map(|saved| saved.name.as_str()).collect::<Vec<_>>(), ["image.png", "notes.txt"]);
    assert_eq!(std::fs::read(&saved[0].path).unwrap(), PICTURE);
    assert_eq!(std::fs::read(&saved[1].path).unwrap(), b"notes");
}

#[tokio::test(start_paused = true)]
async fn note_24_media_that_cannot_be_had_does_not_hold_up_its_message() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = eager(&lab).await;
    lab.simulator.fault(Fault::status(404), Endpoint::CdnDownload, 9);
    lab.phone().send_image(PICTURE);
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.text, "[图片: 下载失败]");
    assert!(delivery.inbound.attachments[0].saved.clone().unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn note_25_quotes_are_known_by_id_by_time_and_in_part() {
    let lab = Lab::new();
    let (_channel, mut deliveries, delivery) = greeted(&lab).await;
    let report = delivery.reply("first line\nsecond line\nthird line").await.unwrap();
    delivery.ack().await.unwrap();
    let answer = report.message_id().unwrap();
    let quoting =
        |quote: Value| json!({ "type": 1, "text_item": { "text": "what of this?" }, "ref_msg": quote });
    let mut quoted = async |quote: Value| {
        lab.phone().send_any_item(quoting(quote));
        let delivery = next(&mut deliveries).await;
        let quote = delivery.inbound.quote.clone().unwrap();
        delivery.ack().await.unwrap();
        quote
    };
    let by_id = quoted(json!({ "svr_id": answer.0 })).await;
    assert_eq!(
        (by_id.body.as_str(), by_id.message_id),
        ("first line\nsecond line\nthird line", Some(answer))
    );
    let part = quoted(json!({
        "svr_id": answer.0, "partial_text": { "start": "second", "startindex": 0, "end": "line", "endindex": 0 },
    }))
    .await;
    assert_eq!(part.selected.as_deref(), Some("second line"));
    let inline = quoted(json!({ "message_item": { "type": 1, "text_item": { "text": "被引用" } } })).await;
    assert_eq!(inline.body, "被引用");
    let unknown = quoted(json!({ "svr_id": 4_711 })).await;
    assert_eq!(unknown.body, "[引用消息内容未缓存]");
    // A picture, of which the quote says only when it was sent.
    lab.phone().send_image(PICTURE);
    let picture = next(&mut deliveries).await;
    let second = picture.inbound.time_ms.unwrap() / 1_000 * 1_000;
    let id = picture.inbound.message_id;
    picture.ack().await.unwrap();
    let mut quoted = async |quote: Value| {
        lab.phone().send_any_item(quoting(quote));
        next(&mut deliveries).await.inbound.quote.clone().unwrap()
    };
    let by_time =
        quoted(json!({ "message_item": { "type": 2, "create_time_ms": second, "image_item": {} } })).await;
    assert_eq!((by_time.message_id, by_time.body.as_str()), (id, "[图片]"));
}

#[tokio::test(start_paused = true)]
async fn note_26_markdown_by_mode() {
    let lab = Lab::new();
    let mut policy = SendPolicy::default();
    policy.markdown = weixin_channel::markdown::Mode::Plain;
    let (channel, mut deliveries) = lab.builder().sends(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    let text = "# Title\n\n**bold**";
    delivery.reply(text).await.unwrap();
    delivery.reply(Reply::text(text).markdown(weixin_channel::markdown::Mode::Native)).await.unwrap();
    let texts: Vec<Value> = sent_items(&lab).iter().map(|item| item["text_item"]["text"].clone()).collect();
    assert_eq!(texts, ["Title\n\nbold", text]);
}

#[tokio::test(start_paused = true)]
async fn note_27_nothing_is_done_for_a_stranger_but_to_send_a_code_once() {
    let lab = Lab::new();
    let mut policy = InboundPolicy::default();
    policy.media = MediaPolicy::Eager { max_size: 1_000_000 };
    let (channel, mut deliveries) = lab.builder().inbound(policy).build().await.unwrap();
    let mut config = config();
    (config.access, config.allow_from) = (weixin_channel::access::Policy::Pairing, Vec::new());
    channel.start(&lab.account, config).await.unwrap();
    let stranger = lab.simulator.phone(STRANGER).writing_to(lab.account.bot_id().as_str());
    stranger.send_text("/stop");
    stranger.send_image(PICTURE);
    assert!(quiet(&mut deliveries).await);
    assert!(lab.simulator.requests_to(Endpoint::CdnDownload).is_empty());
    let replies = stranger.replies();
    assert_eq!(replies.len(), 1, "one code, however much they write");
    let asked = channel.pairing_requests().await.unwrap();
    assert_eq!((asked.len(), asked[0].user.as_str()), (1, STRANGER));
    assert!(replies[0].text.as_ref().unwrap().contains(&asked[0].code));
    assert_eq!(channel.status(&lab.account).pending, 0);

    lab.phone().send_text("I scanned");
    next(&mut deliveries).await.ack().await.unwrap();
    assert_eq!(channel.approve(&asked[0].code).await.unwrap().unwrap().user.as_str(), STRANGER);
    stranger.send_text("let me in");
    assert_eq!(next(&mut deliveries).await.inbound.text, "let me in");
    assert_eq!(channel.allow_list(&lab.account).users().await.unwrap(), [STRANGER]);
}

#[tokio::test(start_paused = true)]
async fn note_27_a_code_that_could_not_be_sent_is_sent_when_they_write_again() {
    let lab = Lab::new();
    let (channel, _deliveries) = lab.builder().build().await.unwrap();
    channel.start(&lab.account, weixin_channel::AccountConfig::default()).await.unwrap();
    let stranger = lab.simulator.phone(STRANGER).writing_to(lab.account.bot_id().as_str());
    lab.simulator.fault(Fault::ret(-2), Endpoint::SendMessage, 1);
    stranger.send_text("hello");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(stranger.replies().is_empty());
    stranger.send_text("hello?");
    stranger.wait_for_reply(1, PATIENCE).await.unwrap();
    assert_eq!(channel.pairing_requests().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn note_27_the_policies() {
    use weixin_channel::access::Policy;
    for (policy, list, welcome) in [
        (Policy::Allowlist, vec![], false),
        (Policy::Allowlist, vec![STRANGER], true),
        (Policy::Allowlist, vec!["o9cq8stranger003@im.wechat"], false),
        (Policy::Allowlist, vec!["wechat:dm:o9cq8Stranger003@im.wechat"], true),
        (Policy::Allowlist, vec!["*"], true),
        (Policy::Pairing, vec!["*"], true),
        (Policy::Open, vec!["*"], true),
        (Policy::Open, vec![], false),
        (Policy::Disabled, vec![STRANGER], false),
    ] {
        let lab = Lab::new();
        let (channel, mut deliveries) = lab.builder().build().await.unwrap();
        let mut config = config();
        (config.access, config.allow_from) = (policy, list.iter().map(|&user| user.to_owned()).collect());
        channel.start(&lab.account, config).await.unwrap();
        let stranger = lab.simulator.phone(STRANGER).writing_to(lab.account.bot_id().as_str());
        stranger.send_text("hello");
        assert_eq!(!quiet(&mut deliveries).await, welcome, "{policy:?} {list:?}");
        assert!(stranger.replies().is_empty());
    }
}

#[tokio::test]
async fn an_allow_list_names_users_however_they_are_written_and_never_everybody() {
    let lab = Lab::new();
    let (channel, _deliveries) = lab.builder().build().await.unwrap();
    let list = channel.allow_list(&lab.account);
    for nobody in ["*", " * ", "weixin:*", "weixin:", ""] {
        assert!(!list.add(&nobody.into()).await.unwrap(), "{nobody}");
    }
    assert!(list.add(&"openclaw-weixin:user:o9cq8Friend003@im.wechat".into()).await.unwrap());
    assert!(!list.add(&"o9cq8Friend003@im.wechat".into()).await.unwrap());
    assert_eq!(list.users().await.unwrap(), ["o9cq8Friend003@im.wechat"]);
    assert!(list.remove(&"wechat:o9cq8Friend003@im.wechat".into()).await.unwrap());
    assert!(list.users().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn note_27_a_message_that_is_dismissed_leaves_nothing_behind() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    let id = lab.phone().send_text("from somebody whom the program does not let in");
    next(&mut deliveries).await.dismiss().await.unwrap();
    assert!(quiet(&mut deliveries).await);
    assert_eq!(channel.status(&lab.account).pending, 0);
    lab.phone().send_any_item(json!({
        "type": 1, "text_item": { "text": "what of this?" }, "ref_msg": { "svr_id": id },
    }));
    let mut delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.quote.take().unwrap().body, "[引用消息内容未缓存]");
}

#[tokio::test(start_paused = true)]
async fn media_is_fetched_when_the_program_has_decided() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = lab.start().await;
    lab.phone().send_image(PICTURE);
    let mut delivery = next(&mut deliveries).await;
    assert!(lab.simulator.requests_to(Endpoint::CdnDownload).is_empty());
    delivery.fetch_media(1_000).await;
    let saved = delivery.inbound.attachments[0].saved.clone().unwrap().unwrap();
    assert_eq!(std::fs::read(saved.path).unwrap(), PICTURE);
    delivery.fetch_media(1_000).await;
    assert_eq!(lab.simulator.requests_to(Endpoint::CdnDownload).len(), 1, "once");
}

#[tokio::test(start_paused = true)]
async fn note_28_urls_that_an_agent_gives_never_reach_private_networks() {
    let lab = Lab::new();
    let (_channel, _deliveries, delivery) = greeted(&lab).await;
    for url in
        ["http://127.0.0.1:1/secret", "http://169.254.169.254/latest", "http://[::1]/", "file:///etc/passwd"]
    {
        let error = delivery.reply(Reply::media(Attachment::url(url))).await.unwrap_err();
        assert!(matches!(error.code(), "host-not-allowed" | "invalid-input"), "{url}: {error}");
    }
    let report = delivery
        .reply(Reply::text("caption").and_media(Attachment::url("http://10.0.0.1/")).and_text("rest"));
    let error = report.await.unwrap_err();
    assert!(error.to_string().starts_with("only 2 of 3 parts of the message were accepted"), "{error}");
    assert_eq!(lab.phone().replies().len(), 2, "what stands around it arrives");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn note_29_files_are_private_and_nothing_secret_is_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new();
    let (channel, mut deliveries) = eager(&lab).await;
    lab.phone().send_image(PICTURE);
    let delivery = next(&mut deliveries).await;
    delivery.reply("secret text").await.unwrap();
    let shown =
        format!("{channel:?} {delivery:?} {:?} {:?}", delivery.inbound, channel.accounts().await.unwrap());
    for secret in [lab.token().as_str(), "secret text"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    delivery.ack().await.unwrap();
    channel.stop_all().await;
    let mut modes = BTreeMap::new();
    let mut folders = vec![lab.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o077;
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path.clone());
            }
            modes.insert(path, mode);
        }
    }
    // The lab itself wrote the account and its folders.
    let ours = modes.iter().filter(|(path, _)| !path.ends_with(format!("{}.json", lab.account)));
    let open: Vec<_> = ours.filter(|(path, mode)| **mode != 0 && !path.is_dir()).collect();
    assert!(open.is_empty(), "{open:?}");
    assert!(modes.len() > 8, "{modes:?}");
}

#[tokio::test(start_paused = true)]
async fn note_30_names_from_the_wire_are_no_paths() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = eager(&lab).await;
    lab.phone().send_file("../../../etc/cron.d/evil.sh", b"x".to_vec());
    let delivery = next(&mut deliveries).await;
    let saved = delivery.inbound.attachments[0].saved.clone().unwrap().unwrap();
    assert_eq!(saved.name, "evil.sh");
    assert!(saved.path.starts_with(lab.folder.path()), "{saved:?}");
    assert!(!saved.path.to_string_lossy().contains(".."));
}

#[tokio::test(start_paused = true)]
async fn note_31_a_second_process_is_told_who_polls_this_account() {
    let lab = Lab::new();
    let (_channel, _deliveries) = lab.start().await;
    let (second, _other) = lab.builder().build().await.unwrap();
    let error = second.start(&lab.account, config()).await.unwrap_err();
    assert_eq!(error.code(), "account-locked");
    assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_day_of_one_account() {
    let lab = Lab::new();
    lab.simulator.set_switches(|switches| {
        (switches.sends_per_inbound, switches.window_ms) = (Some(10), Some(24 * 3_600_000));
    });
    let (channel, mut deliveries) = lab.start().await;
    let hour = Duration::from_secs(3600);
    // Morning: a conversation.
    for n in 0..20 {
        lab.phone().send_text(&format!("m{n}"));
        let delivery = next(&mut deliveries).await;
        delivery.reply(format!("echo m{n}")).await.unwrap();
        delivery.ack().await.unwrap();
        sleep(Duration::from_secs(60)).await;
    }
    // Noon: the machine sleeps. Polls hang, and what was written meanwhile is there when it wakes.
    lab.simulator.fault(Fault::hang(), Endpoint::GetUpdates, 4);
    sleep(hour).await;
    lab.phone().send_text("while you slept");
    next(&mut deliveries).await.ack().await.unwrap();
    // Afternoon: eleven reports of one job, of which WeChat takes ten.
    let mut refused = 0;
    for n in 0..11 {
        if let Err(error) = channel.conversation(&lab.account, USER).send(format!("report {n}")).await {
            assert_eq!(error.refusal(), Some(Refusal::QuotaExhausted));
            refused += 1;
        }
    }
    assert_eq!(refused, 1);
    // Evening: the token is stale, and a new login by the same user takes over.
    lab.simulator.revoke(lab.account.bot_id().as_str());
    crate::until(&channel, &lab.account, weixin_channel::AccountState::NeedsLogin).await;
    let (account, retired, _) = lab.log_in_again(&channel).await;
    assert_eq!(retired, std::slice::from_ref(&lab.account));
    let old = lab.account.as_str();
    let left = std::fs::read_dir(lab.folder.path().join("openclaw-weixin/accounts")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = left.filter(|name| name.starts_with(old) && !name.contains(".retired-")).collect();
    assert_eq!(left, [format!("{old}.lock")], "the old account's files are kept under other names");
    channel.reconcile(|_| config()).await.unwrap();
    lab.phone().send_text("good evening");
    let delivery = next(&mut deliveries).await;
    assert_eq!((&delivery.account, delivery.inbound.text.as_str()), (&account, "good evening"));
    delivery.reply("good evening to you").await.unwrap();
    delivery.ack().await.unwrap();
    // The next evening: too late for a word.
    sleep(hour * 24).await;
    let error = channel.conversation(&account, USER).send("are you still there?").await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::WindowClosed));
    channel.stop_all().await;
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn a_program_is_one_function() {
    let lab = Lab::new();
    let program = lab.builder().run(async |inbound, reply: weixin_channel::Conversation| {
        if inbound.text == "fail once" {
            static FAILED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
            if !FAILED.swap(true, std::sync::atomic::Ordering::Relaxed) {
                return Err(weixin_channel::Error::EmptyReply);
            }
        }
        reply.send(format!("echo: {}", inbound.text)).await.map(drop)
    });
    let conversation = async {
        for text in ["hello", "fail once"] {
            lab.phone().send_text(text);
            lab.phone().wait_for_text(&format!("echo: {text}"), PATIENCE).await.unwrap();
        }
    };
    tokio::select! {
        ended = program => panic!("{ended:?}"),
        () = conversation => {}
    }
    let empty = Lab::empty();
    let ended = empty.builder().run(async |_, _| Ok::<(), weixin_channel::Error>(())).await;
    assert_eq!(ended.unwrap_err().code(), "no-accounts");
}
