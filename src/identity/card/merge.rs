//! What a later card of the same person means for the one that is held.

use minicbor::{Decode, Encode};

use super::Card;

impl Card {
    /// Compares a held card with one of the same person that came later, by whatever way.
    pub fn merge(&self, offered: Card) -> Result<CardMerge, MergeError> {
        if offered.identity() != self.identity() {
            return Err(MergeError::OtherPerson);
        }
        if offered.serial() < self.serial() {
            return Err(MergeError::Older { held: self.serial(), offered: offered.serial() });
        }
        if offered.serial() > self.serial() {
            return Ok(CardMerge::Newer(Box::new(offered)));
        }
        if offered.statement == self.statement {
            return Ok(CardMerge::Same);
        }
        Ok(CardMerge::Compromised(Box::new(CardConflict { first: self.clone(), second: offered })))
    }
}

/// What a later card of the same person means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardMerge {
    Same,
    /// It replaces the held one whole.
    Newer(Box<Card>),
    /// Somebody else signs with this identity's key: it gets no keys until verified anew.
    Compromised(Box<CardConflict>),
}

/// Two different cards of one person under one serial: anybody can check that the identity key was used twice.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CardConflict {
    #[n(0)]
    first: Card,
    #[n(1)]
    second: Card,
}

impl CardConflict {
    /// The card that was held, and the one that contradicts it.
    pub fn cards(&self) -> (&Card, &Card) {
        (&self.first, &self.second)
    }

    /// Whether the two cards prove it. Each card verified itself when it was read.
    pub fn proves(&self) -> bool {
        self.first.identity() == self.second.identity()
            && self.first.serial() == self.second.serial()
            && self.first.statement != self.second.statement
    }
}

/// Why a later card does not replace the held one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    #[error("this card is older (serial {offered}) than the one already held (serial {held}); ask for the current one")]
    Older { held: u64, offered: u64 },
    #[error("the two cards are not of the same person")]
    OtherPerson,
}
