//! The first phase of an import: what is there, by patient, study and series, read from headers only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use rayon::prelude::*;

use super::pace::{Cancelled, Control, Gate, Tally};
use crate::encoding::private::Private;
use crate::study::manifest::text;
use crate::study::part10::{self, Part10Error, SCAN_BYTES, uid_of};
use crate::study::source::{self, Found, SkippedFile, SourceError, SourceFile};

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

impl Patient {
    /// What is the same for all files of one patient. Without an ID the name has to do: two names in one study must not
    /// become one patient.
    pub fn key(&self) -> Private<String> {
        Private::new(match self.id.reveal().is_empty() {
            true => ["", "", self.name.reveal()].join("\u{0}"),
            false => [self.id.reveal().as_str(), self.issuer.reveal(), ""].join("\u{0}"),
        })
    }
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
        Self::of(source::find(paths)?, control)
    }

    /// Reads the headers of files that were found.
    pub fn of(found: Found, control: &Control<'_>) -> Result<Self, PlanError> {
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
        let same_patient = summary.patient.key().into_revealed();
        let Summary { patient, study, series, sop_instance, .. } = summary;
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
pub struct Summary {
    pub patient: Patient,
    /// Study Instance UID; empty if there is none.
    pub study: String,
    /// Series Instance UID; empty if there is none.
    pub series: String,
    pub sop_class: String,
    pub sop_instance: String,
    pub date: Private<String>,
    pub study_description: Private<String>,
    pub accession: Private<String>,
    pub modality: String,
    pub series_description: Private<String>,
}

impl Summary {
    /// # Errors
    /// In words, if the header does not name its object.
    pub fn of(header: &InMemDicomObject) -> Result<Self, String> {
        let private = |tag| Private::new(text(header, tag));
        let names = uid_of(header, tags::SOP_CLASS_UID).zip(uid_of(header, tags::SOP_INSTANCE_UID));
        let (sop_class, sop_instance) =
            names.ok_or("it does not say which object it is (no valid SOP Class or Instance UID)")?;
        Ok(Self {
            patient: Patient {
                id: private(tags::PATIENT_ID),
                issuer: private(tags::ISSUER_OF_PATIENT_ID),
                name: private(tags::PATIENT_NAME),
                birth_date: private(tags::PATIENT_BIRTH_DATE),
            },
            study: uid_of(header, tags::STUDY_INSTANCE_UID).unwrap_or_default(),
            series: uid_of(header, tags::SERIES_INSTANCE_UID).unwrap_or_default(),
            sop_class,
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

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
