//! The store as a whole: what it keeps and what it refuses. Damaged files, failing disks, killed processes and
//! any series of operations have files of their own.

mod crash;
mod damage;
mod disk;
mod model;

use std::collections::BTreeSet;
use std::fs;

use super::segment::RECORD_HEADER_BYTES;
use super::*;
use crate::encoding::random::{self, Seeded};
use crate::identity::keys::Secret;

const CASE: CaseId = CaseId([1; 32]);
const OTHER_CASE: CaseId = CaseId([5; 32]);
const DEVICE: DeviceKey = DeviceKey([2; 32]);
const GROUP: ChunkGroup = ChunkGroup([3; 32]);
const OTHER_GROUP: ChunkGroup = ChunkGroup([4; 32]);

fn keys() -> DatabaseKeys {
    DatabaseKeys::derive(&Secret::new([9; 32]))
}

fn open(home: &Path) -> Store {
    Store::open(home, keys()).unwrap()
}

fn entry(case: CaseId, number: u64) -> StoredEntry {
    let bytes = [number.to_le_bytes().as_slice(), &[0xee; 200]].concat();
    StoredEntry { case, id: EntryId(*blake3::hash(&bytes).as_bytes()), device: DEVICE, sequence: number, bytes }
}

fn chunk(seed: u64, bytes: usize) -> VerifiedChunk {
    let mut sealed = vec![0; bytes];
    random::Rng::fill_bytes(&mut Seeded::new(seed), &mut sealed);
    VerifiedChunk::check(ChunkId::of(&sealed), sealed).unwrap()
}

fn batch(fill: impl for<'b> FnOnce(&'b mut Batch) -> &'b mut Batch) -> Batch {
    let mut batch = Batch::new();
    fill(&mut batch);
    batch
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let found = walkdir::WalkDir::new(folder).into_iter().map(|item| item.unwrap());
    found.filter(|item| item.file_type().is_file()).map(|item| item.into_path()).collect()
}

#[test]
fn what_is_committed_is_there_after_reopening() {
    let home = tempfile::tempdir().unwrap();
    let (first, second) = (entry(CASE, 0), entry(CASE, 1));
    let piece = chunk(1, 1000);
    let store = open(home.path());
    store
        .commit(batch(|b| b.put_entry(first.clone()).put_row(Table::Draft, b"k", b"v").put_chunk(GROUP, piece.clone())))
        .unwrap();
    store.commit(batch(|b| b.put_entry(second.clone()))).unwrap();
    drop(store);
    let store = open(home.path());
    let entries = store.entries(CASE).unwrap();
    assert_eq!(
        entries.iter().map(|e| (e.id, e.bytes.clone())).collect::<Vec<_>>(),
        [(first.id, first.bytes.clone()), (second.id, second.bytes)]
    );
    assert_eq!(store.entry(CASE, first.id).unwrap(), Some(first.bytes));
    assert_eq!(store.row(Table::Draft, b"k").unwrap().unwrap().as_slice(), b"v");
    assert_eq!(store.read_chunk(piece.id()).unwrap().as_deref(), Some(piece.sealed()));
    assert_eq!(store.verify().unwrap().problems, []);
}

#[test]
fn what_was_never_put_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    assert_eq!(store.entries(CASE).unwrap(), []);
    assert_eq!(store.entry(CASE, EntryId([0; 32])).unwrap(), None);
    assert!(!store.contains(CASE, EntryId([0; 32])).unwrap());
    assert!(store.row(Table::Draft, b"k").unwrap().is_none());
    assert_eq!(store.read_chunk(ChunkId([0; 32])).unwrap(), None);
    assert_eq!(store.cases().unwrap(), []);
    assert_eq!(store.groups().unwrap(), []);
    store.commit(Batch::new()).unwrap();
}

#[cfg(unix)]
#[test]
fn everything_on_disk_is_for_this_user_only() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let store = open(&home);
    store.commit(batch(|b| b.put_row(Table::Draft, b"k", b"v").put_chunk(GROUP, chunk(1, 10)))).unwrap();
    for item in walkdir::WalkDir::new(&home) {
        let item = item.unwrap();
        let expected = if item.file_type().is_dir() { 0o700 } else { 0o600 };
        assert_eq!(item.metadata().unwrap().mode() & 0o777, expected, "{}", item.path().display());
    }
    assert_eq!(files_under(&home).len(), 2);
}

#[test]
fn another_key_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let other = || DatabaseKeys::derive(&Secret::new([8; 32]));
    drop(open(home.path()));
    assert!(matches!(Store::open(home.path(), other()), Err(StoreError::WrongKey)));
    let store = open(home.path());
    store.lock();
    assert!(matches!(store.unlock(other()), Err(StoreError::WrongKey)));
    assert!(store.is_locked());
    store.unlock(keys()).unwrap();
    assert!(!store.is_locked());
}

#[test]
fn a_second_opening_of_one_home_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    assert!(matches!(Store::open(home.path(), keys()), Err(StoreError::InUse)));
    drop(store);
    open(home.path());
}

#[test]
fn a_locked_store_keeps_and_gives_sealed_data_and_no_rows() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    store.commit(batch(|b| b.put_row(Table::Draft, b"k", b"v"))).unwrap();
    store.lock();
    let (kept, piece) = (entry(CASE, 0), chunk(1, 10));
    store.commit(batch(|b| b.put_entry(kept.clone()).put_chunk(GROUP, piece.clone()))).unwrap();
    assert_eq!(store.entry(CASE, kept.id).unwrap(), Some(kept.bytes));
    assert!(store.read_chunk(piece.id()).unwrap().is_some());
    assert!(matches!(store.row(Table::Draft, b"k"), Err(StoreError::Locked)));
    assert!(matches!(store.rows(Table::Draft), Err(StoreError::Locked)));
    let refused = store.commit(batch(|b| b.put_entry(entry(CASE, 1)).put_row(Table::Draft, b"k", b"w")));
    assert!(matches!(refused, Err(StoreError::Locked)));
    assert_eq!(store.case_size(CASE).unwrap().count, 1);
    store.unlock(keys()).unwrap();
    assert_eq!(store.row(Table::Draft, b"k").unwrap().unwrap().as_slice(), b"v");
}

#[test]
fn rows_are_listed_by_table_in_the_order_of_their_keys() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    store
        .commit(batch(|b| {
            b.put_row(Table::Draft, b"b", b"1").put_row(Table::Draft, b"a", b"2").put_row(Table::Draft, b"c", b"3");
            b.put_row(Table::Setting, b"a", b"4").put_row(Table::Draft, b"b", b"5").delete_row(Table::Draft, b"c")
        }))
        .unwrap();
    let rows = store.rows(Table::Draft).unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.key.as_slice(), row.value.as_slice())).collect();
    assert_eq!(rows, [(b"a".as_slice(), b"2".as_slice()), (b"b", b"5")]);
    assert_eq!(store.rows(Table::Setting).unwrap().len(), 1);
    assert_eq!(store.rows(Table::Colleague).unwrap().len(), 0);
}

#[test]
fn an_entry_put_twice_is_kept_once_in_its_first_place() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let (first, second) = (entry(CASE, 0), entry(CASE, 1));
    store.commit(batch(|b| b.put_entry(first.clone()).put_entry(second.clone()))).unwrap();
    store.commit(batch(|b| b.put_entry(first.clone()))).unwrap();
    let ids: Vec<EntryId> = store.entries(CASE).unwrap().iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [first.id, second.id]);
    assert_eq!(store.cases().unwrap(), [(CASE, Size { count: 2, bytes: 416 })]);
}

#[test]
fn a_long_case_is_read_in_pages() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let other = CaseId([7; 32]);
    store
        .commit(batch(|b| {
            for number in 0..25 {
                b.put_entry(entry(CASE, number)).put_entry(entry(other, number));
            }
            b
        }))
        .unwrap();
    let (mut sequence, mut after) = (Vec::new(), None);
    loop {
        let page = store.entries_after(CASE, after, 10).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.arrival);
        sequence.extend(page.iter().map(|entry| entry.bytes[0]));
    }
    assert_eq!(sequence, (0..25).collect::<Vec<u8>>());
    assert_eq!(store.entries_after(CASE, Some(u64::MAX), 10).unwrap(), []);
}

#[test]
fn a_fork_shows_under_its_devices_sequence() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let (honest, other_device) = (entry(CASE, 1), StoredEntry { device: DeviceKey([0; 32]), ..entry(CASE, 9) });
    let forked = StoredEntry { sequence: 1, ..entry(CASE, 2) };
    store
        .commit(batch(|b| {
            b.put_entry(entry(CASE, 0)).put_entry(honest.clone()).put_entry(forked.clone()).put_entry(other_device)
        }))
        .unwrap();
    let found: BTreeSet<_> = store.device_entries(CASE, DEVICE, 1).unwrap().into_iter().collect();
    assert_eq!(found, BTreeSet::from([(1, honest.id), (1, forked.id)]));
}

#[test]
fn a_deleted_case_leaves_no_entry_and_other_cases_whole() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let other = CaseId([7; 32]);
    store.commit(batch(|b| b.put_entry(entry(CASE, 0)).put_entry(entry(other, 1)))).unwrap();
    let before = store.entries(other).unwrap();
    store.commit(batch(|b| b.delete_case(CASE))).unwrap();
    assert_eq!(store.entries(CASE).unwrap(), []);
    assert_eq!(store.device_entries(CASE, DEVICE, 0).unwrap(), []);
    assert_eq!(store.entries(other).unwrap(), before);
    assert_eq!(store.cases().unwrap().len(), 1);
    store.commit(batch(|b| b.put_entry(entry(CASE, 0)))).unwrap();
    assert!(store.entries(CASE).unwrap()[0].arrival > before[0].arrival, "an arrival number is used once");
}

#[test]
fn a_chunk_is_written_once() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let piece = chunk(1, 5000);
    store.commit(batch(|b| b.put_chunk(GROUP, piece.clone()).put_chunk(GROUP, piece.clone()))).unwrap();
    store.commit(batch(|b| b.put_chunk(GROUP, piece.clone()))).unwrap();
    let segment = fs::metadata(store.shared.segments.path(GROUP, 0)).unwrap();
    assert_eq!(segment.len(), (5000 + RECORD_HEADER_BYTES) as u64);
    assert_eq!(store.group_size(GROUP).unwrap(), Size { count: 1, bytes: 5000 });
    assert_eq!(store.group_chunks(GROUP).unwrap(), [piece.id()]);
    let unknown = ChunkId([0; 32]);
    assert_eq!(store.missing(&[unknown, piece.id(), unknown]).unwrap(), [unknown]);
}

#[test]
fn deleting_a_group_frees_its_bytes_and_takes_nothing_from_another() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let (shared, own) = (chunk(1, 5000), chunk(2, 5000));
    store
        .commit(batch(|b| b.put_chunks(GROUP, [shared.clone(), own.clone()]).put_chunk(OTHER_GROUP, shared.clone())))
        .unwrap();
    store.commit(batch(|b| b.delete_group(GROUP))).unwrap();
    assert!(!store.shared.segments.group_folder(GROUP).exists());
    assert_eq!(store.read_chunk(shared.id()).unwrap().as_deref(), Some(shared.sealed()));
    assert_eq!(store.read_chunk(own.id()).unwrap(), None);
    assert!(!store.has_chunk(own.id()).unwrap());
    assert_eq!(store.groups().unwrap(), [(OTHER_GROUP, Size { count: 1, bytes: 5000 })]);
    assert_eq!(store.verify().unwrap().problems, []);
}

#[test]
fn a_group_deleted_and_filled_in_one_batch_holds_the_new_chunks() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let (old, new) = (chunk(1, 5000), chunk(2, 100));
    store.commit(batch(|b| b.put_chunk(GROUP, old.clone()))).unwrap();
    store
        .commit(batch(|b| {
            b.put_chunk(GROUP, chunk(3, 10)).delete_group(GROUP).put_chunks(GROUP, [new.clone(), old.clone()])
        }))
        .unwrap();
    for _ in 0..2 {
        assert_eq!(store.read_chunk(new.id()).unwrap().as_deref(), Some(new.sealed()));
        assert_eq!(store.read_chunk(old.id()).unwrap().as_deref(), Some(old.sealed()));
        assert_eq!(store.group_size(GROUP).unwrap().count, 2);
        assert_eq!(fs::read_dir(store.shared.segments.group_folder(GROUP)).unwrap().count(), 1);
    }
    drop(store);
    assert_eq!(open(home.path()).read_chunk(old.id()).unwrap().as_deref(), Some(old.sealed()));
}

#[test]
fn a_long_group_goes_on_in_further_segments() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let pieces: Vec<_> = (0..260).map(|seed| chunk(seed, 256 * 1024)).collect();
    for part in pieces.chunks(52) {
        store.commit(batch(|b| b.put_chunks(GROUP, part.to_vec()))).unwrap();
    }
    assert!(store.shared.segments.path(GROUP, 1).exists());
    for piece in &pieces {
        assert_eq!(store.read_chunk(piece.id()).unwrap().as_deref(), Some(piece.sealed()));
    }
    store.commit(batch(|b| b.delete_group(GROUP))).unwrap();
    assert_eq!(files_under(&home.path().join("chunks")), Vec::<PathBuf>::new());
}

#[test]
fn nothing_private_can_be_read_on_disk() {
    let home = tempfile::tempdir().unwrap();
    let planted = [b"MUSTERFRAU^ERIKA".as_slice(), b"1.2.840.113619.2.55.3.604688119", b"hilar mass, probably benign"];
    let store = open(home.path());
    for (number, table) in Table::ALL.into_iter().skip(1).enumerate() {
        let (key, value) = (planted[number % 3], planted[(number + 1) % 3]);
        store.commit(batch(|b| b.put_row(table, key, value))).unwrap();
    }
    store.commit(batch(|b| b.put_row(Table::Draft, planted[0], &[9; 32]).delete_row(Table::Peer, planted[1]))).unwrap();
    let looked_at = |phrases: &[&[u8]]| {
        let files = files_under(home.path());
        assert!(!files.is_empty());
        let found = |bytes: &[u8], phrase: &[u8]| bytes.windows(phrase.len()).any(|window| window == phrase);
        files.iter().any(|path| {
            let bytes = fs::read(path).unwrap();
            phrases.iter().any(|phrase| found(&bytes, phrase))
        })
    };
    assert!(!looked_at(&planted));
    drop(store);
    assert!(!looked_at(&planted));
    assert!(!looked_at(&[&[9; 32]]), "neither values nor the database secret");
    // The search itself would have found it: an entry is stored as it is.
    let store = open(home.path());
    store.commit(batch(|b| b.put_entry(entry(CASE, 1)))).unwrap();
    assert!(looked_at(&[&[0xee; 64]]));
}

#[test]
fn asynchronous_commits_are_durable_when_they_return() {
    let home = tempfile::tempdir().unwrap();
    let store = Arc::new(open(home.path()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let commits: Vec<_> = (0..200)
            .map(|number| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    store.commit_async(batch(|b| b.put_entry(entry(CASE, number)))).await.unwrap();
                    assert!(store.contains(CASE, entry(CASE, number).id).unwrap());
                })
            })
            .collect();
        for commit in commits {
            commit.await.unwrap();
        }
        // Also blocking from within a runtime: it holds up one worker, nothing else.
        store.commit(batch(|b| b.put_entry(entry(CASE, 200)))).unwrap();
    });
    assert_eq!(store.case_size(CASE).unwrap().count, 201);
}

#[test]
fn readers_never_see_half_a_batch_or_a_deleted_groups_bytes() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let pieces: Vec<_> = (0..4).map(|seed| chunk(seed, 20_000)).collect();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for _ in 0..15 {
                store.commit(batch(|b| b.put_chunks(GROUP, pieces.clone()))).unwrap();
                store.commit(batch(|b| b.delete_group(GROUP))).unwrap();
            }
        });
        while !writing.is_finished() {
            let count = store.group_size(GROUP).unwrap().count;
            assert!(count == 0 || count == 4, "{count}");
            for piece in &pieces {
                let read = store.read_chunk(piece.id());
                // Deleted and put again between two looks: the next look decides.
                let read = if read.is_err() { store.read_chunk(piece.id()) } else { read };
                assert!(read.unwrap().is_none_or(|sealed| sealed == piece.sealed()));
            }
        }
    });
}
