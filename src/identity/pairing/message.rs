//! The bytes of a pairing, strictly decoded.

use minicbor::{Decode, Encode};

use super::PairingError;
use crate::encoding::id::Bytes;
use crate::encoding::labels::FORMAT_VERSION;
use crate::encoding::{from_bytes, to_bytes};

/// Longest pairing message in bytes: a card, extras and their seal.
pub const PAIRING_MESSAGE_BYTES_MAX: usize = 32 * 1024;

/// Length of a SPAKE2 message: the side's letter and an Ed25519 point.
pub(super) const SPAKE_BYTES: usize = 33;

/// In the order of the drawing in [`super`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum PairingMessage {
    #[n(0)]
    Hello(#[n(0)] Hello),
    #[n(1)]
    Answer(#[n(0)] Bytes<SPAKE_BYTES>),
    #[n(2)]
    JoinerConfirms(#[n(0)] Bytes<32>),
    #[n(3)]
    OpenerConfirms(#[n(0)] Bytes<32>, #[n(1)] Sealed),
    #[n(4)]
    JoinerCard(#[n(0)] Sealed),
    #[n(5)]
    Decision(#[n(0)] Sealed),
    #[n(6)]
    Refused(#[n(0)] Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Hello {
    #[n(0)]
    pub(super) format: u32,
    #[n(1)]
    pub(super) nameplate: u16,
    #[n(2)]
    pub(super) spake: Bytes<SPAKE_BYTES>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Sealed(#[cbor(n(0), with = "minicbor::bytes")] pub(super) Vec<u8>);

/// What is sealed in `OpenerConfirms` and `JoinerCard`. The card stays bytes until it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Introduction {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) card: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) extras: Option<Vec<u8>>,
}

/// What a side is told that is turned away. It learns no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(super) enum Refusal {
    #[n(0)]
    WrongNameplate,
    #[n(1)]
    WrongCode,
    #[n(2)]
    CodeUsed,
    #[n(3)]
    CodeExpired,
    #[n(4)]
    Ended,
}

impl PairingMessage {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads a message; a refusal becomes the error it tells of.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PairingError> {
        match from_bytes(bytes, PAIRING_MESSAGE_BYTES_MAX)? {
            Self::Refused(Refusal::WrongNameplate) => Err(PairingError::WrongNameplate),
            Self::Refused(Refusal::WrongCode) => Err(PairingError::WrongCode),
            Self::Refused(Refusal::CodeUsed) => Err(PairingError::CodeUsed),
            Self::Refused(Refusal::CodeExpired) => Err(PairingError::CodeExpired),
            Self::Refused(Refusal::Ended) => Err(PairingError::Ended),
            Self::Hello(hello) if hello.format != FORMAT_VERSION => {
                Err(PairingError::UnsupportedVersion { format: hello.format })
            }
            message => Ok(message),
        }
    }
}

impl PairingError {
    /// The message that tells the other side why it ends here; send it before closing.
    pub fn refusal(&self) -> Vec<u8> {
        let refusal = match self {
            Self::WrongNameplate => Refusal::WrongNameplate,
            Self::WrongCode => Refusal::WrongCode,
            Self::CodeUsed | Self::NoCodesLeft => Refusal::CodeUsed,
            Self::CodeExpired => Refusal::CodeExpired,
            _ => Refusal::Ended,
        };
        PairingMessage::Refused(refusal).to_bytes()
    }
}
