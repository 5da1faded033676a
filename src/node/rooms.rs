//! The cases of this home in memory, and how entries get into them.
//!
//! Every entry, from whomever and by whatever way, goes through [`Rooms::take`]: read, verified, accepted by its
//! case's history, indexed for the sync machine. The caller then makes it durable, and only after that anybody is
//! told. If it cannot be stored, the case is read from disk again, so memory never knows more than the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::api::{Failure, FailureCode};
use super::home::{Open, store_failure};
use crate::case::access::Role;
use crate::case::entry::{Entry, EntryError, SignedEntry, VerifiedCertificates};
use crate::case::history::{Acceptance, Refusal};
use crate::case::live::circle::Circle;
use crate::case::room::{Room, Written};
use crate::case::state::CaseState;
use crate::encoding::id::{CaseId, EntryId};
use crate::identity::keys::DeviceKey;
use crate::store::{Batch, Store, StoredEntry, Table};
use crate::sync::log::{CaseLog, IndexEntry};

/// A case of this home.
pub(super) struct OpenCase {
    pub room: Room,
    pub answered: Answered,
    state: Option<Arc<CaseState>>,
    /// Who says and hears things live; looked for again only after the case changed.
    circle: Option<Option<Arc<Circle>>>,
}

/// Whether the person has opened, answered or fetched the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// A colleague tells of it, and no entry so far names this device: nobody sees it.
    Offered,
    /// Listed; entries are taken up to a limit, no images.
    Invited,
    Accepted,
}

/// All cases of this home.
#[derive(Default)]
pub(super) struct Rooms {
    cases: BTreeMap<CaseId, OpenCase>,
    /// Cases whose stored history does not hold. Nothing of them is shown, written or taken, since what is written
    /// upon half a history is a fork of one's own; the other cases go on.
    damaged: BTreeSet<CaseId>,
    /// What the sync machine reads.
    pub logs: BTreeMap<CaseId, CaseLog>,
}

/// What became of one entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    New(Box<Entry>),
    Known(EntryId),
    /// Its causes are not here.
    MissingCause,
    /// It does not hold.
    Invalid(String),
}

/// An entry that was read and verified, or why it does not hold.
struct Read {
    signed: Result<SignedEntry, EntryError>,
    /// Its length.
    bytes: usize,
}

impl Read {
    fn of(bytes: &[u8], verified: &VerifiedCertificates) -> Self {
        Self { signed: SignedEntry::read_with(bytes, verified), bytes: bytes.len() }
    }
}

/// Entries whose signatures are verified together: enough for all cores, few enough to be held.
const VERIFIED_TOGETHER_MIN: usize = 1024;

impl Rooms {
    /// Reads every case from the store. Without keys (locked) the clear parts still fold.
    ///
    /// Nearly all of the time goes into signatures, so those of many cases are verified together, on all cores.
    pub fn load(store: &Store) -> Result<Self, Failure> {
        let mut rooms = Self::default();
        let verified = VerifiedCertificates::default();
        let mut cases = store.cases().map_err(store_failure)?.into_iter().map(|(case, _)| case).peekable();
        while cases.peek().is_some() {
            let (mut read, mut entries) = (Vec::new(), 0);
            while entries < VERIFIED_TOGETHER_MIN
                && let Some(case) = cases.next()
            {
                let stored = store.entries(case).map_err(store_failure)?;
                entries += stored.len();
                read.push((case, stored));
            }
            let read: Vec<(CaseId, Vec<Read>)> = read
                .into_par_iter()
                .map(|(case, stored)| {
                    let read = stored.par_iter().map(|entry| Read::of(&entry.bytes, &verified));
                    (case, read.collect())
                })
                .collect();
            for (case, read) in read {
                match rooms.put(store, case, read) {
                    Err(_) if rooms.is_damaged(&case) => {}
                    put => put?,
                }
            }
        }
        Ok(rooms)
    }

    /// Reads one case from the store again.
    pub fn reload(&mut self, store: &Store, case: CaseId) -> Result<(), Failure> {
        let verified = VerifiedCertificates::default();
        let stored = store.entries(case).map_err(|error| {
            self.remove(&case);
            store_failure(error)
        })?;
        self.put(store, case, stored.iter().map(|entry| Read::of(&entry.bytes, &verified)).collect())
    }

    /// Takes a case as it was read from the store, in the place of what is known of it.
    fn put(&mut self, store: &Store, case: CaseId, read: Vec<Read>) -> Result<(), Failure> {
        let before = self.cases.get(&case).map(|open| open.answered);
        self.remove(&case);
        for entry in read {
            match self.take_read(case, entry) {
                Taken::New(_) | Taken::Known(_) => {}
                Taken::MissingCause | Taken::Invalid(_) => {
                    tracing::error!(case = %case.short(), "a stored entry does not hold");
                    self.remove(&case);
                    self.damaged.insert(case);
                    return Err(damaged(case));
                }
            }
        }
        let answered = match store.is_locked() {
            true => before.unwrap_or(Answered::Offered),
            false => match store.row(Table::Invitation, &case.0).map_err(store_failure)? {
                Some(row) if row.as_slice() == INVITED => Answered::Invited,
                Some(row) if row.as_slice() == OFFERED => Answered::Offered,
                _ => Answered::Accepted,
            },
        };
        if let Some(open) = self.cases.get_mut(&case) {
            open.answered = answered;
        }
        Ok(())
    }

    /// Takes the keys in: everything that can be opened is opened when it is next looked at.
    pub fn unlock(&mut self, open: &Open) {
        let author = open.author();
        let cases: Vec<&mut OpenCase> = self.cases.values_mut().collect();
        cases.into_par_iter().for_each(|case| {
            case.room.learn(&author);
            case.changed();
        });
    }

    /// Forgets every key and everything opened.
    pub fn lock(&mut self) {
        for case in self.cases.values_mut() {
            case.room.forget();
            case.changed();
        }
    }

    /// Reads, verifies and accepts one entry. It is not durable yet.
    pub fn take(&mut self, case: CaseId, bytes: &[u8]) -> Taken {
        self.take_read(case, Read::of(bytes, &VerifiedCertificates::default()))
    }

    fn take_read(&mut self, case: CaseId, Read { signed, bytes }: Read) -> Taken {
        let signed = match signed {
            Ok(signed) => signed,
            Err(error) => return Taken::Invalid(invalid(&error)),
        };
        let entry = signed.entry().clone();
        if entry.header.case_id() != case {
            return Taken::Invalid(Refusal::OtherCase.to_string());
        }
        let accepted = match self.cases.get_mut(&case) {
            Some(open) => open.room.accept(signed),
            None if self.damaged.contains(&case) => return Taken::MissingCause,
            None => match Room::open(signed, []) {
                Ok(room) => {
                    self.cases.insert(case, OpenCase { room, answered: Answered::Offered, state: None, circle: None });
                    self.index(case, &entry, bytes);
                    return Taken::New(Box::new(entry));
                }
                Err(Refusal::NotAFirstEntry) => return Taken::MissingCause,
                Err(refusal) => Err(refusal),
            },
        };
        match accepted {
            Ok(Acceptance::New(_)) => {
                self.index(case, &entry, bytes);
                if let Some(open) = self.cases.get_mut(&case) {
                    open.changed();
                }
                Taken::New(Box::new(entry))
            }
            Ok(Acceptance::Known(_)) => Taken::Known(entry.id),
            Err(Refusal::UnknownCause(_)) => Taken::MissingCause,
            Err(refusal) => Taken::Invalid(refusal.to_string()),
        }
    }

    /// Adds a case founded here.
    pub fn found(&mut self, room: Room, written: &Written) {
        let case = room.case();
        if let Ok(signed) = SignedEntry::read(&written.bytes) {
            self.cases.insert(case, OpenCase { room, answered: Answered::Accepted, state: None, circle: None });
            self.index(case, signed.entry(), written.bytes.len());
        }
    }

    /// Notes entries that a room wrote itself.
    pub fn wrote(&mut self, case: CaseId, written: &[Written]) {
        for written in written {
            if let Ok(signed) = SignedEntry::read(&written.bytes) {
                self.index(case, signed.entry(), written.bytes.len());
            }
        }
        if let Some(open) = self.cases.get_mut(&case) {
            open.changed();
        }
    }

    fn index(&mut self, case: CaseId, entry: &Entry, bytes: usize) {
        let header = &entry.header;
        let item = IndexEntry {
            id: entry.id,
            device: header.device,
            sequence: header.sequence,
            previous: header.previous,
            parents: &header.parents,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        };
        if let Err(error) = self.logs.entry(case).or_default().insert(&item) {
            tracing::error!(%error, "an accepted entry does not fit the index");
        }
    }

    pub fn get(&self, case: &CaseId) -> Option<&OpenCase> {
        self.cases.get(case)
    }

    pub fn get_mut(&mut self, case: &CaseId) -> Option<&mut OpenCase> {
        self.cases.get_mut(case)
    }

    pub fn remove(&mut self, case: &CaseId) {
        self.cases.remove(case);
        self.logs.remove(case);
        self.damaged.remove(case);
    }

    /// Every case, those that are only offered too.
    pub fn iter(&self) -> impl Iterator<Item = (&CaseId, &OpenCase)> {
        self.cases.iter()
    }

    /// Cases whose stored history does not hold.
    pub fn damaged(&self) -> &BTreeSet<CaseId> {
        &self.damaged
    }

    pub fn is_damaged(&self, case: &CaseId) -> bool {
        self.damaged.contains(case)
    }

    /// The cases the person is in or invited to.
    pub fn ids(&self) -> Vec<CaseId> {
        let seen = self.cases.iter().filter(|(_, open)| open.answered != Answered::Offered);
        seen.map(|(case, _)| *case).collect()
    }
}

impl OpenCase {
    /// What was made of the entries no longer holds.
    fn changed(&mut self) {
        self.state = None;
        self.circle = None;
    }

    /// Who says and hears things live in the case now; none without a clean epoch whose secret is here.
    pub fn circle(&mut self) -> Option<Arc<Circle>> {
        if let Some(circle) = &self.circle {
            return circle.clone();
        }
        let circle = Circle::of(&self.room).map(Arc::new);
        self.circle = Some(circle.clone());
        circle
    }

    /// The case as it stands, folded again only after it changed.
    pub fn state(&mut self) -> Arc<CaseState> {
        if let Some(state) = &self.state {
            return Arc::clone(state);
        }
        let state = Arc::new(self.room.state());
        self.state = Some(Arc::clone(&state));
        state
    }

    /// The role of a device in the case now.
    pub fn role_of(&self, device: &DeviceKey) -> Option<Role> {
        self.room.membership().current_device(device).map(|(_, role, _)| role)
    }
}

/// Value of a case's row in [`Table::Invitation`] while it is unanswered.
pub(super) const INVITED: &[u8] = b"invited";
/// While no entry names this device.
pub(super) const OFFERED: &[u8] = b"offered";
/// Once it was answered.
pub(super) const ACCEPTED: &[u8] = b"accepted";

/// An entry as the store takes it.
pub(super) fn stored(case: CaseId, entry: &Entry, bytes: Vec<u8>) -> StoredEntry {
    StoredEntry { case, id: entry.id, device: entry.header.device, sequence: entry.header.sequence, bytes }
}

/// Puts entries that a room wrote into a batch.
pub(super) fn put_written(batch: &mut Batch, case: CaseId, written: &[Written]) {
    for written in written {
        if let Ok(signed) = SignedEntry::read(&written.bytes) {
            batch.put_entry(stored(case, signed.entry(), written.bytes.clone()));
        }
    }
}

fn invalid(error: &EntryError) -> String {
    error.to_string()
}

pub(super) fn damaged(case: CaseId) -> Failure {
    Failure::new(FailureCode::Damaged, format!("The stored history of case {} is damaged.", case.short()))
        .hint("`overread verify CASE` names what is damaged. `overread case purge CASE` deletes what is here; a colleague's node then sends it again.")
}
