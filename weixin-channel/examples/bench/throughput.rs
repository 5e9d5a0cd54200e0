//! Messages per second, and what the channel adds to a message's way.

use std::time::{Duration, Instant};

use weixin_channel::ilink_client::{Cursor, UpdatesEvent};
use weixin_channel::{Conversation, Deliveries, Delivery, Inbound};

use crate::feed::{Feed, TestBed, message};
use crate::{Outcome, option, start};

/// Messages in one answer.
const BATCH: usize = 100;

pub(crate) fn run(args: &[&str]) -> Outcome {
    let slow = Duration::from_secs(option(args, "--slow-seconds", 60)?);
    let messages = usize::try_from(option(args, "--messages", 50_000)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!(
        "{messages} messages in answers of {BATCH}, through journal, dedupe, normalisation, acknowledgement, one at a time:"
    );
    for peers in [1, 100, 10_000] {
        runtime.block_on(throughput(messages, peers))?;
    }
    println!("\nthe same with a handler for each user, as `Deliveries::handle` runs them:");
    for peers in [1, 100, 10_000] {
        runtime.block_on(handlers(messages, peers))?;
    }
    println!("\nthe same answers, polled and read by the client alone, without a channel:");
    runtime.block_on(client_alone(messages))?;
    println!("\nadded latency, from the poll's answer to the handler, 1,000 messages one by one:");
    runtime.block_on(latency(Duration::ZERO))?;
    if !slow.is_zero() {
        println!("\nthe same for others, while one user's turn takes {} s:", slow.as_secs());
        runtime.block_on(latency(slow))?;
    }
    runtime.block_on(start::run())
}

/// Fills the feed; when that began.
fn fill(feed: &Feed, messages: usize, peers: usize) -> Instant {
    let begin = Instant::now();
    for first in (0..messages).step_by(BATCH) {
        let batch: Vec<String> = (first..first + BATCH).map(|n| message(n, n % peers)).collect();
        feed.push(&batch);
    }
    begin
}

fn print_rate(messages: usize, peers: usize, begin: Instant) {
    let rate = messages as f64 / begin.elapsed().as_secs_f64();
    println!("{peers:>7} peers  {rate:>9.0} messages/s");
}

async fn throughput(messages: usize, peers: usize) -> Outcome {
    let feed = Feed::default();
    let (bed, mut deliveries) = TestBed::new(&feed).await?;
    bed.start().await?;
    let begin = fill(&feed, messages, peers);
    for _ in 0..messages {
        next(&mut deliveries).await?.ack().await?;
    }
    print_rate(messages, peers, begin);
    bed.channel.stop_all().await;
    Ok(())
}

/// The handler itself does nothing.
async fn handlers(messages: usize, peers: usize) -> Outcome {
    let feed = Feed::default();
    let (bed, deliveries) = TestBed::new(&feed).await?;
    bed.start().await?;
    let begin = fill(&feed, messages, peers);
    let handler = async |_: Inbound, _: Conversation| Ok::<(), &str>(());
    // The last poll is made once the last answer is in the journal; what is open then is handled in a moment.
    let mut polls = feed.polls();
    let handling = tokio::spawn(deliveries.handle(handler));
    polls.wait_for(|polls| *polls > messages.div_ceil(BATCH)).await?;
    while bed.channel.status(&bed.account).pending > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    print_rate(messages, peers, begin);
    bed.channel.stop_all().await;
    handling.abort();
    Ok(())
}

/// What no channel can do better.
async fn client_alone(messages: usize) -> Outcome {
    let feed = Feed::default();
    let begin = fill(&feed, messages, 100);
    let mut updates = feed.bot()?.updates(Cursor::default());
    let mut seen = 0;
    while seen < messages {
        if let UpdatesEvent::Batch(batch) = updates.next().await {
            seen += batch.messages.iter().filter(|update| update.message().is_some()).count();
        }
    }
    print_rate(messages, 100, begin);
    Ok(())
}

async fn latency(slow: Duration) -> Outcome {
    let feed = Feed::default();
    let (bed, mut deliveries) = TestBed::new(&feed).await?;
    bed.start().await?;
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
    bed.channel.stop_all().await;
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

async fn next(deliveries: &mut Deliveries) -> Result<Delivery, &'static str> {
    deliveries.next().await.ok_or("the channel is gone")
}
