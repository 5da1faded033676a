//! Where the points of an image lie in a viewport, and back.
//!
//! **Places.** Points of the image are column, row with (0,0) the centre of its first pixel, so that its edges lie at
//! -0.5. Places on the screen are in pixels from the top left corner of the viewport, edges at whole numbers: the
//! first pixel reaches from 0 to 1.
//!
//! **Whole pixels.** The whole image begins and ends between screen pixels, at most half a pixel off. Picture, ink and
//! pointer then agree exactly, and one image pixel on one screen pixel needs no scaling.
//!
//! A [`Mapping`] comes of [`super::pose::Pose::mapping`].

use super::pose::Orientation;
use crate::case::content::Point;
use crate::study::geometry::Scale;

/// Longest side of a viewport, in screen pixels.
pub const VIEWPORT_PX_MAX: u32 = 16_384;

/// Least and largest distance of rows over that of columns that is believed.
const ASPECT_MIN: f64 = 0.01;
const ASPECT_MAX: f64 = 100.0;

/// A reduction that is less than rounding to whole screen pixels may bring is none.
const REDUCTION_TOLERANCE: f64 = 5e-4;

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl Size {
    /// A viewport of this size, cut to [`VIEWPORT_PX_MAX`].
    pub fn viewport(width: u32, height: u32) -> Self {
        Self { width: width.min(VIEWPORT_PX_MAX), height: height.min(VIEWPORT_PX_MAX) }
    }

    pub fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    pub(super) fn middle(self) -> (f64, f64) {
        (f64::from(self.width) / 2.0, f64::from(self.height) / 2.0)
    }
}

/// The pixels of an image and their shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImagePlane {
    pub columns: u32,
    pub rows: u32,
    /// Distance of rows over that of columns.
    aspect: f64,
}

impl ImagePlane {
    /// Pixels whose shape is beyond belief are taken as square.
    pub fn new(columns: u32, rows: u32, scale: &Scale) -> Self {
        let aspect = match scale {
            Scale::Millimetres { between_columns_mm, between_rows_mm, .. } => between_rows_mm / between_columns_mm,
            Scale::Pixels { aspect, .. } => *aspect,
        };
        let believable = (ASPECT_MIN..=ASPECT_MAX).contains(&aspect);
        Self { columns, rows, aspect: if believable { aspect } else { 1.0 } }
    }

    pub fn aspect(&self) -> f64 {
        self.aspect
    }

    /// Whether a point lies on one of its pixels.
    pub fn holds(&self, point: Point) -> bool {
        let within = |at: f64, length: u32| (-0.5..=f64::from(length) - 0.5).contains(&at);
        within(point.column, self.columns) && within(point.row, self.rows)
    }

    /// The point of the image that is nearest to this one; its middle for what is no point.
    pub fn nearest(&self, point: Point) -> Point {
        let within = |at: f64, length: u32| match at.is_nan() {
            true => f64::from(length) / 2.0 - 0.5,
            // Lengths are at least 0, so that the bounds are in order.
            false => at.clamp(-0.5, f64::from(length) - 0.5),
        };
        Point { column: within(point.column, self.columns), row: within(point.row, self.rows) }
    }

    pub(super) fn middle(&self) -> Point {
        Point { column: f64::from(self.columns) / 2.0 - 0.5, row: f64::from(self.rows) / 2.0 - 0.5 }
    }
}

/// The factor with which all of an image is shown.
pub(super) fn fitting(orientation: Orientation, plane: &ImagePlane, viewport: Size) -> f64 {
    let (wide, high) = (f64::from(plane.columns), f64::from(plane.rows) * plane.aspect);
    let (wide, high) = if orientation.swaps_axes() { (high, wide) } else { (wide, high) };
    (f64::from(viewport.width) / wide).min(f64::from(viewport.height) / high)
}

/// Where the points of an image lie in a viewport, and back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mapping {
    plane: ImagePlane,
    viewport: Size,
    orientation: Orientation,
    /// Where the whole image lies on the screen, turned; most of it may be outside the viewport.
    left: i64,
    top: i64,
    size: Size,
}

impl Mapping {
    pub(super) fn of(
        orientation: Orientation,
        plane: &ImagePlane,
        viewport: Size,
        zoom: Option<f64>,
        centre: Point,
    ) -> Option<Self> {
        if viewport.is_empty() || plane.columns == 0 || plane.rows == 0 {
            return None;
        }
        let factor = zoom.unwrap_or_else(|| fitting(orientation, plane, viewport));
        // With the limits of zoom and aspect at most 65,535 * 256 * 100; what fits is smaller than the viewport.
        let pixels = |length: u32, step: f64| (f64::from(length) * step).round().clamp(1.0, f64::from(u32::MAX)) as u32;
        let (wide, high) = (pixels(plane.columns, factor), pixels(plane.rows, factor * plane.aspect));
        let mut size = match orientation.swaps_axes() {
            true => Size { width: high, height: wide },
            false => Size { width: wide, height: high },
        };
        if zoom.is_none() {
            size = Size { width: size.width.min(viewport.width), height: size.height.min(viewport.height) };
        }
        let (across, down) = orientation.forward(share(centre.column, plane.columns), share(centre.row, plane.rows));
        let begins = |viewport: u32, size: u32, share: f64| {
            // Far within 64 bits: a share is from 0 to 1, or a few more for a pointer beside the image.
            (f64::from(viewport) / 2.0 - share * f64::from(size)).round() as i64
        };
        let left = begins(viewport.width, size.width, across);
        let top = begins(viewport.height, size.height, down);
        Some(Self { plane: *plane, viewport, orientation, left, top, size })
    }

    pub fn plane(&self) -> &ImagePlane {
        &self.plane
    }

    pub fn viewport(&self) -> Size {
        self.viewport
    }

    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// Size of the whole image on the screen, turned as it is.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Where the whole image begins, from the top left corner of the viewport.
    pub fn origin(&self) -> (i64, i64) {
        (self.left, self.top)
    }

    /// Where a point of the image lies on the screen, be it in the viewport or not.
    pub fn to_screen(&self, point: Point) -> (f64, f64) {
        let (across, down) =
            self.orientation.forward(share(point.column, self.plane.columns), share(point.row, self.plane.rows));
        let place = |begin: i64, size: u32, share: f64| begin as f64 + share * f64::from(size);
        (place(self.left, self.size.width, across), place(self.top, self.size.height, down))
    }

    /// The point of the image at a place of the screen; it may lie outside the image.
    pub fn to_image(&self, x: f64, y: f64) -> Point {
        let share = |at: f64, begin: i64, size: u32| (at - begin as f64) / f64::from(size);
        let (across, down) =
            self.orientation.back(share(x, self.left, self.size.width), share(y, self.top, self.size.height));
        Point { column: across * f64::from(self.plane.columns) - 0.5, row: down * f64::from(self.plane.rows) - 0.5 }
    }

    /// Columns of the image along the width of the screen, and rows along its height, or the other way round.
    pub(super) fn image_pixels(&self) -> Size {
        let (columns, rows) = (self.plane.columns, self.plane.rows);
        match self.orientation.swaps_axes() {
            true => Size { width: rows, height: columns },
            false => Size { width: columns, height: rows },
        }
    }

    /// Whether a pixel of the image has more than one of the screen, in either direction.
    pub fn is_enlarged(&self) -> bool {
        let image = self.image_pixels();
        self.size.width > image.width || self.size.height > image.height
    }

    /// Dots for a pixel of the image, in the direction where they are fewer. `dots` are those that the whole viewport
    /// has on the terminal: its screen pixels, or two a cell for pictures made of characters.
    pub fn dots_per_pixel(&self, dots: Size) -> f64 {
        let of = |size: u32, pixels: u32, dots: u32, viewport: u32| {
            f64::from(size) / f64::from(pixels) * f64::from(dots) / f64::from(viewport)
        };
        let (size, pixels, viewport) = (self.size, self.image_pixels(), self.viewport);
        let across = of(size.width, pixels.width, dots.width, viewport.width);
        across.min(of(size.height, pixels.height, dots.height, viewport.height))
    }

    /// How many pixels of the image share a dot along a line, if more than one does.
    pub fn reduction(&self, dots: Size) -> Option<f64> {
        let ratio = 1.0 / self.dots_per_pixel(dots);
        (ratio > 1.0 + REDUCTION_TOLERANCE).then_some(ratio)
    }
}

/// How much of the image's width or height lies before a point.
fn share(at: f64, length: u32) -> f64 {
    (at + 0.5) / f64::from(length)
}
