//! Studies as programs see them: imports, plans, lists, images.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SkippedFile {
    pub path: String,
    pub why: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ImportReport {
    pub studies: Vec<ImportedStudy>,
    pub skipped: Vec<SkippedFile>,
    /// Set on `--dry-run` and by `ask`: what will happen to which attribute. Holds patient data.
    pub plan: Option<PlanView>,
    pub seconds: f64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ImportedStudy {
    pub id: String,
    pub modality: String,
    pub description: String,
    pub series: usize,
    pub instances: usize,
    pub left_out: Vec<LeftOut>,
    pub gaps: Vec<String>,
    pub bytes_in: u64,
    pub bytes_stored: u64,
    pub already_held: usize,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LeftOut {
    pub series: String,
    pub instances: usize,
    pub why: String,
}

/// What leaves and what stays, shown to the sender before anything is stored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PlanView {
    pub patients: Vec<PlanPatient>,
    pub attributes: Vec<PlanAttribute>,
    /// Free text that remains.
    pub kept_text: Vec<String>,
    pub dropped_text: Vec<String>,
    pub codes: Vec<String>,
    pub left_out: Vec<LeftOut>,
    pub gaps: Vec<String>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PlanPatient {
    pub name: String,
    pub patient_id: String,
    pub birth_date: String,
    pub study_date: String,
    pub accession: String,
    pub study_description: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlanAttribute {
    pub tag: String,
    pub name: String,
    pub action: String,
    pub reason: String,
    pub count: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StudyView {
    pub id: String,
    pub modality: String,
    pub description: String,
    pub series: usize,
    pub instances: usize,
    pub left_out: usize,
    pub bytes_stored: u64,
    /// `mine` or `received`.
    pub origin: String,
    pub cases: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StudyDetail {
    #[serde(flatten)]
    pub study: StudyView,
    pub series_list: Vec<SeriesView>,
    /// The real patient; only at the sender and only if asked for.
    pub identity: Option<PlanPatient>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SeriesView {
    pub series_instance_uid: String,
    pub modality: String,
    pub description: String,
    pub number: Option<i64>,
    pub instances: usize,
    pub instances_have: usize,
    pub left_out: usize,
    pub gaps: Vec<String>,
    pub sop_instance_uids: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageView {
    pub rows: u32,
    pub columns: u32,
    pub samples: u32,
    /// Rows x columns x samples, row by row.
    pub values: Vec<f64>,
    pub unit: String,
    pub integer: bool,
    pub photometric: String,
}
