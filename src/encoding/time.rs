//! Points in time as entries and cards carry them.
//!
//! A time is always somebody's claim: nothing is decided by it (format 6). Written as RFC 3339 in UTC.

use minicbor::{Decode, Encode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] pub i64);

/// One day in milliseconds.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Timestamp {
    /// Reads RFC 3339 with an offset.
    pub fn parse(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok());
        match text {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} ms since 1970", self.0), // years beyond 9999: a hostile claim, shown as it is
        }
    }
}

/// Reads a duration as people type it: a whole number and `s`, `m`, `h` or `d`. Gives milliseconds.
pub fn parse_duration_ms(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit_ms = match unit {
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => DAY_MS,
        _ => return None,
    };
    number.parse::<u32>().ok().and_then(|n| i64::from(n).checked_mul(unit_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_with_an_offset_is_printed_in_utc() {
        let time = Timestamp::parse("2026-11-24T10:00:00+02:00");
        assert_eq!(time.map(|t| t.to_string()).as_deref(), Some("2026-11-24T08:00:00Z"));
        assert_eq!(Timestamp::parse("2026-11-24T10:00:00"), None);
    }

    #[test]
    fn absurd_times_do_not_panic() {
        for ms in [i64::MIN, i64::MAX] {
            assert!(Timestamp(ms).plus_ms(1).to_string().len() > 5);
        }
    }

    #[test]
    fn durations_take_one_unit() {
        assert_eq!(parse_duration_ms("4h"), Some(14_400_000));
        assert_eq!(parse_duration_ms("90s"), Some(90_000));
        for bad in ["", "h", "4", "-4h", "4 h", "1e3s", "4ä"] {
            assert_eq!(parse_duration_ms(bad), None, "{bad}");
        }
    }
}
