//! Colleagues: the cards I hold, how far I trust each, and what I call them.
//!
//! A card proves that it is *one* person's; it does not prove *whose*. So a colleague starts unverified and becomes
//! verified only by something two people did: safety words, live words, or a pairing whose name and site they both
//! confirmed. Everything here is local and belongs to nobody else: it is never part of a case's state.
//!
//! [`Colleagues`] is the whole book in memory; each [`Colleague`] is one sealed row of the database. The book refuses
//! what would make it lie: an older card, a card that claims another colleague's device, a name that two people share.
//! A compromised identity (two cards under one serial) stays in the book, is shown as such and gets no keys until it
//! is verified anew. The book decides nothing about connections by itself: [`Colleagues::admitted`] tells the gate.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::card::{Card, CardConflict, CardMerge, MergeError};
use super::certificate::DeviceCertificate;
use super::keys::{IdentityKey, TransportKey};
use crate::encoding::id::IdPrefix;
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::encoding::{DecodeError, from_bytes, to_bytes};

pub mod names;

use names::{Candidate, FindError};

/// Longest sealed row of a colleague, in bytes: three cards and some words.
pub const COLLEAGUE_BYTES_MAX: usize = 64 * 1024;

/// Most colleagues in a book.
pub const COLLEAGUES_MAX: usize = 4096;

/// Longest local name in bytes of UTF-8.
pub const ALIAS_BYTES_MAX: usize = 160;

/// Most addresses that are remembered beside those on the card, and the longest of them in bytes.
pub const LEARNED_ADDRESSES_MAX: usize = 8;
pub const LEARNED_ADDRESS_BYTES_MAX: usize = 256;

/// How far a colleague is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Trust {
    #[n(0)]
    Unverified,
    #[n(1)]
    Verified(#[n(0)] Verification, #[n(1)] Timestamp),
    /// Nothing of theirs is taken from them directly and nothing is given to them.
    #[n(2)]
    Blocked,
}

/// What two people did to verify each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Verification {
    #[n(0)]
    SafetyWords,
    #[n(1)]
    LiveWords,
    /// A spoken code, and name and site confirmed on both sides.
    #[n(2)]
    Pairing,
}

/// A card I hold, and what I think of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Colleague {
    #[n(0)]
    card: Card,
    #[n(1)]
    trust: Trust,
    /// What I call them; no two colleagues share it.
    #[n(2)]
    name: String,
    /// Newest first.
    #[n(3)]
    learned_addresses: Vec<String>,
    #[n(4)]
    added: Timestamp,
    /// The proof that somebody else signs with this identity's key, until it is verified anew.
    #[n(5)]
    conflict: Option<CardConflict>,
}

impl Colleague {
    /// Reads a row of the database.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let colleague: Self = from_bytes(bytes, COLLEAGUE_BYTES_MAX)?;
        let proven = colleague
            .conflict
            .as_ref()
            .is_none_or(|conflict| conflict.proves() && conflict.cards().0.identity() == colleague.card.identity());
        if !proven || colleague.learned_addresses.len() > LEARNED_ADDRESSES_MAX {
            return Err(DecodeError::Malformed("a colleague that cannot be".into()));
        }
        Ok(colleague)
    }

    /// The row of the database, to be sealed there.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    pub fn identity(&self) -> IdentityKey {
        self.card.identity()
    }

    pub fn card(&self) -> &Card {
        &self.card
    }

    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// What I call them, safe to draw.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn added(&self) -> Timestamp {
        self.added
    }

    pub fn is_blocked(&self) -> bool {
        self.trust == Trust::Blocked
    }

    pub fn is_verified(&self) -> bool {
        matches!(self.trust, Trust::Verified(..)) && self.conflict.is_none()
    }

    /// The proof that the identity is compromised.
    pub fn conflict(&self) -> Option<&CardConflict> {
        self.conflict.as_ref()
    }

    /// Where to try to reach them: learned addresses first, newest first, then those on the card.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let known = |address: &&String| !self.learned_addresses.contains(*address);
        self.learned_addresses.iter().chain(self.card.addresses().iter().filter(known)).map(String::as_str)
    }

    /// Whether keys of a case may be sealed to them (within cases they are already in).
    pub fn gets_keys(&self) -> bool {
        !self.is_blocked() && self.conflict.is_none()
    }

    /// Whether they may be invited into a case now.
    pub fn may_be_invited(&self, now: Timestamp, unverified: UnverifiedInvitations) -> Result<(), InvitationRefused> {
        let name = || self.name.clone();
        if self.is_blocked() {
            return Err(InvitationRefused::Blocked { name: name() });
        }
        if self.conflict.is_some() {
            return Err(InvitationRefused::Compromised { name: name() });
        }
        if self.card.is_expired(now) {
            return Err(InvitationRefused::Expired { name: name(), expired: self.card.expires() });
        }
        if !self.is_verified() && unverified == UnverifiedInvitations::Refuse {
            return Err(InvitationRefused::Unverified { name: name() });
        }
        Ok(())
    }
}

/// Whether somebody whose words were never compared may be invited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnverifiedInvitations {
    Refuse,
    /// `--to-unverified`: asked for, and recorded in the entry.
    AskedFor,
}

/// Whether published test keys are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestCards {
    Refuse,
    /// In the demo and in tests.
    Allow,
}

/// Why somebody is not invited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvitationRefused {
    #[error("{name} is blocked")]
    Blocked { name: String },
    #[error("{name}'s identity is compromised: two different cards carry one serial; call them and compare words anew")]
    Compromised { name: String },
    #[error("{name}'s card expired at {expired}; ask for a new one")]
    Expired { name: String, expired: Timestamp },
    #[error("{name} is not verified; compare words with `card verify` first, or ask for it with --to-unverified")]
    Unverified { name: String },
}

/// All colleagues.
#[derive(Debug, Clone)]
pub struct Colleagues {
    own: IdentityKey,
    test_cards: TestCards,
    book: BTreeMap<IdentityKey, Colleague>,
}

/// What adding a card did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    New,
    Same,
    /// It replaced an older card of theirs. They keep the name I know them by; `renamed` says the card's changed.
    Newer {
        renamed: bool,
    },
    /// It contradicts the held card: the colleague gets no keys until verified anew.
    Compromised,
}

impl Colleagues {
    pub fn new(own: IdentityKey, test_cards: TestCards) -> Self {
        Self { own, test_cards, book: BTreeMap::new() }
    }

    /// The book from its rows.
    pub fn from_rows(own: IdentityKey, test_cards: TestCards, rows: impl IntoIterator<Item = Colleague>) -> Self {
        let book = rows.into_iter().map(|colleague| (colleague.identity(), colleague)).collect();
        Self { own, test_cards, book }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Colleague> {
        self.book.values()
    }

    pub fn get(&self, identity: &IdentityKey) -> Option<&Colleague> {
        self.book.get(identity)
    }

    /// Finds one colleague by local name, card name or `p-` id. Whoever cannot be told apart is not chosen.
    pub fn find(&self, typed: &str) -> Result<&Colleague, FindError> {
        let mut found: Vec<&Colleague> = match IdPrefix::parse(typed.trim()) {
            Some(prefix) => {
                self.iter().filter(|c| prefix.matches(IdentityKey::LETTER, c.identity().as_bytes())).collect()
            }
            None => Vec::new(),
        };
        if found.is_empty() {
            found = names::best_matches(typed, self.iter());
        }
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(FindError::Unknown { typed: shown(typed).into_owned() }),
            several => {
                let candidates = several.iter().map(|c| Candidate { name: c.name.clone(), id: c.identity() }).collect();
                Err(FindError::Ambiguous { typed: shown(typed).into_owned(), candidates })
            }
        }
    }

    /// The colleague and device that connect with this transport key, if they are let in: not blocked, and the device
    /// is on the card.
    pub fn admitted(&self, transport: &TransportKey) -> Option<(&Colleague, &DeviceCertificate)> {
        self.iter()
            .filter(|colleague| !colleague.is_blocked())
            .find_map(|colleague| Some((colleague, colleague.card.device_of_transport(transport)?)))
    }

    /// Adds a card, or merges it with the one held. On error nothing has changed.
    pub fn add(&mut self, card: Card, now: Timestamp) -> Result<Added, TrustError> {
        if card.identity() == self.own {
            return Err(TrustError::OwnCard);
        }
        if card.is_test() && self.test_cards == TestCards::Refuse {
            return Err(TrustError::TestCard);
        }
        self.refuse_foreign_devices(&card)?;
        let Some(held) = self.book.get_mut(&card.identity()) else {
            return self.add_new(card, now);
        };
        match held.card.merge(card)? {
            CardMerge::Same => Ok(Added::Same),
            CardMerge::Newer(card) => {
                let renamed = card.name() != held.card.name();
                held.card = *card;
                Ok(Added::Newer { renamed })
            }
            CardMerge::Compromised(conflict) => {
                held.conflict.get_or_insert(*conflict);
                Ok(Added::Compromised)
            }
        }
    }

    fn add_new(&mut self, card: Card, now: Timestamp) -> Result<Added, TrustError> {
        if self.book.len() >= COLLEAGUES_MAX {
            return Err(TrustError::TooMany);
        }
        let name = self.free_name(&card.name());
        let trust = Trust::Unverified;
        let colleague = Colleague { card, trust, name, learned_addresses: vec![], added: now, conflict: None };
        self.book.insert(colleague.identity(), colleague);
        Ok(Added::New)
    }

    /// A certificate shows only that *its* person claims a device, not that the device agrees: a card that claims the
    /// keys of somebody I already hold would make me take one for the other.
    fn refuse_foreign_devices(&self, card: &Card) -> Result<(), TrustError> {
        let others = self.iter().filter(|colleague| colleague.identity() != card.identity());
        for colleague in others {
            let claims = card.devices().iter().any(|certificate| {
                colleague.card.device(&certificate.device()).is_some()
                    || colleague.card.device_of_transport(&certificate.statement.transport).is_some()
            });
            if claims {
                return Err(TrustError::DeviceOfAnother { name: colleague.name.clone() });
            }
        }
        Ok(())
    }

    fn free_name(&self, wished: &str) -> String {
        let taken = |name: &str| self.iter().any(|colleague| names::fold(&colleague.name) == names::fold(name));
        let wished = wished.trim();
        if !taken(wished) {
            return wished.to_owned();
        }
        // One more number than there are colleagues is always free.
        (2..=self.book.len() + 2).map(|n| format!("{wished} ({n})")).find(|name| !taken(name)).unwrap_or_default()
    }

    /// Records that two people compared words or paired. Ends the doubt about a compromised identity.
    pub fn verify(&mut self, identity: &IdentityKey, how: Verification, now: Timestamp) -> Result<(), TrustError> {
        let colleague = self.colleague(identity)?;
        if colleague.is_blocked() {
            return Err(TrustError::Blocked { name: colleague.name.clone() });
        }
        colleague.trust = Trust::Verified(how, now);
        colleague.conflict = None;
        Ok(())
    }

    pub fn block(&mut self, identity: &IdentityKey) -> Result<(), TrustError> {
        self.colleague(identity)?.trust = Trust::Blocked;
        Ok(())
    }

    /// Ends a block; they are unverified then, whatever they were before.
    pub fn unblock(&mut self, identity: &IdentityKey) -> Result<(), TrustError> {
        let colleague = self.colleague(identity)?;
        if colleague.is_blocked() {
            colleague.trust = Trust::Unverified;
        }
        Ok(())
    }

    pub fn remove(&mut self, identity: &IdentityKey) -> Result<Colleague, TrustError> {
        self.book.remove(identity).ok_or(TrustError::Unknown)
    }

    /// Gives a colleague the name I know them by.
    pub fn rename(&mut self, identity: &IdentityKey, name: &str) -> Result<(), TrustError> {
        let name = name.trim();
        let folded = names::fold(name);
        if folded.is_empty() || name.len() > ALIAS_BYTES_MAX || shown(name) != name {
            return Err(TrustError::BadName);
        }
        if IdPrefix::parse(name).is_some() {
            return Err(TrustError::NameLikeId);
        }
        let same = |text: &str| names::fold(text) == folded;
        let taken = self.iter().filter(|other| other.identity() != *identity);
        if let Some(other) = taken.into_iter().find(|other| same(&other.name) || same(&other.card.name())) {
            return Err(TrustError::NameTaken { name: other.name.clone(), id: other.identity().short() });
        }
        self.colleague(identity)?.name = name.to_owned();
        Ok(())
    }

    /// Remembers where a colleague was reached; the oldest is forgotten.
    pub fn learn_address(&mut self, identity: &IdentityKey, address: &str) -> Result<(), TrustError> {
        let usable = address.starts_with('/')
            && address.len() <= LEARNED_ADDRESS_BYTES_MAX
            && address.bytes().all(|byte| byte.is_ascii_graphic());
        if !usable {
            return Err(TrustError::BadAddress);
        }
        let learned = &mut self.colleague(identity)?.learned_addresses;
        learned.retain(|known| known != address);
        learned.insert(0, address.to_owned());
        learned.truncate(LEARNED_ADDRESSES_MAX);
        Ok(())
    }

    fn colleague(&mut self, identity: &IdentityKey) -> Result<&mut Colleague, TrustError> {
        self.book.get_mut(identity).ok_or(TrustError::Unknown)
    }
}

/// Why the book was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    #[error("this is your own card")]
    OwnCard,
    #[error("this is a test card: its keys are published, so anybody can use them; it is taken in the demo only")]
    TestCard,
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error("this card claims a device that belongs to {name}; do not trust who gave it to you")]
    DeviceOfAnother { name: String },
    #[error("there are already {} colleagues; remove some first", COLLEAGUES_MAX)]
    TooMany,
    #[error("there is no such colleague")]
    Unknown,
    #[error("{name} is blocked; unblock them first")]
    Blocked { name: String },
    #[error("a name has 1 to {} bytes and no control characters", ALIAS_BYTES_MAX)]
    BadName,
    #[error("a name must not look like an id")]
    NameLikeId,
    #[error("{name} has that name already: {id}")]
    NameTaken { name: String, id: String },
    #[error("this is no network address")]
    BadAddress,
}

#[cfg(test)]
mod tests;
