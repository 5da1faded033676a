//! Any series of operations, compared with what a plain model in memory holds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{chunk, entry, open};
use crate::encoding::id::CaseId;
use crate::store::{Batch, ChunkGroup, Size, Store, Table};

#[derive(Debug, Clone)]
enum Step {
    PutRow(u8, u8),
    DeleteRow(u8),
    PutEntry(u8, u8),
    DeleteCase(u8),
    PutChunk(u8, u8),
    ForgetChunk(u8),
    DeleteGroup(u8),
    Commit,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6u8, any::<u8>()).prop_map(|(key, value)| Step::PutRow(key, value)),
        2 => (0..6u8).prop_map(Step::DeleteRow),
        4 => (0..3u8, 0..8u8).prop_map(|(case, number)| Step::PutEntry(case, number)),
        1 => (0..3u8).prop_map(Step::DeleteCase),
        4 => (0..3u8, 0..8u8).prop_map(|(group, number)| Step::PutChunk(group, number)),
        1 => (0..8u8).prop_map(Step::ForgetChunk),
        1 => (0..3u8).prop_map(Step::DeleteGroup),
        4 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Default, Clone)]
struct Model {
    rows: BTreeMap<u8, u8>,
    entries: BTreeMap<u8, Vec<u8>>,
    chunks: BTreeSet<(u8, u8)>,
}

impl Model {
    fn take(&mut self, step: &Step, batch: &mut Batch) {
        let case = |case: u8| CaseId([case; 32]);
        match *step {
            Step::PutRow(key, value) => {
                batch.put_row(Table::Draft, &[key], &[value]);
                self.rows.insert(key, value);
            }
            Step::DeleteRow(key) => {
                batch.delete_row(Table::Draft, &[key]);
                self.rows.remove(&key);
            }
            Step::PutEntry(number_of_case, number) => {
                batch.put_entry(entry(case(number_of_case), u64::from(number)));
                let entries = self.entries.entry(number_of_case).or_default();
                if !entries.contains(&number) {
                    entries.push(number);
                }
            }
            Step::DeleteCase(number) => {
                batch.delete_case(case(number));
                self.entries.remove(&number);
            }
            Step::PutChunk(group, number) => {
                batch.put_chunk(ChunkGroup([group; 32]), chunk(u64::from(number), 100));
                self.chunks.insert((group, number));
            }
            Step::ForgetChunk(number) => {
                batch.forget_chunk(chunk(u64::from(number), 100).id());
                self.chunks.retain(|(_, held)| *held != number);
            }
            Step::DeleteGroup(group) => {
                batch.delete_group(ChunkGroup([group; 32]));
                self.chunks.retain(|(held, _)| *held != group);
            }
            Step::Commit | Step::Reopen => {}
        }
    }

    fn compare(&self, store: &Store) {
        let rows: BTreeMap<u8, u8> =
            store.rows(Table::Draft).unwrap().iter().map(|row| (row.key[0], row.value[0])).collect();
        assert_eq!(rows, self.rows);
        for case in 0..3u8 {
            let entries = store.entries(CaseId([case; 32])).unwrap();
            let numbers: Vec<u8> = entries.iter().map(|entry| entry.bytes[0]).collect();
            assert_eq!(&numbers, self.entries.get(&case).unwrap_or(&Vec::new()));
        }
        for number in 0..8u8 {
            let piece = chunk(u64::from(number), 100);
            let held = self.chunks.iter().any(|(_, held)| *held == number);
            assert_eq!(store.read_chunk(piece.id()).unwrap().is_some(), held);
        }
        for group in 0..3u8 {
            let held = self.chunks.iter().filter(|(held, _)| *held == group).count() as u64;
            assert_eq!(store.group_size(ChunkGroup([group; 32])).unwrap(), Size { count: held, bytes: 100 * held });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_series_of_batches_leaves_what_a_plain_model_holds(steps in prop::collection::vec(step(), 1..60)) {
        let home = tempfile::tempdir().unwrap();
        let mut store = open(home.path());
        let (mut durable, mut pending, mut batch) = (Model::default(), Model::default(), Batch::new());
        for step in &steps {
            pending.take(step, &mut batch);
            match step {
                Step::Commit => {
                    store.commit(std::mem::take(&mut batch)).unwrap();
                    durable = pending.clone();
                    durable.compare(&store);
                }
                Step::Reopen => {
                    batch = Batch::new();
                    pending = durable.clone();
                    drop(store);
                    store = open(home.path());
                    durable.compare(&store);
                }
                _ => {}
            }
        }
        durable.compare(&store);
        prop_assert_eq!(store.verify().unwrap().problems, vec![]);
    }
}
