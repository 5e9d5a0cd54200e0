//! What a loss of power takes away: writes that were not synced, some of them or all, in no order.

use std::fs;

use tempfile::TempDir;
use weixin_channel::folder::Durability;

use crate::disk::{Disk, Image, Left};
use crate::life::{Life, STEPS, dump, journal, states};

/// How many random losses after each step.
const SEEDS: u64 = 6;

/// What the journal of a machine says that has lost power.
fn found(image: &Image, life: &Life) -> String {
    let folder = TempDir::new().unwrap();
    let file = journal(folder.path());
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    for (path, bytes) in image {
        let name = path.file_name().unwrap();
        assert_eq!(path.parent(), life.file().parent(), "the journal is all that is on it");
        fs::write(file.with_file_name(name), bytes).unwrap();
    }
    dump(&file)
}

/// How many steps were lost.
fn lost(states: &[String], so_far: usize, found: &str) -> usize {
    // Of equal states the latest.
    let left = (0..=so_far).rev().find(|state| states[*state] == found);
    so_far
        - left.unwrap_or_else(|| panic!("after step {so_far} it is in a state that it never had:\n{found}"))
}

/// Loses power after each step of a life and before each sync; returns the most steps that were lost, those that were under
/// way not counted, and how many losses there were.
async fn lose_power(durability: Durability) -> (usize, usize) {
    let states = states().await;
    let disk = Disk::with_platters();
    let mut life = Life::new(disk, durability);
    let (mut most, mut losses) = (0, 0);
    for step in 0..STEPS {
        life.step(step).await.unwrap();
        let meanwhile = disk.images();
        losses += meanwhile.len();
        for image in meanwhile {
            let lost = lost(&states, step + 1, &found(&image, &life));
            most = most.max(lost.saturating_sub(1));
        }
        let ends = [Left::Synced, Left::All].into_iter().chain((0..SEEDS).map(Left::Some));
        for left in ends {
            losses += 1;
            most = most.max(lost(&states, step + 1, &found(&disk.without_power(left), &life)));
        }
    }
    println!("{durability:?}: {losses} losses of power, {most} steps lost at most");
    (most, losses)
}

#[tokio::test]
async fn what_was_told_to_be_done_survives_a_loss_of_power_if_that_is_asked_for() {
    let (most, losses) = lose_power(Durability::PowerLoss).await;
    assert!(losses > 100, "{losses}");
    assert_eq!(most, 0);
}

#[tokio::test]
async fn a_loss_of_power_takes_the_last_moments_and_never_the_file() {
    let (most, losses) = lose_power(Durability::ProcessCrash).await;
    assert!(losses > 100, "{losses}");
    assert!(most > 0, "this disk loses nothing, so it shows nothing");
}
