//! A disk that is full or fails: the batch is refused, what is durable stays, and work goes on afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::{fs, io};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::{CASE, GROUP, batch, chunk, entry, keys, open};
use crate::store::database::{OpenDatabase, builder, open_file};
use crate::store::{FREE_BYTES_KEPT, FreeBytes, Store, StoreError, Table};

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let disk = Arc::clone(&free);
    let free_bytes: FreeBytes = Box::new(move |_| Ok(disk.load(Ordering::Relaxed)));
    let store = Store::open_with(home.path(), keys(), Box::new(open_file), free_bytes).unwrap();
    let (kept, large) = (chunk(1, 1000), chunk(2, 200_000));
    store.commit(batch(|b| b.put_chunk(GROUP, kept.clone()))).unwrap();
    free.store(FREE_BYTES_KEPT + 100_000, Ordering::Relaxed);
    let refused = store.commit(batch(|b| b.put_chunk(GROUP, large.clone())));
    assert!(matches!(refused, Err(StoreError::Full)));
    assert!(!store.has_chunk(large.id()).unwrap());
    store.commit(batch(|b| b.put_row(Table::Draft, b"small", b"fits"))).unwrap();
    assert!(store.read_chunk(kept.id()).unwrap().is_some());
    free.store(0, Ordering::Relaxed);
    assert!(matches!(store.commit(batch(|b| b.put_entry(entry(CASE, 0)))), Err(StoreError::Full)));
    store.commit(batch(|b| b.delete_group(GROUP))).unwrap();
    free.store(u64::MAX, Ordering::Relaxed);
    store.commit(batch(|b| b.put_chunk(GROUP, large.clone()))).unwrap();
    assert!(store.read_chunk(large.id()).unwrap().is_some());
}

/// A database file whose writes can be made to fail.
#[derive(Debug)]
struct FailingDisk {
    file: FileBackend,
    failure: Arc<AtomicU8>,
}

const WORKS: u8 = 0;
const IS_FULL: u8 = 1;
const IS_BROKEN: u8 = 2;
const SYNC_IS_BROKEN: u8 = 3;

impl FailingDisk {
    fn check(&self, at_sync: bool) -> io::Result<()> {
        match self.failure.load(Ordering::Relaxed) {
            IS_FULL if !at_sync => Err(io::ErrorKind::StorageFull.into()),
            IS_BROKEN if !at_sync => Err(io::Error::other("broken")),
            SYNC_IS_BROKEN if at_sync => Err(io::Error::other("broken")),
            _ => Ok(()),
        }
    }
}

type Bound = std::ops::Bound<u64>;

impl StorageBackend for FailingDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check(false)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check(true)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check(false)?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound, end: Bound) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound, end: Bound) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

#[test]
fn a_failing_database_costs_the_batch_and_heals_when_the_disk_does() {
    for failure in [IS_FULL, IS_BROKEN, SYNC_IS_BROKEN] {
        let home = tempfile::tempdir().unwrap();
        let state = Arc::new(AtomicU8::new(WORKS));
        let disk = Arc::clone(&state);
        let open_failing: OpenDatabase = Box::new(move |path| {
            let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let file = FileBackend::new(file)?;
            Ok(builder().create_with_backend(FailingDisk { file, failure: Arc::clone(&disk) })?)
        });
        let store = Store::open_with(home.path(), keys(), open_failing, Box::new(|_| Ok(u64::MAX))).unwrap();
        let (kept, lost) = (chunk(1, 1000), chunk(2, 1000));
        store.commit(batch(|b| b.put_entry(entry(CASE, 0)).put_chunk(GROUP, kept.clone()))).unwrap();
        state.store(failure, Ordering::Relaxed);
        let refused = store.commit(batch(|b| b.put_entry(entry(CASE, 1)).put_chunk(GROUP, lost.clone())));
        match failure {
            IS_FULL => assert!(matches!(refused, Err(StoreError::Full))),
            _ => assert!(matches!(refused, Err(StoreError::Io(_)))),
        }
        state.store(WORKS, Ordering::Relaxed);
        assert!(store.read_chunk(kept.id()).unwrap().is_some());
        // A failed fsync leaves open whether the commit is on disk; either way it is whole.
        let entries = store.case_size(CASE).unwrap().count;
        assert!(entries == 1 || (failure == SYNC_IS_BROKEN && entries == 2), "{entries} entries");
        store.commit(batch(|b| b.put_entry(entry(CASE, 2)).put_chunk(GROUP, lost.clone()))).unwrap();
        assert!(store.read_chunk(lost.id()).unwrap().is_some(), "failure {failure}");
        drop(store);
        let store = open(home.path());
        assert!(store.case_size(CASE).unwrap().count >= 2);
        assert_eq!(store.verify().unwrap().problems, []);
    }
}

/// A real one, where the machine lets us make it: a tmpfs of 24 MiB.
#[cfg(target_os = "linux")]
#[test]
fn a_really_full_disk_refuses_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mount = |program: &str, arguments: &[&str]| {
        let run = std::process::Command::new(program).args(arguments).arg(folder.path()).output();
        run.is_ok_and(|output| output.status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=24m", "overread-test"]) {
        println!("SKIPPED: a full disk could not be tried, since mounting a tmpfs needs root");
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        let home = folder.path().join("home");
        // Without the reserve, so that the writes themselves meet the end of the disk.
        let store = Store::open_with(&home, keys(), Box::new(open_file), Box::new(|_| Ok(u64::MAX))).unwrap();
        let mut kept = Vec::new();
        let refused = loop {
            let piece = chunk(kept.len() as u64, 200_000);
            let number = kept.len() as u64;
            match store.commit(batch(|b| b.put_entry(entry(CASE, number)).put_chunk(GROUP, piece.clone()))) {
                Ok(()) => kept.push(piece),
                Err(error) => break error,
            }
            assert!(kept.len() < 200, "24 MiB hold more than they can");
        };
        assert!(matches!(refused, StoreError::Full), "{refused:?}");
        assert!(kept.len() > 40, "{} pieces fit", kept.len());
        let check = |store: &Store| {
            for piece in &kept {
                assert_eq!(store.read_chunk(piece.id()).unwrap().as_deref(), Some(piece.sealed()));
            }
            assert_eq!(store.case_size(CASE).unwrap().count, kept.len() as u64);
        };
        check(&store);
        drop(store);
        let store = Store::open_with(&home, keys(), Box::new(open_file), Box::new(|_| Ok(u64::MAX))).unwrap();
        check(&store);
        assert_eq!(store.verify().unwrap().problems, []);
        store.commit(batch(|b| b.delete_group(GROUP))).unwrap();
        for part in kept.chunks(40) {
            store.commit(batch(|b| b.put_chunks(GROUP, part.to_vec()))).unwrap();
        }
        check(&store);
    });
    assert!(mount("umount", &["-l"]), "the tmpfs stays at {}", folder.path().display());
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
