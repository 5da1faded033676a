//! The end of a pairing: each person has the other's card before her and says yes or no.

use super::PairingError;
use super::exchange::Session;
use super::message::PairingMessage;
use crate::identity::card::Card;

/// What a person says to the name and site on the other's card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Accept,
    Decline,
}

/// Both cards are exchanged and verified; both people have yet to decide, in either order.
pub struct AwaitingDecisions {
    session: Session,
    paired: Paired,
    ours: Option<Decision>,
    theirs: Option<Decision>,
}

/// What a pairing gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paired {
    /// The other's verified card.
    pub card: Card,
    /// What the opener sent along (for the joiner only).
    pub extras: Option<Vec<u8>>,
    /// Names the pairing and both cards: the same bytes on both sides.
    pub transcript: [u8; 32],
}

/// Where the decisions stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Waiting,
    /// Both accepted: [`AwaitingDecisions::into_paired`] gives the other's card.
    Accepted,
    DeclinedHere,
    DeclinedThere,
}

impl AwaitingDecisions {
    pub(super) fn new(session: Session, own: &Card, theirs: Card, extras: Option<Vec<u8>>) -> Self {
        let transcript = session.transcript(own, &theirs);
        Self { session, paired: Paired { card: theirs, extras, transcript }, ours: None, theirs: None }
    }

    /// The other's card, to be shown for the decision. Nothing of it is trusted yet.
    pub fn card(&self) -> &Card {
        &self.paired.card
    }

    /// Records this person's decision; the bytes tell the other side.
    pub fn decide(&mut self, decision: Decision) -> Result<Vec<u8>, PairingError> {
        if self.ours.is_some() {
            return Err(PairingError::AlreadyDecided);
        }
        let sealed = self.session.seal_decision(&self.paired.transcript, decision == Decision::Accept)?;
        self.ours = Some(decision);
        Ok(PairingMessage::Decision(sealed).to_bytes())
    }

    /// Takes the other person's decision, bound to both cards.
    pub fn decided(&mut self, message: &[u8]) -> Result<Decision, PairingError> {
        let PairingMessage::Decision(sealed) = PairingMessage::read(message)? else {
            return Err(PairingError::Unexpected { expected: "a decision" });
        };
        if self.theirs.is_some() {
            return Err(PairingError::AlreadyDecided);
        }
        let accepted = self.session.open_decision(&self.paired.transcript, sealed)?;
        let decision = if accepted { Decision::Accept } else { Decision::Decline };
        self.theirs = Some(decision);
        Ok(decision)
    }

    pub fn outcome(&self) -> Outcome {
        match (self.ours, self.theirs) {
            (Some(Decision::Decline), _) => Outcome::DeclinedHere,
            (_, Some(Decision::Decline)) => Outcome::DeclinedThere,
            (Some(Decision::Accept), Some(Decision::Accept)) => Outcome::Accepted,
            _ => Outcome::Waiting,
        }
    }

    /// What the pairing gives, once both have accepted.
    pub fn into_paired(self) -> Option<Paired> {
        (self.outcome() == Outcome::Accepted).then_some(self.paired)
    }
}
