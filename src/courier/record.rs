//! The stream of records that runs through the segments, and how reading goes on after a bad spot.
//!
//! ```text
//!   0   4   length of the frame n, big-endian, at most 2 MiB
//!   4   1   kind: 1 opening, 2 message, 3 closing
//!   5   n   frame
//! ```
//!
//! A record may run over several segments and a segment hold several records. Where a segment is lost, so are the
//! records that touch it; the next segment in which a record starts says where.

use std::collections::VecDeque;
use std::io::{Read, Seek};

use super::error::{Problem, RecordFault};
use super::segment::{Loss, SEGMENT_BYTES, Segment, SegmentRange, SegmentReader};
use crate::identity::keys::Secret;
use crate::sync::message::FRAME_BYTES_MAX;

pub(super) const OPENING: u8 = 1;
pub(super) const MESSAGE: u8 = 2;
pub(super) const CLOSING: u8 = 3;

/// Length and kind.
pub(super) const RECORD_HEAD_BYTES: usize = 5;

/// After this many segments in a row that the medium does not give it is taken to be gone, or reading on would wait
/// for its timeout again and again.
const UNREADABLE_SEGMENTS_MAX: u64 = 64;

/// The head of a record with a frame of `frame_bytes`, which must be at most [`FRAME_BYTES_MAX`].
pub(super) fn record_head(kind: u8, frame_bytes: usize) -> [u8; RECORD_HEAD_BYTES] {
    let [a, b, c, d] = (frame_bytes as u32).to_be_bytes();
    [a, b, c, d, kind]
}

/// One record, not judged yet.
pub(super) struct RawRecord {
    pub(super) kind: u8,
    pub(super) frame: Vec<u8>,
    /// Byte of the file at which the segment starts in which the record ends.
    pub(super) near: u64,
    /// Whether it is the first of the bundle.
    pub(super) first: bool,
}

/// Reads records in order, over whatever is damaged between them.
pub(super) struct RawRecords<'a, R> {
    segments: SegmentReader<'a, R>,
    range: SegmentRange,
    /// The segments end where they should: at the second head.
    end_known: bool,
    current: Option<Current>,
    /// What was read of the record that is not complete yet, with its head.
    partial: Vec<u8>,
    /// Whether the next byte continues the stream; false after a loss, until a segment says where a record starts.
    in_step: bool,
    /// Whether a record was read before.
    begun: bool,
    run: Option<Run>,
    gaps: bool,
    waiting: VecDeque<Problem>,
    ended: bool,
}

struct Current {
    segment: Segment,
    number: u64,
    position: usize,
    /// Whether a record started in it already.
    boundary_seen: bool,
}

/// Segments in a row that are lost for the same reason.
struct Run {
    first: u64,
    count: u64,
    loss: Loss,
}

impl<'a, R: Read + Seek> RawRecords<'a, R> {
    /// Starts with segment `from`. `end_known` says that the range ends at an intact second head.
    pub(super) fn new(reader: &'a mut R, key: &'a Secret, range: SegmentRange, end_known: bool, from: u64) -> Self {
        Self {
            segments: SegmentReader::new(reader, key, range, from),
            range,
            end_known,
            current: None,
            partial: Vec::new(),
            in_step: from == 0,
            begun: from != 0,
            run: None,
            gaps: false,
            waiting: VecDeque::new(),
            ended: false,
        }
    }

    /// The next record, or something that is lost; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Result<RawRecord, Problem>> {
        loop {
            if let Some(problem) = self.waiting.pop_front() {
                return Some(Err(problem));
            }
            if self.ended {
                return None;
            }
            if let Some(current) = self.current.take() {
                if let Some(step) = self.take_record(current) {
                    return Some(step);
                }
                continue;
            }
            match self.segments.next() {
                Some((number, Ok(segment))) => self.enter(number, segment),
                Some((number, Err(loss))) => self.lose(number, loss),
                None => self.run_out(),
            }
        }
    }

    /// Whether anything was lost so far.
    pub(super) fn has_gaps(&self) -> bool {
        self.gaps
    }

    /// Ends the reading after the closing record; what is wrong with what follows it.
    pub(super) fn end(&mut self, file_bytes: u64, head_bytes: u64) -> Vec<Problem> {
        self.ended = true;
        let Some(current) = self.current.take() else {
            return vec![];
        };
        let mut problems = Vec::new();
        let rest = current.segment.payload().get(current.position..).unwrap_or_default();
        if !current.segment.last || rest.iter().any(|byte| *byte != 0) {
            problems.push(self.fault(current.number, RecordFault::Misplaced));
        }
        let after = self.range.offset(current.number.saturating_add(1));
        let trailing = file_bytes.saturating_sub(after).saturating_sub(head_bytes);
        if trailing > 0 {
            problems.push(Problem::TrailingBytes { bytes: trailing });
        }
        problems
    }

    fn enter(&mut self, number: u64, segment: Segment) {
        if let Some(run) = self.run.take() {
            self.waiting.push_back(self.problem_of(&run, 0));
        }
        let position = if self.in_step { 0 } else { segment.first.unwrap_or(segment.payload().len()) };
        self.in_step |= segment.first.is_some();
        self.current = Some(Current { segment, number, position, boundary_seen: false });
    }

    fn lose(&mut self, number: u64, loss: Loss) {
        self.fall_out_of_step();
        match &mut self.run {
            Some(run) if run.loss == loss => run.count += 1,
            run => {
                let before = run.replace(Run { first: number, count: 1, loss });
                let problem = before.map(|before| self.problem_of(&before, 0));
                self.waiting.extend(problem);
            }
        }
        if let Some(run) = &mut self.run
            && run.loss == Loss::Unreadable
            && run.count >= UNREADABLE_SEGMENTS_MAX
        {
            run.count = self.range.count.saturating_sub(run.first);
            let problem = self.run.take().map(|run| self.problem_of(&run, self.range.remainder));
            self.waiting.extend(problem);
            self.ended = true;
        }
    }

    /// All segments were read and none of them was the last one of the bundle.
    fn run_out(&mut self) {
        self.gaps = true;
        self.ended = true;
        if let Some(run) = self.run.take() {
            let remainder = if self.end_known { self.range.remainder } else { 0 };
            self.waiting.push_back(self.problem_of(&run, remainder));
            if self.end_known {
                return;
            }
        }
        let offset = self.range.offset(self.range.count).saturating_add(self.range.remainder);
        self.waiting.push_back(Problem::Truncated { offset });
    }

    fn take_record(&mut self, mut current: Current) -> Option<Result<RawRecord, Problem>> {
        let payload = current.segment.payload();
        let number = current.number;
        let rest = payload.get(current.position..).unwrap_or_default();
        let starts_here = self.partial.is_empty() && !rest.is_empty() && self.in_step;
        if starts_here && current.segment.last && rest.iter().take(RECORD_HEAD_BYTES).all(|byte| *byte == 0) {
            // The zeros that fill up the last segment: a bundle without a closing record. No record starts with them,
            // so the segment is right not to name a start here.
            self.leave(current);
            return None;
        }
        if starts_here && !current.boundary_seen {
            current.boundary_seen = true;
            if current.segment.first != Some(current.position) {
                self.fall_out_of_step();
                self.leave(current);
                return Some(Err(self.fault(number, RecordFault::BadBoundary)));
            }
        }
        if self.in_step {
            current.position += self.fill(RECORD_HEAD_BYTES, rest);
        }
        let Some(&[a, b, c, d, kind]) = self.partial.first_chunk() else {
            return self.leave_checked(current);
        };
        let frame_bytes = u32::from_be_bytes([a, b, c, d]) as usize;
        if frame_bytes > FRAME_BYTES_MAX {
            self.fall_out_of_step();
            self.leave(current);
            let fault = RecordFault::TooLong { bytes: frame_bytes, max: FRAME_BYTES_MAX };
            return Some(Err(self.fault(number, fault)));
        }
        let whole = RECORD_HEAD_BYTES + frame_bytes;
        current.position += self.fill(whole, payload.get(current.position..).unwrap_or_default());
        if self.partial.len() < whole {
            return self.leave_checked(current);
        }
        self.current = Some(current);
        let mut frame = std::mem::take(&mut self.partial);
        frame.drain(..RECORD_HEAD_BYTES);
        let first = !std::mem::replace(&mut self.begun, true);
        Some(Ok(RawRecord { kind, frame, near: self.range.offset(number), first }))
    }

    /// Adds to the partial record until it has `length` bytes; how many it took.
    fn fill(&mut self, length: usize, from: &[u8]) -> usize {
        let take = length.saturating_sub(self.partial.len()).min(from.len());
        self.partial.extend_from_slice(&from[..take]);
        take
    }

    /// Leaves a segment whose payload is used up; it must not claim a start that was not met.
    fn leave_checked(&mut self, current: Current) -> Option<Result<RawRecord, Problem>> {
        let number = current.number;
        let contradicts = self.in_step && !current.boundary_seen && current.segment.first.is_some();
        self.leave(current);
        contradicts.then(|| {
            self.fall_out_of_step();
            Err(self.fault(number, RecordFault::BadBoundary))
        })
    }

    fn leave(&mut self, current: Current) {
        // Only a closing record ends a bundle rightly, and then `end` was called.
        self.ended |= current.segment.last;
        self.segments.recycle(current.segment);
    }

    fn fall_out_of_step(&mut self) {
        self.in_step = false;
        self.begun = true;
        self.gaps = true;
        self.partial.clear();
    }

    fn fault(&self, number: u64, fault: RecordFault) -> Problem {
        Problem::Record { near: self.range.offset(number), fault }
    }

    fn problem_of(&self, run: &Run, more_bytes: u64) -> Problem {
        let offset = self.range.offset(run.first);
        let bytes = run.count.saturating_mul(SEGMENT_BYTES as u64).saturating_add(more_bytes);
        match run.loss {
            Loss::Damaged => Problem::Damaged { offset, bytes },
            Loss::Unreadable => Problem::Unreadable { offset, bytes },
        }
    }
}
