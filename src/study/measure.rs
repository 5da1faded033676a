//! What a mark measures: its value, the unit, and what the number rests on.
//!
//! Promise 8: no number without its basis, and none where the header does not allow it. Author and members run
//! the same function over the same pixels, so a mark's stated value can be checked by everybody who has the image.
//!
//! | shape | points | value | beside it |
//! |---|---|---|---|
//! | probe | 1 | modality value of the pixel it is in | |
//! | length | 2 | distance | |
//! | angle | 3, the second is the vertex | 0 to 180 deg | |
//! | Cobb | 4, two lines | the smaller angle between them, 0 to 90 deg | |
//! | bidirectional | 4, two axes | the longer one | the shorter one |
//! | ellipse | 4, ends of the major, then of the minor axis, as in SR | mean | statistics, area, perimeter |
//! | rectangle | 2 opposite corners | mean | statistics, area, perimeter |
//! | freehand | 3 or more corners, closed by itself | mean | statistics, area, perimeter |
//! | arrow | 2, text 1, key image none | none | |
//!
//! **Inclusion.** A pixel belongs to a region if its centre, a whole number of columns and rows, lies inside; centres
//! on the edge of a rectangle or an ellipse belong to it, of those on a freehand outline the left and upper ones.
//! Padding and values that are no numbers are left out of the statistics and counted. Areas and perimeters are the
//! outline's, not a sum of pixels. Standard deviations are those of the population (divided by n).
//!
//! Angles are true: computed in millimetres, or with the pixel aspect ratio where there are none.
//!
//! Colour has no scale that a mean could be in, so there regions measure their area only.

use super::geometry::{Scale, spacing};
use super::pixels::{Frame, Image, NoSuv, PixelError, SUVBW, Suv};
use crate::case::content::{MARK_POINTS_MAX, Measured, Point, Shape};

/// UCUM code of a distance in pixels, and of an area counted in them.
pub const PIXELS: &str = "{pixels}";

/// How far the middles of an ellipse's axes may be apart, in pixels: what a click can miss.
const ELLIPSE_MIDDLES_PIXELS_MAX: f64 = 1.0;

/// Cosine of the angle between an ellipse's axes: within 3 degrees of a right one.
const ELLIPSE_COSINE_MAX: f64 = 0.05;

/// Rounding that a centre on the edge of an ellipse may suffer, relative to its size.
const EDGE_TOLERANCE: f64 = 1e-9;

/// What a mark measures.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The value that goes into the mark; `None` for arrows, text, key images, and values of colour images.
    pub measured: Option<Measured>,
    pub extra: Extra,
}

/// What is shown beside a mark's value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extra {
    pub short_axis: Option<Measured>,
    pub statistics: Option<Statistics>,
    pub area: Option<Measured>,
    pub perimeter: Option<Measured>,
    /// How values of a PET image become SUVs, or why they cannot; nothing for other images.
    pub suv: Option<Result<Suv, NoSuv>>,
}

/// Statistics of a region, in the unit of its mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Pixels counted.
    pub count: u64,
    /// Pixels inside that are padding or no numbers.
    pub left_out: u64,
    pub mean: f64,
    pub standard_deviation: f64,
    pub minimum: f64,
    pub maximum: f64,
}

/// Measures a mark on one frame, counted from 1, of a DICOM file.
pub fn measure(file: &[u8], frame: u32, shape: Shape, points: &[Point]) -> Result<Measurement, MeasureError> {
    measure_in(&Image::read(file)?, frame, shape, points)
}

/// Measures a mark on one frame, counted from 1, of an image that is read already.
pub fn measure_in(image: &Image<'_>, frame: u32, shape: Shape, points: &[Point]) -> Result<Measurement, MeasureError> {
    image.check_frame(frame)?;
    let (least, most) = points_needed(shape);
    if !(least..=most).contains(&points.len()) {
        return Err(MeasureError::Points { least, most, given: points.len() });
    }
    let (rows, columns) = (image.description().rows, image.description().columns);
    let inside = |point: &&Point| {
        let within = |at: f64, length: u32| (-0.5..=f64::from(length) - 0.5).contains(&at);
        within(point.column, columns) && within(point.row, rows)
    };
    if let Some(&Point { column, row }) = points.iter().find(|point| !inside(point)) {
        return Err(MeasureError::Outside { column, row, columns, rows });
    }
    let plane = Plane { scale: spacing(image.header(), frame, points) };
    let only = |measured| Ok(Measurement { measured, extra: Extra::default() });
    match (shape, points) {
        (Shape::Probe, [at]) => {
            let frame = image.frame(frame)?;
            Ok(Measurement {
                measured: probe(image, &frame, at),
                extra: Extra { suv: suv(&frame), ..Extra::default() },
            })
        }
        (Shape::Length, [a, b]) => only(Some(plane.length(plane.distance(*a, *b)?))),
        (Shape::Angle, [a, vertex, b]) => {
            let (cross, dot) = plane.turn((*vertex, *a), (*vertex, *b))?;
            only(Some(plane.angle(cross.atan2(dot), "angle at the second point")))
        }
        (Shape::Cobb, [a, b, c, d]) => {
            let (cross, dot) = plane.turn((*a, *b), (*c, *d))?;
            only(Some(plane.angle(cross.atan2(dot.abs()), "smaller angle between the two lines")))
        }
        (Shape::Bidirectional, [a, b, c, d]) => {
            let (first, second) = (plane.distance(*a, *b)?, plane.distance(*c, *d)?);
            let short_axis = Some(plane.length(first.min(second)));
            let measured = Some(plane.length(first.max(second)));
            Ok(Measurement { measured, extra: Extra { short_axis, ..Extra::default() } })
        }
        (Shape::Ellipse | Shape::Rectangle | Shape::Freehand, _) => region(image, frame, &plane, shape, points),
        _ => only(None),
    }
}

/// Least and most points of a shape.
pub fn points_needed(shape: Shape) -> (usize, usize) {
    match shape {
        Shape::KeyImage => (0, 0),
        Shape::Probe | Shape::Text => (1, 1),
        Shape::Length | Shape::Rectangle | Shape::Arrow => (2, 2),
        Shape::Angle => (3, 3),
        Shape::Cobb | Shape::Bidirectional | Shape::Ellipse => (4, 4),
        Shape::Freehand => (3, MARK_POINTS_MAX),
    }
}

/// Whether these are the ends of two axes of an ellipse, as far as anybody can click them.
pub fn is_ellipse(ends: [Point; 4]) -> bool {
    Outline::of(Shape::Ellipse, &ends).is_ok()
}

/// A UCUM code as a person writes it.
pub fn shown_unit(ucum: &str) -> &str {
    match ucum {
        "[hnsf'U]" => "HU",
        "deg" => "°",
        "mm2" => "mm²",
        SUVBW => "SUVbw",
        PIXELS => "px",
        "{counts}" => "counts",
        "m{OD}" => "OD/1000",
        "1" => "",
        same => same,
    }
}

/// The image plane with its scale.
struct Plane {
    scale: Scale,
}

impl Plane {
    /// Sizes of a pixel across and down, in what lengths are shown in.
    fn pixel(&self) -> (f64, f64) {
        match self.scale {
            Scale::Millimetres { between_columns_mm, between_rows_mm, .. } => (between_columns_mm, between_rows_mm),
            Scale::Pixels { .. } => (1.0, 1.0),
        }
    }

    fn distance(&self, a: Point, b: Point) -> Result<f64, MeasureError> {
        let (across, down) = self.pixel();
        let distance = ((b.column - a.column) * across).hypot((b.row - a.row) * down);
        if distance > 0.0 { Ok(distance) } else { Err(MeasureError::Coincide) }
    }

    /// Sine and cosine, times the lengths, of the angle between two directions as they are in the patient.
    fn turn(&self, first: (Point, Point), second: (Point, Point)) -> Result<(f64, f64), MeasureError> {
        let (across, down) = match self.scale {
            Scale::Pixels { aspect, .. } => (1.0, aspect),
            Scale::Millimetres { .. } => self.pixel(),
        };
        let direction = |(from, to): (Point, Point)| {
            let (x, y) = ((to.column - from.column) * across, (to.row - from.row) * down);
            if x == 0.0 && y == 0.0 { Err(MeasureError::Coincide) } else { Ok((x, y)) }
        };
        let ((ax, ay), (bx, by)) = (direction(first)?, direction(second)?);
        Ok(((ax * by - ay * bx).abs(), ax * bx + ay * by))
    }

    fn length(&self, value: f64) -> Measured {
        let unit = if self.is_millimetres() { "mm" } else { PIXELS };
        Measured { value, unit: unit.to_string(), basis: self.basis() }
    }

    fn area(&self, pixels: f64) -> Measured {
        let (across, down) = self.pixel();
        let unit = if self.is_millimetres() { "mm2" } else { PIXELS };
        Measured { value: pixels * across * down, unit: unit.to_string(), basis: self.basis() }
    }

    fn angle(&self, radians: f64, which: &str) -> Measured {
        let shape = match self.scale {
            Scale::Millimetres { .. } => String::new(),
            Scale::Pixels { aspect: 1.0, .. } => ", pixels taken as square".to_string(),
            Scale::Pixels { aspect, .. } => format!(", pixel aspect ratio {aspect}"),
        };
        Measured { value: radians.to_degrees(), unit: "deg".to_string(), basis: format!("{which}{shape}") }
    }

    fn is_millimetres(&self) -> bool {
        matches!(self.scale, Scale::Millimetres { .. })
    }

    fn basis(&self) -> String {
        match self.scale {
            Scale::Millimetres { between_columns_mm, between_rows_mm, basis } => {
                format!("{} {between_rows_mm} x {between_columns_mm} mm", basis.shown())
            }
            Scale::Pixels { why, .. } => why.shown().to_string(),
        }
    }
}

/// The value of the pixel that a point is in.
fn probe(image: &Image<'_>, frame: &Frame, at: &Point) -> Option<Measured> {
    let nearest = |at: f64, length: u32| (at + 0.5).floor().clamp(0.0, f64::from(length - 1)) as u32;
    let value = frame.modality_at(nearest(at.column, frame.columns()), nearest(at.row, frame.rows()))?;
    Some(value_measured(image, frame, value, "one pixel"))
}

fn value_measured(image: &Image<'_>, frame: &Frame, value: f64, of: &str) -> Measured {
    let lossy = if image.lossy() { ", lossy compressed" } else { "" };
    let basis = format!("{of}, {}{lossy}", frame.value_basis());
    Measured { value, unit: frame.unit().ucum().to_string(), basis }
}

fn suv(frame: &Frame) -> Option<Result<Suv, NoSuv>> {
    match frame.suv() {
        Err(NoSuv::NotPet) => None,
        found => Some(found.cloned().map_err(Clone::clone)),
    }
}

fn region(
    image: &Image<'_>,
    frame: u32,
    plane: &Plane,
    shape: Shape,
    points: &[Point],
) -> Result<Measurement, MeasureError> {
    let outline = Outline::of(shape, points)?;
    let area = Some(plane.area(outline.area_pixels()));
    let perimeter = Some(plane.length(outline.perimeter(plane.pixel())));
    let frame = image.frame(frame)?;
    let statistics = match frame.photometric().is_grey() {
        true => Some(statistics(&frame, &outline).ok_or(MeasureError::EnclosesNothing)?),
        false => None,
    };
    let measured = statistics.map(|statistics| {
        let pixels = if statistics.count == 1 { "pixel" } else { "pixels" };
        value_measured(image, &frame, statistics.mean, &format!("mean of {} {pixels}", statistics.count))
    });
    Ok(Measurement { measured, extra: Extra { short_axis: None, statistics, area, perimeter, suv: suv(&frame) } })
}

/// A closed outline, in pixels.
enum Outline {
    /// Middle, and from there to an end of either axis.
    Ellipse {
        middle: Point,
        major: (f64, f64),
        minor: (f64, f64),
    },
    Rectangle {
        low: Point,
        high: Point,
    },
    Polygon(Vec<Point>),
}

impl Outline {
    fn of(shape: Shape, points: &[Point]) -> Result<Self, MeasureError> {
        match (shape, points) {
            (Shape::Ellipse, &[a, b, c, d]) => {
                let half = |from: Point, to: Point| ((to.column - from.column) / 2.0, (to.row - from.row) / 2.0);
                let middle = |from: Point, to: Point| Point {
                    column: (from.column + to.column) / 2.0,
                    row: (from.row + to.row) / 2.0,
                };
                let (major, minor, middle, other) = (half(a, b), half(c, d), middle(a, b), middle(c, d));
                let lengths = major.0.hypot(major.1) * minor.0.hypot(minor.1);
                if lengths == 0.0 {
                    return Err(MeasureError::Coincide);
                }
                let apart = (middle.column - other.column).hypot(middle.row - other.row);
                let cosine = (major.0 * minor.0 + major.1 * minor.1) / lengths;
                match apart <= ELLIPSE_MIDDLES_PIXELS_MAX && cosine.abs() <= ELLIPSE_COSINE_MAX {
                    true => Ok(Self::Ellipse { middle, major, minor }),
                    false => Err(MeasureError::EllipseAxes),
                }
            }
            (Shape::Rectangle, &[a, b]) => {
                let low = Point { column: a.column.min(b.column), row: a.row.min(b.row) };
                let high = Point { column: a.column.max(b.column), row: a.row.max(b.row) };
                match low.column < high.column && low.row < high.row {
                    true => Ok(Self::Rectangle { low, high }),
                    false => Err(MeasureError::Coincide),
                }
            }
            _ if crosses_itself(points) => Err(MeasureError::CrossesItself),
            _ => {
                let outline = Self::Polygon(points.to_vec());
                if outline.area_pixels() > 0.0 { Ok(outline) } else { Err(MeasureError::Coincide) }
            }
        }
    }

    fn holds(&self, column: f64, row: f64) -> bool {
        match self {
            Self::Ellipse { middle, major, minor } => {
                let (x, y) = (column - middle.column, row - middle.row);
                let whole = cross(*major, *minor);
                let (along, beside) = (cross((x, y), *minor) / whole, cross(*major, (x, y)) / whole);
                along * along + beside * beside <= 1.0 + EDGE_TOLERANCE
            }
            Self::Rectangle { low, high } => {
                (low.column..=high.column).contains(&column) && (low.row..=high.row).contains(&row)
            }
            Self::Polygon(corners) => {
                let crossed = sides(corners).filter(|(a, b)| {
                    (a.row > row) != (b.row > row)
                        && column < (b.column - a.column) * (row - a.row) / (b.row - a.row) + a.column
                });
                crossed.count() % 2 == 1
            }
        }
    }

    /// Lowest and highest column and row that a pixel inside can have.
    fn bounds(&self) -> (Point, Point) {
        match self {
            Self::Ellipse { middle, major, minor } => {
                let reach = (major.0.hypot(minor.0), major.1.hypot(minor.1));
                let at = |sign: f64| Point { column: middle.column + sign * reach.0, row: middle.row + sign * reach.1 };
                (at(-1.0), at(1.0))
            }
            Self::Rectangle { low, high } => (*low, *high),
            Self::Polygon(corners) => {
                let fold = |start: f64, pick: fn(f64, f64) -> f64| Point {
                    column: corners.iter().map(|corner| corner.column).fold(start, pick),
                    row: corners.iter().map(|corner| corner.row).fold(start, pick),
                };
                (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max))
            }
        }
    }

    fn area_pixels(&self) -> f64 {
        match self {
            Self::Ellipse { major, minor, .. } => std::f64::consts::PI * cross(*major, *minor).abs(),
            Self::Rectangle { low, high } => (high.column - low.column) * (high.row - low.row),
            Self::Polygon(corners) => {
                sides(corners).map(|(a, b)| a.column * b.row - b.column * a.row).sum::<f64>().abs() / 2.0
            }
        }
    }

    fn perimeter(&self, (across, down): (f64, f64)) -> f64 {
        match self {
            Self::Ellipse { major, minor, .. } => {
                let (u, v) = ((major.0 * across, major.1 * down), (minor.0 * across, minor.1 * down));
                // The half axes as they are in the patient: u and v are conjugate half diameters (Apollonius).
                let (squares, area) = (u.0.powi(2) + u.1.powi(2) + v.0.powi(2) + v.1.powi(2), cross(u, v).abs());
                let sum = (squares + 2.0 * area).sqrt();
                let difference = (squares - 2.0 * area).max(0.0).sqrt();
                // Ramanujan's second approximation: exact to 1e-4 for any medical ellipse.
                let h = 3.0 * (difference / sum).powi(2);
                std::f64::consts::PI * sum * (1.0 + h / (10.0 + (4.0 - h).sqrt()))
            }
            Self::Rectangle { low, high } => 2.0 * ((high.column - low.column) * across + (high.row - low.row) * down),
            Self::Polygon(corners) => {
                sides(corners).map(|(a, b)| ((b.column - a.column) * across).hypot((b.row - a.row) * down)).sum()
            }
        }
    }
}

fn cross(a: (f64, f64), b: (f64, f64)) -> f64 {
    a.0 * b.1 - a.1 * b.0
}

/// The sides of a closed polygon.
fn sides(corners: &[Point]) -> impl Iterator<Item = (Point, Point)> + '_ {
    corners.iter().zip(corners.iter().cycle().skip(1)).map(|(a, b)| (*a, *b))
}

/// Whether two sides that do not follow each other meet. At most [`MARK_POINTS_MAX`] squared comparisons.
fn crosses_itself(corners: &[Point]) -> bool {
    let sides: Vec<(Point, Point)> = sides(corners).collect();
    let count = sides.len();
    sides.iter().enumerate().any(|(i, first)| {
        let others = sides.iter().enumerate().skip(i + 2).filter(|(j, _)| (j + 1) % count != i);
        others.into_iter().any(|(_, second)| meet(*first, *second))
    })
}

fn meet((a, b): (Point, Point), (c, d): (Point, Point)) -> bool {
    let side = |a: Point, b: Point, p: Point| {
        cross((b.column - a.column, b.row - a.row), (p.column - a.column, p.row - a.row))
    };
    let apart = |p: f64, q: f64| (p > 0.0 && q > 0.0) || (p < 0.0 && q < 0.0);
    let straddle = !apart(side(a, b, c), side(a, b, d)) && !apart(side(c, d, a), side(c, d, b));
    let overlap = |a: f64, b: f64, c: f64, d: f64| a.min(b) <= c.max(d) && c.min(d) <= a.max(b);
    straddle && overlap(a.column, b.column, c.column, d.column) && overlap(a.row, b.row, c.row, d.row)
}

fn statistics(frame: &Frame, outline: &Outline) -> Option<Statistics> {
    let (low, high) = outline.bounds();
    // Clamped to the image, whose sides have at most 65,535 pixels; one more for rounding at the edge.
    let range = |low: f64, high: f64, length: u32| {
        let clamped = |at: f64| at.clamp(0.0, f64::from(length - 1)) as u32;
        clamped(low.floor())..=clamped(high.ceil())
    };
    let mut values = Vec::new();
    let mut left_out = 0;
    for row in range(low.row, high.row, frame.rows()) {
        for column in range(low.column, high.column, frame.columns()) {
            if outline.holds(f64::from(column), f64::from(row)) {
                match frame.modality_at(column, row) {
                    Some(value) => values.push(value),
                    None => left_out += 1,
                }
            }
        }
    }
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    Some(Statistics {
        count: values.len() as u64,
        left_out,
        mean,
        standard_deviation: variance.sqrt(),
        minimum: values.iter().copied().fold(f64::INFINITY, f64::min),
        maximum: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// Why nothing can be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MeasureError {
    #[error(transparent)]
    Pixels(#[from] PixelError),
    #[error("{given} points were given; this kind of mark needs {}", number_of_points(*least, *most))]
    Points { least: usize, most: usize, given: usize },
    #[error("the point {column},{row} is outside the image, which has {columns} columns and {rows} rows")]
    Outside { column: f64, row: f64, columns: u32, rows: u32 },
    #[error("points fall together, so that there is nothing to measure between them")]
    Coincide,
    #[error("the axes of an ellipse must cross in their middles at right angles")]
    EllipseAxes,
    #[error("the outline crosses itself")]
    CrossesItself,
    #[error("the outline encloses no pixel that has a value")]
    EnclosesNothing,
}

fn number_of_points(least: usize, most: usize) -> String {
    match (least, most) {
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    }
}

#[cfg(test)]
mod tests;
