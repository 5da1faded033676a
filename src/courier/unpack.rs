//! Opening a bundle and taking out what verifies.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Seek};

use super::error::{BundleError, Problem, RecordFault};
use super::head::{Found, Outline};
use super::record::{CLOSING, MESSAGE, OPENING, RawRecord, RawRecords, record_head};
use super::segment::{PAYLOAD_BYTES, SegmentRange};
use super::statement::{CASES_MAX, CLOSING_BYTES_MAX, CaseCount, Closing, Opening, Sender};
use crate::case::entry::ACCESS_ENTRY_BYTES_MAX;
use crate::encoding::DecodeError;
use crate::encoding::id::{CaseId, ChunkId};
use crate::identity::keys::{DeviceKey, SealingSecret, Secret};
use crate::seal::bundle::BundleKey;
use crate::sync::message::Message;

/// Most problems a [`Tally`] lists; it counts all.
pub const PROBLEMS_KEPT_MAX: usize = 1000;

/// Opens a bundle with the key of this device, by trying every seal.
///
/// Reads both heads and the sender's statement; more only if that is damaged at its first place. A damaged bundle
/// opens as long as one head is intact; [`OpenBundle::records`] says what is lost.
pub fn open<R: Read + Seek>(
    mut reader: R,
    device: DeviceKey,
    secret: &SealingSecret,
) -> Result<OpenBundle<R>, BundleError> {
    let found = Found::find(&mut reader)?;
    let key = BundleKey::open_any(&found.head.seals, &found.head.serial.0, device, secret);
    OpenBundle::with_key(reader, found, &key.map_err(|_| BundleError::NotForMe)?)
}

/// A bundle this device can read.
pub struct OpenBundle<R> {
    reader: R,
    found: Found,
    range: SegmentRange,
    segment_key: Secret,
    opening: Option<Opening>,
}

impl<R: Read + Seek> OpenBundle<R> {
    pub(super) fn with_key(mut reader: R, found: Found, key: &BundleKey) -> Result<Self, BundleError> {
        let after = if found.second_intact { found.head_bytes } else { 0 };
        let range = SegmentRange::new(found.head_bytes, found.file_bytes.saturating_sub(after));
        let segment_key = key.segment_key(&found.hash);
        let opening = find_opening(&mut reader, &segment_key, range, &found)?
            .map(|bytes| Opening::read(&bytes, found.head.serial, &found.hash, &key.commitment()))
            .transpose()?;
        Ok(Self { reader, found, range, segment_key, opening })
    }

    pub fn outline(&self) -> Outline {
        Outline { serial: self.found.head.serial, bytes: self.found.file_bytes, seals: self.found.head.seals.len() }
    }

    /// Who packed it, by her signature; `None` if both places that say so are damaged. Whether she is a colleague is
    /// for the caller to judge.
    pub fn sender(&self) -> Option<Sender> {
        self.opening.as_ref().map(Opening::sender)
    }

    /// The cases the sender named, in order of their ids; empty if she is unknown.
    pub fn cases(&self) -> Vec<CaseId> {
        let cases = self.opening.iter().flat_map(|opening| &opening.statement.cases.0);
        cases.map(|item| item.case).collect()
    }

    /// Everything in the bundle from its start, with what is lost in its place.
    pub fn records(&mut self) -> Records<'_, R> {
        let mut waiting = VecDeque::new();
        if !self.found.first_intact {
            waiting.push_back(Problem::FirstHead);
        }
        if !self.found.second_intact {
            waiting.push_back(Problem::SecondHead);
        }
        if self.opening.is_none() {
            waiting.push_back(Problem::SenderUnknown);
        }
        Records {
            raw: RawRecords::new(&mut self.reader, &self.segment_key, self.range, self.found.second_intact, 0),
            opening: self.opening.as_ref(),
            file_bytes: self.found.file_bytes,
            head_bytes: self.found.head_bytes,
            waiting,
            content: blake3::Hasher::new(),
            records: 0,
            closing: None,
            whole: false,
            ended: false,
        }
    }

    /// Hands every message to `sink`, which may stop by an error, and counts what came and what is lost.
    pub fn read_all<E>(&mut self, mut sink: impl FnMut(Message) -> Result<(), E>) -> Result<Tally, E> {
        let sender = self.sender();
        let mut cases: BTreeMap<CaseId, CaseCount> =
            self.cases().into_iter().map(|case| (case, CaseCount::none(case))).collect();
        let mut tally = Tally { sender, ..Tally::default() };
        let mut records = self.records();
        for record in &mut records {
            match record {
                Ok(message) => {
                    tally.count(&mut cases, &message);
                    sink(message)?;
                }
                Err(problem) => tally.note(problem),
            }
        }
        tally.whole = records.is_whole();
        tally.packed = records.packed().map(<[CaseCount]>::to_vec);
        tally.cases = cases.into_values().collect();
        Ok(tally)
    }
}

/// What came out of a bundle, and what did not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub sender: Option<Sender>,
    /// What is in the bundle and in order.
    pub cases: Vec<CaseCount>,
    /// What the sender packed, if her last statement could be read: the difference is lost.
    pub packed: Option<Vec<CaseCount>>,
    pub cards: u64,
    /// Whether every record is here, as the sender packed it.
    pub whole: bool,
    /// The first [`PROBLEMS_KEPT_MAX`].
    pub problems: Vec<Problem>,
    pub problem_count: u64,
}

impl Tally {
    fn count(&mut self, cases: &mut BTreeMap<CaseId, CaseCount>, message: &Message) {
        if let Message::Cards(cards) = message {
            self.cards += cards.0.len() as u64;
        }
        let Some(case) = message.case() else { return };
        // A damaged bundle may not say how many cases it has, and the count of them must not grow without bound.
        if cases.len() >= CASES_MAX && !cases.contains_key(&case) {
            return;
        }
        let count = cases.entry(case).or_insert(CaseCount::none(case));
        match message {
            Message::Entries(entries) => count.entries += entries.entries.0.len() as u64,
            Message::Chunk(chunk) => {
                count.chunks += 1;
                count.chunk_bytes += chunk.bytes.len() as u64;
            }
            _ => {}
        }
    }

    fn note(&mut self, problem: Problem) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_KEPT_MAX {
            self.problems.push(problem);
        }
    }
}

/// The messages of a bundle: entries, chunks (which have their name), cards, and frontiers that the sender signed.
///
/// Entries and cards are not verified yet, and nothing says that this device is a member of a case.
pub struct Records<'a, R> {
    raw: RawRecords<'a, R>,
    opening: Option<&'a Opening>,
    file_bytes: u64,
    head_bytes: u64,
    waiting: VecDeque<Problem>,
    content: blake3::Hasher,
    records: u64,
    closing: Option<Closing>,
    whole: bool,
    ended: bool,
}

impl<R: Read + Seek> Records<'_, R> {
    /// Whether every record came, as the sender packed it. Known at the end; false before.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// What the sender says she packed. Known at the end, if that part is not damaged.
    pub fn packed(&self) -> Option<&[CaseCount]> {
        self.closing.as_ref().map(|closing| closing.statement.cases.0.as_slice())
    }

    fn take(&mut self, record: RawRecord) -> Option<Result<Message, Problem>> {
        let near = record.near;
        let is_closing = record.kind == CLOSING;
        if !is_closing {
            self.content.update(&record_head(record.kind, record.frame.len())).update(&record.frame);
            self.records += 1;
        }
        let taken = match record.kind {
            // It was read when the bundle was opened.
            OPENING if record.first => return None,
            OPENING => Err(RecordFault::Misplaced),
            MESSAGE => self.judge(record.frame).map(Some),
            CLOSING => self.close(&record.frame).map(|()| None),
            kind => Err(RecordFault::UnknownKind(kind)),
        };
        if is_closing {
            self.ended = true;
            self.waiting.extend(self.raw.end(self.file_bytes, self.head_bytes));
        }
        taken.map_err(|fault| Problem::Record { near, fault }).transpose()
    }

    /// Checks what can be checked without knowing the cases.
    fn judge(&self, frame: Vec<u8>) -> Result<Message, RecordFault> {
        let message = Message::from_frame(frame).map_err(RecordFault::Malformed)?;
        if let (Some(case), Some(opening)) = (message.case(), self.opening)
            && opening.frontier_of(&case).is_none()
        {
            return Err(RecordFault::OtherCase(case));
        }
        match &message {
            Message::Cards(_) => {}
            Message::Entries(entries) => {
                if entries.entries.0.iter().any(|entry| entry.len() > ACCESS_ENTRY_BYTES_MAX) {
                    return Err(RecordFault::EntryTooLong);
                }
            }
            Message::Chunk(chunk) => {
                if ChunkId::of(&chunk.bytes) != chunk.id {
                    return Err(RecordFault::WrongChunk(chunk.id));
                }
            }
            Message::Frontier(frontier) => {
                let signed = self.opening.and_then(|opening| opening.frontier_of(&frontier.case));
                if signed != Some(frontier.frontier.digest()) {
                    return Err(RecordFault::WrongFrontier(frontier.case));
                }
            }
            _ => return Err(RecordFault::NotForBundles),
        }
        Ok(message)
    }

    fn close(&mut self, frame: &[u8]) -> Result<(), RecordFault> {
        let closing = Closing::read(frame)?;
        let Some(opening) = self.opening else { return Ok(()) };
        let statement = &closing.statement;
        let complete = statement.records == self.records && statement.content.0 == *self.content.finalize().as_bytes();
        if closing.verify(opening).is_err() || (!complete && !self.raw.has_gaps()) {
            self.waiting.push_back(Problem::NotAsPacked);
        } else {
            self.whole = complete;
            self.closing = Some(closing);
        }
        Ok(())
    }

    /// The segments ended without a closing record.
    fn run_out(&mut self) {
        self.ended = true;
        if !self.raw.has_gaps() {
            self.waiting.push_back(Problem::NotAsPacked);
        }
    }
}

impl<R: Read + Seek> Iterator for Records<'_, R> {
    type Item = Result<Message, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(problem) = self.waiting.pop_front() {
                return Some(Err(problem));
            }
            if self.ended {
                return None;
            }
            match self.raw.next() {
                Some(Ok(record)) => {
                    if let Some(taken) = self.take(record) {
                        return Some(taken);
                    }
                }
                Some(Err(problem)) => return Some(Err(problem)),
                None => self.run_out(),
            }
        }
    }
}

/// The bytes of the opening: from the first record, or from its copy in the last one if the first is damaged.
fn find_opening<R: Read + Seek>(
    reader: &mut R,
    key: &Secret,
    range: SegmentRange,
    found: &Found,
) -> Result<Option<Vec<u8>>, BundleError> {
    match RawRecords::new(reader, key, range, found.second_intact, 0).next() {
        Some(Ok(record)) if record.kind == OPENING => return Ok(Some(record.frame)),
        Some(Ok(_)) | Some(Err(Problem::Record { .. })) | None => {
            return Err(BundleError::BadOpening(DecodeError::Malformed("no opening stands first".into())));
        }
        Some(Err(_)) => {}
    }
    // The closing is near the end of the file, or if other bytes follow the bundle, anywhere before them.
    let near_end = range.count.saturating_sub((CLOSING_BYTES_MAX / PAYLOAD_BYTES + 2) as u64);
    for from in if near_end > 0 { vec![near_end, 0] } else { vec![0] } {
        let mut records = RawRecords::new(reader, key, range, found.second_intact, from);
        while let Some(record) = records.next() {
            if let Ok(record) = record
                && record.kind == CLOSING
            {
                return Ok(Closing::read(&record.frame).ok().map(|closing| closing.opening.to_vec()));
            }
        }
    }
    Ok(None)
}
