//! What is repeated, how often, and with which `client_id`.

use std::time::Duration;

use ilink_client::{ErrorKind, RetryClass, RetryPolicy};
use tokio::time::Instant;

use crate::in_process::{BASE_URL, InProcess};
use crate::script::{Play, Script};

const USER: &str = "o9cq80@im.wechat";

#[tokio::test(start_paused = true)]
async fn a_send_is_repeated_with_the_same_client_id() {
    for failure in
        [Play::Refuse, Play::Break, Play::Answer(500, String::new()), Play::ok("<html>"), Play::Hang]
    {
        let script = Script::new([failure.clone(), Play::ok(r#"{"ret":0,"message_id":5}"#)]);
        let sent = script.bot().send_text(USER, "hi").await.unwrap();
        assert_eq!(sent.message_id.unwrap().0, 5, "{failure:?}");
        let made = script.made();
        assert_eq!(made.len(), 2);
        assert_eq!(made[0].json, made[1].json, "{failure:?}");
        assert_eq!(made[0].json["msg"]["client_id"], sent.client_id.as_str());
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_are_not_repeated() {
    for (body, class) in [
        (r#"{"ret":-2,"errmsg":"prepare failed"}"#, RetryClass::Later),
        (r#"{"ret":-3,"errmsg":"invalid arguments"}"#, RetryClass::Never),
        (r#"{"errcode":-14,"errmsg":"session timeout"}"#, RetryClass::AfterLogin),
    ] {
        let script = Script::new([Play::ok(body)]);
        let error = script.bot().send_text(USER, "hi").await.unwrap_err();
        assert!(error.is_rejected());
        assert_eq!((error.retry_class(), error.attempts(), script.made().len()), (class, 1, 1), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn accepted_with_an_id_and_without() {
    for (body, id) in [
        (r#"{"ret":0,"message_id":7497484083968569736}"#, Some(7_497_484_083_968_569_736)),
        (r#"{"ret":0,"message_id":"7497484083968569736"}"#, Some(7_497_484_083_968_569_736)),
        (r#"{"ret":0,"message_id":0}"#, None),
        (r#"{"ret":0}"#, None),
        ("{}", None),
        ("", None),
    ] {
        let sent = Script::new([Play::ok(body)]).bot().send_text(USER, "hi").await.unwrap();
        assert_eq!(sent.message_id.map(|id| id.0), id, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_and_deadline_are_bounded() {
    let script = Script::new((0..9).map(|_| Play::Answer(502, String::new())));
    let error = script.bot().notify_start().await.unwrap_err();
    assert_eq!((error.kind(), error.status(), error.attempts()), (ErrorKind::Status, Some(502), 3));

    let begun = Instant::now();
    let error = Script::new([]).bot().send_text(USER, "hi").await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(begun.elapsed() <= RetryPolicy::default().deadline, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_and_a_long_one_ends_it() {
    let busy = |seconds| Play::AnswerWith(429, "retry-after", seconds, String::new());
    let script = Script::new([busy("7"), Play::ok("{}")]);
    script.bot().notify_start().await.unwrap();
    let made = script.made();
    assert!(made[1].at - made[0].at >= Duration::from_secs(7));

    let error = Script::new([busy("3600")]).bot().notify_start().await.unwrap_err();
    assert_eq!((error.attempts(), error.retry_after()), (1, Some(Duration::from_secs(3600))));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_idempotent_is_sent_once() {
    let script = Script::new([Play::Break, Play::ok("{}")]);
    script.bot().send_typing(USER, "ticket".into(), true).await.unwrap_err();
    assert_eq!(script.made().len(), 1);
    // Nothing has reached the server: sending it again is no repetition.
    let script = Script::new([Play::Refuse, Play::ok("{}")]);
    script.bot().send_typing(USER, "ticket".into(), true).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_ends_with_the_deadline() {
    let server = ilink_fixtures::Simulator::builder().in_process();
    let info = server.add_bot("o9cq80@im.wechat");
    server.fault(
        ilink_fixtures::Fault::SlowBody { chunk: 1, pause_ms: 60_000 },
        ilink_fixtures::Endpoint::SendMessage,
        9,
    );
    let client =
        ilink_client::Client::builder().transport(InProcess(server)).base_url(BASE_URL).build().unwrap();
    let bot = client.bot(ilink_client::Credentials::new(info.bot_id, info.token)).unwrap();
    let begun = Instant::now();
    let error = bot.send_text(USER, "hi").await.unwrap_err();
    assert!(
        error.is_timeout() && begun.elapsed() <= RetryPolicy::default().deadline,
        "{error} {:?}",
        begun.elapsed()
    );
}
