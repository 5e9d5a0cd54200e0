//! What the sends of one account share: their pace, the order of each user's, and what was sent last.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use ilink_client::{RunId, Sent, UserId};
use tokio::time::Instant;

use super::pacer::Pacer;

/// What the sends of one account share.
#[derive(Debug, Default)]
pub(crate) struct AccountSends {
    pub(super) pacer: Pacer,
    peers: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<LastSend>>>>>,
    /// One flush of the outbox at a time, so that no two send the same.
    pub(super) flushing: tokio::sync::Mutex<()>,
    /// The account was logged out.
    closed: AtomicBool,
}

/// The last accepted send to a user, to know its repetition.
#[derive(Debug)]
pub(super) struct LastSend {
    /// As spelled on the wire: several may share this place.
    pub(super) user: UserId,
    pub(super) fingerprint: SendFingerprint,
    pub(super) at: Instant,
    pub(super) sent: Sent,
}

/// Equal for a send and its repetition: the content, the run, and the user's message that it answers.
#[derive(Debug)]
pub(super) struct SendFingerprint {
    pub(super) digest: [u8; 16],
    pub(super) part: Option<usize>,
    pub(super) run: Option<RunId>,
    pub(super) answers: Option<SystemTime>,
}

impl SendFingerprint {
    /// Equal but for the user's message.
    pub(super) fn is_content_of(&self, other: &Self) -> bool {
        (self.digest, self.part, &self.run) == (other.digest, other.part, &other.run)
    }
}

/// How many users' last sends are kept before those that no longer matter are dropped.
const PEERS: usize = 1_024;

impl AccountSends {
    /// Lets no more sends out, and notes nothing of those that are under way.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Held during a send: one at a time and user, in order. Under a name that was lower-cased on its way it may be the
    /// same user, so all who fit wait for each other.
    pub(super) fn peer(&self, to: &str) -> Arc<tokio::sync::Mutex<Option<LastSend>>> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let name = to.to_ascii_lowercase();
        if peers.len() >= PEERS && !peers.contains_key(&name) {
            peers.retain(|_, peer| Arc::strong_count(peer) > 1);
        }
        peers.entry(name).or_default().clone()
    }
}
