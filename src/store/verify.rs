//! Walking over everything that is stored, to say what is damaged.
//!
//! This room checks what it can judge: that the database is whole, that its indexes agree, that rows open and
//! that every chunk's bytes are what their name says. Whether an entry is what its id says is for who knows what
//! an entry is; its bytes are read here and given out by [`Store::entries_after`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};

use super::Store;
use super::batch::ChunkGroup;
use super::database::{ARRIVALS, BY_DEVICE, CASES, CHUNKS, ENTRIES, GROUP_CHUNKS, GROUPS, ROWS, SEGMENTS, chunks_of};
use super::error::StoreError;
use super::row::{DatabaseKeys, RowName, Table};
use super::segment::Place;
use crate::encoding::id::{CaseId, ChunkId, EntryId};

/// What [`Store::verify`] looked at and what it found.
#[derive(Debug, Default)]
pub struct Verification {
    pub entries: u64,
    pub chunks: u64,
    /// Bytes of chunks that were read and hashed.
    pub chunk_bytes: u64,
    pub rows: u64,
    pub problems: Vec<Problem>,
}

/// One thing that is not as it was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the database is damaged: {0}")]
    Database(String),
    #[error("an entry cannot be found by its id or its device: {id:?} in {case:?}")]
    EntryIndex { case: CaseId, id: EntryId },
    #[error("the number of entries of a case is wrong: {0:?}")]
    CaseSize(CaseId),
    #[error("a stored piece of an image is damaged: {id:?} in {group:?}")]
    Chunk { id: ChunkId, group: ChunkGroup },
    #[error("a stored piece of an image cannot be read ({what}): {id:?} in {group:?}")]
    ChunkUnreadable { id: ChunkId, group: ChunkGroup, what: String },
    #[error("the index of a group of pieces is wrong: {0:?}")]
    GroupIndex(ChunkGroup),
    #[error("a private record does not open under this database's key")]
    Row,
}

impl Store {
    /// Reads everything and returns all problems found; fails only where nothing more can be read. Rows are opened
    /// if the store is unlocked, else only counted. Reads all chunks: about as long as the disk takes.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        self.verify_while(&mut |_| true)
    }

    /// The same as long as `goes_on` says so, which hears how many bytes of chunks were read; what was found by then
    /// comes back.
    pub fn verify_while(&self, goes_on: &mut dyn FnMut(u64) -> bool) -> Result<Verification, StoreError> {
        let shared = &self.shared;
        let mut found = Verification::default();
        match shared.database.check_integrity() {
            Ok(true) => {}
            Ok(false) => found.problems.push(Problem::Database("its last changes do not hold".into())),
            Err(StoreError::Damaged(what)) => found.problems.push(Problem::Database(what)),
            Err(error) => found.problems.push(Problem::Database(error.to_string())),
        }
        let (entries, mut problems) = shared.database.read(check_entries)?;
        found.entries = entries;
        found.problems.append(&mut problems);
        let keys = shared.keys();
        let (rows, mut problems) = shared.database.read(|transaction| check_rows(keys.as_ref(), transaction))?;
        drop(keys);
        found.rows = rows;
        found.problems.append(&mut problems);
        found.problems.append(&mut shared.database.read(check_groups)?);
        self.check_chunks(&mut found, goes_on)?;
        Ok(found)
    }

    /// Group by group in the order of the disk, outside of any transaction, so that the writer never waits.
    fn check_chunks(&self, found: &mut Verification, goes_on: &mut dyn FnMut(u64) -> bool) -> Result<(), StoreError> {
        for (group, _) in self.groups()? {
            for (id, place) in self.shared.database.read(|transaction| places_of(transaction, group))? {
                if !goes_on(found.chunk_bytes) {
                    return Ok(());
                }
                let read = self.shared.segments.read(id, place);
                if !matches!(read, Ok(Some(_))) && !self.still_there(id, group)? {
                    continue; // deleted while we looked
                }
                found.chunks += 1;
                match read {
                    Ok(Some(sealed)) => found.chunk_bytes += sealed.len() as u64,
                    Ok(None) => found.problems.push(Problem::Chunk { id, group }),
                    Err(error) => {
                        found.problems.push(Problem::ChunkUnreadable { id, group, what: error.to_string() });
                    }
                }
            }
        }
        Ok(())
    }

    fn still_there(&self, id: ChunkId, group: ChunkGroup) -> Result<bool, StoreError> {
        self.shared
            .database
            .read(|transaction| Ok(transaction.open_table(CHUNKS)?.get((id.as_bytes(), group.as_bytes()))?.is_some()))
    }
}

/// The number of entries, and where their indexes disagree.
fn check_entries(transaction: &ReadTransaction) -> Result<(u64, Vec<Problem>), StoreError> {
    let arrivals = transaction.open_table(ARRIVALS)?;
    let mut by_device: HashMap<(CaseId, EntryId), u64> = HashMap::new();
    for item in transaction.open_table(BY_DEVICE)?.iter()? {
        let (key, arrival) = item?;
        let (case, _, _, id) = key.value();
        by_device.insert((CaseId(*case), EntryId(*id)), arrival.value());
    }
    let mut problems = Vec::new();
    let mut sizes: BTreeMap<CaseId, (u64, u64)> = BTreeMap::new();
    let mut entries = 0u64;
    for item in transaction.open_table(ENTRIES)?.iter()? {
        let (key, value) = item?;
        let ((case, arrival), (id, bytes)) = (key.value(), value.value());
        let (case, id) = (CaseId(*case), EntryId(*id));
        let by_id = arrivals.get((case.as_bytes(), id.as_bytes()))?.map(|arrival| arrival.value());
        if by_id != Some(arrival) || by_device.get(&(case, id)) != Some(&arrival) {
            problems.push(Problem::EntryIndex { case, id });
        }
        let size = sizes.entry(case).or_default();
        *size = (size.0.saturating_add(1), size.1.saturating_add(bytes.len() as u64));
        entries += 1;
    }
    let mut counted = BTreeMap::new();
    for item in transaction.open_table(CASES)?.iter()? {
        let (case, size) = item?;
        counted.insert(CaseId(*case.value()), size.value());
    }
    let cases: BTreeSet<CaseId> = sizes.keys().chain(counted.keys()).copied().collect();
    problems.extend(cases.into_iter().filter(|case| sizes.get(case) != counted.get(case)).map(Problem::CaseSize));
    Ok((entries, problems))
}

/// The number of rows, and those that open under no table's key.
fn check_rows(keys: Option<&DatabaseKeys>, transaction: &ReadTransaction) -> Result<(u64, Vec<Problem>), StoreError> {
    let rows = transaction.open_table(ROWS)?;
    let total = rows.len()?;
    let Some(keys) = keys else { return Ok((total, Vec::new())) };
    let mut opened = 0u64;
    for table in Table::ALL {
        let (first, last) = keys.names(table);
        for item in rows.range::<&RowName>(&first..=&last)? {
            let (name, sealed) = item?;
            opened += u64::from(keys.open(table, name.value(), sealed.value()).is_ok());
        }
    }
    Ok((total, (opened..total).map(|_| Problem::Row).collect()))
}

/// Groups whose counts or segment ends do not fit their chunks.
fn check_groups(transaction: &ReadTransaction) -> Result<Vec<Problem>, StoreError> {
    let segments = transaction.open_table(SEGMENTS)?;
    let mut problems = Vec::new();
    let mut indexed = 0u64;
    for item in transaction.open_table(GROUPS)?.iter()? {
        let (group, sizes) = item?;
        let group = ChunkGroup(*group.value());
        let places = places_of(transaction, group)?;
        let mut inside = true;
        for (_, place) in &places {
            let end = segments.get((group.as_bytes(), place.segment))?.map(|end| end.value());
            inside &= place.end().is_some_and(|place_end| end.is_some_and(|end| place_end <= end));
        }
        let bytes = places.iter().map(|(_, place)| u64::from(place.bytes)).sum::<u64>();
        if !inside || sizes.value() != (places.len() as u64, bytes) {
            problems.push(Problem::GroupIndex(group));
        }
        indexed += places.len() as u64;
    }
    if indexed != transaction.open_table(CHUNKS)?.len()? {
        problems.push(Problem::Database("pieces of images without a group".into()));
    }
    Ok(problems)
}

/// The chunks of a group, in the order of the disk.
fn places_of(transaction: &ReadTransaction, group: ChunkGroup) -> Result<Vec<(ChunkId, Place)>, StoreError> {
    let chunks = transaction.open_table(CHUNKS)?;
    let mut places = Vec::new();
    for item in transaction.open_table(GROUP_CHUNKS)?.range(chunks_of(&group))? {
        let id = ChunkId(*item?.0.value().1);
        if let Some(place) = chunks.get((id.as_bytes(), group.as_bytes()))? {
            let (segment, offset, bytes) = place.value();
            places.push((id, Place { group, segment, offset, bytes }));
        }
    }
    places.sort_unstable_by_key(|(_, place)| (place.segment, place.offset));
    Ok(places)
}
