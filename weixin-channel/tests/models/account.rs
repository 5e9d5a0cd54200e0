//! As much of the room as the models need.

#[path = "../../src/account/lease_cell.rs"]
#[allow(dead_code, reason = "not all of it is modelled")]
pub(crate) mod lease_cell;

pub(crate) use weixin_channel::AccountId;
