#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod access;
mod account;
mod admission;
mod builder;
mod channel;
mod copies;
mod delivery;
mod error;
mod handler;
mod inbound;
mod intake;
mod login;
pub mod markdown;
mod media;
mod monitor;
mod open;
mod outbound;
mod queue;
pub mod quote;
mod quotes;
mod reconcile;
mod slot;
pub mod split;
mod state;
mod status;
pub mod store;
mod typing;

pub use account::{Account, AccountConfig, AccountId};
pub use admission::PairingPolicy;
pub use builder::ChannelBuilder;
pub use channel::Channel;
pub use delivery::{Deliveries, Delivery};
pub use error::Error;
pub use handler::Responder;
pub use ilink_client;
pub use inbound::{Inbound, InboundMedia, InboundPolicy, MediaPolicy, SavedMedia};
pub use login::{ChannelLogin, ChannelLoginEvent};
pub use outbound::{
    Attachment, OutboxPolicy, Pace, Refusal, Reply, SendPolicy, SendReport, ToolStatus, Turn,
};
pub use state::StateDir;
pub use status::{AccountStatus, LinkState};
pub use typing::Typing;
pub use weixin_media;
