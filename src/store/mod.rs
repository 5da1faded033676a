//! What is on disk.
//!
//! Two classes of data. *Entries* and *chunks* are sealed and signed by others' and our own devices already:
//! they are kept as they travel, so a locked node still accepts, serves and forwards them. *Rows* are everything
//! else private (secrets, colleagues, the re-identification table, drafts, summaries): each is sealed here under
//! the database key of the vault, and without that key the store holds and gives out none.
//!
//! What is written together goes into one [`Batch`]; [`Store::commit`] returns when it is durable, and after
//! `kill -9` or power loss it is there whole or not at all. All batches that wait at one time share one fsync.
//!
//! ```text
//! HOME/                  0700
//!   lock                 who the node is            lock.rs
//!   overread.redb        entries, rows, indexes     database.rs, row.rs
//!   chunks/<group>/      segments of chunks         segment.rs
//! ```
//!
//! This room does not judge what it stores: it opens no entry and no chunk, knows no rights and no clock. It
//! protects rows against readers of the disk, not against somebody who puts back an older copy of the folder.
//!
//! Start with [`batch`], then [`Store`], then `writer.rs` for how it becomes durable.

pub mod batch;
mod database;
mod error;
pub mod home;
pub mod lock;
mod overlay;
mod row;
mod segment;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;

use zeroize::Zeroizing;

pub use batch::{
    BATCH_CHUNK_BYTES_ADVISED, BATCH_CHUNK_BYTES_MAX, Batch, ChunkGroup, STORED_ENTRY_BYTES_MAX, StoredEntry,
    VerifiedChunk,
};
pub use error::{HomeError, StoreError};
pub use home::{prepare_home, private_options, sync_parent, write_private};
pub use lock::{HomeLock, LockError};
pub use row::{DatabaseKeys, ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX, Row, Table};
pub use verify::{Problem, Verification};

use batch::SealedBatch;
use database::{
    ARRIVALS, BY_DEVICE, CASES, CHUNKS, Database, ENTRIES, GROUPS, OpenDatabase, ROWS, SEGMENTS, apply, chunks_of,
    groups_of, open_file, place_of,
};
use redb::{ReadableTable, ReadableTableMetadata};
use row::RowName;
use segment::{Appender, Segments};
use writer::Queue;

use crate::encoding::id::{CaseId, ChunkId, EntryId};
use crate::identity::keys::DeviceKey;

/// Room that stays free on the disk, in bytes: a database needs some to delete, and the user's other programs
/// should not be the first to notice that a study was large.
const FREE_BYTES_KEPT: u64 = 16 * 1024 * 1024;

/// Key of the row that proves that the keys fit.
const CHECK_KEY: &[u8] = b"database";

/// Everything this installation has on disk. Cheap to share behind an `Arc`; all methods may be called from any
/// thread. Dropping it waits until what was handed over is written.
pub struct Store {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    home: PathBuf,
    database: Database,
    segments: Segments,
    keys: RwLock<Option<DatabaseKeys>>,
    queue: Queue,
    free_bytes: FreeBytes,
}

/// An entry as it was put, with its place in the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivedEntry {
    /// Grows from entry to entry of this store, with gaps; never used twice. An entry's parents arrived before it.
    pub arrival: u64,
    pub id: EntryId,
    pub bytes: Vec<u8>,
}

/// How much of something is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    pub count: u64,
    pub bytes: u64,
}

/// How many bytes are free for this user on the disk of a folder.
type FreeBytes = Box<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

impl Store {
    /// Opens the store of a home or creates it, after whatever end the last run had.
    ///
    /// Refuses keys that are not the database's ([`StoreError::WrongKey`]) and a second opening
    /// ([`StoreError::InUse`]). Takes no lock of its own beyond the database's: who may be the node is decided by
    /// [`HomeLock`], which is taken first.
    pub fn open(home: &Path, keys: DatabaseKeys) -> Result<Self, StoreError> {
        Self::open_with(home, keys, Box::new(open_file), Box::new(free_bytes))
    }

    fn open_with(
        home: &Path,
        keys: DatabaseKeys,
        open_database: OpenDatabase,
        free_bytes: FreeBytes,
    ) -> Result<Self, StoreError> {
        prepare_home(home)?;
        let database = Database::open(home, open_database)?;
        check_keys(&database, &keys)?;
        let segments = Segments::open(home)?;
        segments.sweep(|group, segment| end_of_segment(&database, group, segment))?;
        let shared = Arc::new(Shared {
            home: home.to_owned(),
            database,
            segments,
            keys: RwLock::new(Some(keys)),
            queue: Queue::new(),
            free_bytes,
        });
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer::run(&for_writer.queue, |batches| for_writer.write(batches)))?;
        Ok(Self { shared, writer: Some(writer) })
    }

    /// Wipes the keys: rows can neither be read nor written until [`Store::unlock`]; entries and chunks can.
    pub fn lock(&self) {
        *self.shared.keys.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Gives the keys back; other keys than this database's are refused.
    pub fn unlock(&self, keys: DatabaseKeys) -> Result<(), StoreError> {
        check_keys(&self.shared.database, &keys)?;
        *self.shared.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
        Ok(())
    }

    pub fn is_locked(&self) -> bool {
        self.shared.keys().is_none()
    }

    /// Writes a batch and returns when it is durable; blocks this thread. After an error nothing of it is kept and
    /// what was durable before still is; only after [`StoreError::Io`] the whole batch may be there, since a disk
    /// that fails at the last step does not say. Committing a batch again is harmless.
    pub fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let batch = batch.seal(self.shared.keys().as_ref())?;
        self.shared.queue.commit(batch)
    }

    /// Like [`Store::commit`] without blocking a thread. Once it has been polled to the point of being handed
    /// over, the batch is written even if the future is dropped.
    pub async fn commit_async(&self, batch: Batch) -> Result<(), StoreError> {
        let batch = batch.seal(self.shared.keys().as_ref())?;
        self.shared.queue.commit_async(batch).await
    }

    /// Bytes that may still be written where the home lies; as many as can be counted where the system does not tell.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        Ok((self.shared.free_bytes)(&self.shared.home)?)
    }

    /// The value of a row.
    pub fn row(&self, table: Table, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let keys = self.shared.keys();
        let keys = keys.as_ref().ok_or(StoreError::Locked)?;
        let name = keys.name(table, key);
        self.shared.database.read(|transaction| {
            let sealed = transaction.open_table(ROWS)?.get(&name)?;
            sealed.map(|sealed| Ok(keys.open(table, &name, sealed.value())?.value)).transpose()
        })
    }

    /// All rows of a table, in the order of their keys.
    pub fn rows(&self, table: Table) -> Result<Vec<Row>, StoreError> {
        let keys = self.shared.keys();
        let keys = keys.as_ref().ok_or(StoreError::Locked)?;
        let (first, last) = keys.names(table);
        let mut rows = self.shared.database.read(|transaction| {
            let mut rows = Vec::new();
            for item in transaction.open_table(ROWS)?.range::<&RowName>(&first..=&last)? {
                let (name, sealed) = item?;
                rows.push(keys.open(table, name.value(), sealed.value())?);
            }
            Ok(rows)
        })?;
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(rows)
    }

    /// The cases of which entries are held, with how many and how many bytes.
    pub fn cases(&self) -> Result<Vec<(CaseId, Size)>, StoreError> {
        self.shared.database.read(|transaction| {
            let mut cases = Vec::new();
            for item in transaction.open_table(CASES)?.iter()? {
                let (case, size) = item?;
                let (count, bytes) = size.value();
                cases.push((CaseId(*case.value()), Size { count, bytes }));
            }
            Ok(cases)
        })
    }

    /// How many entries of a case are held, and their bytes.
    pub fn case_size(&self, case: CaseId) -> Result<Size, StoreError> {
        self.shared.database.read(|transaction| {
            let size = transaction.open_table(CASES)?.get(case.as_bytes())?.map_or((0, 0), |size| size.value());
            Ok(Size { count: size.0, bytes: size.1 })
        })
    }

    pub fn contains(&self, case: CaseId, id: EntryId) -> Result<bool, StoreError> {
        self.shared
            .database
            .read(|transaction| Ok(transaction.open_table(ARRIVALS)?.get((case.as_bytes(), id.as_bytes()))?.is_some()))
    }

    /// An entry's bytes, as they were put.
    pub fn entry(&self, case: CaseId, id: EntryId) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.database.read(|transaction| {
            let arrival = transaction.open_table(ARRIVALS)?.get((case.as_bytes(), id.as_bytes()))?;
            let Some(arrival) = arrival.map(|arrival| arrival.value()) else { return Ok(None) };
            let entry = transaction.open_table(ENTRIES)?.get((case.as_bytes(), arrival))?;
            Ok(entry.map(|entry| entry.value().1.to_vec()))
        })
    }

    /// All entries of a case in the order of arrival, which is causal.
    pub fn entries(&self, case: CaseId) -> Result<Vec<ArrivedEntry>, StoreError> {
        self.entries_after(case, None, usize::MAX)
    }

    /// At most `count_max` entries of a case that arrived after `arrival`, or from the first on: for cases that
    /// are too large to be held at once.
    pub fn entries_after(
        &self,
        case: CaseId,
        arrival: Option<u64>,
        count_max: usize,
    ) -> Result<Vec<ArrivedEntry>, StoreError> {
        let Some(first) = arrival.map_or(Some(0), |arrival| arrival.checked_add(1)) else { return Ok(Vec::new()) };
        self.shared.database.read(|transaction| {
            let mut entries = Vec::new();
            let case = case.as_bytes();
            for item in transaction.open_table(ENTRIES)?.range((case, first)..=(case, u64::MAX))?.take(count_max) {
                let (key, value) = item?;
                let (id, bytes) = value.value();
                entries.push(ArrivedEntry { arrival: key.value().1, id: EntryId(*id), bytes: bytes.to_vec() });
            }
            Ok(entries)
        })
    }

    /// Sequence and id of a device's entries in a case, from a sequence on: more than one id under a sequence is
    /// a fork.
    pub fn device_entries(
        &self,
        case: CaseId,
        device: DeviceKey,
        first_sequence: u64,
    ) -> Result<Vec<(u64, EntryId)>, StoreError> {
        self.shared.database.read(|transaction| {
            let mut entries = Vec::new();
            let (case, device) = (case.as_bytes(), device.as_bytes());
            let (first, last) = ((case, device, first_sequence, &[0; 32]), (case, device, u64::MAX, &[0xff; 32]));
            for item in transaction.open_table(BY_DEVICE)?.range(first..=last)? {
                let (key, _) = item?;
                let (_, _, sequence, id) = key.value();
                entries.push((sequence, EntryId(*id)));
            }
            Ok(entries)
        })
    }

    /// A chunk's sealed bytes, checked against its name.
    pub fn read_chunk(&self, id: ChunkId) -> Result<Option<Vec<u8>>, StoreError> {
        let places = || {
            self.shared.database.read(|transaction| {
                transaction.open_table(CHUNKS)?.range(groups_of(&id))?.map(|item| Ok(place_of(item?))).collect()
            })
        };
        let found: Vec<_> = places()?;
        for place in &found {
            if let Some(sealed) = self.shared.segments.read(id, *place)? {
                return Ok(Some(sealed));
            }
        }
        // The group may have been deleted since the index was read; only what is still indexed is damaged.
        let still_there: Vec<_> = if found.is_empty() { found } else { places()? };
        if still_there.is_empty() { Ok(None) } else { Err(StoreError::DamagedChunk { id }) }
    }

    pub fn has_chunk(&self, id: ChunkId) -> Result<bool, StoreError> {
        Ok(self.missing(&[id])?.is_empty())
    }

    /// Those of the chunks that are not held, each once, in the order given.
    pub fn missing(&self, ids: &[ChunkId]) -> Result<Vec<ChunkId>, StoreError> {
        self.shared.database.read(|transaction| {
            let chunks = transaction.open_table(CHUNKS)?;
            let (mut missing, mut seen) = (Vec::new(), HashSet::new());
            for id in ids.iter().filter(|id| seen.insert(**id)) {
                if chunks.range(groups_of(id))?.next().transpose()?.is_none() {
                    missing.push(*id);
                }
            }
            Ok(missing)
        })
    }

    /// The groups of chunks, with how many each holds and their bytes.
    pub fn groups(&self) -> Result<Vec<(ChunkGroup, Size)>, StoreError> {
        self.shared.database.read(|transaction| {
            let mut groups = Vec::new();
            for item in transaction.open_table(GROUPS)?.iter()? {
                let (group, size) = item?;
                let (count, bytes) = size.value();
                groups.push((ChunkGroup(*group.value()), Size { count, bytes }));
            }
            Ok(groups)
        })
    }

    /// How many chunks a group holds, and their bytes.
    pub fn group_size(&self, group: ChunkGroup) -> Result<Size, StoreError> {
        self.shared.database.read(|transaction| {
            let size = transaction.open_table(GROUPS)?.get(group.as_bytes())?.map_or((0, 0), |size| size.value());
            Ok(Size { count: size.0, bytes: size.1 })
        })
    }

    /// The names of a group's chunks.
    pub fn group_chunks(&self, group: ChunkGroup) -> Result<Vec<ChunkId>, StoreError> {
        self.shared.database.read(|transaction| {
            let chunks = transaction.open_table(database::GROUP_CHUNKS)?;
            chunks.range(chunks_of(&group))?.map(|item| Ok(ChunkId(*item?.0.value().1))).collect()
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(writer) = self.writer.take() {
            // It contains panics; should it have ended all the same, its callers were told.
            let _ = writer.join();
        }
    }
}

impl Shared {
    fn keys(&self) -> RwLockReadGuard<'_, Option<DatabaseKeys>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes batches durable together, or none of them.
    fn write(&self, batches: &[&SealedBatch]) -> Result<(), StoreError> {
        let needed = batches.iter().map(|batch| batch.bytes_needed()).fold(0, u64::saturating_add);
        if needed > 0 && (self.free_bytes)(&self.home)? < needed.saturating_add(FREE_BYTES_KEPT) {
            return Err(StoreError::Full);
        }
        let mut appender = Appender::new(&self.segments);
        match self.database.write(|transaction| apply(transaction, batches, &mut appender)) {
            Ok(unlinked) => {
                // Nothing names these any more. What cannot be unlinked now is swept when the store is next opened.
                for (group, segment) in &unlinked {
                    let _ = self.segments.remove(*group, *segment);
                }
                let groups: HashSet<ChunkGroup> = unlinked.into_iter().map(|(group, _)| group).collect();
                for group in groups {
                    let _ = self.segments.remove_folder(group);
                }
                Ok(())
            }
            Err(error) => {
                self.settle(&appender.touched());
                Err(error)
            }
        }
    }

    /// Frees what a failed commit had appended. The database says where segments end, also if it is the failed
    /// commit's own state: when an fsync fails, the commit may be on disk all the same, and then its chunks must
    /// stay. Best effort: what is left is written over by the next commit or swept when the store is opened.
    fn settle(&self, touched: &[(ChunkGroup, u32)]) {
        for (group, segment) in touched {
            if let Ok(end) = end_of_segment(&self.database, *group, *segment) {
                let _ = self.segments.cut(*group, *segment, end);
                let _ = self.segments.remove_folder(*group);
            }
        }
    }
}

/// Where the last indexed record of a segment ends; `None` for a segment the index does not know.
fn end_of_segment(database: &Database, group: ChunkGroup, segment: u32) -> Result<Option<u64>, StoreError> {
    database.read(|transaction| {
        let end = transaction.open_table(SEGMENTS)?.get((group.as_bytes(), segment))?;
        Ok(end.map(|end| end.value()))
    })
}

/// Checks the row that proves the keys, or writes it into a database that has no rows at all.
fn check_keys(database: &Database, keys: &DatabaseKeys) -> Result<(), StoreError> {
    let name = keys.name(Table::Check, CHECK_KEY);
    let (is_empty, sealed) = database.read(|transaction| {
        let rows = transaction.open_table(ROWS)?;
        Ok((rows.is_empty()?, rows.get(&name)?.map(|sealed| sealed.value().to_vec())))
    })?;
    match sealed {
        Some(sealed) => keys.open(Table::Check, &name, &sealed).map(drop).map_err(|_| StoreError::WrongKey),
        None if is_empty => {
            let (name, sealed) = keys.seal(Table::Check, CHECK_KEY, &[])?;
            database.write(|transaction| {
                transaction.open_table(ROWS)?.insert(&name, sealed.as_slice())?;
                Ok(())
            })
        }
        None => Err(StoreError::WrongKey),
    }
}

#[cfg(unix)]
fn free_bytes(home: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(home)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Where the platform does not say, the write itself finds out.
#[cfg(not(unix))]
fn free_bytes(_: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}
