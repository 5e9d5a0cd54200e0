//! The update stream: states, delays and pool rebuilds, on a paused clock.

use std::time::Duration;

use ilink_client::{LinkState, Updates, UpdatesEvent, UpdatesPolicy};
use tokio::time::{Instant, timeout};

use crate::script::{Play, Script};

const EMPTY: &str = r#"{"ret":0,"msgs":[],"get_updates_buf":"c"}"#;
const STALE: &str = r#"{"errcode":-14,"errmsg":"session timeout"}"#;

fn answer_after(seconds: u64, body: &str) -> Play {
    Play::After(Duration::from_secs(seconds), Box::new(Play::ok(body)))
}

/// The next events, one line each with its time.
async fn events(updates: &mut Updates, count: usize) -> Vec<String> {
    let begun = Instant::now();
    let mut seen = Vec::new();
    for _ in 0..count {
        let event = updates.next().await;
        let what = match event {
            UpdatesEvent::Batch(batch) => {
                format!("batch of {}, cursor {:?}", batch.messages.len(), batch.cursor.as_str())
            }
            UpdatesEvent::State(LinkState::Backoff { error, failures, .. }) => {
                format!("backoff {failures}: {error}")
            }
            UpdatesEvent::State(LinkState::Stale { delay, .. }) => format!("stale, again in {delay:?}"),
            UpdatesEvent::State(LinkState::NeedsLogin { delay, .. }) => {
                format!("needs login, again in {delay:?}")
            }
            UpdatesEvent::State(other) => format!("{other:?}"),
            other => format!("{other:?}"),
        };
        seen.push(format!("{:>4} s {what}", begun.elapsed().as_secs()));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_stale_token_is_tried_again_then_asks_for_a_login() {
    // Each -14 is followed by a notifystart.
    let script = Script::new((0..5).flat_map(|_| [Play::ok(STALE), Play::ok("{}")]).chain([Play::ok(EMPTY)]));
    let mut updates = script.bot().updates("old");
    insta::assert_snapshot!(events(&mut updates, 7).await.join("\n"));
    let paths: Vec<_> = script.made().iter().map(|made| made.path.clone()).collect();
    assert_eq!(
        paths[..4],
        [
            "/ilink/bot/getupdates",
            "/ilink/bot/msg/notifystart",
            "/ilink/bot/getupdates",
            "/ilink/bot/msg/notifystart"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_and_the_link_recovers() {
    let failures = [
        Play::Refuse,
        Play::Break,
        Play::Answer(500, String::new()),
        Play::ok("<html>"),
        Play::ok(r#"{"ret":-2}"#),
    ];
    let script = Script::new(failures.into_iter().chain([Play::ok(EMPTY), answer_after(35, EMPTY)]));
    let mut updates = script.bot().updates("old");
    insta::assert_snapshot!(events(&mut updates, 8).await.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_cuts_polls_short_makes_them_shorter() {
    let cut = || Play::After(Duration::from_secs(16), Box::new(Play::Answer(524, String::new())));
    let script = Script::new([cut(), cut(), Play::Hang, Play::Hang, answer_after(3, EMPTY)]);
    let mut updates = script.bot().updates("old");
    insta::assert_snapshot!(events(&mut updates, 6).await.join("\n"));
    assert_eq!(script.resets(), 0, "a poll that we cut short ourselves says nothing about the connection");
}

#[tokio::test(start_paused = true)]
async fn deaf_polls_rebuild_the_connections() {
    let script = Script::new([Play::ok(EMPTY), Play::Hang, Play::Hang, Play::Hang, Play::ok(EMPTY)]);
    let mut updates = script.bot().updates("old");
    insta::assert_snapshot!(events(&mut updates, 4).await.join("\n"));
    assert_eq!(script.resets(), 1);
}

#[tokio::test(start_paused = true)]
async fn empty_answers_that_come_at_once_are_slowed_down() {
    let script = Script::new((0..40).map(|_| Play::ok(EMPTY)));
    let mut updates = script.bot().updates("old");
    let begun = Instant::now();
    while timeout(Duration::from_secs(60), updates.next()).await.is_ok()
        && begun.elapsed() < Duration::from_secs(60)
    {}
    let polls = script.made().len();
    assert!((8..=20).contains(&polls), "{polls} polls in a minute");
}

#[tokio::test(start_paused = true)]
async fn dropping_next_keeps_the_poll_and_its_answer() {
    let batch = r#"{"ret":0,"msgs":[{"message_id":5}],"get_updates_buf":"c"}"#;
    let script = Script::new([answer_after(10, batch)]);
    let mut updates = script.bot().updates("old");
    for _ in 0..9 {
        assert!(timeout(Duration::from_secs(1), updates.next()).await.is_err());
    }
    assert!(matches!(updates.next().await, UpdatesEvent::State(LinkState::Online)));
    let UpdatesEvent::Batch(batch) = updates.next().await else { panic!("no batch") };
    assert_eq!((batch.messages.len(), script.made().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_next_poll_acknowledges_only_when_asked_for() {
    let script =
        Script::new([Play::ok(r#"{"ret":0,"msgs":[{"message_id":5}],"get_updates_buf":"new"}"#), Play::Hang]);
    let mut updates = script.bot().updates("old");
    updates.next().await;
    assert!(matches!(updates.next().await, UpdatesEvent::Batch(_)));
    assert_eq!(script.made().len(), 1, "no poll behind the back of who has to store the batch");
    assert!(timeout(Duration::from_secs(1), updates.next()).await.is_err());
    assert_eq!(script.made()[1].json["get_updates_buf"], "new");
}

#[test]
fn what_is_shared_between_threads() {
    fn check<T: Send + Sync + 'static>() {}
    fn send<T: Send + 'static>() {}
    check::<ilink_client::Client>();
    check::<ilink_client::Bot>();
    check::<ilink_client::Error>();
    check::<ilink_client::UpdateBatch>();
    send::<ilink_client::Updates>();
    send::<ilink_client::Login>();
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_had_just_ended_is_no_failure_once() {
    let plays = [answer_after(35, EMPTY), Play::Break, answer_after(35, EMPTY), Play::Break, Play::Break];
    let script = Script::new(plays.into_iter().chain([answer_after(35, EMPTY)]));
    let mut updates = script.bot().updates("");
    insta::assert_snapshot!(events(&mut updates, 6).await.join("\n"));
}

/// Whoever answers for the server could say any number, or any date.
#[tokio::test(start_paused = true)]
async fn a_long_retry_after_makes_nobody_deaf() {
    let longest = UpdatesPolicy::default().max_retry_after;
    let year = Duration::from_secs(365 * 24 * 3600);
    for (value, asked, waited) in [
        ("86400", Some(Duration::from_secs(86_400)), longest),
        ("18446744073709551615", Some(year), longest),
        ("99999999999999999999999", Some(year), longest),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(year), longest),
        ("60", Some(Duration::from_secs(60)), Duration::from_secs(60)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None, Duration::from_secs(1)),
        ("-86400", None, Duration::from_secs(1)),
        ("soon", None, Duration::from_secs(1)),
    ] {
        let script =
            Script::new([Play::AnswerWith(429, "retry-after", value, String::new()), Play::ok(EMPTY)]);
        let mut updates = script.bot().updates("");
        let event = updates.next().await;
        let UpdatesEvent::State(LinkState::Backoff { error, retry_after, delay, .. }) = event else {
            panic!("{event:?}")
        };
        assert_eq!(retry_after, asked, "{value}");
        assert!(delay <= waited && delay >= waited / 2, "{value}: {delay:?}");
        // The log says both: what was asked for is in the sentence.
        let told = asked.map(|asked| format!("[the server asks to wait {} s]", asked.as_secs()));
        assert!(told.is_none_or(|told| error.to_string().contains(&told)), "{error}");
        assert!(matches!(updates.next().await, UpdatesEvent::State(LinkState::Online)));
    }
}

/// A server that hangs on to a batch must not be asked a thousand times a second.
#[tokio::test(start_paused = true)]
async fn a_batch_that_repeats_at_once_is_slowed_down() {
    let batch = |ids: &[usize], cursor: &str| {
        let messages: Vec<_> = ids.iter().map(|id| format!(r#"{{"message_id":{id}}}"#)).collect();
        Play::ok(format!(r#"{{"ret":0,"msgs":[{}],"get_updates_buf":"{cursor}"}}"#, messages.join(",")))
    };
    let same: [fn(usize) -> Vec<usize>; 3] = [
        |_| vec![5],
        // Two that alternate, and another part of them each time.
        |n| vec![5 + n % 2],
        |n| (1..=1 + n % 3).collect(),
    ];
    for (ids, cursor) in same.into_iter().flat_map(|ids| [(ids, "c"), (ids, "c{n}")]) {
        let script = Script::new((0..16).map(|n| batch(&ids(n), &cursor.replace("{n}", &n.to_string()))));
        let mut updates = script.bot().updates("");
        let begun = Instant::now();
        for _ in 0..=16 {
            updates.next().await;
        }
        assert!(begun.elapsed() > Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    // New messages come as fast as they are written.
    let script = Script::new((0..16).map(|n| batch(&[n + 1], "c")));
    let mut updates = script.bot().updates("");
    let begun = Instant::now();
    for _ in 0..=16 {
        updates.next().await;
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
