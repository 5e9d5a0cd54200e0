//! Messages that were given up.

use crate::account::AccountId;
use crate::backend::DeadLetter;
use crate::core::{Core, PAGE};
use crate::error::Error;

/// See [`Channel::dead_letters`](crate::Channel::dead_letters).
pub(crate) async fn list(core: &Core, id: &AccountId) -> Result<Vec<DeadLetter>, Error> {
    let mut letters: Vec<DeadLetter> = Vec::new();
    loop {
        let after = letters.last().map_or(0, |letter| letter.entry.id);
        let page = core.backend.dead_letters(id, after, PAGE).await?;
        if page.is_empty() {
            return Ok(letters);
        }
        letters.extend(page);
    }
}

/// See [`Channel::requeue`](crate::Channel::requeue).
pub(crate) async fn requeue(core: &Core, id: &AccountId, letter: i64) -> Result<bool, Error> {
    let Some(entry) = core.backend.requeue(id, letter).await? else { return Ok(false) };
    core.update_status(id, |status| status.dead = status.dead.saturating_sub(1));
    if let Some(running) = core.running.get(id) {
        // A poller that has ended leaves it to its successor, which reads the journal.
        running.run(|run| run.requeue.send(entry).is_ok());
    }
    Ok(true)
}
