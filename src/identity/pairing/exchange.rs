//! SPAKE2, and the keys that both sides derive from it.
//!
//! Everything is bound to the session: format, number and both SPAKE2 messages. Each direction has a key of its own,
//! and each of the two messages of a direction its own nonce.

use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use super::code::SpokenCode;
use super::message::{Introduction, SPAKE_BYTES, Sealed};
use super::{PAIRING_EXTRAS_BYTES_MAX, PairingError};
use crate::encoding::id::Bytes;
use crate::encoding::labels::{DERIVE_PAIRING_CONFIRM, DERIVE_PAIRING_SEAL, FORMAT_VERSION};
use crate::encoding::random::CryptoRng;
use crate::encoding::{from_bytes, to_bytes};
use crate::identity::card::{CARD_BYTES_MAX, Card};
use crate::identity::keys::Secret;
use crate::seal::aead;

/// The sides of a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Opener,
    Joiner,
}

impl Role {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Opener => b"overread/1 opener",
            Self::Joiner => b"overread/1 joiner",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Opener => Self::Joiner,
            Self::Joiner => Self::Opener,
        }
    }
}

/// One side of SPAKE2 before it has the other's message.
pub(super) struct Started {
    role: Role,
    nameplate: u16,
    spake: Spake2<Ed25519Group>,
    pub(super) message: Bytes<SPAKE_BYTES>,
}

impl Started {
    pub(super) fn new(role: Role, code: &SpokenCode, rng: &mut impl CryptoRng) -> Self {
        let password = Password::new(Zeroizing::new(code.spoken()).as_bytes());
        let (opener, joiner) = (Identity::new(Role::Opener.name()), Identity::new(Role::Joiner.name()));
        let rng = OlderRng(rng);
        let (spake, message) = match role {
            Role::Opener => Spake2::start_a_with_rng(&password, &opener, &joiner, rng),
            Role::Joiner => Spake2::start_b_with_rng(&password, &opener, &joiner, rng),
        };
        let mut bytes = [0; SPAKE_BYTES];
        // SPAKE2 over Ed25519 gives a letter and 32 bytes; were it ever otherwise, the other side would refuse it.
        if message.len() == SPAKE_BYTES {
            bytes.copy_from_slice(&message);
        }
        Self { role, nameplate: code.nameplate(), spake, message: Bytes(bytes) }
    }

    pub(super) fn finish(self, theirs: &Bytes<SPAKE_BYTES>) -> Result<Session, PairingError> {
        let key = Zeroizing::new(self.spake.finish(&theirs.0).map_err(|_| PairingError::WrongCode)?);
        let key = Secret::new(key.as_slice().try_into().map_err(|_| PairingError::WrongCode)?);
        let (opener, joiner) = match self.role {
            Role::Opener => (&self.message, theirs),
            Role::Joiner => (theirs, &self.message),
        };
        let mut context = Vec::with_capacity(6 + 2 * SPAKE_BYTES);
        context.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
        context.extend_from_slice(&self.nameplate.to_be_bytes());
        context.extend_from_slice(&opener.0);
        context.extend_from_slice(&joiner.0);
        Ok(Session { role: self.role, key, context })
    }
}

/// One side of a pairing that holds the key.
pub(super) struct Session {
    role: Role,
    key: Secret,
    /// Format, number, the opener's SPAKE2 message, the joiner's.
    context: Vec<u8>,
}

/// Number of a sealed message within its direction.
const INTRODUCTION: u64 = 0;
const DECISION: u64 = 1;

impl Session {
    /// Shows the other side that this one holds the key.
    pub(super) fn confirmation(&self) -> Bytes<32> {
        self.confirmation_of(self.role)
    }

    pub(super) fn check_confirmation(&self, theirs: &Bytes<32>) -> Result<(), PairingError> {
        // blake3's hashes compare in constant time.
        let expected = blake3::Hash::from_bytes(self.confirmation_of(self.role.other()).0);
        if expected == blake3::Hash::from_bytes(theirs.0) { Ok(()) } else { Err(PairingError::WrongCode) }
    }

    fn confirmation_of(&self, role: Role) -> Bytes<32> {
        Bytes(aead::derive_bytes(&self.key, DERIVE_PAIRING_CONFIRM, &[b"key", role.name(), &self.context]))
    }

    pub(super) fn seal_introduction(&self, card: &Card, extras: Option<&[u8]>) -> Result<Sealed, PairingError> {
        let introduction = Introduction { card: card.to_bytes(), extras: extras.map(<[u8]>::to_vec) };
        self.seal(INTRODUCTION, &[], to_bytes(&introduction))
    }

    /// Opens and verifies the other's card.
    pub(super) fn open_introduction(
        &self,
        sealed: Sealed,
        own: &Card,
    ) -> Result<(Card, Option<Vec<u8>>), PairingError> {
        let clear = self.open(INTRODUCTION, &[], sealed)?;
        let introduction: Introduction = from_bytes(&clear, CARD_BYTES_MAX + PAIRING_EXTRAS_BYTES_MAX + 64)?;
        let bytes = introduction.extras.as_ref().map_or(0, Vec::len);
        if bytes > PAIRING_EXTRAS_BYTES_MAX {
            return Err(PairingError::ExtrasTooLong { bytes });
        }
        let card = Card::from_bytes(&introduction.card).map_err(PairingError::Card)?;
        if card.identity() == own.identity() {
            return Err(PairingError::OwnCard);
        }
        Ok((card, introduction.extras))
    }

    /// Names this pairing and both cards; the same on both sides, unknown to everybody else.
    pub(super) fn transcript(&self, own: &Card, theirs: &Card) -> [u8; 32] {
        let (opener, joiner) = match self.role {
            Role::Opener => (own, theirs),
            Role::Joiner => (theirs, own),
        };
        let (opener, joiner) = (blake3::hash(&opener.to_bytes()), blake3::hash(&joiner.to_bytes()));
        let context: [&[u8]; 4] = [b"cards", &self.context, opener.as_bytes(), joiner.as_bytes()];
        aead::derive_bytes(&self.key, DERIVE_PAIRING_CONFIRM, &context)
    }

    pub(super) fn seal_decision(&self, transcript: &[u8; 32], accept: bool) -> Result<Sealed, PairingError> {
        self.seal(DECISION, transcript, vec![u8::from(accept)])
    }

    pub(super) fn open_decision(&self, transcript: &[u8; 32], sealed: Sealed) -> Result<bool, PairingError> {
        match self.open(DECISION, transcript, sealed)?.as_slice() {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(PairingError::Altered),
        }
    }

    fn seal(&self, number: u64, aad: &[u8], mut message: Vec<u8>) -> Result<Sealed, PairingError> {
        aead::seal(&self.direction_key(self.role), aead::counter_nonce(number), aad, &mut message)
            .map_err(|_| PairingError::Altered)?;
        Ok(Sealed(message))
    }

    fn open(&self, number: u64, aad: &[u8], sealed: Sealed) -> Result<Vec<u8>, PairingError> {
        let mut message = sealed.0;
        aead::open(&self.direction_key(self.role.other()), aead::counter_nonce(number), aad, &mut message)
            .map_err(|_| PairingError::Altered)?;
        Ok(message)
    }

    fn direction_key(&self, sender: Role) -> Secret {
        aead::derive(&self.key, DERIVE_PAIRING_SEAL, &[sender.name(), &self.context])
    }
}

/// Our random source in the shape that `spake2` 0.4 takes (`rand_core` 0.6).
struct OlderRng<'a, R>(&'a mut R);

impl<R: CryptoRng> rand_core_06::RngCore for OlderRng<'_, R> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core_06::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl<R: CryptoRng> rand_core_06::CryptoRng for OlderRng<'_, R> {}
