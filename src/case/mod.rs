//! What a case is.
//!
//! [`entry`]: one signed, sealed record. [`history`]: the accepted ones and their order. [`access`] and
//! [`members`]: who may do what. [`live`]: what members show each other and nobody keeps. No I/O, no clock: time and randomness come in as arguments.

pub mod access;
pub mod attached;
pub mod content;
pub mod entry;
pub mod history;
pub mod keyring;
pub mod live;
pub mod members;
pub mod room;
pub mod spoken;
pub mod state;

#[cfg(test)]
mod tests;
