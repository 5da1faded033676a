//! Studies as programs see them: imports, plans, lists, images.

use serde::{Deserialize, Serialize};

pub use crate::study::mask::Rectangle;
use crate::study::part10::Part10Error;
use crate::study::source::NOT_A_FILE;

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

impl ImportReport {
    /// Whether a DICOM object was left behind (exit code 6): an instance that was left out, or a file that is DICOM, or
    /// may be, and was not read. Other files are only listed.
    pub fn left_behind(&self) -> bool {
        let harmless = [Part10Error::NotDicom, Part10Error::Empty, Part10Error::DicomDir].map(|why| why.to_string());
        self.studies.iter().any(|study| !study.left_out.is_empty())
            || self.skipped.iter().any(|file| !harmless.contains(&file.why) && file.why != NOT_A_FILE)
    }
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

impl PlanPatient {
    /// Whether both are the same person, as far as the files say.
    pub fn is_who(&self, other: &Self) -> bool {
        let person = |patient: &Self| [&patient.name, &patient.patient_id, &patient.birth_date].map(String::clone);
        person(self) == person(other)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlanAttribute {
    pub tag: String,
    pub name: String,
    pub action: String,
    pub reason: String,
    pub count: usize,
}

/// What neighbours have sent and nobody has imported yet.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct InboxView {
    pub studies: Vec<InboxStudy>,
    /// Where neighbours can send to now.
    pub listening: Option<String>,
    #[serde(default)]
    pub listener: Option<ListenerView>,
    /// Why the last connection to the listener was refused.
    #[serde(default)]
    pub refused: Option<String>,
    /// Why objects are refused for want of room; absent again once there is some.
    #[serde(default)]
    pub no_room: Option<String>,
    /// Studies that the last locking wiped, until the next one arrives.
    #[serde(default)]
    pub wiped: usize,
}

/// Who listens for neighbours, and what they enter to reach it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerView {
    /// IP addresses of this machine at which it listens, the likeliest first.
    pub hosts: Vec<String>,
    pub port: u16,
    pub ae_title: String,
    pub tls: bool,
    /// Calling AE titles that may send; empty: nobody, unless `any_ae`.
    pub allowed: Vec<String>,
    pub any_ae: bool,
}

/// A study in the inbox. Holds patient data.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct InboxStudy {
    pub id: String,
    pub modality: String,
    pub series: usize,
    pub instances: usize,
    pub bytes: u64,
    /// Calling AE titles that sent something of it.
    pub from: String,
    /// Every object that was begun is here, and every sender ended in order.
    pub complete: bool,
    /// `arriving`, `complete` or `incomplete`.
    pub state: String,
    /// Objects that were begun or refused and are not here.
    pub missing: usize,
    pub first: String,
    pub last: String,
    /// It was imported, and something of it could not be taken in.
    pub imported: bool,
    pub patient: PlanPatient,
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
    /// SOP Instance UIDs of images that were masked; only at the sender.
    #[serde(default)]
    pub masked: Vec<String>,
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
    /// In reading order; of series whose pages have not arrived: none.
    #[serde(default)]
    pub images: Vec<InstanceView>,
}

/// One instance of a series, as its manifest page says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceView {
    pub sop_instance_uid: String,
    /// Instance Number.
    pub number: Option<i32>,
    /// 0 without pixel data.
    pub frames: u32,
    pub rows: u32,
    pub columns: u32,
    /// Whether all of it is here.
    pub here: bool,
    /// Where its only frame lies; enhanced objects say it in their own header.
    #[serde(default)]
    pub place: Option<InstancePlace>,
}

/// Where a slice lies in the patient, in mm (PS3.3 C.7.6.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstancePlace {
    /// Image Position (Patient).
    pub position: [f64; 3],
    /// Image Orientation (Patient): row cosines, column cosines.
    pub orientation: [f64; 6],
    /// Pixel Spacing: between rows, between columns.
    pub spacing: [f64; 2],
    /// Slice Thickness.
    pub thickness: Option<f64>,
}

/// The real patient of a study imported here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StudyPatient {
    pub study: String,
    pub patient: PlanPatient,
}

/// Rectangles to be burned into one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageMask {
    pub sop_instance_uid: String,
    /// At least one; each covers a pixel of the image.
    pub rectangles: Vec<Rectangle>,
}

/// An image that was left out because a name may be burned into it, or any other that may be masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOutImage {
    pub sop_instance_uid: String,
    pub series_instance_uid: String,
    pub series_number: Option<i32>,
    pub series_description: String,
    pub modality: String,
    /// Instance Number.
    pub number: Option<i32>,
    /// 0 without pixel data: then there is nothing to look at.
    pub frames: u32,
    /// Frames, from 1, that somebody must have seen before it may be let in: those of the contact sheets.
    pub frames_to_see: Vec<u32>,
    pub rows: u32,
    pub columns: u32,
    /// Why it was left out; empty if it never was.
    pub why: String,
    /// BLAKE3 of the file as it was imported, in hexadecimal.
    pub plain_hash: String,
    /// `waits`, `admitted`, `kept out`, or `in` if it never was left out.
    pub state: String,
    /// The last look at it.
    pub looked: Option<LookView>,
    /// The rectangles that were burned into it.
    #[serde(default)]
    pub mask: Vec<Rectangle>,
    /// A case has given it away as it is: it cannot be masked any more.
    #[serde(default)]
    pub given: bool,
}

/// Who looked at an image, when, and at which bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookView {
    pub who: String,
    pub at: String,
    /// BLAKE3 of the file that was looked at, in hexadecimal.
    pub plain_hash: String,
}

/// One instance's file, de-identified as it is stored. It prints nothing of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct InstanceFile {
    /// BLAKE3 of the file, in hexadecimal.
    pub plain_hash: String,
    #[serde(with = "base64")]
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for InstanceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[a file of {} bytes]", self.bytes.len())
    }
}

/// Bytes in JSON: base64 (RFC 4648).
mod base64 {
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        BASE64.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageView {
    pub rows: u32,
    pub columns: u32,
    pub samples: u32,
    /// Rows x columns x samples, row by row.
    pub values: Vec<f64>,
    pub unit: String,
    /// What the values rest on, where that is more than the file's rescale.
    #[serde(default)]
    pub basis: Option<String>,
    pub integer: bool,
    pub photometric: String,
    /// What the file offers for `file:N`, in order.
    #[serde(default)]
    pub windows: Vec<WindowView>,
}

/// A window or table that a file offers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WindowView {
    pub number: u32,
    pub name: Option<String>,
    /// In modality values; none of a table.
    pub width: Option<f64>,
    pub level: Option<f64>,
}
