//! The crate's own.

pub(crate) use weixin_channel::Error;
