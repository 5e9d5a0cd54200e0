//! Answers that are too much: what is refused, what is kept undecoded, and that nothing is acknowledged by it.

use std::time::Duration;

use ilink_client::wire::MediaType;
use ilink_client::{ErrorKind, LinkState, RetryClass, Update, UpdatesEvent};
use tokio::time::Instant;

use crate::script::{Play, Script};

fn answer(messages: &str) -> String {
    format!(r#"{{"ret":0,"msgs":[{messages}],"get_updates_buf":"new"}}"#)
}

/// The element so often.
fn list(element: &str, count: usize) -> String {
    vec![element; count].join(",")
}

#[tokio::test(start_paused = true)]
async fn a_poll_answer_that_would_fill_the_memory_is_refused() {
    let objects = list(r#"{"":0}"#, 1_000_000);
    for (what, body) in [
        ("messages that are nothing", answer(&list("1", 10_800_000))),
        ("too many messages", answer(&list("{}", 20_001))),
        ("many lists in one message", answer(&format!("{{\"x\":[{objects}]}}"))),
        ("the same, broken, so that it is repaired", answer(&format!("{{\"x\":[{objects}],\"y\":NaN}}"))),
        ("what no field has", format!(r#"{{"ret":0,"odd":[{objects}]}}"#)),
        ("a message in place of the list", format!(r#"{{"ret":0,"msgs":{{"x":[{objects}]}}}}"#)),
        ("more bytes than are taken", answer(&format!("\"{}\"", "x".repeat(32 << 20)))),
    ] {
        let script = Script::new([Play::ok(body)]);
        let error = script.bot().get_updates("old").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code(), error.retry_class()),
            (ErrorKind::TooLarge, "too-large", RetryClass::Never),
            "{what}: {error}"
        );
        assert!(error.to_string().contains("refused"), "{what}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_just_below_is_taken() {
    let script = Script::new([Play::ok(answer(&list(r#"{"message_id":5,"from_user_id":"u"}"#, 20_000)))]);
    let batch = script.bot().get_updates("old").await.unwrap();
    assert_eq!((batch.messages.len(), batch.cursor.as_str()), (20_000, "new"));
    assert!(batch.messages.iter().all(|update| update.message().is_some()));
    // In strings, nothing is counted: 16 MiB of commas are a text.
    let text = format!(
        r#"{{"message_id":5,"item_list":[{{"type":1,"text_item":{{"text":"{}"}}}}]}}"#,
        ",{[".repeat(300_000)
    );
    let batch = Script::new([Play::ok(answer(&text))]).bot().get_updates("old").await.unwrap();
    assert_eq!(batch.messages[0].message().unwrap().text().unwrap().len(), 900_000);
}

#[tokio::test(start_paused = true)]
async fn one_message_that_is_too_much_is_kept_as_it_came() {
    let large = format!(r#"{{"message_id":5,"odd":"{}"}}"#, "x".repeat(1 << 20));
    let many = format!(r#"{{"message_id":6,"item_list":[{}]}}"#, list("{}", 5000));
    let good = r#"{"message_id":7}"#;
    let script = Script::new([Play::ok(answer(&[&large, &many, good].join(",")))]);
    let batch = script.bot().get_updates("old").await.unwrap();
    let read: Vec<_> = batch.messages.iter().map(|update| update.message().is_some()).collect();
    assert_eq!(read, [false, false, true]);
    assert_eq!((batch.messages[0].raw().as_str(), batch.messages[1].raw().as_str()), (&*large, &*many));
    // From the journal it is read the same way.
    assert!(Update::from_json(many).message().is_none());
    assert_eq!(batch.cursor.as_str(), "new");
}

/// The server sends it again and again; each time it is refused, and the pauses grow.
#[tokio::test(start_paused = true)]
async fn a_refused_batch_is_neither_acknowledged_nor_asked_for_in_a_loop() {
    let script = Script::new((0..20).map(|_| Play::ok(answer(&list("1", 20_001)))));
    let mut updates = script.bot().updates("old");
    let begun = Instant::now();
    for round in 1..=10 {
        let event = updates.next().await;
        let UpdatesEvent::State(LinkState::Backoff { error, failures, .. }) = &event else {
            panic!("{event:?}")
        };
        assert_eq!((error.kind(), *failures), (ErrorKind::TooLarge, round));
    }
    assert_eq!(updates.cursor().as_str(), "old");
    assert!(begun.elapsed() > Duration::from_secs(100), "{:?}", begun.elapsed());
    assert!(script.made().iter().all(|made| made.json["get_updates_buf"] == "old"));
    // The next good answer goes on where it was.
}

#[tokio::test(start_paused = true)]
async fn other_answers_are_small() {
    let large = || Play::ok(format!(r#"{{"ret":0,"typing_ticket":"{}"}}"#, "x".repeat(300 << 10)));
    let bot = |count: usize| Script::new((0..count).map(|_| large()));
    let script = bot(3);
    let error = script.bot().get_config("u").await.unwrap_err();
    // Asking again would bring the same.
    assert_eq!((error.kind(), error.attempts(), script.made().len()), (ErrorKind::TooLarge, 1, 1), "{error}");
    let hex = "0123456789abcdef0123456789abcdef";
    let errors = [
        bot(3).bot().send_text("u", "hi").await.unwrap_err(),
        bot(3).bot().notify_start().await.unwrap_err(),
        bot(3).bot().send_typing("u", "t".into(), true).await.unwrap_err(),
        bot(3)
            .bot()
            .get_upload_url("u", MediaType::File)
            .plain(1, hex)
            .encrypted_size(16)
            .key(hex, hex)
            .await
            .unwrap_err(),
        bot(3).client().login().start().next().await.unwrap().unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::TooLarge), "{errors:?}");
}

/// Others are served while megabytes are decoded.
#[tokio::test]
async fn a_large_answer_is_decoded_beside_the_runtime() {
    let body = answer(&list(&format!(r#"{{"message_id":5,"odd":"{}"}}"#, "x".repeat(1000)), 8000));
    let bot = Script::new([Play::ok(body)]).bot();
    let here = std::thread::current().id();
    // On the only thread of this runtime, the poll is not ready until another thread has done its part.
    let mut poll = Box::pin(std::future::IntoFuture::into_future(bot.get_updates("old")));
    let first = std::future::poll_fn(|cx| std::task::Poll::Ready(poll.as_mut().poll(cx).is_ready())).await;
    assert!(!first, "decoded on {here:?}");
    assert_eq!(poll.await.unwrap().messages.len(), 8000);
}
