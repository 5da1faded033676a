//! The plan: what an import would send, shown before anything is stored (`--dry-run` and the plan page).
//!
//! It adds up instances and keeps no header. Its text and JSON hold patient data in clear and are for the
//! sender's own screen only; nothing here is logged or stored.

use std::collections::{BTreeMap, BTreeSet};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use serde_json::json;

use super::burned_in::BurnedInRisk;
use super::gaps::{Gaps, Placed, gaps};
use super::{Action, Deidentified, LeftOut, text_of, values};
use crate::encoding::private::Private;
use crate::encoding::text::shown;

/// From this many thin head slices on a face can be rebuilt.
pub const FACE_SLICES_MIN: u64 = 20;
/// At most this many different texts and dropped words are listed of one study; the rest is counted.
pub const LISTED_MAX: usize = 10_000;

/// Everything an import would do.
#[derive(Debug, Default)]
pub struct Plan {
    studies: BTreeMap<Private<String>, StudyPlan>,
    not_taken: BTreeMap<LeftOut, u64>,
}

/// What would happen to one study.
#[derive(Debug, Default)]
pub struct StudyPlan {
    pub patient_name: Private<String>,
    pub patient_id: Private<String>,
    pub birth_date: Private<String>,
    pub accession_number: Private<String>,
    /// The true date, `YYYYMMDD`.
    pub study_date: Private<String>,
    /// The description as it was.
    pub description: Private<String>,
    pub series: BTreeMap<Private<String>, SeriesPlan>,
    /// How often each attribute meets each action.
    pub attributes: BTreeMap<Action, u64>,
    /// Free text that remains, how often.
    pub remaining_text: BTreeMap<(Tag, Private<String>), u64>,
    /// Words that dropped from short descriptions; the sender may approve them.
    pub dropped_words: BTreeSet<Private<String>>,
    /// Texts or words beyond [`LISTED_MAX`].
    pub unlisted: u64,
}

/// What would happen to one series.
#[derive(Debug, Default)]
pub struct SeriesPlan {
    pub modality: String,
    /// The description as it leaves.
    pub description: String,
    /// Instances that leave.
    pub instances: u64,
    /// Instances that stay until somebody has looked at them.
    pub left_out: u64,
    /// Why, with the number of instances for each reason.
    pub risks: BTreeMap<BurnedInRisk, u64>,
    /// Slices that show part of a face.
    pub face_slices: u64,
    placed: Vec<Placed>,
    normal: Option<[f64; 3]>,
    is_one_stack: bool,
}

impl Plan {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an instance that could be de-identified. `admitted` says that somebody has looked at its pixels, so
    /// that a burned-in risk no longer holds it back.
    pub fn add(&mut self, instance: &Deidentified, admitted: bool) {
        let identity = &instance.identity;
        let study = self.studies.entry(identity.study_instance_uid.clone()).or_insert_with(|| StudyPlan {
            patient_name: identity.patient_name.clone(),
            patient_id: identity.patient_id.clone(),
            birth_date: identity.birth_date.clone(),
            accession_number: identity.accession_number.clone(),
            study_date: identity.study_date.clone(),
            description: identity.study_description.clone(),
            ..StudyPlan::default()
        });
        study.add(instance, admitted);
    }

    /// Counts an instance that does not leave at all.
    pub fn leave_out(&mut self, why: LeftOut) {
        *self.not_taken.entry(why).or_default() += 1;
    }

    /// The studies by their original Study Instance UID.
    pub fn studies(&self) -> impl Iterator<Item = (&Private<String>, &StudyPlan)> {
        self.studies.iter()
    }

    pub fn not_taken(&self) -> impl Iterator<Item = (LeftOut, u64)> {
        self.not_taken.iter().map(|(why, count)| (*why, *count))
    }

    /// The plan as lines for the sender's terminal, with patient data in clear.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for study in self.studies.values() {
            study.write_lines(&mut lines);
        }
        for (why, count) in self.not_taken() {
            lines.push(format!("not taken: {count} x {why}"));
        }
        lines.join("\n")
    }

    /// The plan as JSON for the sender, with patient data in clear.
    pub fn json(&self) -> serde_json::Value {
        let not_taken: Vec<_> =
            self.not_taken().map(|(why, count)| json!({"why": why.to_string(), "count": count})).collect();
        json!({
            "studies": self.studies.values().map(StudyPlan::json).collect::<Vec<_>>(),
            "not_taken": not_taken,
        })
    }
}

impl StudyPlan {
    fn add(&mut self, instance: &Deidentified, admitted: bool) {
        for action in &instance.actions {
            match self.attributes.get_mut(action) {
                Some(count) => *count += 1,
                None => {
                    self.attributes.insert(action.clone(), 1);
                }
            }
        }
        for remaining in &instance.remaining_text {
            let key = (remaining.tag, remaining.text.clone());
            if remaining.text.reveal().is_empty() {
            } else if self.remaining_text.len() < LISTED_MAX || self.remaining_text.contains_key(&key) {
                *self.remaining_text.entry(key).or_default() += 1;
            } else {
                self.unlisted += 1;
            }
            for word in &remaining.dropped {
                if self.dropped_words.len() < LISTED_MAX {
                    self.dropped_words.insert(word.clone());
                } else {
                    self.unlisted += 1;
                }
            }
        }
        let series = self.series.entry(instance.identity.series_instance_uid.clone()).or_insert_with(|| SeriesPlan {
            modality: text_of(&instance.header, tags::MODALITY).unwrap_or_default(),
            description: text_of(&instance.header, tags::SERIES_DESCRIPTION).unwrap_or_default(),
            is_one_stack: true,
            ..SeriesPlan::default()
        });
        series.add(instance, admitted);
    }

    /// What the sender should know before anything leaves.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for series in self.series.values() {
            let name = series.name();
            if series.face_slices >= FACE_SLICES_MIN {
                warnings.push(format!("{name}: the face can be rebuilt from {} thin head slices", series.face_slices));
            }
            let gaps = series.gaps();
            if !gaps.is_complete() {
                warnings.push(format!("{name}: {gaps}"));
            }
        }
        warnings
    }

    fn write_lines(&self, lines: &mut Vec<String>) {
        let clear = |private: &Private<String>| shown(private.reveal()).into_owned();
        lines.push(format!(
            "patient {} ({}), born {}, study of {}, accession {}: {}",
            clear(&self.patient_name),
            clear(&self.patient_id),
            clear(&self.birth_date),
            clear(&self.study_date),
            clear(&self.accession_number),
            clear(&self.description),
        ));
        for series in self.series.values() {
            lines.push(format!("  {}: {} to send, {} left out", series.name(), series.instances, series.left_out));
            for (risk, count) in &series.risks {
                lines.push(format!("    left out until reviewed: {count} x {}", risk.words()));
            }
        }
        lines.extend(self.warnings().into_iter().map(|warning| format!("  warning: {warning}")));
        for (action, count) in &self.attributes {
            let keyword = action.keyword().unwrap_or("-");
            let what = (action.done.word(), action.reason.words());
            lines.push(format!("  {} {keyword}: {} ({}), {count} x", action.path_text(), what.0, what.1));
        }
        for ((tag, text), count) in &self.remaining_text {
            lines.push(format!("  text that leaves {tag}: \"{}\", {count} x", clear(text)));
        }
        if !self.dropped_words.is_empty() {
            let words: Vec<_> = self.dropped_words.iter().map(clear).collect();
            lines.push(format!("  words that drop: {}", words.join(" ")));
        }
        if self.unlisted > 0 {
            lines.push(format!("  and {} more texts or words", self.unlisted));
        }
    }

    fn json(&self) -> serde_json::Value {
        let clear = |private: &Private<String>| shown(private.reveal()).into_owned();
        let attributes: Vec<_> = self
            .attributes
            .iter()
            .map(|(action, count)| {
                json!({
                    "path": action.path_text(),
                    "keyword": action.keyword(),
                    "vr": action.vr.0.to_string(),
                    "action": action.done.word(),
                    "reason": action.reason.words(),
                    "count": count,
                })
            })
            .collect();
        let text: Vec<_> = self
            .remaining_text
            .iter()
            .map(|((tag, text), count)| json!({"tag": tag.to_string(), "text": clear(text), "count": count}))
            .collect();
        json!({
            "patient": {
                "name": clear(&self.patient_name),
                "id": clear(&self.patient_id),
                "birth_date": clear(&self.birth_date),
            },
            "study_date": clear(&self.study_date),
            "accession_number": clear(&self.accession_number),
            "description": clear(&self.description),
            "series": self.series.values().map(SeriesPlan::json).collect::<Vec<_>>(),
            "warnings": self.warnings(),
            "attributes": attributes,
            "remaining_text": text,
            "dropped_words": self.dropped_words.iter().map(clear).collect::<Vec<_>>(),
            "unlisted": self.unlisted,
        })
    }
}

impl SeriesPlan {
    fn add(&mut self, instance: &Deidentified, admitted: bool) {
        if instance.burned_in.is_empty() || admitted {
            self.instances += 1;
        } else {
            self.left_out += 1;
            for risk in &instance.burned_in {
                *self.risks.entry(*risk).or_default() += 1;
            }
        }
        if instance.shows_face {
            let frames = text_of(&instance.header, tags::NUMBER_OF_FRAMES).and_then(|text| text.trim().parse().ok());
            self.face_slices = self.face_slices.saturating_add(frames.unwrap_or(1));
        }
        let number = text_of(&instance.header, tags::INSTANCE_NUMBER).and_then(|text| text.trim().parse().ok());
        let mut position_mm = None;
        if let Some((normal, position)) = geometry(&instance.header) {
            let first = *self.normal.get_or_insert(normal);
            if (dot(first, normal) - 1.0).abs() > PARALLEL_TOLERANCE {
                self.is_one_stack = false;
            }
            position_mm = Some(dot(first, position));
        }
        self.placed.push(Placed { instance_number: number, position_mm });
    }

    /// Gaps among all instances of the series, sent or left out.
    pub fn gaps(&self) -> Gaps {
        if self.is_one_stack {
            return gaps(&self.placed);
        }
        let unplaced: Vec<_> = self.placed.iter().map(|placed| Placed { position_mm: None, ..*placed }).collect();
        gaps(&unplaced)
    }

    fn name(&self) -> String {
        shown(format!("series {} {}", self.modality, self.description).trim_end()).into_owned()
    }

    fn json(&self) -> serde_json::Value {
        let gaps = self.gaps();
        let risks: Vec<_> =
            self.risks.iter().map(|(risk, count)| json!({"why": risk.words(), "count": count})).collect();
        json!({
            "modality": shown(&self.modality),
            "description": shown(&self.description),
            "instances": self.instances,
            "left_out": self.left_out,
            "risks": risks,
            "gaps": {"numbers": gaps.numbers_missing, "positions": gaps.positions_missing},
        })
    }
}

/// Cosine between two normals may differ from one by this much in one stack.
const PARALLEL_TOLERANCE: f64 = 1e-3;

/// The slice normal and the position of the first pixel, from the plane module (PS3.3 C.7.6.2).
fn geometry(header: &InMemDicomObject) -> Option<([f64; 3], [f64; 3])> {
    let numbers = |tag| -> Option<Vec<f64>> {
        let texts = header.get(tag).and_then(values::texts)?;
        texts.iter().map(|text| text.trim().parse().ok().filter(|n: &f64| n.is_finite())).collect()
    };
    let orientation: [f64; 6] = numbers(tags::IMAGE_ORIENTATION_PATIENT)?.try_into().ok()?;
    let position: [f64; 3] = numbers(tags::IMAGE_POSITION_PATIENT)?.try_into().ok()?;
    let [a, b, c, d, e, f] = orientation;
    let normal = [b * f - c * e, c * d - a * f, a * e - b * d];
    let length = dot(normal, normal).sqrt();
    (length > 0.5).then(|| (normal.map(|n| n / length), position))
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
