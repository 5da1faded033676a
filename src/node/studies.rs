//! Images of cases: what is still to be fetched, and what may be given to whom.
//!
//! A study arrives from the outside in: the head with the entry that adds it, then the pages of its series'
//! manifests, then the chunks of the instances the pages name, in reading order. [`Studies`] keeps, for each study
//! of a case, which of these are here. A chunk is given only for a case in which a current study names it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::api::{Failure, FailureCode, InstanceFile, Reply, StudyPatient};
use super::beside::alone;
use super::core::{Node, Step, Task, now};
use super::delivery::{Goal, Waiter};
use super::home::store_failure;
use super::library::{self, LocalStudy, chunk_group};
use super::rooms::Answered;
use super::whole::Instances;
use crate::case::content::{Content, Receipt};
use crate::encoding::id::{CaseId, ChunkId, StudyId};
use crate::seal::chunk::StudyKey;
use crate::store::{Batch, Store, StoreError};
use crate::study::manifest::{InstanceEntry, StudyHead, open_page};
use crate::study::object::ObjectRef;
use crate::sync::event::Event as SyncEvent;
use crate::sync::message::Class;

/// Studies of this home and of its cases.
#[derive(Default)]
pub(super) struct Studies {
    local: BTreeMap<StudyId, LocalStudy>,
    arriving: BTreeMap<(CaseId, StudyId), Arriving>,
    /// Which study a wanted chunk belongs to.
    wanted: HashMap<ChunkId, StudyId>,
}

/// One study of one case, as far as it is here.
struct Arriving {
    pages: Vec<Page>,
    /// Every chunk known so far, pages included.
    chunks: HashSet<ChunkId>,
    missing: HashSet<ChunkId>,
    /// Pages that wait for one of their chunks.
    awaited: HashMap<ChunkId, usize>,
    instances: Instances,
    withdrawn: bool,
}

struct Page {
    object: ObjectRef,
    opened: bool,
}

/// How much of something is here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Have {
    pub chunks: u64,
    pub total: u64,
}

impl Studies {
    pub fn load(store: &Store) -> Result<Self, Failure> {
        let local = library::load_all(store)?.into_iter().map(|study| (study.id, study)).collect();
        Ok(Self { local, ..Self::default() })
    }

    /// Forgets keys; which chunks may be given stays known.
    pub fn lock(&mut self) {
        self.local.clear();
    }

    pub fn local(&self) -> &BTreeMap<StudyId, LocalStudy> {
        &self.local
    }

    pub fn study_of(&self, chunk: &ChunkId) -> Option<StudyId> {
        self.wanted.get(chunk).copied()
    }

    /// Whether a chunk may be given to members of a case: a study that is in it now names it.
    pub fn may_serve(&self, case: CaseId, chunk: ChunkId) -> bool {
        let studies = self.arriving.range((case, StudyId([0; 32]))..=(case, StudyId([0xff; 32])));
        studies.into_iter().any(|(_, study)| !study.withdrawn && study.chunks.contains(&chunk))
    }

    pub fn have(&self, case: CaseId, study: StudyId, head: &StudyHead) -> Have {
        let estimate = head.series.iter().map(|series| u64::from(series.instances) + series.pages.len() as u64).sum();
        match self.arriving.get(&(case, study)) {
            Some(arriving) => {
                let known = arriving.chunks.len() as u64;
                let all_known = arriving.pages.iter().all(|page| page.opened);
                let total = if all_known { known } else { known.max(estimate) };
                Have { chunks: known - arriving.missing.len() as u64, total }
            }
            None => Have { chunks: 0, total: estimate },
        }
    }

    pub fn is_complete(&self, case: CaseId, study: StudyId) -> bool {
        let arriving = self.arriving.get(&(case, study));
        arriving.is_some_and(|study| study.missing.is_empty() && study.pages.iter().all(|page| page.opened))
    }

    fn begin(
        &mut self,
        case: CaseId,
        study: StudyId,
        head: &StudyHead,
        store: &Store,
    ) -> Result<Vec<ChunkId>, Failure> {
        let objects = head.series.iter().flat_map(|series| &series.pages);
        let pages: Vec<Page> = objects.map(|object| Page { object: object.clone(), opened: false }).collect();
        let chunks: HashSet<ChunkId> = pages.iter().flat_map(|page| page.object.chunks.iter().copied()).collect();
        let all: Vec<ChunkId> = pages.iter().flat_map(|page| page.object.chunks.iter().copied()).collect();
        let missing = store.missing(&all).map_err(store_failure)?;
        let mut awaited = HashMap::new();
        for (position, page) in pages.iter().enumerate() {
            awaited.extend(page.object.chunks.iter().map(|chunk| (*chunk, position)));
        }
        self.wanted.extend(missing.iter().map(|chunk| (*chunk, study)));
        let missing_set = missing.iter().copied().collect();
        let instances = Instances::default();
        let arriving = Arriving { pages, chunks, missing: missing_set, awaited, instances, withdrawn: false };
        self.arriving.insert((case, study), arriving);
        Ok(missing)
    }

    /// Opens a page whose chunks are all here; gives the chunks of its instances that are not.
    fn open(
        &mut self,
        case: CaseId,
        study: StudyId,
        page: usize,
        key: &StudyKey,
        store: &Store,
    ) -> Result<Vec<ChunkId>, Failure> {
        let Some(arriving) = self.arriving.get_mut(&(case, study)) else { return Ok(Vec::new()) };
        let Some(page) = arriving.pages.get_mut(page) else { return Ok(Vec::new()) };
        if page.opened || page.object.chunks.iter().any(|chunk| arriving.missing.contains(chunk)) {
            return Ok(Vec::new());
        }
        let opened =
            open_page(key, &page.object, |chunk| store.read_chunk(*chunk).ok().flatten()).map_err(|error| {
                Failure::new(FailureCode::Damaged, format!("A page of the study's manifest does not open: {error}"))
            })?;
        page.opened = true;
        let named: Vec<ChunkId> =
            opened.instances.iter().flat_map(|instance| instance.object.chunks.iter().copied()).collect();
        let missing = store.missing(&named).map_err(store_failure)?;
        arriving.chunks.extend(named);
        arriving.missing.extend(missing.iter().copied());
        for instance in &opened.instances {
            let lacks = instance.object.chunks.iter().filter(|chunk| arriving.missing.contains(*chunk));
            arriving.instances.add(&lacks.copied().collect());
        }
        self.wanted.extend(missing.iter().map(|chunk| (*chunk, study)));
        Ok(missing)
    }

    /// Images of a study that are here whole.
    pub fn images_here(&self, case: CaseId, study: StudyId) -> u64 {
        self.arriving.get(&(case, study)).map_or(0, |arriving| arriving.instances.whole())
    }

    /// The instances known so far, by series of the head.
    pub fn instances(&self, head: &StudyHead, key: &StudyKey, store: &Store) -> Vec<Vec<InstanceEntry>> {
        library::open_pages(store, head, key)
    }

    fn drop_case(&mut self, case: CaseId) -> Vec<ChunkId> {
        let gone: Vec<(CaseId, StudyId)> = self.arriving.keys().filter(|key| key.0 == case).copied().collect();
        let mut chunks = Vec::new();
        for key in gone {
            chunks.extend(self.arriving.remove(&key).into_iter().flat_map(|study| study.chunks));
        }
        chunks
    }
}

impl Node {
    /// Looks up what accepted cases name and this home lacks, and asks for it if there is a network. Called again
    /// when the network starts, since nobody heard what was asked before.
    pub async fn want_everything(&mut self) {
        self.studies.arriving.clear();
        self.studies.wanted.clear();
        for case in self.rooms.ids() {
            self.want(case).await;
        }
    }

    /// Asks for what a case's studies lack.
    pub async fn want(&mut self, case: CaseId) {
        let is_invitation = self.rooms.get(&case).is_none_or(|open| open.answered != Answered::Accepted);
        if !self.is_open() || is_invitation || self.is_past_retention(case) {
            return;
        }
        let Ok(store) = self.store().map(Arc::clone) else { return };
        let Some(state) = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state) else { return };
        for study in state.current_studies() {
            let Some(key) = state.study_keys.get(&study.study) else { continue };
            if self.studies.arriving.get(&(case, study.study)).is_some_and(|arriving| !arriving.withdrawn) {
                continue;
            }
            match self.studies.begin(case, study.study, &study.head, &store) {
                Ok(missing) => {
                    if !missing.is_empty() {
                        self.tell(SyncEvent::Want { case, class: Class::Manifest, chunks: missing });
                    }
                    let pages = self.studies.arriving.get(&(case, study.study)).map_or(0, |study| study.pages.len());
                    for page in 0..pages {
                        self.open_manifest_page(case, study.study, page, key, &store).await;
                    }
                }
                Err(failure) => tracing::error!(what = failure.what, "a study's chunks cannot be looked up"),
            }
        }
    }

    async fn open_manifest_page(&mut self, case: CaseId, study: StudyId, page: usize, key: &StudyKey, store: &Store) {
        match self.studies.open(case, study, page, key, store) {
            Ok(missing) if !missing.is_empty() => {
                self.tell(SyncEvent::Want { case, class: Class::Series, chunks: missing });
            }
            Ok(_) => {}
            Err(failure) => self.happened(&failure.what, Some(case.to_string()), None),
        }
    }

    /// A chunk became durable.
    pub async fn chunk_arrived(&mut self, case: CaseId, chunk: ChunkId) {
        let Some(study) = self.studies.wanted.remove(&chunk) else { return };
        let mut pages = Vec::new();
        let keys: Vec<(CaseId, StudyId)> = self.studies.arriving.keys().filter(|key| key.1 == study).copied().collect();
        for key in &keys {
            if let Some(arriving) = self.studies.arriving.get_mut(key) {
                arriving.missing.remove(&chunk);
                arriving.instances.arrived(&chunk);
                pages.extend(arriving.awaited.get(&chunk).map(|position| (*key, *position)));
            }
        }
        for ((at_case, study), position) in pages {
            let state = self.rooms.get_mut(&at_case).map(super::rooms::OpenCase::state);
            let key = state.as_ref().and_then(|state| state.study_keys.get(&study));
            if let (Some(key), Ok(store)) = (key, self.store().map(Arc::clone)) {
                self.open_manifest_page(at_case, study, position, key, &store).await;
            }
        }
        if self.studies.is_complete(case, study) {
            if self.has_everything(case, None) {
                self.transfers.completed(case, now());
            }
            self.happened("study complete", Some(case.to_string()), None);
            self.serve_waiters().await;
        }
    }

    /// Deletes chunks of withdrawn studies, stops their transfer, and signs the receipt.
    pub async fn delete_withdrawn(&mut self, case: CaseId) {
        let Some(state) = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state) else { return };
        let Ok(me) = self.me().map(super::home::Open::identity) else { return };
        let mut deleted = Vec::new();
        for study in state.shared.studies.iter().filter(|study| study.withdrawn.is_some()) {
            if let Some(arriving) = self.studies.arriving.get_mut(&(case, study.study))
                && !arriving.withdrawn
            {
                arriving.withdrawn = true;
                let chunks: Vec<ChunkId> = arriving.chunks.iter().copied().collect();
                self.tell(SyncEvent::Withdrawn { chunks });
            }
            let mine = self.studies.local.contains_key(&study.study);
            let elsewhere = self.is_current_elsewhere(case, study.study);
            let told = state.shared.deletions.get(&study.study).is_some_and(|who| who.contains(&me));
            if mine || told {
                continue;
            }
            if !elsewhere {
                let mut batch = Batch::new();
                batch.delete_group(chunk_group(&study.study));
                if let Err(failure) = self.commit(batch).await {
                    tracing::error!(what = failure.what, "a withdrawn study could not be deleted");
                    continue;
                }
            }
            deleted.push(study.study);
        }
        if !deleted.is_empty() {
            let receipt = Content::Receipt(Receipt { deleted, ..Receipt::default() });
            if let Err(failure) = Box::pin(self.write(case, &[receipt], None)).await {
                tracing::warn!(what = failure.what, "the receipt for a deletion was not written");
            }
        }
    }

    /// Whether another case of this home shows the study.
    pub fn is_current_elsewhere(&mut self, case: CaseId, study: StudyId) -> bool {
        let others: Vec<CaseId> = self.rooms.ids().into_iter().filter(|other| *other != case).collect();
        others.into_iter().any(|other| {
            let state = self.rooms.get_mut(&other).map(super::rooms::OpenCase::state);
            state.is_some_and(|state| state.current_studies().any(|current| current.study == study))
        })
    }

    /// Deletes a case from this home: entries, and pixels no other case or import needs.
    pub async fn case_purge(&mut self, typed: &str) -> Result<Reply, Failure> {
        let case = self.find_stored_case(typed)?;
        let state = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state);
        let studies: Vec<StudyId> =
            state.iter().flat_map(|state| &state.shared.studies).map(|study| study.study).collect();
        let mut batch = Batch::new();
        batch.delete_case(case).delete_row(crate::store::Table::Invitation, &case.0);
        batch.delete_row(crate::store::Table::Draft, &super::drafts::opinion_draft_row(&case));
        self.frontiers.forget(case, &mut batch);
        for study in studies {
            if !self.studies.local.contains_key(&study) && !self.is_current_elsewhere(case, study) {
                batch.delete_group(chunk_group(&study));
            }
        }
        self.commit(batch).await?;
        self.tell(SyncEvent::UnwantCase { case });
        self.studies.drop_case(case);
        self.transfers.forget(case);
        // What is under way with peers is ended while the index it refers to is still here.
        self.end_shares(case);
        self.drive().await;
        self.rooms.remove(&case);
        self.update_gate().await;
        Ok(Reply::Nothing {})
    }

    /// Imports in a task of its own.
    pub fn import(&mut self, request: super::api::ImportRequest, task: Task) -> Result<Step, Failure> {
        let store = Arc::clone(self.store()?);
        let database = self.me()?.vault.keys().database.duplicate();
        let taken = self.take_from_inbox(&request.inbox)?;
        let writing = Arc::clone(&self.writing_studies);
        self.run_beside(task, move |control| {
            let _one = alone(&writing);
            let report = library::import(&store, &database, &request, taken.files(), now(), control);
            // Also of an import that was stopped or failed: studies finished before it are here.
            Ok(Box::new(move |node: &mut Node| {
                node.reload_studies()?;
                let mut report = report?;
                node.imported_from_inbox(&taken, request.dry_run, &mut report);
                Ok(Reply::Imported(report))
            }))
        })
    }

    /// Reads again what was imported here.
    pub(super) fn reload_studies(&mut self) -> Result<(), Failure> {
        self.studies.local = Studies::load(self.store()?)?.local;
        Ok(())
    }

    pub fn study_list(&mut self) -> Result<Reply, Failure> {
        let store = Arc::clone(self.store()?);
        let ids: Vec<StudyId> = self.studies.local.keys().copied().collect();
        let cases: BTreeMap<StudyId, Vec<String>> =
            ids.into_iter().map(|study| (study, self.cases_of(&study))).collect();
        let studies = library::list(&store, |study| cases.get(study).cloned().unwrap_or_default())?;
        Ok(Reply::Studies { studies })
    }

    /// A study of this home that a person typed, with its key.
    pub(super) fn local_study(&self, typed: &str) -> Result<LocalStudy, Failure> {
        let study = self.find_study(typed)?;
        let local = self.studies.local.get(&study).map(LocalStudy::duplicate);
        local.ok_or_else(|| Failure::new(FailureCode::NotFound, format!("There is no study {typed} here.")))
    }

    /// A study of this home, or one that came in a case.
    fn any_study(&mut self, typed: &str) -> Result<LocalStudy, Failure> {
        let id = self.find_study_anywhere(typed)?;
        if let Some(local) = self.studies.local.get(&id) {
            return Ok(local.duplicate());
        }
        let (head, key) = self.head_and_key(typed)?;
        let stored = self.store()?.group_size(chunk_group(&id)).map_err(store_failure)?;
        Ok(LocalStudy {
            id,
            key: key.0,
            head,
            origin: library::Origin::Received,
            left_out: Vec::new(),
            bytes_in: 0,
            bytes_stored: stored.bytes,
            imported: now(),
        })
    }

    fn cases_of(&mut self, study: &StudyId) -> Vec<String> {
        let mut cases = Vec::new();
        for case in self.rooms.ids() {
            let state = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state);
            if state.is_some_and(|state| state.current_studies().any(|current| current.study == *study)) {
                cases.push(case.to_string());
            }
        }
        cases
    }

    pub fn study_show(&mut self, typed: &str, identity: bool) -> Result<Reply, Failure> {
        let study = self.any_study(typed)?;
        let cases = self.cases_of(&study.id);
        Ok(Reply::Study(library::show(self.store()?, &study, identity, cases)?))
    }

    pub async fn study_remove(&mut self, typed: &str) -> Result<Reply, Failure> {
        let study = self.find_study(typed)?;
        if self.is_current_elsewhere(CaseId([0; 32]), study) {
            return Err(Failure::new(FailureCode::Unsafe, "The study is in a case.")
                .hint("Withdraw it first: `overread case study withdraw CASE STUDY`."));
        }
        // Whoever writes studies just now would bring it back.
        let Ok(_one) = self.writing_studies.try_lock() else {
            return Err(Failure::new(FailureCode::InUse, "An import or a decision about images is under way.")
                .hint("Wait until it has ended, and repeat this."));
        };
        let mut batch = Batch::new();
        self.forget_given(&mut batch, &study)?;
        library::remove(self.store()?, &study, batch)?;
        self.studies.local.remove(&study);
        Ok(Reply::Nothing {})
    }

    pub fn study_patients(&self) -> Result<Reply, Failure> {
        let store = self.store()?;
        let mut patients = Vec::new();
        for study in self.studies.local.keys() {
            if let Some(patient) = library::patient_of(store, study)? {
                patients.push(StudyPatient { study: study.to_string(), patient });
            }
        }
        Ok(Reply::Patients { patients })
    }

    pub fn study_export(&mut self, typed: &str, directory: std::path::PathBuf, task: Task) -> Result<Step, Failure> {
        let (head, key) = self.head_and_key(typed)?;
        let store = Arc::clone(self.store()?);
        self.run_beside(task, move |control| {
            let exported = library::export(&store, &head, &key, &directory, control)?;
            if exported.missing > 0 {
                return Err(Failure::new(
                    FailureCode::Partly,
                    format!("{} images were written; {} have not arrived yet.", exported.instances, exported.missing),
                )
                .hint("`overread fetch CASE` gets the rest; export again into a new folder."));
            }
            let directory = directory.display().to_string();
            let reply = Reply::Exported { instances: exported.instances, bytes: exported.bytes, directory };
            Ok(Box::new(move |_: &mut Node| Ok(reply)))
        })
    }

    /// Head and key of a study that was imported here or came in a case.
    pub fn head_and_key(&mut self, typed: &str) -> Result<(StudyHead, StudyKey), Failure> {
        let study = self.find_study_anywhere(typed)?;
        if let Some(local) = self.studies.local.get(&study) {
            return Ok((local.head.clone(), StudyKey(local.key.duplicate())));
        }
        for case in self.rooms.ids() {
            let Some(state) = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state) else { continue };
            let found = state.current_studies().find(|current| current.study == study);
            if let (Some(found), Some(key)) = (found, state.study_keys.get(&study)) {
                return Ok((found.head.clone(), StudyKey(key.0.duplicate())));
            }
        }
        Err(Failure::new(FailureCode::NotFound, format!("There is no study {typed} here.")))
    }

    /// One instance's file, opened in memory.
    pub fn open_file(&mut self, study: StudyId, sop_instance_uid: &str) -> Result<Vec<u8>, Failure> {
        let (head, key) = self.head_and_key(&study.to_string())?;
        library::open_file(self.store()?, &head, &key, sop_instance_uid).map(|(_, bytes)| bytes)
    }

    /// One instance's file for a viewer, opened beside the node: many are asked for while somebody scrolls.
    pub fn study_file(&mut self, typed: &str, sop_instance_uid: String, task: Task) -> Result<Step, Failure> {
        let (head, key) = self.head_and_key(typed)?;
        let local = self.find_study(typed).ok();
        let store = Arc::clone(self.store()?);
        self.run_beside(task, move |_| {
            let (hash, bytes) = match library::open_file(&store, &head, &key, &sop_instance_uid) {
                Err(failure) if failure.code == FailureCode::NotFound => {
                    let left_out = local.map(|study| library::open_left_out(&store, &study, &key, &sop_instance_uid));
                    left_out.transpose()?.flatten().ok_or(failure)?
                }
                opened => opened?,
            };
            let plain_hash = data_encoding::HEXLOWER.encode(&hash);
            let reply = Reply::File(InstanceFile { plain_hash, bytes });
            Ok(Box::new(move |_: &mut Node| Ok(reply)))
        })
    }

    /// Fetches a case's images and waits for them.
    pub async fn fetch(
        &mut self,
        typed: &str,
        series: &[String],
        key_images: bool,
        task: Task,
    ) -> Result<Step, Failure> {
        let case = self.open_case(typed).await?;
        self.forget_damaged(case).await?;
        let Some(state) = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state) else {
            return Err(Failure::new(FailureCode::NotFound, "The case is gone."));
        };
        let marked: HashSet<&str> =
            state.shared.marks.iter().map(|mark| mark.mark.image.sop_instance_uid.as_str()).collect();
        let store = Arc::clone(self.store()?);
        let mut only: Option<HashSet<ChunkId>> = None;
        if key_images || !series.is_empty() {
            let mut chosen = HashSet::new();
            for study in state.current_studies() {
                let Some(key) = state.study_keys.get(&study.study) else { continue };
                for (head, instances) in study.head.series.iter().zip(self.studies.instances(&study.head, key, &store))
                {
                    let wanted_series = series
                        .iter()
                        .any(|typed| head.series == *typed || head.number.is_some_and(|n| n.to_string() == *typed));
                    let chunks = instances.iter().filter(|instance| {
                        wanted_series || (key_images && marked.contains(instance.sop_instance.as_str()))
                    });
                    chosen.extend(chunks.flat_map(|instance| instance.object.chunks.iter().copied()));
                }
            }
            let missing = store.missing(&chosen.iter().copied().collect::<Vec<_>>()).map_err(store_failure)?;
            self.tell(SyncEvent::Want { case, class: Class::KeyImage, chunks: missing.clone() });
            only = Some(missing.into_iter().collect());
        }
        let started = std::time::Instant::now();
        let have_before = self.have(case);
        let waiter = Waiter {
            goal: Goal::Fetched { case, only, started, have_before, bytes_before: self.received_bytes() },
            until: started + task.wait,
            answers: task.answers,
            told: None,
        };
        self.waiters.push(waiter);
        self.serve_waiters().await;
        Ok(Step::Later)
    }

    /// Makes a case's damaged chunks missing again, so that they are asked for. All chunks are read for that, so only
    /// where none is known to be missing.
    async fn forget_damaged(&mut self, case: CaseId) -> Result<(), Failure> {
        let here = self.studies.arriving.iter().filter(|((of, _), study)| *of == case && !study.withdrawn);
        let here: Vec<&Arriving> = here.map(|(_, study)| study).collect();
        if here.iter().any(|study| !study.missing.is_empty()) {
            return Ok(());
        }
        let store = Arc::clone(self.store()?);
        let is_damaged = |id: &ChunkId| matches!(store.read_chunk(*id), Err(StoreError::DamagedChunk { .. }));
        let damaged: Vec<ChunkId> = tokio::task::block_in_place(|| {
            here.iter().flat_map(|study| &study.chunks).filter(|id| is_damaged(id)).copied().collect()
        });
        if damaged.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for id in damaged {
            batch.forget_chunk(id);
        }
        self.commit(batch).await?;
        self.want_everything().await;
        Ok(())
    }

    /// How much of a case's current studies is here.
    pub fn have(&mut self, case: CaseId) -> Have {
        let Some(state) = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state) else { return Have::default() };
        let mut sum = Have::default();
        for study in state.current_studies() {
            let have = self.studies.have(case, study.study, &study.head);
            sum.chunks += have.chunks;
            sum.total += have.total;
        }
        sum
    }

    /// Whether every image of a case's current studies is here.
    pub fn has_everything(&mut self, case: CaseId, only: Option<&HashSet<ChunkId>>) -> bool {
        if let Some(only) = only {
            return only.iter().all(|chunk| !self.studies.wanted.contains_key(chunk));
        }
        let Some(state) = self.rooms.get_mut(&case).map(super::rooms::OpenCase::state) else { return true };
        state.current_studies().all(|study| self.studies.is_complete(case, study.study))
    }

    /// Bytes of chunks received since the start.
    pub fn received_bytes(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.machine().fetched().received_bytes)
    }
}

/// Whether a closed case's pixels are past their time.
pub(super) fn retention_over(
    state: &crate::case::state::CaseState,
    days: u32,
    now: crate::encoding::time::Timestamp,
) -> bool {
    let closed = state.shared.status.as_ref().filter(|_| state.is_closed());
    let kept_ms = i64::from(days) * crate::encoding::time::DAY_MS;
    closed.is_some_and(|closed| closed.claimed.plus_ms(kept_ms) < now)
}
