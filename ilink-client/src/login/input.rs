//! Digits from elsewhere than the task that drives the login.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use crate::error::Error;

/// Gives a login the digits that the phone shows, from another task than the one that waits for events. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LoginInput(Arc<Mutex<Input>>);

#[derive(Debug, Default)]
struct Input {
    code: Option<String>,
    waker: Option<Waker>,
}

impl LoginInput {
    /// Gives the digits that the phone shows; they are sent at once.
    ///
    /// # Errors
    /// If it is anything but digits.
    pub fn verify_code(&self, digits: &str) -> Result<(), Error> {
        let digits = digits.trim();
        if digits.is_empty() || digits.len() > 16 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::invalid("the verify code has to be the digits that the phone shows"));
        }
        let mut input = self.lock();
        input.code = Some(digits.to_owned());
        if let Some(waker) = input.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    /// True if digits are waiting; else the task is woken when they come.
    pub(super) fn has_code(&self, cx: &Context<'_>) -> bool {
        let mut input = self.lock();
        if input.code.is_none() {
            input.waker = Some(cx.waker().clone());
        }
        input.code.is_some()
    }

    pub(super) fn take(&self) -> Option<String> {
        self.lock().code.take()
    }

    /// Digits that may not have arrived; newer ones win.
    pub(super) fn give_back(&self, code: Option<String>) {
        let mut input = self.lock();
        input.code = input.code.take().or(code);
    }

    fn lock(&self) -> MutexGuard<'_, Input> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
