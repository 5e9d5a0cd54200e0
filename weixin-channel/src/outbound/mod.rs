//! From a reply to sends.

pub(crate) mod account_sends;
pub(crate) mod outbox;
mod pacer;
mod plan;
pub(crate) mod policy;
pub(crate) mod refusal;
pub(crate) mod reply;
pub(crate) mod route;
pub(crate) mod send;
pub(crate) mod sender;
pub(crate) mod tickets;
pub(crate) mod turn;
pub(crate) mod typing;
mod upload;
