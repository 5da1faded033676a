//! DICOM neighbours: studies that a PACS or a modality pushes here.
//!
//! Asking a radiologist to find the files of a study first is one step too many: the PACS she works at can send, so
//! this is an address it can send to. What arrives stands in the [`inbox`], sealed, until she imports it; from there
//! on it goes the way of every file.
//!
//! ```text
//!   listener -> wire -> service -> inbox -> (study::source, a file like any other)
//!   a port,     PDUs    messages   sealed
//!   TLS                 and what
//!                       they ask
//! ```
//!
//! [`listener`] takes connections, [`tls`] closes them to others, [`wire`] reads PDUs, [`negotiation`] says who may
//! send what, [`message`] puts fragments together, [`command`] reads what is asked, [`service`] does it,
//! [`commitment`] answers senders that want a promise, [`reporter`] calls them back. `negotiation`, `message` and `command` are pure.
//!
//! It deliberately is no archive: it gives nothing back, answers no query, and keeps nothing beyond the process.

pub mod command;
pub mod commitment;
pub mod inbox;
pub mod listener;
pub mod message;
pub mod negotiation;
pub mod reporter;
pub mod service;
pub mod tls;
pub mod wire;
