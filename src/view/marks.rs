//! Marks on the screen: what each shape draws, where one takes hold of it, and what moving it does to its points.
//!
//! A mark comes from a colleague and may say anything. One whose points do not fit its shape, or lie outside of the
//! image, is not drawn, and [`NotDrawn`] says so in words: a line that ends at the edge of an image because the rest
//! of it was cut off would look like a measurement.
//!
//! Drafts are dashed and ink is solid; members have their colours. An arrow goes from its first point, where its text
//! stands, to the second, where its head is. Text is written by the app, in cells: here is only where.
//!
//! What a mark measures is `study::measure`'s.
//!
//! Start with [`draw`].

use super::ink::{Canvas, Place, Stroke};
use super::mapping::{ImagePlane, Mapping, Size};
use super::raster::INK_MEMBER_FIRST;
use crate::case::content::{MARK_POINTS_MAX, Measured, Point, Shape};
use crate::encoding::text::shown;
use crate::study::measure::{is_ellipse, points_needed, shown_unit};

/// Colours that members have.
const MEMBER_INKS: usize = 8;

/// The ink of what only helps to see what belongs together.
const HELPER_INK: u8 = 7;

/// Half the length of the ticks at the ends of what measures a distance, in pixels.
const TICK_PX: f64 = 4.0;

/// The open middle and the reach of a probe's cross, in pixels.
const PROBE_OPEN_PX: f64 = 3.0;
const PROBE_REACH_PX: f64 = 9.0;

/// The reach of the dot that a text belongs to, in pixels.
const DOT_PX: f64 = 1.0;

/// From a mark to its text, in pixels.
const LABEL_GAP_PX: f64 = 8.0;

/// Corners of the polygon that stands for an ellipse when the pointer is near.
const ELLIPSE_CORNERS: u32 = 64;

/// Longest text of a label, in characters.
const LABEL_CHARS_MAX: usize = 80;

/// The ink of a member, by her place in the case.
pub fn member_ink(place: usize) -> u8 {
    // A remainder below eight.
    INK_MEMBER_FIRST + (place % MEMBER_INKS) as u8
}

/// One mark as it is to be drawn.
#[derive(Debug, Clone, Copy)]
pub struct Drawn<'a> {
    pub shape: Shape,
    pub points: &'a [Point],
    pub ink: u8,
    /// Not yet an entry.
    pub is_draft: bool,
    /// Chosen: it has handles.
    pub is_active: bool,
    /// 1 to 3.
    pub width_px: u8,
    /// Its label and value, as [`label_text`] writes them.
    pub text: &'a str,
}

/// A text that belongs to a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub text: String,
    /// Where it begins, in pixels of the viewport: the middle of its line.
    pub at: (u32, u32),
    pub ink: u8,
}

/// Why a mark is not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDrawn {
    #[error("the mark lies outside the image and is not drawn")]
    Outside,
    #[error("the mark has {given} points, which its kind cannot have, and is not drawn")]
    Points { given: usize },
    #[error("the axes of the mark make no ellipse, and it is not drawn")]
    EllipseAxes,
}

/// A value with its unit (UCUM), with as many decimals as its size needs: a diffusion coefficient is no 0.0.
pub fn value_text(value: f64, unit: &str) -> String {
    let unit = shown(shown_unit(unit)).into_owned();
    let gap = if unit.is_empty() || unit == "°" { "" } else { " " };
    match value.abs() {
        size if size >= 0.1 || size == 0.0 || !size.is_finite() => format!("{value:.1}{gap}{unit}"),
        size if size >= 1e-4 => format!("{value:.5}{gap}{unit}"),
        _ => format!("{value:.2e}{gap}{unit}"),
    }
}

/// A mark's own label and its value, one line.
pub fn label_text(label: Option<&str>, measured: Option<&Measured>) -> String {
    let value = measured.map(|measured| value_text(measured.value, &measured.unit));
    let label = label.map(|label| shown(label).trim().to_string()).filter(|label| !label.is_empty());
    let parts: Vec<String> = [label, value].into_iter().flatten().collect();
    parts.join(" ").chars().take(LABEL_CHARS_MAX).collect()
}

/// Draws a mark. Its label is none if there is no text, or nothing of the mark is in the viewport.
pub fn draw(canvas: &mut Canvas, mapping: &Mapping, mark: &Drawn<'_>) -> Result<Option<Label>, NotDrawn> {
    check(mark.shape, mark.points, mapping.plane())?;
    let places: Vec<Place> = mark.points.iter().map(|point| mapping.to_screen(*point)).collect();
    let stroke = Stroke { ink: mark.ink, width_px: mark.width_px, dashed: mark.is_draft };
    let calipers = |canvas: &mut Canvas, from: Place, to: Place| {
        canvas.line(from, to, stroke);
        for end in [from, to] {
            let (x, y) = aside(from, to, TICK_PX);
            canvas.line((end.0 - x, end.1 - y), (end.0 + x, end.1 + y), Stroke { dashed: false, ..stroke });
        }
    };
    match (mark.shape, places.as_slice()) {
        (Shape::Probe, &[(x, y)]) => {
            for (dx, dy) in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)] {
                let at = |far: f64| (x + dx * far, y + dy * far);
                canvas.line(at(PROBE_OPEN_PX), at(PROBE_REACH_PX), Stroke { dashed: false, ..stroke });
            }
        }
        (Shape::Text, &[at]) => canvas.cross(at, DOT_PX, Stroke { dashed: false, ..stroke }),
        (Shape::Length, &[a, b]) => calipers(canvas, a, b),
        (Shape::Arrow, &[tail, tip]) => canvas.arrow(tail, tip, stroke),
        (Shape::Angle, &[a, vertex, b]) => canvas.polyline([a, vertex, b], false, stroke),
        (Shape::Cobb, &[a, b, c, d]) => {
            canvas.line(middle(a, b), middle(c, d), Stroke::solid(HELPER_INK));
            canvas.line(a, b, stroke);
            canvas.line(c, d, stroke);
        }
        (Shape::Bidirectional, &[a, b, c, d]) => {
            calipers(canvas, a, b);
            calipers(canvas, c, d);
        }
        (Shape::Ellipse, &[a, b, c, d]) => canvas.ellipse([a, b, c, d], stroke),
        (Shape::Rectangle, &[a, b]) => canvas.rectangle(a, b, stroke),
        _ => canvas.polyline(places.iter().copied(), true, stroke),
    }
    if mark.is_active {
        for handle in handles(mark.shape, mark.points) {
            canvas.handle(mapping.to_screen(handle), mark.ink);
        }
    }
    let at = label_place(mark.shape, &places, canvas.size());
    Ok(at.filter(|_| !mark.text.is_empty()).map(|at| Label { text: mark.text.to_string(), at, ink: mark.ink }))
}

fn check(shape: Shape, points: &[Point], plane: &ImagePlane) -> Result<(), NotDrawn> {
    let (least, most) = points_needed(shape);
    if !(least..=most).contains(&points.len()) {
        return Err(NotDrawn::Points { given: points.len() });
    }
    if !points.iter().all(|point| plane.holds(*point)) {
        return Err(NotDrawn::Outside);
    }
    match (shape, points) {
        (Shape::Ellipse, &[a, b, c, d]) if !is_ellipse([a, b, c, d]) => Err(NotDrawn::EllipseAxes),
        _ => Ok(()),
    }
}

/// To the right of a mark; none if it is not in the viewport.
fn label_place(shape: Shape, places: &[Place], viewport: Size) -> Option<(u32, u32)> {
    let fold = |start: f64, of: fn(&Place) -> f64, pick: fn(f64, f64) -> f64| places.iter().map(of).fold(start, pick);
    let (left, right) = (fold(f64::INFINITY, |p| p.0, f64::min), fold(f64::NEG_INFINITY, |p| p.0, f64::max));
    let (top, bottom) = (fold(f64::INFINITY, |p| p.1, f64::min), fold(f64::NEG_INFINITY, |p| p.1, f64::max));
    let (width, height) = (f64::from(viewport.width), f64::from(viewport.height));
    if viewport.is_empty() || right < 0.0 || left >= width || bottom < 0.0 || top >= height {
        return None;
    }
    let rightmost = || places.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
    let (x, y) = match (shape, places) {
        (Shape::Arrow, &[tail, _]) => tail,
        (Shape::Angle, &[_, vertex, _]) => vertex,
        (Shape::Rectangle, _) => (right, top),
        _ => rightmost()?,
    };
    // Clamped to the viewport, so that whole numbers fit.
    Some(((x + LABEL_GAP_PX).clamp(0.0, width - 1.0) as u32, y.clamp(0.0, height - 1.0) as u32))
}

/// Where one takes hold of a mark: its points, and all corners of a rectangle.
pub fn handles(shape: Shape, points: &[Point]) -> Vec<Point> {
    match (shape, points) {
        (Shape::Rectangle, &[a, b]) => {
            vec![a, b, Point { column: a.column, row: b.row }, Point { column: b.column, row: a.row }]
        }
        _ => points.iter().take(MARK_POINTS_MAX).copied().collect(),
    }
}

/// What of a mark is taken hold of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// One of [`handles`], by its place there.
    Handle(usize),
    /// Its line: all of it moves.
    Whole,
}

/// What lies nearest to a place of the screen: which of the marks, and what of it. Handles go before lines, and of two
/// at the same distance the one drawn last. Marks that are not drawn cannot be taken.
pub fn hit<'a>(
    marks: impl IntoIterator<Item = (Shape, &'a [Point])>,
    mapping: &Mapping,
    at: Place,
    tolerance_px: f64,
) -> Option<(usize, Part)> {
    let mut nearest: Option<(f64, usize, Part)> = None;
    for (number, (shape, points)) in marks.into_iter().enumerate() {
        if check(shape, points, mapping.plane()).is_err() {
            continue;
        }
        let handles = handles(shape, points).into_iter().map(|handle| distance(mapping.to_screen(handle), at));
        let handle = handles.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, far)| *far <= tolerance_px);
        let found = match handle {
            // Ahead of every line.
            Some((handle, far)) => Some((far - tolerance_px, Part::Handle(handle))),
            None => Some((far_from_lines(shape, points, mapping, at), Part::Whole)).filter(|hit| hit.0 <= tolerance_px),
        };
        if let Some((far, part)) = found.filter(|(far, _)| nearest.is_none_or(|(nearest, ..)| *far <= nearest)) {
            nearest = Some((far, number, part));
        }
    }
    nearest.map(|(_, number, part)| (number, part))
}

fn far_from_lines(shape: Shape, points: &[Point], mapping: &Mapping, at: Place) -> f64 {
    let place = |point: &Point| mapping.to_screen(*point);
    let places: Vec<Place> = points.iter().map(place).collect();
    let outline: Vec<Place> = match (shape, places.as_slice()) {
        (Shape::Cobb | Shape::Bidirectional, &[a, b, c, d]) => {
            return far_from_line(a, b, at).min(far_from_line(c, d, at));
        }
        (Shape::Angle, _) => return far_from_polyline(&places, false, at),
        (Shape::Rectangle, &[a, b]) => vec![a, (b.0, a.1), b, (a.0, b.1)],
        (Shape::Ellipse, &[a, b, c, d]) => {
            let (middle, major, minor) = (middle(a, b), half(a, b), half(c, d));
            let corner = |i: u32| {
                let (sine, cosine) = (std::f64::consts::TAU * f64::from(i) / f64::from(ELLIPSE_CORNERS)).sin_cos();
                (middle.0 + cosine * major.0 + sine * minor.0, middle.1 + cosine * major.1 + sine * minor.1)
            };
            (0..ELLIPSE_CORNERS).map(corner).collect()
        }
        _ => places,
    };
    far_from_polyline(&outline, true, at)
}

fn far_from_polyline(places: &[Place], closed: bool, at: Place) -> f64 {
    let last = places.last().zip(places.first()).filter(|_| closed);
    let sides = places.windows(2).map(|side| (side[0], side[1])).chain(last.map(|(a, b)| (*a, *b)));
    sides.map(|(a, b)| far_from_line(a, b, at)).fold(f64::INFINITY, f64::min)
}

fn far_from_line(a: Place, b: Place, at: Place) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let square = dx * dx + dy * dy;
    let along = if square > 0.0 { ((at.0 - a.0) * dx + (at.1 - a.1) * dy) / square } else { 0.0 };
    let along = along.clamp(0.0, 1.0);
    distance((a.0 + along * dx, a.1 + along * dy), at)
}

/// The points of a mark after one of its parts went from one point to another. The mark stays in the image; where it
/// cannot go, it stays as it was.
pub fn moved(shape: Shape, points: &[Point], part: Part, from: Point, to: Point, plane: &ImagePlane) -> Vec<Point> {
    let unmoved = points.to_vec();
    if check(shape, points, plane).is_err() || ![to.column, to.row, from.column, from.row].iter().all(|n| n.is_finite())
    {
        return unmoved;
    }
    let to_inside = plane.nearest(to);
    let points = match (part, shape, points) {
        (Part::Whole, ..) => shifted(points, (to.column - from.column, to.row - from.row), plane),
        (Part::Handle(corner @ 2..4), Shape::Rectangle, &[a, b]) => {
            let (column, row) = (to_inside.column, to_inside.row);
            match corner {
                2 => vec![Point { column, ..a }, Point { row, ..b }],
                _ => vec![Point { row, ..a }, Point { column, ..b }],
            }
        }
        (Part::Handle(end @ 0..4), Shape::Ellipse, &[a, b, c, d]) => {
            let axes = if end < 2 { ([a, b], [c, d]) } else { ([c, d], [a, b]) };
            let Some((moved, across)) = pulled(axes, end % 2, to_inside) else { return unmoved };
            let (major, minor) = if end < 2 { (moved, across) } else { (across, moved) };
            [major, minor].concat()
        }
        (Part::Handle(handle), ..) => {
            let mut points = unmoved.clone();
            match points.get_mut(handle) {
                Some(point) => *point = to_inside,
                None => return unmoved,
            }
            points
        }
    };
    if check(shape, &points, plane).is_ok() { points } else { unmoved }
}

/// All points moved alike, as far as the image goes.
fn shifted(points: &[Point], by: (f64, f64), plane: &ImagePlane) -> Vec<Point> {
    let held = |by: f64, of: fn(&Point) -> f64, length: u32| {
        let low = points.iter().map(of).fold(f64::INFINITY, f64::min);
        let high = points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        // The points lie in the image, so that the bounds are in order.
        by.clamp((-0.5 - low).min(0.0), (f64::from(length) - 0.5 - high).max(0.0))
    };
    let (right, down) = (held(by.0, |p| p.column, plane.columns), held(by.1, |p| p.row, plane.rows));
    let shift = |point: &Point| plane.nearest(Point { column: point.column + right, row: point.row + down });
    points.iter().map(shift).collect()
}

/// An ellipse one of whose axes was pulled at one end; the other end stays, and the other axis keeps its length.
fn pulled(([a, b], [c, d]): ([Point; 2], [Point; 2]), end: usize, to: Point) -> Option<([Point; 2], [Point; 2])> {
    let axis = if end == 0 { [to, b] } else { [a, to] };
    let (x, y) = (axis[1].column - axis[0].column, axis[1].row - axis[0].row);
    let length = x.hypot(y);
    if length == 0.0 {
        return None;
    }
    let middle = Point { column: axis[0].column + x / 2.0, row: axis[0].row + y / 2.0 };
    let (before_x, before_y) = ((d.column - c.column) / 2.0, (d.row - c.row) / 2.0);
    let half = before_x.hypot(before_y);
    let (across_x, across_y) = (-y / length * half, x / length * half);
    // Its ends keep their sides.
    let side = if across_x * before_x + across_y * before_y < 0.0 { -1.0 } else { 1.0 };
    let at = |sign: f64| Point { column: middle.column + sign * across_x, row: middle.row + sign * across_y };
    Some((axis, [at(-side), at(side)]))
}

/// The points as they are written down once they are no longer moved: of an ellipse the longer axis first.
pub fn settled(shape: Shape, points: &[Point]) -> Vec<Point> {
    match (shape, points) {
        (Shape::Ellipse, &[a, b, c, d]) => {
            let length = |a: Point, b: Point| (b.column - a.column).hypot(b.row - a.row);
            if length(a, b) >= length(c, d) { vec![a, b, c, d] } else { vec![c, d, a, b] }
        }
        _ => points.to_vec(),
    }
}

/// The axes of the ellipse in a rectangle, the longer one first.
pub fn ellipse_in(corner: Point, opposite: Point) -> [Point; 4] {
    let (low, high) = (
        Point { column: corner.column.min(opposite.column), row: corner.row.min(opposite.row) },
        Point { column: corner.column.max(opposite.column), row: corner.row.max(opposite.row) },
    );
    let (column, row) = ((low.column + high.column) / 2.0, (low.row + high.row) / 2.0);
    let across = [Point { row, ..low }, Point { row, ..high }];
    let down = [Point { column, ..low }, Point { column, ..high }];
    let [[a, b], [c, d]] = if high.column - low.column >= high.row - low.row { [across, down] } else { [down, across] };
    [a, b, c, d]
}

fn middle(a: Place, b: Place) -> Place {
    ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0)
}

fn half(a: Place, b: Place) -> (f64, f64) {
    ((b.0 - a.0) / 2.0, (b.1 - a.1) / 2.0)
}

fn distance(a: Place, b: Place) -> f64 {
    (b.0 - a.0).hypot(b.1 - a.1)
}

/// A step of this length at right angles to a line.
fn aside(from: Place, to: Place, length_px: f64) -> (f64, f64) {
    let length = distance(from, to);
    if length > 0.0 { ((from.1 - to.1) / length * length_px, (to.0 - from.0) / length * length_px) } else { (0.0, 0.0) }
}

#[cfg(test)]
mod tests;
