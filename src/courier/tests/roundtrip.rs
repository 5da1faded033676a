//! What is packed is unpacked, by those it is for, and nothing of it shows.

use std::cell::Cell;
use std::io::{self, Write};

use proptest::prelude::*;

use super::*;
use crate::encoding::to_bytes;
use crate::identity::keys::SealingSecret;
use crate::seal::bundle::BUNDLE_SEAL_BYTES;

fn expected(contents: &[Content], of: impl Fn(&Content) -> &Vec<Vec<u8>>) -> Pieces {
    let mut contents: Vec<_> = contents.iter().collect();
    contents.sort_by_key(|content| content.case);
    contents.iter().flat_map(|content| of(content).iter().map(|bytes| (content.case, bytes.clone()))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_packed_is_unpacked(
        parts in prop::collection::btree_map(
            any::<u8>(),
            (prop::collection::vec(0_usize..90_000, 0..9), prop::collection::vec(0_usize..=256 * 1024, 0..5)),
            0..4,
        ),
        cards in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..70),
        seed: u64,
    ) {
        let contents: Vec<_> = parts.iter().map(|(n, (e, c))| Content::new(*n, e, c)).collect();
        let recipient = Device::new(RECIPIENT);
        let (bundle, packed) = packed_for(vec![recipient.recipient()], &contents, &cards, seed);
        prop_assert_eq!(bundle.len() as u64, packed.bytes);
        prop_assert!(packed.check(Cursor::new(&bundle)).is_ok());

        let (messages, tally) = unpacked(&bundle);
        let (entries, chunks) = pieces(&messages);
        prop_assert_eq!(entries, expected(&contents, |content| &content.entries));
        prop_assert_eq!(chunks, expected(&contents, |content| &content.chunks));
        let frontiers: Vec<_> = messages.iter().filter_map(|message| match message {
            Message::Frontier(item) => Some((item.case, item.frontier.clone())),
            _ => None,
        }).collect();
        prop_assert_eq!(frontiers, contents.iter().map(|c| (c.case, c.frontier.clone())).collect::<Vec<_>>());
        let back: Vec<Vec<u8>> = messages.iter().flat_map(|message| match message {
            Message::Cards(list) => list.0.iter().map(|card| card.to_vec()).collect(),
            _ => vec![],
        }).collect();
        prop_assert_eq!(back, cards);

        prop_assert!(tally.whole);
        prop_assert_eq!(&tally.problems, &[]);
        prop_assert_eq!(&tally.cases, &packed.cases);
        prop_assert_eq!(tally.packed.as_ref(), Some(&packed.cases));
        let sender = tally.sender.unwrap();
        prop_assert_eq!((sender.certificate, sender.packed), (Device::new(SENDER).certificate, Timestamp(77)));
    }
}

#[test]
fn every_recipient_opens_a_bundle_and_nobody_else() {
    let recipients: Vec<_> = (10..15).map(Device::new).collect();
    let contents = [Content::new(1, &[500], &[])];
    let (bundle, _) = packed_for(recipients.iter().map(Device::recipient).collect(), &contents, &[], 3);
    for device in &recipients {
        assert!(device.open(&bundle).is_ok());
    }
    for stranger in [Device::new(SENDER), Device::new(99)] {
        assert!(matches!(stranger.open(&bundle), Err(BundleError::NotForMe)));
    }
    let other_key = SealingSecret::from_seed(recipients[1].secrets.sealing.seed().duplicate());
    let mixed = open(Cursor::new(&bundle), recipients[0].secrets.device(), &other_key);
    assert!(matches!(mixed, Err(BundleError::NotForMe)), "a seal is bound to its device");
}

#[test]
fn the_number_of_recipients_hides_in_a_bucket() {
    let device = |n: u64| Device::new(100 + n).recipient();
    for (recipients, seals) in [(1, 8), (8, 8), (9, 16), (128, 128)] {
        let (bundle, _) = packed_for((0..recipients).map(device).collect(), &[], &[], 3);
        let outline = inspect(&mut Cursor::new(&bundle)).unwrap();
        assert_eq!((outline.seals, outline.bytes), (seals, bundle.len() as u64));
    }
    let (bundle, _) = packed_for(vec![device(0); 20], &[], &[], 3);
    assert_eq!(inspect(&mut Cursor::new(&bundle)).unwrap().seals, 8, "a device named twice gets one seal");
}

#[test]
fn a_decoy_has_the_form_of_a_real_seal() {
    let (bundle, _) = packed_for(vec![Device::new(RECIPIENT).recipient()], &[], &[], 3);
    let seals = bundle[38..38 + 8 * BUNDLE_SEAL_BYTES].chunks(BUNDLE_SEAL_BYTES);
    // The X25519 point is the end of the encapsulation; its top bit is clear in a real one.
    assert!(seals.clone().all(|seal| seal[1119] & 0x80 == 0));
    let places: std::collections::BTreeSet<_> = (0..20)
        .map(|seed| {
            let recipient = Device::new(RECIPIENT);
            let (bundle, _) = packed_for(vec![recipient.recipient()], &[], &[], seed);
            let found = head::Found::find(&mut Cursor::new(&bundle)).unwrap();
            let (serial, device) = (found.head.serial.0, recipient.secrets.device());
            found.head.seals.iter().position(|seal| {
                let key = &recipient.secrets.sealing;
                crate::seal::bundle::BundleKey::open_any(&[*seal], &serial, device, key).is_ok()
            })
        })
        .collect();
    assert!(places.len() > 3, "the recipient's seal moves about: {places:?}");
}

#[test]
fn nothing_that_is_packed_shows_in_the_file() {
    let mut content = Content::new(1, &[9000, 300], &[70_000, 40_000]);
    let phrase = b"Frau Anneliese Weissenberger, geboren am 12.03.1951";
    content.entries[1].extend_from_slice(phrase);
    let (sender, recipient) = (Device::new(SENDER), Device::new(RECIPIENT));
    let card = b"a card that names a colleague".to_vec();
    let (bundle, _) = packed_for(vec![recipient.recipient()], &[content.clone()], std::slice::from_ref(&card), 3);
    let planted: Vec<(&str, Vec<u8>)> = vec![
        ("a phrase", phrase.to_vec()),
        ("an entry's middle", content.entries[0][4000..4032].to_vec()),
        ("a chunk's start", content.chunks[0][..16].to_vec()),
        ("a chunk's name", ChunkId::of(&content.chunks[1]).0.to_vec()),
        ("the case", content.case.0.to_vec()),
        ("the sender's device", sender.secrets.device().0.to_vec()),
        ("the sender's person", sender.certificate.identity().0.to_vec()),
        ("the sender's secret", sender.secrets.signing.seed().reveal().to_vec()),
        ("the recipient's device", recipient.secrets.device().0.to_vec()),
        ("the recipient's public key", recipient.secrets.sealing.public().0.0[..32].to_vec()),
        ("the certificate", to_bytes(&sender.certificate)[..32].to_vec()),
        ("a card", card),
    ];
    for (what, bytes) in planted {
        assert!(!bundle.windows(bytes.len()).any(|window| window == bytes), "{what} shows");
    }
}

#[test]
fn the_file_tells_neither_how_many_messages_it_holds_nor_how_long_they_are() {
    let many = packed(&[Content::new(1, &[40; 200], &[100; 90])]);
    let few = packed(&[Content::new(1, &[], &[50_000])]);
    assert_eq!(many.len(), few.len());
}

#[test]
fn unpacking_again_gives_the_same_again() {
    let bundle = packed(&[Content::new(1, &[500, 600], &[100_000])]);
    let mut open = Device::new(RECIPIENT).open(&bundle).unwrap();
    let first: Vec<_> = open.records().collect();
    let second: Vec<_> = open.records().collect();
    assert_eq!(first, second);
    assert_eq!(first.len(), 3);
}

#[test]
fn entries_come_before_chunks_and_chunks_in_the_order_given() {
    let contents = [Content::new(2, &[100], &[5000, 10]), Content::new(1, &[200], &[3000])];
    let (messages, _) = unpacked(&packed(&contents));
    let kinds: String = messages
        .iter()
        .map(|message| match message {
            Message::Frontier(_) => 'f',
            Message::Entries(_) => 'e',
            Message::Chunk(_) => 'c',
            _ => '?',
        })
        .collect();
    assert_eq!(kinds, "fefeccc");
    let (_, chunks) = pieces(&messages);
    let chunks: Vec<_> = chunks.into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(chunks, [&contents[1].chunks[0], &contents[0].chunks[0], &contents[0].chunks[1]].map(Vec::clone));
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_refused() {
    let sender = Device::new(SENDER);
    let one = vec![Device::new(RECIPIENT).recipient()];
    let try_pack = |recipients, contents: &[Content], cards, writer: &mut dyn Write, go_on: bool| {
        let plan = PackPlan {
            recipients,
            certificate: &sender.certificate,
            signing: &sender.secrets.signing,
            now: Timestamp(77),
            cases: contents.iter().map(Content::to_pack).collect(),
            cards,
        };
        let step = if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let mut writer = writer;
        pack(&mut writer, plan, &mut Seeded::new(1), &mut |_| step).map(|packed| packed.bytes).unwrap_err()
    };
    let sink = &mut io::sink();
    let content = |n, entries, chunks| Content::new(n, entries, chunks);
    let crowd = (0..129).map(|n| Recipient { device: crate::identity::keys::DeviceKey([n; 32]), ..one[0].clone() });
    let few = content(1, &[100], &[]);
    assert!(matches!(try_pack(vec![], &[], vec![], sink, true), PackError::NoRecipient));
    let error = try_pack(crowd.collect(), &[], vec![], sink, true);
    assert!(matches!(error, PackError::TooManyRecipients { devices: 129, max: 128 }));
    let error = try_pack(one.clone(), &[few.clone(), few.clone()], vec![], sink, true);
    assert!(matches!(error, PackError::RepeatedCase));
    let error = try_pack(one.clone(), &[content(1, &[256 * 1024 + 1], &[])], vec![], sink, true);
    assert!(matches!(error, PackError::EntryTooLong { .. }));
    let error = try_pack(one.clone(), &[content(1, &[], &[256 * 1024 + 1])], vec![], sink, true);
    assert!(matches!(error, PackError::ChunkTooLong { .. }));
    let error = try_pack(one.clone(), &[], vec![vec![0; 16 * 1024 + 1]], sink, true);
    assert!(matches!(error, PackError::CardTooLong { .. }));
    let error = try_pack(one.clone(), std::slice::from_ref(&few), vec![], sink, false);
    assert!(matches!(error, PackError::Stopped));
    let error = try_pack(one, &[few], vec![], &mut Full, true);
    assert!(matches!(error, PackError::Write(_)));
}

/// A medium without room.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_bundle_holds_as_many_cases_as_it_may_and_no_more() {
    let sender = Device::new(SENDER);
    let try_pack = |count: usize, bundle: &mut Vec<u8>| {
        let one = Content::new(1, &[10], &[]);
        let case = |n: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&(n as u64).to_be_bytes());
            CasePack { case: CaseId(id), ..one.to_pack_owned() }
        };
        let plan = PackPlan {
            recipients: vec![Device::new(RECIPIENT).recipient()],
            certificate: &sender.certificate,
            signing: &sender.secrets.signing,
            now: Timestamp(i64::MAX),
            cases: (0..count).rev().map(case).collect(),
            cards: vec![],
        };
        pack(bundle, plan, &mut Seeded::new(1), &mut |_| ControlFlow::Continue(()))
    };
    let mut bundle = Vec::new();
    let packed = try_pack(CASES_MAX, &mut bundle).unwrap();
    assert!(packed.check(Cursor::new(&bundle)).is_ok());
    let mut without_start = bundle;
    without_start[20_000] ^= 1;
    let (_, tally) = unpacked(&without_start);
    assert!(tally.sender.is_some(), "the copy in the closing is found, however long it is");
    let error = try_pack(CASES_MAX + 1, &mut Vec::new()).err().unwrap();
    assert!(matches!(error, PackError::TooManyCases { cases: 1025, max: 1024 }));
}

#[test]
fn a_source_that_fails_stops_the_packing() {
    let sender = Device::new(SENDER);
    let mut pack_of_case = Content::new(1, &[], &[]).to_pack_owned();
    pack_of_case.chunks = Box::new([Err("the store is gone".into())].into_iter());
    let plan = PackPlan {
        recipients: vec![Device::new(RECIPIENT).recipient()],
        certificate: &sender.certificate,
        signing: &sender.secrets.signing,
        now: Timestamp(77),
        cases: vec![pack_of_case],
        cards: vec![],
    };
    let error = pack(&mut io::sink(), plan, &mut Seeded::new(1), &mut |_| ControlFlow::Continue(())).err().unwrap();
    assert!(matches!(error, PackError::Source(source) if source.to_string() == "the store is gone"));
}

impl Content {
    fn to_pack_owned(&self) -> CasePack<'static> {
        CasePack {
            case: self.case,
            frontier: self.frontier.clone(),
            entries: Box::new(self.entries.clone().into_iter().map(Ok)),
            chunks: Box::new(self.chunks.clone().into_iter().map(|bytes| Ok((ChunkId::of(&bytes), bytes)))),
        }
    }
}

/// Counts what is written.
struct Counting<'a>(&'a Cell<usize>);

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn packing_takes_a_piece_only_when_the_one_before_is_written() {
    const CHUNK_BYTES: usize = 256 * 1024;
    let sender = Device::new(SENDER);
    let written = Cell::new(0);
    let chunk = vec![7; CHUNK_BYTES];
    let mut pack_of_case = Content::new(1, &[], &[]).to_pack_owned();
    let chunks = (0..40).map(|taken| {
        assert!(taken * CHUNK_BYTES <= written.get() + SEGMENT_BYTES, "{taken} taken, {} written", written.get());
        Ok((ChunkId::of(&chunk), chunk.clone()))
    });
    pack_of_case.chunks = Box::new(chunks);
    let plan = PackPlan {
        recipients: vec![Device::new(RECIPIENT).recipient()],
        certificate: &sender.certificate,
        signing: &sender.secrets.signing,
        now: Timestamp(77),
        cases: vec![pack_of_case],
        cards: vec![],
    };
    let packed = pack(&mut Counting(&written), plan, &mut Seeded::new(1), &mut |_| ControlFlow::Continue(()));
    assert_eq!(packed.unwrap().chunks(), 40);
}
