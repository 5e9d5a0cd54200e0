//! What has come lately, so that a batch that brings nothing new is known.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::request::Update;

/// So many messages are remembered, by a hash each.
const REMEMBERED: usize = 1024;

/// So many of a batch are looked at, and so many bytes of a message without an id.
const MESSAGES: usize = 256;
const BYTES: usize = 4096;

/// The messages that came last.
#[derive(Debug, Default)]
pub(super) struct Known {
    hashes: HashSet<u64>,
    oldest_first: VecDeque<u64>,
}

impl Known {
    /// True if none of these messages is new: each has come lately, alone or in another batch. Remembers them.
    pub(super) fn has_all(&mut self, messages: &[Update]) -> bool {
        let mut all = true;
        for message in messages.iter().take(MESSAGES) {
            let hash = hash(message);
            if self.hashes.insert(hash) {
                all = false;
                self.oldest_first.push_back(hash);
            }
        }
        while self.oldest_first.len() > REMEMBERED {
            self.oldest_first.pop_front().map(|hash| self.hashes.remove(&hash));
        }
        all
    }
}

/// By its id, since a server could change the rest each time; else by what it is.
fn hash(update: &Update) -> u64 {
    let mut hasher = DefaultHasher::new();
    match update.message().and_then(|message| message.message_id).filter(|id| id.0 != 0) {
        Some(id) => id.hash(&mut hasher),
        None => {
            let raw = update.raw().as_str().as_bytes();
            (raw.len(), &raw[..raw.len().min(BYTES)]).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(ids: impl IntoIterator<Item = u64>) -> Vec<Update> {
        ids.into_iter().map(|id| Update::from_json(format!(r#"{{"message_id":{id}}}"#))).collect()
    }

    #[test]
    fn what_has_come_is_known_in_any_order_and_company() {
        let mut known = Known::default();
        assert!(!known.has_all(&batch([1, 2])));
        assert!(!known.has_all(&batch([3])));
        assert!(known.has_all(&batch([1, 2])) && known.has_all(&batch([3, 1])) && known.has_all(&batch([])));
        assert!(!known.has_all(&batch([1, 4])));
        // With a field that changes, and without an id.
        let odd = |text: &str| [Update::from_json(text.to_owned())];
        assert!(known.has_all(&odd(r#"{"message_id":"1","seq":9}"#)));
        assert!(!known.has_all(&odd("7")) && known.has_all(&odd("7")) && !known.has_all(&odd("8")));
        assert!(
            !known.has_all(&odd(r#"{"message_id":0}"#))
                && !known.has_all(&odd(r#"{"message_id":0,"seq":1}"#))
        );
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let mut known = Known::default();
        for id in 1..=5000 {
            assert!(!known.has_all(&batch([id])));
        }
        assert_eq!((known.hashes.len(), known.oldest_first.len()), (REMEMBERED, REMEMBERED));
        assert!(!known.has_all(&batch([1])) && known.has_all(&batch([5000])));
    }
}
