//! A series as something to scroll through: every frame of every image in reading order, here or not.
//!
//! An image that has not arrived keeps its place, so that a missing slice is seen to be missing.

use std::sync::Arc;

use super::super::picture::PictureKey;
use crate::encoding::text::shown;
use crate::node::api::{CaseStudyView, InstanceView, StudyDetail};
use crate::study::plane::Plane;

/// Most frames of one stack; a series with more shows its first.
pub const FRAMES_MAX: usize = 100_000;

/// One frame of a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    pub key: PictureKey,
    /// Whether all of its image is here.
    pub here: bool,
    /// Where it lies, as the manifest says it: without its frame of reference.
    pub plane: Option<Plane>,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    pub study: Arc<str>,
    pub series_instance_uid: Arc<str>,
    /// Study and series: a series that is imported again has the same UIDs in another study.
    pub id: Arc<str>,
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
        let stacks = detail.series_list.iter().map(|series| Self {
            study: Arc::clone(&id),
            series_instance_uid: series.series_instance_uid.as_str().into(),
            id: format!("{id}/{}", series.series_instance_uid).into(),
            role: study.role.clone(),
            relative_date: study.relative_date.clone(),
            modality: series.modality.clone(),
            description: shown(&series.description).into_owned(),
            number: series.number,
            slots: series.images.iter().flat_map(|image| slots(&id, image)).take(FRAMES_MAX).collect(),
            gaps: series.gaps.clone(),
            left_out: series.left_out,
            unknown: series.instances.saturating_sub(series.images.len()),
        });
        stacks.filter(|stack| !stack.slots.is_empty() || stack.unknown > 0).collect()
    }

    /// The place of a frame in it.
    pub fn position(&self, sop_instance_uid: &str, frame: u32) -> Option<usize> {
        self.slots.iter().position(|slot| *slot.key.sop_instance_uid == *sop_instance_uid && slot.key.frame == frame)
    }

    /// Frames that have not arrived.
    pub fn missing(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.here).count()
    }

    /// What it is, and of a prior how long before the index.
    pub fn heading(&self) -> String {
        if self.is_index() { self.title() } else { format!("{}  {}", shown(&self.relative_date), self.title()) }
    }

    /// What is counted of it; of a prior always with which one it is.
    pub fn counted(&self, what: &str) -> String {
        if self.is_index() { what.to_owned() } else { format!("{} {what}", shown(&self.role)) }
    }

    pub fn is_index(&self) -> bool {
        self.role == "index"
    }

    /// Series number, modality and description.
    pub fn title(&self) -> String {
        let number = self.number.map_or_else(String::new, |number| format!("{number} "));
        format!("{number}{} {}", self.modality, self.description).trim().to_owned()
    }
}

/// The frames of an image.
fn slots(study: &Arc<str>, image: &InstanceView) -> impl Iterator<Item = Slot> {
    let sop_instance_uid: Arc<str> = image.sop_instance_uid.as_str().into();
    let study = Arc::clone(study);
    // Of several frames each has a place of its own, which only the image knows.
    let plane = (image.frames == 1).then(|| plane(image)).flatten();
    let here = image.here;
    (1..=image.frames).map(move |frame| Slot {
        key: PictureKey { study: Arc::clone(&study), sop_instance_uid: Arc::clone(&sop_instance_uid), frame },
        here,
        plane: plane.clone(),
    })
}

fn plane(image: &InstanceView) -> Option<Plane> {
    let place = image.place.as_ref()?;
    let plane = Plane::stated(place.position, place.orientation, place.spacing, image.columns, image.rows).ok()?;
    Some(match place.thickness {
        Some(thickness_mm) => plane.with_thickness(thickness_mm),
        None => plane,
    })
}
