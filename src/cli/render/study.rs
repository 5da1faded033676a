//! Studies: what an import did, what is held.

use crate::cli::progress::bytes;
use crate::encoding::text::shown;
use crate::node::api::{
    ImageView, ImportReport, ImportedStudy, LeftOut, LeftOutImage, PlanPatient, StudyDetail, StudyPatient, StudyView,
};

use super::layout::{Table, count, field, items, section, short};
use super::plan;

pub(super) fn imported(report: &ImportReport, width: usize) -> String {
    let mut text = String::new();
    if let Some(view) = &report.plan {
        text += &plan::plan(view, width);
        text.push('\n');
    }
    for study in &report.studies {
        text += &one_import(study, width);
    }
    if report.studies.is_empty() {
        text += "No study was imported.\n";
    }
    let skipped: Vec<String> = report.skipped.iter().map(|file| format!("{}: {}", file.path, file.why)).collect();
    text += &section("Skipped files", &items(&skipped, width));
    text
}

fn one_import(study: &ImportedStudy, width: usize) -> String {
    let mut text = format!("{}  {} {}\n", shown(&study.id), shown(&study.modality), shown(&study.description));
    text += &format!(
        "  {} in {}, {} stored as {}\n",
        count(study.instances, "image"),
        count(study.series, "series"),
        bytes(study.bytes_in),
        bytes(study.bytes_stored)
    );
    if study.already_held > 0 {
        text += &format!("  {} of them were here already\n", study.already_held);
    }
    text += &section("Left out", &left_out(&study.left_out, width));
    text += &section("Gaps", &items(&study.gaps, width));
    text += &section("Careful", &items(&study.warnings, width));
    text
}

pub(super) fn left_out(left_out: &[LeftOut], width: usize) -> String {
    let lines: Vec<String> = left_out
        .iter()
        .map(|left| format!("{} of {}: {}", count(left.instances, "object"), left.series, left.why))
        .collect();
    items(&lines, width)
}

pub(super) fn studies(studies: &[StudyView], width: usize) -> String {
    if studies.is_empty() {
        return "No study is held here. Next: `overread import PATH`.\n".into();
    }
    let mut table = Table::new(&["id", "modality", "series", "images", "stored", "origin", "description"]);
    for study in studies {
        table.row([
            &short(&study.id),
            &study.modality,
            &study.series.to_string(),
            &study.instances.to_string(),
            &bytes(study.bytes_stored),
            &study.origin,
            &study.description,
        ]);
    }
    table.text(width)
}

pub(super) fn study(detail: &StudyDetail, width: usize) -> String {
    let study = &detail.study;
    let mut text = field("study", &study.id, usize::MAX);
    if let Some(patient) = &detail.identity {
        text += &self::patient(patient, width);
    }
    text += &field("modality", &study.modality, width);
    text += &field("description", &study.description, width);
    text += &field("origin", &study.origin, width);
    let left = if study.left_out > 0 { format!(", {} left out", study.left_out) } else { String::new() };
    let masked = if detail.masked.is_empty() { String::new() } else { format!(", {} masked", detail.masked.len()) };
    text += &field("images", &format!("{}{left}{masked}", study.instances), width);
    text += &field("stored", &bytes(study.bytes_stored), width);
    text += &field("cases", &study.cases.iter().map(|case| short(case)).collect::<Vec<_>>().join(" "), width);
    let mut table = Table::new(&["no", "modality", "images", "here", "left out", "series UID", "description"]);
    for series in &detail.series_list {
        table.row([
            &series.number.map_or_else(|| "-".into(), |number| number.to_string()),
            &series.modality,
            &series.instances.to_string(),
            &series.instances_have.to_string(),
            &series.left_out.to_string(),
            &series.series_instance_uid,
            &series.description,
        ]);
    }
    text += &section("Series", &table.text(width));
    let gaps: Vec<String> = detail
        .series_list
        .iter()
        .flat_map(|series| series.gaps.iter().map(|gap| format!("series {}: {gap}", series.number.unwrap_or_default())))
        .collect();
    text + &section("Gaps", &items(&gaps, width))
}

/// The real patient; shown at the sender only.
pub(super) fn patient(patient: &PlanPatient, width: usize) -> String {
    let mut text = field("patient", &patient.name, width);
    text += &field("born", &patient.birth_date, width);
    text += &field("patient ID", &patient.patient_id, width);
    text += &field("examination", &patient.study_date, width);
    text += &field("accession", &patient.accession, width);
    text + &field("called", &patient.study_description, width)
}

pub(super) fn reviewed(pages: &[String], images: usize) -> String {
    let mut text = format!("{} to look at for burned-in text:\n", count(images, "image"));
    for page in pages {
        text += &format!("  {}\n", shown(page));
    }
    text + "Next: `overread study include STUDY SERIES --burned-in-checked` for what shows nobody's name, `overread study \
            mask` for what a black rectangle makes so; review.txt says which image is which.\n"
}

/// Images that were masked, one a line.
pub(super) fn masked(images: &[String], width: usize) -> String {
    let lines: Vec<String> = images.iter().map(|uid| shown(uid).into_owned()).collect();
    format!("{} masked in every frame and in the study now:\n{}", count(images.len(), "image"), items(&lines, width))
        + "Next: `overread study review STUDY -o DIR` shows what is left of them. The unmasked originals never leave this \
           machine; masking again starts from them.\n"
}

/// Images that may show a name, one a line.
pub(super) fn left_out_images(images: &[LeftOutImage], width: usize) -> String {
    let number = |number: Option<i32>| number.map_or_else(|| "-".into(), |number| number.to_string());
    let mut table = Table::new(&["series", "image", "frames", "state", "masks", "why", "SOP Instance UID"]);
    for image in images {
        table.row([
            &number(image.series_number),
            &number(image.number),
            &image.frames.to_string(),
            &image.state,
            &image.mask.len().to_string(),
            &image.why,
            &image.sop_instance_uid,
        ]);
    }
    table.text(width)
}

/// The real patients; shown at the sender only.
pub(super) fn patients(patients: &[StudyPatient], width: usize) -> String {
    patients.iter().map(|one| format!("{}\n{}", short(&one.study), patient(&one.patient, width))).collect()
}

pub(super) fn exported(instances: usize, size: u64, directory: &str) -> String {
    format!(
        "{} ({}) in {}\nFor consultation, never for primary diagnosis. What is exported cannot be recalled.\n",
        count(instances, "image"),
        bytes(size),
        shown(directory)
    )
}

pub(super) fn image(image: &ImageView) -> String {
    let mut text = format!("{} rows x {} columns, {}\n", image.rows, image.columns, shown(&image.unit));
    if let Some(basis) = &image.basis {
        text += &format!("{}\n", shown(basis));
    }
    for window in &image.windows {
        let name = window.name.as_deref().map_or_else(String::new, |name| format!(" {}", shown(name)));
        let values = match (window.width, window.level) {
            (Some(width), Some(level)) => format!("{width}/{level}"),
            _ => "table".to_owned(),
        };
        text += &format!("file:{}{name} {values}\n", window.number);
    }
    text
}
