//! Who I am and whom I trust.
//!
//! A person is an Ed25519 key, the *identity*; it certifies that person's *devices*, each with keys of its own
//! for the connection (transport), for signing, for sealing (X-Wing) and for the one thing a locked screen may
//! still read (notice). Rights and verification are per identity; logs, seals and connections per device
//! (format 2).
//!
//! Start with [`keys`], then [`certificate`] and [`card`], the signed public half that people hand around. [`trust`]
//! keeps the cards of colleagues and says who is verified; [`words`] and [`pairing`] are the two ways to become so.
//! [`vault`] and [`recovery`] keep one's own secrets. [`wordlist`] and [`stretch`] serve the others. This room does
//! arithmetic only: it opens no file and no socket, and time and randomness come in as arguments.

pub mod card;
pub mod certificate;
pub mod keys;
pub mod pairing;
pub mod recovery;
pub mod stretch;
pub mod trust;
pub mod vault;
pub mod wordlist;
pub mod words;
