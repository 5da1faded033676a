//! Importing: from files to sealed chunks and the heads of studies.
//!
//! Two phases, because what leaves is decided by a person. [`Plan::make`] reads headers only, groups instances
//! by patient, study and series and says what it would skip; nothing is stored. [`carry_out`] then takes one
//! planned study file by file through reading, de-identification, rebuilding, packing, checking and sealing, on
//! all cores, and hands the chunks to a [`Sink`].
//!
//! One bad file never stops the rest: it is skipped or left out with its reason. Two files with one SOP Instance
//! UID are one instance if they rebuild to the same bytes; otherwise the first found stays and the others are
//! left out, since nobody could say which one an opinion was about.
//!
//! Memory is bounded by what is being worked on ([`IN_FLIGHT_BYTES_MAX`]), not by the study; a file larger than
//! that is worked on alone. What it does not do: decide what a header may keep ([`Deidentifier`]), find keys,
//! or make anything durable (the sink's promise).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use minicbor::{Decode, Encode};
use rayon::prelude::*;

use super::deidentify::PixelFacts;
use super::deidentify::burned_in::fits_in_eight_bits;
use super::manifest::{InstanceEntry, ManifestError, SeriesHead, StudyHead, number, seal_pages, text};
use super::object::{SealedObject, seal_object};
use super::order::into_reading_order;
use super::packing::Packer;
use super::part10::{self, Part10, Part10Error, SCAN_BYTES, uid_of};
use super::source::{self, SkippedFile, SourceError, SourceFile};
use super::write::rebuild;
use crate::encoding::private::Private;
use crate::seal::chunk::StudyKey;

/// Most bytes of files that are worked on at once. A file needs about 1.6 times its length in memory.
pub const IN_FLIGHT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Cleans headers; the room of de-identification implements it for one patient group.
pub trait Deidentifier: Sync {
    /// Gives the cleaned header: new UIDs, shifted dates, everything that identifies gone. `pixels` is what is known
    /// of the pixel data, `None` if there is none.
    ///
    /// # Errors
    /// [`LeftOut`] for an instance that cannot be cleaned at all.
    fn deidentify(&self, header: &InMemDicomObject, pixels: Option<PixelFacts>) -> Result<Cleaned, LeftOut>;
}

/// A cleaned header.
pub struct Cleaned {
    pub header: InMemDicomObject,
    /// Why the pixels may hold an identity; such an instance is sealed and kept, but in no manifest until a
    /// person has looked at it.
    pub risk: Option<String>,
}

/// Why an instance cannot be shared, in words for a person.
pub struct LeftOut(pub String);

/// Where sealed objects go.
pub trait Sink: Send {
    type Error: std::error::Error + Send;

    /// Takes an object; it may return before it is durable. Its slowness holds the import back.
    fn object(&mut self, object: SealedObject) -> Result<(), Self::Error>;
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    pub files_done: u64,
    pub files: u64,
    pub bytes_done: u64,
    pub bytes: u64,
}

/// The caller's hand on a running import.
pub struct Control<'a> {
    /// Set to stop soon.
    pub cancelled: &'a AtomicBool,
    /// Called after each file, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

impl Control<'_> {
    fn check(&self) -> Result<(), Cancelled> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }
}

/// The caller asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped; what was stored stays, and importing again continues")]
pub struct Cancelled;

/// What would be imported. Everything here is the patient's own data.
#[derive(Default)]
pub struct Plan {
    pub studies: Vec<PlannedStudy>,
    pub skipped: Vec<SkippedFile>,
}

/// A study as its files say it is.
pub struct PlannedStudy {
    pub patient: Patient,
    /// Study Instance UID.
    pub study: Private<String>,
    /// Study Date as written.
    pub date: Private<String>,
    pub description: Private<String>,
    pub accession: Private<String>,
    pub series: Vec<PlannedSeries>,
}

/// Who a study is of. Two files are of the same patient if ID and issuer agree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Patient {
    pub id: Private<String>,
    pub issuer: Private<String>,
    pub name: Private<String>,
    pub birth_date: Private<String>,
}

pub struct PlannedSeries {
    /// Series Instance UID.
    pub series: Private<String>,
    pub modality: String,
    pub description: Private<String>,
    pub instances: Vec<PlannedInstance>,
    /// The header of the first instance, to show what de-identification will do.
    pub example: InMemDicomObject,
}

/// The files that say they are one instance, in the order in which they were found.
pub struct PlannedInstance {
    pub sop_instance: Private<String>,
    pub files: Vec<SourceFile>,
}

impl PlannedStudy {
    pub fn instances(&self) -> usize {
        self.series.iter().map(|series| series.instances.len()).sum()
    }

    /// Length of all files in bytes.
    pub fn bytes(&self) -> u64 {
        self.series.iter().flat_map(|s| &s.instances).flat_map(|i| &i.files).map(|file| file.bytes).sum()
    }
}

impl Plan {
    /// Finds files and reads their headers.
    pub fn make(paths: &[PathBuf], control: &Control<'_>) -> Result<Self, PlanError> {
        let found = source::find(paths)?;
        let gate = Gate::new();
        let tally = Tally::new(&found.files);
        let scanned: Vec<_> = found
            .files
            .into_par_iter()
            .map(|file| {
                control.check()?;
                let scanned = scan(&file, &gate).and_then(|header| Summary::of(&header));
                tally.done(file.bytes, control);
                Ok((file, scanned))
            })
            .collect::<Result<_, Cancelled>>()?;
        let mut plan = Self { studies: Vec::new(), skipped: found.skipped };
        let mut places = Places::default();
        for (file, scanned) in scanned {
            match scanned {
                Ok(summary) => plan.add(file, summary, &mut places),
                Err(why) => plan.skipped.push(SkippedFile { path: file.path, why }),
            }
        }
        for series in plan.studies.iter_mut().flat_map(|study| &mut study.series) {
            let first = series.instances.first().and_then(|instance| instance.files.first());
            if let Some(Ok(header)) = first.map(|file| scan(file, &gate)) {
                series.example = header;
            }
        }
        Ok(plan)
    }

    fn add(&mut self, file: SourceFile, summary: Summary, places: &mut Places) {
        let Summary { patient, study, series, sop_instance, .. } = summary;
        // Without an ID the name has to do: two names in one study must not become one patient.
        let same_patient = match patient.id.reveal().is_empty() {
            true => ["", "", patient.name.reveal()].join("\u{0}"),
            false => [patient.id.reveal().as_str(), patient.issuer.reveal(), ""].join("\u{0}"),
        };
        let study_at = *places.studies.entry((same_patient, study.clone())).or_insert_with(|| {
            self.studies.push(PlannedStudy {
                patient,
                study: Private::new(study),
                date: summary.date,
                description: summary.study_description,
                accession: summary.accession,
                series: Vec::new(),
            });
            self.studies.len() - 1
        });
        let study = &mut self.studies[study_at];
        let series_at = *places.series.entry((study_at, series.clone())).or_insert_with(|| {
            study.series.push(PlannedSeries {
                series: Private::new(series),
                modality: summary.modality,
                description: summary.series_description,
                instances: Vec::new(),
                example: InMemDicomObject::new_empty(),
            });
            study.series.len() - 1
        });
        let instances = &mut study.series[series_at].instances;
        let (series_at, at) = *places.instances.entry((study_at, sop_instance.clone())).or_insert_with(|| {
            instances.push(PlannedInstance { sop_instance: Private::new(sop_instance), files: Vec::new() });
            (series_at, instances.len() - 1)
        });
        // A copy in another series is a copy all the same.
        study.series[series_at].instances[at].files.push(file);
    }
}

/// What the plan needs of a header; the headers of a large import would not fit into memory together.
struct Summary {
    patient: Patient,
    study: String,
    series: String,
    sop_instance: String,
    date: Private<String>,
    study_description: Private<String>,
    accession: Private<String>,
    modality: String,
    series_description: Private<String>,
}

impl Summary {
    fn of(header: &InMemDicomObject) -> Result<Self, String> {
        let private = |tag| Private::new(text(header, tag));
        let names = uid_of(header, tags::SOP_CLASS_UID).and(uid_of(header, tags::SOP_INSTANCE_UID));
        let sop_instance = names.ok_or("it does not say which object it is (no SOP Class or Instance UID)")?;
        Ok(Self {
            patient: Patient {
                id: private(tags::PATIENT_ID),
                issuer: private(tags::ISSUER_OF_PATIENT_ID),
                name: private(tags::PATIENT_NAME),
                birth_date: private(tags::PATIENT_BIRTH_DATE),
            },
            study: uid_of(header, tags::STUDY_INSTANCE_UID).unwrap_or_default(),
            series: uid_of(header, tags::SERIES_INSTANCE_UID).unwrap_or_default(),
            sop_instance,
            date: private(tags::STUDY_DATE),
            study_description: private(tags::STUDY_DESCRIPTION),
            accession: private(tags::ACCESSION_NUMBER),
            modality: text(header, tags::MODALITY),
            series_description: private(tags::SERIES_DESCRIPTION),
        })
    }
}

/// Where studies, series and instances already stand in the plan.
#[derive(Default)]
struct Places {
    studies: BTreeMap<(String, String), usize>,
    series: BTreeMap<(usize, String), usize>,
    instances: BTreeMap<(usize, String), (usize, usize)>,
}

fn scan(file: &SourceFile, gate: &Gate) -> Result<InMemDicomObject, String> {
    let beginning = file.beginning(SCAN_BYTES)?;
    match part10::scan(&beginning, file.bytes) {
        Ok((_, header)) => Ok(header),
        Err(Part10Error::NeedsWhole) => {
            let _pass = gate.pass(file.bytes);
            let whole = file.whole()?;
            part10::read(&whole).map(|part10| part10.header).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// A study that was imported.
pub struct ImportedStudy {
    pub head: StudyHead,
    /// The instances in the manifest, by series, in reading order.
    pub series: Vec<Vec<InstanceEntry>>,
    /// What the head says of each series; `None` where no instance could be cleaned.
    pub facts: Vec<Option<Facts>>,
    pub left_out: Vec<LeftOutInstance>,
    pub skipped: Vec<SkippedFile>,
    /// Files that were exact copies of others.
    pub duplicates: u64,
    /// Length of all files read, in bytes.
    pub bytes_in: u64,
    /// Length of all chunks given to the sink, in bytes.
    pub bytes_stored: u64,
}

/// An instance that is in no manifest.
pub struct LeftOutInstance {
    /// Index of its series in [`ImportedStudy::series`] and in the head.
    pub series: usize,
    pub path: Private<String>,
    pub why: String,
    /// What was sealed and kept of it, when only its pixels are in doubt.
    pub entry: Option<InstanceEntry>,
}

/// Imports one planned study.
///
/// # Errors
/// When stopped, when the sink fails, or when the study has too many series for a head. What the sink took
/// before stays valid: the same files give the same chunks.
pub fn carry_out<D: Deidentifier, S: Sink>(
    study: &PlannedStudy,
    key: &StudyKey,
    deidentifier: &D,
    sink: &mut S,
    control: &Control<'_>,
) -> Result<ImportedStudy, ImportError<S::Error>> {
    let jobs: Vec<(usize, &PlannedInstance)> = study
        .series
        .iter()
        .enumerate()
        .flat_map(|(at, series)| series.instances.iter().map(move |instance| (at, instance)))
        .collect();
    let tally = Tally::new(study.series.iter().flat_map(|s| &s.instances).flat_map(|i| &i.files));
    let worker = Worker { key, deidentifier, gate: Gate::new(), packers: Mutex::new(Vec::new()) };
    let sink = Mutex::new(sink);
    let outcomes: Vec<(usize, Outcome)> = jobs
        .par_iter()
        .map(|(series, instance)| {
            let mut outcome = Outcome::default();
            for file in &instance.files {
                control.check()?;
                let sealed = worker.file(file, *series, &mut outcome);
                if let Some(sealed) = sealed {
                    outcome.bytes_stored += sealed.chunks.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
                    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
                    sink.object(sealed).map_err(ImportError::Store)?;
                }
                tally.done(file.bytes, control);
            }
            Ok((*series, outcome))
        })
        .collect::<Result<_, ImportError<S::Error>>>()?;
    let sink = sink.into_inner().unwrap_or_else(PoisonError::into_inner);
    assemble(study, key, outcomes, sink, tally.bytes_in())
}

/// What the burned-in check needs to know of a file's pixel data.
pub fn pixel_facts(part10: &Part10<'_>) -> Option<PixelFacts> {
    let pixel = part10.pixel.as_ref()?;
    let bits = if pixel.encapsulated { 0 } else { number(&part10.header, tags::BITS_ALLOCATED).unwrap_or(0) };
    let bits = u16::try_from(bits).unwrap_or(0);
    Some(PixelFacts { eight_bit_range: fits_in_eight_bits(&pixel.bytes, bits, part10.syntax.encoding.big_endian) })
}

/// What became of the files of one instance.
#[derive(Default)]
struct Outcome {
    entry: Option<InstanceEntry>,
    /// Of the instance that was sealed, in the manifest or not.
    facts: Option<Facts>,
    /// Plain hash of the first file.
    first: Option<[u8; 32]>,
    left_out: Vec<LeftOutInstance>,
    skipped: Vec<SkippedFile>,
    duplicates: u64,
    bytes_stored: u64,
}

struct Worker<'a, D> {
    key: &'a StudyKey,
    deidentifier: &'a D,
    gate: Gate,
    packers: Mutex<Vec<Packer>>,
}

impl<D: Deidentifier> Worker<'_, D> {
    /// Takes one file through; gives what must be stored, and notes what became of it.
    fn file(&self, file: &SourceFile, series: usize, outcome: &mut Outcome) -> Option<SealedObject> {
        let _pass = self.gate.pass(file.bytes);
        // Parsers of strangers' bytes are contained: a panic costs its file, not the import.
        let processed = catch_unwind(AssertUnwindSafe(|| self.process(file)))
            .unwrap_or_else(|_| Err(Refusal::Skipped("an error of this program (please report it)".to_string())));
        match processed {
            Err(Refusal::Skipped(why)) => {
                outcome.skipped.push(SkippedFile { path: file.path.clone(), why });
                None
            }
            Err(Refusal::LeftOut(why)) => {
                outcome.left_out.push(LeftOutInstance { series, path: file.path.clone(), why, entry: None });
                None
            }
            Ok(processed) => match outcome.first {
                None => {
                    outcome.first = Some(processed.sealed.plain_hash);
                    outcome.facts = Some(processed.facts);
                    match processed.risk {
                        None => outcome.entry = Some(processed.entry),
                        Some(why) => outcome.left_out.push(LeftOutInstance {
                            series,
                            path: file.path.clone(),
                            why,
                            entry: Some(processed.entry),
                        }),
                    }
                    Some(processed.sealed)
                }
                Some(first) if first == processed.sealed.plain_hash => {
                    outcome.duplicates += 1;
                    None
                }
                Some(_) => {
                    let why = "another file says it is the same image, with other content".to_string();
                    outcome.left_out.push(LeftOutInstance { series, path: file.path.clone(), why, entry: None });
                    None
                }
            },
        }
    }

    fn process(&self, file: &SourceFile) -> Result<Processed, Refusal> {
        let skipped = |why: &dyn std::fmt::Display| Refusal::Skipped(why.to_string());
        let bytes = file.whole().map_err(Refusal::Skipped)?;
        let part10 = part10::read(&bytes).map_err(|error| skipped(&error))?;
        let syntax = part10.syntax.uid.clone();
        let has_pixels = part10.pixel.is_some();
        let cleaned = self
            .deidentifier
            .deidentify(&part10.header, pixel_facts(&part10))
            .map_err(|LeftOut(why)| Refusal::LeftOut(why))?;
        let facts = Facts::of(&cleaned.header);
        let rebuilt = rebuild(part10, cleaned.header.clone()).map_err(|error| skipped(&error))?;
        let packed = self.with_packer(|packer| packer.pack(&rebuilt.parts())).map_err(|error| skipped(&error))?;
        let sealed = seal_object(self.key, &packed).map_err(|error| skipped(&error))?;
        let entry = InstanceEntry::of(&cleaned.header, &syntax, has_pixels, &packed, sealed.object.clone())
            .ok_or_else(|| skipped(&"it has no SOP Instance UID"))?;
        Ok(Processed { sealed, entry, facts, risk: cleaned.risk })
    }

    fn with_packer<T>(
        &self,
        work: impl FnOnce(&mut Packer) -> Result<T, super::packing::PackError>,
    ) -> Result<T, super::packing::PackError> {
        let idle = self.packers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut packer = match idle {
            Some(packer) => packer,
            None => Packer::new()?,
        };
        let result = work(&mut packer);
        self.packers.lock().unwrap_or_else(PoisonError::into_inner).push(packer);
        result
    }
}

struct Processed {
    sealed: SealedObject,
    entry: InstanceEntry,
    facts: Facts,
    risk: Option<String>,
}

enum Refusal {
    Skipped(String),
    LeftOut(String),
}

/// What heads say of a study and a series, from a cleaned header.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Facts {
    #[n(0)]
    pub study: String,
    #[n(1)]
    pub pseudonym: String,
    #[n(2)]
    pub study_description: String,
    #[n(3)]
    pub shifted_day: Option<i32>,
    #[n(4)]
    pub series: String,
    #[n(5)]
    pub modality: String,
    #[n(6)]
    pub series_description: String,
    #[n(7)]
    pub series_number: Option<i32>,
    #[n(8)]
    pub body_part: String,
}

impl Facts {
    pub fn of(cleaned: &InMemDicomObject) -> Self {
        let text = |tag: Tag| text(cleaned, tag);
        Self {
            study: text(tags::STUDY_INSTANCE_UID),
            pseudonym: text(tags::PATIENT_ID),
            study_description: text(tags::STUDY_DESCRIPTION),
            shifted_day: day_of(&text(tags::STUDY_DATE)),
            series: text(tags::SERIES_INSTANCE_UID),
            modality: text(tags::MODALITY),
            series_description: text(tags::SERIES_DESCRIPTION),
            series_number: number(cleaned, tags::SERIES_NUMBER),
            body_part: text(tags::BODY_PART_EXAMINED),
        }
    }
}

/// Days from 1970-01-01 to a DA value (YYYYMMDD).
fn day_of(date: &str) -> Option<i32> {
    let digits = date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit());
    let part = |range| date.get(range).and_then(|text: &str| text.parse::<u16>().ok()).filter(|_| digits);
    let month = time::Month::try_from(u8::try_from(part(4..6)?).ok()?).ok()?;
    let day = u8::try_from(part(6..8)?).ok()?;
    let date = time::Date::from_calendar_date(i32::from(part(0..4)?), month, day).ok()?;
    Some(date.to_julian_day() - time::macros::date!(1970 - 01 - 01).to_julian_day())
}

/// Puts instances into reading order, seals the pages that name them, and gives the series' head.
///
/// Also for a series whose reviewed instances are admitted later.
pub fn seal_series(
    key: &StudyKey,
    facts: &Facts,
    instances: &mut [InstanceEntry],
    left_out: u32,
) -> Result<(SeriesHead, Vec<SealedObject>), ManifestError> {
    let gaps = into_reading_order(instances);
    let pages = seal_pages(key, &facts.series, instances)?;
    let head = SeriesHead {
        series: facts.series.clone(),
        modality: facts.modality.clone(),
        description: facts.series_description.clone(),
        number: facts.series_number,
        body_part: facts.body_part.clone(),
        instances: u32::try_from(instances.len()).unwrap_or(u32::MAX),
        left_out,
        gaps,
        packed_bytes: instances.iter().map(|instance| instance.object.packed_bytes).sum(),
        pages: pages.iter().map(|page| page.object.clone()).collect(),
    };
    Ok((head, pages))
}

fn assemble<S: Sink>(
    study: &PlannedStudy,
    key: &StudyKey,
    outcomes: Vec<(usize, Outcome)>,
    sink: &mut S,
    bytes_in: u64,
) -> Result<ImportedStudy, ImportError<S::Error>> {
    let mut series: Vec<Vec<InstanceEntry>> = study.series.iter().map(|_| Vec::new()).collect();
    let mut facts: Vec<Option<Facts>> = study.series.iter().map(|_| None).collect();
    let mut imported = ImportedStudy {
        head: StudyHead {
            study: String::new(),
            pseudonym: String::new(),
            description: String::new(),
            modalities: Vec::new(),
            body_parts: Vec::new(),
            shifted_day: None,
            left_out: 0,
            series: Vec::new(),
        },
        series: Vec::new(),
        facts: Vec::new(),
        left_out: Vec::new(),
        skipped: Vec::new(),
        duplicates: 0,
        bytes_in,
        bytes_stored: 0,
    };
    for (at, outcome) in outcomes {
        if let Some(of_instance) = outcome.facts {
            facts[at].get_or_insert(of_instance);
        }
        series[at].extend(outcome.entry);
        imported.left_out.extend(outcome.left_out);
        imported.skipped.extend(outcome.skipped);
        imported.duplicates += outcome.duplicates;
        imported.bytes_stored += outcome.bytes_stored;
    }
    if let Some(facts) = facts.iter().flatten().next() {
        imported.head.study.clone_from(&facts.study);
        imported.head.pseudonym.clone_from(&facts.pseudonym);
        imported.head.description.clone_from(&facts.study_description);
        imported.head.shifted_day = facts.shifted_day;
    }
    for (at, instances) in series.iter_mut().enumerate() {
        let left_out = imported.left_out.iter().filter(|instance| instance.series == at).count() as u32;
        let of_series = facts[at].clone().unwrap_or_default();
        let (head, pages) = seal_series(key, &of_series, instances, left_out)?;
        for page in pages {
            imported.bytes_stored += page.chunks.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
            sink.object(page).map_err(ImportError::Store)?;
        }
        imported.head.left_out += left_out;
        imported.head.modalities.push(head.modality.clone());
        imported.head.body_parts.push(head.body_part.clone());
        imported.head.series.push(head);
    }
    for list in [&mut imported.head.modalities, &mut imported.head.body_parts] {
        list.sort();
        list.dedup();
        list.retain(|name| !name.is_empty());
    }
    imported.series = series;
    imported.facts = facts;
    imported.head.to_bytes()?; // a head that no entry can carry must fail here, not when it is sent
    Ok(imported)
}

/// Counts what is done.
struct Tally {
    state: Mutex<Progress>,
}

impl Tally {
    fn new<'a>(files: impl IntoIterator<Item = &'a SourceFile>) -> Self {
        let mut progress = Progress::default();
        for file in files {
            progress.files += 1;
            progress.bytes += file.bytes;
        }
        Self { state: Mutex::new(progress) }
    }

    fn done(&self, bytes: u64, control: &Control<'_>) {
        let now = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.files_done += 1;
            state.bytes_done += bytes;
            *state
        };
        (control.progress)(now);
    }

    fn bytes_in(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes_done
    }
}

/// Lets files in as long as they fit into [`IN_FLIGHT_BYTES_MAX`] together.
struct Gate {
    bytes: Mutex<u64>,
    left: Condvar,
}

impl Gate {
    fn new() -> Self {
        Self { bytes: Mutex::new(0), left: Condvar::new() }
    }

    /// Waits for room. A file that never fits waits until it is alone.
    fn pass(&self, bytes: u64) -> Pass<'_> {
        let inside = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |inside: &mut u64| *inside > 0 && inside.saturating_add(bytes) > IN_FLIGHT_BYTES_MAX;
        let mut inside = self.left.wait_while(inside, full).unwrap_or_else(PoisonError::into_inner);
        *inside = inside.saturating_add(bytes);
        Pass { gate: self, bytes }
    }
}

struct Pass<'a> {
    gate: &'a Gate,
    bytes: u64,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut inside = self.gate.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *inside = inside.saturating_sub(self.bytes);
        self.gate.left.notify_all();
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError<E: std::error::Error> {
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The sink's own words.
    #[error("{0}")]
    Store(E),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

#[cfg(test)]
mod tests;
