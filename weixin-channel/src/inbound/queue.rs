//! The order in which messages go out: one after the other within a peer, peers in parallel, control messages past them (invariant 2).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use ilink_client::UserId;
use tokio::time::Instant;

use crate::backend::Entry;

/// The messages of one account that are not done, by peer.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    peers: HashMap<UserId, Peer>,
    /// Peers with a message to give out, longest waiting first.
    ready: VecDeque<UserId>,
    /// Messages that do not wait for their peer's turn.
    control: VecDeque<Entry>,
    /// Those of them that are with a handler, or wait to be tried again.
    control_open: HashSet<i64>,
    /// What failed and waits, by when it is tried again.
    retries: BTreeMap<(Instant, i64), Retry>,
    /// All that are not done: none of them twice.
    open: HashSet<i64>,
    in_flight: usize,
}

#[derive(Debug, Default)]
struct Peer {
    waiting: VecDeque<Entry>,
    /// A message is with a handler, or waits to be tried again: the ones behind it wait too.
    busy: bool,
}

#[derive(Debug)]
enum Retry {
    Peer(UserId),
    Control(Box<Entry>),
}

impl Queues {
    /// Adds a message behind its peer's others.
    pub(crate) fn push(&mut self, entry: Entry) {
        if !self.open.insert(entry.id) {
            return;
        }
        let peer = self.peers.entry(entry.peer.clone()).or_default();
        if !peer.busy && peer.waiting.is_empty() {
            self.ready.push_back(entry.peer.clone());
        }
        peer.waiting.push_back(entry);
    }

    /// Which of these users' messages, if they came now and in this order, would go at once, with at most `limit` at once.
    pub(crate) fn going<'a>(&self, users: impl Iterator<Item = &'a UserId>, limit: usize) -> Vec<bool> {
        let mut free = limit.saturating_sub(self.in_flight + self.ready.len());
        let mut first = HashSet::new();
        let goes = |user| {
            let goes = free > 0 && !self.peers.contains_key(user) && first.insert(user);
            free -= usize::from(goes);
            goes
        };
        users.map(goes).collect()
    }

    /// Adds a message that does not wait: neither for its peer's turn, nor for a free handler.
    pub(crate) fn push_control(&mut self, entry: Entry) {
        if self.open.insert(entry.id) {
            self.control.push_back(entry);
        }
    }

    /// Adds a message that is with a handler already, from before a restart.
    pub(crate) fn push_in_flight(&mut self, entry: &Entry, control: bool) {
        if !self.open.insert(entry.id) {
            return;
        }
        self.in_flight += 1;
        if control {
            self.control_open.insert(entry.id);
        } else {
            self.peers.entry(entry.peer.clone()).or_default().busy = true;
        }
    }

    /// Messages that are not done.
    pub(crate) fn pending(&self) -> usize {
        self.open.len()
    }

    /// The next message to give out, with at most `limit` at once, control messages aside; its peer is busy from now
    /// on. The flag says whether it is a control message.
    pub(crate) fn pop(&mut self, limit: usize) -> Option<(Entry, bool)> {
        if let Some(entry) = self.control.pop_front() {
            self.control_open.insert(entry.id);
            self.in_flight += 1;
            return Some((entry, true));
        }
        if self.in_flight >= limit {
            return None;
        }
        let user = self.ready.pop_front()?;
        let peer = self.peers.get_mut(&user)?;
        let entry = peer.waiting.pop_front()?;
        peer.busy = true;
        self.in_flight += 1;
        Some((entry, false))
    }

    /// The message that was with a handler is done, or dead: its peer's next one may go.
    pub(crate) fn settle(&mut self, entry: &Entry) {
        self.open.remove(&entry.id);
        self.in_flight = self.in_flight.saturating_sub(1);
        if !self.control_open.remove(&entry.id) {
            self.release(&entry.peer);
        }
    }

    /// The message that was with a handler is tried again at a later time, before its peer's others.
    pub(crate) fn retry(&mut self, entry: Entry, at: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let key = (at, entry.id);
        if self.control_open.contains(&entry.id) {
            self.retries.insert(key, Retry::Control(Box::new(entry)));
        } else {
            self.retries.insert(key, Retry::Peer(entry.peer.clone()));
            self.peers.entry(entry.peer.clone()).or_default().waiting.push_front(entry);
        }
    }

    /// When the next message that failed is to be tried again.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        self.retries.first_key_value().map(|((at, _), _)| *at)
    }

    /// Makes those ready whose time has come.
    pub(crate) fn wake(&mut self, now: Instant) {
        while self.next_retry().is_some_and(|at| at <= now) {
            match self.retries.pop_first() {
                Some((_, Retry::Peer(user))) => self.release(&user),
                Some((_, Retry::Control(entry))) => self.control.push_back(*entry),
                None => {}
            }
        }
    }

    fn release(&mut self, user: &UserId) {
        let Some(peer) = self.peers.get_mut(user) else { return };
        peer.busy = false;
        if peer.waiting.is_empty() {
            self.peers.remove(user);
        } else {
            self.ready.push_back(user.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry(id: i64, peer: &str) -> Entry {
        Entry::new(id, UserId::from(peer), String::new())
    }

    fn pop(queues: &mut Queues) -> Option<i64> {
        queues.pop(9).map(|(entry, _)| entry.id)
    }

    #[test]
    fn order_within_a_peer_and_peers_in_parallel() {
        let mut queues = Queues::default();
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
        let mut queues = Queues::default();
        queues.push(entry(1, "a"));
        assert_eq!(pop(&mut queues), Some(1));
        let users = ["a", "b", "b", "c", "d"].map(UserId::from);
        assert_eq!(queues.going(users.iter(), 3), [false, true, false, true, false]);
        for (id, user) in (2..).zip(users) {
            queues.push(Entry::new(id, user, String::new()));
        }
        let popped: Vec<i64> = std::iter::from_fn(|| queues.pop(3).map(|(entry, _)| entry.id)).collect();
        assert_eq!(popped, [3, 5]);
    }

    #[test]
    fn a_message_is_in_the_queues_once() {
        let mut queues = Queues::default();
        queues.push_in_flight(&entry(1, "a"), false);
        queues.push(entry(1, "a"));
        queues.push(entry(2, "b"));
        queues.push(entry(2, "b"));
        assert_eq!((pop(&mut queues), pop(&mut queues), queues.pending()), (Some(2), None, 2));
    }

    #[test]
    fn control_messages_wait_for_nobody() {
        let mut queues = Queues::default();
        queues.push(entry(1, "a"));
        queues.push(entry(2, "a"));
        assert_eq!(queues.pop(1), Some((entry(1, "a"), false)));
        queues.push_control(entry(3, "a"));
        assert_eq!(queues.pop(1), Some((entry(3, "a"), true)));
        queues.settle(&entry(3, "a"));
        assert_eq!(queues.pop(1), None, "the turn goes on");
        queues.settle(&entry(1, "a"));
        assert_eq!(queues.pop(1), Some((entry(2, "a"), false)));
        queues.settle(&entry(2, "a"));
        assert_eq!((queues.pending(), queues.in_flight), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_message_goes_before_those_behind_it() {
        let mut queues = Queues::default();
        queues.push(entry(1, "a"));
        queues.push(entry(2, "a"));
        let (first, _) = queues.pop(9).unwrap();
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
        let mut queues = Queues::default();
        queues.push_control(entry(1, "a"));
        let (first, _) = queues.pop(0).unwrap();
        let at = Instant::now() + Duration::from_secs(1);
        queues.retry(first, at);
        assert_eq!(queues.pop(0), None);
        queues.wake(at);
        assert_eq!(queues.pop(0), Some((entry(1, "a"), true)));
        assert_eq!((queues.pending(), queues.in_flight), (1, 1));
    }
}
