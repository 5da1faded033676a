//! Which words of a short description may stay: the shipped radiology vocabulary, numbers with units, kernel-like
//! tokens, and what the sender approved in the plan.
//!
//! A list of what may stay instead of a search for names: a name nobody thought of drops by itself. What the
//! list costs is told word by word in the plan, where the sender can approve a word back.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use super::words::{IdentifyingWords, folded, words};
use crate::encoding::private::Private;

static VOCABULARY: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("vocabulary.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .collect()
});

/// Words the sender approved in the plan, folded.
#[derive(Debug, Clone, Default)]
pub struct Approvals(BTreeSet<String>);

impl Approvals {
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(texts.into_iter().flat_map(words).map(|(_, word)| folded(word).into_owned()).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether the shipped vocabulary has the word.
pub fn is_known(word: &str) -> bool {
    VOCABULARY.contains(folded(word).as_ref())
}

/// A short description after cleaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanedText {
    pub kept: String,
    pub dropped: Vec<Private<String>>,
}

/// Keeps a description word by word. A word that names the patient or somebody around drops even if the
/// vocabulary has it: a patient may be called Young, and one word less harms no read.
pub fn clean(text: &str, identity: &IdentifyingWords, approvals: &Approvals) -> CleanedText {
    let mut kept = String::with_capacity(text.len());
    let mut dropped = Vec::new();
    let mut end_of_last = 0;
    let mut dropped_since = false;
    for (range, word) in tokens(text) {
        let may_stay = (is_known(word) || is_measure(word) || approvals.0.contains(folded(word).as_ref()))
            && !words(word).any(|(_, part)| identity.has(part));
        if may_stay {
            let between = text.get(end_of_last..range.start).unwrap_or(" ");
            if kept.is_empty() {
                kept.push_str(separator(between).trim_start_matches(is_dangling));
            } else if dropped_since {
                kept.push(' ');
            } else {
                kept.push_str(&separator(between));
            }
            kept.push_str(word);
            dropped_since = false;
        } else {
            dropped.push(Private::new(word.to_owned()));
            dropped_since = true;
        }
        end_of_last = range.end;
    }
    if !dropped_since && !kept.is_empty() {
        kept.push_str(separator(text.get(end_of_last..).unwrap_or_default()).trim_end());
    }
    CleanedText { kept, dropped }
}

/// What stood between two words: only what the default repertoire has and no header trips over.
fn separator(between: &str) -> String {
    between.chars().map(|c| if c.is_ascii_graphic() && c != '\\' { c } else { ' ' }).collect()
}

fn is_dangling(c: char) -> bool {
    matches!(c, ' ' | ')' | ']' | ',' | ';' | '.' | ':' | '/' | '\\' | '^' | '_' | '=')
}

/// Words as [`words`] cuts them, but `12.5` and `0,5` stay whole.
fn tokens(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, &str)> {
    let mut pending = words(text).peekable();
    std::iter::from_fn(move || {
        let (mut range, _) = pending.next()?;
        while let Some((next, part)) = pending.peek() {
            let joined = next.start == range.end + 1
                && matches!(text.as_bytes().get(range.end), Some(b'.' | b','))
                && text.as_bytes().get(range.end.wrapping_sub(1)).is_some_and(u8::is_ascii_digit)
                && part.starts_with(|c: char| c.is_ascii_digit());
            if !joined {
                break;
            }
            range.end = next.end;
            pending.next();
        }
        let word = text.get(range.clone())?;
        Some((range, word))
    })
}

/// Units that may follow a number without a blank, and ordinals.
const UNITS: &[&str] = &[
    "", "mm", "cm", "m", "ml", "cc", "mg", "mgy", "gy", "kv", "kvp", "kev", "ma", "mas", "s", "sec", "ms", "min", "h",
    "hz", "mhz", "t", "mci", "mbq", "hu", "d", "deg", "fps", "x", "st", "nd", "rd", "th", "ph", "i", "e", "p",
];

/// Numbers with units (`1mm`, `5.0`, `0.75`, `2x`), and tokens of one or two letters and up to two digits as
/// kernels and vertebrae have them (`B31f`, `Br40`, `FC13`, `T1`, `L4`, `b1000`). A bare number of four digits
/// could be a year, one of five or more an identifier.
fn is_measure(word: &str) -> bool {
    if !word.is_ascii() {
        return false;
    }
    let lower = word.to_ascii_lowercase();
    if lower.len() == 1 {
        return true; // T/S/C, a phase, an axis; an initial alone names nobody
    }
    if lower.split('x').count() > 1 && lower.split('x').all(|part| !part.is_empty() && is_number_with_unit(part)) {
        return true; // a matrix: 3x3, 0.5x0.5x1
    }
    is_number_with_unit(&lower) || is_kernel_like(&lower)
}

fn is_number_with_unit(lower: &str) -> bool {
    let number_end = lower.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(number_end);
    let mut parts = number.split(['.', ',']);
    let whole = parts.next().unwrap_or_default();
    let fraction = parts.next();
    if parts.next().is_some() || whole.is_empty() || fraction.is_some_and(str::is_empty) || !UNITS.contains(&unit) {
        return false;
    }
    let digits_max = if unit.is_empty() && fraction.is_none() { 3 } else { 4 };
    whole.len() <= digits_max && fraction.is_none_or(|f| f.len() <= 4)
}

fn is_kernel_like(lower: &str) -> bool {
    let letters_end = lower.find(|c: char| c.is_ascii_digit()).unwrap_or(lower.len());
    let (letters, rest) = lower.split_at(letters_end);
    let digits_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, tail) = rest.split_at(digits_end);
    if letters == "b" && tail.is_empty() && matches!(digits.len(), 1..=4) {
        return true; // diffusion weighting in s/mm2
    }
    matches!(letters.len(), 1..=2)
        && letters.bytes().all(|b| b.is_ascii_lowercase())
        && matches!(digits.len(), 1..=2)
        && tail.len() <= 1
        && tail.bytes().all(|b| b.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> String {
        clean(text, &IdentifyingWords::new(), &Approvals::default()).kept
    }

    #[test]
    fn a_description_of_radiology_words_stays_as_it_is() {
        for text in [
            "CT, HEAD/BRAIN WO CONTRAST",
            "MRI ABDOMEN PELVIS W+WO CONT",
            "LIVER-PELVIS/HASTE_AXIAL_P",
            "HELICAL CHEST",
            "T2 TSE sag 3mm",
            "t1_vibe_fs_tra_bh_3",
            "Thorax 1.5 B31f",
            "SmartScore - Gated 0.5 sec",
            "IRM du genou droit sans contraste",
            "Schädel nativ 5,0 H30s",
            "5/5mm Plain",
            "DWI b1000 (ADC)",
        ] {
            assert_eq!(kept(text), text);
        }
    }

    #[test]
    fn words_outside_the_vocabulary_drop_and_are_told() {
        let cleaned =
            clean("XR CHEST AP PORTABLE for Douglas Davidson-46198", &IdentifyingWords::new(), &Approvals::default());
        assert_eq!(cleaned.kept, "XR CHEST AP PORTABLE for");
        assert_eq!(cleaned.dropped.len(), 3);
        for (text, rest) in [("Research^Head and neck", "Head and neck"), ("1984 Knie", "Knie"), ("RM12345 T1", "T1")] {
            assert_eq!(kept(text), rest);
        }
        for gone in ["20040119", "555-123456", "KLEIN", "Müller", "1984", "A1234", "\u{1b}[2J"] {
            let left = kept(gone);
            assert!(left.is_empty() || left == "555", "{gone} left {left}");
        }
    }

    #[test]
    fn a_patient_called_like_a_vocabulary_word_loses_that_word() {
        let mut identity = IdentifyingWords::new();
        identity.add_name("Hand^Long");
        let cleaned = clean("MR HAND left", &identity, &Approvals::default());
        assert_eq!(cleaned.kept, "MR left");
    }

    #[test]
    fn an_approved_word_stays_unless_it_is_the_patients_name() {
        let mut identity = IdentifyingWords::new();
        identity.add_name("Doe");
        let approvals = Approvals::new(["Lever doe"]);
        assert_eq!(clean("MR Lever Doe", &identity, &approvals).kept, "MR Lever");
    }

    #[test]
    fn the_vocabulary_is_folded_and_has_no_long_number() {
        for word in VOCABULARY.iter() {
            assert!(!word.bytes().all(|b| b.is_ascii_digit()), "{word}");
            assert!(word.is_ascii(), "{word}");
            assert!(is_known(word), "{word}");
        }
        assert!(VOCABULARY.len() > 900);
    }

    proptest::proptest! {
        #[test]
        fn cleaning_never_adds_and_is_stable(text in "\\PC{0,64}") {
            let once = kept(&text);
            proptest::prop_assert!(once.len() <= text.len() + 1);
            let twice = kept(&once);
            proptest::prop_assert_eq!(twice, once);
        }
    }
}
