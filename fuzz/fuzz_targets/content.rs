//! The sealed part of an entry: what a member wrote.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overread::case::content::Content;
use overread::case::entry::ENTRY_BYTES_MAX;

fuzz_target!(|data: &[u8]| {
    if let Ok(content) = Content::from_bytes(data) {
        assert!(data.len() <= ENTRY_BYTES_MAX);
        content.needed_role();
        match content {
            Content::Unknown(number) => assert!(number > 10),
            content => {
                assert!(content.check().is_ok());
                assert_eq!(content.to_bytes(), data);
            }
        }
    }
});
