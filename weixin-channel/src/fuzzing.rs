//! What the fuzz targets reach of the crate's insides. It is in their builds alone: cargo-fuzz sets `--cfg fuzzing`.

use ilink_client::{BotId, Update};

use crate::backend::NewEntry;
use crate::inbound::identity;
use crate::inbound::message::Inbound;

/// A message as a handler is given it, from the JSON in the journal.
#[must_use]
pub fn inbound(raw: &str) -> Option<Inbound> {
    Inbound::from_json(raw)
}

/// A message on its way into the journal.
#[must_use]
pub fn journal_entry(update: &Update, bot: &BotId) -> Option<NewEntry> {
    identity::journal_entry(update, bot, || "1".to_owned())
}
