//! Messages per second, and what the channel adds to a message's way.

use std::time::{Duration, Instant};

use weixin_channel::ilink_client::{Cursor, UpdatesEvent};
use weixin_channel::{Conversation, Deliveries, Delivery, Inbound};

use crate::feed::{Fed, Feed, message};
use crate::{Outcome, option, start};

const MESSAGES: usize = 50_000;

/// Messages in one answer.
const BATCH: usize = 100;

pub(crate) fn run(args: &[&str]) -> Outcome {
    let slow = Duration::from_secs(option(args, "--slow-seconds", 60)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!(
        "{MESSAGES} messages in answers of {BATCH}, through journal, dedupe, normalisation, acknowledgement, one at a time:"
    );
    for peers in [1, 100, 10_000] {
        runtime.block_on(throughput(peers))?;
    }
    println!("\nthe same with a handler for each user, as `Deliveries::handle` runs them:");
    for peers in [1, 100, 10_000] {
        runtime.block_on(handlers(peers))?;
    }
    println!("\nthe same answers, polled and read by the client alone, without a channel:");
    runtime.block_on(client_alone())?;
    println!("\nadded latency, from the poll's answer to the handler, 1,000 messages one by one:");
    runtime.block_on(latency(Duration::ZERO))?;
    if !slow.is_zero() {
        println!("\nthe same for others, while one user's turn takes {} s:", slow.as_secs());
        runtime.block_on(latency(slow))?;
    }
    runtime.block_on(start::run())
}

/// Fills the feed; when that began.
fn fill(feed: &Feed, peers: usize) -> Instant {
    let begin = Instant::now();
    for first in (0..MESSAGES).step_by(BATCH) {
        let batch: Vec<String> = (first..first + BATCH).map(|n| message(n, n % peers)).collect();
        feed.push(&batch);
    }
    begin
}

fn print_rate(peers: usize, begin: Instant) {
    let rate = MESSAGES as f64 / begin.elapsed().as_secs_f64();
    println!("{peers:>7} peers  {rate:>9.0} messages/s");
}

async fn throughput(peers: usize) -> Outcome {
    let feed = Feed::default();
    let (fed, mut deliveries) = Fed::new(&feed).await?;
    fed.start().await?;
    let begin = fill(&feed, peers);
    for _ in 0..MESSAGES {
        next(&mut deliveries).await?.ack().await?;
    }
    print_rate(peers, begin);
    fed.channel.stop_all().await;
    Ok(())
}

/// The handler itself does nothing.
async fn handlers(peers: usize) -> Outcome {
    let feed = Feed::default();
    let (fed, deliveries) = Fed::new(&feed).await?;
    fed.start().await?;
    let begin = fill(&feed, peers);
    let handler = async |_: Inbound, _: Conversation| Ok::<(), &str>(());
    // The last poll is made once the last answer is in the journal; what is open then is handled in a moment.
    let mut polls = feed.polls();
    let handling = tokio::spawn(deliveries.handle(handler));
    polls.wait_for(|polls| *polls > MESSAGES / BATCH).await?;
    while fed.channel.status(&fed.account).pending > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    print_rate(peers, begin);
    fed.channel.stop_all().await;
    handling.abort();
    Ok(())
}

/// What no channel can do better.
async fn client_alone() -> Outcome {
    let feed = Feed::default();
    let begin = fill(&feed, 100);
    let mut updates = feed.bot()?.updates(Cursor::default());
    let mut messages = 0;
    while messages < MESSAGES {
        if let UpdatesEvent::Batch(batch) = updates.next().await {
            messages += batch.messages.iter().filter(|update| update.message().is_some()).count();
        }
    }
    print_rate(100, begin);
    Ok(())
}

async fn latency(slow: Duration) -> Outcome {
    let feed = Feed::default();
    let (fed, mut deliveries) = Fed::new(&feed).await?;
    fed.start().await?;
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
    fed.channel.stop_all().await;
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

async fn next(deliveries: &mut Deliveries) -> Result<Delivery, &'static str> {
    deliveries.next().await.ok_or("the channel is gone")
}
