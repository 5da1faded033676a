//! Who has what, and what to ask next.
//!
//! Two devices that share a case must end with the same entries and chunks, whatever the line between them does,
//! and must not send each other what the other has. This room decides all of it and does none of it: events come
//! in, effects go out, the time is an argument. There is no socket, file, clock or random source here, so two
//! machines and a pretend line are a whole network, and a failing schedule can be played again from its seed.
//!
//! ```text
//!   line -> Received(frame) ->             -> Send(message)            -> line
//!   store -> ChunkDurable    ->  Machine   -> StoreChunk, SendChunk    -> store
//!   case  -> EntriesAccepted ->            -> AcceptEntries            -> case
//!   node  -> Share, Want     ->            -> SetTimer, Breach, ...    -> node
//! ```
//!
//! It does not decide who is a member: the shell says which cases a peer shares ([`event::Standing`]) and takes that
//! back at any time. It does not verify entries (room `case` does) and holds neither their bytes nor chunks', only
//! an index of each log. It verifies chunks, since their name is their hash.
//!
//! **Entries.** A device's log is a chain: sequences are dense from 0 and each entry names its `previous`. So "what I
//! have" is a few heads a device, the [`frontier`]. Two devices that meet compare digests (equal cases cost 70
//! bytes), then 8 bytes a device, then heads of the devices that differ, then send entries in causal order. A head
//! one does not know means that the other is ahead or that the device forked; [`exchange`] says how both are told
//! apart and resolved. Set reconciliation over entry ids (range trees, invertible sketches) was not chosen: chains
//! make it needless, and its messages would grow with the history instead of with the number of devices.
//!
//! **Chunks.** Pulled only, by priority, from several sources at once: [`fetch`] asks, [`serve`] gives.
//!
//! Start with [`event`] (what goes in and out), then [`machine`]. [`log`], [`frontier`] and [`message`] know nothing of
//! peers; bundles use them as they are.

pub mod event;
pub mod exchange;
pub mod fetch;
pub mod frontier;
pub mod log;
pub mod machine;
pub mod message;
pub mod peer;
pub mod plan;
mod rate;
pub mod serve;
mod source;

#[cfg(test)]
mod tests;
