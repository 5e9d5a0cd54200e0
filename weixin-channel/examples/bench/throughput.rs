//! Messages per second, and what the channel adds to a message's way.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use weixin_channel::ilink_client::{Body, BoxFuture, Client, Transport, TransportError};
use weixin_channel::{Channel, Deliveries};

use crate::{Outcome, lab, option};

const MESSAGES: usize = 50_000;

/// Messages in one answer.
const BATCH: usize = 100;

pub(crate) fn run(args: &[&str]) -> Outcome {
    let slow = Duration::from_secs(option(args, "--slow-seconds", 60)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!(
        "{MESSAGES} messages in answers of {BATCH}, through journal, dedupe, normalisation, acknowledgement:"
    );
    for peers in [1, 100, 10_000] {
        runtime.block_on(throughput(peers))?;
    }
    println!("\nadded latency, from the poll's answer to the handler, 1,000 messages one by one:");
    runtime.block_on(latency(Duration::ZERO))?;
    println!("\nthe same for others, while one user's turn takes {} s:", slow.as_secs());
    runtime.block_on(latency(slow))
}

async fn throughput(peers: usize) -> Outcome {
    let feed = Feed::default();
    let (_folder, channel, mut deliveries) = start(&feed).await?;
    let begin = Instant::now();
    for first in (0..MESSAGES).step_by(BATCH) {
        let batch: Vec<String> = (first..first + BATCH).map(|n| message(n, n % peers)).collect();
        feed.push(&batch);
    }
    for _ in 0..MESSAGES {
        next(&mut deliveries).await?.ack().await?;
    }
    let rate = MESSAGES as f64 / begin.elapsed().as_secs_f64();
    println!("{peers:>7} peers  {rate:>9.0} messages/s");
    channel.stop_all().await;
    Ok(())
}

async fn latency(slow: Duration) -> Outcome {
    let feed = Feed::default();
    let (_folder, channel, mut deliveries) = start(&feed).await?;
    feed.push(&[message(0, 0)]);
    let first = next(&mut deliveries).await?;
    let (mut held, begin) = (None, Instant::now());
    if slow.is_zero() {
        first.ack().await?;
    } else {
        held = Some(first);
    }
    let mut times = Vec::new();
    let pause = slow / 1_000;
    for n in 1..=1_000 {
        feed.push(&[message(n, 1 + n % 100)]);
        let delivery = next(&mut deliveries).await?;
        times.push(feed.last_answer().elapsed());
        delivery.ack().await?;
        tokio::time::sleep(pause).await;
    }
    if let Some(held) = held {
        println!("the turn took {:.1} s", begin.elapsed().as_secs_f64());
        held.ack().await?;
    }
    times.sort();
    println!("  p50 {:>6.0} µs   p99 {:>6.0} µs", micros(times[500]), micros(times[990]));
    channel.stop_all().await;
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

async fn next(deliveries: &mut Deliveries) -> Result<weixin_channel::Delivery, &'static str> {
    deliveries.next().await.ok_or("the channel is gone")
}

async fn start(
    feed: &Feed,
) -> Result<(tempfile::TempDir, Channel, Deliveries), Box<dyn std::error::Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let id = lab::write_account(
        folder.path(),
        &serde_json::json!({
            "bot_id": "0afa4e1ab5c0@im.bot", "token": "0afa4e1ab5c0@im.bot:00", "user_id": lab::USER,
        }),
    )?;
    let (channel, deliveries) = Channel::builder()
        .state_dir(folder.path())
        .client(Client::builder().transport(feed.clone()))
        .build()
        .await?;
    channel.start(&id, lab::open()).await?;
    Ok((folder, channel, deliveries))
}

fn message(n: usize, peer: usize) -> String {
    format!(
        r#"{{"seq":{n},"message_id":"{}","from_user_id":"o9cq8peer{peer:06}@im.wechat","to_user_id":"0afa4e1ab5c0@im.bot","create_time_ms":{},"message_type":1,"message_state":2,"context_token":"AARzJWAFAAABAAAAAAAp{peer:0116}","item_list":[{{"type":1,"text_item":{{"text":"message {n} 你好"}}}}]}}"#,
        n + 1,
        1_763_800_000_000_u64 + n as u64
    )
}

/// Answers polls from a queue, everything else with success.
#[derive(Clone, Default)]
struct Feed(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    more: tokio::sync::Notify,
}

#[derive(Default)]
struct State {
    answers: VecDeque<String>,
    polls: usize,
    last: Option<Instant>,
}

impl Feed {
    fn push(&self, messages: &[String]) {
        let mut state = self.lock();
        state.polls += 1;
        let answer = format!(
            r#"{{"ret":0,"msgs":[{}],"get_updates_buf":"cursor-{}"}}"#,
            messages.join(","),
            state.polls
        );
        state.answers.push_back(answer);
        self.0.more.notify_one();
    }

    fn last_answer(&self) -> Instant {
        self.lock().last.unwrap_or_else(Instant::now)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Feed {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        Box::pin(async move {
            let poll = request.uri().path().ends_with("/getupdates");
            loop {
                let more = self.0.more.notified();
                let answer =
                    if poll { self.lock().answers.pop_front() } else { Some(r#"{"ret":0}"#.to_owned()) };
                if let Some(answer) = answer {
                    self.lock().last = Some(Instant::now());
                    return Ok(Response::new(Body::from(answer)));
                }
                more.await;
            }
        })
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}
