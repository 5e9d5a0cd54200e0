//! The tickets that "is typing" needs, kept so that each is asked for once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ilink_client::{TypingTicket, UserId};
use tokio::time::Instant;

use crate::account::AccountId;

/// A ticket lives up to 24 h; a fresh one is asked for a little earlier.
const TICKET_LIFE: Duration = Duration::from_secs(23 * 3600);

/// How many tickets are kept. One more clears them all, and each then costs a request again.
const TICKETS: usize = 4_096;

/// Tickets by account and user.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<HashMap<(AccountId, UserId), (TypingTicket, Instant)>>);

impl Tickets {
    pub(super) fn get(&self, key: &(AccountId, UserId)) -> Option<TypingTicket> {
        let tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.get(key).filter(|(_, made)| made.elapsed() < TICKET_LIFE).map(|(ticket, _)| ticket.clone())
    }

    pub(super) fn put(&self, key: (AccountId, UserId), ticket: TypingTicket) {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.len() >= TICKETS && !tickets.contains_key(&key) {
            tickets.retain(|_, (_, made)| made.elapsed() < TICKET_LIFE);
        }
        if tickets.len() >= TICKETS && !tickets.contains_key(&key) {
            tickets.clear();
        }
        tickets.insert(key, (ticket, Instant::now()));
    }

    /// The account is no longer here.
    pub(crate) fn forget(&self, account: &AccountId) {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|(of, _), _| of != account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tickets_are_no_more_than_so_many() {
        let tickets = Tickets::default();
        let key = |account: &str, n: usize| (AccountId::new(account), UserId::from(n.to_string()));
        for n in 0..TICKETS + 10 {
            tickets.put(key("a", n), TypingTicket::from("t"));
        }
        assert!(tickets.0.lock().unwrap().len() <= TICKETS);
        assert!(tickets.get(&key("a", TICKETS + 9)).is_some());
        tickets.put(key("b", 1), TypingTicket::from("t"));
        tickets.forget(&AccountId::new("a"));
        assert_eq!(tickets.0.lock().unwrap().len(), 1);
        tokio::time::advance(TICKET_LIFE).await;
        assert!(tickets.get(&key("b", 1)).is_none());
    }
}
