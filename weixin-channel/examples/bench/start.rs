//! How long an account takes to start, with what it once gave up.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::feed::{Feed, TestBed};

const DEAD: usize = 10_000;
const STARTS: usize = 21;

pub(crate) async fn run() -> Outcome {
    println!("\nstart of an account, until its first poll, {STARTS} times:");
    for dead in [0, DEAD] {
        starts(dead).await?;
    }
    Ok(())
}

async fn starts(dead: usize) -> Outcome {
    let feed = Feed::default();
    let (bed, _deliveries) = TestBed::new(&feed).await?;
    // Nobody is said to have written these: they are dead letters as soon as they come.
    for first in (1..=dead).step_by(100) {
        let batch: Vec<String> = (first..first + 100).map(letter).collect();
        feed.push(&batch);
    }
    let mut polls = feed.polls();
    bed.start().await?;
    polls.wait_for(|polls| *polls > dead / 100).await?;
    let found = bed.channel.dead_letters(&bed.account).await?.len();
    if found != dead {
        return Err(format!("{found} dead letters instead of {dead}").into());
    }
    let mut times = Vec::new();
    for _ in 0..STARTS {
        bed.channel.stop(&bed.account).await;
        let mut polls = feed.polls();
        let begin = Instant::now();
        bed.start().await?;
        polls.changed().await?;
        times.push(begin.elapsed());
    }
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{dead:>7} dead letters  median {:.2} ms, longest {:.2} ms",
        ms(times[STARTS / 2]),
        ms(times[STARTS - 1])
    );
    bed.channel.stop_all().await;
    Ok(())
}

fn letter(n: usize) -> String {
    format!(
        r#"{{"message_id":"{n}","create_time_ms":{},"item_list":[{{"type":1,"text_item":{{"text":"message {n}"}}}}]}}"#,
        1_763_800_000_000_u64 + n as u64
    )
}
