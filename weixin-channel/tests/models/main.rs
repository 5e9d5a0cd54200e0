//! What the threads of handlers and the poller of an account share, in the orders of their steps that a scheduler comes
//! upon (shuttle: each lock, each await and each yield may switch to another thread). The files under `shipped` are those of the
//! crate, compiled here with locks and tasks that the scheduler knows; tokio's channels are its own, and one step each.
//!
//! A failure prints the schedule, which `shuttle::replay` follows again. `MODEL_SEED` takes other orders, `MODEL_RUNS` more
//! of them:
//!
//! ```sh
//! MODEL_SEED=7 MODEL_RUNS=1000000 cargo test --release -p weixin-channel --test models -- --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod account;
mod backend;
mod error;
mod inbound;
mod sync;

mod handling;
mod journal;
mod lease;
mod poller;
mod settlements;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Runs a model as often as it says, half of it in random orders, half in those with few changes of thread: PCT, which
/// finds what takes exactly so many unlucky moments.
fn explore(name: &str, runs: usize, model: impl Fn() + Send + Sync + Copy + 'static) {
    const UNLUCKY_MOMENTS: usize = 4;
    let number = |name| std::env::var(name).ok().map(|number| number.parse::<u64>().unwrap());
    let seed = number("MODEL_SEED").unwrap_or(1);
    let runs = number("MODEL_RUNS").map_or(runs, |runs| usize::try_from(runs).unwrap()) / 2;
    println!("{name}: MODEL_SEED={seed}, {runs} random orders and {runs} of PCT");
    let mut config = Config::new();
    // Of each thread; unoptimised futures are large.
    config.stack_size = 1 << 19;
    let random = RandomScheduler::new_from_seed(seed, runs);
    let random = Runner::new(random, config.clone()).run(model);
    let pct = PctScheduler::new_from_seed(seed, UNLUCKY_MOMENTS, runs);
    let pct = Runner::new(pct, config).run(model);
    assert_eq!((random, pct), (runs, runs), "all of them were run");
}
