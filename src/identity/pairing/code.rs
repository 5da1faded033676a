//! The code that is read aloud: a number that finds the opener, and three words that prove one heard her.

use zeroize::Zeroizing;

use crate::encoding::random::{CryptoRng, bytes};
use crate::encoding::text::shown;
use crate::identity::wordlist::{Word, typed_words, words_of_bits};

/// Highest number at the start of a code; the lowest is 1.
pub const NAMEPLATE_MAX: u16 = 999;

/// Words of a code: 33 bits.
pub const CODE_WORDS: usize = 3;

/// A pairing code. It has no `Debug`: whoever shows it calls [`SpokenCode::spoken`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpokenCode {
    nameplate: u16,
    words: [Word; CODE_WORDS],
}

impl SpokenCode {
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        // 2^32 is so much more than 999 that the bias does not matter; the number is no secret either.
        let number = u32::from_be_bytes(bytes(rng)) % u32::from(NAMEPLATE_MAX) + 1;
        let secret = Zeroizing::new(bytes::<5>(rng));
        Self { nameplate: number as u16, words: words_of_bits(secret.as_slice()) }
    }

    /// Reads a typed code: any case and spacing; four letters stand for a word.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let text = text.trim().trim_start_matches('#');
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, words) = text.split_at(digits);
        let nameplate = number.parse().ok().filter(|number| (1..=NAMEPLATE_MAX).contains(number));
        let nameplate = nameplate.ok_or(CodeError::Nameplate)?;
        let typed = typed_words(words);
        if typed.len() != CODE_WORDS {
            return Err(CodeError::Count { typed: typed.len() });
        }
        let mut words = [Word::at(0); CODE_WORDS];
        for (index, (word, typed)) in words.iter_mut().zip(typed).enumerate() {
            *word = Word::find(typed)
                .ok_or_else(|| CodeError::NotAWord { position: index + 1, typed: shown(typed).into_owned() })?;
        }
        Ok(Self { nameplate, words })
    }

    /// The number at the start: not secret, it finds the opener among several.
    pub fn nameplate(&self) -> u16 {
        self.nameplate
    }

    /// The whole code as it is shown and read aloud: `47-crane-velvet-honey`.
    pub fn spoken(&self) -> String {
        let [first, second, third] = self.words.map(Word::as_str);
        format!("{}-{first}-{second}-{third}", self.nameplate)
    }
}

/// Why typed text is no pairing code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("a pairing code starts with a number from 1 to {}, such as 47-crane-velvet-honey", NAMEPLATE_MAX)]
    Nameplate,
    #[error("a pairing code has {} words after its number; you typed {typed}", CODE_WORDS)]
    Count { typed: usize },
    #[error("word {position} of the code, \"{typed}\", is not in the word list; ask to hear it again")]
    NotAWord { position: usize, typed: String },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::random::Seeded;

    #[test]
    fn a_code_is_typed_in_any_case_and_spacing() {
        let spoken = SpokenCode::parse("47-crane-velvet-honey").map(|code| code.spoken());
        assert_eq!(spoken.as_deref(), Ok("47-crane-velvet-honey"));
        for typed in
            ["47 Crane VELVET honey", " #47, cran velv hone. ", "047-crane-velvet-honey", "47crane velvet\nhoney"]
        {
            assert_eq!(SpokenCode::parse(typed).map(|code| code.spoken()), spoken, "{typed}");
        }
    }

    #[test]
    fn each_mistake_is_named() {
        for (typed, expected) in [
            ("", CodeError::Nameplate),
            ("crane-velvet-honey", CodeError::Nameplate),
            ("0-crane-velvet-honey", CodeError::Nameplate),
            ("1000-crane-velvet-honey", CodeError::Nameplate),
            ("99999999999-crane-velvet-honey", CodeError::Nameplate),
            ("47-crane-velvet", CodeError::Count { typed: 2 }),
            ("47-crane-velvet-honey-honey", CodeError::Count { typed: 4 }),
            ("47-crane-velvat-honey", CodeError::NotAWord { position: 2, typed: "velvat".into() }),
            ("47-crane-velvet-\u{1b}[2J", CodeError::NotAWord { position: 3, typed: "[2J".into() }),
        ] {
            assert_eq!(SpokenCode::parse(typed).err(), Some(expected), "{typed}");
        }
    }

    proptest! {
        #[test]
        fn every_code_is_read_back(seed: u64) {
            let code = SpokenCode::random(&mut Seeded::new(seed));
            prop_assert!((1..=NAMEPLATE_MAX).contains(&code.nameplate()));
            prop_assert!(SpokenCode::parse(&code.spoken()) == Ok(code));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,100}") {
            let _ = SpokenCode::parse(&text);
        }
    }
}
