use std::time::Duration;

use super::*;

fn entry(id: i64, peer: &str) -> Entry {
    Entry::new(id, UserId::from(peer), String::new())
}

/// With at most so many handlers at once.
fn queues(in_flight: usize) -> Queues {
    let mut policy = InboundPolicy::default();
    (policy.max_in_flight, policy.max_held, policy.max_held_per_peer) = (in_flight, 8, 2);
    Queues::new(&policy)
}

fn pop(queues: &mut Queues) -> Option<i64> {
    queues.pop().map(|(entry, _)| entry.id)
}

#[test]
fn order_within_a_peer_and_peers_in_parallel() {
    let mut queues = queues(9);
    for (id, peer) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
        queues.push(entry(id, peer));
    }
    assert_eq!((pop(&mut queues), pop(&mut queues), pop(&mut queues)), (Some(1), Some(3), None));
    queues.settle(&entry(1, "a"));
    assert_eq!((pop(&mut queues), pop(&mut queues)), (Some(2), None));
    queues.settle(&entry(3, "b"));
    queues.push(entry(5, "b"));
    assert_eq!(pop(&mut queues), Some(5));
    assert_eq!((queues.pending(), queues.in_flight), (3, 2));
}

#[test]
fn what_goes_at_once_is_what_is_popped() {
    let mut queues = queues(3);
    queues.push(entry(1, "a"));
    assert_eq!(pop(&mut queues), Some(1));
    let users = ["a", "b", "b", "c", "d"].map(UserId::from);
    assert_eq!(queues.going(users.iter()), [false, true, false, true, false]);
    for (id, user) in (2..).zip(users) {
        queues.push(Entry::new(id, user, String::new()));
    }
    let popped: Vec<i64> = std::iter::from_fn(|| pop(&mut queues)).collect();
    assert_eq!(popped, [3, 5]);
}

#[test]
fn a_message_is_in_the_queues_once() {
    let mut queues = queues(9);
    queues.push_in_flight(&entry(1, "a"), false);
    queues.push(entry(1, "a"));
    queues.push(entry(2, "b"));
    queues.push(entry(2, "b"));
    assert_eq!((pop(&mut queues), pop(&mut queues), queues.pending()), (Some(2), None, 2));
}

#[test]
fn control_messages_wait_for_nobody() {
    let mut queues = queues(1);
    queues.push(entry(1, "a"));
    queues.push(entry(2, "a"));
    assert_eq!(queues.pop(), Some((entry(1, "a"), false)));
    queues.push_control(entry(3, "a"));
    assert_eq!(queues.pop(), Some((entry(3, "a"), true)));
    queues.settle(&entry(3, "a"));
    assert_eq!(queues.pop(), None, "the turn goes on");
    queues.settle(&entry(1, "a"));
    assert_eq!(queues.pop(), Some((entry(2, "a"), false)));
    queues.settle(&entry(2, "a"));
    assert_eq!((queues.pending(), queues.in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failed_message_goes_before_those_behind_it() {
    let mut queues = queues(9);
    queues.push(entry(1, "a"));
    queues.push(entry(2, "a"));
    let (first, _) = queues.pop().unwrap();
    let at = Instant::now() + Duration::from_secs(1);
    queues.retry(first, at);
    queues.push(entry(3, "a"));
    assert_eq!((pop(&mut queues), queues.next_retry()), (None, Some(at)));
    queues.wake(at);
    assert_eq!(pop(&mut queues), Some(1));
    queues.settle(&entry(1, "a"));
    assert_eq!(pop(&mut queues), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_failed_control_message_is_tried_again() {
    let mut queues = queues(0);
    queues.push_control(entry(1, "a"));
    let (first, _) = queues.pop().unwrap();
    let at = Instant::now() + Duration::from_secs(1);
    queues.retry(first, at);
    assert_eq!(queues.pop(), None);
    queues.wake(at);
    assert_eq!(queues.pop(), Some((entry(1, "a"), true)));
    assert_eq!((queues.pending(), queues.in_flight), (1, 1));
}

/// What a journal would answer with.
fn page(ids: &[i64]) -> Vec<Entry> {
    ids.iter().map(|id| entry(*id, "a")).collect()
}

#[test]
fn one_peer_takes_no_more_than_their_part() {
    let mut queues = queues(9);
    for id in 1..=100 {
        queues.push(entry(id, "a"));
    }
    queues.push(entry(101, "b"));
    assert_eq!((queues.open.len(), queues.pending()), (3, 101), "two of one, one of another");
    assert_eq!((pop(&mut queues), pop(&mut queues), pop(&mut queues)), (Some(1), Some(101), None));
    assert_eq!(queues.load(), None, "one still waits here");
    queues.settle(&entry(1, "a"));
    assert_eq!(pop(&mut queues), Some(2));
    assert_eq!(queues.load(), Some((UserId::from("a"), 2)), "and then the next are wanted");
    assert_eq!(queues.load(), None, "once");
    queues.push(entry(102, "a"));
    queues.loaded(&UserId::from("a"), Some(page(&[3, 4])), &HashSet::new());
    queues.settle(&entry(2, "a"));
    assert_eq!((pop(&mut queues), pop(&mut queues), queues.pending()), (Some(3), None, 100));
    queues.settle(&entry(3, "a"));
    assert_eq!((pop(&mut queues), queues.load()), (Some(4), Some((UserId::from("a"), 4))));
    queues.loaded(&UserId::from("a"), Some(page(&[5])), &HashSet::new());
    queues.settle(&entry(4, "a"));
    assert_eq!((pop(&mut queues), queues.load()), (Some(5), None));
}

#[test]
fn what_comes_while_the_journal_is_read_is_read_next() {
    let mut queues = queues(9);
    (1..=3).for_each(|id| queues.push(entry(id, "a")));
    for id in 1..=2 {
        assert_eq!(pop(&mut queues), Some(id));
        if id == 1 {
            queues.settle(&entry(1, "a"));
        }
    }
    assert_eq!(queues.load(), Some((UserId::from("a"), 2)));
    queues.push(entry(4, "a"));
    queues.loaded(&UserId::from("a"), Some(page(&[3])), &HashSet::new());
    queues.settle(&entry(2, "a"));
    assert_eq!((pop(&mut queues), queues.load()), (Some(3), Some((UserId::from("a"), 3))));
    queues.loaded(&UserId::from("a"), None, &HashSet::new());
    assert_eq!(queues.load(), Some((UserId::from("a"), 3)), "again, after it has failed");
    queues.loaded(&UserId::from("a"), Some(page(&[4])), &HashSet::new());
    queues.settle(&entry(3, "a"));
    assert_eq!((pop(&mut queues), queues.load()), (Some(4), None));
    queues.settle(&entry(4, "a"));
    assert_eq!((queues.pending(), queues.peers.len()), (0, 0));
}

#[test]
fn what_is_done_while_the_journal_is_read_is_not_given_out_again() {
    let mut queues = queues(9);
    (1..=3).for_each(|id| queues.push(entry(id, "a")));
    queues.push_control(entry(4, "a"));
    assert_eq!((pop(&mut queues), pop(&mut queues)), (Some(4), Some(1)));
    queues.settle(&entry(1, "a"));
    assert_eq!(pop(&mut queues), Some(2));
    assert_eq!(queues.load(), Some((UserId::from("a"), 2)));
    queues.settle(&entry(4, "a"));
    queues.loaded(&UserId::from("a"), Some(page(&[3, 4])), &HashSet::from([4]));
    queues.settle(&entry(2, "a"));
    assert_eq!(pop(&mut queues), Some(3));
    queues.settle(&entry(3, "a"));
    assert_eq!(pop(&mut queues), None);
}

#[test]
fn many_peers_take_no_more_than_there_is_room_for() {
    let mut queues = queues(9);
    for id in 1..=20 {
        queues.push(entry(id, &format!("u{id}")));
    }
    assert_eq!((queues.open.len(), queues.pending()), (8, 20));
    queues.push_control(entry(21, "owner"));
    assert_eq!(queues.pop(), Some((entry(21, "owner"), true)), "a control word passes them all");
    assert_eq!(queues.load(), None, "no room");
    for id in 1..=2 {
        assert_eq!(pop(&mut queues), Some(id));
        queues.settle(&entry(id, &format!("u{id}")));
    }
    assert_eq!(queues.load(), Some((UserId::from("u9"), 0)), "who has waited longest");
}

#[test]
fn a_flood_of_control_words_waits_like_any_other() {
    let mut queues = queues(9);
    (1..=20).for_each(|id| queues.push_control(entry(id, "a")));
    let popped: Vec<bool> = std::iter::from_fn(|| queues.pop().map(|(_, control)| control)).collect();
    assert_eq!(popped, [vec![true; CONTROL_AT_ONCE], vec![false]].concat());
    (1..=8).for_each(|id| queues.settle(&entry(id, "a")));
    queues.push_control(entry(21, "a"));
    assert_eq!(queues.pop(), Some((entry(21, "a"), true)));
}

/// What is given out is each message once, those of a peer in order, however little fits.
#[test]
fn nothing_is_lost_or_overtakes() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let mut queues = queues(3);
        let mut journal: BTreeMap<i64, UserId> = BTreeMap::new();
        let (mut in_flight, mut given): (Vec<Entry>, Vec<(UserId, i64)>) = Default::default();
        let (mut loading, mut done, mut next) = (None, HashSet::new(), 0);
        loop {
            match random.u32(..5) {
                0 | 1 if next < 60 => {
                    next += 1;
                    let peer = ["a", "b", "c", "d"][random.usize(..4).min(random.usize(..4))];
                    journal.insert(next, UserId::from(peer));
                    queues.push(entry(next, peer));
                }
                2 => {
                    if let Some((entry, _)) = queues.pop() {
                        given.push((entry.peer.clone(), entry.id));
                        in_flight.push(entry);
                    }
                }
                3 if !in_flight.is_empty() => {
                    let entry = in_flight.swap_remove(random.usize(..in_flight.len()));
                    journal.remove(&entry.id);
                    queues.settle(&entry);
                    done.insert(entry.id);
                }
                _ => match loading.take() {
                    None => {
                        // A page that was just full says that there is more.
                        if next == 60 && journal.is_empty() && queues.starved.is_empty() {
                            break;
                        }
                        loading = queues.load().map(|(user, after)| {
                            done.clear();
                            let rows = journal.range(after + 1..).filter(|(_, peer)| **peer == user);
                            let rows = rows.take(queues.page() as usize);
                            let page: Vec<Entry> =
                                rows.map(|(id, _)| Entry::new(*id, user.clone(), String::new())).collect();
                            (user, page)
                        });
                    }
                    Some((user, page)) => queues.loaded(&user, Some(page), &done),
                },
            }
        }
        assert_eq!((given.len(), queues.pending(), queues.peers.len()), (60, 0, 0));
        for user in ["a", "b", "c", "d"].map(UserId::from) {
            let ids = given.iter().filter(|(peer, _)| *peer == user).map(|(_, id)| *id);
            assert!(ids.is_sorted(), "{given:?}");
        }
    }
}
