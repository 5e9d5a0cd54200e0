//! As much of a backend as the shipped files use.

use std::fmt;

pub(crate) use weixin_channel::backend::{Answer, Entry, Lease, Settlement, StoreError, StoreErrorKind};

pub(crate) trait Backend: fmt::Debug + Send + Sync {
    fn settle<'a>(&'a self, lease: &'a Lease, what: &'a [Settlement]) -> Answer<'a, ()>;
    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()>;
}
