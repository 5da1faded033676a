//! Ink above a picture: lines, outlines and handles, drawn pixel by pixel at the resolution of the screen.
//!
//! All ink has a dark halo, so that it is seen on bone as on air. The halo comes last and only takes pixels that are
//! empty: where strokes cross or come close, none eats another. Nothing is blended: ink is a number, and a terminal
//! that draws the picture itself gets ink with sharp edges over it.
//!
//! Places are in screen pixels as in [`super::mapping`], and may be anything: lines are clipped before they are drawn,
//! so that the work is bounded by the viewport, and a number that is none draws nothing.

use std::ops::Range;

use super::mapping::{Mapping, Size};
use super::raster::Overlay;
use crate::case::content::Point;

/// The ink around other ink.
pub(super) const HALO: u8 = 6;

/// Drawn and left out of a dashed line, in pixels.
const DASH_PX: f64 = 6.0;
const GAP_PX: f64 = 4.0;

/// Lines are clipped so far outside the viewport, in pixels: wide ones and their halo still reach in.
const MARGIN_PX: f64 = 8.0;

/// Half the side of a handle, in pixels.
const HANDLE_PX: i64 = 3;

/// Length of an arrow's head and half its width, in pixels.
const HEAD_LENGTH_PX: f64 = 12.0;
const HEAD_WIDTH_PX: f64 = 5.0;

/// How far a polygon may be from the ellipse it stands for, in pixels, and most of its corners.
const ELLIPSE_ERROR_PX: f64 = 0.2;
const ELLIPSE_CORNERS_MAX: f64 = 4096.0;

/// Half the height of the ticks at the ends of a scale bar, in pixels.
const TICK_PX: f64 = 4.0;

/// A place on the screen, in pixels from the top left corner of the viewport.
pub type Place = (f64, f64);

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stroke {
    /// A number of [`super::raster::INKS`].
    pub ink: u8,
    /// 1 to 3.
    pub width_px: u8,
    /// For drafts; what counts is solid.
    pub dashed: bool,
}

impl Stroke {
    pub fn solid(ink: u8) -> Self {
        Self { ink, width_px: 1, dashed: false }
    }

    pub fn dashed(ink: u8) -> Self {
        Self { dashed: true, ..Self::solid(ink) }
    }

    #[must_use]
    pub fn width(self, width_px: u8) -> Self {
        Self { width_px, ..self }
    }
}

/// A viewport to draw on.
pub struct Canvas {
    size: Size,
    ink: Vec<u8>,
    /// Rows with ink.
    inked: Range<usize>,
}

impl Canvas {
    /// A blank one; sides are cut to the longest that viewports have.
    pub fn new(width: u32, height: u32) -> Self {
        let size = Size::viewport(width, height);
        Self { size, ink: vec![0; size.width as usize * size.height as usize], inked: 0..0 }
    }

    pub fn size(&self) -> Size {
        self.size
    }

    /// What was drawn, with its halo; nothing if that was nothing.
    pub fn finish(mut self) -> Option<Overlay> {
        let Size { width, height } = self.size;
        if self.inked.is_empty() {
            return None;
        }
        // Rows as they were before the halo, with an empty pixel at either end.
        let rows = self.inked.start.saturating_sub(1)..(self.inked.end + 1).min(height as usize);
        let length = width as usize;
        let blank = vec![0; length + 2];
        let padded = |row: &[u8]| [&[0], row, &[0]].concat();
        let mut here = blank.clone();
        let mut below = padded(&self.ink[rows.start * length..][..length]);
        for y in rows {
            let next = self.ink.get((y + 1) * length..(y + 2) * length).map_or_else(|| blank.clone(), padded);
            let above = std::mem::replace(&mut here, std::mem::replace(&mut below, next));
            let mut near: Vec<u8> = above.iter().zip(&here).zip(&below).map(|((a, b), c)| a | b | c).collect();
            for x in 0..length {
                near[x] |= near[x + 1] | near[x + 2];
            }
            for (pixel, near) in self.ink[y * length..][..length].iter_mut().zip(&near) {
                if *pixel == 0 && *near != 0 {
                    *pixel = HALO;
                }
            }
        }
        Some(Overlay { width, height, ink: self.ink })
    }

    pub fn line(&mut self, from: Place, to: Place, stroke: Stroke) {
        self.segment(from, to, stroke, 0.0);
    }

    /// Lines from each point to the next; dashes go on around corners.
    pub fn polyline(&mut self, points: impl IntoIterator<Item = Place>, closed: bool, stroke: Stroke) {
        let mut points = points.into_iter();
        let Some(first) = points.next() else { return };
        let (mut last, mut length) = (first, 0.0);
        for point in points.chain(closed.then_some(first)) {
            self.segment(last, point, stroke, length);
            length = (length + distance(last, point)) % (DASH_PX + GAP_PX);
            last = point;
        }
    }

    pub fn rectangle(&mut self, corner: Place, opposite: Place, stroke: Stroke) {
        let corners = [corner, (opposite.0, corner.1), opposite, (corner.0, opposite.1)];
        self.polyline(corners, true, stroke);
    }

    /// An ellipse by the ends of its major, then of its minor axis. Axes that are not at right angles on the screen,
    /// because of pixels that are not square, still give the right ellipse.
    pub fn ellipse(&mut self, [a, b, c, d]: [Place; 4], stroke: Stroke) {
        let middle = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
        let half = |from: Place, to: Place| ((to.0 - from.0) / 2.0, (to.1 - from.1) / 2.0);
        let (major, minor) = (half(a, b), half(c, d));
        let reach = distance((0.0, 0.0), major).max(distance((0.0, 0.0), minor));
        if !reach.is_finite() {
            return;
        }
        // A chord is 1 - cos(pi / n) radii from its arc, about pi^2 / (2 n^2).
        let corners = (std::f64::consts::PI * (reach / (2.0 * ELLIPSE_ERROR_PX)).sqrt()).ceil();
        let corners = corners.clamp(12.0, ELLIPSE_CORNERS_MAX) as u32;
        let point = |i: u32| {
            let (sine, cosine) = (std::f64::consts::TAU * f64::from(i) / f64::from(corners)).sin_cos();
            (middle.0 + cosine * major.0 + sine * minor.0, middle.1 + cosine * major.1 + sine * minor.1)
        };
        self.polyline((0..corners).map(point), true, stroke);
    }

    /// A line with an open head at `tip`.
    pub fn arrow(&mut self, tail: Place, tip: Place, stroke: Stroke) {
        self.line(tail, tip, stroke);
        let length = distance(tail, tip);
        if !(length.is_finite() && length > 0.0) {
            return;
        }
        let (x, y) = ((tip.0 - tail.0) / length, (tip.1 - tail.1) / length);
        // A short arrow has a small head.
        let size = (length / (2.0 * HEAD_LENGTH_PX)).min(1.0);
        let (back, aside) = (HEAD_LENGTH_PX * size, HEAD_WIDTH_PX * size);
        let head = Stroke { dashed: false, ..stroke };
        for side in [-aside, aside] {
            self.line((tip.0 - back * x - side * y, tip.1 - back * y + side * x), tip, head);
        }
    }

    /// Lines over the whole viewport that leave the point itself open.
    pub fn crosshair(&mut self, (x, y): Place, open_px: f64, stroke: Stroke) {
        let (width, height) = (f64::from(self.size.width), f64::from(self.size.height));
        self.line((0.0, y), (x - open_px, y), stroke);
        self.line((x + open_px, y), (width, y), stroke);
        self.line((x, 0.0), (x, y - open_px), stroke);
        self.line((x, y + open_px), (x, height), stroke);
    }

    /// A small cross at a point.
    pub fn cross(&mut self, (x, y): Place, arm_px: f64, stroke: Stroke) {
        self.line((x - arm_px, y), (x + arm_px, y), stroke);
        self.line((x, y - arm_px), (x, y + arm_px), stroke);
    }

    /// A small open square, to take hold of.
    pub fn handle(&mut self, at: Place, ink: u8) {
        let Some((x, y)) = self.pixel(at) else { return };
        for i in -HANDLE_PX..=HANDLE_PX {
            for (dx, dy) in [(i, -HANDLE_PX), (i, HANDLE_PX), (-HANDLE_PX, i), (HANDLE_PX, i)] {
                self.put(x + dx, y + dy, ink);
            }
        }
    }

    /// A bar of this length with a tick at either end, its left end at a place.
    pub fn scale_bar(&mut self, (x, y): Place, length_px: f64, ink: u8) {
        let stroke = Stroke::solid(ink);
        let end = x + length_px;
        self.line((x, y), (end, y), stroke);
        self.line((x, y - TICK_PX), (x, y + TICK_PX), stroke);
        self.line((end, y - TICK_PX), (end, y + TICK_PX), stroke);
    }

    /// Pixels of the image, as overlay planes have them; each takes at least one screen pixel.
    pub fn image_pixels(&mut self, mapping: &Mapping, pixels: impl IntoIterator<Item = (i64, i64)>, ink: u8) {
        for (column, row) in pixels {
            let point = |by: f64| Point { column: column as f64 + by, row: row as f64 + by };
            let (a, b) = (mapping.to_screen(point(-0.5)), mapping.to_screen(point(0.5)));
            let across = pixels_between(a.0, b.0, self.size.width);
            for y in pixels_between(a.1, b.1, self.size.height) {
                for x in across.clone() {
                    self.put(x, y, ink);
                }
            }
        }
    }

    /// A line that began `before` pixels ago.
    fn segment(&mut self, from: Place, to: Place, stroke: Stroke, before: f64) {
        let Some((start, end)) = self.clipped(from, to) else { return };
        let steps = (end.0 - start.0).abs().max((end.1 - start.1).abs()).ceil().max(1.0);
        let length = distance(start, end);
        let before = before + distance(from, start) % (DASH_PX + GAP_PX);
        let width = i64::from(stroke.width_px.clamp(1, 3));
        // Steps are bounded by the viewport and its margin.
        for step in 0..=steps as u32 {
            let part = f64::from(step) / steps;
            if stroke.dashed && (before + part * length) % (DASH_PX + GAP_PX) >= DASH_PX {
                continue;
            }
            let at = (start.0 + part * (end.0 - start.0), start.1 + part * (end.1 - start.1));
            let Some((x, y)) = self.pixel(at) else { continue };
            for dy in 0..width {
                for dx in 0..width {
                    self.put(x + dx - (width - 1) / 2, y + dy - (width - 1) / 2, stroke.ink);
                }
            }
        }
    }

    /// The part of a line in the viewport and its margin (Liang and Barsky).
    fn clipped(&self, from: Place, to: Place) -> Option<(Place, Place)> {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        if ![from.0, from.1, dx, dy].iter().all(|number| number.is_finite()) {
            return None;
        }
        let (right, bottom) = (f64::from(self.size.width) + MARGIN_PX, f64::from(self.size.height) + MARGIN_PX);
        let (mut begin, mut end) = (0.0_f64, 1.0_f64);
        let edges = [(-dx, from.0 + MARGIN_PX), (dx, right - from.0), (-dy, from.1 + MARGIN_PX), (dy, bottom - from.1)];
        for (towards, distance) in edges {
            if towards == 0.0 {
                if distance < 0.0 {
                    return None;
                }
            } else if towards < 0.0 {
                begin = begin.max(distance / towards);
            } else {
                end = end.min(distance / towards);
            }
        }
        if begin > end {
            return None;
        }
        // Rounding of large numbers may miss the edges by far.
        let within = |(x, y): Place| (x.clamp(-MARGIN_PX, right), y.clamp(-MARGIN_PX, bottom));
        let at = |part: f64| (from.0 + part * dx, from.1 + part * dy);
        let start = if begin == 0.0 { from } else { at(begin) };
        let end = if end == 1.0 { to } else { at(end) };
        Some((within(start), within(end)))
    }

    /// The pixel that a place is in; none far outside of the viewport.
    fn pixel(&self, (x, y): Place) -> Option<(i64, i64)> {
        let near = |at: f64, size: u32| (-2.0 * MARGIN_PX..=f64::from(size) + 2.0 * MARGIN_PX).contains(&at);
        (near(x, self.size.width) && near(y, self.size.height)).then(|| (x.floor() as i64, y.floor() as i64))
    }

    /// One pixel of ink.
    fn put(&mut self, x: i64, y: i64, ink: u8) {
        let inside = |at: i64, size: u32| usize::try_from(at).ok().filter(|at| *at < size as usize);
        let (Some(x), Some(y)) = (inside(x, self.size.width), inside(y, self.size.height)) else { return };
        self.ink[y * self.size.width as usize + x] = ink;
        self.inked = match self.inked.is_empty() {
            true => y..y + 1,
            false => self.inked.start.min(y)..self.inked.end.max(y + 1),
        };
    }
}

fn distance(a: Place, b: Place) -> f64 {
    (b.0 - a.0).hypot(b.1 - a.1)
}

/// Screen pixels between two places, at least one, within the viewport.
fn pixels_between(a: f64, b: f64, size: u32) -> Range<i64> {
    let (low, high) = (a.min(b).round(), a.max(b).round());
    let high = high.max(low + 1.0);
    let within = |at: f64| at.clamp(0.0, f64::from(size)) as i64;
    within(low)..within(high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::study::geometry::{PixelsOnly, Scale};
    use crate::view::mapping::ImagePlane;
    use crate::view::pose::{Orientation, Pose};

    /// The drawing as text: blank `.`, halo `o`, ink by its number.
    fn drawn(width: u32, height: u32, draw: impl FnOnce(&mut Canvas)) -> String {
        let mut canvas = Canvas::new(width, height);
        draw(&mut canvas);
        let overlay = canvas.finish().unwrap();
        let row = |row: &[u8]| row.iter().map(|ink| ".12345o789".chars().nth(usize::from(*ink)).unwrap()).collect();
        let rows: Vec<String> = overlay.ink.chunks(width as usize).map(row).collect();
        rows.join("\n")
    }

    #[test]
    fn a_line_has_a_halo() {
        let line = drawn(6, 4, |canvas| canvas.line((1.5, 1.5), (3.5, 1.5), Stroke::solid(2)));
        assert_eq!(line, "ooooo.\no222o.\nooooo.\n......");
        let slanting = drawn(4, 4, |canvas| canvas.line((0.5, 0.5), (3.5, 3.5), Stroke::solid(1)));
        assert_eq!(slanting, "1oo.\no1oo\noo1o\n.oo1");
    }

    #[test]
    fn strokes_are_as_wide_as_asked() {
        let two = drawn(3, 4, |canvas| canvas.line((-9.0, 1.5), (9.0, 1.5), Stroke::solid(3).width(2)));
        assert_eq!(two, "ooo\n333\n333\nooo");
        let three = drawn(3, 5, |canvas| canvas.line((-9.0, 2.5), (9.0, 2.5), Stroke::solid(3).width(200)));
        assert_eq!(three, "ooo\n333\n333\n333\nooo");
    }

    #[test]
    fn no_halo_covers_ink_that_is_there() {
        let crossed = drawn(3, 3, |canvas| {
            canvas.line((0.5, 1.5), (2.5, 1.5), Stroke::solid(2));
            canvas.line((0.5, 0.5), (2.5, 0.5), Stroke::solid(3));
        });
        assert_eq!(crossed, "333\n222\nooo");
    }

    #[test]
    fn a_draft_is_dashed_and_dashes_go_around_corners() {
        let dashed = drawn(20, 1, |canvas| canvas.line((0.5, 0.5), (19.5, 0.5), Stroke::dashed(2)));
        assert_eq!(dashed.replace('o', "."), "222222....222222....");
        let corner =
            drawn(9, 9, |canvas| canvas.polyline([(0.5, 0.5), (8.5, 0.5), (8.5, 8.5)], false, Stroke::dashed(2)));
        assert_eq!(corner.matches('2').count(), 12);
    }

    #[test]
    fn a_rectangle_and_an_ellipse_touch_where_they_should() {
        let rectangle = drawn(5, 4, |canvas| canvas.rectangle((4.5, 3.5), (0.5, 0.5), Stroke::solid(2)));
        assert_eq!(rectangle, "22222\n2ooo2\n2ooo2\n22222");
        let axes = [(0.5, 3.5), (6.5, 3.5), (3.5, 1.5), (3.5, 5.5)];
        let ellipse = drawn(7, 7, |canvas| canvas.ellipse(axes, Stroke::solid(2)));
        let rows: Vec<&str> = ellipse.lines().collect();
        assert_eq!((rows[3], &rows[1][3..4], &rows[5][3..4]), ("2oo.oo2", "2", "2"));
        assert!(!rows[0].contains('2') && !rows[6].contains('2'), "{ellipse}");
    }

    #[test]
    fn an_arrow_has_its_head_at_the_tip() {
        let arrow = drawn(40, 15, |canvas| canvas.arrow((2.5, 7.5), (37.5, 7.5), Stroke::solid(1)));
        let columns =
            |row: usize| -> Vec<usize> { arrow.lines().nth(row).unwrap().match_indices('1').map(|m| m.0).collect() };
        assert_eq!(columns(7).first(), Some(&2));
        assert!(columns(2).iter().all(|column| (20..30).contains(column)) && !columns(2).is_empty());
        assert_eq!(columns(2), columns(12));
    }

    #[test]
    fn handles_crosshair_and_scale_bar() {
        let handle = drawn(9, 9, |canvas| canvas.handle((4.2, 4.9), 3));
        assert_eq!(handle.lines().nth(1).unwrap(), "o3333333o");
        assert_eq!(handle.lines().nth(4).unwrap(), "o3o...o3o");
        let hair = drawn(9, 9, |canvas| canvas.crosshair((4.5, 4.5), 2.0, Stroke::solid(3)));
        assert_eq!(hair.lines().nth(4).unwrap(), "333o.o333");
        let bar = drawn(14, 11, |canvas| canvas.scale_bar((2.5, 5.5), 8.0, 1));
        assert_eq!(bar.lines().nth(5).unwrap(), ".o111111111o..");
        assert_eq!(bar.lines().nth(1).unwrap(), ".o1o.....o1o..");
    }

    #[test]
    fn pixels_of_an_image_fill_theirs_or_keep_one() {
        let plane = ImagePlane::new(4, 2, &Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing });
        let pose = Pose { orientation: Orientation::new(0, true), ..Pose::default() };
        let mapping = pose.mapping(&plane, Size { width: 8, height: 4 }).unwrap();
        let pixels = [(0, 0), (3, 1), (9, 9), (i64::MIN, i64::MAX)];
        assert_eq!(
            drawn(8, 4, |canvas| canvas.image_pixels(&mapping, pixels, 5)),
            ".....o55\nooo..o55\n55o..ooo\n55o....."
        );
        let mapping = pose.mapping(&plane, Size { width: 2, height: 1 }).unwrap();
        assert_eq!(drawn(2, 1, |canvas| canvas.image_pixels(&mapping, [(1, 0)], 5)).matches('5').count(), 1);
    }

    #[test]
    fn nothing_drawn_is_no_overlay() {
        assert_eq!(Canvas::new(9, 9).finish(), None);
        let mut canvas = Canvas::new(9, 9);
        canvas.line((100.0, 100.0), (200.0, 120.0), Stroke::solid(1));
        assert_eq!(canvas.finish(), None);
        assert_eq!(Canvas::new(0, 0).finish(), None);
    }

    #[test]
    fn a_line_from_far_away_crosses_the_viewport() {
        let far = drawn(5, 3, |canvas| canvas.line((-1e12, 1.5), (1e12, 1.5), Stroke::solid(2)));
        assert_eq!(far, "ooooo\n22222\nooooo");
    }

    proptest! {
        #[test]
        fn hostile_places_draw_without_harm(numbers in prop::array::uniform8(any::<f64>()), dashed: bool, width: u8) {
            let stroke = Stroke { ink: 2, width_px: width, dashed };
            let [a, b, c, d] = [0, 2, 4, 6].map(|i| (numbers[i], numbers[i + 1]));
            let mut canvas = Canvas::new(30, 20);
            canvas.line(a, b, stroke);
            canvas.polyline([a, b, c, d], true, stroke);
            canvas.rectangle(a, b, stroke);
            canvas.ellipse([a, b, c, d], stroke);
            canvas.arrow(a, b, stroke);
            canvas.crosshair(a, numbers[2], stroke);
            canvas.cross(a, numbers[2], stroke);
            canvas.handle(a, 2);
            canvas.scale_bar(a, numbers[2], 2);
        }

        #[test]
        fn large_and_small_numbers_together_do_no_harm(
            exponents in prop::array::uniform4(-20i32..308), signs in prop::array::uniform4(any::<bool>()),
        ) {
            let number = |i: usize| if signs[i] { 10f64.powi(exponents[i]) } else { -(10f64.powi(exponents[i])) };
            let mut canvas = Canvas::new(30, 20);
            canvas.line((number(0), number(1)), (number(2), number(3)), Stroke::dashed(2));
            canvas.ellipse([(number(0), 3.0), (number(1), 3.0), (9.0, number(2)), (9.0, number(3))], Stroke::solid(2));
        }

        #[test]
        fn both_ends_of_a_line_are_drawn(ends in prop::array::uniform4(0.0f64..20.0)) {
            let mut canvas = Canvas::new(20, 20);
            canvas.line((ends[0], ends[1]), (ends[2], ends[3]), Stroke::solid(2));
            for (x, y) in [(ends[0], ends[1]), (ends[2], ends[3])] {
                prop_assert_eq!(canvas.ink[y as usize * 20 + x as usize], 2);
            }
        }
    }
}
