//! The 2048 words that people read to each other over a bad line.
//!
//! BIP-39's English list: 11 bits a word, no two words with the same first four letters. Recovery code, safety
//! words and pairing codes are all made of it, and all are typed with the same tolerance: case, spacing, commas,
//! dashes, numbering, and the first four letters instead of the whole word. Which word was meant is never guessed.

use bip39::Language;

/// Bits that one word carries.
pub const WORD_BITS: usize = 11;

/// Fewest letters that stand for a longer word.
pub const WORD_PREFIX_CHARS_MIN: usize = 4;

/// Longest typed text that is looked at, in bytes.
pub const WORDS_TEXT_BYTES_MAX: usize = 4096;

/// One word of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word(u16);

impl Word {
    /// The word that stands at `index`, counted from 0; the list wraps around after 2048.
    pub fn at(index: u16) -> Self {
        Self(index % (1 << WORD_BITS))
    }

    /// The word that was typed: whole, or its first four letters or more; any case.
    pub fn find(typed: &str) -> Option<Self> {
        let typed = typed.to_lowercase();
        if let Some(index) = Language::English.find_word(&typed) {
            return Some(Self(index));
        }
        if typed.chars().count() < WORD_PREFIX_CHARS_MIN {
            return None;
        }
        let list = Language::English.word_list();
        let index = list.partition_point(|word| *word < typed.as_str());
        list.get(index).filter(|word| word.starts_with(&typed)).and_then(|_| u16::try_from(index).ok()).map(Self)
    }

    pub fn as_str(self) -> &'static str {
        // `at` and `find` give indices below 2048 only.
        Language::English.word_list().get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

/// The first `N` words' worth of bits, most significant bit first; bits beyond the bytes count as 0.
pub fn words_of_bits<const N: usize>(bytes: &[u8]) -> [Word; N] {
    std::array::from_fn(|word| {
        let index = (word * WORD_BITS..(word + 1) * WORD_BITS).fold(0, |index: u16, bit| {
            let byte = bytes.get(bit / 8).copied().unwrap_or_default();
            index << 1 | u16::from(byte >> (7 - bit % 8) & 1)
        });
        Word::at(index)
    })
}

/// Cuts typed text into what should be words: `1. Abandon, ability` gives `Abandon` and `ability`.
pub fn typed_words(text: &str) -> Vec<&str> {
    let end = text.floor_char_boundary(WORDS_TEXT_BYTES_MAX);
    text[..end]
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '-' | '\u{2010}'..='\u{2014}'))
        .map(|token| {
            let token =
                token.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ')' | ':' | '#' | '('));
            token.trim_end_matches(['.', '!', '?', ':'])
        })
        .filter(|token| !token.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_word_is_found_whole_by_four_letters_and_in_capitals() {
        for index in 0..2048 {
            let word = Word::at(index);
            let text = word.as_str();
            assert_eq!(Word::find(text), Some(word));
            assert_eq!(Word::find(&text.to_uppercase()), Some(word));
            if text.len() >= 4 {
                assert_eq!(Word::find(&text[..4]), Some(word), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_word_or_too_short_is_not_guessed() {
        for typed in ["", "a", "aba", "abandonx", "abandn", "zzzz", "äbandon", "zoological"] {
            assert_eq!(Word::find(typed), None, "{typed}");
        }
    }

    #[test]
    fn typed_text_may_be_numbered_and_punctuated() {
        assert_eq!(typed_words(" 1. Abandon, 2) ability\n3:able; zoo. "), ["Abandon", "ability", "able", "zoo"]);
        assert_eq!(typed_words("1 abandon 2 ability"), ["abandon", "ability"]);
        assert_eq!(typed_words("ab4ndon"), ["ab4ndon"]);
    }

    #[test]
    fn bits_are_taken_from_the_front_eleven_at_a_time() {
        assert_eq!(words_of_bits::<2>(&[0xff, 0xe0, 0, 0]), [Word(2047), Word(0)]);
        assert_eq!(words_of_bits::<2>(&[0, 0x3f, 0xfb]), [Word(1), Word(2046)]);
        assert_eq!(words_of_bits::<1>(&[]), [Word(0)]);
    }

    proptest! {
        #[test]
        fn any_text_is_cut_without_a_panic(text in ".{0,200}", filler in 0usize..5000) {
            let long = format!("{}{text}", "ä".repeat(filler));
            for typed in typed_words(&long) {
                let _ = Word::find(typed);
            }
        }
    }
}
