//! A bundle made of the good one by what is done to it, how that is written down, and what a reader makes of it.

use super::*;

/// A bundle made of the good one; what is done to it is done in the order of the fields.
#[derive(Clone, Default)]
pub(super) struct Variant {
    pub(super) name: &'static str,
    /// Other records, in segments of their own.
    pub(super) records: Option<Vec<Item>>,
    /// Bytes put into an opened segment, before it is sealed again: segment, offset, bytes.
    pub(super) put: Vec<(usize, usize, Vec<u8>)>,
    /// The first two segments change places.
    pub(super) swap: bool,
    /// Bytes put into the file: offset, bytes.
    pub(super) set: Vec<(usize, Vec<u8>)>,
    /// Offsets in the file of bytes whose lowest bit is flipped.
    pub(super) flip: Vec<usize>,
    /// Zeros put between the bytes of the file: offset, number.
    pub(super) insert: Option<(usize, usize)>,
    /// Length to which the file is cut.
    pub(super) cut: Option<usize>,
}

#[derive(Clone)]
pub(super) enum Item {
    /// A record of the good bundle.
    Place(usize),
    Other(Record),
}

impl Item {
    pub(super) fn record(&self, good: &Bundle) -> Record {
        match self {
            Self::Place(place) => good.records[*place].clone(),
            Self::Other(record) => record.clone(),
        }
    }

    /// A frame as long as one of the good ones is written as what differs from that.
    pub(super) fn json(&self, good: &Bundle) -> Json {
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
pub(super) fn differences(from: &[u8], to: &[u8]) -> Vec<Json> {
    const SAME_BYTES_MIN: usize = 16;
    let (mut runs, mut at) = (Vec::new(), 0);
    while let Some(start) = (at..to.len()).find(|at| from[*at] != to[*at]) {
        let same = |at: usize| (at..to.len().min(at + SAME_BYTES_MIN)).all(|at| from[at] == to[at]);
        at = (start..to.len()).find(|at| same(*at)).unwrap_or(to.len());
        runs.push(json!({"at": start, "bytes": hex(&to[start..at])}));
    }
    runs
}

pub(super) fn places(places: impl IntoIterator<Item = usize>) -> Vec<Item> {
    places.into_iter().map(Item::Place).collect()
}

impl Variant {
    pub(super) fn named(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    pub(super) fn records(name: &'static str, records: Vec<Item>) -> Self {
        Self { records: Some(records), ..Self::named(name) }
    }

    pub(super) fn flip(name: &'static str, flip: &[usize]) -> Self {
        Self { flip: flip.to_vec(), ..Self::named(name) }
    }

    pub(super) fn put(name: &'static str, segment: usize, at: usize, bytes: &[u8]) -> Self {
        Self { put: vec![(segment, at, bytes.to_vec())], ..Self::named(name) }
    }

    pub(super) fn set(name: &'static str, set: &[(usize, &[u8])]) -> Self {
        Self { set: set.iter().map(|(at, bytes)| (*at, bytes.to_vec())).collect(), ..Self::named(name) }
    }

    pub(super) fn make(&self, good: &Bundle) -> Vec<u8> {
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

    pub(super) fn json(&self, good: &Bundle) -> Json {
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

pub(super) fn refusal(error: &BundleError) -> &'static str {
    match error {
        BundleError::NotABundle => "no-bundle",
        BundleError::OtherVersion(_) => "version",
        BundleError::HeadDamaged => "damaged",
        BundleError::NotForMe => "not-for-this-device",
        BundleError::BadOpening(_) | BundleError::Forged => "opening",
        BundleError::Read(error) => panic!("{error}"),
    }
}

pub(super) fn word(problem: &Problem) -> &'static str {
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
pub(super) fn outcome(good: &Bundle, file: &[u8], device: &DeviceSecrets) -> Result<Json, BundleError> {
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
