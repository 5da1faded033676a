//! Verifying what is stored: every signature, seal and hash once more, beside the node.
//!
//! Reading every chunk takes as long as the disk does, so the node goes on answering meanwhile. What it adds or deletes
//! while this looks is no damage: a chunk counts as damaged only if it is still named after it could not be read.

use std::collections::HashMap;
use std::sync::Arc;

use super::api::{Failure, FailureCode, Reply};
use super::core::{Node, Step, Task};
use super::home::store_failure;
use super::library::{self, Control, Meter};
use crate::case::entry::SignedEntry;
use crate::case::room::Room;
use crate::case::spoken::spoken_name;
use crate::encoding::id::{CaseId, ChunkId, base32};
use crate::seal::chunk::StudyKey;
use crate::store::{ChunkGroup, Problem, Store};
use crate::study::export::open_instance;
use crate::study::manifest::{InstanceEntry, StudyHead, open_page};

/// What a case's history folds to, as far as it is verified.
struct Folded {
    studies: Vec<(StudyHead, StudyKey)>,
    chunks: u64,
    state_hash: Option<String>,
}

impl Node {
    /// Checks a case's whole history again, from its stored bytes, and its images; `all` checks every case and every
    /// stored chunk.
    pub fn verify(&mut self, what: &str, task: Task) -> Result<Step, Failure> {
        let store = Arc::clone(self.store()?);
        if what == "all" {
            let cases: Vec<CaseId> = self.rooms.ids().into_iter().chain(self.rooms.damaged().iter().copied()).collect();
            let places = self.studies_of_cases(&cases);
            return self.run_beside(task, move |control| {
                let report = verify_all(&store, &cases, places, control)?;
                Ok(Box::new(move |_: &mut Node| Ok(report)))
            });
        }
        let case = self.find_stored_case(what)?;
        let folded = if self.rooms.is_damaged(&case) { None } else { Some(self.folded(case)?) };
        self.run_beside(task, move |control| {
            let report = verify_case(&store, case, folded, control)?;
            Ok(Box::new(move |_: &mut Node| Ok(report)))
        })
    }

    fn folded(&mut self, case: CaseId) -> Result<Folded, Failure> {
        let chunks = self.have(case).chunks;
        let state = self.state(case)?;
        let studies = state.current_studies().filter_map(|study| {
            let key = state.study_keys.get(&study.study)?;
            Some((study.head.clone(), StudyKey(key.0.duplicate())))
        });
        let studies = studies.collect();
        Ok(Folded { studies, chunks, state_hash: state.state_hash().map(|hash| base32(&hash)) })
    }

    /// Case and study that a group of chunks belongs to, in words.
    fn studies_of_cases(&mut self, cases: &[CaseId]) -> HashMap<ChunkGroup, String> {
        let mut places = HashMap::new();
        for case in cases {
            let Some(state) = self.rooms.get_mut(case).map(super::rooms::OpenCase::state) else { continue };
            for study in state.current_studies() {
                let place = format!("{}, study {}", spoken_name(case), study.study.short());
                places.insert(library::chunk_group(&study.study), place);
            }
        }
        places
    }
}

fn verify_all(
    store: &Store,
    cases: &[CaseId],
    mut places: HashMap<ChunkGroup, String>,
    control: &Control<'_>,
) -> Result<Reply, Failure> {
    // Private rows open only while the vault is open; without them a study is named by its group alone.
    for study in library::load_all(store).unwrap_or_default() {
        places.entry(library::chunk_group(&study.id)).or_insert_with(|| format!("study {}", study.id.short()));
    }
    let sizes: HashMap<CaseId, u64> =
        store.cases().map_err(store_failure)?.into_iter().map(|(case, size)| (case, size.bytes)).collect();
    let chunk_bytes: u64 = store.groups().map_err(store_failure)?.iter().map(|(_, size)| size.bytes).sum();
    let meter = Meter::new("verify", sizes.values().sum::<u64>().saturating_add(chunk_bytes), control);
    let (mut entries, mut problems) = (0, Vec::new());
    for case in cases {
        entries += history(store, *case, &mut problems, control)?;
        meter.add(sizes.get(case).copied().unwrap_or_default());
        meter.at(0);
    }
    let mut go_on = |read_bytes| {
        meter.at(read_bytes);
        !control.is_cancelled()
    };
    let found = store.verify_while(&mut go_on).map_err(store_failure)?;
    goes_on(control)?;
    problems.extend(found.problems.iter().map(|problem| in_words(problem, &places)));
    Ok(Reply::VerifyReport { ok: problems.is_empty(), entries, chunks: found.chunks, problems, state_hash: None })
}

/// A problem, after the study it is about if that is known.
fn in_words(problem: &Problem, places: &HashMap<ChunkGroup, String>) -> String {
    let place = match problem {
        Problem::Chunk { group, .. } | Problem::ChunkUnreadable { group, .. } | Problem::GroupIndex(group) => {
            places.get(group)
        }
        _ => None,
    };
    place.map_or_else(|| problem.to_string(), |place| format!("{place}: {problem}"))
}

fn verify_case(store: &Store, case: CaseId, folded: Option<Folded>, control: &Control<'_>) -> Result<Reply, Failure> {
    let mut problems = Vec::new();
    let entries = history(store, case, &mut problems, control)?;
    let (mut chunks, mut state_hash) = (0, None);
    if let Some(folded) = folded {
        images(store, case, &folded.studies, &mut problems, control)?;
        (chunks, state_hash) = (folded.chunks, folded.state_hash);
    }
    Ok(Reply::VerifyReport { ok: problems.is_empty(), entries, chunks, problems, state_hash })
}

/// Reads each stored entry, checks its signature and builds the history anew. Gives how many there are.
fn history(store: &Store, case: CaseId, problems: &mut Vec<String>, control: &Control<'_>) -> Result<u64, Failure> {
    let stored = store.entries(case).map_err(store_failure)?;
    let mut room: Option<Room> = None;
    for arrived in &stored {
        goes_on(control)?;
        let mut problem = |what: &str| {
            problems.push(format!("{} entry {}: {what}", case.short(), &base32(&arrived.id.0)[..8]));
        };
        let entry = match SignedEntry::read(&arrived.bytes) {
            Ok(entry) => entry,
            Err(error) => {
                problem(&error.to_string());
                continue;
            }
        };
        if entry.entry().id != arrived.id {
            problem("its bytes are another entry's");
        }
        let accepted = match &mut room {
            Some(room) => room.accept(entry).map(drop),
            None => Room::open(entry, []).map(|opened| room = Some(opened)),
        };
        if let Err(refusal) = accepted {
            problem(&refusal.to_string());
        }
    }
    Ok(stored.len() as u64)
}

/// Opens every page of the studies' manifests and every instance that is here, and compares their hashes.
fn images(
    store: &Store,
    case: CaseId,
    studies: &[(StudyHead, StudyKey)],
    problems: &mut Vec<String>,
    control: &Control<'_>,
) -> Result<(), Failure> {
    let is_here = |chunks: &[ChunkId]| store.missing(chunks).is_ok_and(|missing| missing.is_empty());
    let mut here: Vec<(&StudyKey, InstanceEntry)> = Vec::new();
    for (head, key) in studies {
        for series in &head.series {
            for (page, number) in series.pages.iter().zip(1..).filter(|(page, _)| is_here(&page.chunks)) {
                goes_on(control)?;
                let opened = library::opened(store, |fetch| open_page(key, page, fetch));
                if let Err(why) = opened.map(drop)
                    && is_here(&page.chunks)
                {
                    problems.push(format!("{} {} manifest page {number}: {why}", case.short(), series.series));
                }
            }
        }
        let instances = library::open_pages(store, head, key).into_iter().flatten();
        here.extend(instances.filter(|instance| is_here(&instance.object.chunks)).map(|instance| (key, instance)));
    }
    let meter = Meter::new("verify", here.iter().map(|(_, instance)| instance.object.packed_bytes).sum(), control);
    for (key, instance) in &here {
        goes_on(control)?;
        let opened = library::opened(store, |fetch| open_instance(key, instance, fetch));
        if let Err(why) = opened.map(drop)
            && is_here(&instance.object.chunks)
        {
            problems.push(format!("{} {}: {why}", case.short(), instance.sop_instance));
        }
        meter.add(instance.object.packed_bytes);
        meter.at(0);
    }
    Ok(())
}

fn goes_on(control: &Control<'_>) -> Result<(), Failure> {
    match control.is_cancelled() {
        true => Err(Failure::new(FailureCode::Interrupted, "Verifying was stopped; nothing was changed.")),
        false => Ok(()),
    }
}
