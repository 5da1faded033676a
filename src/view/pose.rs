//! How an image is looked at: how large, which part, turned and mirrored how.
//!
//! A pose says nothing about the viewport, so that it survives a change of layout and can be sent to a colleague.
//! What comes from one may be any number: a [`Pose`] that makes no sense shows the whole image.
//!
//! Start with [`Pose::mapping`].

use super::mapping::{ImagePlane, Mapping, Size, fitting};
use crate::case::content::Point;

/// Least and largest zoom that can be asked for, in screen pixels for the distance of two columns.
pub const ZOOM_MIN: f64 = 1.0 / 256.0;
pub const ZOOM_MAX: f64 = 256.0;

/// How an image is turned and mirrored: turned clockwise first, then mirrored left to right, as DICOM's Image
/// Rotation (0070,0042) and Image Horizontal Flip (0070,0041) have it. Equal poses of the eight are equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Orientation {
    quarter_turns: u8,
    mirrored: bool,
}

impl Orientation {
    /// Any number of quarter turns clockwise, then mirrored left to right or not.
    pub fn new(quarter_turns: u32, mirrored: bool) -> Self {
        Self { quarter_turns: (quarter_turns % 4) as u8, mirrored }
    }

    /// Clockwise, 0 to 3.
    pub fn quarter_turns(self) -> u8 {
        self.quarter_turns
    }

    /// Whether it is mirrored left to right after the turn.
    pub fn is_mirrored(self) -> bool {
        self.mirrored
    }

    /// Whether rows of the image run down the screen.
    pub fn swaps_axes(self) -> bool {
        self.quarter_turns % 2 == 1
    }

    /// Turned once more, as seen on the screen.
    #[must_use]
    pub fn clockwise(self) -> Self {
        // Behind a mirror a turn goes the other way.
        let more = if self.mirrored { 3 } else { 1 };
        Self { quarter_turns: (self.quarter_turns + more) % 4, ..self }
    }

    #[must_use]
    pub fn anticlockwise(self) -> Self {
        self.clockwise().clockwise().clockwise()
    }

    /// Left and right of the screen changed.
    #[must_use]
    pub fn flipped_horizontally(self) -> Self {
        Self { mirrored: !self.mirrored, ..self }
    }

    /// Top and bottom of the screen changed.
    #[must_use]
    pub fn flipped_vertically(self) -> Self {
        Self { quarter_turns: (self.quarter_turns + 2) % 4, mirrored: !self.mirrored }
    }

    /// Where a share of the image's width and height comes to lie.
    pub(super) fn forward(self, across: f64, down: f64) -> (f64, f64) {
        let (x, y) = match self.quarter_turns {
            0 => (across, down),
            1 => (1.0 - down, across),
            2 => (1.0 - across, 1.0 - down),
            _ => (down, 1.0 - across),
        };
        (if self.mirrored { 1.0 - x } else { x }, y)
    }

    /// The inverse of [`Self::forward`].
    pub(super) fn back(self, x: f64, y: f64) -> (f64, f64) {
        let x = if self.mirrored { 1.0 - x } else { x };
        match self.quarter_turns {
            0 => (x, y),
            1 => (y, 1.0 - x),
            2 => (1.0 - x, 1.0 - y),
            _ => (1.0 - y, x),
        }
    }
}

/// How large an image is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Zoom {
    /// As large as the viewport allows.
    Fit,
    /// Screen pixels for the distance of two columns; 1 shows pixel for pixel.
    Factor(f64),
}

/// How an image is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    pub orientation: Orientation,
    pub zoom: Zoom,
    /// The point of the image in the middle of the viewport; without meaning while all of it is shown.
    pub centre: Point,
    /// Black for white.
    pub inverted: bool,
    /// Whether enlarged pixels blend into each other.
    pub smooth: bool,
}

impl Default for Pose {
    /// The whole image as it is stored.
    fn default() -> Self {
        Self {
            orientation: Orientation::default(),
            zoom: Zoom::Fit,
            centre: Point { column: 0.0, row: 0.0 },
            inverted: false,
            smooth: true,
        }
    }
}

impl Pose {
    /// Where the points of an image lie in a viewport; none if either is empty.
    pub fn mapping(&self, plane: &ImagePlane, viewport: Size) -> Option<Mapping> {
        match self.zoom_asked() {
            None => Mapping::of(self.orientation, plane, viewport, None, plane.middle()),
            zoom => Mapping::of(self.orientation, plane, viewport, zoom, plane.nearest(self.centre)),
        }
    }

    /// The factor that was asked for, within limits; none to show all.
    fn zoom_asked(&self) -> Option<f64> {
        match self.zoom {
            Zoom::Factor(factor) if factor.is_finite() && factor > 0.0 => Some(factor.clamp(ZOOM_MIN, ZOOM_MAX)),
            _ => None,
        }
    }

    /// Screen pixels for the distance of two columns, as it is in this viewport.
    pub fn zoom_in(&self, plane: &ImagePlane, viewport: Size) -> f64 {
        self.zoom_asked().unwrap_or_else(|| fitting(self.orientation, plane, viewport))
    }

    /// Shows the whole image.
    pub fn fit(&mut self) {
        self.zoom = Zoom::Fit;
    }

    /// Zooms to a factor; the point of the image at this place of the screen stays there.
    pub fn zoom_to(&mut self, factor: f64, at: (f64, f64), plane: &ImagePlane, viewport: Size) {
        let Some(now) = self.mapping(plane, viewport) else { return };
        let factor = if factor.is_finite() { factor.clamp(ZOOM_MIN, ZOOM_MAX) } else { return };
        let (x, y) = viewport.middle();
        // With the point in the middle, what lies as far on the other side of it is what belongs into the middle.
        let then = Mapping::of(self.orientation, plane, viewport, Some(factor), now.to_image(at.0, at.1));
        let Some(then) = then else { return };
        self.centre = plane.nearest(then.to_image(2.0 * x - at.0, 2.0 * y - at.1));
        self.zoom = Zoom::Factor(factor);
    }

    /// Zooms by a factor on what is shown now; the point at this place stays there.
    pub fn zoom_by(&mut self, factor: f64, at: (f64, f64), plane: &ImagePlane, viewport: Size) {
        self.zoom_to(self.zoom_in(plane, viewport) * factor, at, plane, viewport);
    }

    /// Moves the image over the screen by so many pixels. Its edges go no further than the middle of the viewport.
    pub fn pan(&mut self, right: f64, down: f64, plane: &ImagePlane, viewport: Size) {
        let Some(now) = self.mapping(plane, viewport) else { return };
        let (x, y) = viewport.middle();
        self.zoom = Zoom::Factor(self.zoom_in(plane, viewport));
        self.centre = plane.nearest(now.to_image(x - right, y - down));
    }

    pub fn turn_clockwise(&mut self) {
        self.orientation = self.orientation.clockwise();
    }

    pub fn turn_anticlockwise(&mut self) {
        self.orientation = self.orientation.anticlockwise();
    }

    pub fn flip_horizontally(&mut self) {
        self.orientation = self.orientation.flipped_horizontally();
    }

    pub fn flip_vertically(&mut self) {
        self.orientation = self.orientation.flipped_vertically();
    }

    pub fn invert(&mut self) {
        self.inverted = !self.inverted;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::study::geometry::{PixelsOnly, Scale, SpacingBasis};

    fn plane(columns: u32, rows: u32, aspect: f64) -> ImagePlane {
        ImagePlane::new(columns, rows, &Scale::Pixels { aspect, why: PixelsOnly::NoSpacing })
    }

    fn at(column: f64, row: f64) -> Point {
        Point { column, row }
    }

    fn near(a: (f64, f64), b: (f64, f64), far: f64) -> bool {
        (a.0 - b.0).abs() <= far && (a.1 - b.1).abs() <= far
    }

    fn orientations() -> impl Iterator<Item = Orientation> {
        (0..8).map(|n| Orientation::new(n, n >= 4))
    }

    const SQUARE: Size = Size { width: 100, height: 100 };

    #[test]
    fn a_fitting_image_fills_the_viewport_in_one_direction_and_lies_in_the_middle_of_the_other() {
        let mapping = Pose::default().mapping(&plane(50, 25, 1.0), SQUARE).unwrap();
        assert_eq!((mapping.origin(), mapping.size()), ((0, 25), Size { width: 100, height: 50 }));
        assert_eq!(mapping.to_screen(at(-0.5, -0.5)), (0.0, 25.0));
        assert_eq!(mapping.to_screen(at(0.0, 0.0)), (1.0, 26.0));
        assert_eq!(mapping.to_screen(at(49.5, 24.5)), (100.0, 75.0));
    }

    #[test]
    fn pixels_that_are_twice_as_high_are_shown_so() {
        let scale =
            Scale::Millimetres { between_columns_mm: 0.5, between_rows_mm: 1.0, basis: SpacingBasis::InPatient };
        let plane = ImagePlane::new(20, 20, &scale);
        assert_eq!(Pose::default().mapping(&plane, SQUARE).unwrap().size(), Size { width: 50, height: 100 });
        let mut pose = Pose::default();
        pose.turn_clockwise();
        assert_eq!(pose.mapping(&plane, SQUARE).unwrap().size(), Size { width: 100, height: 50 });
        pose.zoom = Zoom::Factor(1.0);
        assert_eq!(pose.mapping(&plane, SQUARE).unwrap().size(), Size { width: 40, height: 20 });
    }

    #[test]
    fn turns_are_clockwise_and_mirrors_change_left_and_right() {
        // Where the first pixel of a 4 x 2 image comes to lie, in a viewport of its own size.
        let first = |orientation: Orientation| {
            let pose = Pose { orientation, zoom: Zoom::Factor(1.0), centre: at(1.5, 0.5), ..Pose::default() };
            pose.mapping(&plane(4, 2, 1.0), Size { width: 4, height: 4 }).unwrap().to_screen(at(0.0, 0.0))
        };
        let upright = Orientation::default();
        assert_eq!(first(upright), (0.5, 1.5));
        assert_eq!(first(upright.clockwise()), (2.5, 0.5));
        assert_eq!(first(upright.clockwise().clockwise()), (3.5, 2.5));
        assert_eq!(first(upright.anticlockwise()), (1.5, 3.5));
        assert_eq!(first(upright.flipped_horizontally()), (3.5, 1.5));
        assert_eq!(first(upright.flipped_vertically()), (0.5, 2.5));
        assert_eq!(first(upright.clockwise().flipped_horizontally()), (1.5, 0.5));
        assert_eq!(first(upright.flipped_horizontally().clockwise()), (2.5, 3.5));
    }

    #[test]
    fn whatever_is_done_on_the_screen_is_undone_there() {
        for start in orientations() {
            assert_eq!(start.clockwise().clockwise().clockwise().clockwise(), start);
            assert_eq!(start.clockwise().anticlockwise(), start);
            assert_eq!(start.flipped_horizontally().flipped_horizontally(), start);
            assert_eq!(start.flipped_vertically().flipped_vertically(), start);
            // Both mirrors are half a turn.
            assert_eq!(start.flipped_horizontally().flipped_vertically(), start.clockwise().clockwise());
        }
    }

    #[test]
    fn what_is_shown_with_fewer_dots_than_pixels_is_reduced() {
        let shown = |columns, aspect, zoom| {
            let pose = Pose { zoom: Zoom::Factor(zoom), ..Pose::default() };
            pose.mapping(&plane(columns, columns, aspect), SQUARE).unwrap()
        };
        assert_eq!(shown(100, 1.0, 1.0).reduction(SQUARE), None);
        assert_eq!(shown(100, 1.0, 0.5).reduction(SQUARE), Some(2.0));
        // The worse direction counts.
        assert_eq!(shown(100, 0.25, 1.0).reduction(SQUARE), Some(4.0));
        assert_eq!([0.5, 1.0, 1.02].map(|zoom| shown(100, 1.0, zoom).is_enlarged()), [false, false, true]);
        assert!(shown(100, 4.0, 0.5).is_enlarged());
        assert_eq!(shown(100, 4.0, 0.5).reduction(SQUARE), Some(2.0));
        // The same on cells of 10 x 20 pixels: 10 x 10 dots.
        assert_eq!(shown(100, 1.0, 1.0).reduction(Size { width: 10, height: 10 }), Some(10.0));
        assert_eq!(shown(100, 1.0, 4.0).reduction(Size { width: 10, height: 10 }), Some(2.5));
    }

    #[test]
    fn panning_stops_when_the_edge_is_in_the_middle() {
        let plane = plane(200, 200, 1.0);
        let mut pose = Pose { zoom: Zoom::Factor(2.0), centre: at(100.0, 100.0), ..Pose::default() };
        pose.pan(-20.0, 10.0, &plane, SQUARE);
        assert_eq!(pose.centre, at(110.0, 95.0));
        pose.pan(1e300, -1e300, &plane, SQUARE);
        assert_eq!(pose.centre, at(-0.5, 199.5));
        assert_eq!(pose.mapping(&plane, SQUARE).unwrap().origin(), (50, -350));
    }

    #[test]
    fn numbers_that_make_no_sense_show_the_whole_image() {
        let plane = plane(64, 64, 1.0);
        let whole = Pose::default().mapping(&plane, SQUARE);
        for factor in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            let pose = Pose { zoom: Zoom::Factor(factor), centre: at(f64::NAN, 1e300), ..Pose::default() };
            assert_eq!(pose.mapping(&plane, SQUARE), whole);
        }
        let mut pose = Pose { zoom: Zoom::Factor(1.0), centre: at(31.5, 31.5), ..Pose::default() };
        let before = pose;
        pose.zoom_by(f64::NAN, (0.0, 0.0), &plane, SQUARE);
        assert_eq!(pose, before);
        assert_eq!(Pose::default().mapping(&self::plane(0, 64, 1.0), SQUARE), None);
        assert_eq!(Pose::default().mapping(&plane, Size { width: 0, height: 9 }), None);
        for aspect in [f64::NAN, 0.0, -1.0, 1e9, f64::INFINITY] {
            assert_eq!(self::plane(64, 64, aspect).aspect(), 1.0, "{aspect}");
        }
    }

    #[test]
    fn the_longest_line_still_has_a_pixel() {
        let mapping = Pose::default().mapping(&plane(65_535, 1, 0.01), SQUARE).unwrap();
        assert_eq!(mapping.size(), Size { width: 100, height: 1 });
    }

    fn any_pose() -> impl Strategy<Value = (Pose, ImagePlane, Size)> {
        let pose = (0u32..8, 0.01f64..60.0, any::<bool>(), -9.0f64..3000.0, -9.0f64..3000.0);
        let plane = (1u32..3000, 1u32..3000, 0.2f64..5.0).prop_map(|(c, r, aspect)| super::tests::plane(c, r, aspect));
        let viewport = (1u32..3000, 1u32..3000).prop_map(|(width, height)| Size { width, height });
        (pose, plane, viewport).prop_map(|((n, factor, fit, column, row), plane, viewport)| {
            let zoom = if fit { Zoom::Fit } else { Zoom::Factor(factor) };
            let orientation = Orientation::new(n, n >= 4);
            (Pose { orientation, zoom, centre: at(column, row), ..Pose::default() }, plane, viewport)
        })
    }

    proptest! {
        #[test]
        fn a_point_comes_back_from_the_screen(
            (pose, plane, viewport) in any_pose(), column in -10f64..4000.0, row in -10f64..4000.0,
        ) {
            let mapping = pose.mapping(&plane, viewport).unwrap();
            let (x, y) = mapping.to_screen(at(column, row));
            let back = mapping.to_image(x, y);
            prop_assert!(near((back.column, back.row), (column, row), 1e-6 * (1.0 + column.abs() + row.abs())));
        }

        #[test]
        fn the_point_under_the_pointer_stays_there(
            (pose, plane, viewport) in any_pose(), (x, y) in (0f64..1.0, 0f64..1.0), factor in 0.3f64..3.0,
        ) {
            let mut pose = pose;
            let now = pose.mapping(&plane, viewport).unwrap();
            let pointer = (x * f64::from(viewport.width), y * f64::from(viewport.height));
            let point = now.to_image(pointer.0, pointer.1);
            pose.zoom_by(factor, pointer, &plane, viewport);
            let then = pose.mapping(&plane, viewport).unwrap();
            // Unless the edge of the image holds it back; sizes are whole pixels, so it may be a pixel off.
            let clamped = [-0.5, f64::from(plane.columns) - 0.5].contains(&pose.centre.column)
                || [-0.5, f64::from(plane.rows) - 0.5].contains(&pose.centre.row);
            let held = clamped || !plane.holds(point);
            prop_assert!(held || near(then.to_screen(point), pointer, 1.5), "{:?}", then.to_screen(point));
        }

        #[test]
        fn no_number_brings_the_mapping_down(
            factor: f64, column: f64, row: f64, aspect: f64, columns: u32, rows: u32, width: u32, height: u32,
            dx: f64, dy: f64,
        ) {
            let plane = plane(columns % 65_536, rows % 65_536, aspect);
            let viewport = Size::viewport(width, height);
            let mut pose = Pose { zoom: Zoom::Factor(factor), centre: at(column, row), ..Pose::default() };
            pose.pan(dx, dy, &plane, viewport);
            pose.zoom_by(dx, (dx, dy), &plane, viewport);
            if let Some(mapping) = pose.mapping(&plane, viewport) {
                let (left, top) = mapping.origin();
                let size = mapping.size();
                prop_assert!(left <= i64::from(viewport.width) && left + i64::from(size.width) >= 0);
                prop_assert!(top <= i64::from(viewport.height) && top + i64::from(size.height) >= 0);
                prop_assert!(mapping.dots_per_pixel(viewport) > 0.0);
            }
        }
    }
}
