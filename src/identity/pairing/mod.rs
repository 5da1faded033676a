//! Pairing: two strangers become colleagues by a code spoken over the phone.
//!
//! The *opener* shows a code such as `47-crane-velvet-honey` ([`code`]) and reads it aloud; the *joiner* types it.
//! SPAKE2 over the code gives both a key that nobody between them has: whoever guesses has one guess a code
//! (1 in 2^33), then that code is burned ([`PairingDoor`]). Under that key they exchange their cards, and in the end
//! tell each other whether *their people* accepted the name and site they saw; only then does anybody count as
//! verified, which is for [`super::trust`].
//!
//! ```text
//!   joiner                                              opener
//!   Hello: format, number, SPAKE2 element   ->
//!                                           <-  Answer: SPAKE2 element        (the code is burned)
//!   JoinerConfirms: key confirmation        ->
//!                                           <-  OpenerConfirms: confirmation, sealed card and extras
//!   JoinerCard: sealed card                 ->
//!   Decision: sealed                       <->  Decision: sealed              (both bound to both cards)
//! ```
//!
//! Pure arithmetic: bytes and the present moment in, bytes out. Each state is consumed by the one message it waits
//! for ([`opener`], [`joiner`]), so there is no second try. A mistyped number costs no guess: it is compared before
//! any arithmetic. Which sockets carry the messages, and the throw-away key of that connection, is the network's.

use std::time::Duration;

use super::card::CardError;
use crate::encoding::DecodeError;

pub mod code;
pub mod decision;
mod exchange;
pub mod joiner;
mod message;
pub mod opener;

pub use code::{CodeError, SpokenCode};
pub use decision::{AwaitingDecisions, Decision, Outcome, Paired};
pub use joiner::{AwaitingAnswer, AwaitingOpenerConfirmation};
pub use message::PAIRING_MESSAGE_BYTES_MAX;
pub use opener::{AwaitingJoinerCard, AwaitingJoinerConfirmation, PairingDoor};

/// How many codes one opening of the door offers.
pub const PAIRING_CODES_MAX: u32 = 3;

/// How long a code is good for.
pub const PAIRING_CODE_LIFE: Duration = Duration::from_secs(120);

/// Longest extras that the opener may send along with her card, in bytes.
pub const PAIRING_EXTRAS_BYTES_MAX: usize = 8 * 1024;

/// Why two people are not paired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    #[error("no pairing with this number is open there; check the number at the start of the code")]
    WrongNameplate,
    #[error(
        "the code does not match: mistyped, or somebody else is trying; the code is used up, so read out and type a new one"
    )]
    WrongCode,
    #[error("this code was already used for a try; read out and type a new one")]
    CodeUsed,
    #[error("the code is too old: a code is good for {} seconds; read out and type a new one", PAIRING_CODE_LIFE.as_secs())]
    CodeExpired,
    #[error(
        "all {} codes are used up; open the pairing again, and call each other if it was not you",
        PAIRING_CODES_MAX
    )]
    NoCodesLeft,
    #[error("the other side's card is your own: pairing is for two people")]
    OwnCard,
    #[error("the other side's card cannot be used: {0}")]
    Card(CardError),
    #[error("a pairing message was altered on its way; pair again with a new code")]
    Altered,
    #[error("the other side speaks pairing format {format}; one of you needs a newer version of Overread")]
    UnsupportedVersion { format: u32 },
    #[error("a pairing message is malformed: {0}")]
    Malformed(#[from] DecodeError),
    #[error("the other side broke the order of the pairing: {expected} was expected")]
    Unexpected { expected: &'static str },
    #[error("the other side ended the pairing")]
    Ended,
    #[error("the pairing was already decided")]
    AlreadyDecided,
    #[error("{bytes} bytes to send along with the card; at most {} are allowed", PAIRING_EXTRAS_BYTES_MAX)]
    ExtrasTooLong { bytes: usize },
}

#[cfg(test)]
mod tests;
