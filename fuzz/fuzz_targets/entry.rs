//! One entry: as bytes, and with the body's hash and the signature made right, so that the rest is looked at.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use minicbor::Decoder;
use overread::case::access::AccessChange;
use overread::case::entry::{Body, Header, PARENTS_MAX, ParsedEntry, SignedEntry, sign};
use overread::case::history::History;
use overread::encoding::id::Bytes;
use overread::encoding::to_bytes;
use overread_fuzz::Somebody;

static AUTHOR: LazyLock<Somebody> = LazyLock::new(|| Somebody::new(1));

fuzz_target!(|data: &[u8]| {
    if let Ok(parsed) = ParsedEntry::parse(data) {
        check(&parsed);
        let _ = parsed.verify();
    }
    let mut decoder = Decoder::new(data);
    let Ok(mut header) = decoder.decode::<Header>() else { return };
    let Ok(body) = decoder.decode::<Body>() else { return };
    header.device = AUTHOR.certificate.device();
    header.body_hash = Bytes(*blake3::hash(&to_bytes(&body)).as_bytes());
    let bytes = sign(&header, &body, &AUTHOR.device.signing);
    if let Ok(parsed) = ParsedEntry::parse(&bytes) {
        check(&parsed);
        assert_eq!((&parsed.entry().header, &parsed.entry().body), (&header, &body));
    }
    if let Ok(signed) = SignedEntry::read(&bytes) {
        let _ = History::found(signed);
    }
});

fn check(parsed: &ParsedEntry) {
    let entry = parsed.entry();
    assert_eq!(entry.id, entry.header.id());
    assert!(entry.header.parents.len() <= PARENTS_MAX);
    if let Some(AccessChange::Members(members)) = entry.body.access() {
        assert!(members.seals.len() <= overread::case::access::DEVICES_MAX);
    }
}
