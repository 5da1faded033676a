//! Cards: bytes and text, with every certificate in them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overread::identity::card::{CARD_BYTES_MAX, CARD_DEVICES_MAX, Card};

fuzz_target!(|data: &[u8]| {
    if let Ok(card) = Card::from_bytes(data) {
        assert!(data.len() <= CARD_BYTES_MAX && card.devices().len() <= CARD_DEVICES_MAX);
        assert_eq!(card.to_bytes(), data);
        assert_eq!(Card::from_text(&card.to_text()).as_ref(), Ok(&card));
    }
    if let Ok(text) = str::from_utf8(data)
        && let Ok(card) = Card::from_text(text)
    {
        assert_eq!(Card::from_bytes(&card.to_bytes()).as_ref(), Ok(&card));
    }
});
