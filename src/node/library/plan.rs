//! The plan: what an import would do, shown before anything is stored.
//!
//! Every file is read and cleaned as on import, since the pixels decide whether an image must be looked at first;
//! nothing is packed, sealed or stored. The answer holds patient data and is for the sender's own screen.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use dicom_dictionary_std::tags;
use rayon::prelude::*;

use super::LocalStudy;
use super::groups::Place;
use super::import::{Control, Meter, held_id, still_masked};
use super::left_out;
use super::reading::held_instances;
use super::words::{Reidentification, patient_of};
use crate::encoding::private::Private;
use crate::encoding::text::shown;
use crate::node::api::{
    Failure, FailureCode, ImportReport, ImportedStudy as StudyReport, LeftOut as LeftOutView, PlanAttribute, PlanView,
    SkippedFile as SkippedView,
};
use crate::store::Store;
use crate::study::deidentify::plan::{FACE_SLICES_MIN, Plan as CleaningPlan, SeriesPlan, StudyPlan};
use crate::study::deidentify::preset::Method;
use crate::study::deidentify::secrets::GroupSecrets;
use crate::study::deidentify::{Deidentified, Instance, LeftOut, Rules, deidentify};
use crate::study::import::{Plan, PlannedInstance, PlannedStudy, pixel_facts};
use crate::study::manifest::text;
use crate::study::part10;
use crate::study::source::SourceFile;

/// Fills the report of a dry run: one study for each planned one, and the plan of all together.
pub(super) fn plan_view(
    store: &Store,
    plan: &Plan,
    places: &[Place],
    joined: Option<&LocalStudy>,
    rules: &Rules,
    control: &Control<'_>,
    report: &mut ImportReport,
) -> Result<(), Failure> {
    let meter = Meter::new("plan", plan.studies.iter().map(PlannedStudy::bytes).sum(), control);
    let mut view = PlanView::default();
    let mut attributes: BTreeMap<_, usize> = BTreeMap::new();
    let (mut kept, mut dropped, mut codes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (planned, place) in plan.studies.iter().zip(places) {
        let looked = look_at(store, planned, place, rules, control, &meter)?;
        view.patients.push(Reidentification::of(planned).shown());
        let mut study = looked.report;
        for (_, cleaned) in looked.plan.studies() {
            for (action, count) in &cleaned.attributes {
                *attributes.entry(action.clone()).or_default() += usize::try_from(*count).unwrap_or(usize::MAX);
            }
            kept.extend(cleaned.remaining_text.keys().map(|(_, text)| clear(text)));
            dropped.extend(cleaned.dropped_words.iter().map(clear));
            describe(cleaned, &mut study);
        }
        codes.extend(looked.codes);
        view.left_out.extend(study.left_out.iter().cloned());
        view.gaps.extend(study.gaps.iter().cloned());
        view.warnings.extend(study.warnings.iter().cloned());
        report.skipped.extend(looked.skipped);
        report.studies.push(study);
    }
    if let Some(other) = joined.map(|study| patient_of(store, &study.id)).transpose()?.flatten() {
        view.warnings.push(format!(
            "joined with the patient {} ({}), born {}: make sure that this is the same person",
            other.name, other.patient_id, other.birth_date
        ));
    }
    view.attributes = attributes
        .into_iter()
        .map(|(action, count)| PlanAttribute {
            tag: action.path_text(),
            name: action.keyword().unwrap_or_default().to_owned(),
            action: action.done.word().to_owned(),
            reason: action.reason.words().to_owned(),
            count,
        })
        .collect();
    view.kept_text = kept.into_iter().collect();
    view.dropped_text = dropped.into_iter().collect();
    view.codes = codes.into_iter().map(|method: Method| format!("{} {}", method.code(), method.meaning())).collect();
    report.plan = Some(view);
    Ok(())
}

/// What was found out about one planned study.
#[derive(Default)]
struct Looked {
    plan: CleaningPlan,
    report: StudyReport,
    codes: BTreeSet<Method>,
    skipped: Vec<SkippedView>,
    left_out: BTreeMap<(String, String), usize>,
    /// Images that are held masked.
    masked: usize,
}

fn look_at(
    store: &Store,
    planned: &PlannedStudy,
    place: &Place,
    rules: &Rules,
    control: &Control<'_>,
    meter: &Meter<'_>,
) -> Result<Looked, Failure> {
    let held = held_id(store, place)?;
    let in_manifest: HashSet<String> = match &held {
        Some((_, study)) => {
            held_instances(store, study)?.into_values().flatten().map(|entry| entry.sop_instance).collect()
        }
        None => HashSet::new(),
    };
    let rows = held.as_ref().map(|(id, _)| left_out::of_study(store, id)).transpose()?.unwrap_or_default();
    let masked: HashSet<&str> =
        rows.iter().filter(|row| !row.mask().is_empty()).map(|row| row.entry.sop_instance.as_str()).collect();
    let secrets = GroupSecrets::new(&place.group.secret);
    let looked = Mutex::new((Looked::default(), 0));
    let modality = |at: usize| planned.series.get(at).map(|series| series.modality.clone()).unwrap_or_default();
    let jobs: Vec<(usize, &PlannedInstance)> = planned
        .series
        .iter()
        .enumerate()
        .flat_map(|(at, series)| series.instances.iter().map(move |instance| (at, instance)))
        .collect();
    jobs.par_iter().for_each(|(at, instance)| {
        // Copies are judged on import; the first file stands for the instance.
        let Some(file) = instance.files.first().filter(|_| !control.is_cancelled()) else { return };
        // As on import, a panic in a parser costs its file, not the plan.
        let read = catch_unwind(AssertUnwindSafe(|| clean(file, rules, &secrets)))
            .unwrap_or_else(|_| Err("an error of this program (please report it)".to_owned()));
        let mut looked = looked.lock().unwrap_or_else(PoisonError::into_inner);
        let (looked, bytes_done) = &mut *looked;
        *bytes_done += file.bytes;
        match read {
            Err(why) => {
                let path = shown(file.path.reveal()).into_owned();
                looked.skipped.push(SkippedView { path, why: shown(&why).into_owned() });
            }
            Ok(Err(why)) => {
                looked.plan.leave_out(why);
                *looked.left_out.entry((modality(*at), why.to_string())).or_default() += 1;
            }
            Ok(Ok(cleaned)) => {
                let is_held = in_manifest.contains(&cleaned.sop_instance_uid);
                looked.report.already_held += usize::from(is_held);
                looked.masked += usize::from(masked.contains(cleaned.sop_instance_uid.as_str()));
                if cleaned.burned_in.is_empty() || is_held {
                    looked.report.instances += 1;
                } else {
                    let risks: Vec<_> = cleaned.burned_in.iter().map(|risk| risk.words()).collect();
                    let series = text(&cleaned.header, tags::SERIES_INSTANCE_UID);
                    *looked.left_out.entry((series, risks.join(", "))).or_default() += 1;
                }
                looked.codes.extend(&cleaned.methods);
                looked.plan.add(&cleaned, is_held);
            }
        }
        meter.at(*bytes_done);
    });
    if control.is_cancelled() {
        return Err(Failure::new(FailureCode::Interrupted, "The plan was stopped.").hint("Nothing was stored."));
    }
    meter.add(planned.bytes());
    let (mut looked, _) = looked.into_inner().unwrap_or_else(PoisonError::into_inner);
    looked.report.id = held.map(|(id, _)| id.to_string()).unwrap_or_default();
    looked.report.series = planned.series.len();
    looked.report.warnings.extend(still_masked(looked.masked));
    looked.report.bytes_in = planned.bytes();
    looked.report.left_out = std::mem::take(&mut looked.left_out)
        .into_iter()
        .map(|((series, why), instances)| LeftOutView { series, instances, why })
        .collect();
    Ok(looked)
}

fn clean(file: &SourceFile, rules: &Rules, secrets: &GroupSecrets) -> Result<Result<Deidentified, LeftOut>, String> {
    let bytes = file.whole()?;
    let part10 = part10::read(&bytes).map_err(|error| error.to_string())?;
    let pixels = pixel_facts(&part10);
    let instance = Instance { header: part10.header, meta_sop_class_uid: None, pixels, reviewed: false };
    Ok(deidentify(instance, rules, secrets))
}

/// What of a study leaves, in the words of its cleaned headers.
fn describe(cleaned: &StudyPlan, report: &mut StudyReport) {
    let modalities: BTreeSet<_> = cleaned.series.values().map(|series| shown(&series.modality)).collect();
    report.modality = modalities.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
    let descriptions = cleaned.remaining_text.keys().filter(|(tag, _)| *tag == tags::STUDY_DESCRIPTION);
    report.description = descriptions.map(|(_, text)| clear(text)).next().unwrap_or_default();
    for series in cleaned.series.values() {
        let name = name_of(series);
        let gaps = series.gaps();
        if !gaps.is_complete() {
            report.gaps.push(format!("{name}: {gaps}"));
        }
        if series.face_slices >= FACE_SLICES_MIN {
            let slices = series.face_slices;
            report.warnings.push(format!("{name}: the face can be rebuilt from {slices} thin head slices"));
        }
    }
}

fn name_of(series: &SeriesPlan) -> String {
    shown(format!("series {} {}", series.modality, series.description).trim_end()).into_owned()
}

fn clear(text: &Private<String>) -> String {
    shown(text.reveal()).into_owned()
}
