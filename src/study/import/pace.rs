//! How an import is watched, stopped and kept within its memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::study::source::SourceFile;

/// Most bytes of files that are worked on at once. A file needs up to twice its length in memory.
pub const IN_FLIGHT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    pub files_done: u64,
    pub files: u64,
    pub bytes_done: u64,
    pub bytes: u64,
}

/// The caller's hand on a running import.
pub struct Control<'a> {
    /// Set to stop soon.
    pub cancelled: &'a AtomicBool,
    /// Called after each file, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

impl Control<'_> {
    pub(super) fn check(&self) -> Result<(), Cancelled> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }
}

/// The caller asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped; what was stored stays, and importing again continues")]
pub struct Cancelled;

/// Counts what is done.
pub(super) struct Tally {
    state: Mutex<Progress>,
}

impl Tally {
    pub(super) fn new<'a>(files: impl IntoIterator<Item = &'a SourceFile>) -> Self {
        let mut progress = Progress::default();
        for file in files {
            progress.files += 1;
            progress.bytes += file.bytes;
        }
        Self { state: Mutex::new(progress) }
    }

    pub(super) fn done(&self, bytes: u64, control: &Control<'_>) {
        let now = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.files_done += 1;
            state.bytes_done += bytes;
            *state
        };
        (control.progress)(now);
    }

    pub(super) fn bytes_in(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes_done
    }
}

/// Lets files in as long as they fit into [`IN_FLIGHT_BYTES_MAX`] together.
pub(super) struct Gate {
    pub(super) bytes: Mutex<u64>,
    left: Condvar,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self { bytes: Mutex::new(0), left: Condvar::new() }
    }

    /// Waits for room. A file that never fits waits until it is alone.
    pub(super) fn pass(&self, bytes: u64) -> Pass<'_> {
        let inside = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |inside: &mut u64| *inside > 0 && inside.saturating_add(bytes) > IN_FLIGHT_BYTES_MAX;
        let mut inside = self.left.wait_while(inside, full).unwrap_or_else(PoisonError::into_inner);
        *inside = inside.saturating_add(bytes);
        Pass { gate: self, bytes }
    }
}

pub(super) struct Pass<'a> {
    gate: &'a Gate,
    bytes: u64,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut inside = self.gate.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *inside = inside.saturating_sub(self.bytes);
        self.gate.left.notify_all();
    }
}
