//! The index of a case's history: which entries there are and how they hang together, without a byte of them.
//!
//! The node keeps one [`CaseLog`] a shared case (about 120 bytes an entry) and changes it when an entry was accepted
//! and stored; the machine only reads it. Entries get an *arrival number*; since an entry is accepted only after its
//! parents, arrival order is a causal order.
//!
//! **Branches.** A device's log is a chain, unless it forked. It is kept as branches: the first branch is the chain,
//! and an entry whose `previous` is not the tip of a branch starts another one. So every tip is a head, and whether
//! one entry lies before another is a climb over branches, never a walk over entries: a forger with a long log cannot
//! make others walk it again and again.
//!
//! **Seen.** An entry's past was on its author's device. For each author the log keeps, a head a device, what its
//! entries cite: delivery can be told from an entry that came by any path (format 7).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::frontier::{Frontier, Head};
use super::plan::{covers, join};
use crate::encoding::id::{CaseId, EntryId};
use crate::identity::keys::DeviceKey;

/// What the index needs to know of an accepted entry.
#[derive(Debug, Clone)]
pub struct IndexEntry<'a> {
    pub id: EntryId,
    pub device: DeviceKey,
    /// Dense from 0.
    pub sequence: u64,
    /// The entry before it in the device's log; absent for sequence 0.
    pub previous: Option<EntryId>,
    pub parents: &'a [EntryId],
    /// Length of the sealed, signed entry in bytes.
    pub bytes: u32,
}

/// Why an entry cannot be indexed: the shell accepted what it must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    #[error("a parent or the previous entry is not here yet")]
    MissingParent,
    #[error("the sequence does not follow the previous entry of the same device")]
    BrokenChain,
    #[error("the index is full")]
    Full,
}

/// Position of an entry in the order of arrival.
pub type Arrival = u32;

/// The index of one case.
#[derive(Debug, Default)]
pub struct CaseLog {
    records: Vec<Record>,
    by_id: HashMap<EntryId, Arrival>,
    parents: Vec<Arrival>,
    devices: BTreeMap<DeviceKey, u32>,
    chains: Vec<Chain>,
    frontier: Frontier,
}

#[derive(Debug)]
struct Record {
    id: EntryId,
    sequence: u64,
    chain: u32,
    branch: u32,
    previous: Option<Arrival>,
    parents_start: u32,
    parents_count: u16,
    bytes: u32,
}

#[derive(Debug)]
struct Chain {
    device: DeviceKey,
    branches: Vec<Branch>,
    /// By chain: heads this author's entries cite.
    seen: Vec<Vec<Arrival>>,
}

#[derive(Debug)]
struct Branch {
    /// The branch on which the entry before the first lies; absent if the branch starts at sequence 0.
    parent: Option<u32>,
    first_sequence: u64,
    entries: Vec<Arrival>,
}

impl Branch {
    fn tip(&self) -> Option<Arrival> {
        self.entries.last().copied()
    }
}

impl CaseLog {
    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn contains(&self, id: &EntryId) -> bool {
        self.by_id.contains_key(id)
    }

    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Adds an accepted entry; `false` if it is here already.
    pub fn insert(&mut self, entry: &IndexEntry<'_>) -> Result<bool, IndexError> {
        if self.contains(&entry.id) {
            return Ok(false);
        }
        let arrival = Arrival::try_from(self.records.len()).map_err(|_| IndexError::Full)?;
        let previous = entry.previous.map(|id| self.arrival(&id).ok_or(IndexError::MissingParent)).transpose()?;
        let parents_start = u32::try_from(self.parents.len()).map_err(|_| IndexError::Full)?;
        let parents_count = u16::try_from(entry.parents.len()).map_err(|_| IndexError::Full)?;
        let parents = entry.parents.iter().map(|id| self.arrival(id).ok_or(IndexError::MissingParent));
        let parents: Vec<Arrival> = parents.collect::<Result<_, _>>()?;
        let follows = match previous {
            None => entry.sequence == 0,
            Some(previous) => {
                let before = &self.records[previous as usize];
                before.sequence.checked_add(1) == Some(entry.sequence)
                    && self.chains[before.chain as usize].device == entry.device
            }
        };
        if !follows {
            return Err(IndexError::BrokenChain);
        }
        let chain = self.chain_of(entry.device);
        let branch = self.extend(chain, previous, entry.sequence, arrival);
        self.parents.extend_from_slice(&parents);
        self.by_id.insert(entry.id, arrival);
        self.records.push(Record {
            id: entry.id,
            sequence: entry.sequence,
            chain,
            branch,
            previous,
            parents_start,
            parents_count,
            bytes: entry.bytes,
        });
        let heads = self.tips(chain).map(|tip| self.head(tip)).collect();
        self.frontier.set(entry.device, heads);
        self.see(chain, arrival);
        Ok(true)
    }

    /// Whether `device` must have this entry because one of its own entries has it in its past.
    pub fn is_cited_by(&self, device: &DeviceKey, id: &EntryId) -> bool {
        let (Some(author), Some(target)) = (self.devices.get(device), self.arrival(id)) else { return false };
        let target_chain = self.records[target as usize].chain as usize;
        let seen = self.chains[*author as usize].seen.get(target_chain);
        seen.is_some_and(|heads| heads.iter().any(|head| self.is_before(target, *head)))
    }

    /// Whether a device with this frontier has the entry; heads that are not here tell nothing.
    pub fn is_covered_by(&self, frontier: &Frontier, id: &EntryId) -> bool {
        self.arrival(id).is_some_and(|entry| covers(self, frontier.heads(&self.device(entry)), entry))
    }

    /// Takes into a frontier what another one of the same device has too, as far as it is here.
    pub fn join(&self, frontier: &mut Frontier, other: &Frontier) {
        let heads = other.devices().flat_map(|(_, heads)| heads);
        for entry in heads.filter_map(|head| self.arrival(&head.id)) {
            join(frontier, self, entry);
        }
    }

    /// Two headers of one device with the same sequence, for each fork: the proof to keep and show.
    pub fn fork_proofs(&self, device: &DeviceKey) -> Vec<(EntryId, EntryId)> {
        let Some(chain) = self.devices.get(device).map(|c| &self.chains[*c as usize]) else { return Vec::new() };
        let later = chain.branches.iter().skip(1);
        later
            .filter_map(|branch| {
                let from = &chain.branches[branch.parent.unwrap_or(0) as usize];
                let offset = branch.first_sequence.checked_sub(from.first_sequence)?;
                let other = from.entries.get(usize::try_from(offset).ok()?)?;
                Some((self.id(*other), self.id(*branch.entries.first()?)))
            })
            .collect()
    }

    pub(super) fn arrival(&self, id: &EntryId) -> Option<Arrival> {
        self.by_id.get(id).copied()
    }

    pub(super) fn id(&self, arrival: Arrival) -> EntryId {
        self.records[arrival as usize].id
    }

    pub(super) fn bytes(&self, arrival: Arrival) -> u32 {
        self.records[arrival as usize].bytes
    }

    pub(super) fn device(&self, arrival: Arrival) -> DeviceKey {
        self.chains[self.records[arrival as usize].chain as usize].device
    }

    pub(super) fn head(&self, arrival: Arrival) -> Head {
        let record = &self.records[arrival as usize];
        Head { sequence: record.sequence, id: record.id }
    }

    /// The previous entry and the parents.
    pub(super) fn past(&self, arrival: Arrival) -> impl Iterator<Item = Arrival> {
        let record = &self.records[arrival as usize];
        let start = record.parents_start as usize;
        let parents = &self.parents[start..start + record.parents_count as usize];
        record.previous.into_iter().chain(parents.iter().copied())
    }

    /// Whether the entry is the first of a second branch: half of a fork's proof.
    pub(super) fn starts_fork(&self, arrival: Arrival) -> bool {
        let record = &self.records[arrival as usize];
        record.branch > 0
            && self.chains[record.chain as usize].branches[record.branch as usize].entries.first() == Some(&arrival)
    }

    /// The last entry of every branch of a device.
    pub(super) fn tips_of(&self, device: &DeviceKey) -> Vec<Arrival> {
        self.devices.get(device).map(|chain| self.tips(*chain).collect()).unwrap_or_default()
    }

    /// Whether `a` is `b` or lies before it in the same device's log.
    pub(super) fn is_before(&self, a: Arrival, b: Arrival) -> bool {
        let (a, b) = (&self.records[a as usize], &self.records[b as usize]);
        a.chain == b.chain
            && self
                .climb(b.chain, b.branch, b.sequence)
                .any(|step| step.branch == a.branch && a.sequence <= step.last_sequence)
    }

    /// The ways from entries down to the start of their device's log, merged: the highest sequence on each branch.
    pub(super) fn reach(&self, device: &DeviceKey, entries: impl Iterator<Item = Arrival>) -> BTreeMap<u32, u64> {
        let mut reach = BTreeMap::new();
        let Some(&chain) = self.devices.get(device) else { return reach };
        for record in entries.map(|arrival| &self.records[arrival as usize]).filter(|r| r.chain == chain) {
            for step in self.climb(chain, record.branch, record.sequence) {
                match reach.get(&step.branch) {
                    // What lies below was climbed before.
                    Some(last) if *last >= step.last_sequence => break,
                    _ => reach.insert(step.branch, step.last_sequence),
                };
            }
        }
        reach
    }

    /// Entries of a device that `wanted` reaches and `covered` does not.
    pub(super) fn beyond<'a>(
        &'a self,
        device: &DeviceKey,
        wanted: &'a BTreeMap<u32, u64>,
        covered: &'a BTreeMap<u32, u64>,
    ) -> impl Iterator<Item = Arrival> + 'a {
        let chain = self.devices.get(device).map(|chain| &self.chains[*chain as usize]);
        chain.into_iter().flat_map(move |chain| {
            wanted.iter().flat_map(move |(index, last)| {
                let branch = &chain.branches[*index as usize];
                let skip = covered.get(index).map_or(0, |covered| covered + 1 - branch.first_sequence);
                let end = last + 1 - branch.first_sequence;
                branch.entries[skip.min(end) as usize..end as usize].iter().copied()
            })
        })
    }

    /// The entry at `sequence` on the way down from `from`.
    pub(super) fn ancestor_at(&self, from: Arrival, sequence: u64) -> Option<Arrival> {
        let record = &self.records[from as usize];
        let chain = &self.chains[record.chain as usize];
        self.climb(record.chain, record.branch, record.sequence).find_map(|step| {
            let branch = &chain.branches[step.branch as usize];
            let offset = sequence.checked_sub(branch.first_sequence)?;
            (sequence <= step.last_sequence).then(|| branch.entries.get(offset as usize).copied())?
        })
    }

    fn climb(&self, chain: u32, branch: u32, sequence: u64) -> impl Iterator<Item = Step> + '_ {
        let branches = &self.chains[chain as usize].branches;
        std::iter::successors(Some(Step { branch, last_sequence: sequence }), move |step| {
            let branch = &branches[step.branch as usize];
            Some(Step { branch: branch.parent?, last_sequence: branch.first_sequence.checked_sub(1)? })
        })
    }

    fn tips(&self, chain: u32) -> impl Iterator<Item = Arrival> + '_ {
        self.chains[chain as usize].branches.iter().filter_map(Branch::tip)
    }

    fn chain_of(&mut self, device: DeviceKey) -> u32 {
        let next = self.chains.len() as u32; // not more chains than entries, whose number is checked
        *self.devices.entry(device).or_insert_with(|| {
            self.chains.push(Chain { device, branches: Vec::new(), seen: Vec::new() });
            next
        })
    }

    /// Puts an entry at the end of the branch it continues, or starts a branch; returns the branch's number.
    fn extend(&mut self, chain: u32, previous: Option<Arrival>, sequence: u64, arrival: Arrival) -> u32 {
        let parent = previous.map(|previous| self.records[previous as usize].branch);
        let branches = &mut self.chains[chain as usize].branches;
        if let Some(number) = parent {
            let branch = &mut branches[number as usize];
            if branch.tip() == previous {
                branch.entries.push(arrival);
                return number;
            }
        }
        branches.push(Branch { parent, first_sequence: sequence, entries: vec![arrival] });
        (branches.len() - 1) as u32
    }

    /// Notes that the author of `arrival` has its whole past. Each entry is walked once an author.
    fn see(&mut self, author: u32, arrival: Arrival) {
        let mut seen = std::mem::take(&mut self.chains[author as usize].seen);
        seen.resize_with(self.chains.len(), Vec::new);
        let mut new = HashSet::new();
        let mut open = vec![arrival];
        while let Some(arrival) = open.pop() {
            let heads = &seen[self.records[arrival as usize].chain as usize];
            let known = heads.iter().any(|head| self.is_before(arrival, *head));
            if !known && new.insert(arrival) {
                open.extend(self.past(arrival));
            }
        }
        for arrival in new {
            let heads = &mut seen[self.records[arrival as usize].chain as usize];
            if !heads.iter().any(|head| self.is_before(arrival, *head)) {
                heads.retain(|head| !self.is_before(*head, arrival));
                heads.push(arrival);
            }
        }
        self.chains[author as usize].seen = seen;
    }
}

struct Step {
    branch: u32,
    last_sequence: u64,
}

/// Where the machine finds the index of a case.
pub trait Logs {
    fn log(&self, case: &CaseId) -> Option<&CaseLog>;
}

impl Logs for BTreeMap<CaseId, CaseLog> {
    fn log(&self, case: &CaseId) -> Option<&CaseLog> {
        self.get(case)
    }
}

impl Logs for HashMap<CaseId, CaseLog> {
    fn log(&self, case: &CaseId) -> Option<&CaseLog> {
        self.get(case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> EntryId {
        EntryId([n; 32])
    }

    const ANNA: DeviceKey = DeviceKey([1; 32]);
    const BEN: DeviceKey = DeviceKey([2; 32]);

    fn add(
        log: &mut CaseLog,
        n: u8,
        device: DeviceKey,
        previous: Option<(u64, u8)>,
        parents: &[u8],
    ) -> Result<bool, IndexError> {
        let parents: Vec<_> = parents.iter().map(|n| id(*n)).collect();
        log.insert(&IndexEntry {
            id: id(n),
            device,
            sequence: previous.map_or(0, |(sequence, _)| sequence + 1),
            previous: previous.map(|(_, n)| id(n)),
            parents: &parents,
            bytes: 100,
        })
    }

    /// 1 - 2 - 3 - 4 by Anna, with 5 - 6 forked off at 2 and 7 forked off at 5, and 8 as a second beginning.
    fn forked() -> CaseLog {
        let mut log = CaseLog::default();
        for (n, previous) in [
            (1, None),
            (2, Some((0, 1))),
            (3, Some((1, 2))),
            (5, Some((1, 2))),
            (4, Some((2, 3))),
            (6, Some((2, 5))),
            (7, Some((2, 5))),
            (8, None),
        ] {
            assert_eq!(add(&mut log, n, ANNA, previous, &[]), Ok(true));
        }
        log
    }

    #[test]
    fn a_fork_has_a_head_and_a_proof_for_each_branch() {
        let log = forked();
        let heads: Vec<_> = log.frontier().heads(&ANNA).iter().map(|h| (h.sequence, h.id.0[0])).collect();
        assert_eq!(heads, [(0, 8), (3, 4), (3, 6), (3, 7)]);
        assert_eq!(log.fork_proofs(&ANNA), [(id(3), id(5)), (id(6), id(7)), (id(1), id(8))]);
        assert_eq!(log.fork_proofs(&BEN), []);
    }

    #[test]
    fn what_lies_before_what_is_told_across_branches() {
        let log = forked();
        let at = |n| log.arrival(&id(n)).unwrap();
        for (a, b, expected) in [
            (1, 7, true),
            (2, 4, true),
            (3, 6, false),
            (5, 7, true),
            (6, 7, false),
            (8, 4, false),
            (4, 4, true),
            (4, 3, false),
        ] {
            assert_eq!(log.is_before(at(a), at(b)), expected, "{a} before {b}");
        }
        assert_eq!(log.ancestor_at(at(7), 1), Some(at(2)));
        assert_eq!(log.ancestor_at(at(7), 2), Some(at(5)));
        assert_eq!(log.ancestor_at(at(8), 1), None);
    }

    #[test]
    fn beyond_lists_what_one_reach_has_and_the_other_lacks() {
        let log = forked();
        let at = |n| log.arrival(&id(n)).unwrap();
        let reach = |ns: &[u8]| log.reach(&ANNA, ns.iter().map(|n| at(*n)));
        let beyond = |wanted: &[u8], covered: &[u8]| {
            let mut found: Vec<_> =
                log.beyond(&ANNA, &reach(wanted), &reach(covered)).map(|a| log.id(a).0[0]).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(beyond(&[4, 6, 7, 8], &[]), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(beyond(&[4, 7], &[6]), [3, 4, 7]);
        assert_eq!(beyond(&[4], &[7]), [3, 4]);
        assert_eq!(beyond(&[2], &[7]), [] as [u8; 0]);
    }

    #[test]
    fn an_entry_that_does_not_hang_together_is_refused() {
        let mut log = forked();
        assert_eq!(add(&mut log, 2, ANNA, Some((0, 1)), &[]), Ok(false), "a duplicate changes nothing");
        assert_eq!(add(&mut log, 9, ANNA, Some((0, 99)), &[]), Err(IndexError::MissingParent));
        assert_eq!(add(&mut log, 9, BEN, None, &[99]), Err(IndexError::MissingParent));
        assert_eq!(add(&mut log, 9, ANNA, Some((4, 4)), &[]), Err(IndexError::BrokenChain), "a hole");
        assert_eq!(add(&mut log, 9, BEN, Some((3, 4)), &[]), Err(IndexError::BrokenChain), "another's chain");
        assert_eq!(log.len(), 8);
    }

    #[test]
    fn an_entry_shows_what_its_author_had() {
        let mut log = forked();
        add(&mut log, 10, BEN, None, &[3]).unwrap();
        let cited = |log: &CaseLog, n| log.is_cited_by(&BEN, &id(n));
        assert!(cited(&log, 1) && cited(&log, 3) && cited(&log, 10));
        assert!(!cited(&log, 4) && !cited(&log, 5));
        add(&mut log, 11, BEN, Some((0, 10)), &[7]).unwrap();
        assert!(cited(&log, 5) && cited(&log, 7) && cited(&log, 3) && !cited(&log, 6));
    }

    #[test]
    fn a_long_history_is_indexed_in_linear_time() {
        let mut log = CaseLog::default();
        let wide = |n: u32| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&n.to_be_bytes());
            EntryId(id)
        };
        for n in 0..40_000u32 {
            let (device, before) = (if n % 2 == 0 { ANNA } else { BEN }, n.checked_sub(2).map(wide));
            let parents: Vec<_> = n.checked_sub(1).map(wide).into_iter().collect();
            let entry = IndexEntry {
                id: wide(n),
                device,
                sequence: u64::from(n / 2),
                previous: before,
                parents: &parents,
                bytes: 1,
            };
            assert_eq!(log.insert(&entry), Ok(true));
        }
        assert!(log.is_cited_by(&ANNA, &wide(39_997)));
        assert!(!log.is_cited_by(&ANNA, &wide(39_999)));
    }
}
