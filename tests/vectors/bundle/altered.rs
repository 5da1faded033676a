//! The bundles that are made of the good one: damaged on the way, changed by who holds the key, packed by a cheat.

use super::variant::{Item, Variant, places};
use super::*;

/// What bad media and careless copies do.
pub(super) fn damaged(good: &Bundle) -> Vec<Variant> {
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
pub(super) fn changed(good: &Bundle) -> Vec<Variant> {
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
pub(super) fn refused(good: &Bundle) -> Vec<Variant> {
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
