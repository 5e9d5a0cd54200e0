#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod access;
mod account;
pub mod backend;
mod blocking;
mod channel;
mod conversation;
mod error;
pub mod fleet;
pub mod folder;
mod inbound;
pub mod markdown;
mod outbound;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod quote;
#[cfg(test)]
mod rules;
pub mod split;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use access::{AllowList, PairingPolicy};
pub use account::{
    Account, AccountConfig, AccountId, AccountState, AccountStatus, ChannelLogin, ChannelLoginEvent,
};
pub use channel::{Channel, ChannelBuilder};
pub use conversation::Conversation;
pub use error::Error;
pub use folder::StateDir;
pub use ilink_client;
pub use inbound::{Deliveries, Delivery, Inbound, InboundMedia, InboundPolicy, MediaPolicy, SavedMedia};
pub use outbound::{
    Attachment, OutboxPolicy, Pace, Refusal, Reply, SendPolicy, SendReport, ToolStatus, Turn, Typing,
};
pub use weixin_media;
