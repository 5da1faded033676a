//! A series as something to scroll through: every frame of every image in reading order, here or not.
//!
//! An image that has not arrived keeps its place, so that a missing slice is seen to be missing.

use std::sync::Arc;

use super::super::picture::PictureKey;
use crate::encoding::text::shown;
use crate::node::api::{CaseStudyView, StudyDetail};

/// Most frames of one stack; a series with more shows its first.
pub const FRAMES_MAX: usize = 100_000;

/// One frame of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub key: PictureKey,
    /// Whether all of its image is here.
    pub here: bool,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    pub study: Arc<str>,
    pub series_instance_uid: String,
    /// `index` or `prior n`.
    pub role: String,
    /// Days against the index examination.
    pub relative_date: String,
    pub modality: String,
    pub description: String,
    pub number: Option<i64>,
    pub slots: Vec<Slot>,
    /// What is missing of it at the sender, in words.
    pub gaps: Vec<String>,
    /// Images left out for a risk of burned-in text.
    pub left_out: usize,
    /// Images whose pages have not arrived, so that nothing is known of them.
    pub unknown: usize,
}

impl Stack {
    /// The series of one study of a case that show anything, in the order of the study.
    pub fn of(study: &CaseStudyView, detail: &StudyDetail) -> Vec<Self> {
        let id: Arc<str> = study.id.as_str().into();
        let stacks = detail.series_list.iter().map(|series| {
            let mut slots = Vec::new();
            for image in &series.images {
                let sop_instance_uid: Arc<str> = image.sop_instance_uid.as_str().into();
                for frame in 1..=image.frames {
                    if slots.len() >= FRAMES_MAX {
                        break;
                    }
                    let key =
                        PictureKey { study: Arc::clone(&id), sop_instance_uid: Arc::clone(&sop_instance_uid), frame };
                    slots.push(Slot { key, here: image.here });
                }
            }
            Self {
                study: Arc::clone(&id),
                series_instance_uid: series.series_instance_uid.clone(),
                role: study.role.clone(),
                relative_date: study.relative_date.clone(),
                modality: series.modality.clone(),
                description: shown(&series.description).into_owned(),
                number: series.number,
                slots,
                gaps: series.gaps.clone(),
                left_out: series.left_out,
                unknown: series.instances.saturating_sub(series.images.len()),
            }
        });
        stacks.filter(|stack| !stack.slots.is_empty() || stack.unknown > 0).collect()
    }

    /// The place of a frame in it.
    pub fn position(&self, sop_instance_uid: &str, frame: u32) -> Option<usize> {
        self.slots.iter().position(|slot| *slot.key.sop_instance_uid == *sop_instance_uid && slot.key.frame == frame)
    }

    /// Series number, modality and description, as they head a viewport.
    pub fn title(&self) -> String {
        let number = self.number.map_or_else(String::new, |number| format!("{number} "));
        format!("{number}{} {}", self.modality, self.description).trim().to_owned()
    }
}
