//! Import: files become a study of this home.
//!
//! For each planned study: find or make its patient group and key and commit those first, so that an import broken
//! off finds its key again; clean, pack and seal file by file while a second thread makes the chunks durable; then
//! write the rows that name them, last and in one batch. A study is either listed whole or not at all, and importing
//! again continues where nothing was listed, since the same files give the same chunks.
//!
//! A report says what was left behind rather than failing: [`ImportReport::left_behind`] tells whether a DICOM object was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::groups::{Place, group_of, place_of};
use super::merge::{Merged, merge};
use super::plan::plan_view;
use super::reading::{gap_words, held_instances};
use super::words::Reidentification;
use super::{LeftOutCount, LocalStudy, Origin, chunk_group, find, left_out, load, put, sentence, store_failure};
use crate::encoding::id::StudyId;
use crate::encoding::random;
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::identity::keys::Secret;
use crate::node::api::{
    Failure, FailureCode, ImportReport, ImportRequest, ImportedStudy as StudyReport, LeftOut as LeftOutView, Progress,
    SkippedFile as SkippedView,
};
use crate::store::{BATCH_CHUNK_BYTES_ADVISED, Batch, ChunkGroup, Store, StoreError, VerifiedChunk};
use crate::study::deidentify::plan::FACE_SLICES_MIN;
use crate::study::deidentify::preset::{PRESET_FILE_BYTES_MAX, Preset};
use crate::study::deidentify::secrets::GroupSecrets;
use crate::study::deidentify::vocabulary::Approvals;
use crate::study::deidentify::words::IdentifyingWords;
use crate::study::deidentify::{self, Instance, PixelFacts, Rules};
use crate::study::import::{self as study_import, Cleaned, Deidentifier, ImportError, LeftOut, Plan, PlanError, Sink};
use crate::study::manifest::number;
use crate::study::object::SealedObject;
use crate::study::source::{self, SkippedFile, SourceError, SourceFile};

/// Batches of chunks that wait for the disk while the next is sealed.
const BATCHES_WAITING_MAX: usize = 2;

/// Progress is told at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Skipped files that an error lists.
const SKIPPED_LISTED_MAX: usize = 20;

/// The caller's hand on something long.
pub struct Control<'a> {
    /// Set to stop soon.
    pub cancelled: &'a AtomicBool,
    /// Called from any thread, at most ten times a second and once at the end.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// When the request came.
    pub started: Instant,
}

impl Control<'_> {
    pub(in crate::node) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Imports what lies under the request's paths and what has arrived otherwise, or on a dry run says what an import
/// would do.
pub fn import(
    store: &Store,
    database: &Secret,
    request: &ImportRequest,
    arrivals: &[SourceFile],
    now: Timestamp,
    control: &Control<'_>,
) -> Result<ImportReport, Failure> {
    let approvals = Approvals::new(request.keep_words.iter().map(String::as_str));
    let rules = Rules::new(preset_of(request.preset.as_deref())?, approvals);
    let scanning = study_import::Control { cancelled: control.cancelled, progress: &|_| {} };
    let mut found = source::find(&request.paths).map_err(|error| plan_failure(error.into()))?;
    found.files.extend(arrivals.iter().cloned());
    let mut plan = Plan::of(found, &scanning).map_err(plan_failure)?;
    let skipped = std::mem::take(&mut plan.skipped);
    if plan.studies.is_empty() {
        return Err(nothing_found(&skipped));
    }
    let joined = match &request.same_patient {
        Some(typed) => Some(joined_study(store, typed, &plan)?),
        None => None,
    };
    let mut report = ImportReport { skipped: skipped.iter().map(skipped_view).collect(), ..ImportReport::default() };
    let group = joined.as_ref().and_then(group_of);
    if request.dry_run {
        let places = plan
            .studies
            .iter()
            .map(|planned| place_of(store, database, planned, group, &mut random::system()))
            .collect::<Result<Vec<_>, _>>()?;
        plan_view(store, &plan, &places, joined.as_ref(), &rules, control, &mut report)?;
    } else {
        let meter = Meter::new("import", plan.studies.iter().map(study_import::PlannedStudy::bytes).sum(), control);
        for planned in &plan.studies {
            let place = place_of(store, database, planned, group, &mut random::system())?;
            let (study, skipped) = import_study(store, planned, place, &rules, now, control, &meter)?;
            report.skipped.extend(skipped.iter().map(skipped_view));
            report.studies.push(study);
            meter.add(planned.bytes());
        }
    }
    report.seconds = control.started.elapsed().as_secs_f64();
    Ok(report)
}

fn import_study(
    store: &Store,
    planned: &study_import::PlannedStudy,
    place: Place,
    rules: &Rules,
    now: Timestamp,
    control: &Control<'_>,
    meter: &Meter<'_>,
) -> Result<(StudyReport, Vec<SkippedFile>), Failure> {
    let Place { group, key, rows } = place;
    let id = key.study_id();
    if !rows.is_empty() {
        store.commit(rows).map_err(store_failure)?;
    }
    let existing = load(store, &id)?;
    let held = match &existing {
        Some(study) => held_instances(store, study)?,
        None => BTreeMap::new(),
    };
    let cleaner = Cleaner::new(rules, &group.secret);
    let mut new = seal_all(store, chunk_group(&id), planned, &key, &cleaner, control, meter)?;
    let skipped = std::mem::take(&mut new.skipped);
    let bytes_in = new.bytes_in;
    let waiting = left_out::of_study(store, &id)?;
    let merged = merge(existing.as_ref(), held, waiting, new, &key)
        .map_err(|error| Failure::new(FailureCode::Failed, sentence(&error)).hint("Import fewer series at once."))?;
    let seen = cleaner.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut study = report_of(&merged, &seen);
    if let Some(head) = &merged.head {
        let mut batch = Batch::new();
        for page in merged.pages {
            super::merge::put_object(&mut batch, &id, page);
        }
        store.commit(std::mem::take(&mut batch)).map_err(store_failure)?;
        merged.waiting.iter().for_each(|row| row.put(&mut batch, &id));
        let bytes_stored = store.group_size(chunk_group(&id)).map_err(store_failure)?.bytes;
        let row = LocalStudy {
            id,
            key: key.0,
            head: head.clone(),
            origin: Origin::Mine { group: group.id },
            left_out: merged.left_out,
            bytes_in: existing.as_ref().map_or(bytes_in, |study| study.bytes_in.saturating_add(merged.bytes_new)),
            bytes_stored,
            imported: now,
        };
        put(&mut batch, &row);
        let mut patient = Reidentification::load(store, &id)?.unwrap_or_else(|| Reidentification::of(planned));
        patient.words.merge(&seen.words);
        patient.put(&mut batch, &id);
        store.commit(batch).map_err(store_failure)?;
        study.id = id.to_string();
        study.bytes_stored = bytes_stored;
    }
    study.bytes_in = bytes_in;
    Ok((study, skipped))
}

/// Cleans, packs and seals on this thread's pool while another thread makes the chunks durable.
fn seal_all(
    store: &Store,
    group: ChunkGroup,
    planned: &study_import::PlannedStudy,
    key: &crate::seal::chunk::StudyKey,
    cleaner: &Cleaner<'_>,
    control: &Control<'_>,
    meter: &Meter<'_>,
) -> Result<study_import::ImportedStudy, Failure> {
    let told = |progress: study_import::Progress| meter.at(progress.bytes_done);
    let sealing = study_import::Control { cancelled: control.cancelled, progress: &told };
    let (sender, receiver) = sync_channel(BATCHES_WAITING_MAX);
    let (sealed, committed) = std::thread::scope(|scope| {
        let committer = scope.spawn(move || commit_all(store, &receiver));
        let mut pipe = Pipe { group, batch: Batch::new(), sender };
        let sealed = study_import::carry_out(planned, key, cleaner, &mut pipe, &sealing);
        let flushed = pipe.flush();
        drop(pipe);
        let committed = committer.join().unwrap_or(Err(StoreError::Closed));
        (sealed.and_then(|sealed| flushed.map(|()| sealed).map_err(ImportError::Store)), committed)
    });
    committed.map_err(store_failure)?;
    sealed.map_err(|error| match error {
        ImportError::Cancelled(_) => interrupted(),
        other => Failure::new(FailureCode::Failed, sentence(&other)).hint("Import fewer series at once."),
    })
}

fn commit_all(store: &Store, batches: &Receiver<Batch>) -> Result<(), StoreError> {
    batches.iter().try_for_each(|batch| store.commit(batch))
}

/// Gathers chunks into batches for the committing thread.
struct Pipe {
    group: ChunkGroup,
    batch: Batch,
    sender: SyncSender<Batch>,
}

/// The committing thread has ended; it knows why.
#[derive(Debug, thiserror::Error)]
#[error("the store took no more")]
struct Stopped;

impl Pipe {
    fn flush(&mut self) -> Result<(), Stopped> {
        self.sender.send(std::mem::take(&mut self.batch)).map_err(|_| Stopped)
    }
}

impl Sink for Pipe {
    type Error = Stopped;

    fn object(&mut self, object: SealedObject) -> Result<(), Stopped> {
        for (id, sealed) in object.chunks {
            self.batch.put_chunk(self.group, VerifiedChunk::sealed_here(id, sealed));
            if self.batch.chunk_bytes() >= BATCH_CHUNK_BYTES_ADVISED {
                self.flush()?;
            }
        }
        Ok(())
    }
}

/// The engine under one patient group, with what the caller wants to know of all instances together.
struct Cleaner<'a> {
    rules: &'a Rules,
    secrets: GroupSecrets,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    words: IdentifyingWords,
    /// Slices that show part of a face, by new Series Instance UID.
    faces: BTreeMap<String, u64>,
    dropped_words: BTreeSet<String>,
}

impl<'a> Cleaner<'a> {
    fn new(rules: &'a Rules, secret: &Secret) -> Self {
        Self { rules, secrets: GroupSecrets::new(secret), seen: Mutex::new(Seen::default()) }
    }
}

impl Deidentifier for Cleaner<'_> {
    fn deidentify(&self, header: &InMemDicomObject, pixels: Option<PixelFacts>) -> Result<Cleaned, LeftOut> {
        let instance = Instance { header: header.clone(), meta_sop_class_uid: None, pixels, reviewed: false };
        let done =
            deidentify::deidentify(instance, self.rules, &self.secrets).map_err(|why| LeftOut(why.to_string()))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.words.merge(&done.identity.words);
        if done.shows_face {
            let frames = number(&done.header, tags::NUMBER_OF_FRAMES).and_then(|n| u64::try_from(n).ok()).unwrap_or(1);
            let series = crate::study::manifest::text(&done.header, tags::SERIES_INSTANCE_UID);
            *seen.faces.entry(series).or_default() += frames;
        }
        for word in done.remaining_text.iter().flat_map(|text| &text.dropped) {
            if !seen.dropped_words.contains(word.reveal()) && seen.dropped_words.len() < DROPPED_WORDS_MAX {
                seen.dropped_words.insert(word.reveal().clone());
            }
        }
        drop(seen);
        let risks: Vec<_> = done.burned_in.iter().map(|risk| risk.words()).collect();
        Ok(Cleaned { header: done.header, risk: (!risks.is_empty()).then(|| risks.join(", ")) })
    }
}

/// Words that dropped from descriptions and are named to the sender, at most.
const DROPPED_WORDS_MAX: usize = 50;

fn report_of(merged: &Merged, seen: &Seen) -> StudyReport {
    let Some(head) = &merged.head else {
        return StudyReport {
            left_out: merged.left_out_now.iter().map(left_out_view).collect(),
            ..StudyReport::default()
        };
    };
    let name = |series: &crate::study::manifest::SeriesHead| match series.number {
        Some(number) => format!("series {number}"),
        None => format!("series {}", shown(&series.description)),
    };
    let gaps = head.series.iter().filter_map(|series| {
        gap_words(series.gaps, series.instances as usize).map(|words| format!("{}: {words}", name(series)))
    });
    let mut warnings: Vec<String> = head
        .series
        .iter()
        .filter_map(|series| {
            let slices = *seen.faces.get(&series.series)?;
            let words = format!("{}: the face can be rebuilt from {slices} thin head slices", name(series));
            (slices >= FACE_SLICES_MIN).then_some(words)
        })
        .collect();
    if !seen.dropped_words.is_empty() {
        let words: Vec<_> = seen.dropped_words.iter().map(|word| shown(word)).collect();
        warnings.push(format!("words dropped from descriptions: {}", words.join(" ")));
    }
    warnings.extend(still_masked(merged.masked));
    StudyReport {
        modality: head.modalities.join(", "),
        description: shown(&head.description).into_owned(),
        series: head.series.len(),
        instances: usize::try_from(head.instances()).unwrap_or(usize::MAX),
        left_out: merged.left_out_now.iter().map(left_out_view).collect(),
        gaps: gaps.collect(),
        already_held: merged.already_held,
        warnings,
        ..StudyReport::default()
    }
}

/// What is said of images that an import brings again and that were masked since.
pub(super) fn still_masked(images: usize) -> Option<String> {
    let (are, they) = if images == 1 { ("image is", "it stays") } else { ("images are", "they stay") };
    (images > 0).then(|| format!("{images} {are} held masked: {they} so"))
}

fn left_out_view(count: &LeftOutCount) -> LeftOutView {
    LeftOutView {
        series: count.series.clone(),
        instances: count.instances as usize,
        why: shown(&count.why).into_owned(),
    }
}

fn skipped_view(file: &SkippedFile) -> SkippedView {
    SkippedView { path: shown(file.path.reveal()).into_owned(), why: shown(&file.why).into_owned() }
}

/// The study whose patient the paths are said to be of. One patient at a time: a word for one must not join others.
fn joined_study(store: &Store, typed: &str, plan: &Plan) -> Result<LocalStudy, Failure> {
    let study = find(store, typed)?;
    if study.origin == Origin::Received {
        return Err(Failure::new(FailureCode::WrongUse, "A received study has no patient of yours to join.")
            .hint("Name a study that was imported here; `study list` says which are yours."));
    }
    let patients: BTreeSet<_> =
        plan.studies.iter().map(|study| (&study.patient.id, &study.patient.issuer, &study.patient.name)).collect();
    if patients.len() > 1 {
        return Err(Failure::new(
            FailureCode::OtherPatient,
            format!("The paths hold studies under {} patient ids or names.", patients.len()),
        )
        .hint("With --same-patient import one patient's folder at a time."));
    }
    Ok(study)
}

fn preset_of(name: Option<&str>) -> Result<Preset, Failure> {
    let name = name.unwrap_or("consult");
    if let Some(preset) = Preset::named(name) {
        return Ok(preset);
    }
    let refused =
        |what: String| Failure::new(FailureCode::WrongUse, what).hint("Name consult, basic, or a preset file in TOML.");
    let path = Path::new(name);
    if !path.is_file() {
        return Err(refused(format!("There is no preset and no file {}.", shown(name))));
    }
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(PRESET_FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text))
        .map_err(|error| refused(format!("The preset file cannot be read: {}.", error.kind())))?;
    Preset::from_toml(&text).map_err(|error| refused(sentence(&error)))
}

fn plan_failure(error: PlanError) -> Failure {
    match error {
        PlanError::Cancelled(_) => interrupted(),
        PlanError::Source(error @ SourceError::Unreachable { .. }) => {
            let path = match &error {
                SourceError::Unreachable { path, .. } => path.reveal().display().to_string(),
                SourceError::TooManyFiles => String::new(),
            };
            Failure::new(FailureCode::NotFound, sentence(&error)).hint(format!("Check the path {}.", shown(&path)))
        }
        PlanError::Source(error @ SourceError::TooManyFiles) => Failure::new(FailureCode::WrongUse, sentence(&error))
            .hint("Import study by study: what is held already is not stored twice."),
    }
}

fn interrupted() -> Failure {
    Failure::new(FailureCode::Interrupted, "The import was stopped.")
        .hint("Studies that were finished are listed. Import again to continue: nothing is stored twice.")
}

fn nothing_found(skipped: &[SkippedFile]) -> Failure {
    let lines = skipped
        .iter()
        .take(SKIPPED_LISTED_MAX)
        .map(|file| format!("{}: {}", shown(file.path.reveal()), shown(&file.why)))
        .collect();
    let what = match skipped.len() {
        0 => "There is no file under the path.".to_owned(),
        1 => "The only file under the path is no DICOM image or object that can be read.".to_owned(),
        files => format!("None of the {files} files under the path is a DICOM image or object that can be read."),
    };
    Failure::new(FailureCode::NotFound, what)
        .hint("Name the folder, ZIP or DICOMDIR tree of the study.")
        .detail("skipped", lines)
}

/// Turns bytes done into progress that a person can read.
pub(in crate::node) struct Meter<'a> {
    stage: &'static str,
    total: u64,
    control: &'a Control<'a>,
    state: Mutex<MeterState>,
}

struct MeterState {
    /// Bytes of what is finished.
    before: u64,
    /// The furthest that was told; files end in any order.
    furthest: u64,
    told: Option<Instant>,
}

impl<'a> Meter<'a> {
    pub(in crate::node) fn new(stage: &'static str, total: u64, control: &'a Control<'a>) -> Self {
        Self { stage, total, control, state: Mutex::new(MeterState { before: 0, furthest: 0, told: None }) }
    }

    /// Counts a part as finished.
    pub(in crate::node) fn add(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.before = state.before.saturating_add(bytes);
    }

    /// Tells that so many bytes of the present part are done, unless it was told a moment ago.
    pub(in crate::node) fn at(&self, bytes: u64) {
        let done = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let done = state.before.saturating_add(bytes);
            let is_due = state.told.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY) || done >= self.total;
            if done <= state.furthest || !is_due {
                return;
            }
            (state.furthest, state.told) = (done, Some(Instant::now()));
            done
        };
        let seconds = self.control.started.elapsed().as_secs_f64();
        let rate = (seconds > 0.0).then(|| (done as f64 / seconds) as u64).filter(|rate| *rate > 0);
        (self.control.progress)(Progress {
            stage: self.stage.to_owned(),
            done,
            total: Some(self.total),
            unit: "bytes".to_owned(),
            bytes_per_second: rate,
            seconds_left: rate.map(|rate| self.total.saturating_sub(done).div_ceil(rate)),
        });
    }
}

/// The id by which a planned study is already held, if it is.
pub(super) fn held_id(store: &Store, place: &Place) -> Result<Option<(StudyId, LocalStudy)>, Failure> {
    let id = place.key.study_id();
    Ok(load(store, &id)?.map(|study| (id, study)))
}
