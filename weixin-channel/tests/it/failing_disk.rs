//! A disk that fails at any of its calls: what was told to be done is there, what was told to have failed is there as a
//! whole or not at all, and once the disk works again all goes on.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use weixin_channel::folder::{Durability, FolderBackend, FolderOptions};
use weixin_channel::{AccountState, OutboxPolicy, SendPolicy, StateDir};

use crate::disk::{Disk, Fault};
use crate::life::{Life, STEPS, dump, has_log, is_for_the_program, states};
use crate::{Lab, config, next, until};

/// What became of lives on a disk that fails.
#[derive(Debug, Default)]
struct Told {
    lives: u64,
    /// Calls of the disk that failed.
    faults: u64,
    /// Steps that were told to have failed.
    errors: Vec<String>,
}

/// Calls that fail in a row: enough for several attempts, and not for as long as a logout waits for the log to be emptied.
const LONG: u64 = 12;

/// Lives that fail at the first call, the second, and so on until there is no such call: once, and at every
/// fourth for a while too.
async fn fail_everywhere(fault: Fault) -> Told {
    let states = states().await;
    let disk = Disk::new();
    let mut told = Told::default();
    for at in 1.. {
        let often = if at % 4 == 0 { &[1, LONG][..] } else { &[1] };
        for &times in often {
            disk.fail(fault, at, times);
            let mut life = Life::new(disk, Durability::PowerLoss);
            for step in 0..STEPS {
                live(&mut life, step, &states, &mut told.errors).await;
            }
            let hits = disk.heal();
            assert!(times > 1 || has_log(&life.file()), "{fault:?} at {at}: there is no log");
            // A last close is the last step: a disk that is still full then keeps the log.
            assert_eq!(dump(&life.file()), states[STEPS], "{fault:?} at {at}");
            if hits == 0 {
                println!(
                    "{fault:?}: {} lives, {} faults, {} errors told",
                    told.lives,
                    told.faults,
                    told.errors.len()
                );
                return told;
            }
            told.lives += 1;
            told.faults += hits;
        }
    }
    unreachable!("a life ends")
}

/// One step, until it is done: the disk is mended after the second error.
async fn live(life: &mut Life, step: usize, states: &[String], errors: &mut Vec<String>) {
    let disk = life.disk();
    let (before, after) = (&states[step], &states[step + 1]);
    for attempt in 1.. {
        let Err(error) = life.step(step).await else { break };
        assert!(attempt <= 3, "step {step} does not go on: {error}");
        errors.push(error.to_string());
        let found = dump(&life.file());
        assert!(found == *before || found == *after, "step {step}: half of it is there\n{found}");
        let found = dump_of_the_killed(&life.file());
        assert!(found == *before || found == *after, "step {step}: half of it is left\n{found}");
        if attempt == 2 {
            disk.mend();
        }
        if dump(&life.file()) == *after && !is_for_the_program(step) {
            break;
        }
    }
    // Before that it is as it was when the states were noted.
    if disk.has_failed() {
        assert_eq!(dump(&life.file()), *after, "step {step}");
    }
}

/// What the next process finds if this one is killed now.
fn dump_of_the_killed(file: &Path) -> String {
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy");
    for end in ["", "-wal", "-journal"] {
        let name = |path: &Path| format!("{}{end}", path.display());
        if Path::new(&name(file)).exists() {
            fs::copy(name(file), name(&copy)).unwrap();
        }
    }
    dump(&copy)
}

fn all_say(told: &Told, sentence: &str) {
    let other: Vec<_> = told.errors.iter().filter(|error| !error.contains(sentence)).collect();
    assert!(other.is_empty(), "{other:#?}");
    assert!(told.lives > 20 && !told.errors.is_empty(), "{} lives, {} errors", told.lives, told.errors.len());
}

#[tokio::test]
async fn a_disk_that_is_full_at_any_write_costs_nothing() {
    all_say(&fail_everywhere(Fault::Full).await, "the disk is full: make room, and it goes on by itself");
}

#[tokio::test]
async fn a_write_that_is_cut_short_costs_nothing() {
    all_say(&fail_everywhere(Fault::Short).await, "the disk is full: make room, and it goes on by itself");
}

#[tokio::test]
async fn a_write_that_fails_costs_nothing() {
    all_say(&fail_everywhere(Fault::Write).await, "could not be read or written (disk I/O error");
}

#[tokio::test]
async fn a_sync_that_fails_costs_nothing() {
    all_say(&fail_everywhere(Fault::Sync).await, "could not be read or written (disk I/O error");
}

#[tokio::test]
async fn a_read_that_fails_costs_nothing() {
    all_say(&fail_everywhere(Fault::Read).await, "could not be read or written (disk I/O error");
}

/// The lab's state folder, its journal on that disk.
async fn backend(lab: &Lab, disk: &Disk) -> Result<FolderBackend, weixin_channel::Error> {
    let mut options = FolderOptions::default();
    (options.paused_clock, options.vfs) = (true, Some(disk.name()));
    FolderBackend::open(StateDir::new(lab.folder.path()), options).await
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_told_in_the_status_until_there_is_room() {
    let lab = Lab::new();
    let disk = Disk::new();
    let backend = backend(&lab, disk).await.unwrap();
    let (channel, mut deliveries) = lab.builder().backend(backend).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    until(&channel, &lab.account, AccountState::Online).await;
    lab.phone().send_text("before");
    let before = next(&mut deliveries).await;

    disk.fail(Fault::Full, 1, u64::MAX);
    // What is done cannot be noted as such, though nobody writes.
    assert_eq!(before.ack().await.unwrap_err().code(), "store-failed");
    sleep(Duration::from_secs(60)).await;
    let told = || channel.status(&lab.account).last_error.unwrap_or_default();
    let full = "cannot be written because the disk is full: make room, and it goes on by itself";
    assert!(told().contains(full), "{}", told());
    lab.phone().send_text("meanwhile");
    assert!(timeout(Duration::from_secs(600), deliveries.next()).await.is_err(), "it is not in the journal");
    assert!(told().contains(full), "{}", told());
    assert_eq!(channel.status(&lab.account).state, AccountState::Backoff);

    disk.heal();
    let meanwhile = next(&mut deliveries).await;
    assert_eq!(meanwhile.inbound.text, "meanwhile");
    meanwhile.ack().await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let status = channel.status(&lab.account);
    assert_eq!((status.state, status.last_error), (AccountState::Online, None));
    assert_eq!(channel.backend().counts(&lab.account).await.unwrap().pending, 0, "what was done is noted");
}

/// The same, where nothing comes that would show that the disk works again.
#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_the_disk_had_no_room_for_is_told_until_it_is_made_up_for() {
    let lab = Lab::new();
    let disk = Disk::new();
    let backend = backend(&lab, disk).await.unwrap();
    let (channel, mut deliveries) = lab.builder().backend(backend).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    disk.fail(Fault::Full, 1, u64::MAX);
    delivery.ack().await.unwrap_err();
    sleep(Duration::from_secs(60)).await;
    let status = channel.status(&lab.account);
    assert!(status.last_error.unwrap_or_default().contains("the disk is full"));
    disk.heal();
    sleep(Duration::from_secs(60)).await;
    let status = channel.status(&lab.account);
    assert_eq!((status.state, status.last_error), (AccountState::Online, None));
}

/// A whole channel: messages in, answers out, some of them into the outbox. The disk fails from some call on, for some
/// minutes.
async fn chat(fault: Fault, at: u64) -> u64 {
    let lab = Lab::new();
    let disk = Disk::new();
    disk.fail(fault, at, u64::MAX);
    let mut policy = SendPolicy::default();
    (policy.per_inbound, policy.outbox) = (1, Some(OutboxPolicy::default()));
    let mut hits = 0;
    let backend = match backend(&lab, disk).await {
        Ok(backend) => backend,
        Err(_) => {
            hits += disk.heal();
            backend(&lab, disk).await.unwrap()
        }
    };
    let (channel, mut deliveries) = lab.builder().sends(policy).backend(backend).build().await.unwrap();
    if channel.start(&lab.account, config()).await.is_err() {
        hits += disk.heal();
        channel.start(&lab.account, config()).await.unwrap();
    }
    let (mut acknowledged, mut handled) = (Vec::new(), Vec::new());
    for text in ["one", "two", "three"] {
        lab.phone().send_text(text);
        while !handled.iter().any(|known| known == text) {
            let Ok(delivery) = timeout(Duration::from_secs(120), deliveries.next()).await else {
                hits += disk.heal();
                continue;
            };
            let delivery = delivery.unwrap();
            let came = delivery.inbound.text.clone();
            assert!(
                !acknowledged.contains(&came),
                "{fault:?} at {at}: {came} came after its acknowledgement"
            );
            // Refused while the disk is full, or into the outbox.
            for answer in ["an answer", "another"] {
                let _ = delivery.reply(answer).await;
            }
            handled.push(came.clone());
            if delivery.ack().await.is_ok() {
                acknowledged.push(came);
            }
        }
    }
    hits += disk.heal();
    // What was not acknowledged is made up for by now, or comes again.
    sleep(Duration::from_secs(600)).await;
    channel.stop_all().await;
    drop((channel, deliveries));
    disk.closed();
    let (channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("and after it");
    loop {
        let delivery = next(&mut deliveries).await;
        let text = delivery.inbound.text.clone();
        assert!(!acknowledged.contains(&text), "{fault:?} at {at}: {text} came after its acknowledgement");
        delivery.ack().await.unwrap();
        if text == "and after it" {
            break;
        }
    }
    assert_eq!(channel.backend().counts(&lab.account).await.unwrap().pending, 0);
    hits
}

#[tokio::test(start_paused = true)]
async fn a_channel_goes_on_after_its_disk_was_full_from_any_write_on() {
    let mut at = 1;
    while chat(Fault::Full, at).await > 0 {
        at += 1;
    }
    println!("{} chats", at - 1);
    assert!(at > 20, "only {at} writes");
}
