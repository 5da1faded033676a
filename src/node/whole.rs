//! How many images of a study are here whole, counted while its chunks arrive.

use std::collections::{BTreeSet, HashMap};

use crate::encoding::id::ChunkId;

/// Instances of a study by how many of their chunks are not here.
#[derive(Debug, Default)]
pub(super) struct Instances {
    missing: Vec<usize>,
    /// Instances that wait for a chunk; two may share one.
    waiting: HashMap<ChunkId, Vec<usize>>,
    whole: u64,
}

impl Instances {
    /// An instance became known, with the chunks of it that are not here.
    pub fn add(&mut self, missing: &BTreeSet<ChunkId>) {
        for chunk in missing {
            self.waiting.entry(*chunk).or_default().push(self.missing.len());
        }
        self.whole += u64::from(missing.is_empty());
        self.missing.push(missing.len());
    }

    pub fn arrived(&mut self, chunk: &ChunkId) {
        for instance in self.waiting.remove(chunk).into_iter().flatten() {
            if let Some(missing) = self.missing.get_mut(instance) {
                *missing = missing.saturating_sub(1);
                self.whole += u64::from(*missing == 0);
            }
        }
    }

    pub fn whole(&self) -> u64 {
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_whole_with_its_last_chunk_and_counts_once() {
        let chunks = |numbers: &[u8]| numbers.iter().map(|number| ChunkId([*number; _])).collect::<BTreeSet<_>>();
        let mut instances = Instances::default();
        for missing in [&[][..], &[1], &[1, 2]] {
            instances.add(&chunks(missing));
        }
        assert_eq!(instances.whole(), 1);
        for (number, whole) in [(1, 2), (1, 2), (9, 2), (2, 3), (2, 3)] {
            instances.arrived(&ChunkId([number; _]));
            assert_eq!(instances.whole(), whole, "{number}");
        }
    }
}
