//! Safety words: how two people make sure by voice that nobody stands between them.
//!
//! **Static words** say who somebody is. Each identity has a half of its own, six words; I read mine aloud and type
//! what I hear. What I should hear is never displayed and cannot be taken out of [`ExpectedHalf`]: a tired person
//! shown two lists says "yes, the same" without listening. The two halves stand in key order, so that both sides
//! hold the same twelve words ([`reads_first`]).
//!
//! **Live words** say that this very conversation is with that person, now: both sides contribute a random nonce,
//! the starter commits to hers before she sees the other's, so nobody in the middle can search for nonces that give
//! the same words on both sides. One try: each state is consumed by the message it waits for.
//!
//! Six words are 66 bits. What follows from a match (the colleague counts as verified) is [`super::trust`]'s.

use minicbor::{Decode, Encode};

use super::keys::{IdentityKey, Secret};
use super::stretch::{Cost, StretchError, stretch};
use super::wordlist::{Word, typed_words, words_of_bits};
use crate::encoding::id::Bytes;
use crate::encoding::labels::SAFETY_WORDS;
use crate::encoding::random::CryptoRng;
use crate::encoding::text::shown;
use crate::seal::aead::derive_bytes;

/// Words of one half, and of live words.
pub const SAFETY_HALF_WORDS: usize = 6;

/// My half, to be read aloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnHalf([Word; SAFETY_HALF_WORDS]);

impl OwnHalf {
    /// Takes about 0.2 s and 64 MiB.
    pub fn of(own: &IdentityKey) -> Result<Self, StretchError> {
        half(own).map(Self)
    }

    pub fn words(&self) -> [&'static str; SAFETY_HALF_WORDS] {
        self.0.map(Word::as_str)
    }
}

/// A colleague's half: it can be compared with what was heard, never shown.
pub struct ExpectedHalf([Word; SAFETY_HALF_WORDS]);

impl ExpectedHalf {
    /// Takes about 0.2 s and 64 MiB.
    pub fn of(colleague: &IdentityKey) -> Result<Self, StretchError> {
        half(colleague).map(Self)
    }

    /// Compares what was heard: any case and spacing; four letters stand for a word.
    pub fn heard(&self, typed: &str) -> Result<(), HeardError> {
        compare(&self.0, typed)
    }
}

/// Whether my half is the first of the two: the lower identity key reads first.
pub fn reads_first(own: &IdentityKey, colleague: &IdentityKey) -> bool {
    own < colleague
}

/// The first 66 bits of Argon2id over the identity key; the salt is the label's bytes as they stand.
fn half(identity: &IdentityKey) -> Result<[Word; SAFETY_HALF_WORDS], StretchError> {
    let stretched = stretch(identity.as_bytes(), SAFETY_WORDS.as_bytes(), Cost::STANDARD)?;
    Ok(words_of_bits(stretched.reveal()))
}

fn compare(expected: &[Word; SAFETY_HALF_WORDS], typed: &str) -> Result<(), HeardError> {
    let typed = typed_words(typed);
    if typed.len() != SAFETY_HALF_WORDS {
        return Err(HeardError::Count { typed: typed.len() });
    }
    let mut different = Vec::new();
    for (index, (word, expected)) in typed.iter().zip(expected).enumerate() {
        match Word::find(word) {
            None => return Err(HeardError::NotAWord { position: index + 1, typed: shown(word).into_owned() }),
            Some(word) if word != *expected => different.push(index + 1),
            Some(_) => {}
        }
    }
    if different.is_empty() { Ok(()) } else { Err(HeardError::Different { positions: different }) }
}

/// Why what was heard does not fit. Never says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeardError {
    #[error("{} words are read aloud; you typed {typed}", SAFETY_HALF_WORDS)]
    Count { typed: usize },
    #[error("word {position}, \"{typed}\", is not in the word list; ask to hear it again")]
    NotAWord { position: usize, typed: String },
    #[error(
        "word {} differs: ask to hear it again; if it still differs, this card is not that person's",
        positions.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
    )]
    Different { positions: Vec<usize> },
}

impl HeardError {
    /// Places, from 1, of the words that do not fit.
    pub fn places(&self) -> &[usize] {
        match self {
            Self::Count { .. } => &[],
            Self::NotAWord { position, .. } => std::slice::from_ref(position),
            Self::Different { positions } => positions,
        }
    }
}

/// First message of live words: what the starter will reveal, hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct LiveCommitment(#[n(0)] Bytes<32>);

/// Second message: the answerer's nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct LiveNonce(#[n(0)] Bytes<32>);

/// Third message: the starter's nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct LiveReveal(#[n(0)] Bytes<32>);

/// Who compares live words, in the roles of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sides {
    starter: IdentityKey,
    answerer: IdentityKey,
}

/// The starter, who has committed and awaits the answerer's nonce.
pub struct AwaitingNonce {
    sides: Sides,
    nonce: Secret,
}

impl AwaitingNonce {
    pub fn start(own: IdentityKey, colleague: IdentityKey, rng: &mut impl CryptoRng) -> (Self, LiveCommitment) {
        let state = Self { sides: Sides { starter: own, answerer: colleague }, nonce: Secret::random(rng) };
        let commitment = live_commitment(state.sides, &state.nonce);
        (state, commitment)
    }

    pub fn answered(self, answer: LiveNonce) -> (LiveReveal, LiveWords) {
        let words = live_words(self.sides, &self.nonce, answer);
        (LiveReveal(Bytes(*self.nonce.reveal())), words)
    }
}

/// The answerer, who awaits the starter's nonce.
pub struct AwaitingReveal {
    sides: Sides,
    commitment: LiveCommitment,
    nonce: LiveNonce,
}

impl AwaitingReveal {
    pub fn answer(
        own: IdentityKey,
        colleague: IdentityKey,
        commitment: LiveCommitment,
        rng: &mut impl CryptoRng,
    ) -> (Self, LiveNonce) {
        let nonce = LiveNonce(Bytes(*Secret::random(rng).reveal()));
        (Self { sides: Sides { starter: colleague, answerer: own }, commitment, nonce }, nonce)
    }

    pub fn revealed(self, reveal: LiveReveal) -> Result<LiveWords, BrokenCommitment> {
        let nonce = Secret::new(reveal.0.0);
        if live_commitment(self.sides, &nonce) != self.commitment {
            return Err(BrokenCommitment);
        }
        Ok(live_words(self.sides, &nonce, self.nonce))
    }
}

/// Six words that both sides hold: one reads them, the other types them, once.
pub struct LiveWords([Word; SAFETY_HALF_WORDS]);

impl LiveWords {
    /// For the side that reads.
    pub fn words(&self) -> [&'static str; SAFETY_HALF_WORDS] {
        self.0.map(Word::as_str)
    }

    /// For the side that listens; a second try needs new words.
    pub fn heard(self, typed: &str) -> Result<(), HeardError> {
        compare(&self.0, typed)
    }
}

fn live_commitment(sides: Sides, nonce: &Secret) -> LiveCommitment {
    let context: [&[u8]; 3] = [b"live commitment", sides.starter.as_bytes(), sides.answerer.as_bytes()];
    LiveCommitment(Bytes(derive_bytes(nonce, SAFETY_WORDS, &context)))
}

fn live_words(sides: Sides, starter: &Secret, answerer: LiveNonce) -> LiveWords {
    let context: [&[u8]; 4] = [b"live words", sides.starter.as_bytes(), sides.answerer.as_bytes(), &answerer.0.0];
    LiveWords(words_of_bits(&derive_bytes(starter, SAFETY_WORDS, &context)))
}

/// The starter revealed another nonce than she had committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other side broke its commitment: somebody may stand between you; do not go on")]
pub struct BrokenCommitment;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::random::Seeded;

    const ANNA: IdentityKey = IdentityKey([1; 32]);
    const BEN: IdentityKey = IdentityKey([2; 32]);

    #[test]
    fn what_anna_reads_is_what_ben_expects_and_nobody_else_reads_it() {
        let read = OwnHalf::of(&ANNA).unwrap().words();
        assert_eq!(ExpectedHalf::of(&ANNA).unwrap().heard(&read.join(" ")), Ok(()));
        assert!(matches!(
            ExpectedHalf::of(&BEN).unwrap().heard(&read.join(" ")),
            Err(HeardError::Different { positions }) if positions.len() >= 5
        ));
        assert!(reads_first(&ANNA, &BEN) && !reads_first(&BEN, &ANNA));
    }

    #[test]
    fn the_words_of_a_known_key_never_change() {
        // Argon2id (m 65536, t 3, p 1) of 32 bytes 0x01 under the label, computed with OpenSSL's Argon2id.
        assert_eq!(OwnHalf::of(&ANNA).unwrap().words().join(" "), "twin input minor fury divide excess");
    }

    fn expected() -> ExpectedHalf {
        ExpectedHalf([0, 1, 2, 3, 4, 2047].map(Word::at)) // abandon ability able about above zoo
    }

    #[test]
    fn hearing_is_tolerant_of_case_spacing_and_shortening() {
        for typed in [
            "abandon ability able about above zoo",
            " ABAN, abil, Able - abou - abov - zoo.",
            "1. abandon\n2. ability\n3. able\n4. about\n5. above\n6. zoo",
        ] {
            assert_eq!(expected().heard(typed), Ok(()), "{typed}");
        }
    }

    #[test]
    fn a_difference_names_the_place_and_never_the_expected_word() {
        let error = expected().heard("abandon zoo able about above zero").err();
        assert_eq!(error, Some(HeardError::Different { positions: vec![2, 6] }));
        let text = error.map(|e| e.to_string()).unwrap_or_default();
        assert!(text.starts_with("word 2, 6 differs") && !text.contains("ability"), "{text}");
        assert_eq!(expected().heard("abandon ability"), Err(HeardError::Count { typed: 2 }));
        assert_eq!(
            expected().heard("abandon ability able abot above zoo"),
            Err(HeardError::NotAWord { position: 4, typed: "abot".into() })
        );
    }

    #[test]
    fn swapped_words_are_different_words() {
        assert_eq!(
            expected().heard("ability abandon able about above zoo"),
            Err(HeardError::Different { positions: vec![1, 2] })
        );
    }

    #[test]
    fn both_sides_of_an_honest_exchange_hold_the_same_live_words() {
        let mut rng = Seeded::new(1);
        let (starter, commitment) = AwaitingNonce::start(ANNA, BEN, &mut rng);
        let (answerer, nonce) = AwaitingReveal::answer(BEN, ANNA, commitment, &mut rng);
        let (reveal, of_starter) = starter.answered(nonce);
        let of_answerer = answerer.revealed(reveal).unwrap();
        assert_eq!(of_answerer.heard(&of_starter.words().join(" ")), Ok(()));
    }

    #[test]
    fn a_nonce_other_than_the_committed_one_is_refused() {
        let mut rng = Seeded::new(2);
        let (_, commitment) = AwaitingNonce::start(ANNA, BEN, &mut rng);
        let (answerer, _) = AwaitingReveal::answer(BEN, ANNA, commitment, &mut rng);
        assert_eq!(answerer.revealed(LiveReveal(Bytes([7; 32]))).err(), Some(BrokenCommitment));
    }

    #[test]
    fn a_commitment_made_to_somebody_else_is_refused() {
        let mut rng = Seeded::new(3);
        let mallory = IdentityKey([9; 32]);
        let (starter, commitment) = AwaitingNonce::start(ANNA, mallory, &mut rng);
        let (answerer, nonce) = AwaitingReveal::answer(BEN, ANNA, commitment, &mut rng);
        let (reveal, _) = starter.answered(nonce);
        assert_eq!(answerer.revealed(reveal).err(), Some(BrokenCommitment));
    }

    #[test]
    fn who_stands_between_gives_the_two_sides_different_words() {
        let mut rng = Seeded::new(4);
        let mallory = IdentityKey([9; 32]);
        let (anna, to_mallory) = AwaitingNonce::start(ANNA, BEN, &mut rng);
        let (_, nonce) = AwaitingReveal::answer(mallory, ANNA, to_mallory, &mut rng);
        let (mallory_as_anna, commitment) = AwaitingNonce::start(ANNA, BEN, &mut rng);
        let (ben, of_ben) = AwaitingReveal::answer(BEN, ANNA, commitment, &mut rng);
        let (_, anna_words) = anna.answered(nonce);
        let (reveal, _) = mallory_as_anna.answered(of_ben);
        let ben_words = ben.revealed(reveal).unwrap();
        assert!(ben_words.heard(&anna_words.words().join(" ")).is_err());
    }
}
