//! Packers who cheat: everything here opens under the right key, as only a packer or a recipient can make it.

use minicbor::bytes::ByteVec;
use proptest::prelude::*;

use super::super::head::Head;
use super::super::record::{CLOSING, MESSAGE, OPENING, record_head};
use super::super::segment::SegmentWriter;
use super::super::statement::{Closing, ClosingStatement, Opening, OpeningCase, OpeningStatement};
use super::*;
use crate::encoding::id::Bytes;
use crate::encoding::labels::FORMAT_VERSION;
use crate::encoding::to_bytes;
use crate::seal::aead;
use crate::seal::bundle::BundleKey;
use crate::sync::message::{CaseFrontier, Chunk, Entries, FRAME_BYTES_MAX, Hello, List};

const CASE: CaseId = CaseId([1; 32]);

/// Kind and frame.
type Record = (u8, Vec<u8>);

/// What is needed to write any bundle at all.
struct Forge {
    key: BundleKey,
    head: Vec<u8>,
    hash: [u8; 32],
    serial: Serial,
}

impl Forge {
    /// A head for [`RECIPIENT`].
    fn new(seed: u64) -> Self {
        let mut rng = Seeded::new(seed);
        Self::with_key(BundleKey::random(&mut rng), &mut rng)
    }

    fn with_key(key: BundleKey, rng: &mut Seeded) -> Self {
        let serial = Serial::random(rng);
        let Recipient { device, sealing } = Device::new(RECIPIENT).recipient();
        let mut seals = vec![key.seal_to(&serial.0, device, &sealing, rng).unwrap()];
        seals.resize_with(8, || BundleKey::decoy(rng).unwrap());
        let head = Head { serial, seals }.to_bytes();
        Self { key, hash: *head.last_chunk().unwrap(), head, serial }
    }

    fn statement(&self) -> OpeningStatement {
        OpeningStatement {
            format: FORMAT_VERSION,
            serial: self.serial,
            head_hash: Bytes(self.hash),
            key_commitment: Bytes(self.key.commitment()),
            sender: Device::new(SENDER).certificate,
            packed: Timestamp(1),
            cases: List(vec![OpeningCase { case: CASE, frontier: Frontier::default().digest() }]),
        }
    }

    fn opening(&self) -> Vec<u8> {
        to_bytes(&Opening::sign(self.statement(), &Device::new(SENDER).secrets.signing))
    }

    /// The closing an honest packer would write after these records.
    fn closing(&self, records: &[Record]) -> Vec<u8> {
        let mut content = blake3::Hasher::new();
        for (kind, frame) in records {
            content.update(&record_head(*kind, frame.len())).update(frame);
        }
        let opening = self.opening();
        let statement = ClosingStatement {
            content: Bytes(*content.finalize().as_bytes()),
            opening: Bytes(*blake3::hash(&opening).as_bytes()),
            records: records.len() as u64,
            cases: List(vec![]),
        };
        to_bytes(&Closing::sign(opening, statement, &Device::new(SENDER).secrets.signing))
    }

    fn write(&self, records: &[Record]) -> Vec<u8> {
        let mut bundle = self.head.clone();
        let mut segments = SegmentWriter::new(&mut bundle, self.key.segment_key(&self.hash));
        for (kind, frame) in records {
            segments.start_record().unwrap();
            segments.push(&record_head(*kind, frame.len())).unwrap();
            segments.push(frame).unwrap();
        }
        segments.finish().unwrap();
        bundle.extend_from_slice(&self.head);
        bundle
    }

    /// Opening, these messages, closing.
    fn bundle(&self, messages: Vec<Vec<u8>>) -> Vec<u8> {
        let mut records = vec![(OPENING, self.opening())];
        records.extend(messages.into_iter().map(|frame| (MESSAGE, frame)));
        records.push((CLOSING, self.closing(&records)));
        self.write(&records)
    }
}

fn frame(message: Message) -> Vec<u8> {
    message.into_frame().into_vec()
}

fn entries(case: CaseId, bytes: usize) -> Vec<u8> {
    frame(Message::Entries(Entries { case, entries: List(vec![ByteVec::from(vec![8; bytes])]) }))
}

#[test]
fn a_refused_message_is_named_and_the_next_one_is_kept() {
    let chunk = |id| Message::Chunk(Chunk { case: CASE, id, bytes: ByteVec::from(vec![1; 10]) });
    let mut frontier = Frontier::default();
    let far_ahead = crate::sync::frontier::Head { sequence: 1_000_000, id: EntryId([1; 32]) };
    frontier.set(Device::new(SENDER).secrets.device(), vec![far_ahead]);
    let lie = Message::Frontier(CaseFrontier { case: CASE, frontier });
    let wrong = ChunkId([3; 32]);
    let attacks: Vec<(&str, Vec<u8>, RecordFault)> = vec![
        ("a message for connections", frame(Message::Hello(Hello::OURS)), RecordFault::NotForBundles),
        ("a case not named", entries(CaseId([2; 32]), 5), RecordFault::OtherCase(CaseId([2; 32]))),
        ("a chunk under another name", frame(chunk(wrong)), RecordFault::WrongChunk(wrong)),
        ("an entry that is too long", entries(CASE, 256 * 1024 + 1), RecordFault::EntryTooLong),
        ("a frontier that was not signed", frame(lie), RecordFault::WrongFrontier(CASE)),
    ];
    for (attack, bad, fault) in attacks {
        let (messages, tally) = unpacked(&Forge::new(1).bundle(vec![bad, entries(CASE, 7)]));
        assert_eq!(messages, [Message::from_frame(entries(CASE, 7)).unwrap()], "{attack}");
        let faults: Vec<_> = tally.problems.iter().map(fault_of).collect();
        assert_eq!(faults, [Some(fault)], "{attack}");
    }
    for (attack, bad) in [("an empty frame", vec![]), ("bytes that are no message", vec![0xff; 40])] {
        let (messages, tally) = unpacked(&Forge::new(1).bundle(vec![bad, entries(CASE, 7)]));
        assert_eq!(messages.len(), 1, "{attack}");
        let malformed = tally.problems.iter().all(|p| matches!(fault_of(p), Some(RecordFault::Malformed(_))));
        assert!(malformed && tally.problem_count == 1, "{attack}");
    }
}

fn fault_of(problem: &Problem) -> Option<RecordFault> {
    match problem {
        Problem::Record { fault, .. } => Some(fault.clone()),
        _ => None,
    }
}

#[test]
fn records_out_of_place_are_named_and_the_next_one_is_kept() {
    let forge = Forge::new(1);
    let good = (MESSAGE, entries(CASE, 7));
    let attacks: Vec<(&str, Record, RecordFault)> = vec![
        ("a second opening", (OPENING, forge.opening()), RecordFault::Misplaced),
        ("a kind of the future", (4, vec![1, 2, 3]), RecordFault::UnknownKind(4)),
    ];
    for (attack, bad, fault) in attacks {
        let mut records = vec![(OPENING, forge.opening()), bad, good.clone()];
        records.push((CLOSING, forge.closing(&records)));
        let (messages, tally) = unpacked(&forge.write(&records));
        assert_eq!(messages.len(), 1, "{attack}");
        assert_eq!(tally.problems.iter().map(fault_of).collect::<Vec<_>>(), [Some(fault)], "{attack}");
    }
    let mut records = vec![(OPENING, forge.opening()), good.clone()];
    records.push((CLOSING, forge.closing(&records)));
    records.push(good);
    let (messages, tally) = unpacked(&forge.write(&records));
    assert_eq!(messages.len(), 1, "what follows the closing is not taken");
    assert_eq!(tally.problems.iter().map(fault_of).collect::<Vec<_>>(), [Some(RecordFault::Misplaced)]);
}

#[test]
fn another_recipient_changes_nothing_unnoticed() {
    let forge = Forge::new(1);
    let honest = vec![(OPENING, forge.opening()), (MESSAGE, entries(CASE, 7)), (MESSAGE, entries(CASE, 8))];
    let closing = (CLOSING, forge.closing(&honest));
    let mut changed = honest.clone();
    changed[1].1 = entries(CASE, 9);
    let mut added = honest.clone();
    added.push((MESSAGE, entries(CASE, 9)));
    let mut bad_signature = closing.clone();
    *bad_signature.1.last_mut().unwrap() ^= 1;
    let with = |mut records: Vec<_>, closing: Option<&Record>| {
        records.extend(closing.cloned());
        forge.write(&records)
    };
    assert!(unpacked(&with(honest.clone(), Some(&closing))).1.whole);
    // Its last segment holds nothing but the end of this record, and so no start of one.
    let mut long = honest.clone();
    long.push((MESSAGE, entries(CASE, SEGMENT_BYTES)));
    let attacks = [
        ("a record changed", with(changed, Some(&closing))),
        ("a record dropped", with(honest[..2].to_vec(), Some(&closing))),
        ("two records swapped", with(vec![honest[0].clone(), honest[2].clone(), honest[1].clone()], Some(&closing))),
        ("a record added", with(added, Some(&closing))),
        ("a closing under another signature", with(honest.clone(), Some(&bad_signature))),
        ("no closing", with(honest.clone(), None)),
        ("no closing, and no start of a record in the last segment", with(long, None)),
    ];
    for (attack, bundle) in attacks {
        let (_, tally) = unpacked(&bundle);
        assert_eq!(tally.problems, [Problem::NotAsPacked], "{attack}");
        assert!(!tally.whole, "{attack}");
    }
}

#[test]
fn nobody_is_named_as_the_sender_of_what_she_did_not_pack() {
    let forge = Forge::new(1);
    let sender = Device::new(SENDER);
    let sign = |statement: OpeningStatement| to_bytes(&Opening::sign(statement, &sender.secrets.signing));
    let with = |change: &dyn Fn(&mut OpeningStatement)| {
        let mut statement = forge.statement();
        change(&mut statement);
        sign(statement)
    };
    // The thief is a recipient: she knows the key, and seals it to others under a new head.
    let same_key = BundleKey::open_any(
        &head::Found::find(&mut Cursor::new(forge.bundle(vec![]))).unwrap().head.seals,
        &forge.serial.0,
        Device::new(RECIPIENT).secrets.device(),
        &Device::new(RECIPIENT).secrets.sealing,
    );
    let rewrapped = Forge::with_key(same_key.unwrap(), &mut Seeded::new(2));
    let repeated_case = OpeningCase { case: CASE, frontier: Frontier::default().digest() };
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("another serial", with(&|s| s.serial = Serial([0; 16]))),
        ("another head", with(&|s| s.head_hash = Bytes([0; 32]))),
        ("another key", with(&|s| s.key_commitment = Bytes([0; 32]))),
        ("another device's certificate", with(&|s| s.sender = Device::new(50).certificate)),
        ("an altered certificate", with(&|s| s.sender.statement.certified = Timestamp(6))),
        ("a case listed twice", with(&|s| s.cases.0.push(repeated_case.clone()))),
        ("the opening of another bundle", Forge::new(3).opening()),
    ];
    for (attack, opening) in attacks {
        let bundle = forge.write(&[(OPENING, opening), (MESSAGE, entries(CASE, 7))]);
        assert!(matches!(Device::new(RECIPIENT).open(&bundle), Err(BundleError::Forged)), "{attack}");
    }
    let bundle = rewrapped.write(&[(OPENING, forge.opening()), (MESSAGE, entries(CASE, 7))]);
    assert!(matches!(Device::new(RECIPIENT).open(&bundle), Err(BundleError::Forged)), "sealed anew for others");

    let bundle = forge.write(&[(MESSAGE, entries(CASE, 7))]);
    assert!(matches!(Device::new(RECIPIENT).open(&bundle), Err(BundleError::BadOpening(_))), "no opening");
    let bundle = forge.write(&[]);
    assert!(matches!(Device::new(RECIPIENT).open(&bundle), Err(BundleError::BadOpening(_))), "no record at all");
    let bundle = forge.write(&[(OPENING, vec![0xa0]), (MESSAGE, entries(CASE, 7))]);
    assert!(matches!(Device::new(RECIPIENT).open(&bundle), Err(BundleError::BadOpening(_))), "an empty opening");
    let bundle = forge.write(&[(OPENING, with(&|s| s.format = 2))]);
    assert!(matches!(Device::new(RECIPIENT).open(&bundle), Err(BundleError::OtherVersion(2))), "a newer opening");
}

/// A segment with any head and payload at all.
fn segment(forge: &Forge, number: u64, last: u8, first: u16, payload: &[u8]) -> Vec<u8> {
    let mut plain = vec![last];
    plain.extend_from_slice(&first.to_be_bytes());
    plain.extend_from_slice(payload);
    plain.resize(SEGMENT_BYTES - aead::TAG_BYTES, 0);
    let key = forge.key.segment_key(&forge.hash);
    aead::seal(&key, aead::counter_nonce(number), &[], &mut plain).unwrap();
    plain
}

#[test]
fn segments_that_lie_about_their_records_cost_themselves_only() {
    let forge = Forge::new(1);
    let record = |kind, frame: &[u8]| [&record_head(kind, frame.len()), frame].concat();
    let opening = record(OPENING, &forge.opening());
    let next = record(MESSAGE, &entries(CASE, 7));
    let too_long = [&record_head(MESSAGE, FRAME_BYTES_MAX + 1)[..], &[0; 100]].concat();
    let endless = [&record_head(MESSAGE, u32::MAX as usize)[..], &[0; 100]].concat();
    let long = |bytes| RecordFault::TooLong { bytes, max: FRAME_BYTES_MAX };
    // After the opening, a second segment that is bad, and a third that is good.
    let attacks: Vec<(&str, u16, Vec<u8>, Option<RecordFault>)> = vec![
        ("a record over the limit", 0, too_long, Some(long(FRAME_BYTES_MAX + 1))),
        ("a record of four gigabytes", 0, endless, Some(long(u32::MAX as usize))),
        ("a start that is none", 9, next.clone(), Some(RecordFault::BadBoundary)),
        ("a start that is kept quiet", 0xffff, next.clone(), Some(RecordFault::BadBoundary)),
        ("a start behind the end", 0xfff0, next.clone(), None),
    ];
    // The opening's record is filled up by an unknown kind, so that the second segment starts with a record.
    let filler = vec![0; SEGMENT_BYTES - aead::TAG_BYTES - 3 - opening.len() - 5];
    let first = [opening, record(9, &filler)].concat();
    for (attack, start, payload, fault) in attacks {
        let mut bundle = forge.head.clone();
        bundle.extend(segment(&forge, 0, 0, 0, &first));
        bundle.extend(segment(&forge, 1, 0, start, &payload));
        bundle.extend(segment(&forge, 2, 1, 0, &next));
        bundle.extend_from_slice(&forge.head);
        let (messages, tally) = unpacked(&bundle);
        assert!(messages.contains(&Message::from_frame(entries(CASE, 7)).unwrap()), "{attack}");
        let faults: Vec<_> = tally.problems.iter().map(fault_of).collect();
        assert_eq!(faults[0], Some(RecordFault::UnknownKind(9)));
        assert_eq!(faults[1], fault, "{attack}: {:?}", tally.problems);
        assert!(!tally.whole, "{attack}");
    }
    // A segment flag that is neither 0 nor 1.
    let mut bundle = forge.head.clone();
    bundle.extend(segment(&forge, 0, 2, 0, &first));
    bundle.extend_from_slice(&forge.head);
    let (_, tally) = unpacked(&bundle);
    assert!(tally.problems.iter().any(|problem| matches!(problem, Problem::Damaged { .. })));
}

#[test]
fn a_segment_full_of_empty_records_gives_a_bounded_list_of_problems() {
    let forge = Forge::new(1);
    let (messages, tally) = unpacked(&forge.bundle(vec![vec![]; 13_000]));
    assert_eq!((messages.len(), tally.problems.len(), tally.problem_count), (0, PROBLEMS_KEPT_MAX, 13_000));
}

#[test]
fn a_bundle_of_another_version_is_refused_by_its_number() {
    let mut bundle = Forge::new(1).bundle(vec![]);
    let second = bundle.len() - Forge::new(1).head.len();
    for at in [16, second + 16] {
        bundle[at..at + 4].copy_from_slice(&2_u32.to_be_bytes());
    }
    let error = Device::new(RECIPIENT).open(&bundle).err().unwrap();
    assert!(matches!(error, BundleError::OtherVersion(2)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_payload_at_all_under_the_right_key_never_panics(
        segments in prop::collection::vec((any::<u16>(), prop::collection::vec(0_u8..5, 0..400)), 1..4),
        lead in 0_u8..5,
        length in 0_u32..80,
    ) {
        let forge = Forge::new(1);
        let opening = [&record_head(OPENING, forge.opening().len()), &forge.opening()[..]].concat();
        let mut bundle = forge.head.clone();
        bundle.extend(segment(&forge, 0, u8::from(lead == 4), 0, &opening));
        for (number, (first, payload)) in segments.iter().enumerate() {
            let [a, b, c, d] = length.to_be_bytes();
            let payload = [&[a, b, c, d, lead], &payload[..]].concat();
            let first = if first % 2 == 0 { 0 } else { *first };
            bundle.extend(segment(&forge, number as u64 + 1, u8::from(number == 2), first, &payload));
        }
        let (_, tally) = unpacked(&bundle);
        prop_assert!(!tally.whole);
        prop_assert!(tally.problem_count > 0);
    }
}
