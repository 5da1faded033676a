//! Who the node of a home is.
//!
//! The holder of an exclusive lock on `HOME/lock` is the node; nobody else signs (design 5). The kernel releases
//! the lock when its holder ends, however it ends, so there is nothing stale to clean up: the file is never
//! removed, since a removed file could be locked by one program while a new one is locked by another. The pid in
//! it is for the message only and decides nothing.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::error::HomeError;
use super::home::{prepare_home, private_options, sweep_unfinished};

/// Name of the lock file in a home.
pub const LOCK_FILE: &str = "lock";

/// Longest pid read out of a lock file, in bytes.
const PID_BYTES_MAX: u64 = 20;

/// While this lives, this process is the node of the home.
#[derive(Debug)]
pub struct HomeLock {
    file: File,
}

/// Why this process is not the node.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// `pid` is missing if the holder has not written it yet.
    #[error("another overread{} is running for this home", .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Held { pid: Option<u32> },
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl HomeLock {
    /// Takes the lock or says who holds it; never waits. Creates the home if there is none.
    pub fn take(home: &Path) -> Result<Self, LockError> {
        prepare_home(home)?;
        let path = home.join(LOCK_FILE);
        let io = |error| HomeError::io(&path, error);
        let mut file = private_options().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: read_pid(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(io(error).into()),
        }
        write_pid(&mut file).map_err(io)?;
        sweep_unfinished(home).map_err(io)?;
        Ok(Self { file })
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        // Closing the file releases the lock in any case; this only makes the moment explicit.
        let _ = self.file.unlock();
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(std::process::id().to_string().as_bytes())
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_node_is_refused_and_told_who_runs() {
        let folder = tempfile::tempdir().unwrap();
        let lock = HomeLock::take(folder.path()).unwrap();
        let refused = HomeLock::take(folder.path()).unwrap_err();
        let pid = std::process::id();
        assert!(matches!(refused, LockError::Held { pid: Some(held) } if held == pid));
        assert_eq!(refused.to_string(), format!("another overread (process {pid}) is running for this home"));
        drop(lock);
        HomeLock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_lock_file_left_behind_with_any_content_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        for left_behind in ["", "1", "4294967296000000000000", "\u{1b}[2J"] {
            std::fs::write(folder.path().join(LOCK_FILE), left_behind).unwrap();
            HomeLock::take(folder.path()).unwrap();
        }
    }
}
