//! What `src/sync.rs` is to the crate, in steps that the scheduler interleaves.

pub(crate) use shuttle::future::{spawn, yield_now};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
