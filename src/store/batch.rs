//! What is written together: all of a batch is on disk, or nothing of it.
//!
//! A batch is filled by the caller, its rows are sealed in the caller's thread, and from then on it holds sealed
//! bytes only. Operations take effect in the order in which they were put.

use zeroize::Zeroizing;

use super::error::StoreError;
use super::row::{DatabaseKeys, Row, RowName, Table, check_length};
use crate::encoding::id::{CaseId, ChunkId, EntryId, typed_id};
use crate::identity::keys::DeviceKey;
use crate::seal::chunk::CHUNK_BYTES_MAX;

/// Longest stored entry in bytes: a `members` or `keys` entry (format 11).
pub const STORED_ENTRY_BYTES_MAX: usize = 256 * 1024;

/// Most chunk bytes in one batch.
pub const BATCH_CHUNK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Chunk bytes at which a caller with many chunks does well to commit: large enough that the disk and not the
/// fsync counts, small enough that an entry behind it waits for some 20 ms only.
pub const BATCH_CHUNK_BYTES_ADVISED: usize = 8 * 1024 * 1024;

typed_id!(
    /// Chunks that are deleted together: one study's. An opaque name that shows as a folder name on disk.
    ChunkGroup
);

/// An accepted entry as it travels: sealed and signed, with what the indexes need to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    pub case: CaseId,
    pub id: EntryId,
    pub device: DeviceKey,
    pub sequence: u64,
    pub bytes: Vec<u8>,
}

/// Sealed bytes whose name has been checked, so that nothing can be stored under a name that is not its own.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedChunk {
    id: ChunkId,
    sealed: Vec<u8>,
}

impl VerifiedChunk {
    /// Checks bytes that came from somebody else; `None` if they are not what the name says, or too long.
    pub fn check(id: ChunkId, sealed: Vec<u8>) -> Option<Self> {
        (sealed.len() <= CHUNK_BYTES_MAX && ChunkId::of(&sealed) == id).then_some(Self { id, sealed })
    }

    /// Takes a chunk that this process has just sealed and named (`ObjectKey::seal`), without hashing it again.
    pub fn sealed_here(id: ChunkId, sealed: Vec<u8>) -> Self {
        debug_assert_eq!(ChunkId::of(&sealed), id);
        Self { id, sealed }
    }

    pub fn id(&self) -> ChunkId {
        self.id
    }

    pub fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    pub fn into_sealed(self) -> Vec<u8> {
        self.sealed
    }
}

/// Operations that become durable together.
#[derive(Default)]
pub struct Batch {
    operations: Vec<PlainOperation>,
    chunk_bytes: usize,
}

/// As the caller put it: rows are plain and wiped on drop.
enum PlainOperation {
    PutRow { table: Table, row: Row },
    DeleteRow { table: Table, key: Zeroizing<Vec<u8>> },
    Sealed(Operation),
}

/// As it goes to disk.
pub(super) enum Operation {
    PutEntry(StoredEntry),
    DeleteCase(CaseId),
    PutRow { name: RowName, sealed: Vec<u8> },
    DeleteRow { name: RowName },
    PutChunk { group: ChunkGroup, chunk: VerifiedChunk },
    ForgetChunk(ChunkId),
    DeleteGroup(ChunkGroup),
}

impl Batch {
    pub fn new() -> Self {
        Self::default()
    }

    /// An entry already held is left as it is.
    pub fn put_entry(&mut self, entry: StoredEntry) -> &mut Self {
        self.push(Operation::PutEntry(entry))
    }

    /// Removes all entries of a case.
    pub fn delete_case(&mut self, case: CaseId) -> &mut Self {
        self.push(Operation::DeleteCase(case))
    }

    /// Replaces a row of the same table and key.
    pub fn put_row(&mut self, table: Table, key: &[u8], value: &[u8]) -> &mut Self {
        let row = Row { key: Zeroizing::new(key.to_vec()), value: Zeroizing::new(value.to_vec()) };
        self.operations.push(PlainOperation::PutRow { table, row });
        self
    }

    pub fn delete_row(&mut self, table: Table, key: &[u8]) -> &mut Self {
        self.operations.push(PlainOperation::DeleteRow { table, key: Zeroizing::new(key.to_vec()) });
        self
    }

    /// A chunk the group already holds is not written again.
    pub fn put_chunk(&mut self, group: ChunkGroup, chunk: VerifiedChunk) -> &mut Self {
        self.chunk_bytes = self.chunk_bytes.saturating_add(chunk.sealed.len());
        self.push(Operation::PutChunk { group, chunk })
    }

    pub fn put_chunks(&mut self, group: ChunkGroup, chunks: impl IntoIterator<Item = VerifiedChunk>) -> &mut Self {
        for chunk in chunks {
            self.put_chunk(group, chunk);
        }
        self
    }

    /// Makes a chunk missing again, so that a damaged one can be fetched anew. Its bytes are freed with its group.
    pub fn forget_chunk(&mut self, id: ChunkId) -> &mut Self {
        self.push(Operation::ForgetChunk(id))
    }

    /// Removes all chunks of a group and frees their bytes on disk.
    pub fn delete_group(&mut self, group: ChunkGroup) -> &mut Self {
        self.push(Operation::DeleteGroup(group))
    }

    /// Adds all operations of another batch after those of this one.
    pub fn append(&mut self, other: Batch) -> &mut Self {
        self.chunk_bytes = self.chunk_bytes.saturating_add(other.chunk_bytes);
        self.operations.extend(other.operations);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Bytes of chunks in this batch, to know when to commit it ([`BATCH_CHUNK_BYTES_ADVISED`]).
    pub fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    fn push(&mut self, operation: Operation) -> &mut Self {
        self.operations.push(PlainOperation::Sealed(operation));
        self
    }

    /// Checks every length and seals the rows; `keys` are absent while locked.
    pub(super) fn seal(self, keys: Option<&DatabaseKeys>) -> Result<SealedBatch, StoreError> {
        if self.chunk_bytes > BATCH_CHUNK_BYTES_MAX {
            let (bytes, bytes_max) = (self.chunk_bytes, BATCH_CHUNK_BYTES_MAX);
            return Err(StoreError::TooLarge { what: "a batch of chunks", bytes, bytes_max });
        }
        let mut operations = Vec::with_capacity(self.operations.len());
        for operation in self.operations {
            operations.push(match operation {
                PlainOperation::Sealed(operation) => operation,
                PlainOperation::PutRow { table, row } => {
                    let (name, sealed) = keys.ok_or(StoreError::Locked)?.seal(table, &row.key, &row.value)?;
                    Operation::PutRow { name, sealed }
                }
                PlainOperation::DeleteRow { table, key } => {
                    Operation::DeleteRow { name: keys.ok_or(StoreError::Locked)?.name(table, &key) }
                }
            });
        }
        for operation in &operations {
            match operation {
                Operation::PutEntry(entry) => check_length("an entry", &entry.bytes, STORED_ENTRY_BYTES_MAX)?,
                Operation::PutChunk { chunk, .. } => check_length("a chunk", &chunk.sealed, CHUNK_BYTES_MAX)?,
                _ => {}
            }
        }
        Ok(SealedBatch { operations })
    }
}

/// A checked batch on its way to disk.
pub(super) struct SealedBatch {
    pub(super) operations: Vec<Operation>,
}

/// What the indexes may grow by for one operation, in bytes: generous, since it only decides when a disk is full.
const INDEX_BYTES: u64 = 4096;

impl SealedBatch {
    /// Room on disk this batch may need; 0 if it only deletes, so that a full disk can be emptied.
    pub(super) fn bytes_needed(&self) -> u64 {
        self.operations
            .iter()
            .map(|operation| match operation {
                // The database copies a page to change it, so what lies in it may be there twice.
                Operation::PutEntry(entry) => 2 * entry.bytes.len() as u64 + INDEX_BYTES,
                Operation::PutRow { sealed, .. } => 2 * sealed.len() as u64 + INDEX_BYTES,
                Operation::PutChunk { chunk, .. } => chunk.sealed.len() as u64 + INDEX_BYTES,
                _ => 0,
            })
            .sum()
    }

    /// Bytes this batch holds in memory, near enough.
    pub(super) fn bytes(&self) -> usize {
        self.operations
            .iter()
            .map(|operation| match operation {
                Operation::PutEntry(entry) => entry.bytes.len(),
                Operation::PutRow { sealed, .. } => sealed.len(),
                Operation::PutChunk { chunk, .. } => chunk.sealed.len(),
                _ => 0,
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize) -> StoredEntry {
        StoredEntry {
            case: CaseId([1; 32]),
            id: EntryId([2; 32]),
            device: DeviceKey([3; 32]),
            sequence: 0,
            bytes: vec![0; bytes],
        }
    }

    #[test]
    fn a_chunk_under_a_wrong_name_or_too_long_is_refused() {
        let sealed = vec![7; 100];
        let id = ChunkId::of(&sealed);
        assert!(VerifiedChunk::check(id, sealed.clone()).is_some());
        assert!(VerifiedChunk::check(ChunkId([0; 32]), sealed).is_none());
        let long = vec![0; CHUNK_BYTES_MAX + 1];
        assert!(VerifiedChunk::check(ChunkId::of(&long), long).is_none());
    }

    #[test]
    fn too_long_entries_and_batches_are_refused_before_anything_is_written() {
        let mut fits = Batch::new();
        fits.put_entry(entry(STORED_ENTRY_BYTES_MAX));
        assert!(fits.seal(None).is_ok());
        let mut long = Batch::new();
        long.put_entry(entry(STORED_ENTRY_BYTES_MAX + 1));
        assert!(matches!(long.seal(None), Err(StoreError::TooLarge { what: "an entry", .. })));
        let chunk = VerifiedChunk::sealed_here(ChunkId::of(&[0; CHUNK_BYTES_MAX]), vec![0; CHUNK_BYTES_MAX]);
        let mut many = Batch::new();
        many.put_chunks(ChunkGroup([0; 32]), vec![chunk; BATCH_CHUNK_BYTES_MAX / CHUNK_BYTES_MAX + 1]);
        assert!(matches!(many.seal(None), Err(StoreError::TooLarge { what: "a batch of chunks", .. })));
    }

    #[test]
    fn rows_need_keys_and_entries_do_not() {
        let mut rows = Batch::new();
        rows.put_row(Table::Draft, b"k", b"v");
        assert!(matches!(rows.seal(None), Err(StoreError::Locked)));
        let mut deletion = Batch::new();
        deletion.delete_row(Table::Draft, b"k");
        assert!(matches!(deletion.seal(None), Err(StoreError::Locked)));
        let mut entries = Batch::new();
        entries.put_entry(entry(10));
        assert!(entries.seal(None).is_ok());
    }

    #[test]
    fn what_only_deletes_needs_no_room() {
        let mut batch = Batch::new();
        batch.delete_case(CaseId([1; 32])).delete_group(ChunkGroup([1; 32])).forget_chunk(ChunkId([1; 32]));
        assert_eq!(batch.seal(None).unwrap().bytes_needed(), 0);
    }
}
