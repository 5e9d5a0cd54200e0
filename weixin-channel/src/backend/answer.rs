//! What all methods of a backend have in common.

use ilink_client::BoxFuture;

use crate::error::Error;

/// What a method of a backend returns.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;
