//! A damaged bundle gives what is intact and names the rest.

use std::io::{self, Read, Seek, SeekFrom};

use proptest::prelude::*;

use super::super::head::head_bytes;
use super::super::record::RawRecords;
use super::super::segment::{PAYLOAD_BYTES, SegmentRange};
use super::*;

const HEAD_BYTES: usize = 9414;

/// Six segments: small entries, then chunks shorter and longer than a segment.
fn bundle() -> Vec<u8> {
    let bundle = packed(&[Content::new(1, &[700; 60], &[9000, 30_000, 120_000, 200, 150_000, 5000])]);
    assert_eq!(HEAD_BYTES, head_bytes(8));
    assert_eq!(bundle.len(), 2 * HEAD_BYTES + 6 * SEGMENT_BYTES);
    bundle
}

/// The messages of a bundle, each with the first and last segment it lies in.
fn placed(bundle: &[u8]) -> Vec<(Message, std::ops::RangeInclusive<usize>)> {
    let device = Device::new(RECIPIENT);
    let mut reader = Cursor::new(bundle);
    let found = head::Found::find(&mut reader).unwrap();
    let secret = &device.secrets.sealing;
    let (seals, serial) = (&found.head.seals, &found.head.serial.0);
    let key = crate::seal::bundle::BundleKey::open_any(seals, serial, device.secrets.device(), secret).unwrap();
    let key = key.segment_key(&found.hash);
    let range = SegmentRange::new(found.head_bytes, found.file_bytes - found.head_bytes);
    let mut raw = RawRecords::new(&mut reader, &key, range, true, 0);
    let mut placed = Vec::new();
    let mut position = 0;
    while let Some(Ok(record)) = raw.next() {
        let bytes = record::RECORD_HEAD_BYTES + record.frame.len();
        let segments = position / PAYLOAD_BYTES..=(position + bytes - 1) / PAYLOAD_BYTES;
        position += bytes;
        if record.kind == record::MESSAGE {
            placed.push((Message::from_frame(record.frame).unwrap(), segments));
        }
        if record.kind == record::CLOSING {
            break;
        }
    }
    placed
}

/// The messages that lie in none of these segments.
fn outside(placed: &[(Message, std::ops::RangeInclusive<usize>)], lost: &[usize]) -> Vec<Message> {
    let kept = placed.iter().filter(|(_, segments)| !lost.iter().any(|lost| segments.contains(lost)));
    kept.map(|(message, _)| message.clone()).collect()
}

fn segment_offset(number: usize) -> usize {
    HEAD_BYTES + number * SEGMENT_BYTES
}

#[test]
fn a_flipped_bit_anywhere_is_named_and_the_rest_is_kept() {
    let intact = bundle();
    let placed = placed(&intact);
    let edges = (0..=6).map(segment_offset).chain([intact.len()]).flat_map(|at| [at.saturating_sub(1), at]);
    let edges = edges.chain([0, 15, 16, 19, 20, 36, 37, 38, HEAD_BYTES - 33]).filter(|at| *at < intact.len());
    for position in (0..intact.len()).step_by(1009).chain(edges) {
        let mut altered = intact.clone();
        altered[position] ^= 1 << (position % 8);
        let (messages, tally) = unpacked(&altered);
        let in_segments = position.checked_sub(HEAD_BYTES).map(|at| at / SEGMENT_BYTES);
        let (expected, lost) = match in_segments {
            None => (vec![Problem::FirstHead], vec![]),
            Some(number) if number < 6 => {
                let (offset, bytes) = (segment_offset(number) as u64, SEGMENT_BYTES as u64);
                (vec![Problem::Damaged { offset, bytes }], vec![number])
            }
            Some(_) => (vec![Problem::SecondHead], vec![]),
        };
        assert_eq!(tally.problems, expected, "byte {position}");
        assert!(messages == outside(&placed, &lost), "byte {position}: what is intact is kept");
        assert_eq!(tally.whole, lost.is_empty(), "byte {position}");
        assert!(tally.sender.is_some(), "byte {position}: the sender's name stands twice");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_damage_leaves_what_lies_outside_it(bad in prop::collection::btree_set(0_usize..6, 0..7), seed: usize) {
        let intact = bundle();
        let placed = placed(&intact);
        let mut altered = intact;
        for number in &bad {
            altered[segment_offset(*number) + seed % SEGMENT_BYTES] ^= 0x10;
        }
        let lost: Vec<_> = bad.iter().copied().collect();
        let (messages, tally) = unpacked(&altered);
        let sender_is_lost = bad.contains(&0) && bad.contains(&5);
        let mut kept = outside(&placed, &lost);
        if sender_is_lost {
            kept.retain(|message| !matches!(message, Message::Frontier(_)));
        }
        prop_assert!(messages == kept);
        prop_assert_eq!(tally.sender.is_none(), sender_is_lost);
        let damaged: u64 = tally.problems.iter().map(|problem| match problem {
            Problem::Damaged { bytes, .. } => *bytes,
            _ => 0,
        }).sum();
        prop_assert_eq!(damaged, (bad.len() * SEGMENT_BYTES) as u64);
        prop_assert_eq!(tally.whole, bad.is_empty());
    }
}

#[test]
fn a_bundle_cut_short_gives_what_lies_before_the_cut() {
    let intact = bundle();
    let placed = placed(&intact);
    for length in (HEAD_BYTES..intact.len()).step_by(7919).chain([segment_offset(3), segment_offset(6)]) {
        let (messages, tally) = unpacked(&intact[..length]);
        let whole_segments = ((length - HEAD_BYTES) / SEGMENT_BYTES).min(6);
        let lost: Vec<_> = (whole_segments..6).collect();
        let mut kept = outside(&placed, &lost);
        if tally.sender.is_none() {
            assert!(whole_segments == 0 && tally.problems.contains(&Problem::SenderUnknown));
            kept.clear();
        }
        assert!(messages == kept, "{length} bytes");
        assert!(tally.problems.contains(&Problem::SecondHead), "{length} bytes");
        let truncated = tally.problems.contains(&Problem::Truncated { offset: length as u64 });
        assert_eq!(truncated, whole_segments < 6, "{length} bytes: {:?}", tally.problems);
    }
}

#[test]
fn segments_moved_repeated_or_taken_from_another_bundle_do_not_open() {
    let intact = bundle();
    let placed = placed(&intact);
    let recipient = Device::new(RECIPIENT).recipient();
    let (other, _) = packed_for(vec![recipient], &[Content::new(1, &[700; 60], &[200_000; 2])], &[], 55);
    let segment = |bundle: &[u8], n: usize| bundle[segment_offset(n)..segment_offset(n + 1)].to_vec();
    let with = |changes: &[(usize, Vec<u8>)]| {
        let mut altered = intact.clone();
        for (n, bytes) in changes {
            altered[segment_offset(*n)..segment_offset(n + 1)].copy_from_slice(bytes);
        }
        altered
    };
    let attacks: Vec<(&str, Vec<u8>, Vec<usize>)> = vec![
        ("two segments swapped", with(&[(2, segment(&intact, 3)), (3, segment(&intact, 2))]), vec![2, 3]),
        ("a segment repeated", with(&[(3, segment(&intact, 2))]), vec![3]),
        ("a segment of another bundle", with(&[(2, segment(&other, 2))]), vec![2]),
    ];
    for (attack, bytes, lost) in attacks {
        let (messages, tally) = unpacked(&bytes);
        assert!(messages == outside(&placed, &lost), "{attack}");
        let (offset, bytes) = (segment_offset(lost[0]) as u64, (lost.len() * SEGMENT_BYTES) as u64);
        assert_eq!(tally.problems, [Problem::Damaged { offset, bytes }], "{attack}");
    }

    let mut shorter = intact.clone();
    shorter.drain(segment_offset(2)..segment_offset(3));
    let (messages, tally) = unpacked(&shorter);
    assert!(messages == outside(&placed, &[2, 3, 4, 5]), "a segment taken out: what lies before it is kept");
    let bytes = 3 * SEGMENT_BYTES as u64;
    assert_eq!(tally.problems, [Problem::Damaged { offset: segment_offset(2) as u64, bytes }]);
}

#[test]
fn a_byte_taken_out_or_put_in_costs_what_follows_and_is_named() {
    let intact = bundle();
    let placed = placed(&intact);
    let at = segment_offset(2) + 100;
    let mut longer = intact.clone();
    longer.insert(at, 0);
    let mut shorter = intact.clone();
    shorter.remove(at);
    for altered in [longer, shorter] {
        let (messages, tally) = unpacked(&altered);
        assert!(messages == outside(&placed, &[2, 3, 4, 5]));
        let bytes = (altered.len() - HEAD_BYTES - segment_offset(2)) as u64;
        assert_eq!(tally.problems, [Problem::Damaged { offset: segment_offset(2) as u64, bytes }]);
    }
}

#[test]
fn bytes_after_the_end_are_named_and_cost_nothing() {
    let mut longer = bundle();
    longer.extend_from_slice(&[0; 100_000]);
    let (messages, tally) = unpacked(&longer);
    assert_eq!(messages.len(), placed(&bundle()).len());
    assert_eq!(tally.problems, [Problem::SecondHead, Problem::TrailingBytes { bytes: 100_000 }]);
    assert!(tally.whole);
}

#[test]
fn the_sender_is_found_in_the_closing_whatever_follows_the_bundle() {
    let intact = bundle();
    let kept = outside(&placed(&intact), &[0]);
    for more_bytes in [0, 100_000, 10 * SEGMENT_BYTES] {
        let mut altered = intact.clone();
        altered[segment_offset(0)] ^= 1;
        altered.resize(intact.len() + more_bytes, 0);
        let (messages, tally) = unpacked(&altered);
        assert!(messages == kept, "{more_bytes} more bytes");
        let sender = tally.sender.map(|sender| sender.device());
        assert_eq!(sender, Some(Device::new(SENDER).secrets.device()), "{more_bytes} more bytes");
    }
}

#[test]
fn without_an_intact_head_nothing_opens_and_the_reason_is_said() {
    let mut altered = bundle();
    let end = altered.len() - 1;
    altered[100] ^= 1;
    altered[end] ^= 1;
    assert!(matches!(Device::new(RECIPIENT).open(&altered), Err(BundleError::HeadDamaged)));
    assert!(matches!(Device::new(RECIPIENT).open(b"%PDF-1.7"), Err(BundleError::NotABundle)));
    assert!(matches!(Device::new(RECIPIENT).open(&vec![0; 200_000]), Err(BundleError::NotABundle)));
}

#[test]
fn reading_back_finds_one_flipped_bit_and_another_file() {
    let contents = [Content::new(1, &[700; 60], &[90_000])];
    let recipient = Device::new(RECIPIENT).recipient();
    let (bundle, packed) = packed_for(vec![recipient.clone()], &contents, &[], 5);
    assert!(packed.check(Cursor::new(&bundle)).is_ok());
    for position in [40, 20_000, 100_000, bundle.len() - 9000] {
        let mut altered = bundle.clone();
        altered[position] ^= 1;
        let error = packed.check(Cursor::new(&altered)).unwrap_err();
        assert!(matches!(error, CheckError::Damaged { problems: 1, first: Some(_) }), "{position}: {error}");
    }
    let (other, _) = packed_for(vec![recipient], &contents, &[], 6);
    assert!(matches!(packed.check(Cursor::new(&other)), Err(CheckError::OtherBundle)));
}

/// A medium that does not give the bytes from `from` to `to`.
struct BadSpot {
    inner: Cursor<Vec<u8>>,
    from: u64,
    to: u64,
    failed: u64,
}

impl Read for BadSpot {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (start, end) = (self.inner.position(), self.inner.position() + buffer.len() as u64);
        if start < self.to && end > self.from {
            self.failed += 1;
            return Err(io::Error::other("medium error"));
        }
        self.inner.read(buffer)
    }
}

impl Seek for BadSpot {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn what_the_medium_does_not_give_costs_what_lies_there() {
    let intact = bundle();
    let placed = placed(&intact);
    let device = Device::new(RECIPIENT);
    let at = segment_offset(3) as u64;
    let reader = BadSpot { inner: Cursor::new(intact), from: at + 10, to: at + 522, failed: 0 };
    let mut open = open(reader, device.secrets.device(), &device.secrets.sealing).unwrap();
    let (messages, problems): (Vec<_>, Vec<_>) = open.records().partition(Result::is_ok);
    assert!(messages.into_iter().map(Result::unwrap).collect::<Vec<_>>() == outside(&placed, &[3]));
    assert_eq!(problems, [Err(Problem::Unreadable { offset: at, bytes: SEGMENT_BYTES as u64 })]);
}

#[test]
fn a_medium_that_is_gone_is_not_asked_for_ever() {
    let intact = packed(&[Content::new(1, &[], &[250_000; 60])]);
    let device = Device::new(RECIPIENT);
    let from = segment_offset(10) as u64;
    let to = intact.len() as u64 - HEAD_BYTES as u64;
    let mut reader = BadSpot { inner: Cursor::new(intact), from, to, failed: 0 };
    let mut open = open(&mut reader, device.secrets.device(), &device.secrets.sealing).unwrap();
    let Ok(tally) = open.read_all(|_| Ok::<_, Infallible>(()));
    assert_eq!(tally.problems, [Problem::Unreadable { offset: from, bytes: to - from }]);
    assert!(reader.failed < 80, "{} tries", reader.failed);
}
