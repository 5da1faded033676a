//! What members show each other while they look.

use serde::{Deserialize, Serialize};

/// Who has a case open now and what they draw: all of it, each time anything changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveView {
    pub case: String,
    pub here: Vec<HereView>,
    pub pencils: Vec<PencilView>,
}

/// A person who has the case open on another device than this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HereView {
    pub name: String,
    pub identity: String,
    /// It is the user of this node, on another device of hers.
    pub me: bool,
}

/// What a colleague's pencil draws: a mark that is no entry yet, and may never be one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PencilView {
    pub author: String,
    pub identity: String,
    /// One person may draw on two devices.
    pub device: String,
    pub study: String,
    pub image: String,
    pub frame: u32,
    pub kind: String,
    pub points: Vec<(f64, f64)>,
}

/// What one's own pencil draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PencilDraft {
    pub study: String,
    pub sop_instance_uid: String,
    pub frame: u32,
    /// As of a mark.
    pub kind: String,
    pub points: Vec<(f64, f64)>,
}
