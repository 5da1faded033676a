//! What members show each other while they look, and nobody keeps (format 14).
//!
//! A *live message* says how things are with one device in one case at this moment: that it has the case open, what
//! its pencil draws. It is signed by the device, sealed under the case's epoch, and worth nothing once a newer one of
//! its kind is there. It is no entry: never stored, never forwarded, never part of the state.
//!
//! [`content`]: what is said. [`circle`]: who may say and hear it, and the bytes. [`heard`]: what of all that arrives is
//! taken, and for how long it holds. No I/O, no clock, no random source, as everywhere in this room. What goes onto a
//! line when, and that only the newest of a kind waits there, is decided in `sync`.

pub mod circle;
pub mod content;
pub mod heard;

use std::time::Duration;

use crate::encoding::time::Timestamp;

/// Longest live message in bytes.
pub const LIVE_BYTES_MAX: usize = 16 * 1024;

/// Kinds of live message there can be: the slot in which one travels is its kind's number.
pub const LIVE_KINDS_MAX: u8 = 8;

/// Messages of one kind to one device are at least this far apart: at most 30 a second.
pub const LIVE_EVERY: Duration = Duration::from_millis(34);

/// How often what still holds is said again, for who came later or missed it.
pub const LIVE_AGAIN_EVERY: Duration = Duration::from_secs(1);

/// How long what was said holds without being said again. A line that carries chunks may be late by two seconds.
pub const LIVE_LASTS: Duration = Duration::from_secs(6);

/// Most messages a second that are looked at from one device, of all kinds and cases; the rest is dropped unopened.
pub const LIVE_TAKEN_A_SECOND_MAX: u32 = 120;

/// The number of a new session: higher than any before of this device, also if its clock went back.
pub fn next_session(before: Option<u64>, now: Timestamp) -> u64 {
    let clock = u64::try_from(now.0).unwrap_or(0);
    before.map_or(clock, |before| clock.max(before.saturating_add(1)))
}
