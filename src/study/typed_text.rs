//! The text check: whatever people type is looked through before it is sealed (design 4).
//!
//! Two questions: does it name the patient (names, identifiers and dates the sender knows), and does it look
//! like something that names anybody (dates, long numbers, e-mail, phone). It answers with places, never
//! corrects: a hit is shown and nothing is sent until somebody has looked. Sizes, levels, sequences, doses,
//! scores and a bare year are the language of the trade and no hits.

use std::ops::Range;

use time::{Date, Month};

use super::deidentify::words::{IdentifyingWords, folded, has_ideographs, words};

/// Longest text that is checked, in bytes; an entry takes no more (format 11).
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// A run of this many digits is no measurement.
pub const LONG_NUMBER_DIGITS_MIN: usize = 6;

/// What a place in a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HitKind {
    /// A word of the patient's name, or of somebody's named in the headers.
    Name,
    /// An identifier from the headers: patient, accession, order.
    Identifier,
    /// A date from the headers: birth, study.
    KnownDate,
    /// Any other date with a day, or month and year.
    Date,
    LongNumber,
    Email,
    Phone,
}

impl HitKind {
    pub const fn words(self) -> &'static str {
        match self {
            Self::Name => "a name from the patient's data",
            Self::Identifier => "an identifier from the patient's data",
            Self::KnownDate => "a date from the patient's data",
            Self::Date => "a date",
            Self::LongNumber => "a long number",
            Self::Email => "an e-mail address",
            Self::Phone => "a phone number",
        }
    }
}

/// One place that somebody must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Byte range in the text.
    pub range: Range<usize>,
    pub kind: HitKind,
}

/// Looks through a text. `known` is what the sender knows of the patient group; a member without that table
/// passes `None` and gets the general forms only. Hits come in order, the more telling first at one place.
pub fn check(text: &str, known: Option<&IdentifyingWords>) -> Vec<Hit> {
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= TEXT_BYTES_MAX).last().unwrap_or(0);
    let text = if text.len() <= TEXT_BYTES_MAX { text } else { text.get(..end).unwrap_or_default() };
    let tokens: Vec<Token<'_>> = words(text).map(|(range, word)| Token { range, word }).collect();
    let mut hits = Vec::new();
    if let Some(known) = known {
        find_names(text, &tokens, known, &mut hits);
        find_identifiers(text, &tokens, known, &mut hits);
    }
    find_dates(text, &tokens, known, &mut hits);
    find_emails(text, &mut hits);
    find_numbers(text, &mut hits);
    settle(hits)
}

struct Token<'a> {
    range: Range<usize>,
    word: &'a str,
}

/// Orders hits and drops those that another, more telling one covers.
fn settle(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by(|a, b| (a.range.start, b.range.end, a.kind).cmp(&(b.range.start, a.range.end, b.kind)));
    hits.dedup();
    let mut settled: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        let covered = settled
            .last()
            .is_some_and(|last| hit.range.end <= last.range.end && (is_known(last.kind) || !is_known(hit.kind)));
        if !covered {
            settled.push(hit);
        }
    }
    settled
}

fn is_known(kind: HitKind) -> bool {
    matches!(kind, HitKind::Name | HitKind::Identifier | HitKind::KnownDate)
}

fn find_names(text: &str, tokens: &[Token<'_>], known: &IdentifyingWords, hits: &mut Vec<Hit>) {
    for token in tokens {
        if known.has_name(token.word) {
            hits.push(Hit { range: token.range.clone(), kind: HitKind::Name });
        }
    }
    if has_ideographs(text) {
        let text = FoldedText::of(text);
        for name in known.unspaced_names() {
            hits.extend(text.places(name).map(|range| Hit { range, kind: HitKind::Name }));
        }
    }
}

/// A text folded as names are, character by character, so that what is found in it has a place in the text.
struct FoldedText {
    text: String,
    /// Where each character begins, folded and in the text, and at last where both end.
    starts: Vec<(usize, usize)>,
}

impl FoldedText {
    fn of(text: &str) -> Self {
        let mut folded_text = String::with_capacity(text.len());
        let mut starts = Vec::new();
        for (at, c) in text.char_indices() {
            let start = folded_text.len();
            folded_text.push_str(&folded(c.encode_utf8(&mut [0; 4])));
            if folded_text.len() > start {
                starts.push((start, at));
            }
        }
        starts.push((folded_text.len(), text.len()));
        Self { text: folded_text, starts }
    }

    /// Where a folded name is. One that begins or ends within a character is another syllable.
    fn places(&self, name: &str) -> impl Iterator<Item = Range<usize>> {
        let place = |at: usize| {
            let index = self.starts.binary_search_by_key(&at, |(folded, _)| *folded).ok()?;
            self.starts.get(index).map(|(_, place)| *place)
        };
        self.text.match_indices(name).filter_map(move |(at, name)| Some(place(at)?..place(at + name.len())?))
    }
}

/// Most pieces an identifier may be written in: "12-34 56/78".
const IDENTIFIER_PIECES_MAX: usize = 6;
/// Short identifiers must have a digit and this many characters, or ordinary words and sizes would hit.
const IDENTIFIER_CHARS_MIN: usize = 4;

fn find_identifiers(text: &str, tokens: &[Token<'_>], known: &IdentifyingWords, hits: &mut Vec<Hit>) {
    for (first, token) in tokens.iter().enumerate() {
        let mut joined = String::new();
        let mut end = token.range.start;
        for piece in tokens.iter().skip(first).take(IDENTIFIER_PIECES_MAX) {
            let between = text.get(end..piece.range.start).unwrap_or_default();
            if !joined.is_empty() && (between.len() > 1 || between.contains('\n')) {
                break;
            }
            joined.push_str(&folded(piece.word));
            end = piece.range.end;
            let long_enough = joined.chars().count() >= IDENTIFIER_CHARS_MIN
                || joined.chars().count() == 3 && joined.chars().any(|c| !c.is_ascii_digit());
            if long_enough && joined.bytes().any(|b| b.is_ascii_digit()) && known.has_identifier(&joined) {
                hits.push(Hit { range: token.range.start..end, kind: HitKind::Identifier });
            }
        }
    }
}

/// Names of months and their usual short forms, folded: English, German, French, Spanish, Italian, Dutch.
const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "januar", "janner", "janvier", "janv", "enero", "ene", "gennaio", "gen", "januari"],
    &["february", "feb", "februar", "feber", "fevrier", "fevr", "febrero", "febbraio", "februari"],
    &["march", "mar", "marz", "maerz", "mrz", "mars", "marzo", "maart"],
    &["april", "apr", "avril", "avr", "abril", "abr", "aprile"],
    &["may", "mai", "mayo", "maggio", "mag", "mei"],
    &["june", "jun", "juni", "juin", "junio", "giugno", "giu"],
    &["july", "jul", "juli", "juillet", "juil", "julio", "luglio", "lug"],
    &["august", "aug", "aout", "agosto", "ago", "augustus"],
    &["september", "sep", "sept", "septembre", "septiembre", "settembre", "set"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre", "ottobre", "ott"],
    &["november", "nov", "novembre", "noviembre"],
    &["december", "dec", "dezember", "dez", "decembre", "diciembre", "dic", "dicembre"],
];

fn month_named(word: &str) -> Option<u8> {
    let word = folded(word);
    MONTHS.iter().position(|names| names.contains(&word.as_ref())).map(|index| index as u8 + 1)
}

fn find_dates(text: &str, tokens: &[Token<'_>], known: Option<&IdentifyingWords>, hits: &mut Vec<Hit>) {
    let is_known =
        |dates: &[Option<Date>]| known.is_some_and(|known| dates.iter().flatten().any(|date| known.has_date(*date)));
    let mut push = |range: Range<usize>, readings: &[Option<Date>]| {
        let kind = if is_known(readings) { HitKind::KnownDate } else { HitKind::Date };
        hits.push(Hit { range, kind });
    };
    for (first, token) in tokens.iter().enumerate() {
        if let Some(date) = packed_date(token.word) {
            push(token.range.clone(), &[Some(date)]);
        }
        let [second, third] = [1, 2].map(|n| tokens.get(first + n));
        let Some(second) = second else { continue };
        let gap = text.get(token.range.end..second.range.start).unwrap_or_default();
        if let Some(third) = third {
            let gap_after = text.get(second.range.end..third.range.start).unwrap_or_default();
            let range = token.range.start..third.range.end;
            if is_date_gap(gap) && gap == gap_after {
                let readings = numeric_readings(token.word, second.word, third.word, gap.trim());
                if readings.iter().any(Option::is_some) && !is_measured(text, range.end) {
                    push(range.clone(), &readings);
                }
            }
            if is_word_gap(gap) && is_word_gap(gap_after) {
                let readings = named_readings(token.word, second.word, third.word);
                if readings.iter().any(Option::is_some) {
                    push(range, &readings);
                }
            }
        }
        // Month and year, or day and month, with the month named: "March 2004", "19. März".
        if is_word_gap(gap) {
            let range = token.range.start..second.range.end;
            let month_year = month_named(token.word).is_some() && year(second.word, 4).is_some();
            let day_month = day(token.word).is_some() && is_long_month(second.word);
            let month_day = is_long_month(token.word) && day(second.word).is_some();
            if month_year || day_month || month_day {
                push(range, &[]);
            }
        }
    }
}

/// "may", "mar", "set", "ago", "dec" are words of their own; beside a bare number only a month that is nothing
/// else counts.
fn is_long_month(word: &str) -> bool {
    let folded = folded(word);
    month_named(word).is_some()
        && !matches!(
            folded.as_ref(),
            "may"
                | "mar"
                | "march"
                | "mars"
                | "set"
                | "ago"
                | "gen"
                | "mag"
                | "mai"
                | "mei"
                | "dec"
                | "jan"
                | "dic"
                | "ene"
                | "giu"
                | "lug"
                | "ott"
                | "sept"
                | "sep"
                | "nov"
                | "oct"
                | "feb"
                | "apr"
                | "jun"
                | "jul"
        )
}

/// `20040119`, and `040119` is left to nobody: six digits are a long number anyway.
fn packed_date(word: &str) -> Option<Date> {
    if word.len() != 8 || !word.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let year_first = calendar(year(word.get(..4)?, 4), number(word.get(4..6)?), number(word.get(6..8)?));
    let day_first = || calendar(year(word.get(4..8)?, 4), number(word.get(2..4)?), number(word.get(..2)?));
    let month_first = || calendar(year(word.get(4..8)?, 4), number(word.get(..2)?), number(word.get(2..4)?));
    year_first.or_else(day_first).or_else(month_first)
}

/// Every date that three numbers may mean: year first, day first, month first, year with two digits.
fn numeric_readings(a: &str, b: &str, c: &str, gap: &str) -> Vec<Option<Date>> {
    let (first, second, third) = (number(a), number(b), number(c));
    if let Some(year) = year(a, 4) {
        return vec![calendar(Some(year), second, third), calendar(Some(year), third, second)];
    }
    if let Some(year) = year(c, 4) {
        return vec![calendar(Some(year), second, first), calendar(Some(year), first, second)];
    }
    // Two-digit years only in the forms of dates: 19.01.04, 19/01/04, 19-01-04, each part two digits, or a
    // leading one digit; 4/5/6 or 1-2-3 are levels and grades.
    let is_two = |text: &str| text.len() == 2;
    if !matches!(gap, "." | "/" | "-") || !is_two(c) || !(is_two(a) || is_two(b)) || a.len() > 2 || b.len() > 2 {
        return Vec::new();
    }
    [19, 20]
        .into_iter()
        .flat_map(|century| {
            let of = |two: Option<u8>| two.map(|two| century * 100 + i32::from(two));
            [
                calendar(of(third), second, first),
                calendar(of(third), first, second),
                if is_two(a) && is_two(b) { calendar(of(first), second, third) } else { None },
            ]
        })
        .collect()
}

/// `19 January 2004`, `January 19, 2004`, `2004 January 19`, `19. Jan 04`.
fn named_readings(a: &str, b: &str, c: &str) -> Vec<Option<Date>> {
    let any_year = |text: &str| year(text, 4);
    let two = |text: &str| (text.len() == 2).then(|| number(text)).flatten();
    if let Some(month) = month_named(b) {
        let centuries = two(c).map(|two| [1900, 2000].map(|century| century + i32::from(two)));
        let mut readings = vec![calendar(any_year(c), Some(month), day(a)), calendar(any_year(a), Some(month), day(c))];
        readings.extend(centuries.into_iter().flatten().map(|year| calendar(Some(year), Some(month), day(a))));
        return readings;
    }
    if let Some(month) = month_named(a) {
        return vec![calendar(any_year(c), Some(month), day(b))];
    }
    Vec::new()
}

fn is_date_gap(gap: &str) -> bool {
    matches!(gap, "." | "/" | "-" | ". " | " . " | " / " | " - " | "\u{2010}" | "\u{2011}" | "\u{2013}")
}

fn is_word_gap(gap: &str) -> bool {
    !gap.contains('\n') && gap.len() <= 4 && gap.chars().all(|c| matches!(c, ' ' | '.' | ',' | '-' | '/' | '\u{a0}'))
}

/// A unit after three numbers makes them a size: "12/14/20 mm".
fn is_measured(text: &str, end: usize) -> bool {
    let after = text.get(end..).unwrap_or_default().trim_start();
    ["mm", "cm", "ml", "cc", "m/", "x", "×", "%"].iter().any(|unit| after.starts_with(unit))
}

fn number(text: &str) -> Option<u8> {
    if !matches!(text.len(), 1..=2) || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A day of the month, also `19th`, `1er`, `3rd`.
fn day(text: &str) -> Option<u8> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, tail) = text.split_at(digits);
    if !matches!(folded(tail).as_ref(), "" | "st" | "nd" | "rd" | "th" | "er" | "e") {
        return None;
    }
    number(digits).filter(|day| (1..=31).contains(day))
}

fn year(text: &str, digits: usize) -> Option<i32> {
    if text.len() != digits || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|year| (1850..=2150).contains(year))
}

fn calendar(year: Option<i32>, month: Option<u8>, day: Option<u8>) -> Option<Date> {
    Date::from_calendar_date(year?, Month::try_from(month?).ok()?, day?).ok()
}

fn find_emails(text: &str, hits: &mut Vec<Hit>) {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '%');
    for (at, _) in text.match_indices('@') {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + 1..).unwrap_or_default();
        let start = before.char_indices().rev().take_while(|(_, c)| is_part(*c)).last().map_or(at, |(start, _)| start);
        let length = after.find(|c| !is_part(c)).unwrap_or(after.len());
        let host = after.get(..length).unwrap_or_default().trim_end_matches('.');
        if start < at && host.contains('.') {
            hits.push(Hit { range: start..at + 1 + host.len(), kind: HitKind::Email });
        }
    }
}

/// Digits with the separators phone numbers have.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Long runs of digits, and groups of digits that read as a phone number: led by `+`, `00`, `0` or a bracket.
fn find_numbers(text: &str, hits: &mut Vec<Hit>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() && bytes[at] != b'+' && bytes[at] != b'(' {
            at += 1;
            continue;
        }
        let end = number_end(bytes, at);
        find_long_runs(bytes, at..end, hits);
        if is_phone(bytes, at, end) {
            hits.push(Hit { range: at..end, kind: HitKind::Phone });
        }
        at = end.max(at + 1);
    }
}

/// The end of a group of digits joined by single blanks, dashes, slashes, dots or brackets.
fn number_end(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    let mut last_digit = start;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'0'..=b'9' => last_digit = end + 1,
            b' ' | b'-' | b'/' | b'.' | b'(' | b')' if end < last_digit + 2 => {}
            b'+' | b'(' if end == start => {}
            _ => break,
        }
        end += 1;
    }
    last_digit.max(start + 1)
}

fn find_long_runs(bytes: &[u8], range: Range<usize>, hits: &mut Vec<Hit>) {
    let mut start = range.start;
    for at in range.clone().chain([range.end]) {
        let is_digit = at < range.end && bytes.get(at).is_some_and(u8::is_ascii_digit);
        if is_digit {
            continue;
        }
        let is_fraction = start > 1 && bytes.get(start - 1) == Some(&b'.') && bytes[start - 2].is_ascii_digit();
        if at - start >= LONG_NUMBER_DIGITS_MIN && !is_fraction {
            hits.push(Hit { range: start..at, kind: HitKind::LongNumber });
        }
        start = at + 1;
    }
}

fn is_phone(bytes: &[u8], start: usize, end: usize) -> bool {
    let group = bytes.get(start..end).unwrap_or_default();
    let digits = group.iter().filter(|b| b.is_ascii_digit()).count();
    let starts_a_word = start == 0 || !bytes[start - 1].is_ascii_alphanumeric() && bytes[start - 1] != b'.';
    let groups = group.split(|b| !b.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let is_american =
        groups.clone().map(<[u8]>::len).eq([3, 3, 4]) || groups.map(<[u8]>::len).eq([3, 4]) && group.contains(&b'-');
    let led =
        group.starts_with(b"+") || group.starts_with(b"0") && !group.starts_with(b"0.") || group.starts_with(b"(0");
    starts_a_word && PHONE_DIGITS.contains(&digits) && (led || is_american)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    fn known() -> IdentifyingWords {
        let mut known = IdentifyingWords::new();
        known.add_name("Müller-Lüdenscheidt^Jérôme^O'Hara=山田^太郎");
        known.add_identifier("77654033");
        known.add_identifier("AB-12/34");
        known.add_identifier("ID1");
        known.add_identifier("204");
        known.add_date(date!(2004 - 01 - 19));
        known.add_date(date!(1931 - 07 - 02));
        known
    }

    fn found(text: &str) -> Vec<(HitKind, &str)> {
        check(text, Some(&known())).into_iter().map(|hit| (hit.kind, &text[hit.range])).collect()
    }

    #[test]
    fn the_language_of_the_trade_is_no_hit() {
        for text in [
            "12x14x9 mm lesion in segment 8, T2 bright, 1.5T and 3T, C5/6 and L4-5, L4/5/S1, BI-RADS 4, PI-RADS 4/5",
            "HU 35-40, SUVmax 12.5, IM 112, se 4/im 57, 10 mm, 5.0 x 3.2 x 1.1 cm, 2026 alone, since 2019, b1000",
            "Gleason 3+4=7, ECOG 1-2, G2 pT2c pN0 (0/12), WHO grade 4, TE 30/60/90, FLAIR 5 mm, 100 ml Gd 0.1 mmol/kg",
            "follow-up in 3-6 months, -182 d, +0:45 min, 24/7, 50%, 1:1000, slices 12-14-20 mm, 120 kV 250 mAs",
            "ratio 0.123456, ADC 0.00081, window 1500/-600, 512x512, 3 mm / 1.5 mm, 1-2-3, 4/5/6, grade 1.2.3",
            "it may 4 times, march on, 3 may differ, 2 sept. lines, mar 3, C7-T1, 11/12 nodes, LR-5, Fleischner 2017",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn the_patients_name_is_found_in_any_case_accent_and_order() {
        for (text, word) in [
            ("Ms MUELLER has", "MUELLER"),
            ("jerome: see", "jerome"),
            ("ludenscheidt", "ludenscheidt"),
            ("mu\u{308}ller's", "mu\u{308}ller"),
            ("of hara,", "hara"),
            ("患者山田太郎です", "山田"),
        ] {
            assert_eq!(found(text).first(), Some(&(HitKind::Name, word)), "{text}");
        }
        assert_eq!(found("Mullerian duct, haram"), []);
    }

    #[test]
    fn identifiers_are_found_however_they_are_cut() {
        for (text, piece) in [
            ("MRN 77654033.", "77654033"),
            ("77-654-033", "77-654-033"),
            ("no ab1234 here", "ab1234"),
            ("AB 12 34", "AB 12 34"),
            ("AB-12/34", "AB-12/34"),
            ("see id1", "id1"),
        ] {
            assert!(found(text).contains(&(HitKind::Identifier, piece)), "{text}: {:?}", found(text));
        }
        assert_eq!(found("204 HU"), []);
    }

    #[test]
    fn known_dates_are_found_in_every_written_form() {
        for text in [
            "19.01.2004",
            "19.1.2004",
            "01/19/2004",
            "2004-01-19",
            "2004/1/19",
            "20040119",
            "19012004",
            "19.01.04",
            "1/19/04",
            "19 January 2004",
            "January 19, 2004",
            "Jan 19th 2004",
            "19. Jänner 2004",
            "19 janvier 2004",
            "19-Jan-2004",
            "19 JAN 04",
            "2. Juli 1931",
            "7/2/1931",
        ] {
            let hits = found(text);
            assert_eq!(hits.first(), Some(&(HitKind::KnownDate, text)), "{hits:?}");
            assert_eq!(hits.len(), 1, "{hits:?}");
        }
    }

    #[test]
    fn general_forms_are_found_without_any_table() {
        for (text, kind, piece) in [
            ("seen 3.4.2019 again", HitKind::Date, "3.4.2019"),
            ("on 12/31/19", HitKind::Date, "12/31/19"),
            ("in March 2019 we", HitKind::Date, "March 2019"),
            ("at 24. Dezember", HitKind::Date, "24. Dezember"),
            ("no 123456 x", HitKind::LongNumber, "123456"),
            ("mail a.b@c-d.org.", HitKind::Email, "a.b@c-d.org"),
            ("call +49 30 1234567", HitKind::Phone, "+49 30 1234567"),
            ("call 030/123 45 67", HitKind::Phone, "030/123 45 67"),
            ("call (555) 123-4567", HitKind::Phone, "(555) 123-4567"),
        ] {
            let hits = check(text, None);
            let found: Vec<_> = hits.iter().map(|hit| (hit.kind, &text[hit.range.clone()])).collect();
            assert!(found.contains(&(kind, piece)), "{text}: {found:?}");
        }
        assert_eq!(check("Müller 77", None), []);
    }

    proptest! {
        #[test]
        fn hits_lie_on_characters_and_nothing_panics(text in "\\PC{0,200}") {
            for hit in check(&text, Some(&known())) {
                prop_assert!(text.get(hit.range.clone()).is_some_and(|piece| !piece.is_empty()), "{:?}", hit);
            }
        }

        #[test]
        fn a_name_among_other_words_is_always_found(before in "[a-z ]{0,20}", after in "[a-z .,]{0,20}") {
            let text = format!("{before} Müller {after}");
            prop_assert!(check(&text, Some(&known())).iter().any(|hit| hit.kind == HitKind::Name));
        }

        #[test]
        fn any_iso_date_is_found(days in 0i64..60_000) {
            let day = date!(1900 - 01 - 01) + time::Duration::days(days);
            let text = format!("on {:04}-{:02}-{:02}.", day.year(), u8::from(day.month()), day.day());
            prop_assert!(check(&text, None).iter().any(|hit| hit.kind == HitKind::Date), "{}", text);
        }
    }
}
