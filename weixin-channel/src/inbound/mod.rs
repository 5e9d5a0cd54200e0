//! From the wire to a handler.

pub(crate) mod dead_letters;
pub(crate) mod delivery;
pub(crate) mod dispatch;
pub(crate) mod identity;
pub(crate) mod in_flight;
pub(crate) mod media;
pub(crate) mod message;
pub(crate) mod policy;
pub(crate) mod poller;
mod queue;
pub(crate) mod settlements;
pub(crate) mod settler;
pub(crate) mod suspects;
