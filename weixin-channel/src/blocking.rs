//! Work that waits for a disk or takes its time, beside the runtime.

use crate::backend::error::{StoreError, StoreErrorKind};
use crate::error::Error;

/// Runs it on a thread of the runtime's that may wait. If the future is dropped, it is done to its end all the same.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(failed(error)))
}

/// A task of ours has panicked, or its runtime is ending.
pub(crate) fn failed(error: tokio::task::JoinError) -> Error {
    let sentence = "a step of this program failed: please report it with its log";
    StoreError::new(StoreErrorKind::Transient, sentence).with_source(error).into()
}
