//! Covering what shows a name: by the keys of [`Place::StudyMask`], or with the mouse held down.
//!
//! [`Place::StudyMask`]: crate::ui::keys::Place::StudyMask

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::LeftOutReview;
use super::masks::{Cursor, Pixel, between};
use crate::case::content::Point;
use crate::node::api::{LeftOutImage, Rectangle};
use crate::study::mask::RECTANGLES_MAX;
use crate::ui::keys::Action;
use crate::ui::screen::Context;
use crate::ui::widget::amount::count;
use crate::view::ink::{Canvas, Stroke};
use crate::view::mapping::{ImagePlane, Mapping, Size};
use crate::view::pose::Pose;
use crate::view::raster::Overlay;

/// Inks of rectangles, and of the cursor with what it draws.
const RECTANGLE_INK: u8 = 2;
const CURSOR_INK: u8 = 3;

/// Half the width of the cursor's arms, in screen pixels.
const CURSOR_ARM_PX: f64 = 9.0;

impl LeftOutReview {
    /// Whether an action is one of drawing; then it was carried out.
    pub(super) fn act_on_masks(&mut self, action: Action, context: &mut Context<'_>) -> bool {
        if let Some(cursor) = self.masks.cursor
            && let Some((columns, rows)) = action.cursor_step()
        {
            self.masks.cursor = Some(Cursor { at: self.moved(cursor.at, columns, rows), ..cursor });
            return true;
        }
        match (action, self.masks.cursor) {
            (Action::CoverName, _) => {
                if self.maskable(context).is_some()
                    && let Some(plane) = self.picture().map(|picture| picture.image_plane())
                {
                    let at = Pixel { column: plane.columns / 2, row: plane.rows / 2 };
                    self.masks.cursor = Some(Cursor { at, corner: None });
                }
            }
            (Action::MaskSeries, _) => self.cover_series(context),
            (Action::DropPoint, Some(Cursor { at, corner: None })) => {
                self.masks.cursor = Some(Cursor { at, corner: Some(at) });
            }
            (Action::DropPoint, Some(Cursor { at, corner: Some(corner) })) => {
                self.masks.cursor = Some(Cursor { at, corner: None });
                self.cover(between(corner, at), context);
            }
            (Action::Undo, Some(Cursor { at, corner: Some(_) })) => {
                self.masks.cursor = Some(Cursor { at, corner: None });
            }
            (Action::Undo, Some(_)) => self.change(context, |masks, image| masks.undo(image), "There is no rectangle."),
            (Action::DeleteMark, Some(Cursor { at, .. })) => {
                let delete = |masks: &mut super::Masks, image: &LeftOutImage| masks.delete(image, at);
                self.change(context, delete, "There is no rectangle under the cursor.");
            }
            (Action::LeaveTool, Some(_)) => self.masks.cursor = None,
            _ => return false,
        }
        true
    }

    /// The mouse draws a rectangle from where it goes down to where it is let go.
    pub(super) fn draw_by_mouse(&mut self, pointer: MouseEvent, context: &mut Context<'_>) {
        match pointer.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                let Some((pixel, true)) = self.under(pointer, context) else { return };
                if self.maskable(context).is_some() {
                    self.masks.drag = Some((pixel, pixel));
                    self.masks.cursor = self.masks.cursor.map(|_| Cursor { at: pixel, corner: None });
                }
            }
            MouseEventKind::Drag(MouseButton::Left) => {
                if let (Some((from, _)), Some((pixel, _))) = (self.masks.drag, self.under(pointer, context)) {
                    self.masks.drag = Some((from, pixel));
                }
            }
            MouseEventKind::Up(MouseButton::Left) => {
                let Some((from, last)) = self.masks.drag.take() else { return };
                // Of a quick drag only its beginning and its end are told.
                let to = self.under(pointer, context).map_or(last, |(pixel, _)| pixel);
                // A click covers nothing.
                if from != to {
                    self.cover(between(from, to), context);
                }
            }
            _ => {}
        }
    }

    /// The outlines of the rectangles, and what is being drawn.
    pub(super) fn outlines(&self, rectangles: &[Rectangle], plane: &ImagePlane, viewport: Size) -> Option<Overlay> {
        let mapping = Pose::default().mapping(plane, viewport)?;
        let mut canvas = Canvas::new(viewport.width, viewport.height);
        let mut outline = |rectangle: &Rectangle, stroke: Stroke| {
            let Some(r) = rectangle.clipped(plane.columns, plane.rows) else { return };
            let edge = |start: u32, length: u32| f64::from(start) + f64::from(length) - 0.5;
            let corner = Point { column: edge(r.column, 0), row: edge(r.row, 0) };
            let opposite = Point { column: edge(r.column, r.columns), row: edge(r.row, r.rows) };
            canvas.rectangle(mapping.to_screen(corner), mapping.to_screen(opposite), stroke);
        };
        rectangles.iter().for_each(|rectangle| outline(rectangle, Stroke::solid(RECTANGLE_INK)));
        if let Some((from, to)) = self.masks.drag {
            outline(&between(from, to), Stroke::dashed(CURSOR_INK).width(2));
        }
        if let Some(Cursor { at, corner }) = self.masks.cursor {
            if let Some(corner) = corner {
                outline(&between(corner, at), Stroke::dashed(CURSOR_INK).width(2));
            }
            let at = Point { column: f64::from(at.column), row: f64::from(at.row) };
            canvas.cross(mapping.to_screen(at), CURSOR_ARM_PX, Stroke::solid(CURSOR_INK));
        }
        canvas.finish()
    }

    /// The image on the screen if rectangles may be drawn on it now; else the person is told why not.
    fn maskable(&self, context: &mut Context<'_>) -> Option<&LeftOutImage> {
        let image = self.image()?;
        let why_not = match image {
            _ if self.writing.is_some() => "The decisions are being written.",
            LeftOutImage { frames: 0, .. } => "This object has no pixels: there is nothing to cover.",
            LeftOutImage { given: true, .. } => {
                "A case has given this image away as it is: a mask would come too late."
            }
            _ if self.picture().is_none() => "Its picture is not on the screen yet.",
            _ => return Some(image),
        };
        context.say(why_not);
        None
    }

    fn cover(&mut self, rectangle: Rectangle, context: &mut Context<'_>) {
        let full = format!("An image has at most {RECTANGLES_MAX} rectangles.");
        self.change(context, |masks, image| masks.add(image, rectangle), &full);
    }

    /// Changes the rectangles over the image on the screen, which must be looked at again with them.
    fn change(
        &mut self,
        context: &mut Context<'_>,
        change: impl FnOnce(&mut super::Masks, &LeftOutImage) -> bool,
        unchanged: &str,
    ) {
        if self.writing.is_some() {
            return;
        }
        let Some(image) = self.images.as_ref().and_then(|images| images.get(self.chosen.at)) else { return };
        let uid = image.sop_instance_uid.clone();
        match change(&mut self.masks, image) {
            true => self.look_again(&uid),
            false => context.say(unchanged),
        }
    }

    fn look_again(&mut self, uid: &str) {
        self.decisions.remove(uid);
        (self.drawn, self.resting) = (None, None);
        self.seen.retain(|key| &*key.sop_instance_uid != uid);
    }

    /// Covers the other images of the series that are of the same size and not decided in the same places.
    fn cover_series(&mut self, context: &mut Context<'_>) {
        let Some(image) = self.maskable(context).cloned() else { return };
        let rectangles = self.masks.of(&image).to_vec();
        if rectangles.is_empty() {
            context.say("No rectangle is drawn on this image yet.");
            return;
        }
        let is_alike = |other: &&LeftOutImage| {
            other.series_instance_uid == image.series_instance_uid
                && (other.columns, other.rows) == (image.columns, image.rows)
                && other.sop_instance_uid != image.sop_instance_uid
                && other.frames > 0
                && !other.given
                && (other.state == "waits" || other.state == "in")
                && !self.decisions.contains_key(&other.sop_instance_uid)
        };
        let others: Vec<_> = self.images.iter().flatten().filter(is_alike).cloned().collect();
        let changed: Vec<_> = others.iter().filter(|other| self.masks.put(other, &rectangles)).collect();
        let changed: Vec<_> = changed.into_iter().map(|other| other.sop_instance_uid.clone()).collect();
        changed.iter().for_each(|uid| self.look_again(uid));
        let (number, size) = (count(others.len(), "other image"), format!("{} x {}", image.columns, image.rows));
        context.say(&match others.is_empty() {
            true => format!("No other image of this series has {size} pixels and waits for a decision."),
            false => format!("{number} of {size} pixels covered as well: look at each before you admit it."),
        });
    }

    /// A pixel further on, within the image.
    fn moved(&self, from: Pixel, columns: f64, rows: f64) -> Pixel {
        let Some(plane) = self.picture().map(|picture| picture.image_plane()) else { return from };
        // Steps are whole and far below what 64 bits hold.
        let step = |at: u32, by: f64, length: u32| {
            let at = (i64::from(at) + by as i64).clamp(0, i64::from(length.max(1)) - 1);
            u32::try_from(at).unwrap_or(0)
        };
        Pixel { column: step(from.column, columns, plane.columns), row: step(from.row, rows, plane.rows) }
    }

    /// The pixel of the image that is nearest to the mouse, and whether that is over the image.
    fn under(&self, pointer: MouseEvent, context: &Context<'_>) -> Option<(Pixel, bool)> {
        let [_, _, place] = Self::parts(context.area);
        let plane = self.picture()?.image_plane();
        let mapping: Mapping = Pose::default().mapping(&plane, context.dots.size(place))?;
        let middle = |at: u16, from: u16, dots: u32| (f64::from(at) - f64::from(from) + 0.5) * f64::from(dots);
        let x = middle(pointer.column, place.x, context.dots.across);
        let y = middle(pointer.row, place.y, context.dots.down);
        let point = mapping.to_image(x, y);
        let is_over = Rect::contains(place, Position::new(pointer.column, pointer.row)) && plane.holds(point);
        let nearest = plane.nearest(point);
        // From -0.5 to half a pixel before the end.
        let whole = |at: f64, length: u32| ((at + 0.5).floor().max(0.0) as u32).min(length.saturating_sub(1));
        Some((Pixel { column: whole(nearest.column, plane.columns), row: whole(nearest.row, plane.rows) }, is_over))
    }
}
