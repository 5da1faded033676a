//! Overread: second opinions between radiologists, peer to peer, from the terminal.

pub mod case;
pub mod cli;
pub mod courier;
pub mod encoding;
pub mod identity;
pub mod net;
pub mod node;
pub mod seal;
pub mod store;
pub mod study;
pub mod sync;
