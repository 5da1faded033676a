//! The side that types the code.

use super::PairingError;
use super::code::SpokenCode;
use super::decision::AwaitingDecisions;
use super::exchange::{Role, Session, Started};
use super::message::{Hello, PairingMessage};
use crate::encoding::labels::FORMAT_VERSION;
use crate::encoding::random::CryptoRng;
use crate::identity::card::Card;

/// The joiner has said hello; the opener's SPAKE2 message is awaited.
pub struct AwaitingAnswer {
    started: Started,
    card: Card,
}

impl AwaitingAnswer {
    /// Starts a try with a code that was typed. The bytes are the first message.
    pub fn start(code: &SpokenCode, card: Card, rng: &mut impl CryptoRng) -> (Self, Vec<u8>) {
        let started = Started::new(Role::Joiner, code, rng);
        let hello = Hello { format: FORMAT_VERSION, nameplate: code.nameplate(), spake: started.message };
        (Self { started, card }, PairingMessage::Hello(hello).to_bytes())
    }

    pub fn answered(self, message: &[u8]) -> Result<(AwaitingOpenerConfirmation, Vec<u8>), PairingError> {
        let PairingMessage::Answer(spake) = PairingMessage::read(message)? else {
            return Err(PairingError::Unexpected { expected: "an answer to the hello" });
        };
        let session = self.started.finish(&spake)?;
        let reply = PairingMessage::JoinerConfirms(session.confirmation()).to_bytes();
        Ok((AwaitingOpenerConfirmation { session, card: self.card }, reply))
    }
}

/// The joiner has shown that she holds the key; the opener must show it too, and sends her card.
pub struct AwaitingOpenerConfirmation {
    session: Session,
    card: Card,
}

impl AwaitingOpenerConfirmation {
    pub fn confirmed(self, message: &[u8]) -> Result<(AwaitingDecisions, Vec<u8>), PairingError> {
        let PairingMessage::OpenerConfirms(confirmation, sealed) = PairingMessage::read(message)? else {
            return Err(PairingError::Unexpected { expected: "the opener's confirmation" });
        };
        self.session.check_confirmation(&confirmation)?;
        let (theirs, extras) = self.session.open_introduction(sealed, &self.card)?;
        let reply = PairingMessage::JoinerCard(self.session.seal_introduction(&self.card, None)?).to_bytes();
        Ok((AwaitingDecisions::new(self.session, &self.card, theirs, extras), reply))
    }
}
