//! Reformats in viewports: the volume of one series as it fills, and the cuts that viewports show of it.
//!
//! Reading slices and cutting happen in the background; here is what was asked for and what came. A cut asks for one
//! reformat at a time, and when it comes for the newest place: whoever scrolls fast skips planes and never waits.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::message::{Grown, Ticket, Wish};
use super::super::picture::PictureKey;
use super::super::screen::Context;
use super::Stack;
use crate::study::plane::{Plane, Vector};
use crate::view::mpr::{Cut, CutPlanes, Projection, Reformat, Slab};
use crate::view::space::Slices;
use crate::view::stack::{Stack as Placed, parallel_groups};
use crate::view::volume::Volume;

/// Thicknesses of slabs to step through, in mm.
const SLABS_MM: [f64; 9] = [2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0];

/// What a new slab is thick, in mm.
const SLAB_MM: f64 = 10.0;

/// The volume of one series.
pub struct Volumes {
    /// Which series, and which of the volumes made so far.
    pub id: Arc<str>,
    number: u64,
    /// Frames of the series when it was made.
    slots: usize,
    volume: Volume,
    /// The frame of each slice, by its number in the volume.
    keys: Vec<PictureKey>,
    asked: HashSet<usize>,
    filling: Option<Ticket>,
    /// How often it has grown.
    grown: u32,
    /// Why a slice is not in it.
    refused: Option<String>,
}

impl Volumes {
    /// An empty volume of the slices that are parallel to the one at `near`; what makes none is refused in words.
    pub fn of(stack: &Stack, slices: &Slices, near: usize, number: u64) -> Result<Self, String> {
        let placed = (0..stack.slots.len()).filter_map(|at| Some((at, slices.plane(at)?.clone())));
        let (numbers, planes): (Vec<usize>, Vec<_>) = placed.unzip();
        let groups = parallel_groups(&planes);
        let with_near = groups.iter().find(|group| group.iter().any(|member| numbers.get(*member) == Some(&near)));
        let group = with_near.ok_or("The images do not say where they lie.")?;
        let members = group.iter().filter_map(|member| Some((numbers.get(*member)?, planes.get(*member)?)));
        let (keys, planes): (Vec<PictureKey>, Vec<_>) =
            members.filter_map(|(at, plane)| Some((stack.slots.get(*at)?.key.clone(), plane.clone()))).unzip();
        let volume = Volume::of(Placed::of(&planes).map_err(|error| error.to_string())?);
        Ok(Self {
            id: Arc::clone(&stack.id),
            number,
            slots: stack.slots.len(),
            volume: volume.map_err(|error| error.to_string())?,
            keys,
            asked: HashSet::new(),
            filling: None,
            grown: 0,
            refused: None,
        })
    }

    /// Whether the series has no more frames than when it was made.
    pub fn has_all_of(&self, stack: &Stack) -> bool {
        self.id == stack.id && self.slots == stack.slots.len()
    }

    /// Whether it is of this series as it is now, and of the slices that lie as this one does.
    pub fn is_of(&self, stack: &Stack, near: usize) -> bool {
        let near = stack.slots.get(near).map(|slot| &slot.key);
        self.has_all_of(stack) && near.is_some_and(|near| self.keys.contains(near))
    }

    /// Asks for the slices that are here and not in it yet, those near a frame first.
    pub fn fill(&mut self, stack: &Stack, near: &PictureKey, context: &mut Context<'_>) {
        if self.filling.is_some() {
            return;
        }
        let here: HashSet<&PictureKey> = stack.slots.iter().filter(|slot| slot.here).map(|slot| &slot.key).collect();
        let middle = self.keys.iter().position(|key| key == near).unwrap_or_default();
        let mut wanted: Vec<usize> = (0..self.keys.len())
            .filter(|slice| !self.asked.contains(slice) && here.contains(&self.keys[*slice]))
            .collect();
        if wanted.is_empty() {
            return;
        }
        wanted.sort_by_key(|slice| slice.abs_diff(middle));
        self.asked.extend(&wanted);
        let slices = wanted.into_iter().map(|slice| (slice, self.keys[slice].clone())).collect();
        let ticket = context.ticket();
        self.filling = Some(ticket);
        context.wish(Wish::Volume { ticket, volume: self.volume.clone(), slices });
    }

    /// Takes what came; `false` if it was not asked for here.
    pub fn grew(&mut self, ticket: Ticket, grown: &Grown) -> bool {
        if self.filling != Some(ticket) {
            return false;
        }
        self.volume = grown.volume.clone();
        self.refused = self.refused.take().or_else(|| grown.refused.clone());
        self.grown += 1;
        if grown.is_done {
            self.filling = None;
        }
        true
    }

    /// Ends reading what nobody looks at any more.
    pub fn stop(&mut self, context: &mut Context<'_>) {
        if let Some(ticket) = self.filling.take() {
            context.wish(Wish::Cancel { ticket });
        }
    }

    /// How far it is filled, or why it never will be, and what of the series is not in it; nothing of one that is whole.
    pub fn words(&self) -> Vec<String> {
        let absent = self.slots.saturating_sub(self.keys.len());
        let absent = (absent > 0).then(|| format!("{absent} images of the series lie otherwise"));
        self.filled().into_iter().chain(absent).collect()
    }

    fn filled(&self) -> Option<String> {
        match (self.volume.awaited(), self.filling, &self.refused) {
            (0, ..) => None,
            (awaited, Some(_), _) => {
                Some(format!("reading {} of {} slices", self.keys.len() - awaited, self.keys.len()))
            }
            (awaited, None, Some(why)) => Some(format!("{awaited} slices are missing: {why}")),
            (awaited, None, None) => Some(format!("{awaited} slices have not arrived")),
        }
    }

    /// A cut through it, at a place of the patient or in the middle.
    pub fn cut(&self, cut: Cut, at: Option<Vector>) -> Result<CutView, String> {
        let planes = cut.planes(self.volume.stack()).map_err(|error| error.to_string())?;
        let index = at.and_then(|place| planes.nearest(place)).unwrap_or(planes.count() / 2);
        Ok(CutView { volume: self.number, cut, planes, index, slab: None, shown: None, asked: None, refused: None })
    }

    /// The same cut as through the volume before, where that stood.
    pub fn cut_like(&self, before: &CutView) -> Option<CutView> {
        let cut = self.cut(before.cut, before.plane().map(|plane| plane.middle())).ok()?;
        Some(CutView { slab: before.slab, ..cut })
    }
}

/// A cut in a viewport.
#[derive(Debug, Clone)]
pub struct CutView {
    /// The number of the volume that it cuts.
    volume: u64,
    pub cut: Cut,
    planes: CutPlanes,
    index: u32,
    pub slab: Option<Slab>,
    shown: Option<(Wanted, u64, Arc<Reformat>)>,
    asked: Option<(Wanted, Ticket)>,
    refused: Option<(Wanted, String)>,
}

/// What a reformat depends on, the volume itself apart.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Wanted {
    index: u32,
    slab: Option<Slab>,
    grown: u32,
}

impl CutView {
    pub fn index(&self) -> u32 {
        self.index
    }

    pub fn count(&self) -> u32 {
        self.planes.count()
    }

    pub fn scroll(&mut self, by: i64) {
        let last = i64::from(self.planes.count().saturating_sub(1));
        // Between 0 and the last, so that it fits.
        self.index = i64::from(self.index).saturating_add(by).clamp(0, last) as u32;
    }

    /// Goes to a plane, or to the last.
    pub fn scroll_to(&mut self, index: usize) {
        let last = self.planes.count().saturating_sub(1);
        self.index = u32::try_from(index).unwrap_or(last).min(last);
    }

    /// All of its planes, as slices to be scrolled.
    pub fn slices(&self) -> Slices {
        Slices::new((0..self.planes.count()).map(|index| self.planes.plane(index)).collect())
    }

    /// The plane that is asked for, cut or not yet.
    pub fn plane(&self) -> Option<Plane> {
        self.planes.plane(self.index)
    }

    pub fn step_mm(&self) -> f64 {
        self.planes.step_mm()
    }

    /// Goes to the plane at a place of the patient; `false` beside all of them.
    pub fn go_to(&mut self, place: Vector) -> bool {
        let found = self.planes.locate(place);
        self.index = found.map_or(self.index, |(index, _)| index);
        found.is_some()
    }

    /// The reformat that came last, with its number.
    pub fn reformat(&self) -> Option<(u64, &Arc<Reformat>)> {
        self.shown.as_ref().map(|(_, number, reformat)| (*number, reformat))
    }

    /// Whether what is shown is what is asked for.
    pub fn is_current(&self) -> bool {
        self.shown.as_ref().is_some_and(|(wanted, ..)| (wanted.index, wanted.slab) == (self.index, self.slab))
    }

    pub fn refused(&self) -> Option<&str> {
        self.refused.as_ref().map(|(_, why)| why.as_str())
    }

    /// Asks for the reformat of its place, unless it has it or waits for one.
    pub fn want(&mut self, volumes: &Volumes, context: &mut Context<'_>) {
        let wanted = Wanted { index: self.index, slab: self.slab, grown: volumes.grown };
        let has = self.shown.as_ref().is_some_and(|(shown, ..)| *shown == wanted);
        let was_refused = self.refused.as_ref().is_some_and(|(refused, _)| *refused == wanted);
        if self.volume != volumes.number || self.asked.is_some() || has || was_refused {
            return;
        }
        let Some(plane) = self.planes.plane(self.index) else { return };
        let ticket = context.ticket();
        self.asked = Some((wanted, ticket));
        context.wish(Wish::Reformat { ticket, volume: volumes.volume.clone(), plane, slab: self.slab });
    }

    /// Takes what came; `false` if it was not asked for here.
    pub fn reformatted(&mut self, ticket: Ticket, outcome: &Result<Arc<Reformat>, String>) -> bool {
        let Some((wanted, _)) = self.asked.take_if(|(_, asked)| *asked == ticket) else { return false };
        match outcome {
            Ok(reformat) => {
                self.shown = Some((wanted, ticket.0, Arc::clone(reformat)));
                self.refused = None;
            }
            Err(why) => self.refused = Some((wanted, why.clone())),
        }
        true
    }

    /// A thicker or a thinner slab; thinner than the thinnest is none.
    pub fn step_slab(&mut self, thicker: bool) {
        let now_mm = self.slab.map_or(0.0, |slab| slab.thickness_mm);
        let projection = self.slab.map_or(Projection::Maximum, |slab| slab.projection);
        let next = match thicker {
            true => SLABS_MM.into_iter().find(|mm| *mm > now_mm).or(Some(now_mm)),
            false => SLABS_MM.into_iter().rev().find(|mm| *mm < now_mm),
        };
        self.slab = next.map(|thickness_mm| Slab { thickness_mm, projection });
    }

    /// The next way to project a slab: maximum, minimum, mean, then none.
    pub fn next_projection(&mut self) {
        let thickness_mm = self.slab.map_or(SLAB_MM, |slab| slab.thickness_mm);
        let next = match self.slab.map(|slab| slab.projection) {
            None => Some(Projection::Maximum),
            Some(Projection::Maximum) => Some(Projection::Minimum),
            Some(Projection::Minimum) => Some(Projection::Mean),
            Some(Projection::Mean) => None,
        };
        self.slab = next.map(|projection| Slab { thickness_mm, projection });
    }
}
