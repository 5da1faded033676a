//! Entries made to break a rule, each with the refusal it meets.

use minicbor::bytes::ByteVec;

use super::super::access::{AccessChange, Change, HandedKey, Role};
use super::super::entry::{Body, Clear, Entry, EntryError, Header, ParsedEntry, VerifiedCertificates, sign};
use super::*;
use crate::encoding::id::{Bytes, CaseId};
use crate::encoding::{DecodeError, to_bytes};
use crate::identity::certificate::CertificateError;
use crate::identity::keys::{BadSignature, DeviceKey};
use crate::seal::epoch::{DeviceSeal, EPOCH_SEAL_BYTES};

struct World {
    rng: Seeded,
    owner: Person,
    copy: Copy,
}

fn world(seed: u64) -> World {
    let mut rng = Seeded::new(seed);
    let owner = Person::new(&mut rng, 1);
    let guest = Person::new(&mut rng, 1);
    let mut copy = Copy::found(&owner, &[guest.as_new(Role::Reader)], &mut rng);
    copy.say(&owner.author(0), "one", &mut rng).unwrap();
    copy.say(&owner.author(0), "two", &mut rng).unwrap();
    World { rng, owner, copy }
}

impl World {
    fn last(&self) -> Entry {
        let id = self.copy.order[self.copy.order.len() - 1];
        SignedEntry::read(&self.copy.bytes[&id]).unwrap().into_entry()
    }

    fn signed(&self, header: &Header, body: &Body) -> Vec<u8> {
        let mut header = header.clone();
        header.body_hash = Bytes(*blake3::hash(&to_bytes(body)).as_bytes());
        sign(&header, body, &self.owner.devices[0].0.signing)
    }
}

#[test]
fn one_flipped_bit_anywhere_in_an_entry_is_refused() {
    let world = world(1);
    let bytes = world.copy.bytes[&world.copy.order[1]].clone();
    for position in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[position] ^= 1 << (position % 8);
        assert!(SignedEntry::read(&altered).is_err(), "byte {position} of {}", bytes.len());
    }
}

#[test]
fn a_certificate_that_holds_lends_nothing_to_an_altered_one() {
    let world = world(3);
    let bytes = &world.copy.bytes[&world.copy.order[0]];
    let verified = VerifiedCertificates::default();
    let founding = SignedEntry::read_with(bytes, &verified).unwrap().into_entry();
    let mut body = founding.body.clone();
    let Some(Clear { access: Some(AccessChange::Members(members)), .. }) = &mut body.clear else {
        panic!("the first entry names members")
    };
    let certificates = members.changes.iter_mut().filter_map(|change| match change {
        Change::Add { devices, .. } => devices.first_mut(),
        _ => None,
    });
    let [owner, guest] = certificates.collect::<Vec<_>>().try_into().unwrap();
    guest.statement.transport = owner.statement.transport;
    let altered = world.signed(&founding.header, &body);
    let refused = EntryError::Certificate(CertificateError::Signature(BadSignature));
    for _ in 0..2 {
        assert_eq!(SignedEntry::read_with(&altered, &verified).unwrap_err(), refused);
        assert!(SignedEntry::read_with(bytes, &verified).is_ok());
    }
}

#[test]
fn every_cut_of_an_entry_is_refused() {
    let world = world(2);
    let bytes = &world.copy.bytes[&world.copy.order[1]];
    for length in 0..bytes.len() {
        assert!(ParsedEntry::parse(&bytes[..length]).is_err(), "{length}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(ParsedEntry::parse(&longer), Err(EntryError::Encoding(DecodeError::TrailingBytes(1)))));
}

#[test]
fn a_header_that_breaks_a_rule_is_refused_by_the_rule() {
    let world = world(3);
    let Entry { header, body, .. } = world.last();
    let parent = EntryId([9; 32]);
    let cases: Vec<(&str, Header, Body, EntryError)> = vec![
        ("another format", Header { format: 2, ..header.clone() }, body.clone(), EntryError::OtherFormat(2)),
        (
            "parents out of order",
            Header { parents: vec![parent, EntryId([8; 32])], ..header.clone() },
            body.clone(),
            EntryError::Shape("parents ascend and differ"),
        ),
        (
            "the same parent twice",
            Header { parents: vec![parent, parent], ..header.clone() },
            body.clone(),
            EntryError::Shape("parents ascend and differ"),
        ),
        (
            "a sequence without the entry before",
            Header { previous: None, ..header.clone() },
            body.clone(),
            EntryError::Shape("only sequence 0 has no previous entry"),
        ),
        (
            "sealed content without an epoch",
            Header { epoch: None, ..header.clone() },
            body.clone(),
            EntryError::Shape("an epoch stands for a sealed part"),
        ),
        (
            "sealed content without a commitment",
            Header { commitment: Bytes([0; 32]), ..header.clone() },
            body.clone(),
            EntryError::Shape("a key commitment stands for a sealed part"),
        ),
        (
            "a message that founds a case",
            Header { case: None, sequence: 0, previous: None, epoch: None, ..header.clone() },
            body.clone(),
            EntryError::Shape("an epoch stands for a sealed part"),
        ),
        (
            "nothing at all",
            Header { epoch: None, commitment: Bytes([0; 32]), ..header.clone() },
            Body { clear: None, sealed: None },
            EntryError::Shape("an entry says something"),
        ),
    ];
    for (attack, header, body, expected) in cases {
        assert_eq!(SignedEntry::read(&world.signed(&header, &body)).err(), Some(expected), "{attack}");
    }
}

#[test]
fn oversize_entries_and_lists_are_refused() {
    let world = world(4);
    let Entry { header, .. } = world.last();
    let large = Body { clear: None, sealed: Some(ByteVec::from(vec![0; 65 * 1024])) };
    let error = SignedEntry::read(&world.signed(&header, &large)).err();
    assert!(matches!(error, Some(EntryError::Encoding(DecodeError::TooLong { max_bytes: 65536, .. }))), "{error:?}");
    let seal = DeviceSeal { device: DeviceKey([1; 32]), seal: Bytes([0; EPOCH_SEAL_BYTES]) };
    let keys = vec![HandedKey { epoch: EntryId([1; 32]), seal }; 129];
    let clear = Some(Clear { access: Some(AccessChange::Keys(keys)), notices: Vec::new() });
    let header = Header { epoch: None, commitment: Bytes([0; 32]), ..header };
    let error = SignedEntry::read(&world.signed(&header, &Body { clear, sealed: None })).err();
    assert_eq!(error, Some(EntryError::Shape("between 1 and 128 handed keys")));
}

#[test]
fn a_signature_of_another_device_is_refused() {
    let mut world = world(5);
    let Entry { header, body, .. } = world.last();
    let thief = DeviceSecrets::random(&mut world.rng);
    assert_eq!(
        SignedEntry::read(&sign(&header, &body, &thief.signing)).err(),
        Some(EntryError::Signature(BadSignature))
    );
}

#[test]
fn entries_of_another_case_and_replays_into_it_are_refused() {
    let mut one = world(6);
    let two = world(7);
    let foreign = two.copy.bytes[&two.copy.order[1]].clone();
    assert_eq!(one.copy.take(&foreign), Err(Refusal::OtherCase));
    // The same author moves an entry's header to another case: the sealed part no longer opens there.
    let Entry { header, body, .. } = one.last();
    let moved = Header { case: Some(CaseId([5; 32])), ..header };
    let bytes = one.signed(&moved, &body);
    assert_eq!(one.copy.take(&bytes), Err(Refusal::OtherCase));
}

#[test]
fn a_past_that_does_not_hold_together_is_refused() {
    let mut world = world(8);
    let Entry { header, body, .. } = world.last();
    let (first, before) = (world.copy.order[0], world.copy.order[1]);
    let unknown = EntryId([3; 32]);
    let cases = [
        ("an unknown parent", Header { parents: vec![unknown], ..header.clone() }, Refusal::UnknownCause(unknown)),
        ("a parent already reached", Header { parents: vec![first], ..header.clone() }, Refusal::RedundantParent),
        ("a gap in the log", Header { previous: Some(before), sequence: 9, ..header.clone() }, Refusal::WrongPrevious),
        ("an epoch that is none", Header { epoch: Some(before), ..header.clone() }, Refusal::UnknownEpoch),
        ("an unknown epoch", Header { epoch: Some(unknown), ..header.clone() }, Refusal::UnknownEpoch),
    ];
    for (attack, header, expected) in cases {
        let bytes = world.signed(&Header { salt: Bytes([4; 32]), ..header }, &body);
        assert_eq!(world.copy.take(&bytes), Err(expected), "{attack}");
    }
}

#[test]
fn a_stranger_who_learned_the_case_id_is_refused() {
    let mut world = world(9);
    let stranger = Person::new(&mut world.rng, 1);
    let Entry { header, body, .. } = world.last();
    let header = Header {
        device: stranger.devices[0].0.device(),
        sequence: 0,
        previous: None,
        parents: vec![header.id()],
        ..header
    };
    let bytes = sign(&header, &body, &stranger.devices[0].0.signing);
    assert_eq!(world.copy.take(&bytes), Err(Refusal::UnknownDevice));
}

#[test]
fn random_bytes_never_panic() {
    use rand_core::Rng;
    let mut rng = Seeded::new(10);
    let world = world(11);
    let good = world.copy.bytes[&world.copy.order[0]].clone();
    for _ in 0..2_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.below(8) {
            let at = rng.below(bytes.len());
            bytes[at] = rng.next_u32() as u8;
        }
        bytes.truncate(rng.below(bytes.len() + 1));
        let _ = SignedEntry::read(&bytes);
        let _ = super::super::content::Content::from_bytes(&bytes);
    }
}
