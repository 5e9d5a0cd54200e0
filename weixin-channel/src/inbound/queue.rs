//! The order in which messages go out: one after the other within a peer, peers in parallel, control messages past them
//! (invariant 2). What does not fit into memory stays in the journal, and is asked for once there is room.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use ilink_client::UserId;
use tokio::time::Instant;

use crate::backend::Entry;
use crate::inbound::policy::InboundPolicy;

/// Control messages of one peer that do not wait: more of them at once are no emergency but a flood.
const CONTROL_AT_ONCE: usize = 8;

/// The messages of one account that are not done, by peer.
#[derive(Debug)]
pub(crate) struct Queues {
    limits: Limits,
    peers: HashMap<UserId, Peer>,
    /// Peers with a message to give out, longest waiting first.
    ready: VecDeque<UserId>,
    /// Messages that do not wait for their peer's turn.
    control: VecDeque<Entry>,
    /// Those of them that are with a handler, or wait to be tried again.
    control_open: HashSet<i64>,
    /// How many control messages each peer has that are not done.
    control_of: HashMap<UserId, usize>,
    /// And all together.
    controls: usize,
    /// What failed and waits, by when it is tried again.
    retries: BTreeMap<(Instant, i64), Retry>,
    /// All that are not done and here: none of them twice.
    open: HashSet<i64>,
    in_flight: usize,
    /// Peers of whom nothing waits here, but something in the journal; longest waiting first.
    starved: VecDeque<UserId>,
    /// How many messages wait in the journal alone.
    left: usize,
}

/// How much there may be at once.
#[derive(Clone, Copy, Debug)]
struct Limits {
    in_flight: usize,
    held: usize,
    held_per_peer: usize,
}

#[derive(Debug, Default)]
struct Peer {
    waiting: VecDeque<Entry>,
    /// A message is with a handler, or waits to be tried again: the ones behind it wait too.
    busy: bool,
    /// Up to this number all of the peer's messages have been here.
    held_to: i64,
    /// There are messages behind that number.
    has_left: bool,
    /// They are being read.
    loading: bool,
}

impl Peer {
    fn is_starved(&self) -> bool {
        self.waiting.is_empty() && self.has_left && !self.loading
    }
}

#[derive(Debug)]
enum Retry {
    Peer(UserId),
    Control(Box<Entry>),
}

impl Queues {
    pub(crate) fn new(policy: &InboundPolicy) -> Self {
        let limits = Limits {
            in_flight: policy.max_in_flight,
            held: policy.max_held,
            held_per_peer: policy.max_held_per_peer.max(1),
        };
        Self {
            limits,
            peers: HashMap::new(),
            ready: VecDeque::new(),
            control: VecDeque::new(),
            control_open: HashSet::new(),
            control_of: HashMap::new(),
            controls: 0,
            retries: BTreeMap::new(),
            open: HashSet::new(),
            in_flight: 0,
            starved: VecDeque::new(),
            left: 0,
        }
    }

    /// Adds a message behind its peer's others; or leaves it to the journal, if there is too much here.
    pub(crate) fn push(&mut self, entry: Entry) {
        if self.open.contains(&entry.id) {
            return;
        }
        let is_full = self.held() >= self.limits.held;
        let peer = self.peers.entry(entry.peer.clone()).or_default();
        // Behind what is in the journal alone nothing is held: it would overtake.
        if is_full || peer.has_left || peer.loading || peer.waiting.len() >= self.limits.held_per_peer {
            self.left += 1;
            let was_starved = peer.is_starved();
            peer.has_left = true;
            // One that was given up before and is put back.
            peer.held_to = peer.held_to.min(entry.id - 1);
            if peer.is_starved() && !was_starved {
                self.starved.push_back(entry.peer);
            }
        } else {
            self.hold(entry);
        }
    }

    fn hold(&mut self, entry: Entry) {
        let peer = self.peers.entry(entry.peer.clone()).or_default();
        if !peer.busy && peer.waiting.is_empty() {
            self.ready.push_back(entry.peer.clone());
        }
        peer.held_to = peer.held_to.max(entry.id);
        self.open.insert(entry.id);
        peer.waiting.push_back(entry);
    }

    /// Which of these users' messages, if they came now and in this order, would go at once.
    pub(crate) fn going<'a>(&self, users: impl Iterator<Item = &'a UserId>) -> Vec<bool> {
        let mut free = self.limits.in_flight.saturating_sub(self.in_flight + self.ready.len());
        let room = self.limits.held.saturating_sub(self.held());
        let mut first = HashSet::new();
        let goes = |(place, user)| {
            let goes = place < room && free > 0 && !self.peers.contains_key(user) && first.insert(user);
            free -= usize::from(goes);
            goes
        };
        users.enumerate().map(goes).collect()
    }

    /// Adds a message that does not wait: neither for its peer's turn, nor for a free handler. One of a peer who has sent
    /// many of them waits like any other.
    pub(crate) fn push_control(&mut self, entry: Entry) {
        if self.open.contains(&entry.id) {
            return;
        }
        let of_peer = self.control_of.entry(entry.peer.clone()).or_default();
        if *of_peer >= CONTROL_AT_ONCE {
            return self.push(entry);
        }
        *of_peer += 1;
        self.controls += 1;
        self.open.insert(entry.id);
        self.control.push_back(entry);
    }

    /// Adds a message that is with a handler already, from before a restart.
    pub(crate) fn push_in_flight(&mut self, entry: &Entry, control: bool) {
        if !self.open.insert(entry.id) {
            return;
        }
        self.in_flight += 1;
        if control {
            self.control_open.insert(entry.id);
            *self.control_of.entry(entry.peer.clone()).or_default() += 1;
            self.controls += 1;
        } else {
            self.peers.entry(entry.peer.clone()).or_default().busy = true;
        }
    }

    /// Messages that are here, control messages aside.
    fn held(&self) -> usize {
        self.open.len() - self.controls
    }

    /// Messages that are not done, here and in the journal.
    pub(crate) fn pending(&self) -> usize {
        self.open.len() + self.left
    }

    /// The next message to give out; its peer is busy from now on. The flag says whether it is a control message.
    pub(crate) fn pop(&mut self) -> Option<(Entry, bool)> {
        if let Some(entry) = self.control.pop_front() {
            self.control_open.insert(entry.id);
            self.in_flight += 1;
            return Some((entry, true));
        }
        if self.in_flight >= self.limits.in_flight {
            return None;
        }
        let user = self.ready.pop_front()?;
        let peer = self.peers.get_mut(&user)?;
        let entry = peer.waiting.pop_front()?;
        peer.busy = true;
        self.in_flight += 1;
        if peer.is_starved() {
            self.starved.push_back(user);
        }
        Some((entry, false))
    }

    /// The message that was with a handler is done, or dead: its peer's next one may go.
    pub(crate) fn settle(&mut self, entry: &Entry) {
        self.open.remove(&entry.id);
        self.in_flight = self.in_flight.saturating_sub(1);
        if !self.control_open.remove(&entry.id) {
            return self.release(&entry.peer);
        }
        self.controls -= 1;
        if let Some(number) = self.control_of.get_mut(&entry.peer) {
            *number -= 1;
            if *number == 0 {
                self.control_of.remove(&entry.peer);
            }
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

    /// Whose messages are to be read from the journal next, those with numbers above this one, if there is room for any.
    pub(crate) fn load(&mut self) -> Option<(UserId, i64)> {
        if self.held() >= self.limits.held {
            return None;
        }
        while let Some(user) = self.starved.pop_front() {
            if let Some(peer) = self.peers.get_mut(&user).filter(|peer| peer.is_starved()) {
                (peer.loading, peer.has_left) = (true, false);
                return Some((user, peer.held_to));
            }
        }
        None
    }

    /// How many messages are read at once.
    pub(crate) fn page(&self) -> u32 {
        u32::try_from(self.limits.held_per_peer).unwrap_or(u32::MAX)
    }

    /// What was read; `None` if it could not be. Of what is in `done` the journal was told, or will be, since it was asked.
    pub(crate) fn loaded(&mut self, user: &UserId, page: Option<Vec<Entry>>, done: &HashSet<i64>) {
        let is_whole = page.as_ref().is_some_and(|page| page.len() < self.page() as usize);
        let last = page.as_ref().and_then(|page| page.last()).map(|entry| entry.id);
        for entry in page.into_iter().flatten() {
            if !self.open.contains(&entry.id) && !done.contains(&entry.id) {
                self.left = self.left.saturating_sub(1);
                self.hold(entry);
            }
        }
        let Some(peer) = self.peers.get_mut(user) else { return };
        peer.loading = false;
        // Also what came meanwhile.
        peer.has_left |= !is_whole;
        peer.held_to = peer.held_to.max(last.unwrap_or(0));
        if peer.is_starved() {
            self.starved.push_back(user.clone());
        } else if peer.waiting.is_empty() && !peer.busy {
            self.peers.remove(user);
        }
    }

    fn release(&mut self, user: &UserId) {
        let Some(peer) = self.peers.get_mut(user) else { return };
        peer.busy = false;
        if !peer.waiting.is_empty() {
            self.ready.push_back(user.clone());
        } else if !peer.has_left && !peer.loading {
            self.peers.remove(user);
        }
    }
}

#[cfg(test)]
#[path = "queue/tests.rs"]
mod tests;
