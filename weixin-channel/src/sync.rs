//! Locks and tasks of the files that several threads go through at once, under one name: `tests/models` compiles those files
//! with a `sync` of its own, whose steps a scheduler interleaves.

pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) use tokio::spawn;
pub(crate) use tokio::task::yield_now;
