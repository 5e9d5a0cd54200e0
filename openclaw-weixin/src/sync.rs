//! Threads and tasks of the port, under one name: `tests/models` compiles it with a `sync` of its own, whose steps a
//! scheduler interleaves.

pub(crate) use std::thread;

pub(crate) use tokio::runtime::{Builder, Runtime};
pub(crate) use tokio::task::JoinSet;
pub(crate) use tokio::time::timeout;
