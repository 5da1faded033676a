//! Overread: second opinions between radiologists, peer to peer, from the terminal.
//!
//! A radiologist imports an examination, which is de-identified on the way in, and asks colleagues about it in a
//! *case*. Their devices keep the case in step between them, sealed to its members, with no server. For
//! consultation, never for primary diagnosis.
//!
//! # The way of the data
//!
//! ```text
//!   images   study -> seal -> store -> sync -> net ~~~~ net -> sync -> store -> seal -> study
//!            clean,   close   keep     offer                   want    keep     open    decode,
//!            pack                                                                       measure
//!
//!   words    case  -> seal -> store -> sync -> net ~~~~ net -> sync -> case  -> store -> seal -> case
//!            sign     close   keep     offer                   want    judge    keep     open    fold
//! ```
//!
//! # The rooms
//!
//! *What a person meets.* [`cli`] turns arguments into requests and answers into text or JSON. [`node`] is the running
//! program: it owns vault, store and network, and does one thing at a time. `cli` knows of the house only `node`'s
//! client and words that travel through it; the demo also draws its patient. [`ui`] is the terminal app, which asks the
//! same client; [`view`] draws what it shows, from values to the pixels of a viewport.
//!
//! *What it is about.* [`study`] reads, de-identifies, packs, decodes and measures DICOM. [`case`] is the record:
//! signed entries, who may do what, and the state they fold into.
//!
//! *How it travels.* [`sync`] decides who lacks what, as a machine with events in and effects out. [`net`] carries its
//! frames between devices that admit each other; [`courier`] packs the same messages into a file, for where no network
//! reaches. [`pacs`] takes studies from DICOM neighbours, and keeps them closed until somebody imports them.
//!
//! *How it is kept and closed.* [`store`] makes things durable and reads no entry or chunk. [`seal`] makes content
//! readable to members only. [`identity`] says who I am, whom I trust, and how two people become colleagues.
//! [`encoding`] is the ground: one strict CBOR, typed ids, text that cannot trick a terminal, private data that
//! cannot print itself.
//!
//! # The rule
//!
//! Arrows point down:
//!
//! ```text
//!   cli, ui -> node -> net, store, courier, pacs -> sync, view -> case, study -> seal, identity -> encoding
//! ```
//!
//! Rooms that share a level may name each other's types: `case` and `study` do, `seal` and `identity` too.
//!
//! `case`, `sync`, `seal` and `view` touch no socket, file, clock, terminal or random source: those come in as arguments, so
//! whatever can go wrong between colleagues can be played in memory. The bytes are specified in `keys/format.md`.
//!
//! # Where to start
//!
//! For one command from end to end: `cli/ask.rs`, then [`node::api`] for what it asks of the node, then
//! `node/core.rs`. For what must never break: [`study::deidentify`], [`case::access`] and [`case::entry`].

pub mod case;
pub mod cli;
pub mod courier;
pub mod encoding;
pub mod identity;
pub mod net;
pub mod node;
pub mod pacs;
pub mod seal;
pub mod store;
pub mod study;
pub mod sync;
pub mod ui;
pub mod view;
