//! Writing a bundle, and reading it back before anybody relies on it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io::{Read, Seek, Write};
use std::ops::ControlFlow;

use minicbor::bytes::ByteVec;

use super::error::{CheckError, PackError, SourceError};
use super::head::{BUCKETS, Found, Head, RECIPIENTS_MAX, Serial};
use super::record::{CLOSING, MESSAGE, OPENING, record_head};
use super::segment::SegmentWriter;
use super::statement::{CASES_MAX, CaseCount, Closing, ClosingStatement, Opening, OpeningCase, OpeningStatement};
use super::unpack::OpenBundle;
use crate::case::entry::ACCESS_ENTRY_BYTES_MAX;
use crate::encoding::id::{Bytes, CaseId, ChunkId};
use crate::encoding::labels::FORMAT_VERSION;
use crate::encoding::random::CryptoRng;
use crate::encoding::time::Timestamp;
use crate::encoding::to_bytes;
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceKey, SealingKey, SigningSecret};
use crate::seal::bundle::BundleKey;
use crate::seal::chunk::CHUNK_BYTES_MAX;
use crate::sync::frontier::Frontier;
use crate::sync::message::{
    CARD_BYTES_MAX, CARDS_MAX, CaseFrontier, Chunk, ENTRIES_MAX, Entries, Frame, List, Message,
};

/// Entries are put into one message up to this many bytes: a bad spot on a stick costs whole messages.
const ENTRIES_MESSAGE_BYTES: usize = 32 * 1024;

/// Items that are read while the bundle is written, so that it never lies whole in memory.
pub type Source<'a, T> = Box<dyn Iterator<Item = Result<T, SourceError>> + 'a>;

/// A device the bundle is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub device: DeviceKey,
    pub sealing: SealingKey,
}

/// What goes into a bundle of one case.
pub struct CasePack<'a> {
    pub case: CaseId,
    /// What the sender has: a hint for whoever packs the answer.
    pub frontier: Frontier,
    /// Sealed, signed entries, each after its parents.
    pub entries: Source<'a, Vec<u8>>,
    /// Sealed chunks, the most useful first.
    pub chunks: Source<'a, (ChunkId, Vec<u8>)>,
}

/// A bundle to be packed.
pub struct PackPlan<'a> {
    /// All devices of every recipient, and the sender's other devices if they are to read it.
    pub recipients: Vec<Recipient>,
    /// The sender's device: `signing` must be the secret half of the key in `certificate`.
    pub certificate: &'a DeviceCertificate,
    pub signing: &'a SigningSecret,
    pub now: Timestamp,
    pub cases: Vec<CasePack<'a>>,
    /// Signed cards, as bytes.
    pub cards: Vec<Vec<u8>>,
}

/// A bundle that was written. It is not safe yet: flush the file, then [`check`](Packed::check) it, then rename it.
pub struct Packed {
    pub serial: Serial,
    /// Length of the bundle.
    pub bytes: u64,
    /// In order of the ids.
    pub cases: Vec<CaseCount>,
    pub cards: u64,
    key: BundleKey,
    head_hash: [u8; 32],
}

impl Packed {
    pub fn entries(&self) -> u64 {
        self.cases.iter().map(|case| case.entries).sum()
    }

    pub fn chunks(&self) -> u64 {
        self.cases.iter().map(|case| case.chunks).sum()
    }

    /// Reads the bundle back and compares it with what was packed. It uses the bundle's own key, so the sender need
    /// not be a recipient.
    pub fn check<R: Read + Seek>(&self, mut reader: R) -> Result<(), CheckError> {
        let found = Found::find(&mut reader)?;
        if found.hash != self.head_hash {
            return Err(CheckError::OtherBundle);
        }
        let mut bundle = OpenBundle::with_key(reader, found, &self.key)?;
        let Ok(tally) = bundle.read_all(|_| Ok::<_, Infallible>(()));
        let same = tally.whole && tally.cases == self.cases && tally.cards == self.cards;
        if !same || tally.problem_count > 0 || bundle.outline().bytes != self.bytes {
            let first = tally.problems.into_iter().next();
            return Err(CheckError::Damaged { problems: tally.problem_count, first });
        }
        Ok(())
    }
}

/// Writes a bundle: cards, then the entries of every case, then the chunks of every case.
///
/// `writer` starts at the first byte of a new file; it is written in pieces of 64 KiB, not sought, not flushed.
/// `progress` is told the bytes written so far, after each message, and may stop the packing. After an error the file
/// is of no use.
pub fn pack<W: Write>(
    writer: &mut W,
    plan: PackPlan<'_>,
    rng: &mut impl CryptoRng,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Packed, PackError> {
    let PackPlan { recipients, certificate, signing, now, mut cases, cards } = plan;
    cases.sort_by_key(|pack| pack.case);
    check_cases(&cases)?;

    let key = BundleKey::random(rng);
    let head = seal_head(&key, &recipients, rng)?;
    let head_bytes = head.to_bytes();
    let head_hash = trailing_hash(&head_bytes);
    writer.write_all(&head_bytes).map_err(PackError::Write)?;

    let listed = cases.iter().map(|pack| OpeningCase { case: pack.case, frontier: pack.frontier.digest() });
    let statement = OpeningStatement {
        format: FORMAT_VERSION,
        serial: head.serial,
        head_hash: Bytes(head_hash),
        key_commitment: Bytes(key.commitment()),
        sender: certificate.clone(),
        packed: now,
        cases: List(listed.collect()),
    };
    let opening = to_bytes(&Opening::sign(statement, signing));

    let counts = cases.iter().map(|pack| (pack.case, CaseCount::none(pack.case))).collect();
    let segments = SegmentWriter::new(writer, key.segment_key(&head_hash));
    let mut packing = Packing {
        segments,
        content: blake3::Hasher::new(),
        records: 0,
        before_bytes: head_bytes.len() as u64,
        counts,
        progress,
    };
    packing.record(OPENING, &[&opening])?;
    let card_count = cards.len() as u64;
    packing.cards(cards)?;
    let mut chunk_sources = Vec::with_capacity(cases.len());
    for pack in cases {
        packing.message(Message::Frontier(CaseFrontier { case: pack.case, frontier: pack.frontier }))?;
        packing.entries(pack.case, pack.entries)?;
        chunk_sources.push((pack.case, pack.chunks));
    }
    for (case, chunks) in chunk_sources {
        packing.chunks(case, chunks)?;
    }
    let (cases, segment_bytes) = packing.close(opening, signing)?;
    writer.write_all(&head_bytes).map_err(PackError::Write)?;
    let bytes = segment_bytes + 2 * head_bytes.len() as u64;
    Ok(Packed { serial: head.serial, bytes, cases, cards: card_count, key, head_hash })
}

fn check_cases(cases: &[CasePack<'_>]) -> Result<(), PackError> {
    if cases.len() > CASES_MAX {
        return Err(PackError::TooManyCases { cases: cases.len(), max: CASES_MAX });
    }
    if !cases.is_sorted_by(|a, b| a.case < b.case) {
        return Err(PackError::RepeatedCase);
    }
    Ok(())
}

/// Seals the key to each device once, fills up with decoys, and shuffles.
fn seal_head(key: &BundleKey, recipients: &[Recipient], rng: &mut impl CryptoRng) -> Result<Head, PackError> {
    let mut seen = BTreeSet::new();
    let recipients: Vec<_> = recipients.iter().filter(|recipient| seen.insert(recipient.device)).collect();
    if recipients.is_empty() {
        return Err(PackError::NoRecipient);
    }
    let bucket = BUCKETS.into_iter().find(|bucket| *bucket >= recipients.len());
    let bucket = bucket.ok_or(PackError::TooManyRecipients { devices: recipients.len(), max: RECIPIENTS_MAX })?;
    let serial = Serial::random(rng);
    let mut seals = Vec::with_capacity(bucket);
    for recipient in recipients {
        let seal = key.seal_to(&serial.0, recipient.device, &recipient.sealing, rng);
        seals.push(seal.map_err(|_| PackError::UnusableKey)?);
    }
    while seals.len() < bucket {
        seals.push(BundleKey::decoy(rng).map_err(|_| PackError::UnusableKey)?);
    }
    // Fisher and Yates; the bias of the remainder over 64 bits is nothing for at most 128 places.
    for last in (1..seals.len()).rev() {
        let other = (rng.next_u64() % (last as u64 + 1)) as usize;
        seals.swap(last, other);
    }
    Ok(Head { serial, seals })
}

/// The hash a head ends with.
fn trailing_hash(head: &[u8]) -> [u8; 32] {
    head.last_chunk().copied().unwrap_or_default()
}

/// A bundle being written.
struct Packing<'a, 'w, W> {
    segments: SegmentWriter<'w, W>,
    content: blake3::Hasher,
    records: u64,
    before_bytes: u64,
    counts: BTreeMap<CaseId, CaseCount>,
    progress: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
}

impl<W: Write> Packing<'_, '_, W> {
    fn cards(&mut self, cards: Vec<Vec<u8>>) -> Result<(), PackError> {
        if let Some(card) = cards.iter().find(|card| card.len() > CARD_BYTES_MAX) {
            return Err(PackError::CardTooLong { bytes: card.len(), max: CARD_BYTES_MAX });
        }
        for some in cards.chunks(CARDS_MAX) {
            let some = some.iter().cloned().map(ByteVec::from).collect();
            self.message(Message::Cards(List(some)))?;
        }
        Ok(())
    }

    fn entries(&mut self, case: CaseId, entries: Source<'_, Vec<u8>>) -> Result<(), PackError> {
        let mut batch: Vec<ByteVec> = Vec::new();
        let mut batch_bytes = 0;
        for entry in entries {
            let entry = entry.map_err(PackError::Source)?;
            if entry.len() > ACCESS_ENTRY_BYTES_MAX {
                return Err(PackError::EntryTooLong { bytes: entry.len(), max: ACCESS_ENTRY_BYTES_MAX });
            }
            let full = batch.len() == ENTRIES_MAX || batch_bytes + entry.len() > ENTRIES_MESSAGE_BYTES;
            if full && !batch.is_empty() {
                self.batch(case, std::mem::take(&mut batch))?;
                batch_bytes = 0;
            }
            batch_bytes += entry.len();
            batch.push(entry.into());
        }
        if batch.is_empty() { Ok(()) } else { self.batch(case, batch) }
    }

    fn batch(&mut self, case: CaseId, entries: Vec<ByteVec>) -> Result<(), PackError> {
        if let Some(count) = self.counts.get_mut(&case) {
            count.entries += entries.len() as u64;
        }
        self.message(Message::Entries(Entries { case, entries: List(entries) }))
    }

    fn chunks(&mut self, case: CaseId, chunks: Source<'_, (ChunkId, Vec<u8>)>) -> Result<(), PackError> {
        for chunk in chunks {
            let (id, bytes) = chunk.map_err(PackError::Source)?;
            if bytes.len() > CHUNK_BYTES_MAX {
                return Err(PackError::ChunkTooLong { bytes: bytes.len(), max: CHUNK_BYTES_MAX });
            }
            if let Some(count) = self.counts.get_mut(&case) {
                count.chunks += 1;
                count.chunk_bytes += bytes.len() as u64;
            }
            self.message(Message::Chunk(Chunk { case, id, bytes: bytes.into() }))?;
        }
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<(), PackError> {
        let Frame { head, body } = message.into_frame();
        self.record(MESSAGE, &[&head, &body])?;
        let written = self.before_bytes + self.segments.bytes_written();
        match (self.progress)(written) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(PackError::Stopped),
        }
    }

    fn record(&mut self, kind: u8, frame: &[&[u8]]) -> Result<(), PackError> {
        let frame_bytes = frame.iter().map(|part| part.len()).sum();
        self.segments.start_record().map_err(PackError::Write)?;
        self.records += u64::from(kind != CLOSING);
        let head = record_head(kind, frame_bytes);
        for part in [head.as_slice()].iter().chain(frame) {
            if kind != CLOSING {
                self.content.update(part);
            }
            self.segments.push(part).map_err(PackError::Write)?;
        }
        Ok(())
    }

    /// Writes the closing record and the last segment; gives the counts and the bytes of all segments.
    fn close(mut self, opening: Vec<u8>, signing: &SigningSecret) -> Result<(Vec<CaseCount>, u64), PackError> {
        let cases: Vec<_> = self.counts.values().copied().collect();
        let statement = ClosingStatement {
            content: Bytes(*self.content.finalize().as_bytes()),
            opening: Bytes(*blake3::hash(&opening).as_bytes()),
            records: self.records,
            cases: List(cases.clone()),
        };
        let closing = to_bytes(&Closing::sign(opening, statement, signing));
        self.record(CLOSING, &[&closing])?;
        Ok((cases, self.segments.finish().map_err(PackError::Write)?))
    }
}
