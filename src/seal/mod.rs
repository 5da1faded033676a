//! What only members can read.
//!
//! Keys are derived with HKDF-SHA256, content is sealed with AES-256-GCM, secrets are handed to devices with
//! HPKE over X-Wing (RFC 9180; hybrid against recordings kept for a quantum computer). No I/O: random bytes
//! come in as an argument.
//!
//! [`epoch`] hands the secret of a case's epoch to its readers and seals entries under it; [`chunk`] seals
//! pieces of packed images; [`bundle`] hands the key of a bundle to devices it does not name.

pub mod aead;
pub mod bundle;
pub mod chunk;
pub mod epoch;
