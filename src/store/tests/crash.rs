//! `kill -9` in the middle of writing, again and again: what was acknowledged is there, and whole.
//!
//! The test starts its own binary again with a home in the environment; that child writes from several threads
//! and prints each number only after its commit returned. Killing a process shows what a crash of the program
//! leaves; for power loss the order of fsyncs in `segment.rs` and `database.rs` has to be read.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{chunk, entry, keys};
use crate::encoding::id::CaseId;
use crate::encoding::random::{self, Seeded};
use crate::store::{Batch, ChunkGroup, Store, Table};

const HOME_VARIABLE: &str = "OVERREAD_TEST_STORE_CRASH_HOME";
const ROUNDS: usize = 24;
const THREADS: u8 = 3;
/// Every so many batches a thread deletes its group and starts another.
const BATCHES_A_GROUP: u64 = 8;
const CHUNK_BYTES: usize = 30_000;

fn case(thread: u8) -> CaseId {
    CaseId([thread; 32])
}

fn group(thread: u8, number: u64) -> ChunkGroup {
    let mut group = [thread; 32];
    group[..8].copy_from_slice(&(number / BATCHES_A_GROUP).to_le_bytes());
    ChunkGroup(group)
}

fn seed(thread: u8, number: u64) -> u64 {
    u64::from(thread) << 32 | number
}

/// Row, entry and chunk of one number, and with the first of a group the end of the group before.
fn batch(thread: u8, number: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put_row(Table::Draft, &seed(thread, number).to_le_bytes(), &number.to_le_bytes());
    batch.put_entry(entry(case(thread), number));
    batch.put_chunk(group(thread, number), chunk(seed(thread, number), CHUNK_BYTES));
    if number >= BATCHES_A_GROUP && number.is_multiple_of(BATCHES_A_GROUP) {
        batch.delete_group(group(thread, number - 1));
    }
    batch
}

/// The child: does nothing unless the test below started it.
#[test]
fn the_child_that_is_killed() {
    let Some(home) = std::env::var_os(HOME_VARIABLE).map(PathBuf::from) else { return };
    let store = Store::open(&home, keys()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                let first = store.case_size(case(thread)).unwrap().count;
                for number in first..first + 10_000 {
                    store.commit(batch(thread, number)).unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "\nacknowledged {thread} {number}").unwrap();
                    out.flush().unwrap();
                }
            });
        }
    });
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let home = tempfile::tempdir().unwrap();
    let mut rng = Seeded::new(u64::from_le_bytes(random::bytes(&mut random::system())));
    let mut acknowledged: BTreeMap<u8, u64> = BTreeMap::new();
    for round in 0..ROUNDS {
        let after = Duration::from_micros(rng.below(60_000) as u64);
        for (thread, number) in killed_child(home.path(), after) {
            let newest = acknowledged.entry(thread).or_default();
            *newest = number.max(*newest);
        }
        let store = Store::open(home.path(), keys()).unwrap();
        for (thread, newest) in &acknowledged {
            check(&store, *thread, *newest, round);
        }
        assert_eq!(store.verify().unwrap().problems, [], "round {round}");
    }
    assert!(
        acknowledged.len() == usize::from(THREADS) && acknowledged.values().all(|newest| *newest > 20),
        "the children wrote too little to show anything: {acknowledged:?}"
    );
}

#[test]
fn a_home_killed_while_it_is_created_opens() {
    let mut rng = Seeded::new(u64::from_le_bytes(random::bytes(&mut random::system())));
    let mut begun = 0;
    for _ in 0..ROUNDS {
        let home = tempfile::tempdir().unwrap();
        let mut child = start_child(home.path());
        // Wait for its first file, so that the kill falls into the creation and not before it.
        while std::fs::read_dir(home.path()).unwrap().next().is_none() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(rng.below(12_000) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        begun += usize::from(!home.path().join("chunks").exists());
        let store = Store::open(home.path(), keys()).unwrap();
        assert_eq!(store.verify().unwrap().problems, []);
    }
    assert!(begun > 0, "no kill fell into the creation");
}

/// Lets a child write for a while after its first acknowledgement; what it acknowledged before it was killed.
fn killed_child(home: &Path, after: Duration) -> Vec<(u8, u64)> {
    let mut child = start_child(home);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let mut acknowledged: Vec<_> = lines.by_ref().find_map(|line| parse(&line)).into_iter().collect();
    assert!(!acknowledged.is_empty(), "the child ended before it wrote anything");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(lines.filter_map(|line| parse(&line)));
    acknowledged
}

fn start_child(home: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::crash::the_child_that_is_killed", "--nocapture"])
        .env(HOME_VARIABLE, home)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A line that the kill cut short is not an acknowledgement.
fn parse(line: &str) -> Option<(u8, u64)> {
    let (thread, number) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
    Some((thread.parse().ok()?, number.parse().ok()?))
}

fn check(store: &Store, thread: u8, newest: u64, round: usize) {
    let entries = store.entries(case(thread)).unwrap();
    let count = entries.len() as u64;
    assert!(count > newest, "round {round}: {newest} was acknowledged, {count} entries are there");
    for (number, found) in (0..count).zip(entries) {
        assert_eq!((found.id, found.bytes), {
            let e = entry(case(thread), number);
            (e.id, e.bytes)
        });
        let row = store.row(Table::Draft, &seed(thread, number).to_le_bytes()).unwrap();
        assert_eq!(row.unwrap().as_slice(), number.to_le_bytes());
        let piece = chunk(seed(thread, number), CHUNK_BYTES);
        let is_deleted = number / BATCHES_A_GROUP < (count - 1) / BATCHES_A_GROUP;
        let read = store.read_chunk(piece.id()).unwrap();
        assert_eq!(read.as_deref(), (!is_deleted).then_some(piece.sealed()), "round {round}: chunk {number}");
        assert!(!is_deleted || !store.shared.segments.group_folder(group(thread, number)).exists());
    }
}
