#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod agent;
mod bot;
mod builder;
mod client;
mod decode;
pub mod endpoint;
mod error;
mod hosts;
mod id;
mod login;
mod printable;
#[cfg(feature = "qr")]
mod qr;
mod request;
mod retry;
mod sanitize;
mod secret;
mod transport;
mod updates;
pub mod wire;

pub use agent::{BotAgent, ClientVersion};
pub use bot::{Bot, Credentials};
pub use builder::ClientBuilder;
pub use client::{Client, DEFAULT_BASE_URL};
pub use error::{Error, ErrorKind, RetryClass};
pub use hosts::HostPolicy;
pub use id::{BotId, ClientId, ContextToken, Cursor, MessageId, QrHandle, RunId, TypingTicket, UserId};
pub use login::{Login, LoginBuilder, LoginCode, LoginEvent, LoginInput, LoginPolicy, LoginSession};
pub use printable::Printable;
pub use request::{
    GetConfig, GetUpdates, GetUploadUrl, NotifyStart, NotifyStop, RawJson, Received, SendMessage, SendTyping,
    Sent, Update, UpdateBatch, UploadTarget,
};
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use transport::{Body, BoxFuture, ConnectCause, Transport, TransportError};
pub use updates::{LinkState, Updates, UpdatesEvent, UpdatesPolicy};
