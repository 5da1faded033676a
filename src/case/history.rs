//! The accepted entries of one case and what lies in the past of what.
//!
//! [`History::accept`] is the only way in. Whether an entry is accepted depends on the entry and its past alone
//! (format 3): no clock, no trust, no quota. Two programs that were given the same entries, in whatever order
//! their causes allowed, hold the same history. What an accepted entry *counts for* is decided in the fold.
//!
//! The past of an entry is kept as one number per *branch*. A branch is a run of one device's entries; an honest
//! device has one, a forked device several. "Is x in the past of y" is then a single comparison.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::access::{AccessChange, Change};
use super::entry::{Entry, SignedEntry};
use crate::encoding::id::{CaseId, EntryId};
use crate::identity::keys::{DeviceKey, IdentityKey};

/// How far two honest clocks may differ before a claimed time is flagged, in milliseconds.
pub const CLOCK_SKEW_MS: i64 = 2 * 60 * 1000;

/// Position of an accepted entry in the order of arrival, which is a causal order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(pub(super) usize);

/// All accepted entries of one case.
#[derive(Debug, Clone)]
pub struct History {
    case: CaseId,
    accepted: Vec<Accepted>,
    by_id: HashMap<EntryId, Index>,
    branches: Vec<Branch>,
    branches_of: HashMap<DeviceKey, Vec<usize>>,
    /// Entries at each place of each device's log; more than one is a fork.
    places: BTreeMap<(DeviceKey, u64), Vec<Index>>,
    /// The first place at which each forked device wrote two entries.
    forked: BTreeMap<DeviceKey, u64>,
    /// Where each device was named, and for whom.
    named: HashMap<DeviceKey, Vec<(IdentityKey, Index)>>,
    added: HashMap<IdentityKey, Vec<Index>>,
    heads: BTreeSet<EntryId>,
}

/// One accepted entry with its place in the history.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub entry: Entry,
    pub author: IdentityKey,
    /// 1 + the highest among previous and parents; the first entry has 1.
    pub lamport: u64,
    branch: usize,
    /// Position in its branch, from 1.
    position: u32,
    /// For each branch, how many of its entries lie in this entry's past, itself included.
    past: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Branch {
    last: Index,
    /// Place of its first entry in the device's log.
    start: u64,
    length: u32,
}

/// What accepting an entry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    New(Index),
    /// It was here already; nothing changed.
    Known(Index),
}

impl History {
    /// Starts a case from its first entry.
    pub fn found(first: SignedEntry) -> Result<Self, Refusal> {
        let entry = first.into_entry();
        if entry.header.case.is_some() {
            return Err(Refusal::NotAFirstEntry);
        }
        let mut history = Self {
            case: entry.id.into(),
            accepted: Vec::new(),
            by_id: HashMap::new(),
            branches: Vec::new(),
            branches_of: HashMap::new(),
            places: BTreeMap::new(),
            forked: BTreeMap::new(),
            named: HashMap::new(),
            added: HashMap::new(),
            heads: BTreeSet::new(),
        };
        let author = entry.body.access().and_then(|access| names(access, entry.header.device));
        history.insert(entry, author.ok_or(Refusal::UnknownDevice)?);
        Ok(history)
    }

    /// Accepts an entry whose past is here, or says why not.
    pub fn accept(&mut self, signed: SignedEntry) -> Result<Acceptance, Refusal> {
        let entry = signed.entry();
        if let Some(index) = self.by_id.get(&entry.id) {
            return Ok(Acceptance::Known(*index));
        }
        if entry.header.case != Some(self.case) {
            return Err(Refusal::OtherCase);
        }
        let causes = self.causes(entry)?;
        self.check_parents(entry)?;
        self.check_previous(entry)?;
        if let Some(epoch) = entry.header.epoch {
            let index = self.by_id.get(&epoch).ok_or(Refusal::UnknownEpoch)?;
            let starts_epoch = matches!(self[*index].entry.body.access(), Some(AccessChange::Members(_)));
            if !starts_epoch || !causes.iter().any(|cause| self.in_past(*index, *cause)) {
                return Err(Refusal::UnknownEpoch);
            }
        }
        let author = self.author(entry, &causes)?;
        Ok(Acceptance::New(self.insert(signed.into_entry(), author)))
    }

    /// Which of an entry's causes are not here yet; empty if it can be accepted or refused now.
    pub fn missing_causes(&self, entry: &Entry) -> Vec<EntryId> {
        let causes = entry.header.parents.iter().chain(&entry.header.previous);
        causes.filter(|id| !self.by_id.contains_key(*id)).copied().collect()
    }

    pub fn case(&self) -> CaseId {
        self.case
    }

    pub fn len(&self) -> usize {
        self.accepted.len()
    }

    /// Always false: a history has at least the entry that founds the case.
    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty()
    }

    pub fn index_of(&self, id: &EntryId) -> Option<Index> {
        self.by_id.get(id).copied()
    }

    /// All entries in order of arrival.
    pub fn entries(&self) -> impl Iterator<Item = (Index, &Accepted)> {
        self.accepted.iter().enumerate().map(|(i, accepted)| (Index(i), accepted))
    }

    /// All entries in the order of the fold: Lamport time, device, sequence, id (format 6).
    pub fn fold_order(&self) -> Vec<Index> {
        let mut order: Vec<Index> = (0..self.accepted.len()).map(Index).collect();
        order.sort_by_key(|index| self.order_key(*index));
        order
    }

    /// Where an entry stands in the order of the fold.
    pub fn order_key(&self, index: Index) -> (u64, DeviceKey, u64, EntryId) {
        let accepted = &self[index];
        let header = &accepted.entry.header;
        (accepted.lamport, header.device, header.sequence, accepted.entry.id)
    }

    /// Entries nobody has written after yet, ascending.
    pub fn heads(&self) -> &BTreeSet<EntryId> {
        &self.heads
    }

    /// The last entries of a device's branches (one, unless it forked).
    pub fn last_of(&self, device: DeviceKey) -> impl Iterator<Item = Index> {
        let lasts = self.branches.iter().map(|branch| branch.last);
        lasts.filter(move |last| self[*last].entry.header.device == device)
    }

    /// Devices that wrote two entries at one place of their log, each with two such entries as the proof.
    pub fn forks(&self) -> impl Iterator<Item = (DeviceKey, EntryId, EntryId)> {
        self.forked.iter().filter_map(|(device, sequence)| {
            let mut ids: Vec<EntryId> =
                self.places.get(&(*device, *sequence))?.iter().map(|i| self[*i].entry.id).collect();
            ids.sort();
            match ids.as_slice() {
                [a, b, ..] => Some((*device, *a, *b)),
                _ => None,
            }
        })
    }

    pub fn is_forked(&self, device: DeviceKey) -> bool {
        self.forked.contains_key(&device)
    }

    /// Whether the past of `index` holds two entries of one place of the device's log: from there on the device
    /// counts as revoked.
    pub fn knows_fork(&self, index: Index, device: DeviceKey) -> bool {
        if !self.is_forked(device) {
            return false;
        }
        let past = &self[index].past;
        let branches = self.branches_of.get(&device).map_or(&[][..], Vec::as_slice);
        let mut spans: Vec<(u64, u64)> = branches
            .iter()
            .filter_map(|branch| past.get(*branch).filter(|seen| **seen > 0).map(|seen| (*branch, u64::from(*seen))))
            .map(|(branch, seen)| (self.branches[branch].start, self.branches[branch].start.saturating_add(seen)))
            .collect();
        spans.sort_unstable();
        spans.windows(2).any(|pair| matches!(pair, [(_, end), (start, _)] if start < end))
    }

    /// Whether an entry claims a time before that of something it directly follows, by more than clocks may differ.
    pub fn claims_before_its_past(&self, index: Index) -> bool {
        let header = &self[index].entry.header;
        let causes = header.parents.iter().chain(&header.previous).filter_map(|id| self.by_id.get(id));
        causes
            .map(|cause| self[*cause].entry.header.claimed)
            .any(|claimed| claimed > header.claimed.plus_ms(CLOCK_SKEW_MS))
    }

    /// The person a device writes for, if it was ever named: the one who named it first in the order of the fold.
    pub fn identity_of(&self, device: DeviceKey) -> Option<IdentityKey> {
        self.first_naming(device, |_| true)
    }

    /// Whether `x` lies in the past of `y`; every entry lies in its own.
    pub fn in_past(&self, x: Index, y: Index) -> bool {
        let (x, y) = (&self[x], &self[y]);
        y.past.get(x.branch).is_some_and(|seen| *seen >= x.position)
    }

    /// Whether neither knew of the other.
    pub fn concurrent(&self, x: Index, y: Index) -> bool {
        !self.in_past(x, y) && !self.in_past(y, x)
    }

    fn causes(&self, entry: &Entry) -> Result<Vec<Index>, Refusal> {
        let ids = entry.header.parents.iter().chain(&entry.header.previous);
        ids.map(|id| self.by_id.get(id).copied().ok_or(Refusal::UnknownCause(*id))).collect()
    }

    /// Parents are heads of what was seen: none lies in the past of another or of `previous`.
    fn check_parents(&self, entry: &Entry) -> Result<(), Refusal> {
        let causes = self.causes(entry)?;
        let parents = &causes[..entry.header.parents.len()];
        for (i, parent) in parents.iter().enumerate() {
            let reached = |(j, other): (usize, &Index)| i != j && self.in_past(*parent, *other);
            if causes.iter().enumerate().any(reached) {
                return Err(Refusal::RedundantParent);
            }
        }
        Ok(())
    }

    /// `previous` is the same device's entry at the place before.
    fn check_previous(&self, entry: &Entry) -> Result<(), Refusal> {
        let Some(previous) = entry.header.previous.and_then(|id| self.by_id.get(&id)) else { return Ok(()) };
        let previous = &self[*previous].entry.header;
        let follows =
            previous.device == entry.header.device && Some(entry.header.sequence) == previous.sequence.checked_add(1);
        if follows { Ok(()) } else { Err(Refusal::WrongPrevious) }
    }

    /// The person behind an entry: its device was named in its past, or, for a `device` entry, names itself.
    fn author(&self, entry: &Entry, causes: &[Index]) -> Result<IdentityKey, Refusal> {
        let seen = |index: Index| causes.iter().any(|cause| self.in_past(index, *cause));
        let added = match entry.body.access() {
            Some(AccessChange::Device(certificate)) => Some(certificate),
            _ => None,
        };
        if let Some(identity) = self.first_naming(entry.header.device, seen) {
            let foreign = added.is_some_and(|certificate| certificate.identity() != identity);
            return if foreign { Err(Refusal::ForeignDevice) } else { Ok(identity) };
        }
        let certificate = added.filter(|certificate| certificate.device() == entry.header.device);
        let identity = certificate.ok_or(Refusal::UnknownDevice)?.identity();
        let was_added = self.added.get(&identity).is_some_and(|places| places.iter().any(|place| seen(*place)));
        if was_added { Ok(identity) } else { Err(Refusal::UnknownDevice) }
    }

    fn first_naming(&self, device: DeviceKey, counts: impl Fn(Index) -> bool) -> Option<IdentityKey> {
        let namings = self.named.get(&device)?.iter().filter(|(_, index)| counts(*index));
        namings.min_by_key(|(identity, index)| (self.order_key(*index), *identity)).map(|(identity, _)| *identity)
    }

    fn insert(&mut self, entry: Entry, author: IdentityKey) -> Index {
        let index = Index(self.accepted.len());
        let header = &entry.header;
        let mut past: Vec<u32> = Vec::new();
        let mut lamport = 0;
        for cause in header.parents.iter().chain(&header.previous) {
            if let Some(cause) = self.by_id.get(cause) {
                let cause = &self[*cause];
                lamport = lamport.max(cause.lamport);
                past.resize(past.len().max(cause.past.len()), 0);
                for (seen, also) in past.iter_mut().zip(&cause.past) {
                    *seen = (*seen).max(*also);
                }
            }
            self.heads.remove(cause);
        }
        let previous = header.previous.and_then(|id| self.by_id.get(&id).copied());
        let continued =
            previous.map(|previous| self[previous].branch).filter(|b| Some(self.branches[*b].last) == previous);
        let branch = continued.unwrap_or(self.branches.len());
        if continued.is_none() {
            self.branches.push(Branch { last: index, start: header.sequence, length: 0 });
            self.branches_of.entry(header.device).or_default().push(branch);
        }
        self.branches[branch].last = index;
        self.branches[branch].length += 1;
        let position = self.branches[branch].length;
        past.resize(past.len().max(branch + 1), 0);
        past[branch] = position;

        let place = self.places.entry((header.device, header.sequence)).or_default();
        place.push(index);
        if place.len() > 1 {
            let first = self.forked.entry(header.device).or_insert(header.sequence);
            *first = header.sequence.min(*first);
        }
        if let Some(access) = entry.body.access() {
            for certificate in access.certificates() {
                self.named.entry(certificate.device()).or_default().push((certificate.identity(), index));
            }
            if let AccessChange::Members(members) = access {
                for change in &members.changes {
                    if let Change::Add { identity, .. } = change {
                        self.added.entry(*identity).or_default().push(index);
                    }
                }
            }
        }
        self.heads.insert(entry.id);
        self.by_id.insert(entry.id, index);
        self.accepted.push(Accepted { entry, author, lamport: lamport + 1, branch, position, past });
        index
    }
}

impl std::ops::Index<Index> for History {
    type Output = Accepted;

    fn index(&self, index: Index) -> &Accepted {
        // An Index is made by this history only, and entries are never taken out.
        &self.accepted[index.0]
    }
}

fn names(access: &AccessChange, device: DeviceKey) -> Option<IdentityKey> {
    access.certificates().find(|certificate| certificate.device() == device).map(|certificate| certificate.identity())
}

/// Why an entry does not become part of the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("not the first entry of a case")]
    NotAFirstEntry,
    #[error("belongs to another case")]
    OtherCase,
    #[error("an entry it follows is not here: {0:?}")]
    UnknownCause(EntryId),
    #[error("names a parent that another cause already reaches")]
    RedundantParent,
    #[error("does not follow its device's entry before")]
    WrongPrevious,
    #[error("names an epoch that is not in its past")]
    UnknownEpoch,
    #[error("written by a device that no member has")]
    UnknownDevice,
    #[error("adds a device for somebody else")]
    ForeignDevice,
}
