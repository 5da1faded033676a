//! Bytes on disk that are not what was stored: named, refused, and no reason to panic.

use std::fs;
use std::path::Path;

use redb::ReadableTable;

use super::{CASE, GROUP, OTHER_CASE, OTHER_GROUP, batch, chunk, entry, keys, open};
use crate::store::database::{ARRIVALS, CASES, CHUNKS, DATABASE_FILE, ROWS};
use crate::store::segment::RECORD_HEADER_BYTES;
use crate::store::{Problem, Size, Store, StoreError, Table};

/// Changes the database behind the store's back.
fn alter<T>(home: &Path, alter: impl FnOnce(&redb::WriteTransaction) -> T) -> T {
    let database = redb::Database::open(home.join(DATABASE_FILE)).unwrap();
    let transaction = database.begin_write().unwrap();
    let value = alter(&transaction);
    transaction.commit().unwrap();
    value
}

/// One way to damage a stored chunk: what is done to the segment file.
type Damage = (&'static str, fn(&Path));

#[test]
fn a_damaged_chunk_is_named_and_can_be_fetched_anew() {
    let damages: [Damage; 5] = [
        ("a flipped bit in the bytes", |path| flip(path, RECORD_HEADER_BYTES + 50)),
        ("a flipped bit in the record's id", |path| flip(path, 10)),
        ("a flipped bit in the record's length", |path| flip(path, RECORD_HEADER_BYTES - 4)),
        ("a truncated segment", |path| {
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(100).unwrap();
        }),
        ("a missing segment", |path| fs::remove_file(path).unwrap()),
    ];
    for (what, damage) in damages {
        let home = tempfile::tempdir().unwrap();
        let store = open(home.path());
        let (hit, other) = (chunk(1, 500), chunk(2, 500));
        store.commit(batch(|b| b.put_chunk(GROUP, hit.clone()).put_chunk(OTHER_GROUP, other.clone()))).unwrap();
        let path = store.shared.segments.path(GROUP, 0);
        drop(store);
        damage(&path);
        let store = open(home.path());
        let read = store.read_chunk(hit.id());
        assert!(matches!(read, Err(StoreError::DamagedChunk { id }) if id == hit.id()), "{what}");
        assert!(store.read_chunk(other.id()).unwrap().is_some(), "{what}");
        let problems = store.verify().unwrap().problems;
        assert!(problems.len() == 1 && format!("{problems:?}").contains("Chunk"), "{what}: {problems:?}");
        store.commit(batch(|b| b.forget_chunk(hit.id()))).unwrap();
        assert_eq!(store.missing(&[hit.id()]).unwrap(), [hit.id()], "{what}");
        assert_eq!(store.group_size(GROUP).unwrap(), Size::default(), "{what}");
        let put_again = batch(|b| b.put_chunk(GROUP, hit.clone()));
        if what != "a missing segment" {
            store.commit(put_again).unwrap();
        } else {
            // The index still says that the segment is there; the group has to go first.
            assert!(matches!(store.commit(put_again), Err(StoreError::Io(_))));
            store.commit(batch(|b| b.delete_group(GROUP).put_chunk(GROUP, hit.clone()))).unwrap();
        }
        assert_eq!(store.read_chunk(hit.id()).unwrap().as_deref(), Some(hit.sealed()), "{what}");
    }
}

#[test]
fn verifying_ends_where_it_is_told_to() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    store.commit(batch(|b| b.put_chunks(GROUP, (0..4).map(|number| chunk(number, 500))))).unwrap();
    let all = store.verify().unwrap();
    let mut heard = Vec::new();
    let part = store.verify_while(&mut |bytes| {
        heard.push(bytes);
        heard.len() < 3
    });
    let part = part.unwrap();
    assert!(all.chunks == 4 && part.chunks == 2 && part.chunk_bytes < all.chunk_bytes);
    assert_eq!((heard[0], heard[2]), (0, part.chunk_bytes));
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_torn_tail_is_cut_off_and_written_over() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let (first, second) = (chunk(1, 500), chunk(2, 100));
    store.commit(batch(|b| b.put_chunk(GROUP, first.clone()))).unwrap();
    let path = store.shared.segments.path(GROUP, 0);
    drop(store);
    let whole = fs::metadata(&path).unwrap().len();
    fs::write(&path, [fs::read(&path).unwrap(), vec![0xaa; 333]].concat()).unwrap();
    let unknown = home.path().join("chunks").join("ab".repeat(32));
    fs::create_dir(&unknown).unwrap();
    fs::write(unknown.join("00000000.seg"), "never indexed").unwrap();
    let store = open(home.path());
    assert_eq!(fs::metadata(&path).unwrap().len(), whole);
    assert!(!unknown.exists());
    store.commit(batch(|b| b.put_chunk(GROUP, second.clone()))).unwrap();
    for piece in [first, second] {
        assert_eq!(store.read_chunk(piece.id()).unwrap().as_deref(), Some(piece.sealed()));
    }
}

#[test]
fn an_index_that_lies_is_found_and_gives_no_wrong_bytes() {
    let id = chunk(1, 500).id();
    let lies = [
        ("past the end", (0, 1 << 40, 500)),
        ("at the end of numbers", (0, u64::MAX, 500)),
        ("into a segment that is not there", (7, 0, 500)),
        ("of a length over the limit", (0, 0, u32::MAX)),
        ("of another length", (0, 0, 499)),
    ];
    for (lie, place) in lies {
        let home = tempfile::tempdir().unwrap();
        let store = open(home.path());
        store.commit(batch(|b| b.put_chunk(GROUP, chunk(1, 500)))).unwrap();
        drop(store);
        alter(home.path(), |transaction| {
            transaction.open_table(CHUNKS).unwrap().insert((id.as_bytes(), GROUP.as_bytes()), place).unwrap();
        });
        let store = open(home.path());
        assert!(matches!(store.read_chunk(id), Err(StoreError::DamagedChunk { .. })), "{lie}");
        let problems = store.verify().unwrap().problems;
        assert!(problems.contains(&Problem::Chunk { id, group: GROUP }), "{lie}: {problems:?}");
        assert!(problems.contains(&Problem::GroupIndex(GROUP)), "{lie}: {problems:?}");
    }
}

#[test]
fn verify_names_every_problem_without_stopping() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let lost = entry(CASE, 1);
    store
        .commit(batch(|b| {
            b.put_entry(entry(CASE, 0)).put_entry(lost.clone()).put_row(Table::Draft, b"k", b"v");
            b.put_row(Table::Draft, b"l", b"v")
        }))
        .unwrap();
    let name = keys().name(Table::Draft, b"k");
    drop(store);
    alter(home.path(), |transaction| {
        transaction.open_table(ARRIVALS).unwrap().remove((CASE.as_bytes(), lost.id.as_bytes())).unwrap();
        transaction.open_table(CASES).unwrap().insert(CASE.as_bytes(), (7, 7)).unwrap();
        transaction.open_table(ROWS).unwrap().insert(&name, [0; 60].as_slice()).unwrap();
    });
    let store = open(home.path());
    let found = store.verify().unwrap();
    assert_eq!((found.entries, found.rows), (2, 3));
    assert_eq!(
        found.problems,
        [Problem::EntryIndex { case: CASE, id: lost.id }, Problem::CaseSize(CASE), Problem::Row]
    );
    assert!(matches!(store.row(Table::Draft, b"k"), Err(StoreError::DamagedRow)));
    assert!(store.row(Table::Draft, b"l").unwrap().is_some());
}

/// redb's own check gives a file up for good once a page does not hold.
#[test]
fn a_check_leaves_a_damaged_database_as_usable_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let (hit, other) = (entry(CASE, 0), entry(OTHER_CASE, 7));
    store.commit(batch(|b| b.put_entry(hit.clone()).put_entry(other.clone()))).unwrap();
    drop(store);
    let path = home.path().join(DATABASE_FILE);
    let mut file = fs::read(&path).unwrap();
    let places: Vec<usize> =
        file.windows(hit.bytes.len()).enumerate().filter(|(_, at)| *at == hit.bytes).map(|(place, _)| place).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|place| file[*place] ^= 1);
    fs::write(&path, file).unwrap();
    let later = entry(OTHER_CASE, 8);
    let store = open(home.path());
    for _ in 0..2 {
        let problems = store.verify().unwrap().problems;
        assert!(matches!(problems.as_slice(), [Problem::Database(_)]), "{problems:?}");
    }
    assert_eq!(store.entry(OTHER_CASE, other.id).unwrap().as_ref(), Some(&other.bytes));
    store.commit(batch(|b| b.put_entry(later.clone()))).unwrap();
    drop(store);
    assert_eq!(open(home.path()).entry(OTHER_CASE, later.id).unwrap(), Some(later.bytes));
}

#[test]
fn a_row_moved_to_another_place_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    store.commit(batch(|b| b.put_row(Table::Draft, b"a", b"1").put_row(Table::Draft, b"b", b"2"))).unwrap();
    let (a, b) = (keys().name(Table::Draft, b"a"), keys().name(Table::Draft, b"b"));
    drop(store);
    alter(home.path(), |transaction| {
        let mut rows = transaction.open_table(ROWS).unwrap();
        let sealed = rows.get(&a).unwrap().unwrap().value().to_vec();
        rows.insert(&b, sealed.as_slice()).unwrap();
    });
    let store = open(home.path());
    assert!(matches!(store.row(Table::Draft, b"b"), Err(StoreError::DamagedRow)));
    assert!(store.row(Table::Draft, b"a").is_ok());
}

#[test]
fn a_home_of_a_newer_format_is_refused() {
    let home = tempfile::tempdir().unwrap();
    drop(open(home.path()));
    alter(home.path(), |transaction| {
        let meta = redb::TableDefinition::<&str, u64>::new("meta");
        transaction.open_table(meta).unwrap().insert("format", 2).unwrap();
    });
    assert!(matches!(Store::open(home.path(), keys()), Err(StoreError::NewerFormat { found: 2, known: 1 })));
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let real = {
        let home = tempfile::tempdir().unwrap();
        drop(open(home.path()));
        fs::read(home.path().join(DATABASE_FILE)).unwrap()
    };
    let mut magic_only = vec![0; 8192];
    magic_only[..16].copy_from_slice(&real[..16]);
    let mut broken_header = real.clone();
    broken_header[64..320].fill(0xff);
    let hostile = [
        ("text", b"not a database".to_vec()),
        ("zeroes", vec![0; 8192]),
        ("the magic number alone", magic_only),
        ("half of the file", real[..real.len() / 2].to_vec()),
        ("a broken header", broken_header),
    ];
    for (what, bytes) in hostile {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(DATABASE_FILE), &bytes).unwrap();
        let opened = Store::open(home.path(), keys());
        assert!(matches!(opened, Err(StoreError::Damaged(_) | StoreError::Io(_))), "{what}: {:?}", opened.err());
    }
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(DATABASE_FILE)).unwrap();
    assert!(matches!(Store::open(home.path(), keys()), Err(StoreError::Io(_))));
}
