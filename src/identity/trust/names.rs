//! Finding a colleague by what somebody typed.
//!
//! Case, accents, punctuation and spacing do not matter; a wrong recipient does. So a name is matched whole first,
//! then by the beginnings of its words, and whatever fits two people is an error that lists both.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Colleague;
use crate::encoding::text::shown;
use crate::identity::keys::IdentityKey;

/// A name as it is compared: no case, no accents, words of letters and digits with one space between.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in shown(text).nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            c if c.is_alphanumeric() => folded.push(c),
            // An apostrophe belongs to its word: O'Brien is found as obrien.
            '\'' | '\u{2019}' => {}
            _ if folded.is_empty() || folded.ends_with(' ') => {}
            _ => folded.push(' '),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// The colleagues that fit best: by whole local or card name, else by the beginnings of its words.
pub(super) fn best_matches<'a>(typed: &str, colleagues: impl Iterator<Item = &'a Colleague>) -> Vec<&'a Colleague> {
    let typed = fold(typed);
    if typed.is_empty() {
        return Vec::new();
    }
    let (mut whole, mut beginnings) = (Vec::new(), Vec::new());
    for colleague in colleagues {
        let names = [fold(&colleague.name), fold(&colleague.card.name())];
        if names.contains(&typed) {
            whole.push(colleague);
        } else if names.iter().any(|name| begins_words(name, &typed)) {
            beginnings.push(colleague);
        }
    }
    if whole.is_empty() { beginnings } else { whole }
}

/// Whether each typed word begins another word of the name.
fn begins_words(name: &str, typed: &str) -> bool {
    let mut words: Vec<&str> = name.split(' ').collect();
    typed.split(' ').all(|typed| match words.iter().position(|word| word.starts_with(typed)) {
        Some(index) => {
            words.swap_remove(index);
            true
        }
        None => false,
    })
}

/// Why a typed name gives no colleague.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    #[error("no colleague is called \"{typed}\"; `card list` shows all")]
    Unknown { typed: String },
    #[error("\"{typed}\" fits several colleagues: {}", list(candidates))]
    Ambiguous { typed: String, candidates: Vec<Candidate> },
}

/// Somebody who may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub name: String,
    pub id: IdentityKey,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.id.short())
    }
}

/// Most candidates that an error spells out.
const CANDIDATES_SHOWN_MAX: usize = 8;

fn list(candidates: &[Candidate]) -> String {
    let mut text: Vec<String> = candidates.iter().take(CANDIDATES_SHOWN_MAX).map(Candidate::to_string).collect();
    if let Some(more) = candidates.len().checked_sub(CANDIDATES_SHOWN_MAX).filter(|more| *more > 0) {
        text.push(format!("and {more} more"));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_accents_and_punctuation_are_folded_away() {
        for (text, folded) in [
            ("  Dr. Anna   WEISS-Müller ", "dr anna weiss muller"),
            ("Weiß", "weiss"),
            ("Łódź Øster Đukić", "lodz oster dukic"),
            ("O'Brien", "obrien"),
            ("山田太郎", "山田太郎"),
            ("\u{1b}[2J", "2j"),
            (" . ", ""),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn each_typed_word_needs_a_word_of_its_own() {
        assert!(begins_words("anna weiss", "we an"));
        assert!(begins_words("anna weiss", "anna"));
        assert!(!begins_words("anna weiss", "an an"));
        assert!(!begins_words("anna weiss", "eiss"));
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
