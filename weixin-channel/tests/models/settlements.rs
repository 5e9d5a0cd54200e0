//! Notes that are written in groups, asked for by tasks of which some stop waiting.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use shuttle::future::block_on;
use shuttle::rand::{Rng as _, thread_rng};
use shuttle::thread;

use crate::backend::{Lease, Settlement};
use crate::explore;
use crate::inbound::settlements::Settlements;
use crate::journal::Journal;

const MESSAGES: [(i64, &str); 4] = [(1, "a"), (2, "a"), (3, "b"), (4, "c")];

/// Polls so often, or to the end.
async fn ask(settlements: &Arc<Settlements>, lease: Lease, id: i64, polls: u32) -> Option<bool> {
    let mut ask = pin!(settlements.settle(lease, Settlement::Acked(id)));
    for _ in 0..polls {
        if let Poll::Ready(result) = poll_fn(|context| Poll::Ready(ask.as_mut().poll(context))).await {
            return Some(result.is_ok());
        }
        thread::yield_now();
    }
    None
}

/// Each message has one who asks, on a thread of its own, all by the same lease.
fn model(fails: u32) {
    let mut journal = Journal::new(&MESSAGES);
    journal.fails = fails;
    let journal = Arc::new(journal);
    let settlements = Settlements::new(journal.clone());
    let lease = journal.acquire();
    let askers: Vec<_> = MESSAGES
        .iter()
        .map(|(id, _)| {
            let (id, lease) = (*id, lease.clone());
            let (journal, settlements) = (journal.clone(), settlements.clone());
            thread::spawn(move || {
                let patience = thread_rng().gen_range(0..8);
                if patience == 0 {
                    let result = block_on(settlements.settle(lease, Settlement::Acked(id)));
                    let is_done = journal.lock().rows[&id].done;
                    assert!(result.is_err() || is_done, "{id}: told before it is noted");
                    assert!(result.is_ok() || fails > 0, "{id}: {result:?}");
                } else if block_on(ask(&settlements, lease, id, patience)).is_none() {
                    journal.lock().gone.insert(id);
                }
            })
        })
        .collect();
    for asker in askers {
        asker.join().unwrap();
    }
    let writes = journal.lock().writes.clone();
    let mut noted: Vec<i64> =
        writes.iter().flatten().map(|what| if let Settlement::Acked(id) = what { *id } else { 0 }).collect();
    noted.sort_unstable();
    assert!(noted.windows(2).all(|two| two[0] < two[1]), "noted twice: {noted:?}");
}

/// Whoever waits is told, after it is noted; what nobody waits for when a write begins is not in it.
#[test]
fn whoever_waits_is_told_and_nothing_is_noted_for_nobody() {
    explore("settlements", 10_000, || model(0));
}

#[test]
fn a_failure_is_told_to_all_whom_it_concerns() {
    explore("settlements, with a journal that fails", 10_000, || model(2));
}

/// Two of one lease and two of the one after it, in one group or not: each is told what became of its own.
#[test]
fn a_later_lease_does_not_fail_with_an_earlier_one() {
    explore("settlements of two leases", 10_000, || {
        let journal = Arc::new(Journal::new(&MESSAGES));
        let settlements = Settlements::new(journal.clone());
        let (earlier, later) = (journal.acquire(), journal.acquire());
        let askers = MESSAGES.map(|(id, _)| {
            let (is_later, settlements) = (id % 2 == 0, settlements.clone());
            let lease = if is_later { later.clone() } else { earlier.clone() };
            thread::spawn(move || {
                let result = block_on(settlements.settle(lease, Settlement::Acked(id)));
                assert_eq!(result.is_ok(), is_later, "{id}: {result:?}");
                assert!(is_later || result.unwrap_err().code() == "account-lost");
            })
        });
        for asker in askers {
            asker.join().unwrap();
        }
        let done: Vec<bool> = journal.lock().rows.values().map(|row| row.done).collect();
        assert_eq!(done, [false, true, false, true]);
    });
}
