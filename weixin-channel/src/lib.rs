#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod access;
mod account;
mod admission;
pub mod backend;
mod blocking;
mod builder;
mod channel;
mod conversation;
mod delivery;
mod error;
pub mod fleet;
pub mod folder;
mod handler;
mod inbound;
mod intake;
mod login;
pub mod markdown;
mod media;
mod monitor;
mod open;
mod outbound;
#[cfg(feature = "postgres")]
pub mod postgres;
mod queue;
pub mod quote;
mod quotes;
mod reconcile;
#[cfg(test)]
mod rules;
mod slot;
pub mod split;
#[cfg(feature = "sqlite")]
mod sqlite;
mod status;
mod typing;

pub use account::{Account, AccountConfig, AccountId};
pub use admission::{AllowList, PairingPolicy};
pub use builder::ChannelBuilder;
pub use channel::Channel;
pub use conversation::Conversation;
pub use delivery::{Deliveries, Delivery};
pub use error::Error;
pub use folder::StateDir;
pub use ilink_client;
pub use inbound::{Inbound, InboundMedia, InboundPolicy, MediaPolicy, SavedMedia};
pub use login::{ChannelLogin, ChannelLoginEvent};
pub use outbound::{
    Attachment, OutboxPolicy, Pace, Refusal, Reply, SendPolicy, SendReport, ToolStatus, Turn,
};
pub use status::{AccountStatus, LinkState};
pub use typing::Typing;
pub use weixin_media;
