//! One small bundle of two cases; the same damaged, changed by who holds its key, or packed by a cheat; and what a
//! reader takes out of each.
//!
//! What is written down is what this program takes out. That this is right, `tests/reader` says by rules of its own,
//! and `courier` tests what must hold of any bundle.

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

/// A bundle made of the good one; what is done to it is done in the order of the fields.
#[derive(Clone, Default)]
struct Variant {
    name: &'static str,
    /// Other records, in segments of their own.
    records: Option<Vec<Item>>,
    /// Bytes put into an opened segment, before it is sealed again: segment, offset, bytes.
    put: Vec<(usize, usize, Vec<u8>)>,
    /// The first two segments change places.
    swap: bool,
    /// Bytes put into the file: offset, bytes.
    set: Vec<(usize, Vec<u8>)>,
    /// Offsets in the file of bytes whose lowest bit is flipped.
    flip: Vec<usize>,
    /// Zeros put between the bytes of the file: offset, number.
    insert: Option<(usize, usize)>,
    /// Length to which the file is cut.
    cut: Option<usize>,
}

#[derive(Clone)]
enum Item {
    /// A record of the good bundle.
    Place(usize),
    Other(Record),
}

impl Item {
    fn record(&self, good: &Bundle) -> Record {
        match self {
            Self::Place(place) => good.records[*place].clone(),
            Self::Other(record) => record.clone(),
        }
    }

    /// A frame as long as one of the good ones is written as what differs from that.
    fn json(&self, good: &Bundle) -> Json {
        let (kind, frame) = match self {
            Self::Place(place) => return json!(place),
            Self::Other(record) => record,
        };
        match good.records.iter().position(|(_, other)| other.len() == frame.len()) {
            Some(place) => json!({"kind": kind, "like": place, "put": differences(&good.records[place].1, frame)}),
            None => json!({"kind": kind, "frame": blob(frame)}),
        }
    }
}

/// Where two frames of one length differ, and what stands there in the second.
fn differences(from: &[u8], to: &[u8]) -> Vec<Json> {
    const SAME_BYTES_MIN: usize = 16;
    let (mut runs, mut at) = (Vec::new(), 0);
    while let Some(start) = (at..to.len()).find(|at| from[*at] != to[*at]) {
        let same = |at: usize| (at..to.len().min(at + SAME_BYTES_MIN)).all(|at| from[at] == to[at]);
        at = (start..to.len()).find(|at| same(*at)).unwrap_or(to.len());
        runs.push(json!({"at": start, "bytes": hex(&to[start..at])}));
    }
    runs
}

fn places(places: impl IntoIterator<Item = usize>) -> Vec<Item> {
    places.into_iter().map(Item::Place).collect()
}

impl Variant {
    fn named(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    fn records(name: &'static str, records: Vec<Item>) -> Self {
        Self { records: Some(records), ..Self::named(name) }
    }

    fn flip(name: &'static str, flip: &[usize]) -> Self {
        Self { flip: flip.to_vec(), ..Self::named(name) }
    }

    fn put(name: &'static str, segment: usize, at: usize, bytes: &[u8]) -> Self {
        Self { put: vec![(segment, at, bytes.to_vec())], ..Self::named(name) }
    }

    fn set(name: &'static str, set: &[(usize, &[u8])]) -> Self {
        Self { set: set.iter().map(|(at, bytes)| (*at, bytes.to_vec())).collect(), ..Self::named(name) }
    }

    fn make(&self, good: &Bundle) -> Vec<u8> {
        let mut segments = good.segments.clone();
        if let Some(items) = &self.records {
            let records: Vec<Record> = items.iter().map(|item| item.record(good)).collect();
            segments = good.seal(segments_of(&records));
        }
        for (number, at, bytes) in &self.put {
            let nonce = aead::counter_nonce(*number as u64);
            let segment = &mut segments[*number];
            aead::open(&good.segment_key(), nonce, &[], segment).unwrap();
            segment[*at..at + bytes.len()].copy_from_slice(bytes);
            aead::seal(&good.segment_key(), nonce, &[], segment).unwrap();
        }
        if self.swap {
            segments.swap(0, 1);
        }
        let mut file = [good.head.clone(), segments.concat(), good.head.clone()].concat();
        for (at, bytes) in &self.set {
            file[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        for at in &self.flip {
            file[*at] ^= 1;
        }
        if let Some((at, zeros)) = self.insert {
            file.splice(at..at, vec![0; zeros]);
        }
        if let Some(length) = self.cut {
            file.truncate(length);
        }
        file
    }

    fn json(&self, good: &Bundle) -> Json {
        let mut made = json!({"name": self.name});
        if let Some(items) = &self.records {
            made["records"] = items.iter().map(|item| item.json(good)).collect();
        }
        if !self.put.is_empty() {
            let puts = self.put.iter();
            made["put"] =
                puts.map(|(segment, at, put)| json!({"segment": segment, "at": at, "bytes": hex(put)})).collect();
        }
        if self.swap {
            made["swap"] = json!(true);
        }
        if !self.set.is_empty() {
            made["set"] = self.set.iter().map(|(at, bytes)| json!({"at": at, "bytes": hex(bytes)})).collect();
        }
        if !self.flip.is_empty() {
            made["flip"] = json!(self.flip);
        }
        if let Some((at, zeros)) = self.insert {
            made["insert"] = json!({"at": at, "zeros": zeros});
        }
        if let Some(length) = self.cut {
            made["cut"] = json!(length);
        }
        made
    }
}

fn refusal(error: &BundleError) -> &'static str {
    match error {
        BundleError::NotABundle => "no-bundle",
        BundleError::OtherVersion(_) => "version",
        BundleError::HeadDamaged => "damaged",
        BundleError::NotForMe => "not-for-this-device",
        BundleError::BadOpening(_) | BundleError::Forged => "opening",
        BundleError::Read(error) => panic!("{error}"),
    }
}

fn word(problem: &Problem) -> &'static str {
    match problem {
        Problem::FirstHead => "first-head",
        Problem::SecondHead => "second-head",
        Problem::SenderUnknown => "sender-unknown",
        Problem::Damaged { .. } => "lost",
        Problem::Unreadable { .. } => panic!("memory can be read"),
        Problem::Truncated { .. } => "truncated",
        Problem::TrailingBytes { .. } => "trailing",
        Problem::NotAsPacked => "changed",
        Problem::Record { fault, .. } => match fault {
            RecordFault::TooLong { .. } => "too-long",
            RecordFault::UnknownKind(_) => "kind",
            RecordFault::Misplaced => "misplaced",
            RecordFault::BadBoundary => "boundary",
            RecordFault::Malformed(_) | RecordFault::EntryTooLong => "malformed",
            RecordFault::NotForBundles => "message",
            RecordFault::OtherCase(_) => "case",
            RecordFault::WrongChunk(_) => "chunk",
            RecordFault::WrongFrontier(_) => "frontier",
        },
    }
}

/// What this program takes out of a file, in the words of the vectors.
fn outcome(good: &Bundle, file: &[u8], device: &DeviceSecrets) -> Result<Json, BundleError> {
    let mut bundle = courier::open(Cursor::new(file), device.device(), &device.sealing)?;
    let sender = bundle.sender().map(|sender| hex(&sender.device().0));
    let (mut out, mut said, mut lost, mut trailing) = (vec![], vec![], vec![], 0);
    let mut records = bundle.records();
    for record in &mut records {
        let problem = match record {
            Ok(message) => {
                let frame = message.into_frame().into_vec();
                let place = good.records.iter().position(|(_, known)| *known == frame);
                out.push(place.map_or_else(|| json!(hex(blake3::hash(&frame).as_bytes())), |place| json!(place)));
                continue;
            }
            Err(problem) => problem,
        };
        match problem {
            Problem::Damaged { offset, bytes } => {
                let first = (offset as usize - good.head.len()) / SEGMENT_BYTES;
                lost.extend(first..first + bytes as usize / SEGMENT_BYTES);
            }
            Problem::TrailingBytes { bytes } => trailing = bytes,
            problem => said.push(word(&problem)),
        }
    }
    said.sort_unstable();
    Ok(json!({
        "sender": sender, "out": out, "said": said, "lost": lost, "trailing": trailing, "whole": records.is_whole(),
    }))
}

/// What bad media and careless copies do.
fn damaged(good: &Bundle) -> Vec<Variant> {
    let (head, second) = (good.head.len(), good.head.len() + SEGMENT_BYTES);
    let copy = second + SEGMENT_BYTES;
    let end = copy + head;
    let in_closing = SEGMENT_HEAD_BYTES + good.frame_at(CLOSING_PLACE) - PAYLOAD_BYTES;
    vec![
        Variant::named("nothing is wrong"),
        Variant::flip("a bit of the first head", &[25]),
        Variant::flip("a bit of the first head's magic", &[3]),
        Variant::set("another version in the first head alone", &[(16, &[0, 0, 0, 2])]),
        Variant::set("nine seals in the first head", &[(36, &[0, 9])]),
        Variant::flip("a bit of the copy of the head", &[copy + 4000]),
        Variant::flip("a bit of the first segment", &[head + 700]),
        Variant::flip("a bit of the first segment's tag", &[second - 1]),
        Variant::flip("a bit of the last segment", &[second]),
        Variant::flip("a bit of both segments", &[head, copy - 1]),
        Variant::flip("a bit of the first head and of the first segment", &[9000, head]),
        Variant { swap: true, ..Variant::named("segments in each other's place") },
        Variant { cut: Some(end - 1), ..Variant::named("a byte cut off") },
        Variant { cut: Some(copy), ..Variant::named("cut behind the segments") },
        Variant { cut: Some(copy - 1), ..Variant::named("cut in the last segment") },
        Variant { cut: Some(second), ..Variant::named("cut between the segments") },
        Variant { cut: Some(head), ..Variant::named("cut behind the first head") },
        Variant { insert: Some((end, 1000)), ..Variant::named("bytes behind the end") },
        Variant {
            insert: Some((copy, 70_000)),
            ..Variant::named("bytes between the segments and the copy of the head")
        },
        Variant { insert: Some((second + 5, 1)), ..Variant::named("a byte too many in the last segment") },
        Variant {
            insert: Some((end, 300_000)),
            ..Variant::flip("a bit of the first segment, and many bytes behind the end", &[head])
        },
        Variant {
            insert: Some((copy, 60_000)),
            ..Variant::flip("a bit of the last segment, and bytes before the copy of the head", &[second])
        },
        Variant { flip: vec![head], ..Variant::put("no opening, and a closing that is none", 1, in_closing, &[0xff]) },
        Variant {
            flip: vec![head],
            ..Variant::put("no opening, and a closing of another kind", 1, in_closing - 1, &[4])
        },
    ]
}

/// Messages that the sender packed and signed for, good ones and others.
fn messages(good: &Bundle) -> Vec<(&'static str, Vec<u8>)> {
    let frame = |message: Message| message.into_frame().into_vec();
    let case = good.cases[0].id;
    let entries = |case, bytes: usize, number: usize| {
        frame(Message::Entries(Entries { case, entries: List(vec![ByteVec::from(vec![8; bytes]); number]) }))
    };
    let chunk = |bytes: &[u8], name: &[u8]| {
        frame(Message::Chunk(Chunk { case, id: ChunkId::of(name), bytes: bytes.to_vec().into() }))
    };
    let cards = |bytes: usize, number: usize| frame(Message::Cards(List(vec![ByteVec::from(vec![8; bytes]); number])));
    let mut ahead = Frontier::default();
    let device = good.sender.devices[0].0.device();
    ahead.set(device, vec![Head { sequence: 1000, id: good.cases[0].frontier.heads(&device)[0].id }]);
    let frontier = Value::read(&good.records[FRONTIER_A].1);
    let at = |path: &[u64]| frontier.clone().at(path).clone();
    let with = |path: &[u64], list: Vec<Value>| frontier.clone().set(path, Value::Array(list)).to_bytes();
    let (first_device, first_head) = (at(&[1, 0, 1, 0]), at(&[1, 0, 1, 0, 1, 0]));
    let head = |sequence| first_head.clone().set(&[0], Value::Uint(sequence));
    vec![
        ("an empty message", vec![]),
        ("a message with a byte too many", [&good.records[CHUNK].1[..], &[0]].concat()),
        ("a message in a longer form", [&[0x82, 0x18, 16], &good.records[FRONTIER_A].1[2..]].concat()),
        ("a message for connections", frame(Message::Unshare(case))),
        ("entries of another case", entries(CaseId([9; 32]), 9, 1)),
        ("an entry that is none", entries(case, 9, 1)),
        ("no entries", entries(case, 0, 0)),
        ("512 entries", entries(case, 0, 512)),
        ("513 entries", entries(case, 0, 513)),
        ("an entry of 256 KiB", entries(case, 262_144, 1)),
        ("an entry of 256 KiB and a byte", entries(case, 262_145, 1)),
        ("a chunk under another's name", chunk(b"one", b"other")),
        ("a chunk under its name", chunk(b"one", b"one")),
        ("a chunk of 256 KiB", chunk(&[8; 262_144], &[8; 262_144])),
        ("a chunk of 256 KiB and a byte", chunk(&[8; 262_145], &[8; 262_145])),
        ("64 cards", cards(0, 64)),
        ("65 cards", cards(0, 65)),
        ("a card of 16 KiB", cards(16_384, 1)),
        ("a card of 16 KiB and a byte", cards(16_385, 1)),
        ("a frontier that was not signed", frame(Message::Frontier(CaseFrontier { case, frontier: ahead }))),
        ("a frontier whose devices do not ascend", with(&[1, 0, 1], vec![first_device; 2])),
        ("a frontier whose heads do not ascend", with(&[1, 0, 1, 0, 1], vec![first_head.clone(); 2])),
        ("a frontier with a device without heads", with(&[1, 0, 1, 0, 1], vec![])),
        ("a frontier with 33 heads of a device", with(&[1, 0, 1, 0, 1], (0..33).map(head).collect())),
    ]
}

/// What a recipient can do, who holds the key but cannot sign as the sender; and what a sender can, who cheats.
fn changed(good: &Bundle) -> Vec<Variant> {
    let closing = good.records[CLOSING_PLACE].1.clone();
    let with = |more: Item| [places(0..CHUNK), vec![more], places(CHUNK..=CLOSING_PLACE)].concat();
    // Closed as an honest packer would.
    let closed = |mut items: Vec<Item>| {
        items.pop();
        let records: Vec<Record> = items.iter().map(|item| item.record(good)).collect();
        [items, vec![Item::Other(good.closing(&records))]].concat()
    };
    let with_closing = |closing: Record| [places(0..CLOSING_PLACE), vec![Item::Other(closing)]].concat();
    let other_opening = good.opening(|statement| statement.set(&[5], Value::Uint(1))).1;
    let hash_of_other = Value::Bytes(blake3::hash(&other_opening).as_bytes().to_vec());
    let carrying = |closing: &[u8]| Value::read(closing).set(&[0], Value::Bytes(other_opening.clone())).to_bytes();
    let for_other = carrying(&good.changed_closing(|statement| statement.set(&[1], hash_of_other)).1);
    let in_second = |place: usize| SEGMENT_HEAD_BYTES + good.frame_at(place) - PAYLOAD_BYTES;
    let too_long = (FRAME_BYTES_MAX as u32 + 1).to_be_bytes();
    let endless = [places([0]), vec![Item::Other((9, vec![0; 140_000]))], places(1..=CLOSING_PLACE)].concat();
    let messages = messages(good);
    let of_messages =
        messages.into_iter().map(|(name, frame)| Variant::records(name, closed(with(Item::Other((MESSAGE, frame))))));
    let others = vec![
        Variant::put("bytes of an entry", 1, in_second(ENTRIES_B) + 3000, &[0, 1, 2, 3]),
        Variant::records("a record left out", places((0..=CLOSING_PLACE).filter(|place| *place != CHUNK))),
        Variant::records("two records in each other's place", places([0, 1, 2, 3, 4, 5, 6, 7, 9, 8, 10, 11])),
        Variant::records("a record twice", places([0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])),
        Variant::records("no closing", places(0..CLOSING_PLACE)),
        Variant::records("no closing, and no record starts in the last segment", places(0..=LAST_OF_A)),
        Variant::put("a closing under another signature", 1, in_second(CLOSING_PLACE) + closing.len() - 1, &[0x55]),
        Variant::records("a closing for another opening", with_closing((CLOSING, for_other))),
        Variant::records("a closing that carries another opening", with_closing((CLOSING, carrying(&closing)))),
        Variant::records(
            "a closing that names another opening",
            with_closing(good.changed_closing(|statement| statement.set(&[1], Value::Bytes(vec![7; 32])))),
        ),
        Variant::records(
            "a closing that says one record more",
            with_closing(good.changed_closing(|statement| statement.set(&[2], Value::Uint(12)))),
        ),
        Variant::records("a closing with bytes behind it", with_closing((CLOSING, [&closing[..], &[0]].concat()))),
        Variant::records("records behind the closing", places((0..=CLOSING_PLACE).chain([CARDS, CLOSING_PLACE]))),
        Variant::records("a second opening", with(Item::Place(0))),
        Variant::records("a second opening, packed by the sender", closed(with(Item::Place(0)))),
        Variant::records("a kind of later, packed by the sender", closed(with(Item::Other((9, vec![1, 2, 3]))))),
        Variant::records("a record of no kind and no length", closed(with(Item::Other((0, vec![]))))),
        Variant::put("a flag of a segment that is none", 1, 0, &[2]),
        Variant::put("a first segment that calls itself the last", 0, 0, &[1]),
        Variant::put("a last segment that does not call itself so", 1, 0, &[0]),
        Variant::put("a start that is none", 1, 1, &[0, 0]),
        Variant::put("a start that is kept quiet", 1, 1, &[0xff, 0xff]),
        Variant::records("a record that runs through a segment", endless.clone()),
        Variant {
            put: vec![(1, 1, vec![0, 5])],
            ..Variant::records("a start in a record that runs through its segment", endless)
        },
        Variant::put("a start behind the end", 1, 1, &65_517_u16.to_be_bytes()),
        Variant::put("a record over the limit", 1, in_second(ENTRIES_B) - RECORD_HEAD_BYTES, &too_long),
        Variant::put("a record over the limit in the first segment", 0, good.frame_at(CARDS) - 2, &too_long),
        Variant::put("bytes in the filling", 1, SEGMENT_HEAD_BYTES + PAYLOAD_BYTES - 1, &[1]),
    ];
    others.into_iter().chain(of_messages).collect()
}

/// What is refused whole.
fn refused(good: &Bundle) -> Vec<Variant> {
    let (head, copy) = (good.head.len(), good.head.len() + 2 * SEGMENT_BYTES);
    let with = |opening: Record| [vec![Item::Other(opening)], places(1..=CLOSING_PLACE)].concat();
    let opening = |name, path: &[u64], value: Value| {
        Variant::records(name, with(good.opening(|statement| statement.set(path, value))))
    };
    let certificate = Value::read(&to_bytes(&good.recipient.devices[0].1));
    let cases = Value::read(&good.records[0].1).at(&[0, 6]).clone();
    let Value::Array(mut cases) = cases else { panic!("cases are a list") };
    cases.reverse();
    let signature = good.frame_at(0) + good.records[0].1.len() + SEGMENT_HEAD_BYTES - 1;
    // So long would a head with nine seals be before its hash, which lies in the first segment.
    let nine_bytes = 38 + 9 * BUNDLE_SEAL_BYTES;
    let nine_hash = {
        let mut file = Variant::default().make(good);
        file[37] = 9;
        *blake3::hash(&file[..nine_bytes]).as_bytes()
    };
    let other_opening = good.opening(|statement| statement.set(&[1], Value::Bytes(vec![7; 16]))).1;
    let closing = Value::read(&good.records[CLOSING_PLACE].1).set(&[0], Value::Bytes(other_opening)).to_bytes();
    vec![
        Variant { cut: Some(0), ..Variant::named("an empty file") },
        Variant { cut: Some(37), ..Variant::named("a file that is too short for a head") },
        Variant { cut: Some(head - 1), ..Variant::named("a head that is cut off") },
        Variant::set("another magic", &[(0, b"under"), (copy, b"under")]),
        Variant::set("another version", &[(16, &[0, 0, 0, 2]), (copy + 16, &[0, 0, 0, 2])]),
        Variant::set("nine seals", &[(36, &[0, 9]), (copy + 36, &[0, 9])]),
        Variant::set("nine seals and their hash", &[(36, &[0, 9]), (nine_bytes, &nine_hash), (copy + 36, &[0, 9])]),
        Variant::flip("a bit of each head", &[100, copy + 200]),
        opening("an opening of another format", &[0], Value::Uint(2)),
        opening("an opening with another serial", &[1], Value::Bytes(vec![7; 16])),
        opening("an opening for another head", &[2], Value::Bytes(vec![7; 32])),
        opening("an opening for another key", &[3], Value::Bytes(vec![7; 32])),
        opening("a sender who did not sign", &[4], certificate),
        opening("an altered certificate", &[4, 0, 5], Value::Uint(1)),
        opening("cases that do not ascend", &[6], Value::Array(cases)),
        Variant::records("an opening with an unknown field", with(good.opening(|s| s.with_field(7, Value::Uint(1))))),
        Variant::put("an opening under another signature", 0, signature, &[0x55]),
        Variant::records("an opening that is none", with((OPENING, vec![0xa0]))),
        Variant::records("no opening", places(1..=CLOSING_PLACE)),
        Variant::records("no record at all", vec![]),
        Variant::put("a first record that does not start at the start", 0, 1, &[0, 5]),
        Variant {
            flip: vec![head],
            ..Variant::records(
                "no opening, and in the closing that of another bundle",
                [places(0..CLOSING_PLACE), vec![Item::Other((CLOSING, closing))]].concat(),
            )
        },
    ]
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
