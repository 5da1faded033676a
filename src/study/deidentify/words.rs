//! Words: how text is cut and folded so that the same name is found however it is written.
//!
//! A word is a run of letters and digits. Folding drops case and accents and spells out ligatures; German
//! umlauts have two folded forms (`muller`, `mueller`), and both are kept wherever a name is remembered.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use minicbor::{Decode, Encode};
use time::Date;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::encoding::private::Private;

/// A word shorter than this many characters is no sign of anybody ("de", "XX", an initial).
pub const WORD_CHARS_MIN: usize = 3;
/// At most this many words, identifiers or dates are remembered of one patient group; more is no header of ours.
pub const WORDS_MAX: usize = 65_536;

/// What identifies a patient and those around: words of names, identifiers, dates. Kept only at the sender;
/// typed text and the text that stays in a header are compared with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct IdentifyingWords {
    /// Folded words of person names, both spellings of an umlaut.
    #[n(0)]
    names: Private<BTreeSet<String>>,
    /// Folded identifiers without their separators, and their words.
    #[n(1)]
    identifiers: Private<BTreeSet<String>>,
    /// Dates as `YYYYMMDD`.
    #[n(2)]
    dates: Private<BTreeSet<u32>>,
    /// A name was in characters that could not be read, so it is not among these.
    #[n(3)]
    #[cbor(default, skip_if = "std::ops::Not::not")]
    unread_names: bool,
}

impl IdentifyingWords {
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers the words of a person name (PN form or plain).
    pub fn add_name(&mut self, name: &str) {
        let mut names = std::mem::take(&mut self.names).into_revealed();
        for (_, word) in words(name) {
            if names.len() < WORDS_MAX && (word.chars().count() >= WORD_CHARS_MIN || has_ideographs(word)) {
                if let Some(german) = folded_german(word) {
                    names.insert(german);
                }
                names.insert(folded(word).into_owned());
            }
        }
        self.names = Private::new(names);
    }

    /// Remembers that there is a name that could not be read.
    pub fn add_unread_name(&mut self) {
        self.unread_names = true;
    }

    /// Remembers an identifier whole and by its words.
    pub fn add_identifier(&mut self, identifier: &str) {
        let mut identifiers = std::mem::take(&mut self.identifiers).into_revealed();
        let mut whole = String::new();
        for (_, word) in words(identifier) {
            let word = folded(word);
            whole.push_str(&word);
            if identifiers.len() < WORDS_MAX && word.chars().count() >= WORD_CHARS_MIN {
                identifiers.insert(word.into_owned());
            }
        }
        if identifiers.len() < WORDS_MAX && whole.chars().count() >= WORD_CHARS_MIN {
            identifiers.insert(whole);
        }
        self.identifiers = Private::new(identifiers);
    }

    pub fn add_date(&mut self, date: Date) {
        if self.dates.reveal().len() < WORDS_MAX {
            let mut dates = std::mem::take(&mut self.dates).into_revealed();
            dates.insert(date_number(date));
            self.dates = Private::new(dates);
        }
    }

    /// Takes in what another instance or study of the same patient group shows.
    pub fn merge(&mut self, other: &Self) {
        fn union<T: Ord + Clone>(into: &mut Private<BTreeSet<T>>, from: &Private<BTreeSet<T>>) {
            if from.reveal().is_subset(into.reveal()) {
                return;
            }
            let mut all = std::mem::take(into).into_revealed();
            all.extend(from.reveal().iter().take(WORDS_MAX.saturating_sub(all.len())).cloned());
            *into = Private::new(all);
        }
        union(&mut self.names, &other.names);
        union(&mut self.identifiers, &other.identifiers);
        union(&mut self.dates, &other.dates);
        self.unread_names |= other.unread_names;
    }

    /// Whether a name is missing here, so that a text may hold it unnoticed.
    pub fn has_unread_names(&self) -> bool {
        self.unread_names
    }

    pub fn has_name(&self, word: &str) -> bool {
        let names = self.names.reveal();
        names.contains(folded(word).as_ref()) || folded_german(word).is_some_and(|german| names.contains(&german))
    }

    /// `identifier` is already folded and without separators.
    pub fn has_identifier(&self, identifier: &str) -> bool {
        self.identifiers.reveal().contains(identifier)
    }

    pub fn has_date(&self, date: Date) -> bool {
        self.dates.reveal().contains(&date_number(date))
    }

    /// Whether a word of a header names the patient or somebody around: a name, an identifier, a date.
    pub fn has(&self, word: &str) -> bool {
        if word.chars().count() < WORD_CHARS_MIN && !has_ideographs(word) {
            return false;
        }
        if self.has_name(word) || self.has_identifier(&folded(word)) {
            return true;
        }
        word.len() >= 8
            && word.get(..8).and_then(|digits| digits.parse().ok()).is_some_and(|n| self.dates.reveal().contains(&n))
    }

    /// Names in scripts that write no blanks between words, for a search inside a run of text.
    pub fn unspaced_names(&self) -> impl Iterator<Item = &str> {
        self.names.reveal().iter().map(String::as_str).filter(|name| has_ideographs(name))
    }
}

fn date_number(date: Date) -> u32 {
    date.year().unsigned_abs() * 10_000 + u32::from(u8::from(date.month())) * 100 + u32::from(date.day())
}

/// The words of a text with their byte ranges.
pub fn words(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let tail = text.get(rest..)?;
        let start = rest + tail.find(is_word_char)?;
        let tail = text.get(start..)?;
        let end = start + tail.find(|c| !is_word_char(c)).unwrap_or(tail.len());
        rest = end;
        Some((start..end, text.get(start..end)?))
    })
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

/// Lower case, no accents, ligatures spelled out.
pub fn folded(word: &str) -> Cow<'_, str> {
    if word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Cow::Borrowed(word);
    }
    if word.is_ascii() {
        return Cow::Owned(word.to_ascii_lowercase());
    }
    let mut out = String::with_capacity(word.len());
    for c in word.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'đ' | 'ð' => out.push('d'),
            'þ' => out.push_str("th"),
            'ı' => out.push('i'),
            c if is_combining_mark(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The folded form with umlauts written out, if the word has any.
pub fn folded_german(word: &str) -> Option<String> {
    if word.is_ascii() {
        return None;
    }
    let mut out = String::with_capacity(word.len() + 2);
    let mut any = false;
    for c in word.nfc().flat_map(char::to_lowercase) {
        let spelled = match c {
            'ä' => "ae",
            'ö' | 'ø' => "oe",
            'ü' => "ue",
            'å' => "aa",
            _ => {
                out.push(c);
                continue;
            }
        };
        any = true;
        out.push_str(spelled);
    }
    any.then(|| folded(&out).into_owned())
}

/// Whether a word has letters of a script that writes no blanks between words.
pub fn has_ideographs(word: &str) -> bool {
    word.chars().any(|c| {
        matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{1100}'..='\u{11ff}' | '\u{0e00}'..='\u{0e7f}')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_found_in_every_spelling() {
        let mut known = IdentifyingWords::new();
        known.add_name("Müller^Jérôme");
        known.add_name("Strauss^Søren");
        for spelling in
            ["MÜLLER", "muller", "Mueller", "mu\u{308}ller", "JEROME", "Jérôme", "STRAUß", "soren", "Soeren"]
        {
            assert!(known.has(spelling), "{spelling}");
        }
        let mut written_out = IdentifyingWords::new();
        written_out.add_name("MUELLER");
        assert!(written_out.has("Müller"));
        for other in ["mull", "mullers", "jer"] {
            assert!(!known.has(other), "{other}");
        }
    }

    #[test]
    fn two_letters_are_no_name_but_two_ideographs_are() {
        let mut known = IdentifyingWords::new();
        known.add_name("XX^De=山田^太郎");
        assert!(!known.has("XX") && !known.has("de"));
        assert!(known.has("山田"));
    }

    #[test]
    fn an_identifier_is_known_whole_and_by_its_words() {
        let mut known = IdentifyingWords::new();
        known.add_identifier("OOB-REPRO/17");
        assert!(known.has_identifier("oobrepro17") && known.has("Repro"));
        assert!(!known.has("17"));
    }

    #[test]
    fn a_date_is_known_with_and_without_its_time() {
        let mut known = IdentifyingWords::new();
        known.add_date(time::macros::date!(2004 - 01 - 19));
        assert!(known.has("20040119") && known.has("20040119083000"));
        assert!(!known.has("20040118"));
    }

    #[test]
    fn what_is_remembered_survives_storage_and_does_not_print() {
        let mut known = IdentifyingWords::new();
        known.add_name("Doe^Jane");
        known.add_date(time::macros::date!(1970 - 02 - 03));
        let bytes = crate::encoding::to_bytes(&known);
        assert_eq!(crate::encoding::from_bytes::<IdentifyingWords>(&bytes, 1024).as_ref(), Ok(&known));
        assert!(!format!("{known:?}").to_lowercase().contains("doe"));
        known.add_unread_name();
        let mut merged = IdentifyingWords::new();
        merged.merge(&known);
        assert!(merged.has_unread_names());
        let bytes = crate::encoding::to_bytes(&known);
        assert!(crate::encoding::from_bytes::<IdentifyingWords>(&bytes, 1024).unwrap().has_unread_names());
    }

    #[test]
    fn what_was_stored_before_unread_names_were_known_is_read() {
        #[derive(Encode)]
        #[cbor(map)]
        struct Before {
            #[n(0)]
            names: Private<BTreeSet<String>>,
            #[n(1)]
            identifiers: Private<BTreeSet<String>>,
            #[n(2)]
            dates: Private<BTreeSet<u32>>,
        }
        let before = Before {
            names: Private::new(BTreeSet::from(["doe".to_owned()])),
            identifiers: Private::default(),
            dates: Private::default(),
        };
        let known: IdentifyingWords = crate::encoding::from_bytes(&crate::encoding::to_bytes(&before), 1024).unwrap();
        assert!(known.has_name("Doe") && !known.has_unread_names());
    }
}
