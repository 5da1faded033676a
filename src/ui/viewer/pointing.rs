//! What crosses viewports: linked scrolling, reference lines, and the crosshair that stands in one place of the patient
//! in all of them.

use std::sync::Arc;

use super::super::keys::Action;
use super::super::screen::Context;
use super::Viewer;
use super::pencil::CURSOR;
use super::port::Subject;
use crate::case::content::Point;
use crate::study::pixels::Unit;
use crate::study::plane::Plane;
use crate::view::ink::{Canvas, Stroke};
use crate::view::mapping::{ImagePlane, Mapping};
use crate::view::marks::value_text;
use crate::view::mpr::Cut;
use crate::view::space::{Linked, ManualLink, reference_line};
use crate::view::volume::Sample;

/// Ink of reference lines.
const LINE_INK: u8 = 5;

/// How far off a plane a point may be that lies on it: what computing rounds, in mm.
const ON_PLANE_MM: f64 = 1e-3;

/// Open middle of the crosshair, in pixels.
const OPEN_PX: f64 = 8.0;

/// A point of the patient.
#[derive(Debug, Clone)]
pub struct Crosshair {
    /// The viewport in which it was put, what that showed, and where.
    port: usize,
    shown: Shown,
    at: Point,
    /// The plane in which it lies, if its image says so.
    plane: Option<Plane>,
}

/// What has pixels of its own: a series as acquired, or a cut through it.
type Shown = (Arc<str>, Option<Cut>);

impl Viewer {
    /// Brings viewports to the slice that lies where the active one's does.
    pub(super) fn follow_scroll(&mut self) {
        if self.crosshair.is_some() {
            self.carry_crosshair();
            return;
        }
        if !self.links.together {
            return;
        }
        let Some((from, series)) = self.active_place() else { return };
        for number in (0..self.ports.len()).filter(|number| *number != self.active) {
            let Some(port) = self.ports.get(number) else { continue };
            let Some(stack) = port.stack.and_then(|at| self.stacks.get(at)) else { continue };
            if port.stack == self.ports.get(self.active).and_then(|active| active.stack) {
                // The same series is shown twice to see two of its slices.
                continue;
            }
            let link = self.links.between(&series, &stack.id);
            let linked = match &port.cut {
                Some(cut) => cut.slices().linked(&from, link.as_ref(), cut.index() as usize),
                None => self.places.slices(stack).linked(&from, link.as_ref(), port.at),
            };
            let Some(port) = self.ports.get_mut(number) else { continue };
            match linked {
                Linked::Slice { index, .. } => {
                    port.scroll_to(index);
                    port.link_words = link.is_some().then(|| "manual link".to_owned());
                }
                Linked::NoSliceHere { .. } => port.link_words = linked.shown(),
                // Each is scrolled alone, and the lines show how they lie.
                Linked::Apart(_) => port.link_words = None,
            }
        }
    }

    /// Where the slice of the active viewport lies, and its series.
    fn active_place(&mut self) -> Option<(Plane, Arc<str>)> {
        let port = self.ports.get(self.active)?;
        let stack = self.stacks.get(port.stack?)?;
        let series = Arc::clone(&stack.id);
        Some((self.plane_at(self.active)?, series))
    }

    /// Where a viewport stands, opened or not.
    fn plane_at(&mut self, number: usize) -> Option<Plane> {
        let port = self.ports.get(number)?;
        match &port.cut {
            Some(cut) => cut.plane(),
            None => self.places.slices(self.stacks.get(port.stack?)?).plane(port.at).cloned(),
        }
    }

    /// Links the series of the active viewport and the one before it by the slices that both show, or parts them.
    pub(super) fn pair_slices(&mut self, context: &mut Context<'_>) {
        let other = match self.before_active {
            before if before != self.active => before,
            _ => (self.active + 1) % self.ports.len().max(1),
        };
        let place = |viewer: &mut Self, number: usize| {
            let port = viewer.ports.get(number)?;
            let stack = viewer.stacks.get(port.stack?)?;
            let series = Arc::clone(&stack.id);
            Some((viewer.plane_at(number), series))
        };
        let (Some((from, a)), Some((to, b))) = (place(self, self.active), place(self, other)) else {
            context.say("Pairing needs two viewports with a series each: g changes the layout.");
            return;
        };
        if a == b {
            context.say("Both viewports show the same series.");
        } else if self.links.part(&a, &b) {
            if let Some(port) = self.ports.get_mut(other) {
                port.link_words = None;
            }
            context.say("The two series are not linked by hand any more.");
        } else {
            match (from, to) {
                (Some(from), Some(to)) if from.shares_space_with(&to) => {
                    context.say("These series lie in one frame of reference: they scroll together by themselves.");
                }
                (Some(from), Some(to)) => match ManualLink::between(&from, &to) {
                    Some(link) => {
                        self.links.pair(&a, &b, link);
                        self.links.together = true;
                        self.follow_scroll();
                        context.say("Linked by hand at these two slices; L parts them.");
                    }
                    None => context.say("These slices lie across each other; only about parallel ones can be paired."),
                },
                _ => context.say("One of these images does not say where it lies."),
            }
        }
    }

    /// Does what moves the crosshair, puts it up and takes it away.
    pub(super) fn act_pointing(&mut self, action: Action, context: &mut Context<'_>) -> bool {
        let by = match action {
            Action::Crosshair => {
                if self.crosshair.is_some() {
                    self.take_crosshair();
                } else {
                    self.put_up_crosshair(context);
                }
                return true;
            }
            _ if self.crosshair.is_none() => return false,
            Action::LeaveTool => {
                self.take_crosshair();
                return true;
            }
            action => match action.cursor_step() {
                Some(by) => by,
                None => return false,
            },
        };
        let Some(plane) = self.active_subject().map(|subject| subject.image_plane()) else { return true };
        let at = self.crosshair_on(self.active).unwrap_or(middle(&plane));
        let last = |length: u32| f64::from(length.saturating_sub(1));
        let to = Point {
            column: (at.column + by.0).round().clamp(0.0, last(plane.columns)),
            row: (at.row + by.1).round().clamp(0.0, last(plane.rows)),
        };
        self.point_at_seen(self.active, to);
        true
    }

    fn take_crosshair(&mut self) {
        self.crosshair = None;
        self.forget_link_words();
    }

    /// What was said of viewports that did not follow holds no more.
    pub(super) fn forget_link_words(&mut self) {
        self.ports.iter_mut().for_each(|port| port.link_words = None);
    }

    fn put_up_crosshair(&mut self, context: &mut Context<'_>) {
        match self.active_subject() {
            Some(subject) => self.point_at_seen(self.active, middle(&subject.image_plane())),
            None => context.say("There is no image to point at here."),
        }
    }

    /// Puts the crosshair at a point of the image that a viewport shows; the others go to where it lies.
    pub(super) fn point_at_seen(&mut self, number: usize, at: Point) {
        let subject = self.ports.get(number).and_then(|port| self.subject(port));
        if let Some(subject) = subject {
            self.point_at(number, at, subject.plane().cloned());
        }
    }

    fn point_at(&mut self, number: usize, at: Point, plane: Option<Plane>) {
        let Some(shown) = self.shown_in(number) else { return };
        let series = Arc::clone(&shown.0);
        self.crosshair = Some(Crosshair { port: number, shown, at, plane: plane.clone() });
        let Some(from) = plane else { return };
        let from_stack = self.ports.get(number).and_then(|port| port.stack);
        for other in (0..self.ports.len()).filter(|other| *other != number) {
            let Some(port) = self.ports.get_mut(other) else { continue };
            if let Some(cut) = &mut port.cut {
                let shares = from_stack == port.stack
                    || cut.reformat().is_some_and(|(_, reformat)| reformat.plane.shares_space_with(&from));
                let is_there = shares && cut.go_to(from.patient(at));
                port.link_words = (shares && !is_there).then(|| "the point is outside of this cut".to_owned());
                continue;
            }
            let Some(stack) = port.stack.and_then(|at| self.stacks.get(at)) else { continue };
            let link = self.links.between(&series, &stack.id);
            match self.places.slices(stack).locate(&from, at, link.as_ref(), port.at) {
                Ok(located) => (port.at, port.link_words) = (located.index, link.map(|_| "manual link".to_owned())),
                Err(why) => port.link_words = why.shown(),
            }
        }
    }

    /// After a scroll the crosshair stands at the same pixel of the new slice; where that is no place of the patient that
    /// the crosshair could have, it stays.
    fn carry_crosshair(&mut self) {
        let (Some(crosshair), Some(plane)) = (self.crosshair.clone(), self.plane_at(self.active)) else { return };
        let at = match &crosshair.plane {
            _ if self.is_where_it_was_put(&crosshair, self.active) => crosshair.at,
            Some(from) if from.shares_space_with(&plane) => plane.pixel(from.patient(crosshair.at)),
            _ => return,
        };
        if plane.holds(at) {
            self.point_at(self.active, at, Some(plane));
        }
    }

    fn shown_in(&self, number: usize) -> Option<Shown> {
        let port = self.ports.get(number)?;
        Some((Arc::clone(&self.stack_of(port)?.id), port.cut.as_ref().map(|cut| cut.cut)))
    }

    /// Whether a viewport still has the pixels that the crosshair was put on: of another series, and of another cut, the
    /// same pixel is another place.
    fn is_where_it_was_put(&self, crosshair: &Crosshair, number: usize) -> bool {
        crosshair.port == number && self.shown_in(number).as_ref() == Some(&crosshair.shown)
    }

    /// The point of a viewport's image that is nearest to the crosshair, as far as it is beside none.
    fn crosshair_on(&self, number: usize) -> Option<Point> {
        let crosshair = self.crosshair.as_ref()?;
        if self.is_where_it_was_put(crosshair, number) {
            return Some(crosshair.at);
        }
        let subject = self.subject(self.ports.get(number)?)?;
        let (from, on) = (crosshair.plane.as_ref()?, subject.plane()?);
        let at = on.pixel(from.patient(crosshair.at));
        (from.shares_space_with(on) && on.holds(at)).then_some(at)
    }

    /// Where the crosshair stands in a viewport's image, if it lies on what that shows.
    fn crosshair_in(&self, number: usize) -> Option<Point> {
        let at = self.crosshair_on(number)?;
        let (crosshair, port) = (self.crosshair.as_ref()?, self.ports.get(number)?);
        let Some(from) = &crosshair.plane else { return Some(at) };
        let place = from.patient(crosshair.at);
        let is_here = match &port.cut {
            Some(cut) => {
                let (_, reformat) = cut.reformat()?;
                reformat.plane.height_mm(place).abs() <= cut.step_mm() / 2.0 + ON_PLANE_MM
            }
            None => self.places.made(self.stack_of(port)?)?.is_at(port.at, place),
        };
        is_here.then_some(at)
    }

    /// Draws where the active viewport's plane crosses this one, and the crosshair.
    pub(super) fn draw_crossings(
        &self,
        number: usize,
        subject: &Subject,
        mapping: &Mapping,
        canvas: &mut Canvas,
        beware: &mut Vec<String>,
    ) {
        let active = self.active_subject();
        if !self.hides_reference_lines
            && number != self.active
            && let (Some(of), Some(on)) = (active.as_ref().and_then(Subject::plane), subject.plane())
            && let Some([from, to]) = reference_line(of, on)
        {
            canvas.line(mapping.to_screen(from), mapping.to_screen(to), Stroke::solid(LINE_INK));
        }
        if let Some(at) = self.crosshair_in(number) {
            canvas.crosshair(mapping.to_screen(at), OPEN_PX, Stroke::solid(CURSOR));
        }
        if let (Subject::Reformat { .. }, Some(volumes)) = (subject, &self.volumes) {
            beware.extend(volumes.words());
        }
    }

    /// The value under the crosshair in a viewport.
    pub(super) fn value_words(&self, number: usize) -> Option<String> {
        let at = self.crosshair_in(number)?;
        let subject = self.subject(self.ports.get(number)?)?;
        let value = match &subject {
            Subject::Frame(picture) => {
                // Inside the image, whose sides are at most 65,535.
                let (column, row) = (at.column.round().max(0.0) as u32, at.row.round().max(0.0) as u32);
                picture.frame.modality_at(column, row)
            }
            Subject::Reformat { reformat, .. } => match reformat.at(at) {
                Sample::Value(value) => Some(f64::from(value)),
                Sample::Missing => return Some("a slice is missing here".into()),
                Sample::Padding | Sample::Outside => None,
            },
        };
        let unit = match &subject {
            Subject::Frame(picture) => picture.frame.unit(),
            Subject::Reformat { reformat, .. } => reformat.unit.unwrap_or(Unit::Unspecified),
        };
        Some(match value {
            Some(value) => value_text(value, unit.ucum()),
            None => "no value here".into(),
        })
    }
}

fn middle(plane: &ImagePlane) -> Point {
    Point { column: (f64::from(plane.columns) / 2.0).floor(), row: (f64::from(plane.rows) / 2.0).floor() }
}
