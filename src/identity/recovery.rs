//! The recovery code: a person's identity on a sheet of paper.
//!
//! 24 words hold the 32-byte seed of the identity key and a checksum of 8 bits (BIP-39, English; no BIP-39
//! passphrase and no stretching: the seed *is* the identity). They restore the identity on a new laptop, which then
//! certifies its own device; they open no old device's keys unless the old vault file is there too
//! ([`super::vault`]). The words have no printing form: whoever shows them calls [`RecoveryCode::words`].

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use super::keys::{Secret, SigningSecret};
use super::wordlist::{Word, typed_words};
use crate::encoding::text::shown;

/// Words of a recovery code.
pub const RECOVERY_WORDS: usize = 24;

/// The seed of an identity, in the form that people write down.
pub struct RecoveryCode(Secret);

impl RecoveryCode {
    /// The code of an identity.
    pub fn of(identity: &SigningSecret) -> Self {
        Self(identity.seed().duplicate())
    }

    /// Reads typed words: any case, spacing and numbering; four letters stand for a word.
    pub fn parse(text: &str) -> Result<Self, RecoveryError> {
        let typed = typed_words(text);
        let mut canonical = Zeroizing::new(String::with_capacity(RECOVERY_WORDS * 9));
        for (index, word) in typed.iter().enumerate() {
            let found = Word::find(word)
                .ok_or_else(|| RecoveryError::NotAWord { position: index + 1, typed: shown(word).into_owned() })?;
            if index >= RECOVERY_WORDS {
                continue; // counted below; the text would not fit the canonical form
            }
            if index > 0 {
                canonical.push(' ');
            }
            canonical.push_str(found.as_str());
        }
        if typed.len() != RECOVERY_WORDS {
            return Err(RecoveryError::Count { typed: typed.len() });
        }
        // All words are in the list and there are 24, so only the checksum can be wrong.
        let mnemonic =
            Mnemonic::parse_in_normalized(Language::English, &canonical).map_err(|_| RecoveryError::Checksum)?;
        let (entropy, length) = mnemonic.to_entropy_array();
        let entropy = Zeroizing::new(entropy);
        let seed = entropy[..length].try_into().map_err(|_| RecoveryError::Checksum)?;
        Ok(Self(Secret::new(seed)))
    }

    /// The words, to be shown once and written down.
    pub fn words(&self) -> [&'static str; RECOVERY_WORDS] {
        let mut bytes = Zeroizing::new([0; 33]);
        bytes[..32].copy_from_slice(self.0.reveal());
        // BIP-39: the checksum is the first byte of SHA-256 of the seed.
        bytes[32] = ring::digest::digest(&ring::digest::SHA256, self.0.reveal()).as_ref()[0];
        super::wordlist::words_of_bits::<RECOVERY_WORDS>(bytes.as_slice()).map(Word::as_str)
    }

    /// Whether `typed` is the word at `position`, counted from 1: shows that the code was written down.
    pub fn has_word(&self, position: usize, typed: &str) -> bool {
        let expected = position.checked_sub(1).and_then(|index| self.words().get(index).copied());
        expected.is_some() && Word::find(typed.trim()).map(Word::as_str) == expected
    }

    pub(super) fn seed(&self) -> &Secret {
        &self.0
    }

    /// The identity that the code restores.
    pub fn into_identity(self) -> SigningSecret {
        SigningSecret::from_seed(self.0)
    }
}

/// Why typed words are no recovery code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    #[error("word {position}, \"{typed}\", is not in the word list; compare it with your sheet")]
    NotAWord { position: usize, typed: String },
    #[error("a recovery code has {} words; you typed {typed}", RECOVERY_WORDS)]
    Count { typed: usize },
    #[error("each word is in the list, but together they are no recovery code: one is wrong or two are swapped")]
    Checksum,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code() -> RecoveryCode {
        RecoveryCode(Secret::new([0x7f; 32]))
    }

    #[test]
    fn the_words_are_those_of_bip39() {
        // Test vectors of BIP-39 (trezor/python-mnemonic): entropy 00… and 7f…
        let zeros = RecoveryCode(Secret::new([0; 32]));
        assert_eq!(zeros.words().join(" "), format!("{}art", "abandon ".repeat(23)));
        assert_eq!(
            code().words().join(" "),
            "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful \
             legal winner thank year wave sausage worth title"
        );
    }

    #[test]
    fn words_may_be_numbered_shortened_and_in_any_case() {
        let numbered: String = code()
            .words()
            .iter()
            .enumerate()
            .map(|(i, word)| format!("{}. {}\n", i + 1, word.chars().take(4).collect::<String>().to_uppercase()))
            .collect();
        assert_eq!(RecoveryCode::parse(&numbered).unwrap().seed().reveal(), &[0x7f; 32]);
    }

    #[test]
    fn each_mistake_is_named() {
        let words = code().words();
        let with = |position: usize, word: &str| {
            let mut typed = words.map(str::to_owned);
            typed[position - 1] = word.to_owned();
            RecoveryCode::parse(&typed.join(" ")).err()
        };
        assert_eq!(with(7, "wurth"), Some(RecoveryError::NotAWord { position: 7, typed: "wurth".into() }));
        assert_eq!(
            with(2, "a\u{1b}[2J"),
            Some(RecoveryError::NotAWord { position: 2, typed: "a[2J".into() }),
            "what is shown again has lost its control characters"
        );
        assert_eq!(with(24, "useful"), Some(RecoveryError::Checksum));
        assert_eq!(RecoveryCode::parse(&words[..23].join(" ")).err(), Some(RecoveryError::Count { typed: 23 }));
        assert_eq!(RecoveryCode::parse("").err(), Some(RecoveryError::Count { typed: 0 }));
        let twice = format!("{} {}", words.join(" "), words.join(" "));
        assert_eq!(RecoveryCode::parse(&twice).err(), Some(RecoveryError::Count { typed: 48 }));
    }

    #[test]
    fn a_single_word_of_the_sheet_is_recognised() {
        assert!(code().has_word(24, " Title "));
        assert!(!code().has_word(23, "title"));
        assert!(!code().has_word(0, "title") && !code().has_word(25, "title") && !code().has_word(1, ""));
    }

    proptest! {
        #[test]
        fn every_seed_comes_back_from_its_words(seed: [u8; 32]) {
            let code = RecoveryCode(Secret::new(seed));
            let read = RecoveryCode::parse(&code.words().join(" ")).unwrap();
            prop_assert_eq!(read.seed().reveal(), &seed);
            prop_assert_eq!(read.into_identity().public(), SigningSecret::from_seed(Secret::new(seed)).public());
        }
    }
}
