//! The sealed segments of a bundle: pieces of one size that open one by one.
//!
//! ```text
//!   sealed   65,536 bytes = AES-256-GCM(key, nonce = number from 0, no aad) of
//!   0    1   1 in the last segment, else 0
//!   1    2   where in the payload the first record starts, big-endian; 0xffff: none starts here
//!   3  65517 payload: the next bytes of the stream of records, zeros after the last record
//! ```
//!
//! The number in the nonce keeps segments in their places, and the flag tells the end of the bundle from a file cut
//! short (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, with the flag sealed instead of in the
//! nonce, so that a reader need not know beforehand which segment is the last).

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::identity::keys::Secret;
use crate::seal::aead::{TAG_BYTES, counter_nonce, open, seal};

/// Length of a sealed segment in bytes.
pub const SEGMENT_BYTES: usize = 64 * 1024;

/// Bytes of the stream of records that one segment carries.
pub(super) const PAYLOAD_BYTES: usize = SEGMENT_BYTES - TAG_BYTES - SEGMENT_HEAD_BYTES;

/// The flag, and where the first record starts.
const SEGMENT_HEAD_BYTES: usize = 3;

/// Stands for "no record starts here"; a payload is shorter.
const NO_RECORD: u16 = 0xffff;

/// Cuts the stream of records into segments and writes them sealed.
pub(super) struct SegmentWriter<'a, W> {
    writer: &'a mut W,
    key: Secret,
    number: u64,
    plain: Vec<u8>,
    first: u16,
}

impl<'a, W: Write> SegmentWriter<'a, W> {
    pub(super) fn new(writer: &'a mut W, key: Secret) -> Self {
        let mut new = Self { writer, key, number: 0, plain: Vec::with_capacity(SEGMENT_BYTES), first: NO_RECORD };
        new.begin();
        new
    }

    /// Says that a record starts with the next byte.
    pub(super) fn start_record(&mut self) -> io::Result<()> {
        if self.room() == 0 {
            self.flush(false)?;
        }
        if self.first == NO_RECORD {
            // Below PAYLOAD_BYTES, so it fits.
            self.first = (self.plain.len() - SEGMENT_HEAD_BYTES) as u16;
        }
        Ok(())
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.room() == 0 {
                self.flush(false)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.plain.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Bytes of the sealed segments written so far.
    pub(super) fn bytes_written(&self) -> u64 {
        self.number * SEGMENT_BYTES as u64
    }

    /// Writes the last segment; gives the bytes of all.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.plain.resize(SEGMENT_HEAD_BYTES + PAYLOAD_BYTES, 0);
        self.flush(true)?;
        Ok(self.bytes_written())
    }

    fn room(&self) -> usize {
        SEGMENT_HEAD_BYTES + PAYLOAD_BYTES - self.plain.len()
    }

    fn begin(&mut self) {
        self.plain.clear();
        self.plain.resize(SEGMENT_HEAD_BYTES, 0);
        self.first = NO_RECORD;
    }

    fn flush(&mut self, last: bool) -> io::Result<()> {
        self.plain[0] = u8::from(last);
        self.plain[1..SEGMENT_HEAD_BYTES].copy_from_slice(&self.first.to_be_bytes());
        seal(&self.key, counter_nonce(self.number), &[], &mut self.plain).map_err(io::Error::other)?;
        self.writer.write_all(&self.plain)?;
        self.number += 1;
        self.begin();
        Ok(())
    }
}

/// An opened segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) last: bool,
    /// Where in the payload the first record starts.
    pub(super) first: Option<usize>,
    plain: Vec<u8>,
}

impl Segment {
    pub(super) fn payload(&self) -> &[u8] {
        self.plain.get(SEGMENT_HEAD_BYTES..).unwrap_or_default()
    }

    /// Takes the segment's own head apart; `None` if its packer did not keep to the format.
    fn parse(plain: Vec<u8>) -> Option<Self> {
        let (&[last, high, low], payload) = plain.split_first_chunk()?;
        let first = u16::from_be_bytes([high, low]);
        let first = if first == NO_RECORD { None } else { Some(usize::from(first)) };
        let fits = last <= 1 && first.is_none_or(|first| first < payload.len());
        fits.then_some(Self { last: last == 1, first, plain })
    }
}

/// Why a segment is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    Damaged,
    Unreadable,
}

/// Reads and opens segments in order; a bad one does not stop it.
pub(super) struct SegmentReader<'a, R> {
    reader: &'a mut R,
    key: &'a Secret,
    range: SegmentRange,
    next: u64,
    spare: Vec<u8>,
}

/// Where in a file its segments lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentRange {
    /// Byte at which the first one starts.
    pub(super) start: u64,
    /// Whole segments that fit.
    pub(super) count: u64,
    /// Bytes after those, less than a segment.
    pub(super) remainder: u64,
}

impl SegmentRange {
    pub(super) fn new(start: u64, end: u64) -> Self {
        let bytes = end.saturating_sub(start);
        Self { start, count: bytes / SEGMENT_BYTES as u64, remainder: bytes % SEGMENT_BYTES as u64 }
    }

    pub(super) fn offset(&self, number: u64) -> u64 {
        self.start.saturating_add(number.saturating_mul(SEGMENT_BYTES as u64))
    }
}

impl<'a, R: Read + Seek> SegmentReader<'a, R> {
    /// Starts with segment `next`.
    pub(super) fn new(reader: &'a mut R, key: &'a Secret, range: SegmentRange, next: u64) -> Self {
        Self { reader, key, range, next, spare: Vec::new() }
    }

    /// The next segment and its number.
    pub(super) fn next(&mut self) -> Option<(u64, Result<Segment, Loss>)> {
        let number = self.next;
        if number >= self.range.count {
            return None;
        }
        self.next += 1;
        Some((number, self.read(number)))
    }

    /// Gives a segment back so that its memory serves for the next.
    pub(super) fn recycle(&mut self, segment: Segment) {
        self.spare = segment.plain;
    }

    fn read(&mut self, number: u64) -> Result<Segment, Loss> {
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.resize(SEGMENT_BYTES, 0);
        let read = self.reader.seek(SeekFrom::Start(self.range.offset(number)));
        read.and_then(|_| self.reader.read_exact(&mut bytes)).map_err(|_| Loss::Unreadable)?;
        open(self.key, counter_nonce(number), &[], &mut bytes).map_err(|_| Loss::Damaged)?;
        Segment::parse(bytes).ok_or(Loss::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::encoding::random::Seeded;
    use crate::seal::bundle::BundleKey;

    fn hex(bytes: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(bytes)
    }

    /// Computed with another implementation; they stand in `keys/bundles.md`.
    #[test]
    fn the_published_known_answers_hold() {
        let key = BundleKey::from_secret(Secret::new([1; 32]));
        assert_eq!(hex(&key.commitment()), "4b76f67b3494bc8e823b236d0730ea37761061cf3832c1b991ba1793a03b1462");
        let segment_key = key.segment_key(&[2; 32]);
        let derived = "3c67ccfcce4e2e37710524dd5ac6cc03c760601102cd96729b30ea443edc2e28";
        assert_eq!(hex(segment_key.reveal()), derived);
        let mut sealed = Vec::new();
        SegmentWriter::new(&mut sealed, segment_key).finish().unwrap();
        assert_eq!(sealed.len(), SEGMENT_BYTES);
        assert_eq!(hex(&sealed[SEGMENT_BYTES - TAG_BYTES..]), "0a3b362f51399e69e2e7719fb655c017");
    }

    #[test]
    fn segments_carry_a_stream_on_at_any_length_and_say_where_records_start() {
        for record_bytes in [1, 100, PAYLOAD_BYTES - 1, PAYLOAD_BYTES, PAYLOAD_BYTES + 1, 3 * PAYLOAD_BYTES] {
            let key = Secret::random(&mut Seeded::new(1));
            let mut sealed = Vec::new();
            let mut writer = SegmentWriter::new(&mut sealed, key.duplicate());
            for n in 1..=4 {
                writer.start_record().unwrap();
                writer.push(&vec![n; record_bytes]).unwrap();
            }
            let bytes = writer.finish().unwrap();
            assert_eq!(bytes, sealed.len() as u64);
            let range = SegmentRange::new(0, bytes);
            let mut reader = Cursor::new(&sealed);
            let mut segments = SegmentReader::new(&mut reader, &key, range, 0);
            let mut stream = Vec::new();
            while let Some((number, segment)) = segments.next() {
                let segment = segment.unwrap();
                let start = number as usize * PAYLOAD_BYTES;
                let first = (0..4).map(|n| n * record_bytes).find(|at| (start..start + PAYLOAD_BYTES).contains(at));
                assert_eq!(segment.first, first.map(|at| at - start), "{record_bytes}, segment {number}");
                assert_eq!(segment.last, number + 1 == range.count);
                stream.extend_from_slice(segment.payload());
            }
            let records: Vec<u8> = (1..=4).flat_map(|n| vec![n; record_bytes]).collect();
            assert!(stream.starts_with(&records) && stream[records.len()..].iter().all(|byte| *byte == 0));
            assert!(stream.len() - records.len() < PAYLOAD_BYTES, "no segment is written without need");
        }
    }
}
