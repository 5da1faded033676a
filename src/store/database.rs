//! The database file: its tables, and how it is opened again after the disk failed.
//!
//! One `redb` file holds entries, sealed rows and the index of chunks. Entries lie in the order in which they
//! arrived, which is causal order because only accepted entries are stored; two indexes find them by id and by
//! device. Keys of these tables are ids, which are hashes or public keys: nothing here says what a case is about.
//!
//! redb refuses everything after one failed write, also reads, until it is opened anew; [`Database`] does that,
//! so a full disk costs the batch that did not fit and nothing else. A commit is one fsync (redb's one-phase
//! commit): its checksums are not cryptographic, so redb warns of an attacker who chooses the stored bytes and
//! the moment of a crash and the order of page writes; who can do all that on this machine needs no database.

use std::io;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::backends::FileBackend;
use redb::{Builder, ReadTransaction, ReadableTable, Table as RedbTable, TableDefinition, WriteTransaction};

use super::batch::{ChunkGroup, Operation, SealedBatch};
use super::error::StoreError;
use super::home::{UNFINISHED_SUFFIX, private_options, sync_parent};
use super::overlay::Overlay;
use super::row::ROW_NAME_BYTES;
use super::segment::{Appender, Place};
use crate::encoding::id::{CaseId, ChunkId};

/// Name of the database file in a home.
pub(super) const DATABASE_FILE: &str = "overread.redb";

/// Version of the tables below.
pub(super) const STORE_FORMAT: u64 = 1;

/// redb's page cache in bytes; its default of 1 GiB is more than the whole program may take.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

type Id = &'static [u8; 32];

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
pub(super) const ROWS: TableDefinition<&[u8; ROW_NAME_BYTES], &[u8]> = TableDefinition::new("rows");
/// (case, arrival) -> (entry id, bytes)
pub(super) const ENTRIES: TableDefinition<(Id, u64), (Id, &[u8])> = TableDefinition::new("entries");
/// (case, entry id) -> arrival
pub(super) const ARRIVALS: TableDefinition<(Id, Id), u64> = TableDefinition::new("arrivals");
/// (case, device, sequence, entry id) -> arrival
pub(super) const BY_DEVICE: TableDefinition<(Id, Id, u64, Id), u64> = TableDefinition::new("by-device");
/// case -> (entries, their bytes)
pub(super) const CASES: TableDefinition<Id, (u64, u64)> = TableDefinition::new("cases");
/// (chunk, group) -> (segment, offset, length)
pub(super) const CHUNKS: TableDefinition<(Id, Id), (u32, u64, u32)> = TableDefinition::new("chunks");
/// (group, chunk)
pub(super) const GROUP_CHUNKS: TableDefinition<(Id, Id), ()> = TableDefinition::new("group-chunks");
/// (group, segment) -> end of the last indexed record
pub(super) const SEGMENTS: TableDefinition<(Id, u32), u64> = TableDefinition::new("segments");
/// group -> (chunks, their bytes)
pub(super) const GROUPS: TableDefinition<Id, (u64, u64)> = TableDefinition::new("groups");

const META_FORMAT: &str = "format";
const META_NEXT_ARRIVAL: &str = "next-arrival";

const FIRST_ID: [u8; 32] = [0; 32];
const LAST_ID: [u8; 32] = [0xff; 32];

/// Opens the file at a path, creating it if needed; tests put a failing disk in its place.
pub(super) type OpenDatabase = Box<dyn Fn(&Path) -> Result<redb::Database, StoreError> + Send + Sync>;

/// The database of a home, opened again when redb has shut itself after a failure.
pub(super) struct Database {
    path: PathBuf,
    open_database: OpenDatabase,
    open: RwLock<Option<redb::Database>>,
}

impl Database {
    /// Opens or creates the database, with all its tables.
    pub(super) fn open(home: &Path, open_database: OpenDatabase) -> Result<Self, StoreError> {
        let path = home.join(DATABASE_FILE);
        if !path.exists() {
            create(&path, &open_database)?;
        }
        let database = Self { path, open_database, open: RwLock::new(None) };
        let format = database.write(create_tables)?;
        if format > STORE_FORMAT {
            return Err(StoreError::NewerFormat { found: format, known: STORE_FORMAT });
        }
        Ok(database)
    }

    /// Reads from one state of the database. If the disk had failed, opens the database again and tries once more.
    pub(super) fn read<T>(&self, read: impl Fn(&ReadTransaction) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let once = || self.with_open(|database| read(&redb::ReadableDatabase::begin_read(database)?));
        match once() {
            Err(error) if error.closes_the_database() => {
                self.close();
                once()
            }
            result => result,
        }
    }

    /// Commits what `write` does, or nothing of it.
    pub(super) fn write<T>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result = self.with_open(|database| {
            let transaction = database.begin_write()?;
            let value = write(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        if let Err(error) = &result
            && error.closes_the_database()
        {
            self.close();
        }
        result
    }

    /// Has redb check its pages and its free space, and changes nothing. Readers and writers wait.
    pub(super) fn check_integrity(&self) -> Result<bool, StoreError> {
        self.with_open(|_| Ok(()))?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // Closed in good order, the file is looked at as it is; an open one would be repaired first.
        contain_panic(|| {
            drop(open.take());
            let overlay = Overlay::over(&self.path)?;
            Ok(builder().create_with_backend(overlay)?.check_integrity()?)
        })
    }

    fn with_open<T>(&self, work: impl FnOnce(&redb::Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        loop {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(database) = open.as_ref() {
                return contain_panic(|| work(database));
            }
            drop(open);
            let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
            if open.is_none() {
                *open = Some(contain_panic(|| (self.open_database)(&self.path))?);
            }
        }
    }

    fn close(&self) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Makes a new database beside its place and moves it there when it is whole: a file that was only begun is no
/// database to redb, and would be taken for a damaged home.
fn create(path: &Path, open_database: &OpenDatabase) -> Result<(), StoreError> {
    let unfinished = path.with_file_name(format!("{DATABASE_FILE}{UNFINISHED_SUFFIX}"));
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let database = open_database(&unfinished)?;
    let transaction = database.begin_write()?;
    create_tables(&transaction)?;
    transaction.commit()?;
    database.close()?;
    std::fs::rename(&unfinished, path)?;
    Ok(sync_parent(path)?)
}

/// redb promises that a file altered by others may panic rather than fail; the program goes on.
fn contain_panic<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(StoreError::Damaged("not readable".into())))
}

/// Opens the real file.
pub(super) fn open_file(path: &Path) -> Result<redb::Database, StoreError> {
    let file = private_options().read(true).write(true).create(true).truncate(false).open(path)?;
    Ok(builder().create_with_backend(FileBackend::new(file)?)?)
}

pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Creates what is missing and returns the format of the database.
fn create_tables(transaction: &WriteTransaction) -> Result<u64, StoreError> {
    let mut meta = transaction.open_table(META)?;
    let found = meta.get(META_FORMAT)?.map(|format| format.value());
    if found.is_none_or(|format| format <= STORE_FORMAT) {
        Tables::open(transaction)?;
    }
    if found.is_none() {
        meta.insert(META_FORMAT, STORE_FORMAT)?;
    }
    Ok(found.unwrap_or(STORE_FORMAT))
}

/// Applies batches in order within one transaction. Chunk bytes go to `appender` and are durable when this
/// returns; returns the segments that are to be unlinked once the transaction is committed.
pub(super) fn apply(
    transaction: &WriteTransaction,
    batches: &[&SealedBatch],
    appender: &mut Appender<'_>,
) -> Result<Vec<(ChunkGroup, u32)>, StoreError> {
    let mut meta = transaction.open_table(META)?;
    let mut tables = Tables::open(transaction)?;
    let next_arrival = meta.get(META_NEXT_ARRIVAL)?.map_or(0, |next| next.value());
    let mut arrival = next_arrival;
    let mut unlinked = Vec::new();
    for operation in batches.iter().flat_map(|batch| &batch.operations) {
        match operation {
            Operation::PutRow { name, sealed } => {
                tables.rows.insert(name, sealed.as_slice())?;
            }
            Operation::DeleteRow { name } => {
                tables.rows.remove(name)?;
            }
            Operation::PutEntry(entry) => {
                if tables.put_entry(entry, arrival)? {
                    arrival += 1;
                }
            }
            Operation::DeleteCase(case) => tables.delete_case(*case)?,
            Operation::PutChunk { group, chunk } => tables.put_chunk(*group, chunk, appender)?,
            Operation::ForgetChunk(id) => tables.forget_chunk(*id)?,
            Operation::DeleteGroup(group) => {
                for segment in tables.delete_group(*group)? {
                    appender.deleted(*group, segment);
                    unlinked.push((*group, segment));
                }
            }
        }
    }
    if arrival != next_arrival {
        meta.insert(META_NEXT_ARRIVAL, arrival)?;
    }
    appender.sync()?;
    Ok(unlinked)
}

struct Tables<'t> {
    rows: RedbTable<'t, &'static [u8; ROW_NAME_BYTES], &'static [u8]>,
    entries: RedbTable<'t, (Id, u64), (Id, &'static [u8])>,
    arrivals: RedbTable<'t, (Id, Id), u64>,
    by_device: RedbTable<'t, (Id, Id, u64, Id), u64>,
    cases: RedbTable<'t, Id, (u64, u64)>,
    chunks: RedbTable<'t, (Id, Id), (u32, u64, u32)>,
    group_chunks: RedbTable<'t, (Id, Id), ()>,
    segments: RedbTable<'t, (Id, u32), u64>,
    groups: RedbTable<'t, Id, (u64, u64)>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            rows: transaction.open_table(ROWS)?,
            entries: transaction.open_table(ENTRIES)?,
            arrivals: transaction.open_table(ARRIVALS)?,
            by_device: transaction.open_table(BY_DEVICE)?,
            cases: transaction.open_table(CASES)?,
            chunks: transaction.open_table(CHUNKS)?,
            group_chunks: transaction.open_table(GROUP_CHUNKS)?,
            segments: transaction.open_table(SEGMENTS)?,
            groups: transaction.open_table(GROUPS)?,
        })
    }

    /// Whether the entry is new.
    fn put_entry(&mut self, entry: &super::batch::StoredEntry, arrival: u64) -> Result<bool, StoreError> {
        let (case, id) = (entry.case.as_bytes(), entry.id.as_bytes());
        if self.arrivals.get((case, id))?.is_some() {
            return Ok(false);
        }
        self.arrivals.insert((case, id), arrival)?;
        self.entries.insert((case, arrival), (id, entry.bytes.as_slice()))?;
        self.by_device.insert((case, entry.device.as_bytes(), entry.sequence, id), arrival)?;
        let (entries, bytes) = self.cases.get(case)?.map_or((0, 0), |sizes| sizes.value());
        self.cases.insert(case, (entries.saturating_add(1), bytes.saturating_add(entry.bytes.len() as u64)))?;
        Ok(true)
    }

    fn delete_case(&mut self, case: CaseId) -> Result<(), StoreError> {
        let case = case.as_bytes();
        self.entries.retain_in((case, 0)..=(case, u64::MAX), |_, _| false)?;
        self.arrivals.retain_in((case, &FIRST_ID)..=(case, &LAST_ID), |_, _| false)?;
        let (first, last) = ((case, &FIRST_ID, 0, &FIRST_ID), (case, &LAST_ID, u64::MAX, &LAST_ID));
        self.by_device.retain_in(first..=last, |_, _| false)?;
        self.cases.remove(case)?;
        Ok(())
    }

    fn put_chunk(
        &mut self,
        group: ChunkGroup,
        chunk: &super::batch::VerifiedChunk,
        appender: &mut Appender<'_>,
    ) -> Result<(), StoreError> {
        let (id, group_id) = (chunk.id(), group.as_bytes());
        if self.chunks.get((id.as_bytes(), group_id))?.is_some() {
            return Ok(());
        }
        let last = match self.segments.range((group_id, 0)..=(group_id, u32::MAX))?.next_back() {
            Some(segment) => {
                let (key, end) = segment?;
                Some((key.value().1, end.value()))
            }
            None => None,
        };
        let place = appender.append(group, last, chunk)?;
        let end = place.end().ok_or_else(|| StoreError::Damaged("a segment without end".into()))?;
        self.segments.insert((group_id, place.segment), end)?;
        self.chunks.insert((id.as_bytes(), group_id), (place.segment, place.offset, place.bytes))?;
        self.group_chunks.insert((group_id, id.as_bytes()), ())?;
        let (chunks, bytes) = self.groups.get(group_id)?.map_or((0, 0), |sizes| sizes.value());
        self.groups.insert(group_id, (chunks.saturating_add(1), bytes.saturating_add(u64::from(place.bytes))))?;
        Ok(())
    }

    fn forget_chunk(&mut self, id: ChunkId) -> Result<(), StoreError> {
        let mut places = Vec::new();
        for item in self.chunks.range(groups_of(&id))? {
            places.push(place_of(item?));
        }
        for place in places {
            let group = place.group.as_bytes();
            self.chunks.remove((id.as_bytes(), group))?;
            self.group_chunks.remove((group, id.as_bytes()))?;
            let (chunks, bytes) = self.groups.get(group)?.map_or((0, 0), |sizes| sizes.value());
            self.groups.insert(group, (chunks.saturating_sub(1), bytes.saturating_sub(u64::from(place.bytes))))?;
        }
        Ok(())
    }

    /// The segments that the group had.
    fn delete_group(&mut self, group: ChunkGroup) -> Result<Vec<u32>, StoreError> {
        let mut chunks = Vec::new();
        for item in self.group_chunks.range(chunks_of(&group))? {
            chunks.push(*item?.0.value().1);
        }
        self.group_chunks.retain_in(chunks_of(&group), |_, _| false)?;
        let group = group.as_bytes();
        for chunk in chunks {
            self.chunks.remove((&chunk, group))?;
        }
        let mut segments = Vec::new();
        for item in self.segments.range((group, 0)..=(group, u32::MAX))? {
            segments.push(item?.0.value().1);
        }
        self.segments.retain_in((group, 0)..=(group, u32::MAX), |_, _| false)?;
        self.groups.remove(group)?;
        Ok(segments)
    }
}

/// All keys of [`CHUNKS`] that name this chunk.
pub(super) fn groups_of(id: &ChunkId) -> RangeInclusive<(&[u8; 32], &[u8; 32])> {
    (id.as_bytes(), &FIRST_ID)..=(id.as_bytes(), &LAST_ID)
}

/// All keys of [`GROUP_CHUNKS`] of this group.
pub(super) fn chunks_of(group: &ChunkGroup) -> RangeInclusive<(&[u8; 32], &[u8; 32])> {
    (group.as_bytes(), &FIRST_ID)..=(group.as_bytes(), &LAST_ID)
}

/// An item of [`CHUNKS`], as redb gives it out.
type ChunkItem<'d> = (redb::AccessGuard<'d, (Id, Id)>, redb::AccessGuard<'d, (u32, u64, u32)>);

/// The place an item of [`CHUNKS`] stands for.
pub(super) fn place_of(item: ChunkItem<'_>) -> Place {
    let group = ChunkGroup(*item.0.value().1);
    let (segment, offset, bytes) = item.1.value();
    Place { group, segment, offset, bytes }
}
