//! One received object, sealed on its way to the disk.
//!
//! The disk holds AES-256-GCM under a key that exists in this process's memory only, so what lies there can be read by
//! nobody once the process has ended, however it ended, nor after the vault was locked. An object is cut into pieces of
//! [`PIECE_BYTES`], each sealed by itself, so that memory holds one piece of it and not the object. The nonce is the
//! object's number and the piece's; numbers are never given twice under a key, and how long an object is stays in
//! memory, so pieces can neither change places nor be missing unnoticed.
//!
//! No fsync: nothing here is meant to survive, and nobody could read it if it did. A [`Sealed`] takes its file with it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::{Zeroize, Zeroizing};

use crate::encoding::random;
use crate::identity::keys::Secret;
use crate::seal::aead::{self, TAG_BYTES};
use crate::store::private_options;
use crate::study::source::Held;

/// Bytes of an object that are sealed together.
pub const PIECE_BYTES: usize = 1024 * 1024;

/// The inbox's key, which can be wiped while objects still refer to it.
pub struct Key(Mutex<Option<Secret>>);

impl Key {
    pub fn random() -> Self {
        Self(Mutex::new(Some(Secret::new(random::bytes(&mut random::system())))))
    }

    /// Forgets the key: what was sealed under it is gone.
    pub fn wipe(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn with<T>(&self, work: impl FnOnce(&Secret) -> Result<T, aead::OpenError>) -> Result<T, SpoolError> {
        let key = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Secret::duplicate);
        work(&key.ok_or(SpoolError::Locked)?).map_err(|_| SpoolError::Damaged)
    }
}

/// An object that is being written; until its first piece is full it touches no disk.
pub struct Spool {
    // Declared before the sealed object, so that it is closed before its file is removed.
    file: Option<File>,
    sealed: Sealed,
    /// What is not sealed yet; less than a piece.
    pending: Zeroizing<Vec<u8>>,
    pieces: u32,
}

impl Spool {
    /// Begins the object with this number in a folder.
    pub fn begin(folder: &Path, number: u64, key: Arc<Key>) -> Self {
        let sealed = Sealed { key, number, path: folder.join(number.to_string()), bytes: 0 };
        // Never moved as it grows, which would leave plain bytes behind.
        let pending = Zeroizing::new(Vec::with_capacity(PIECE_BYTES + TAG_BYTES));
        Self { file: None, sealed, pending, pieces: 0 }
    }

    /// Whether so many bytes can be written without waiting for the disk.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.pending.len().saturating_add(bytes) < PIECE_BYTES
    }

    /// Writes on. Blocks whenever a piece is full.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), SpoolError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.pending.len()));
            self.pending.extend_from_slice(now);
            if self.pending.len() == PIECE_BYTES {
                self.seal_piece()?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// Seals the rest. Blocks.
    pub fn finish(mut self) -> Result<Sealed, SpoolError> {
        if !self.pending.is_empty() {
            self.seal_piece()?;
        }
        Ok(self.sealed)
    }

    fn seal_piece(&mut self) -> Result<(), SpoolError> {
        let nonce = nonce(self.sealed.number, self.pieces);
        let length = self.pending.len() as u64;
        self.sealed.key.with(|key| aead::seal(key, nonce, &[], &mut self.pending))?;
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = private_options().write(true).create_new(true).open(&self.sealed.path);
                self.file.insert(file.map_err(SpoolError::of)?)
            }
        };
        file.write_all(&self.pending).map_err(SpoolError::of)?;
        self.pending.clear();
        self.sealed.bytes += length;
        self.pieces += 1;
        Ok(())
    }
}

/// A sealed object on the disk; its file goes with it.
pub struct Sealed {
    key: Arc<Key>,
    number: u64,
    path: PathBuf,
    bytes: u64,
}

impl Sealed {
    /// Whether this key opens it, as far as keys can be told apart.
    pub fn is_under(&self, key: &Arc<Key>) -> bool {
        Arc::ptr_eq(&self.key, key)
    }

    /// Its first bytes, at most `bytes_max`.
    pub fn open(&self, bytes_max: u64) -> Result<Vec<u8>, SpoolError> {
        let wanted = bytes_max.min(self.bytes);
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let file = File::open(&self.path).map_err(SpoolError::of)?;
        // A length that this process itself has written.
        let mut content = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let (mut at, mut piece) = (0, 0);
        while at < wanted {
            let length = (self.bytes - at).min(PIECE_BYTES as u64);
            let mut sealed = Vec::with_capacity(PIECE_BYTES + TAG_BYTES);
            (&file).take(length + TAG_BYTES as u64).read_to_end(&mut sealed).map_err(SpoolError::of)?;
            self.key.with(|key| aead::open(key, nonce(self.number, piece), &[], &mut sealed))?;
            if sealed.len() as u64 != length {
                return Err(SpoolError::Damaged);
            }
            let room = usize::try_from(wanted - at).unwrap_or(usize::MAX).min(sealed.len());
            content.extend_from_slice(&sealed[..room]);
            sealed.zeroize();
            (at, piece) = (at + length, piece + 1);
        }
        Ok(content)
    }
}

impl Held for Sealed {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&self, bytes_max: u64) -> Result<Vec<u8>, String> {
        self.open(bytes_max).map_err(|error| error.to_string())
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        // Without its key it is noise; the folder is swept at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn nonce(number: u64, piece: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[8..].copy_from_slice(&piece.to_be_bytes());
    nonce
}

/// Why an object cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("the node was locked, which wiped the inbox")]
    Locked,
    #[error("the disk is full")]
    Full,
    #[error("the sealed object was changed on the disk")]
    Damaged,
    #[error("the inbox's folder cannot be used: {}", .0.kind())]
    Io(io::Error),
}

impl SpoolError {
    pub fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spooled(folder: &Path, number: u64, key: &Arc<Key>, content: &[u8]) -> Sealed {
        let mut spool = Spool::begin(folder, number, Arc::clone(key));
        for part in content.chunks(100_001) {
            spool.write(part).unwrap();
        }
        spool.finish().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn what_was_written_is_read_whole_and_in_part(
            length in prop::sample::select(vec![0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES]),
            part in 0..4 * PIECE_BYTES as u64,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let content: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let sealed = spooled(folder.path(), 7, &Arc::new(Key::random()), &content);
            prop_assert_eq!(sealed.bytes(), length as u64);
            let part_length = usize::try_from(part).unwrap().min(length);
            prop_assert!(sealed.open(part).unwrap() == content[..part_length]);
            prop_assert!(sealed.open(u64::MAX).unwrap() == content);
        }
    }

    #[test]
    fn the_disk_holds_no_word_of_it_and_nothing_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let content = b"ZAPHYRA^QUIRELLA ".repeat(100_000);
        let sealed = spooled(folder.path(), 1, &Arc::new(Key::random()), &content);
        let on_disk = std::fs::read(folder.path().join("1")).unwrap();
        assert_eq!(on_disk.len(), content.len() + 2 * TAG_BYTES);
        assert!(!on_disk.windows(7).any(|window| window == b"ZAPHYRA"));
        drop(sealed);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut unfinished = Spool::begin(folder.path(), 2, Arc::new(Key::random()));
        unfinished.write(&[1; PIECE_BYTES + 5]).unwrap();
        assert!(unfinished.has_room_for(PIECE_BYTES - 6) && !unfinished.has_room_for(PIECE_BYTES - 5));
        drop(unfinished);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_wiped_key_opens_nothing_and_altered_pieces_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let key = Arc::new(Key::random());
        let sealed = spooled(folder.path(), 1, &key, &vec![7; 2 * PIECE_BYTES]);
        let other = spooled(folder.path(), 2, &key, &vec![8; 2 * PIECE_BYTES]);
        let path = folder.path().join("1");
        let good = std::fs::read(&path).unwrap();
        let (first, second) = good.split_at(PIECE_BYTES + TAG_BYTES);
        let list = [
            ("pieces swapped", [second, first].concat()),
            ("a piece missing", first.to_vec()),
            ("another object's", std::fs::read(folder.path().join("2")).unwrap()),
        ];
        for (attack, bytes) in list {
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(sealed.open(u64::MAX), Err(SpoolError::Damaged)), "{attack}");
        }
        key.wipe();
        assert!(matches!(other.open(1), Err(SpoolError::Locked)));
        assert!(matches!(Spool::begin(folder.path(), 3, key).write(&vec![0; PIECE_BYTES]), Err(SpoolError::Locked)));
    }
}
