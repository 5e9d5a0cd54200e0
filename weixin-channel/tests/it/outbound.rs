//! Outbound: answers, refusals, typing.

use std::time::Duration;

use ilink_fixtures::{ChatKind, Endpoint, Fault};
use weixin_channel::ilink_client::RetryClass;
use weixin_channel::weixin_media::Source;
use weixin_channel::{ErrorKind, Reply};

use crate::{Lab, USER, next};

#[tokio::test(start_paused = true)]
async fn a_user_who_never_wrote_cannot_be_written_to() {
    let lab = Lab::new();
    let (channel, _deliveries) = lab.start().await;
    let error = channel.conversation(&lab.account, "user:nobody@im.wechat").send("hi").await.unwrap_err();
    assert_eq!((error.retry_class(), error.code()), (RetryClass::Later, "no-context"));
    assert!(error.to_string().starts_with("nobody@im.wechat has not written to account"), "{error}");
    assert!(lab.simulator.requests_to(Endpoint::SendMessage).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lower_cased_target_is_found_and_sent_as_it_is_spelled() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("hi");
    next(&mut deliveries).await.ack().await.unwrap();
    let target = format!("openclaw-weixin:user:{}", USER.to_lowercase());
    channel.conversation(&lab.account, &target).send("found you").await.unwrap();
    lab.phone().wait_for_text("found you", Duration::from_secs(5)).await.unwrap();
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_arrives_in_parts_and_in_order() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("tell me a story");
    let delivery = next(&mut deliveries).await;
    let story: Vec<String> = (0..900).map(|n| format!("{n:>4} words")).collect();
    let report = delivery.reply(&story.join("\n")).await.unwrap();
    assert_eq!(report.parts.len(), 3);
    let shown = lab.phone().wait_for_reply(3, Duration::from_secs(5)).await.unwrap();
    let text: Vec<String> = shown
        .into_iter()
        .filter(|entry| entry.kind == ChatKind::Text)
        .filter_map(|entry| entry.text)
        .collect();
    assert_eq!(text.join("\n"), story.join("\n"));
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_error_and_says_how_far_it_got() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    let refused = || Fault::Ret { ret: -2, errmsg: None };
    lab.simulator.fault(refused(), Endpoint::SendMessage, 1);
    let error = delivery.reply("one").await.unwrap_err();
    assert_eq!(error.code(), "rejected");
    lab.simulator.fault(Fault::Delay { ms: 1 }, Endpoint::SendMessage, 1);
    lab.simulator.fault(refused(), Endpoint::SendMessage, 1);
    let error = delivery.reply(&"字".repeat(5_000)).await.unwrap_err();
    assert!(
        error.to_string().starts_with("only 1 of 2 parts of the message were accepted: account ")
            && error.to_string().ends_with("try again (the server said: ret -2)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn typing_is_renewed_and_always_taken_back() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    let typing = channel.conversation(&delivery.account, USER).typing().await.unwrap();
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(lab.phone().typing());
    drop(typing);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!lab.phone().typing());
    assert_eq!(lab.simulator.requests_to(Endpoint::SendTyping).len(), 4, "at 0, 5 and 10 s, and the end");
    // The ticket is kept.
    drop(channel.conversation(&delivery.account, USER).typing().await.unwrap());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(lab.simulator.requests_to(Endpoint::GetConfig).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failing_ticket_costs_nothing_but_the_sign() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    lab.simulator.fault(
        Fault::Ret { ret: -4, errmsg: Some("GetTypingTicket rpc failed".into()) },
        Endpoint::GetConfig,
        1,
    );
    let _typing = channel.conversation(&delivery.account, USER).typing().await.unwrap();
    delivery.reply("answer").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn media_comes_in_and_goes_out_with_its_caption() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = lab.start().await;
    let picture = b"\x89PNG\r\n\x1a\n and some pixels".to_vec();
    lab.phone().send_image(picture.clone());
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.text, "[图片]");
    let media = delivery.conversation().media().await.unwrap();
    let bytes = media.download(&delivery.inbound.media()[0]).to_bytes().await.unwrap();
    assert_eq!(bytes, picture);

    let report =
        delivery.reply(Reply::text("here it is").and_media(Source::bytes(picture.clone()))).await.unwrap();
    assert_eq!(report.parts.len(), 2);
    let shown = lab.phone().wait_for_reply(2, Duration::from_secs(5)).await.unwrap();
    assert_eq!((shown[0].kind, shown[0].text.as_deref()), (ChatKind::Text, Some("here it is")));
    assert_eq!((shown[1].kind, shown[1].media.as_ref().unwrap().bytes.to_vec()), (ChatKind::Image, picture));
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn a_caption_arrives_where_its_media_does_not() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    lab.simulator.fault(Fault::status(403), Endpoint::CdnUpload, 9);
    let error = delivery
        .reply(Reply::text("here it is").and_media(Source::bytes(b"bytes".to_vec())))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Media, "http-status"));
    assert_eq!(error.retry_class(), RetryClass::Never, "the caption would come twice");
    lab.phone().wait_for_text("here it is", Duration::from_secs(5)).await.unwrap();
}
