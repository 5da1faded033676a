//! One peer as a source of chunks: what it was asked for, how fast it is, what it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::Instant;
use super::fetch::Rank;
use super::rate::{Rate, Window};
use crate::encoding::id::{CaseId, ChunkId};

/// Bytes asked for at first: two seconds' worth at 2 Mbit/s.
const WINDOW_START_BYTES: u64 = 512 * 1024;

/// Most bytes asked for at once: enough for 300 MB/s over a line of 50 ms.
const WINDOW_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Expected size of a chunk before any has come, in bytes.
const AVERAGE_START_BYTES: u64 = 128 * 1024;

/// A source that sends nothing for this long, or four times as long as a chunk takes, loses its requests.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// It is not asked again for this long, if others can be; doubled each time up to the second.
const PAUSE_MIN: Duration = Duration::from_secs(5);
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Source {
    pub(super) cases: BTreeSet<CaseId>,
    pub(super) outstanding: BTreeMap<ChunkId, (CaseId, u64)>,
    /// The same, in the order of asking.
    pub(super) by_age: BTreeMap<u64, ChunkId>,
    pub(super) gaps: BTreeMap<CaseId, Gap>,
    pub(super) window: Window,
    pub(super) rate: Rate,
    pub(super) average_bytes: u64,
    /// Chunks it said it lacks since it last sent one: asked for besides the window, since they cost the line nothing.
    pub(super) lacking: usize,
    /// Chunks that may still come though they were cancelled.
    pub(super) late_allowed: u64,
    pub(super) last_progress: Instant,
    pub(super) pause: Duration,
    pub(super) paused_until: Option<Instant>,
    pub(super) stall_timer: bool,
}

#[derive(Debug)]
pub(super) struct Gap {
    pub(super) missing: BTreeSet<ChunkId>,
    /// Everything pending below this rank is missing there.
    pub(super) from: Rank,
}

impl Source {
    pub(super) fn new() -> Self {
        Self {
            cases: BTreeSet::new(),
            outstanding: BTreeMap::new(),
            by_age: BTreeMap::new(),
            gaps: BTreeMap::new(),
            window: Window::new(WINDOW_START_BYTES, WINDOW_BYTES_MAX),
            rate: Rate::default(),
            average_bytes: AVERAGE_START_BYTES,
            lacking: 0,
            late_allowed: 0,
            last_progress: Duration::ZERO,
            pause: PAUSE_MIN,
            paused_until: None,
            stall_timer: false,
        }
    }

    pub(super) fn outstanding_bytes(&self) -> u64 {
        self.average_bytes.saturating_mul(self.outstanding.len() as u64)
    }

    pub(super) fn forget(&mut self, id: &ChunkId) -> Option<CaseId> {
        let (case, age) = self.outstanding.remove(id)?;
        self.by_age.remove(&age);
        Some(case)
    }

    pub(super) fn lacks(&self, case: &CaseId, id: &ChunkId) -> bool {
        self.gaps.get(case).is_some_and(|gap| gap.missing.contains(id))
    }

    /// When it is to be called silent.
    pub(super) fn deadline(&self) -> Instant {
        let slow = self.rate.time_for(self.average_bytes.saturating_mul(4)).unwrap_or_default();
        self.last_progress + PATIENCE.max(slow.min(PATIENCE_MAX))
    }

    /// How long what it was asked for will take, judged by its rate and by its silence.
    pub(super) fn time_left(&self, now: Instant) -> Duration {
        let silent = now.saturating_sub(self.last_progress).saturating_mul(2);
        self.rate.time_for(self.outstanding_bytes()).unwrap_or_default().max(silent)
    }

    pub(super) fn progress(&mut self, now: Instant) {
        self.last_progress = now;
        self.pause = PAUSE_MIN;
        self.paused_until = None;
    }
}
