//! A database file that is opened, checked and even mended without a byte of it being changed.
//!
//! redb checks a file by repairing it: where pages do not hold it goes back to the state before, and where that does
//! not hold either it gives the whole file up, so that it never opens again. A check must leave a damaged home as it
//! found it, since all that is whole in there can still be read. So it looks at the file through this: what is
//! written stays in memory, and goes with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use super::segment::read_exact_at;

/// What is written is kept in blocks of this many bytes.
const BLOCK_BYTES: usize = 4096;

/// The file below, and what was written over it.
#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    bytes: u64,
    /// Bytes of the file that still count; behind them it reads as zeroes.
    from_file: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    /// Looks at the file at a path, which nobody may change meanwhile.
    pub(super) fn over(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, written: Mutex::new(Written { bytes, from_file: bytes, blocks: BTreeMap::new() }) })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block as the file has it.
    fn below(&self, number: u64, from_file: u64) -> io::Result<Vec<u8>> {
        let mut block = vec![0; BLOCK_BYTES];
        let start = number * BLOCK_BYTES as u64;
        let there = usize::try_from(from_file.saturating_sub(start)).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        read_exact_at(&self.file, &mut block[..there], start)?;
        Ok(block)
    }
}

/// The blocks of a range: each one's number, and where its part lies in the block and in the range.
fn blocks(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let (number, inside) = (at / BLOCK_BYTES as u64, (at % BLOCK_BYTES as u64) as usize);
        let part = (length - done).min(BLOCK_BYTES - inside);
        let range = done..done + part;
        done += part;
        (part > 0).then_some((number, inside, range))
    })
}

fn outside() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().bytes)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > written.bytes) {
            return Err(outside());
        }
        for (number, inside, range) in blocks(offset, out.len()) {
            let part = inside..inside + range.len();
            match written.blocks.get(&number) {
                Some(block) => out[range].copy_from_slice(&block[part]),
                None => out[range].copy_from_slice(&self.below(number, written.from_file)?[part]),
            }
        }
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut written = self.written();
        written.bytes = bytes;
        written.from_file = written.from_file.min(bytes);
        // What is cut off reads as zeroes should the file grow again.
        let last = bytes / BLOCK_BYTES as u64;
        written.blocks.retain(|number, _| *number <= last);
        if let Some(block) = written.blocks.get_mut(&last) {
            block[(bytes % BLOCK_BYTES as u64) as usize..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > written.bytes) {
            return Err(outside());
        }
        for (number, inside, range) in blocks(offset, data.len()) {
            let mut block = match written.blocks.remove(&number) {
                Some(block) => block,
                None => self.below(number, written.from_file)?,
            };
            block[inside..inside + range.len()].copy_from_slice(&data[range]);
            written.blocks.insert(number, block);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::random::{self, Rng, Seeded};

    #[test]
    fn whatever_is_done_to_an_overlay_reads_like_a_file_and_leaves_the_one_below_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below");
        let mut rng = Seeded::new(1);
        let mut expected = vec![0; 5 * BLOCK_BYTES + 100];
        rng.fill_bytes(&mut expected);
        let original = expected.clone();
        std::fs::write(&path, &original).unwrap();
        let overlay = Overlay::over(&path).unwrap();
        for _ in 0..2000 {
            match rng.below(8) {
                0 => {
                    let bytes = rng.below(8 * BLOCK_BYTES);
                    overlay.set_len(bytes as u64).unwrap();
                    expected.resize(bytes, 0);
                }
                kind => {
                    let start = rng.below(expected.len() + 1);
                    let range = start..start + rng.below(expected.len() - start + 1);
                    if kind < 4 {
                        expected[range.clone()].fill(random::bytes::<1>(&mut rng)[0]);
                        overlay.write(start as u64, &expected[range.clone()]).unwrap();
                    }
                    let mut read = vec![0; range.len()];
                    overlay.read(start as u64, &mut read).unwrap();
                    assert_eq!(read, expected[range]);
                }
            }
            assert_eq!(overlay.len().unwrap(), expected.len() as u64);
        }
        let end = expected.len() as u64;
        assert!(overlay.read(end, &mut [0]).is_err() && overlay.write(u64::MAX, &[0]).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), original);
    }
}
