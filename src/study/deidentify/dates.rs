//! Dates by a whole number of weeks: DA and DT move together, times of day stay (PS3.15 E.3.6).
//!
//! What is no date is not guessed at: the caller removes it and says so. A value that names only a year or a
//! month moves with the middle of it and stays as coarse as it was.

use time::{Date, Duration, Month};

/// Reads a DA value: `YYYYMMDD`, or `YYYY.MM.DD` of ACR-NEMA (PS3.5 Table 6.2-1).
pub fn read_date(text: &str) -> Option<Date> {
    let text = text.trim_matches([' ', '\0']);
    match text.len() {
        8 => date(text.get(..4)?, text.get(4..6)?, text.get(6..8)?),
        10 if text.as_bytes().get(4) == Some(&b'.') && text.as_bytes().get(7) == Some(&b'.') => {
            date(text.get(..4)?, text.get(5..7)?, text.get(8..10)?)
        }
        _ => None,
    }
}

/// The day of a DT value, if it names one.
pub fn read_datetime_date(text: &str) -> Option<Date> {
    let text = text.trim_matches([' ', '\0']);
    date(text.get(..4)?, text.get(4..6)?, text.get(6..8)?)
}

/// Moves one DA value, or a range of two (`from-to`, either side may be open).
pub fn shift_date(text: &str, offset_days: i32) -> Option<String> {
    match text.split_once('-') {
        Some((from, to)) => {
            Some(format!("{}-{}", shift_one_date(from, offset_days)?, shift_one_date(to, offset_days)?))
        }
        None => shift_one_date(text, offset_days),
    }
}

fn shift_one_date(text: &str, offset_days: i32) -> Option<String> {
    match text.trim_matches([' ', '\0']) {
        "" => Some(String::new()),
        text => written(moved(read_date(text)?, offset_days)?),
    }
}

/// Moves one DT value `YYYY[MM[DD[HH[MM[SS[.F]]]]]][&ZZXX]`; the time of day and the offset from UTC stay. A
/// range (`from - to`) moves at both ends.
pub fn shift_datetime(text: &str, offset_days: i32) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    let (from, tail) = text.split_at(digits_end(text));
    // "2004-2005" is a range; "20040119-0500" has an offset from UTC, which is at most -1200 and +1400.
    match tail.strip_prefix('-').filter(|to| !is_utc_offset(to)) {
        Some(to) => {
            Some(format!("{}-{}", shift_one_datetime(from, offset_days)?, shift_one_datetime(to, offset_days)?))
        }
        None => shift_one_datetime(text, offset_days),
    }
}

fn digits_end(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
}

fn shift_one_datetime(text: &str, offset_days: i32) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    if text.is_empty() {
        return Some(String::new());
    }
    let (digits, tail) = text.split_at(digits_end(text));
    if !is_datetime_tail(digits.len(), tail) {
        return None;
    }
    let year = digits.get(..4)?;
    match digits.len() {
        4 => {
            let moved = moved(date(year, "07", "01")?, offset_days)?;
            Some(format!("{:04}{tail}", moved.year()))
        }
        6 => {
            let moved = moved(date(year, digits.get(4..6)?, "15")?, offset_days)?;
            Some(format!("{:04}{:02}{tail}", moved.year(), u8::from(moved.month())))
        }
        8 | 10 | 12 | 14 => {
            let time = digits.get(8..)?;
            let parts = (0..time.len()).step_by(2).map(|i| time.get(i..i + 2).and_then(|p| p.parse::<u8>().ok()));
            let bounds = [23, 59, 60];
            if !parts.zip(bounds).all(|(part, max)| part.is_some_and(|part| part <= max)) {
                return None;
            }
            let day = written(moved(date(year, digits.get(4..6)?, digits.get(6..8)?)?, offset_days)?)?;
            Some(format!("{day}{time}{tail}"))
        }
        _ => None,
    }
}

/// Age by PS3.5's AS: days under four weeks, weeks under three months, months under two years, else years.
/// Over 89 years one cannot be told from another (45 CFR 164.514).
pub fn age(birth: Date, at: Date) -> Option<String> {
    if at < birth {
        return None;
    }
    let days = (at - birth).whole_days();
    let months = (at.year() - birth.year()) * 12 + i32::from(u8::from(at.month()))
        - i32::from(u8::from(birth.month()))
        - i32::from(at.day() < birth.day());
    Some(match (days, months) {
        (0..28, _) => format!("{days:03}D"),
        (_, ..3) => format!("{:03}W", days / 7),
        (_, ..24) => format!("{months:03}M"),
        _ => format!("{:03}Y", (months / 12).min(AGE_YEARS_MAX)),
    })
}

/// The highest age that is told; everybody older has it.
pub const AGE_YEARS_MAX: i32 = 90;

/// An AS value as it may leave: ages over 89 become 90; what is no age gives `None`.
pub fn capped_age(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    let (number, unit) = text.split_at_checked(3)?;
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i32 = number.parse().ok()?;
    match unit {
        "Y" => Some(format!("{:03}Y", number.min(AGE_YEARS_MAX))),
        "D" | "W" | "M" => Some(text.to_owned()), // 999 months are 83 years
        _ => None,
    }
}

fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    if ![year, month, day].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

fn moved(date: Date, offset_days: i32) -> Option<Date> {
    date.checked_add(Duration::days(i64::from(offset_days))).filter(|moved| (1..=9999).contains(&moved.year()))
}

fn written(date: Date) -> Option<String> {
    Some(format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day()))
}

fn is_utc_offset(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()) && text <= "1200"
}

/// A fraction of up to six digits (only after the seconds) and an offset from UTC may follow the digits.
fn is_datetime_tail(digits: usize, tail: &str) -> bool {
    let offset_start = tail.find(['+', '-']).unwrap_or(tail.len());
    let (fraction, offset) = tail.split_at(offset_start);
    let fraction_fits = match fraction.strip_prefix('.') {
        Some(f) => digits == 14 && matches!(f.len(), 1..=6) && f.bytes().all(|b| b.is_ascii_digit()),
        None => fraction.is_empty(),
    };
    let offset_fits = match offset.split_at_checked(1) {
        Some(("+", zone)) => zone.len() == 4 && zone.bytes().all(|b| b.is_ascii_digit()) && zone <= "1400",
        Some(("-", zone)) => is_utc_offset(zone),
        _ => offset.is_empty(),
    };
    fraction_fits && offset_fits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    #[test]
    fn dates_and_datetimes_move_together_and_times_stay() {
        assert_eq!(shift_date("20040119", -7).as_deref(), Some("20040112"));
        assert_eq!(shift_date("2004.01.19", -7).as_deref(), Some("20040112"));
        assert_eq!(shift_date("20040301-20040315 ", -7).as_deref(), Some("20040223-20040308"));
        assert_eq!(shift_date("-20040315", -7).as_deref(), Some("-20040308"));
        for (before, after) in [
            ("20040119083000.123456+0100", "20040112083000.123456+0100"),
            ("20040119-0500", "20040112-0500"),
            ("2004011908", "2004011208"),
            ("20040119", "20040112"),
            ("200401", "200401"),
            ("2004", "2004"),
            ("20040101000000-20040108", "20031225000000-20040101"),
            ("", ""),
        ] {
            assert_eq!(shift_datetime(before, -7).as_deref(), Some(after), "{before}");
        }
        assert_eq!(shift_datetime("200401", -70).as_deref(), Some("200311"));
        assert_eq!(shift_datetime("2004", -520 * 7).as_deref(), Some("1994"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "2004",
            "20041301",
            "20040230",
            "JOHN DOE",
            "2004011",
            "200401199",
            "２００４0119",
            "00000101",
            "19.01.2004",
        ] {
            assert_eq!(shift_date(bad, -7), None, "{bad}");
        }
        for bad in
            ["20040119250000", "20040119T08", "20040119083000.", "200401190830000", "Müller", "2004+9999", "20", "😀"]
        {
            assert_eq!(shift_datetime(bad, -7), None, "{bad}");
        }
    }

    /// Each dash was one more call within a call: a Study Date of 60,000 dashes used up the stack and ended the program.
    #[test]
    fn a_range_has_two_sides() {
        for dashes in [3, 60_000] {
            let bad = "-".repeat(dashes);
            assert_eq!((shift_date(&bad, -7), shift_datetime(&bad, -7)), (None, None), "{dashes} dashes");
        }
        assert_eq!(shift_date("20040101-20040102-20040103", -7), None);
        assert_eq!(shift_datetime("2004-2005-2006", -7), None);
        assert_eq!(shift_datetime("2004-20050119-0500", -7).as_deref(), Some("2004-20050112-0500"));
        assert_eq!((shift_date("-", -7), shift_datetime("-", -7)), (Some("-".into()), Some("-".into())));
    }

    #[test]
    fn age_is_told_in_the_unit_that_fits_and_never_beyond_ninety() {
        let birth = date!(2000 - 03 - 10);
        for (at, expected) in [
            (date!(2000 - 03 - 10), "000D"),
            (date!(2000 - 03 - 30), "020D"),
            (date!(2000 - 05 - 01), "007W"),
            (date!(2001 - 03 - 09), "011M"),
            (date!(2002 - 03 - 10), "002Y"),
            (date!(2089 - 03 - 10), "089Y"),
            (date!(2090 - 03 - 10), "090Y"),
            (date!(2110 - 01 - 01), "090Y"),
        ] {
            assert_eq!(age(birth, at).as_deref(), Some(expected));
        }
        assert_eq!(age(birth, date!(1999 - 01 - 01)), None);
        for (before, after) in
            [("093Y", Some("090Y")), ("089Y", Some("089Y")), ("013W", Some("013W")), ("93Y", None), ("Doe", None)]
        {
            assert_eq!(capped_age(before).as_deref(), after);
        }
    }

    proptest! {
        #[test]
        fn intervals_and_weekdays_survive(a in 0i32..20_000, b in 0i32..20_000, weeks in 52i32..=520) {
            let day = |n: i32| date!(1960 - 01 - 01).saturating_add(Duration::days(i64::from(n)));
            let shifted = |n: i32| read_date(&shift_date(&written(day(n)).unwrap(), -7 * weeks).unwrap()).unwrap();
            prop_assert_eq!(shifted(a) - shifted(b), day(a) - day(b));
            prop_assert_eq!(shifted(a).weekday(), day(a).weekday());
            let datetime = shift_datetime(&format!("{}123000", written(day(a)).unwrap()), -7 * weeks).unwrap();
            prop_assert_eq!(read_datetime_date(&datetime), Some(shifted(a)));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}", days in proptest::num::i32::ANY) {
            let _ = shift_date(&text, days);
            let _ = shift_datetime(&text, days);
            let _ = capped_age(&text);
        }
    }
}
