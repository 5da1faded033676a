//! Entries that arrive, over a connection or in a bundle: verified, accepted, made durable, and what follows from them.
//!
//! A case nobody here has heard of is taken from a colleague only, and stays unseen until one of its entries names this
//! device ([`Answered::Offered`]): a long history arrives in several batches, and the entry that invites may stand in
//! the last. What never names this device is deleted when the connection or the bundle ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::api::LOCKED_NOTICES;
use super::core::{Node, open_part};
use super::rooms::{Answered, INVITED, OFFERED, Taken, stored};
use super::upkeep::Hands;
use crate::case::entry::{Entry, ParsedEntry};
use crate::encoding::id::{CaseId, EntryId};
use crate::identity::keys::DeviceKey;
use crate::seal::epoch::{NoticeContext, open_notice};
use crate::store::{Batch, Table};
use crate::sync::event::{Event as SyncEvent, Refusal, Standing, Stored};

/// What to do with the entries behind one that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterRefusal {
    /// A peer is asked again from there on.
    Stop,
    /// A bundle has nobody to ask: whatever still holds is taken.
    GoOn,
}

/// An entry that waits until another one cites it.
type SetAside = (EntryId, Vec<u8>);

/// What became of entries that arrived.
#[derive(Debug, Default)]
pub(super) struct TakenIn {
    pub stored: Stored,
    /// Why the first that was refused was.
    pub refused: Option<Refusal>,
    pub refused_count: usize,
}

impl Node {
    /// Takes entries from a peer; durable before anybody is told.
    pub async fn accept_entries(&mut self, peer: DeviceKey, case: CaseId, entries: Vec<Vec<u8>>) -> SyncEvent {
        let taken = self.take_in(Some(peer), case, entries, AfterRefusal::Stop).await;
        match taken.refused {
            Some(why) => SyncEvent::EntriesRefused { peer, case, stored: taken.stored, why },
            None => SyncEvent::EntriesAccepted { peer, case, stored: taken.stored },
        }
    }

    /// Verifies, accepts and stores entries that `from` gave; without a giver only a case that is here grows.
    pub async fn take_in(
        &mut self,
        from: Option<DeviceKey>,
        case: CaseId,
        entries: Vec<Vec<u8>>,
        after_refusal: AfterRefusal,
    ) -> TakenIn {
        let before = self.rooms.get(&case).map(|open| open.answered);
        let mut taken = TakenIn::default();
        let mut batch = Batch::new();
        let mut new: Vec<Box<Entry>> = Vec::new();
        // Entries of devices that are out of the case wait here until a current member's entry cites them.
        let mut aside: Vec<SetAside> = Vec::new();
        for bytes in entries {
            if let Some(id) = self.outsiders_entry(case, &bytes) {
                aside.push((id, bytes));
                continue;
            }
            for bytes in self.with_cited_outsiders(case, bytes, &mut aside) {
                match self.rooms.take(case, &bytes) {
                    Taken::New(entry) => {
                        batch.put_entry(stored(case, &entry, bytes));
                        taken.stored.new.push(entry.id);
                        new.push(entry);
                    }
                    Taken::Known(id) => taken.stored.known.push(id),
                    Taken::MissingCause => taken.refuse(Refusal::MissingParent),
                    Taken::Invalid(why) => {
                        tracing::warn!(case = %case.short(), from = from.map(|peer| peer.short()), why, "an entry was refused");
                        taken.refuse(Refusal::Invalid);
                    }
                }
            }
            if taken.refused.is_some() && after_refusal == AfterRefusal::Stop {
                break;
            }
        }
        if !new.is_empty() && matches!(before, None | Some(Answered::Offered)) {
            self.note_invitation(from, case, before, &mut batch);
        }
        if !batch.is_empty()
            && let Err(error) = self.commit(batch).await
        {
            tracing::error!(what = error.what, "entries could not be stored");
            if let Ok(store) = self.store().map(Arc::clone) {
                let _ = self.rooms.reload(&store, case);
                self.learn(case);
            }
            return TakenIn { refused: Some(Refusal::Full), refused_count: 1, ..TakenIn::default() };
        }
        if !new.is_empty() {
            self.learn(case);
            self.case_changed(case, &new).await;
        }
        taken
    }

    /// Notes how far a case that is new here has come: offered, or an invitation. A locked node keeps that in memory,
    /// and writes it down when it is opened.
    fn note_invitation(&mut self, from: Option<DeviceKey>, case: CaseId, before: Option<Answered>, batch: &mut Batch) {
        let invited = from.is_some_and(|peer| self.invites_me(&peer, case));
        let answered = if invited { Answered::Invited } else { Answered::Offered };
        if let Some(open) = self.rooms.get_mut(&case) {
            open.answered = answered;
        }
        if self.is_open() && before != Some(answered) {
            batch.put_row(Table::Invitation, &case.0, if invited { INVITED } else { OFFERED });
        }
    }

    /// Whether a case names this device and the giver, both as current members.
    fn invites_me(&self, peer: &DeviceKey, case: CaseId) -> bool {
        let Some(open) = self.rooms.get(&case) else { return false };
        let Some(me) = self.my_device() else { return false };
        let membership = open.room.membership();
        membership.current_device(peer).is_some() && membership.current_device(&me).is_some()
    }

    /// Deletes cases that were offered, never named this device, and that nobody connected is telling of now.
    pub async fn forget_offered(&mut self) {
        let told: BTreeSet<CaseId> =
            self.link.iter().flat_map(|link| link.shares().keys().map(|(_, case)| *case)).collect();
        let offered = self.rooms.iter().filter(|(_, open)| open.answered == Answered::Offered);
        let gone: Vec<CaseId> = offered.map(|(case, _)| *case).filter(|case| !told.contains(case)).collect();
        for case in gone {
            let mut batch = Batch::new();
            batch.delete_case(case);
            if self.is_open() {
                batch.delete_row(Table::Invitation, &case.0);
            }
            match self.commit(batch).await {
                Ok(()) => self.rooms.remove(&case),
                Err(failure) => tracing::warn!(what = failure.what, "an offered case could not be deleted"),
            }
        }
    }

    /// The id of an entry whose device was put out of the case and which is not here yet. What a forked device wrote is
    /// taken like any other: it counts wherever it is, so everybody must end up with it, in whatever order it came.
    fn outsiders_entry(&self, case: CaseId, bytes: &[u8]) -> Option<EntryId> {
        let room = &self.rooms.get(&case)?.room;
        let parsed = ParsedEntry::parse(bytes).ok()?;
        let entry = parsed.entry();
        let device = entry.header.device;
        let gone = room.membership().is_out(&device);
        let proves_fork = room.history().last_of(device).any(|last| {
            let last = &room.history()[last].entry;
            last.header.sequence >= entry.header.sequence && last.id != entry.id
        });
        (gone && !proves_fork && room.history().index_of(&entry.id).is_none()).then_some(entry.id)
    }

    /// An entry, behind those set aside that it needs as causes; alone if others are missing too.
    fn with_cited_outsiders(&self, case: CaseId, bytes: Vec<u8>, aside: &mut Vec<SetAside>) -> Vec<Vec<u8>> {
        let cited = self.cited_outsiders(case, &bytes, aside).unwrap_or_default();
        let (needed, rest): (Vec<SetAside>, Vec<SetAside>) =
            std::mem::take(aside).into_iter().partition(|(id, _)| cited.contains(id));
        *aside = rest;
        // Set aside as they came, so each after its parents.
        needed.into_iter().map(|(_, bytes)| bytes).chain([bytes]).collect()
    }

    /// Which entries set aside an entry's causes need; `None` if others are missing too.
    fn cited_outsiders(&self, case: CaseId, bytes: &[u8], aside: &[SetAside]) -> Option<BTreeSet<EntryId>> {
        if aside.is_empty() {
            return None;
        }
        let history = self.rooms.get(&case)?.room.history();
        let mut cited = BTreeSet::new();
        let mut open = history.missing_causes(ParsedEntry::parse(bytes).ok()?.entry());
        while let Some(id) = open.pop() {
            if cited.insert(id) {
                let (_, bytes) = aside.iter().find(|(set_aside, _)| *set_aside == id)?;
                open.extend(history.missing_causes(ParsedEntry::parse(bytes).ok()?.entry()));
            }
        }
        Some(cited)
    }

    /// Opens what came in, if the vault is open.
    pub fn learn(&mut self, case: CaseId) {
        if let (Some(open), Some(case)) = (open_part(&self.phase), self.rooms.get_mut(&case)) {
            case.room.learn(&open.author());
        }
    }

    /// A peer speaks of a case that is not here: taken as an invitation if a colleague of mine sends it.
    pub fn offered(&mut self, peer: DeviceKey, case: CaseId) -> Option<SyncEvent> {
        if self.rooms.get(&case).is_some() || self.rooms.is_damaged(&case) {
            return None;
        }
        let link = self.link.as_ref()?;
        let identity = link.connected().get(&peer)?.identity;
        let is_colleague = match self.open_part() {
            Some(open) => open.people.get(&identity).is_some_and(|colleague| !colleague.is_blocked()),
            None => link.colleagues.values().any(|(colleague, _)| *colleague == identity),
        };
        if !is_colleague {
            return None;
        }
        self.link.as_mut()?.share(peer, case, Standing::InvitedMe);
        Some(SyncEvent::Share { peer, case, standing: Standing::InvitedMe })
    }

    /// What follows from new entries: gate, shares, deletions, wants, notices.
    pub async fn case_changed(&mut self, case: CaseId, new: &[Box<Entry>]) {
        let access_changed = new.iter().any(|entry| entry.body.access().is_some());
        if access_changed {
            self.update_gate().await;
        }
        if self.is_open() {
            if access_changed {
                self.hand_keys(case, Hands::Starter).await;
            }
            self.delete_withdrawn(case).await;
            self.want(case).await;
            self.happened("entries", Some(case.to_string()), None);
        } else {
            self.show_notices(new);
        }
        self.serve_waiters().await;
    }

    /// A locked screen may say the urgency of what came, and nothing else.
    fn show_notices(&mut self, new: &[Box<Entry>]) {
        let Some(locked) = self.locked_part() else { return };
        let me = locked.certificate.device();
        let mut urgent = Vec::new();
        for entry in new {
            let Some(notice) = entry.body.notices().iter().find(|notice| notice.device == me) else { continue };
            let context = NoticeContext { case: entry.header.sealing_case(), salt: &entry.header.salt.0, device: me };
            if let Ok(class) = open_notice(&notice.sealed, context, &locked.notice) {
                urgent.push(class);
            }
        }
        if let Some(class) = urgent.iter().max() {
            let [new, urgent, stat] = LOCKED_NOTICES;
            let word = match class {
                2 => stat,
                1 => urgent,
                _ => new,
            };
            self.happened(word, None, None);
        }
    }
}

impl TakenIn {
    fn refuse(&mut self, why: Refusal) {
        self.refused.get_or_insert(why);
        self.refused_count += 1;
    }
}
