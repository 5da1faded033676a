//! What people type or hear: recovery words, spoken codes, ids, times, windows, addresses.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use overread::encoding::id::{IdPrefix, from_base32};
use overread::encoding::time::{Timestamp, parse_duration_ms};
use overread::identity::keys::IdentityKey;
use overread::identity::pairing::SpokenCode;
use overread::identity::recovery::RecoveryCode;
use overread::identity::wordlist::{WORDS_TEXT_BYTES_MAX, Word, typed_words};
use overread::identity::words::ExpectedHalf;
use overread::net::{is_dialable, resolve};
use overread::study::deidentify::dates::{capped_age, read_date, read_datetime_date, shift_date, shift_datetime};
use overread::study::pixels::Window;

static EXPECTED: LazyLock<ExpectedHalf> =
    LazyLock::new(|| ExpectedHalf::of(&IdentityKey([1; 32])).expect("words of a key"));

fuzz_target!(|text: &str| {
    assert!(typed_words(text).iter().map(|word| word.len()).sum::<usize>() <= WORDS_TEXT_BYTES_MAX);
    for word in typed_words(text) {
        assert!(Word::find(word).is_none_or(|found| Word::find(found.as_str()) == Some(found)));
    }
    if let Ok(code) = RecoveryCode::parse(text) {
        let again = RecoveryCode::parse(&code.words().join(" "));
        assert!(again.is_ok_and(|again| again.words() == code.words()));
    }
    if let Ok(code) = SpokenCode::parse(text) {
        assert!(SpokenCode::parse(&code.spoken()).is_ok_and(|again| again == code));
    }
    let _ = EXPECTED.heard(text);
    if let Some(prefix) = IdPrefix::parse(text) {
        assert_eq!(IdPrefix::parse(&prefix.to_string()).as_ref(), Some(&prefix));
    }
    from_base32(text);
    if let Some(time) = Timestamp::parse(text)
        && let Some(again) = Timestamp::parse(&time.to_string())
    {
        assert_eq!(again, time);
    }
    assert!(parse_duration_ms(text).is_none_or(|duration| duration >= 0));
    let _ = text.parse::<Window>();
    for days in [-3650, 3650] {
        for range in [shift_date(text, days), shift_datetime(text, days)].into_iter().flatten() {
            assert!(range.len() <= text.len(), "a moved date is written no longer than it was");
        }
        let is_single = !text.contains('-') && !text.trim_matches([' ', '\0']).is_empty();
        assert!(!is_single || shift_date(text, days).is_none_or(|date| read_date(&date).is_some()));
    }
    read_datetime_date(text);
    capped_age(text);
    if !asks_a_name_server(text) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        if let Ok(addresses) = runtime.block_on(resolve(text)) {
            assert!(!addresses.is_empty() && addresses.iter().all(is_dialable));
        }
    }
});

/// A host's name would be looked up: nothing here goes to the network.
fn asks_a_name_server(text: &str) -> bool {
    let text = text.trim();
    !text.starts_with('/') && text.parse::<std::net::SocketAddr>().is_err() && text.contains(':')
}
