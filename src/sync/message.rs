//! What two machines say to each other, and what a bundle holds: the same messages.
//!
//! A frame is one message in deterministic CBOR, at most 2 MiB, decoded strictly: another form, an unknown field or a
//! list longer than its limit is refused before anything is allocated for it. How frames are delimited on a line or in
//! a file is not said here, and nothing here knows of peers.
//!
//! [`Hello`] comes first on every connection and keeps its form in every format version, so that two versions can say
//! to each other that they do not fit.
//!
//! A chunk is the only large message and there are thousands: it is written as a short head and its bytes as they
//! are, and read with one copy, but it is the same CBOR as every other message.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::frontier::{DEVICES_MAX, DeviceHeads, Digest, Frontier, Head, SKETCH_ITEM_BYTES};
use crate::case::live::{LIVE_BYTES_MAX, LIVE_KINDS_MAX};
use crate::encoding::id::{CaseId, ChunkId, EntryId};
use crate::encoding::labels::FORMAT_VERSION;
use crate::encoding::{DecodeError, from_bytes, to_bytes};
use crate::identity::keys::DeviceKey;
use crate::seal::chunk::CHUNK_BYTES_MAX;

/// Longest frame in bytes (format 11).
pub const FRAME_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Most cases in one [`Message::Digests`].
pub const DIGESTS_MAX: usize = 1024;

/// Most entries in one [`Message::Entries`].
pub const ENTRIES_MAX: usize = 512;

/// Most points of one [`Probe`].
pub const PROBE_POINTS_MAX: usize = 192;

/// Most chunks named in one message.
pub const CHUNK_IDS_MAX: usize = 128;

/// Most cards in one [`Message::Cards`].
pub const CARDS_MAX: usize = 64;

/// Longest card in bytes (format 2).
pub const CARD_BYTES_MAX: usize = 16 * 1024;

/// One thing said.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// First on every connection.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// What I have of each case I share with you, as digests.
    #[n(1)]
    Digests(#[n(0)] List<CaseDigest, DIGESTS_MAX>),
    /// Our digests differ: eight bytes a device.
    #[n(2)]
    Sketch(#[n(0)] Sketch),
    /// Answer to a sketch: where we differ.
    #[n(3)]
    Heads(#[n(0)] Heads),
    /// Points of a branch you seem not to have.
    #[n(4)]
    Probe(#[n(0)] Probe),
    /// Answer to a probe.
    #[n(5)]
    Common(#[n(0)] Common),
    /// Sealed, signed entries, each after its parents.
    #[n(6)]
    Entries(#[n(0)] Entries),
    /// Entries are stored; my heads now.
    #[n(7)]
    Ack(#[n(0)] Ack),
    /// Please send these chunks.
    #[n(8)]
    ChunkRequest(#[n(0)] ChunkRequest),
    /// A chunk's sealed bytes.
    #[n(9)]
    Chunk(#[n(0)] Chunk),
    /// I do not have these.
    #[n(10)]
    Missing(#[n(0)] Chunks),
    /// Chunks I refused before are here now; an empty list: ask again for anything.
    #[n(11)]
    HaveMore(#[n(0)] Chunks),
    /// I no longer want these.
    #[n(12)]
    Cancel(#[n(0)] Chunks),
    /// Signed and sealed by room `case`; the newest of a slot replaces the ones before.
    #[n(13)]
    Live(#[n(0)] Live),
    /// Signed cards of colleagues in common.
    #[n(14)]
    Cards(#[n(0)] List<ByteVec, CARDS_MAX>),
    /// I no longer share this case with you.
    #[n(15)]
    Unshare(#[n(0)] CaseId),
    /// A whole frontier: in bundles, as a hint for packing the next one.
    #[n(16)]
    Frontier(#[n(0)] CaseFrontier),
    /// Chunks I asked for are more urgent now; those on their way already are not sent again.
    #[n(17)]
    Hurry(#[n(0)] ChunkRequest),
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hello {
    #[n(0)]
    pub version: u32,
    /// Bits for what a later program of the same format may offer; unknown bits are ignored.
    #[n(1)]
    pub features: u64,
}

impl Hello {
    /// What this program says.
    pub const OURS: Self = Self { version: FORMAT_VERSION, features: 0 };
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CaseDigest {
    #[n(0)]
    pub case: CaseId,
    #[n(1)]
    pub digest: Digest,
    /// Whether I need your digest in return.
    #[n(2)]
    pub answer: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Sketch {
    #[n(0)]
    pub case: CaseId,
    /// Digest of the sketched frontier: the salt of the items.
    #[n(1)]
    pub digest: Digest,
    #[n(2)]
    pub items: List<ShortHash, DEVICES_MAX>,
}

/// One item of a sketch.
pub type ShortHash = crate::encoding::id::Bytes<SKETCH_ITEM_BYTES>;

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Heads {
    #[n(0)]
    pub case: CaseId,
    /// One bit for each item of the sketch: whether I have the same.
    #[n(1)]
    pub matched: ByteVec,
    /// My heads where we differ.
    #[n(2)]
    pub heads: List<DeviceHeads, DEVICES_MAX>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Probe {
    #[n(0)]
    pub case: CaseId,
    #[n(1)]
    pub device: DeviceKey,
    /// Points of one branch, from its head down.
    #[n(2)]
    pub points: List<Head, PROBE_POINTS_MAX>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Common {
    #[n(0)]
    pub case: CaseId,
    #[n(1)]
    pub device: DeviceKey,
    /// The first point of the probe.
    #[n(2)]
    pub head: EntryId,
    /// The highest point I have; none if I have none of them.
    #[n(3)]
    pub common: Option<EntryId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Entries {
    #[n(0)]
    pub case: CaseId,
    #[n(1)]
    pub entries: List<ByteVec, ENTRIES_MAX>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ack {
    #[n(0)]
    pub case: CaseId,
    /// Heads of the devices that changed since the last acknowledgement.
    #[n(1)]
    pub heads: List<DeviceHeads, DEVICES_MAX>,
    /// How many of your entries I have dealt with since the last acknowledgement, whatever became of them.
    #[n(2)]
    pub taken: u32,
    /// All of those are stored: their heads need not be named.
    #[n(3)]
    pub stored: bool,
    /// I take no more of this case until I send my digest again.
    #[n(4)]
    pub hold: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChunkRequest {
    #[n(0)]
    pub case: CaseId,
    #[n(1)]
    pub class: Class,
    #[n(2)]
    pub ids: List<ChunkId, CHUNK_IDS_MAX>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Chunk {
    #[n(0)]
    pub case: CaseId,
    #[n(1)]
    pub id: ChunkId,
    #[n(2)]
    pub bytes: ByteVec,
}

/// Chunks of one case, by name.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Chunks {
    #[n(0)]
    pub case: CaseId,
    #[n(1)]
    pub ids: List<ChunkId, CHUNK_IDS_MAX>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Live {
    #[n(0)]
    pub case: CaseId,
    /// Below [`LIVE_KINDS_MAX`].
    #[n(1)]
    pub slot: u8,
    #[n(2)]
    pub bytes: ByteVec,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CaseFrontier {
    #[n(0)]
    pub case: CaseId,
    #[n(1)]
    pub frontier: Frontier,
}

/// What a chunk is needed for, most urgent first (design 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Class {
    /// On a reader's screen now.
    #[n(0)]
    Screen,
    /// Pages of a study's manifest: without them nothing else is known.
    #[n(1)]
    Manifest,
    #[n(2)]
    KeyImage,
    #[n(3)]
    Preview,
    /// The series in reading order.
    #[n(4)]
    Series,
}

impl Class {
    pub const ALL: [Class; 5] = [Class::Screen, Class::Manifest, Class::KeyImage, Class::Preview, Class::Series];
}

/// A list with a limit that is checked before its items are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List<T, const MAX: usize>(pub Vec<T>);

impl<C, T: Encode<C>, const MAX: usize> Encode<C> for List<T, MAX> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.0.len() as u64)?;
        self.0.iter().try_for_each(|item| item.encode(e, context))
    }
}

impl<'b, C, T: Decode<'b, C>, const MAX: usize> Decode<'b, C> for List<T, MAX> {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        let length = d.array()?.ok_or_else(|| minicbor::decode::Error::message("a list must say its length"))?;
        if length > MAX as u64 {
            return Err(minicbor::decode::Error::message(format!("{length} items where at most {MAX} are allowed")));
        }
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(T::decode(d, context)?);
        }
        Ok(Self(list))
    }
}

/// A message ready to be written: `head`, then `body`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub head: Vec<u8>,
    /// The bytes of a chunk as they are; empty for every other message.
    pub body: Vec<u8>,
}

impl Frame {
    /// Length of the frame in bytes.
    pub fn bytes(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// The frame in one piece.
    pub fn into_vec(mut self) -> Vec<u8> {
        self.head.append(&mut self.body);
        self.head
    }
}

impl Message {
    /// The form in which the message travels.
    pub fn into_frame(self) -> Frame {
        match self {
            Message::Chunk(chunk) => {
                let body = Vec::from(chunk.bytes);
                Frame { head: chunk_head(&chunk.case, &chunk.id, body.len()), body }
            }
            message => Frame { head: to_bytes(&message), body: Vec::new() },
        }
    }

    /// Reads a frame strictly and checks the limits that the encoding alone does not.
    pub fn from_frame(mut frame: Vec<u8>) -> Result<Self, DecodeError> {
        if let Some((case, id, head_bytes)) = parse_chunk_head(&frame) {
            frame.drain(..head_bytes);
            return Ok(Message::Chunk(Chunk { case, id, bytes: ByteVec::from(frame) }));
        }
        let message: Message = from_bytes(&frame, FRAME_BYTES_MAX)?;
        message.check().map(|()| message).map_err(|what| DecodeError::Malformed(what.into()))
    }

    /// The case a message is about, if it is about one.
    pub fn case(&self) -> Option<CaseId> {
        match self {
            Message::Hello(_) | Message::Digests(_) | Message::Cards(_) => None,
            Message::Sketch(m) => Some(m.case),
            Message::Heads(m) => Some(m.case),
            Message::Probe(m) => Some(m.case),
            Message::Common(m) => Some(m.case),
            Message::Entries(m) => Some(m.case),
            Message::Ack(m) => Some(m.case),
            Message::ChunkRequest(m) | Message::Hurry(m) => Some(m.case),
            Message::Chunk(m) => Some(m.case),
            Message::Missing(m) | Message::HaveMore(m) | Message::Cancel(m) => Some(m.case),
            Message::Live(m) => Some(m.case),
            Message::Unshare(case) => Some(*case),
            Message::Frontier(m) => Some(m.case),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let ascending = |heads: &[DeviceHeads]| {
            heads.iter().all(DeviceHeads::is_well_formed) && heads.is_sorted_by(|a, b| a.device < b.device)
        };
        let sound = match self {
            // A chunk in its one form was read before; what comes here is too long.
            Message::Chunk(_) => false,
            Message::Heads(heads) => ascending(&heads.heads.0) && heads.matched.len() <= DEVICES_MAX.div_ceil(8),
            Message::Ack(ack) => ascending(&ack.heads.0),
            Message::Probe(probe) => {
                !probe.points.0.is_empty() && probe.points.0.is_sorted_by(|a, b| a.sequence > b.sequence)
            }
            Message::Live(live) => live.bytes.len() <= LIVE_BYTES_MAX && live.slot < LIVE_KINDS_MAX,
            Message::Cards(cards) => cards.0.iter().all(|card| card.len() <= CARD_BYTES_MAX),
            Message::ChunkRequest(request) | Message::Hurry(request) => !request.ids.0.is_empty(),
            _ => true,
        };
        sound.then_some(()).ok_or("a field is outside its limits")
    }
}

/// Everything of a chunk's frame but the chunk.
fn chunk_head(case: &CaseId, id: &ChunkId, bytes: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(CHUNK_HEAD_BYTES_MAX);
    let mut e = Encoder::new(&mut head);
    // Writing to a Vec cannot fail.
    let _ = e.array(2).and_then(|e| e.u8(CHUNK_INDEX)?.array(1)?.map(3)).and_then(|e| {
        e.u8(0)?.bytes(&case.0)?.u8(1)?.bytes(&id.0)?.u8(2)?;
        e.bytes_len(bytes as u64)
    });
    head
}

/// Reads a chunk's head if the frame is a chunk in its one deterministic form and within the limit.
fn parse_chunk_head(frame: &[u8]) -> Option<(CaseId, ChunkId, usize)> {
    let case = CaseId(frame.get(CHUNK_CASE_OFFSET..CHUNK_CASE_OFFSET + 32)?.try_into().ok()?);
    let id = ChunkId(frame.get(CHUNK_ID_OFFSET..CHUNK_ID_OFFSET + 32)?.try_into().ok()?);
    // The length decides how many bytes its own number takes: 1, 2, 3 or 5.
    [1, 2, 3, 5].into_iter().find_map(|length_bytes| {
        let head_bytes = CHUNK_ID_OFFSET + 32 + 1 + length_bytes;
        let bytes = frame.len().checked_sub(head_bytes)?;
        let fits = bytes <= CHUNK_BYTES_MAX && frame.starts_with(&chunk_head(&case, &id, bytes));
        (fits && chunk_head(&case, &id, bytes).len() == head_bytes).then_some((case, id, head_bytes))
    })
}

/// Number of [`Message::Chunk`].
const CHUNK_INDEX: u8 = 9;
/// After array, number, array, map, key 0 and the two bytes that open 32 bytes.
const CHUNK_CASE_OFFSET: usize = 7;
const CHUNK_ID_OFFSET: usize = CHUNK_CASE_OFFSET + 32 + 3;
const CHUNK_HEAD_BYTES_MAX: usize = CHUNK_ID_OFFSET + 32 + 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::id::Bytes;
    use crate::encoding::random::Seeded;

    fn case(n: u8) -> CaseId {
        CaseId([n; 32])
    }

    /// A message of each kind, filled from the seed.
    fn message(seed: u64) -> Message {
        let mut rng = Seeded::new(seed);
        let r = &mut rng;
        let case = case(r.below(256) as u8);
        let ids = |r: &mut Seeded| List((0..r.below(CHUNK_IDS_MAX) + 1).map(|n| ChunkId([n as u8; 32])).collect());
        let bytes = |r: &mut Seeded, max| ByteVec::from(vec![7; r.below(max + 1)]);
        let heads = |r: &mut Seeded| {
            let item = |n: usize| DeviceHeads {
                device: DeviceKey([n as u8; 32]),
                heads: List((0..3).map(|s| Head { sequence: s << (n % 60), id: EntryId([n as u8; 32]) }).collect()),
            };
            List((0..r.below(20)).map(item).collect())
        };
        let device = DeviceKey([3; 32]);
        match r.below(18) {
            0 => Message::Hello(Hello { version: r.below(1 << 32) as u32, features: u64::MAX >> r.below(64) }),
            1 => Message::Digests(List(vec![CaseDigest { case, digest: Bytes([1; 32]), answer: true }; r.below(9)])),
            2 => {
                Message::Sketch(Sketch { case, digest: Bytes([2; 32]), items: List(vec![Bytes([5; 8]); r.below(99)]) })
            }
            3 => Message::Heads(Heads { case, matched: bytes(r, 128), heads: heads(r) }),
            4 => {
                let points = (0..r.below(PROBE_POINTS_MAX) as u64 + 1).rev();
                let points = points.map(|sequence| Head { sequence, id: EntryId([1; 32]) }).collect();
                Message::Probe(Probe { case, device, points: List(points) })
            }
            5 => Message::Common(Common { case, device, head: EntryId([1; 32]), common: None }),
            6 => Message::Common(Common { case, device, head: EntryId([1; 32]), common: Some(EntryId([2; 32])) }),
            7 => Message::Entries(Entries { case, entries: List(vec![bytes(r, 999); r.below(9)]) }),
            8 => Message::Ack(Ack {
                case,
                heads: heads(r),
                taken: r.below(1 << 32) as u32,
                stored: r.below(2) == 0,
                hold: r.below(2) == 0,
            }),
            9 => Message::ChunkRequest(ChunkRequest { case, class: Class::ALL[r.below(5)], ids: ids(r) }),
            10 => {
                let most = [0, 23, 24, 255, 256, 65_535, 65_536, CHUNK_BYTES_MAX][r.below(8)];
                Message::Chunk(Chunk { case, id: ChunkId([4; 32]), bytes: ByteVec::from(vec![1; most]) })
            }
            11 => Message::Missing(Chunks { case, ids: ids(r) }),
            12 => Message::HaveMore(Chunks { case, ids: List(vec![]) }),
            13 => Message::Cancel(Chunks { case, ids: ids(r) }),
            14 => Message::Live(Live { case, slot: 7, bytes: bytes(r, LIVE_BYTES_MAX) }),
            15 => Message::Cards(List(vec![bytes(r, CARD_BYTES_MAX); r.below(CARDS_MAX)])),
            16 => Message::Hurry(ChunkRequest { case, class: Class::Screen, ids: ids(r) }),
            _ => Message::Unshare(case),
        }
    }

    proptest! {
        #[test]
        fn every_message_is_read_back_as_written(seed: u64) {
            let message = message(seed);
            let frame = message.clone().into_frame().into_vec();
            prop_assert_eq!(&frame, &to_bytes(&message), "a frame is the plain encoding");
            prop_assert!(frame.len() <= FRAME_BYTES_MAX);
            prop_assert_eq!(Message::from_frame(frame), Ok(message));
        }

        #[test]
        fn random_and_mutated_bytes_never_panic(seed: u64, at: prop::sample::Index, to: u8, cut: prop::sample::Index) {
            let mut frame = message(seed).into_frame().into_vec();
            let at = at.index(frame.len());
            frame[at] = to;
            if let Ok(back) = Message::from_frame(frame.clone()) {
                prop_assert_eq!(back.into_frame().into_vec(), frame.clone(), "what is accepted has one form");
            }
            frame.truncate(cut.index(frame.len()));
            let _ = Message::from_frame(frame);
        }
    }

    #[test]
    fn a_frontier_message_is_read_back_as_written() {
        let mut frontier = Frontier::default();
        frontier.set(DeviceKey([1; 32]), vec![Head { sequence: 3, id: EntryId([9; 32]) }]);
        let message = Message::Frontier(CaseFrontier { case: case(1), frontier });
        assert_eq!(Message::from_frame(message.clone().into_frame().into_vec()), Ok(message));
    }

    #[test]
    fn hostile_frames_are_refused() {
        let chunk = |n| Message::Chunk(Chunk { case: case(1), id: ChunkId([1; 32]), bytes: ByteVec::from(vec![0; n]) });
        let point = |sequence| Head { sequence, id: EntryId([1; 32]) };
        let probe = |points| Message::Probe(Probe { case: case(1), device: DeviceKey([1; 32]), points: List(points) });
        let mut trailing = to_bytes(&Message::Unshare(case(1)));
        trailing.push(0);
        let mut long_form = to_bytes(&Message::Unshare(case(1)));
        long_form.splice(1..2, [0x18, 15]);
        let hostile: Vec<(&str, Vec<u8>)> = vec![
            ("an empty frame", vec![]),
            ("a frame that is too long", vec![0; FRAME_BYTES_MAX + 1]),
            ("a chunk that is too long", to_bytes(&chunk(CHUNK_BYTES_MAX + 1))),
            ("a list that claims four billion items", vec![0x82, 0x01, 0x81, 0x9a, 0xff, 0xff, 0xff, 0xff]),
            ("a list without a length", vec![0x82, 0x01, 0x81, 0x9f, 0xff]),
            (
                "too many ids",
                to_bytes(&Message::Cancel(Chunks { case: case(1), ids: List(vec![ChunkId([0; 32]); 129]) })),
            ),
            (
                "too many entries",
                to_bytes(&Message::Entries(Entries { case: case(1), entries: List(vec![ByteVec::from(vec![]); 513]) })),
            ),
            (
                "a request for nothing",
                to_bytes(&Message::ChunkRequest(ChunkRequest {
                    case: case(1),
                    class: Class::Screen,
                    ids: List(vec![]),
                })),
            ),
            ("an unknown class", {
                let mut b = to_bytes(&Message::ChunkRequest(ChunkRequest {
                    case: case(1),
                    class: Class::Series,
                    ids: List(vec![ChunkId([0; 32])]),
                }));
                b[40] = 9;
                b
            }),
            ("an unknown message", vec![0x82, 0x18, 0x63, 0x81, 0x00]),
            ("a probe of nothing", to_bytes(&probe(vec![]))),
            ("a probe that goes up", to_bytes(&probe(vec![point(1), point(2)]))),
            (
                "a live message that is too long",
                to_bytes(&Message::Live(Live {
                    case: case(1),
                    slot: 0,
                    bytes: ByteVec::from(vec![0; LIVE_BYTES_MAX + 1]),
                })),
            ),
            (
                "a live slot that does not exist",
                to_bytes(&Message::Live(Live { case: case(1), slot: LIVE_KINDS_MAX, bytes: ByteVec::from(vec![]) })),
            ),
            (
                "a card that is too long",
                to_bytes(&Message::Cards(List(vec![ByteVec::from(vec![0; CARD_BYTES_MAX + 1])]))),
            ),
            ("bytes after the end", trailing),
            ("a number in a longer form", long_form),
        ];
        for (attack, frame) in hostile {
            assert!(Message::from_frame(frame).is_err(), "{attack}");
        }
    }
}
