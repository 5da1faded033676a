//! Bundles: a case on a stick, in a mail, over any channel that moves a file.
//!
//! Two hospitals whose firewalls meet nowhere still consult: one packs what it has of a case, the other unpacks it.
//! A bundle holds the same sealed entries and chunks that a connection carries, in the messages of room `sync`, under
//! one more seal that hides their names, sizes and number. Who finds the stick learns its size, a serial, and that it
//! is for at most 8, 16, 32, 64 or 128 devices.
//!
//! ```text
//!   head       magic, version, serial, the bundle's key sealed to each recipient among decoys
//!   segments   64 KiB each, sealed one by one: a stream of records, each a message
//!   head       again, byte for byte
//! ```
//!
//! **Damage.** Segments have one size and open alone, so a bad spot costs the messages that touch it and no others:
//! each segment says where its first record starts. Framing record by record, with lengths in the clear and a mark to
//! find the next one by, was not chosen: it shows how many messages there are and how long, and marks inside marks
//! let a hostile file have the same bytes tried again and again. The head stands twice, since without it nothing
//! opens.
//!
//! **What it proves.** The first record names the sender's device and is signed over the serial, the head's hash and a
//! commitment to the key: nobody can seal the content of a bundle anew, for others, in her name. The last one is
//! signed over a hash of all records: not even another recipient can change or drop one unnoticed. Neither makes an
//! entry true: entries, chunks and cards are verified by whoever takes them, as from a connection. So a bundle may be
//! unpacked twice, in any order, in part; its serial names a trip and is never a reason to refuse.
//!
//! It knows no store, network, vault or clock: what goes in and comes out are iterators over `Read`, `Write` and
//! `Seek`, and at most a few MiB are in memory whatever a bundle's size. It does not put files in place or flush them.
//!
//! Start with [`pack`](pack()) and [`Packed::check`]; then [`open`] and [`OpenBundle`]. The bytes are described in
//! `keys/bundles.md`.

mod error;
mod head;
mod pack;
mod record;
mod segment;
mod statement;
mod unpack;

#[cfg(test)]
mod tests;

pub use error::{BundleError, CheckError, PackError, Problem, RecordFault, SourceError};
pub use head::{BUCKETS, Outline, RECIPIENTS_MAX, Serial, inspect};
pub use pack::{CasePack, PackPlan, Packed, Recipient, Source, pack};
pub use segment::SEGMENT_BYTES;
pub use statement::{CASES_MAX, CaseCount, Sender};
pub use unpack::{OpenBundle, PROBLEMS_KEPT_MAX, Records, Tally, open};
