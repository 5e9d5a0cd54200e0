//! What an agent's tools do, as items (docs/protocol.md §4).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use super::Extra;
use super::lenient::{Lenient, tolerant_struct};
use super::open_enum::open_word_enum;
use crate::printable::Printable;

open_word_enum! {
    /// How a tool call ended.
    ToolStatus {
        /// It did what it was asked.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
        /// It was not allowed to run.
        Blocked = "blocked",
        /// The agent does not say.
        Unspecified = "unknown",
    }
}

/// An agent's tool starts.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCallStartItem {
    /// The tool's name.
    #[serde_as(as = "Lenient")]
    pub tool_name: Option<String>,
    /// The call's id, the same in the result.
    #[serde_as(as = "Lenient")]
    pub tool_call_id: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for ToolCallStartItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCallStartItem")
            .field("tool_name", &self.tool_name.as_ref().map(Printable::new))
            .field("tool_call_id", &self.tool_call_id.as_ref().map(Printable::new))
            .finish_non_exhaustive()
    }
}

/// An agent's tool has ended.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCallResultItem {
    /// The tool's name.
    #[serde_as(as = "Lenient")]
    pub tool_name: Option<String>,
    /// The call's id, the same as at the start.
    #[serde_as(as = "Lenient")]
    pub tool_call_id: Option<String>,
    /// How it ended.
    #[serde_as(as = "Lenient")]
    pub status: Option<ToolStatus>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for ToolCallResultItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCallResultItem")
            .field("tool_name", &self.tool_name.as_ref().map(Printable::new))
            .field("tool_call_id", &self.tool_call_id.as_ref().map(Printable::new))
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

tolerant_struct!(ToolCallStartItem, ToolCallResultItem);
