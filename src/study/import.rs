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

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use minicbor::{Decode, Encode};
use rayon::prelude::*;

pub use self::pace::{Cancelled, Control, IN_FLIGHT_BYTES_MAX, Progress};
pub use self::plan::{Patient, Plan, PlanError, PlannedInstance, PlannedSeries, PlannedStudy, Summary};

use self::pace::{Gate, Tally};
use super::deidentify::PixelFacts;
use super::deidentify::burned_in::fits_in_eight_bits;
use super::manifest::{InstanceEntry, ManifestError, SeriesHead, StudyHead, number, seal_pages, text};
use super::object::{SealedObject, seal_object};
use super::order::{Gaps, into_reading_order};
use super::packing::Packer;
use super::part10::{self, Part10};
use super::source::{SkippedFile, SourceFile};
use super::write::rebuild;
use crate::encoding::private::Private;
use crate::seal::chunk::StudyKey;

mod pace;
mod plan;

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

/// A study that was imported.
pub struct ImportedStudy {
    /// Its series stand in the order of the plan; one of which nothing could be read has no UID.
    pub head: StudyHead,
    /// The instances in the manifest, by series of the head, in reading order.
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

    /// A head without instances.
    pub fn series_head(&self) -> SeriesHead {
        SeriesHead {
            series: self.series.clone(),
            modality: self.modality.clone(),
            description: self.series_description.clone(),
            number: self.series_number,
            body_part: self.body_part.clone(),
            instances: 0,
            left_out: 0,
            gaps: Gaps::default(),
            packed_bytes: 0,
            pages: Vec::new(),
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

/// Puts instances into reading order, seals the pages that name them, and writes counts and pages into `head`.
///
/// Also for a series whose reviewed instances are admitted later: its head is then the old one.
pub fn seal_series(
    key: &StudyKey,
    head: SeriesHead,
    instances: &mut [InstanceEntry],
    left_out: u32,
) -> Result<(SeriesHead, Vec<SealedObject>), ManifestError> {
    let gaps = into_reading_order(instances);
    let pages = seal_pages(key, &head.series, instances)?;
    let head = SeriesHead {
        instances: u32::try_from(instances.len()).unwrap_or(u32::MAX),
        left_out,
        gaps,
        packed_bytes: instances.iter().map(|instance| instance.object.packed_bytes).sum(),
        pages: pages.iter().map(|page| page.object.clone()).collect(),
        ..head
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
        series[at].extend(outcome.entry);
        if facts[at].is_none() {
            facts[at] = outcome.facts;
        }
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
        let head = facts[at].as_ref().map(Facts::series_head).unwrap_or_else(|| Facts::default().series_head());
        let (head, pages) = seal_series(key, head, instances, left_out)?;
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
