#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod access;
mod account;
mod builder;
mod channel;
mod delivery;
mod error;
mod inbound;
mod login;
pub mod markdown;
mod media;
mod monitor;
mod open;
mod outbound;
mod queue;
pub mod quote;
pub mod split;
mod state;
mod status;
pub mod store;
mod typing;

pub use account::{Account, AccountConfig, AccountId};
pub use builder::ChannelBuilder;
pub use channel::Channel;
pub use delivery::{Deliveries, Delivery};
pub use error::Error;
pub use ilink_client;
pub use inbound::Inbound;
pub use login::{ChannelLogin, ChannelLoginEvent};
pub use outbound::SendReport;
pub use state::StateDir;
pub use status::{AccountStatus, LinkState};
pub use typing::Typing;
pub use weixin_media;
