//! As much of the room as the models need.

#[path = "../../src/inbound/in_flight.rs"]
#[allow(dead_code, reason = "not all of it is modelled")]
pub(crate) mod in_flight;
#[path = "../../src/inbound/queue.rs"]
pub(crate) mod queue;
#[path = "../../src/inbound/settlements.rs"]
pub(crate) mod settlements;
#[path = "../../src/inbound/settler.rs"]
pub(crate) mod settler;

pub(crate) mod policy {
    pub(crate) use weixin_channel::InboundPolicy;
}

pub(crate) mod suspects {
    /// Suspects wait for each other's end; nothing of that is modelled.
    #[derive(Debug)]
    pub(crate) struct Alone;
}
