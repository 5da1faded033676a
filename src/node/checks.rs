//! Checking everything: `verify` and `doctor`.

use super::api::{Check, Failure, FailureCode, Reply};
use super::core::{DISK_LOW_BYTES, Node};
use super::home::store_failure;
use super::library;
use crate::case::entry::SignedEntry;
use crate::case::room::Room;
use crate::case::state::CaseState;
use crate::encoding::id::{CaseId, ChunkId, StudyId, base32};
use crate::encoding::time::Timestamp;
use crate::identity::trust::Colleague;
use crate::study::export::open_instance;
use crate::study::manifest::{StudyHead, open_page};

impl Node {
    /// Checks a case's whole history again, from its stored bytes; `all` checks every case and every stored chunk.
    pub fn verify(&mut self, what: &str) -> Result<Reply, Failure> {
        let store = std::sync::Arc::clone(self.store()?);
        let cases = match what {
            "all" => self.rooms.ids().into_iter().chain(self.rooms.damaged().iter().copied()).collect(),
            what => vec![self.find_stored_case(what)?],
        };
        let (mut entries, mut chunks, mut problems) = (0, 0, Vec::new());
        for case in &cases {
            let stored = store.entries(*case).map_err(store_failure)?;
            entries += stored.len() as u64;
            problems.extend(history_problems(*case, stored.iter().map(|entry| (entry.id, entry.bytes.as_slice()))));
        }
        let mut state_hash = None;
        if what == "all" {
            let verification = tokio::task::block_in_place(|| store.verify()).map_err(store_failure)?;
            chunks = verification.chunks;
            problems.extend(verification.problems.iter().map(ToString::to_string));
        } else if let [case] = cases.as_slice()
            && !self.rooms.is_damaged(case)
        {
            let have = self.have(*case);
            chunks = have.chunks;
            let state = self.state(*case)?;
            state_hash = state.state_hash().map(|hash| base32(&hash));
            for study in state.current_studies() {
                problems.extend(self.study_problems(*case, study.study, &study.head, &state));
            }
        }
        Ok(Reply::VerifyReport { ok: problems.is_empty(), entries, chunks, problems, state_hash })
    }

    /// Opens every page of a study's manifest and every instance that is here, and compares their hashes.
    fn study_problems(&self, case: CaseId, study: StudyId, head: &StudyHead, state: &CaseState) -> Vec<String> {
        let (Some(key), Ok(store)) = (state.study_keys.get(&study), self.store()) else { return Vec::new() };
        let is_here = |chunks: &[ChunkId]| store.missing(chunks).is_ok_and(|missing| missing.is_empty());
        let mut problems = Vec::new();
        for series in &head.series {
            for (page, number) in series.pages.iter().zip(1..).filter(|(page, _)| is_here(&page.chunks)) {
                if let Err(why) = library::opened(store, |fetch| open_page(key, page, fetch)) {
                    problems.push(format!("{} {} manifest page {number}: {why}", case.short(), series.series));
                }
            }
        }
        for instance in self.studies.instances(head, key, store).iter().flatten() {
            if is_here(&instance.object.chunks)
                && let Err(why) = library::opened(store, |fetch| open_instance(key, instance, fetch))
            {
                problems.push(format!("{} {}: {why}", case.short(), instance.sop_instance));
            }
        }
        problems
    }

    /// When a colleague was connected last, by her identity as it is written.
    fn last_reached_of(&self, identity: &str) -> Option<Timestamp> {
        let mut people = self.open_part()?.people.iter().map(Colleague::identity);
        self.last_reached(&people.find(|known| known.to_string() == identity)?)
    }

    /// A set-up check in words.
    pub async fn doctor(&mut self) -> Result<Reply, Failure> {
        let mut checks = Vec::new();
        let addresses = self.listen_addresses().await;
        checks.push(Check {
            name: "network".into(),
            ok: !addresses.is_empty(),
            what: if addresses.is_empty() {
                "not listening".into()
            } else {
                format!("listening on {}", addresses.join(", "))
            },
            hint: addresses
                .is_empty()
                .then(|| "Name an address: `overread node --listen /ip4/0.0.0.0/tcp/4001`.".into()),
        });
        checks.push(Check {
            name: "beacon".into(),
            ok: self.options.beacon,
            what: if self.options.beacon { "looks for colleagues on the local network" } else { "off" }.into(),
            hint: None,
        });
        let store = std::sync::Arc::clone(self.store()?);
        let verification = tokio::task::block_in_place(|| store.verify()).map_err(store_failure)?;
        let damaged = self.rooms.damaged().first().map(|case| super::rooms::damaged(*case).to_string());
        checks.push(Check {
            name: "disk".into(),
            ok: verification.problems.is_empty() && damaged.is_none(),
            what: format!("{} entries and {} chunks verified", verification.entries, verification.chunks),
            hint: damaged.or_else(|| verification.problems.first().map(ToString::to_string)),
        });
        let open = self.me()?;
        // As many as can be counted: the system does not tell.
        if let Some(free) = store.free_bytes().ok().filter(|free| *free < u64::MAX) {
            let is_enough = free >= DISK_LOW_BYTES;
            checks.push(Check {
                name: "room".into(),
                ok: is_enough,
                what: format!("{} MiB left on the disk of the home", free >> 20),
                hint: (!is_enough).then(|| {
                    "A CT study takes some 250 MiB: make room, or delete closed cases with `overread case purge`."
                        .into()
                }),
            });
        }
        checks.push(Check {
            name: "recovery code".into(),
            ok: open.settings.recovery_confirmed,
            what: if open.settings.recovery_confirmed { "on paper" } else { "not confirmed yet" }.into(),
            hint: (!open.settings.recovery_confirmed).then(|| {
                "Write it down now: `overread vault recovery-code`. Without it a lost laptop is a lost identity.".into()
            }),
        });
        for peer in self.peer_views() {
            let reached = match (&peer.path, &peer.address) {
                (Some(path), Some(address)) => format!("connected over {path}, {address}"),
                _ => match self.last_reached_of(&peer.identity) {
                    Some(reached) => format!("no connection now; the last one {reached}"),
                    None => "no connection yet".into(),
                },
            };
            let hint = (!peer.connected).then(|| {
                "Her program must run at the same time and reach this network; add an address with `overread card add F --at ADDR`, or use a bundle.".to_owned()
            });
            checks.push(Check { name: peer.name, ok: peer.connected, what: reached, hint });
        }
        if checks.is_empty() {
            return Err(Failure::new(FailureCode::Failed, "Nothing could be checked."));
        }
        Ok(Reply::Doctor { checks })
    }
}

/// What is wrong with stored entries: each is read, its signature checked, and the history built anew.
fn history_problems<'a>(
    case: CaseId,
    stored: impl Iterator<Item = (crate::encoding::id::EntryId, &'a [u8])>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut room: Option<Room> = None;
    for (id, bytes) in stored {
        let name = format!("{} entry {}", case.short(), &base32(&id.0)[..8]);
        let entry = match SignedEntry::read(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                problems.push(format!("{name}: {error}"));
                continue;
            }
        };
        if entry.entry().id != id {
            problems.push(format!("{name}: its bytes are another entry's"));
        }
        let accepted = match &mut room {
            Some(room) => room.accept(entry).map(|_| ()),
            None => Room::open(entry, []).map(|opened| room = Some(opened)),
        };
        if let Err(refusal) = accepted {
            problems.push(format!("{name}: {refusal}"));
        }
    }
    problems
}
