//! Every fault of the path: what an update stream tells, and that it recovers by itself, with no message lost or doubled.

use std::fmt::Write as _;
use std::time::Duration;

use ilink_client::{Credentials, Cursor, LinkState, Updates, UpdatesEvent, UpdatesPolicy};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::path::{FAULTS, PathFault, USER, World};

const PATIENCE: Duration = Duration::from_secs(50);

#[tokio::test]
async fn each_has_a_sentence_of_its_own_and_is_recovered_from() {
    let mut rows = JoinSet::new();
    for (number, fault) in FAULTS.into_iter().enumerate() {
        rows.spawn(async move {
            let told = timeout(PATIENCE, row(fault)).await;
            (number, fault.name, told.unwrap_or_else(|_| panic!("{}: no end", fault.name)))
        });
    }
    let mut told = rows.join_all().await;
    told.sort_unstable();
    let mut table = String::new();
    for (_, name, told) in told {
        writeln!(table, "{name}\n    {}", told.unwrap_or_else(|| "-".into())).unwrap();
    }
    insta::assert_snapshot!(table);
}

async fn row(fault: PathFault) -> Option<String> {
    let world = World::new(fault).await;
    let bot =
        world.client.bot(Credentials::new(world.bot.bot_id.as_str(), world.bot.token.as_str())).unwrap();
    let mut policy = UpdatesPolicy::default();
    (policy.base_delay, policy.grace) = (Duration::from_millis(50), Duration::from_secs(1));
    let mut updates = bot.updates(Cursor::default()).policy(policy);
    let mut told = None;
    let phone = world.simulator.phone(USER);
    if world.comes_later() {
        phone.send_text("before");
        assert_eq!(next_texts(&mut updates, &world, &mut told).await, ["before"]);
    }
    world.begin().await;
    // More than one, so that connections are used again.
    for text in ["one", "two", "three"] {
        phone.send_text(text);
        assert_eq!(next_texts(&mut updates, &world, &mut told).await, [text], "{}", fault.name);
    }
    world.simulator.assert_conformant();
    told
}

/// The texts of the next batch that has some. The first failure ends the fault.
async fn next_texts(updates: &mut Updates, world: &World, told: &mut Option<String>) -> Vec<String> {
    loop {
        match updates.next().await {
            UpdatesEvent::Batch(batch) if !batch.messages.is_empty() => {
                let texts = batch.messages.iter().map(|update| update.message().unwrap().text().unwrap());
                return texts.collect();
            }
            UpdatesEvent::State(LinkState::Backoff { error, .. }) => {
                let cause = error.connect_cause().map_or_else(String::new, |cause| format!("{cause:?}: "));
                told.get_or_insert_with(|| format!("{cause}{}", World::stable(&error.to_string())));
                world.end();
            }
            _ => {}
        }
    }
}
