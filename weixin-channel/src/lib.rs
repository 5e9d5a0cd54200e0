#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod access;
mod account;
pub mod backend;
mod blocking;
mod channel;
mod conversation;
mod core;
mod error;
pub mod fleet;
pub mod folder;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
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
mod sync;

pub use access::PairingPolicy;
pub use access::allow_list::AllowList;
pub use account::login::{ChannelLogin, ChannelLoginEvent};
pub use account::status::{AccountState, AccountStatus};
pub use account::{Account, AccountConfig, AccountId};
pub use channel::{Channel, ChannelBuilder};
pub use conversation::Conversation;
pub use error::{Error, ErrorKind};
pub use folder::StateDir;
pub use ilink_client;
pub use inbound::delivery::{Deliveries, Delivery};
pub use inbound::message::{Inbound, InboundMedia, SavedMedia};
pub use inbound::policy::{InboundPolicy, MediaPolicy};
pub use outbound::policy::{OutboxPolicy, Pace, SendPolicy};
pub use outbound::refusal::Refusal;
pub use outbound::reply::{Attachment, Reply};
pub use outbound::send::SendReport;
pub use outbound::turn::{ToolStatus, Turn};
pub use outbound::typing::Typing;
pub use weixin_media;
