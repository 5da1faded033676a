//! Where the slices of each series lie, as far as manifests and opened images have said it.
//!
//! A manifest places a slice before it arrives but knows no frame of reference; the first image of a series that is
//! opened says it for all of them, because all images of a series share theirs (PS3.3 A.1.2.3). A series whose images
//! contradict that is placed nowhere: a wrong slice would be worse than none.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::picture::{Picture, PictureKey};
use super::Stack;
use crate::study::plane::Plane;
use crate::view::space::Slices;

/// What is known of the places of all series.
#[derive(Default)]
pub struct Places {
    series: HashMap<Arc<str>, Known>,
    /// Made of it, until more is known.
    slices: HashMap<Arc<str>, Arc<Slices>>,
}

/// What opened images of one series said.
#[derive(Default)]
struct Known {
    /// The plane of one of them, whose frame of reference holds for all.
    like: Option<Plane>,
    is_contradictory: bool,
    /// Frames of objects that have several.
    frames: HashMap<PictureKey, Plane>,
}

impl Places {
    /// The series are others now, or have more images.
    pub fn forget_slices(&mut self) {
        self.slices.clear();
    }

    /// Takes what an opened image says.
    pub fn learn(&mut self, stack: &Stack, picture: &Picture) {
        let known = self.series.entry(Arc::clone(&stack.id)).or_default();
        let Some(plane) = &picture.plane else { return };
        let mut is_new = false;
        match &known.like {
            Some(like) if like.frame_of_reference() != plane.frame_of_reference() => {
                is_new = !std::mem::replace(&mut known.is_contradictory, true);
            }
            Some(_) => {}
            None => {
                known.like = Some(plane.clone());
                is_new = true;
            }
        }
        let planes = picture.opened.planes();
        if planes.len() > 1 && !known.frames.contains_key(&picture.key) {
            for (number, plane) in (1..).zip(planes) {
                let key = PictureKey { frame: number, ..picture.key.clone() };
                known.frames.extend(plane.clone().map(|plane| (key, plane)));
            }
            is_new = true;
        }
        if is_new {
            self.slices.remove(&stack.id);
        }
    }

    /// The same, if they were asked for before.
    pub fn made(&self, stack: &Stack) -> Option<&Slices> {
        self.slices.get(&stack.id).map(Arc::as_ref)
    }

    /// The slices of a series in the order in which they are scrolled.
    pub fn slices(&mut self, stack: &Stack) -> Arc<Slices> {
        let made = self.slices.entry(Arc::clone(&stack.id));
        let known = self.series.get(&stack.id);
        Arc::clone(made.or_insert_with(|| Arc::new(Slices::new(planes(stack, known)))))
    }
}

fn planes(stack: &Stack, known: Option<&Known>) -> Vec<Option<Plane>> {
    let Some(known) = known.filter(|known| !known.is_contradictory) else { return vec![None; stack.slots.len()] };
    let planes = stack.slots.iter().map(|slot| {
        let of_frame = known.frames.get(&slot.key).cloned();
        of_frame.or_else(|| Some(slot.plane.clone()?.beside(known.like.as_ref()?)))
    });
    planes.collect()
}
