//! Events to JavaScript, with back-pressure: at most [`IN_FLIGHT`] are on their way at any time.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Enough to keep Node busy, little enough that a blocked event loop holds back the source, not the memory.
const IN_FLIGHT: usize = 64;

/// Delivers one JSON event; the permit is to be dropped once JavaScript has seen it.
pub(crate) type Deliver = Box<dyn Fn(String, OwnedSemaphorePermit) + Send + Sync>;

/// The sending side, cheap to clone.
#[derive(Clone)]
pub(crate) struct Events {
    deliver: Arc<Deliver>,
    permits: Arc<Semaphore>,
}

impl Events {
    pub(crate) fn new(deliver: Deliver) -> Self {
        Self { deliver: Arc::new(deliver), permits: Arc::new(Semaphore::new(IN_FLIGHT)) }
    }

    /// Waits until JavaScript has room, then sends.
    pub(crate) async fn send(&self, event: &impl Serialize) {
        if let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await {
            self.deliver_json(event, permit);
        }
    }

    /// Sends if there is room: for log lines, which must never hold anything up.
    pub(crate) fn offer(&self, event: &impl Serialize) {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            self.deliver_json(event, permit);
        }
    }

    fn deliver_json(&self, event: &impl Serialize, permit: OwnedSemaphorePermit) {
        // Our own plain structs always serialise.
        if let Ok(json) = serde_json::to_string(event) {
            (self.deliver)(json, permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_holds_back_the_source() {
        let held = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&held);
        let events = Events::new(Box::new(move |json, permit| sink.lock().unwrap().push((json, permit))));
        for number in 0..IN_FLIGHT {
            events.send(&number).await;
        }
        events.offer(&"dropped");
        let late = tokio::time::timeout(Duration::from_secs(1), events.send(&"late")).await;
        assert!(late.is_err(), "sent although nothing was read");
        held.lock().unwrap().clear();
        events.send(&"after").await;
        assert_eq!(held.lock().unwrap().first().unwrap().0, "\"after\"");
    }
}
