//! What a message quotes: said inline, or found among the messages of before ([protocol §7], [field note 25]).
//!
//! [protocol §7]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#7-what-an-agent-gets
//! [field note 25]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-25

#[cfg(feature = "sqlite")]
mod files;
pub(crate) mod history;
mod partial;
pub(crate) mod resolve;
#[cfg(feature = "sqlite")]
mod store;
pub(crate) mod types;

pub use partial::partial;
pub use resolve::{NOT_CACHED, Quote, QuoteMedia, reference, resolve};
#[cfg(feature = "sqlite")]
pub use store::QuoteStore;
pub use types::{Direction, QuoteLimits, StoredMedia, StoredMessage};

#[cfg(feature = "sqlite")]
#[cfg(test)]
mod tests;
