//! Whose turn it is: order within a peer, peers in parallel (invariant 2).

use std::collections::{BTreeSet, HashMap, VecDeque};

use ilink_client::UserId;
use tokio::time::Instant;

use crate::store::Entry;

/// The messages of one account that are not done, by peer.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    peers: HashMap<UserId, Peer>,
    /// Peers with a message to give out, longest waiting first.
    ready: VecDeque<UserId>,
    /// Peers whose first message failed and waits.
    retries: BTreeSet<(Instant, UserId)>,
    open: usize,
    in_flight: usize,
}

#[derive(Debug, Default)]
struct Peer {
    waiting: VecDeque<Entry>,
    /// A message is with a handler, or waits to be tried again: the ones behind it wait too.
    busy: bool,
}

impl Queues {
    /// Adds a message behind its peer's others.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.open += 1;
        let peer = self.peers.entry(entry.peer.clone()).or_default();
        if !peer.busy && peer.waiting.is_empty() {
            self.ready.push_back(entry.peer.clone());
        }
        peer.waiting.push_back(entry);
    }

    /// Adds a message that is with a handler already, from before a restart.
    pub(crate) fn push_in_flight(&mut self, entry: &Entry) {
        self.open += 1;
        self.in_flight += 1;
        self.peers.entry(entry.peer.clone()).or_default().busy = true;
    }

    /// Messages that are not done.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// Messages that are with a handler.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// True if [`pop`](Self::pop) has something.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next message to give out; its peer is busy from now on.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let user = self.ready.pop_front()?;
        let peer = self.peers.get_mut(&user)?;
        let entry = peer.waiting.pop_front()?;
        peer.busy = true;
        self.in_flight += 1;
        Some(entry)
    }

    /// The message that was with a handler is done, or dead: its peer's next one may go.
    pub(crate) fn settle(&mut self, user: &UserId) {
        self.open = self.open.saturating_sub(1);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.release(user);
    }

    /// The message that was with a handler is tried again at a later time, before its peer's others.
    pub(crate) fn retry(&mut self, entry: Entry, at: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.retries.insert((at, entry.peer.clone()));
        self.peers.entry(entry.peer.clone()).or_default().waiting.push_front(entry);
    }

    /// When the next waiting peer is to be tried again.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Makes those ready whose time has come.
    pub(crate) fn wake(&mut self, now: Instant) {
        while self.retries.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, user)) = self.retries.pop_first() {
                self.release(&user);
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
        Entry { id, peer: UserId::from(peer), raw: String::new(), attempts: 0 }
    }

    fn pop(queues: &mut Queues) -> Option<i64> {
        queues.pop().map(|entry| entry.id)
    }

    #[test]
    fn order_within_a_peer_and_peers_in_parallel() {
        let mut queues = Queues::default();
        for (id, peer) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
            queues.push(entry(id, peer));
        }
        assert_eq!((pop(&mut queues), pop(&mut queues), pop(&mut queues)), (Some(1), Some(3), None));
        queues.settle(&UserId::from("a"));
        assert_eq!((pop(&mut queues), pop(&mut queues)), (Some(2), None));
        queues.settle(&UserId::from("b"));
        queues.push(entry(5, "b"));
        assert_eq!(pop(&mut queues), Some(5));
        assert_eq!((queues.open(), queues.in_flight()), (3, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_message_goes_before_those_behind_it() {
        let mut queues = Queues::default();
        queues.push(entry(1, "a"));
        queues.push(entry(2, "a"));
        let first = queues.pop().unwrap();
        let at = Instant::now() + Duration::from_secs(1);
        queues.retry(first, at);
        queues.push(entry(3, "a"));
        assert_eq!((pop(&mut queues), queues.next_retry()), (None, Some(at)));
        queues.wake(at);
        assert_eq!(pop(&mut queues), Some(1));
        queues.settle(&UserId::from("a"));
        assert_eq!(pop(&mut queues), Some(2));
    }
}
