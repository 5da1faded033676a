//! One small bundle of two cases; the same damaged, changed by who holds its key, or packed by a cheat; and what a
//! reader takes out of each.
//!
//! What is written down is what this program takes out. That this is right, `tests/reader` says by rules of its own,
//! and `courier` tests what must hold of any bundle.

mod altered;
mod variant;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::ops::ControlFlow;

use minicbor::bytes::ByteVec;
use overread::case::access::Role;
use overread::case::content::{Content, MembersNote, Message as Words};
use overread::case::entry::SignedEntry;
use overread::case::room::{Room, Written};
use overread::courier::{
    self, BundleError, CaseCount, CasePack, PackPlan, Problem, Recipient, RecordFault, SEGMENT_BYTES,
};
use overread::encoding::id::{CaseId, ChunkId};
use overread::encoding::labels::{DERIVE_BUNDLE_COMMITMENT, DERIVE_BUNDLE_KEY, SIGN_BUNDLE, SIGN_BUNDLE_CLOSING};
use overread::encoding::random::Seeded;
use overread::encoding::to_bytes;
use overread::identity::card::{CARD_VALID_MS, Card, CardDetails};
use overread::identity::keys::{DeviceKey, DeviceSecrets, Secret, SigningSecret};
use overread::seal::aead;
use overread::seal::bundle::{BUNDLE_SEAL_BYTES, BundleKey};
use overread::seal::chunk::StudyKey;
use overread::study::object::seal_object;
use overread::study::packing::Packed;
use overread::sync::frontier::{Frontier, Head};
use overread::sync::message::{CaseFrontier, Chunk, Entries, FRAME_BYTES_MAX, List, Message};
use serde_json::{Value as Json, json};

use altered::{changed, damaged, refused};
use variant::{Variant, outcome, refusal};

use super::case::{OWNER, READER, author, consult, member};
use super::cbor::Value;
use super::{NOW, Person, base64, blob, compare, device_json, hex, study};

const OPENING: u8 = 1;
const MESSAGE: u8 = 2;
const CLOSING: u8 = 3;

const RECORD_HEAD_BYTES: usize = 5;
const SEGMENT_HEAD_BYTES: usize = 3;
const PAYLOAD_BYTES: usize = SEGMENT_BYTES - aead::TAG_BYTES - SEGMENT_HEAD_BYTES;
const NO_RECORD: u16 = 0xffff;

/// So long that the head of a record lies across the border of the two segments.
const LONG_TEXT_BYTES: usize = 31_166;

/// The places of the bundle's records.
const CARDS: usize = 1;
const FRONTIER_A: usize = 2;
const LAST_OF_A: usize = 5;
const ENTRIES_B: usize = 7;
const CHUNK: usize = 8;
const CLOSING_PLACE: usize = 11;

/// Kind and frame.
type Record = (u8, Vec<u8>);

/// What the packer had of a case.
struct Case {
    id: CaseId,
    frontier: Frontier,
    entries: Vec<Vec<u8>>,
    chunks: Vec<(ChunkId, Vec<u8>)>,
}

impl Case {
    fn new(room: &Room, written: &[Written], chunks: Vec<(ChunkId, Vec<u8>)>) -> Self {
        let history = room.history();
        let entries: Vec<Vec<u8>> = written.iter().map(|written| written.bytes.clone()).collect();
        let device = |bytes: &Vec<u8>| SignedEntry::read(bytes).unwrap().entry().header.device;
        let mut frontier = Frontier::default();
        for device in entries.iter().map(device).collect::<BTreeSet<DeviceKey>>() {
            let last = history.last_of(device).map(|last| &history[last].entry);
            frontier.set(device, last.map(|entry| Head { sequence: entry.header.sequence, id: entry.id }).collect());
        }
        Self { id: room.case(), frontier, entries, chunks }
    }

    fn pack(&self) -> CasePack<'_> {
        CasePack {
            case: self.id,
            frontier: self.frontier.clone(),
            entries: Box::new(self.entries.iter().cloned().map(Ok)),
            chunks: Box::new(self.chunks.iter().cloned().map(Ok)),
        }
    }
}

/// A bundle with everything that made it.
struct Bundle {
    sender: Person,
    recipient: Person,
    cases: Vec<Case>,
    card: Vec<u8>,
    key: Secret,
    head: Vec<u8>,
    counts: Vec<CaseCount>,
    segments: Vec<Vec<u8>>,
    records: Vec<Record>,
}

impl Bundle {
    fn pack() -> Self {
        let mut world = consult();
        let text = |bytes: usize| "All work and no play. ".chars().cycle().take(bytes).collect::<String>();
        for bytes in [2_000, LONG_TEXT_BYTES, 2_000] {
            let words = Words { text: text(bytes), view: None, reply_to: None };
            world.say(OWNER, Content::Message(words), None);
        }
        let (_, instance) = study::instance();
        let mut chunks = instance.chunks;
        chunks.extend(noise_chunks());
        let chunk = chunks.pop().unwrap();
        let (room, written) = short_case(&world.people);
        let cases =
            vec![Case::new(&world.replay(OWNER), &world.written, chunks), Case::new(&room, &written, vec![chunk])];
        let mut people = world.people.into_iter();
        let (sender, recipient) = (people.next().unwrap(), people.next().unwrap());
        let card = card_of(&sender);

        let mut file = Vec::new();
        let (secrets, certificate) = &sender.devices[0];
        let plan = PackPlan {
            recipients: recipient
                .devices
                .iter()
                .map(|(secrets, _)| Recipient { device: secrets.device(), sealing: secrets.sealing.public() })
                .collect(),
            certificate,
            signing: &secrets.signing,
            now: NOW.plus_ms(7_200_000),
            cases: cases.iter().map(Case::pack).collect(),
            cards: vec![card.clone()],
        };
        let mut rng = Seeded::new(120);
        // The packer draws the bundle key first; that no segment opens under another one proves it.
        let key = Secret::random(&mut rng.clone());
        let counts = courier::pack(&mut file, plan, &mut rng, &mut |_| ControlFlow::Continue(())).unwrap().cases;
        let head_bytes = (file.len() - 2 * SEGMENT_BYTES) / 2;
        let head = file[..head_bytes].to_vec();
        assert_eq!(head, file[file.len() - head_bytes..]);
        let segments = file[head_bytes..file.len() - head_bytes].chunks(SEGMENT_BYTES).map(<[u8]>::to_vec).collect();
        let mut made = Self { sender, recipient, cases, card, key, head, counts, segments, records: vec![] };
        made.records = records(&made.opened());
        made
    }

    fn head_hash(&self) -> &[u8] {
        &self.head[self.head.len() - 32..]
    }

    fn segment_key(&self) -> Secret {
        aead::derive(&self.key, DERIVE_BUNDLE_KEY, &[self.head_hash()])
    }

    fn opened(&self) -> Vec<Vec<u8>> {
        let open = |(number, sealed): (usize, &Vec<u8>)| {
            let mut bytes = sealed.clone();
            aead::open(&self.segment_key(), aead::counter_nonce(number as u64), &[], &mut bytes).unwrap();
            bytes
        };
        self.segments.iter().enumerate().map(open).collect()
    }

    fn seal(&self, opened: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let seal = |(number, mut bytes): (usize, Vec<u8>)| {
            aead::seal(&self.segment_key(), aead::counter_nonce(number as u64), &[], &mut bytes).unwrap();
            bytes
        };
        opened.into_iter().enumerate().map(seal).collect()
    }

    fn signing(&self) -> &SigningSecret {
        &self.sender.devices[0].0.signing
    }

    /// An opening with another statement, rightly signed.
    fn opening(&self, change: impl FnOnce(Value) -> Value) -> Record {
        let opening = Value::read(&self.records[0].1);
        let statement = change(opening.clone().at(&[0]).clone());
        let signature = self.signing().sign(SIGN_BUNDLE, &statement.to_bytes()).0.to_vec();
        (OPENING, opening.set(&[0], statement).set(&[1], Value::Bytes(signature)).to_bytes())
    }

    /// The closing the sender would write after these records.
    fn closing(&self, records: &[Record]) -> Record {
        let stream: Vec<u8> = records.iter().flat_map(record_bytes).collect();
        self.changed_closing(|statement| {
            let content = Value::Bytes(blake3::hash(&stream).as_bytes().to_vec());
            statement.set(&[0], content).set(&[2], Value::Uint(records.len() as u64))
        })
    }

    /// A closing with another statement, rightly signed.
    fn changed_closing(&self, change: impl FnOnce(Value) -> Value) -> Record {
        let closing = Value::read(&self.records[CLOSING_PLACE].1);
        let statement = change(closing.clone().at(&[1]).clone());
        let signature = self.signing().sign(SIGN_BUNDLE_CLOSING, &statement.to_bytes()).0.to_vec();
        (CLOSING, closing.set(&[1], statement).set(&[2], Value::Bytes(signature)).to_bytes())
    }

    /// Byte of the stream of records at which the frame at `place` starts.
    fn frame_at(&self, place: usize) -> usize {
        self.records[..place].iter().map(|record| record_bytes(record).len()).sum::<usize>() + RECORD_HEAD_BYTES
    }
}

/// The owner asks the reader once more, in a case of its own.
fn short_case(people: &[Person]) -> (Room, Vec<Written>) {
    let mut rng = Seeded::new(121);
    let owner = author(people, OWNER);
    let note = MembersNote { people: vec![], reason: None };
    let invited = [member(&people[READER], Role::Reader)];
    let devices = people[OWNER].certificates();
    let (mut room, first) = Room::found(&owner, devices, &invited, note, NOW, &mut rng).unwrap();
    room.learn(&owner);
    let words = Content::Message(Words { text: "And this one?".into(), view: None, reply_to: None });
    let more = room.write(&owner, &words, None, NOW.plus_ms(60_000), &mut rng).unwrap();
    (room, [vec![first], more].concat())
}

/// Two objects that no packing makes smaller.
fn noise_chunks() -> Vec<(ChunkId, Vec<u8>)> {
    let seal = |length: usize| {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        let hash = *blake3::hash(&bytes).as_bytes();
        let packed = Packed { bytes, plain_hash: hash, packed_hash: hash, plain_bytes: length as u64 };
        seal_object(&StudyKey(Secret::new(study::STUDY_KEY)), &packed).unwrap().chunks
    };
    [4_000, 300].into_iter().flat_map(seal).collect()
}

fn card_of(person: &Person) -> Vec<u8> {
    let details = CardDetails {
        name: "Anna Weiß".into(),
        site: "Kantonsspital Süd".into(),
        specialties: vec![],
        phone: None,
        addresses: vec![],
        test: true,
    };
    let expires = NOW.plus_ms(CARD_VALID_MS);
    Card::issue(&person.identity, 1, details, person.certificates(), vec![], NOW, expires).unwrap().to_bytes()
}

fn record_bytes((kind, frame): &Record) -> Vec<u8> {
    let head = [&(frame.len() as u32).to_be_bytes()[..], &[*kind]].concat();
    [head, frame.clone()].concat()
}

/// Takes the records of an intact bundle apart.
fn records(opened: &[Vec<u8>]) -> Vec<Record> {
    let stream: Vec<u8> = opened.iter().flat_map(|segment| segment[SEGMENT_HEAD_BYTES..].to_vec()).collect();
    let (mut at, mut records) = (0, Vec::new());
    while records.last().is_none_or(|(kind, _)| *kind != CLOSING) {
        let length = u32::from_be_bytes(stream[at..at + 4].try_into().unwrap()) as usize;
        let frame = at + RECORD_HEAD_BYTES;
        records.push((stream[at + 4], stream[frame..frame + length].to_vec()));
        at = frame + length;
    }
    assert!(stream[at..].iter().all(|byte| *byte == 0));
    records
}

/// Opened segments with these records.
fn segments_of(records: &[Record]) -> Vec<Vec<u8>> {
    let (mut stream, mut starts) = (Vec::new(), Vec::new());
    for record in records {
        starts.push(stream.len());
        stream.extend(record_bytes(record));
    }
    let count = stream.len().div_ceil(PAYLOAD_BYTES).max(1);
    let segment = |number: usize| {
        let (from, to) = (number * PAYLOAD_BYTES, stream.len().min((number + 1) * PAYLOAD_BYTES));
        let first = starts.iter().find(|start| (from..to).contains(start)).map_or(NO_RECORD, |at| (at - from) as u16);
        let mut bytes = [&[u8::from(number + 1 == count)], &first.to_be_bytes()[..], &stream[from..to]].concat();
        bytes.resize(SEGMENT_HEAD_BYTES + PAYLOAD_BYTES, 0);
        bytes
    };
    (0..count).map(segment).collect()
}

#[test]
fn bundles_are_as_committed() {
    let good = Bundle::pack();
    let [first, second] = &good.segments[..] else { panic!("two segments, not {}", good.segments.len()) };
    let last_of_a = good.frame_at(LAST_OF_A) - RECORD_HEAD_BYTES;
    assert!(
        (1..RECORD_HEAD_BYTES).contains(&PAYLOAD_BYTES.saturating_sub(last_of_a)),
        "the head of a record lies across the border at {PAYLOAD_BYTES}, not at {last_of_a}"
    );
    assert_eq!(good.records.len(), CLOSING_PLACE + 1);
    assert!(segments_of(&good.records) == good.opened());
    let (serial, head_hash) = (&good.head[20..36], good.head_hash());
    let device = &good.recipient.devices[0].0;

    let seals = good.head[38..].as_chunks::<BUNDLE_SEAL_BYTES>().0;
    let recipients = good.recipient.devices.iter().map(|(secrets, _)| {
        let opens = |seal: &[u8; BUNDLE_SEAL_BYTES]| {
            let seal = overread::encoding::id::Bytes(*seal);
            BundleKey::open_any(&[seal], serial.try_into().unwrap(), secrets.device(), &secrets.sealing).is_ok()
        };
        let mine: Vec<usize> = (0..seals.len()).filter(|place| opens(&seals[*place])).collect();
        json!({"recipient": device_json(secrets), "seals": mine})
    });
    let stranger = &good.sender.devices[0].0;
    let file = Variant::default().make(&good);
    let not_for_her = courier::open(Cursor::new(&file), stranger.device(), &stranger.sealing).err().unwrap();

    let cases: Vec<Json> = good.cases.iter().zip(&good.counts).map(|(case, count)| case_json(case, count)).collect();
    let records: Vec<Json> = good
        .records
        .iter()
        .map(|(kind, frame)| json!({"kind": kind, "bytes": frame.len(), "hash": hex(blake3::hash(frame).as_bytes())}))
        .collect();
    let variants: Vec<Json> = damaged(&good)
        .into_iter()
        .chain(changed(&good))
        .map(|variant| {
            let name = variant.name;
            let outcome =
                outcome(&good, &variant.make(&good), device).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut made = variant.json(&good);
            made.as_object_mut().unwrap().extend(outcome.as_object().unwrap().clone());
            made
        })
        .collect();
    let bad: Vec<Json> = refused(&good)
        .into_iter()
        .map(|variant| {
            let error = outcome(&good, &variant.make(&good), device).expect_err(variant.name);
            let mut made = variant.json(&good);
            made["refusal"] = json!(refusal(&error));
            made
        })
        .collect();
    let made = json!({
        "head": base64(&good.head), "segments": [base64(first), base64(second)],
        "file_hash": hex(blake3::hash(&file).as_bytes()),
        "serial": hex(serial), "head_hash": hex(head_hash),
        "recipients": recipients.collect::<Vec<_>>(),
        "stranger": {"recipient": device_json(stranger), "refusal": refusal(&not_for_her)},
        "bundle_key": hex(good.key.reveal()), "segment_key": hex(good.segment_key().reveal()),
        "commitment": hex(&aead::derive_bytes(&good.key, DERIVE_BUNDLE_COMMITMENT, &[])),
        "sender": {"identity": hex(&good.sender.key().0), "device": hex(&good.sender.devices[0].0.device().0)},
        "packed": NOW.plus_ms(7_200_000).0,
        "cases": cases, "cards": [hex(blake3::hash(&good.card).as_bytes())], "records": records,
        "read": variants, "bad": bad,
    });
    compare("bundle.json", &made);
}

fn case_json(case: &Case, count: &CaseCount) -> Json {
    let devices: Vec<Json> = case
        .frontier
        .devices()
        .map(|(device, heads)| {
            let heads: Vec<Json> = heads.iter().map(|head| json!([head.sequence, hex(&head.id.0)])).collect();
            json!([hex(&device.0), heads])
        })
        .collect();
    let ids = case.entries.iter().map(|bytes| hex(&SignedEntry::read(bytes).unwrap().entry().id.0));
    json!({
        "case": hex(&case.id.0), "frontier": devices, "frontier_hash": hex(&case.frontier.digest().0),
        "entries": ids.collect::<Vec<_>>(),
        "chunks": case.chunks.iter().map(|(id, bytes)| json!([hex(&id.0), bytes.len()])).collect::<Vec<_>>(),
        "counts": [count.entries, count.chunks, count.chunk_bytes],
    })
}
