//! Reformats of a volume (MPR): any plane through it, thin or as a slab, as a grid of modality values.
//!
//! Axial, coronal and sagittal are the patient's own planes, however the series was acquired, and lie the way they are
//! always shown: the patient's right on the left, the head or the front above. [`Cut::planes`] lays them through the
//! volume one step apart; a [`Reformat`] is the picture of one. Its pixels are square and stand on voxels where the
//! series was acquired that way, so that nothing is blurred without need.
//!
//! Every value says what it is: interpolated, a maximum over a slab, or nothing, and then why. A slab in which a slice
//! is missing still shows the rest, and says so ([`Coverage::Partial`]). Colours do not come here: a volume is of
//! modality values, so that the window of the series applies and a probe reads numbers with their unit.
//!
//! The loops are in `rows`, the window in `picture`.

mod picture;
mod rows;
#[cfg(test)]
mod tests;

use std::fmt;

use self::rows::Rows;
use super::stack::Stack;
use super::volume::{Sample, Volume};
use crate::case::content::Point;
use crate::study::pixels::Unit;
use crate::study::plane::{Plane, PlaneError, Vector, dot, minus, plus, times};

/// Most pixels of a reformat's side; a larger one gets larger pixels.
pub const SIDE_PX_MAX: u32 = 4096;

/// Most planes of one direction; more lie further apart.
pub const PLANES_MAX: u32 = 4096;

/// Thickest slab, in mm.
pub const SLAB_MM_MAX: f64 = 1000.0;

/// Most sheets of a slab.
pub const SLAB_SHEETS_MAX: usize = 1024;

/// Rounding when an extent is divided into steps, in steps.
const ROUNDING_STEPS: f64 = 1e-6;

/// Slabs whose normal is this near to the stack's are sampled on the slices themselves: cosine of a tenth of a degree.
const ON_SLICES_COSINE_MIN: f64 = 0.999_998;

/// The direction in which a volume is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Axial,
    Coronal,
    Sagittal,
    /// As the series was acquired.
    Acquisition,
}

impl Cut {
    pub fn name(self) -> &'static str {
        match self {
            Self::Axial => "axial",
            Self::Coronal => "coronal",
            Self::Sagittal => "sagittal",
            Self::Acquisition => "as acquired",
        }
    }

    /// Towards the right edge, towards the bottom edge, and from one plane to the next: from head to feet, from front to
    /// back, from right to left, or as the series runs.
    fn axes(self, stack: &Stack) -> [Vector; 3] {
        const LEFT: Vector = [1.0, 0.0, 0.0];
        const BACK: Vector = [0.0, 1.0, 0.0];
        const FEET: Vector = [0.0, 0.0, -1.0];
        match self {
            Self::Axial => [LEFT, BACK, FEET],
            Self::Coronal => [LEFT, FEET, BACK],
            Self::Sagittal => [BACK, FEET, LEFT],
            Self::Acquisition => [stack.first().across(), stack.first().down(), stack.along()],
        }
    }

    /// The planes that go through all of a stack.
    pub fn planes(self, stack: &Stack) -> Result<CutPlanes, MprError> {
        let axes = self.axes(stack);
        let first = stack.first();
        let voxel = [
            (first.across(), first.between_columns_mm()),
            (first.down(), first.between_rows_mm()),
            (stack.along(), stack.usual_step_mm()),
        ];
        let finest_mm = voxel.iter().map(|(_, mm)| *mm).fold(f64::INFINITY, f64::min);
        let corners: Vec<Vector> = stack.places().iter().flat_map(|place| stack.plane(place).corners()).collect();
        let extent = |axis: Vector| {
            let along = corners.iter().map(|corner| dot(*corner, axis));
            along.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), at| (least.min(at), most.max(at)))
        };
        let [(left, right), (top, bottom), (near, far)] = axes.map(extent);
        let side_mm = (right - left).max(bottom - top);
        let pixel_mm = finest_mm.max(side_mm / f64::from(SIDE_PX_MAX - 1));
        // The voxel's own step in the direction that is nearest to that of the planes.
        let nearest = voxel.iter().max_by(|(a, _), (b, _)| dot(*a, axes[2]).abs().total_cmp(&dot(*b, axes[2]).abs()));
        let step_mm = nearest.map_or(finest_mm, |(_, mm)| *mm).max((far - near) / f64::from(PLANES_MAX - 1));
        let count = |length_mm: f64, step_mm: f64| (length_mm / step_mm + ROUNDING_STEPS) as u32 + 1;
        let origin = plus(times(axes[0], left), plus(times(axes[1], top), times(axes[2], near)));
        let orientation = [axes[0][0], axes[0][1], axes[0][2], axes[1][0], axes[1][1], axes[1][2]];
        let (columns, rows) = (count(right - left, pixel_mm), count(bottom - top, pixel_mm));
        Ok(CutPlanes {
            first: Plane::stated(origin, orientation, [pixel_mm, pixel_mm], columns, rows)?.beside(first),
            step: times(axes[2], step_mm),
            count: count(far - near, step_mm),
        })
    }
}

/// Parallel planes, one step apart, with square pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct CutPlanes {
    first: Plane,
    step: Vector,
    count: u32,
}

impl CutPlanes {
    /// How many there are; at least 1.
    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn step_mm(&self) -> f64 {
        dot(self.step, self.step).sqrt()
    }

    pub fn plane(&self, index: u32) -> Option<Plane> {
        (index < self.count).then(|| self.first.moved(times(self.step, f64::from(index))))
    }

    /// The plane on which a place lies, and where on it; none beside all of them.
    pub fn locate(&self, place: Vector) -> Option<(u32, Point)> {
        let index = self.nearest(place)?;
        let at = self.first.pixel(place);
        self.first.holds(at).then_some((index, at))
    }

    /// The plane within half a step of a place.
    pub fn nearest(&self, place: Vector) -> Option<u32> {
        let steps = dot(minus(place, self.first.origin_mm()), self.step) / dot(self.step, self.step);
        let index = steps.round();
        (index >= 0.0 && index < f64::from(self.count)).then_some(index as u32)
    }
}

/// A slab around a plane: half of it on each side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slab {
    pub thickness_mm: f64,
    pub projection: Projection,
}

/// What is shown of the values through a slab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    Maximum,
    Minimum,
    Mean,
}

impl Projection {
    pub fn name(self) -> &'static str {
        match self {
            Self::Maximum => "MIP",
            Self::Minimum => "MinIP",
            Self::Mean => "mean",
        }
    }
}

/// What a pixel of a reformat holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Coverage {
    Value,
    /// The value of a slab in which a slice is missing here.
    Partial,
    /// Padding, or no number.
    Padding,
    /// A slice is missing here.
    Missing,
    /// Outside of the volume.
    Outside,
}

/// One plane through a volume, or a slab around it.
#[derive(Clone)]
pub struct Reformat {
    pub plane: Plane,
    pub slab: Option<Slab>,
    /// Row by row; not a number where there is no value.
    pub values: Vec<f32>,
    pub coverage: Vec<Coverage>,
    /// What the values are in, once the volume has any.
    pub unit: Option<Unit>,
}

impl fmt::Debug for Reformat {
    /// Values are patient data: only the size is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} x {} values]", self.plane.columns(), self.plane.rows())
    }
}

impl Reformat {
    /// Cuts a volume along any plane of its frame of reference.
    pub fn of(volume: &Volume, plane: &Plane, slab: Option<Slab>) -> Result<Self, MprError> {
        let (columns, rows) = (plane.columns(), plane.rows());
        if columns > SIDE_PX_MAX || rows > SIDE_PX_MAX {
            return Err(MprError::TooLarge { columns, rows });
        }
        if plane.frame_of_reference() != volume.stack().first().frame_of_reference() {
            return Err(MprError::FrameOfReference);
        }
        if let Some(Slab { thickness_mm, .. }) = slab
            && !(thickness_mm > 0.0 && thickness_mm <= SLAB_MM_MAX)
        {
            return Err(MprError::SlabThickness);
        }
        let through = match slab {
            Some(slab) => sheets(volume, plane, slab)?,
            None => vec![Through { at_mm: 0.0, weight: 1.0 }],
        };
        let projection = slab.map_or(Projection::Mean, |slab| slab.projection);
        let (values, coverage) = Rows { volume, plane, through: &through, projection }.sampled();
        Ok(Self { plane: plane.clone(), slab, values, coverage, unit: volume.unit() })
    }

    /// What is at a pixel: at a place between two, the nearer one's.
    pub fn at(&self, at: Point) -> Sample {
        let (columns, rows) = (f64::from(self.plane.columns()), f64::from(self.plane.rows()));
        let (column, row) = (at.column.round(), at.row.round());
        if !((0.0..columns).contains(&column) && (0.0..rows).contains(&row)) {
            return Sample::Outside;
        }
        let index = row as usize * self.plane.columns() as usize + column as usize;
        match (self.coverage.get(index), self.values.get(index)) {
            (Some(Coverage::Value | Coverage::Partial), Some(value)) => Sample::Value(*value),
            (Some(Coverage::Padding), _) => Sample::Padding,
            (Some(Coverage::Missing), _) => Sample::Missing,
            _ => Sample::Outside,
        }
    }

    /// Whether a missing slice has a part in what is shown.
    pub fn is_incomplete(&self) -> bool {
        self.coverage.iter().any(|pixel| matches!(pixel, Coverage::Missing | Coverage::Partial))
    }

    /// What its values rest on, as it stands beside a number.
    pub fn basis(&self) -> String {
        let incomplete = if self.is_incomplete() { ", slices are missing" } else { "" };
        match self.slab {
            None => format!("interpolated{incomplete}"),
            Some(Slab { thickness_mm, projection }) => {
                format!("interpolated, {} of {thickness_mm:.1} mm{incomplete}", projection.name())
            }
        }
    }
}

/// A sheet through a slab.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Through {
    /// Distance from the plane along its normal.
    at_mm: f64,
    /// Its part in a mean.
    weight: f32,
}

/// The sheets of a slab. Between two slices values change evenly, so a slab along the slices has its extremes on them or
/// on its own two faces; any other slab is sampled in steps of the finest voxel side.
fn sheets(volume: &Volume, plane: &Plane, slab: Slab) -> Result<Vec<Through>, MprError> {
    let stack = volume.stack();
    let half_mm = slab.thickness_mm / 2.0;
    let turned = dot(plane.normal(), stack.along());
    let mut at_mm = vec![-half_mm, half_mm];
    if turned.abs() >= ON_SLICES_COSINE_MIN {
        let here = dot(minus(plane.origin_mm(), stack.first().origin_mm()), stack.along());
        let heights: Vec<f64> = stack.places().iter().map(|place| (place.along_mm - here) * turned.signum()).collect();
        at_mm.extend(heights.iter().filter(|height| height.abs() < half_mm));
        // Between two slices of which one is missing there is a sheet, so that it is seen to be missing.
        let broken = heights.windows(2).enumerate().filter(|(below, _)| volume.is_broken(*below));
        at_mm.extend(broken.map(|(_, pair)| (pair[0] + pair[1]) / 2.0).filter(|height| height.abs() < half_mm));
    } else {
        let finest = [stack.first().between_columns_mm(), stack.first().between_rows_mm(), stack.usual_step_mm()];
        let step_mm = finest.into_iter().fold(f64::INFINITY, f64::min);
        let steps = (slab.thickness_mm / step_mm).ceil().max(1.0);
        if steps > SLAB_SHEETS_MAX as f64 {
            return Err(MprError::SlabSheets);
        }
        at_mm.extend((1..steps as u32).map(|k| slab.thickness_mm * f64::from(k) / steps - half_mm));
    }
    at_mm.sort_by(f64::total_cmp);
    at_mm.dedup_by(|a, b| (*a - *b).abs() < half_mm * ROUNDING_STEPS);
    if at_mm.len() > SLAB_SHEETS_MAX {
        return Err(MprError::SlabSheets);
    }
    // Each stands for half of the way to its neighbours.
    let weight = |k: usize| {
        let before = k.checked_sub(1).map_or(0.0, |before| at_mm[k] - at_mm[before]);
        let after = at_mm.get(k + 1).map_or(0.0, |after| after - at_mm[k]);
        ((before + after) / 2.0 / slab.thickness_mm) as f32
    };
    Ok((0..at_mm.len()).map(|k| Through { at_mm: at_mm[k], weight: weight(k) }).collect())
}

/// Why a volume cannot be cut this way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MprError {
    #[error("a reformat of {columns} x {rows} pixels is larger than {SIDE_PX_MAX} x {SIDE_PX_MAX}")]
    TooLarge { columns: u32, rows: u32 },
    #[error("the plane and the volume have different frames of reference")]
    FrameOfReference,
    #[error("a slab is more than 0 and at most {SLAB_MM_MAX} mm thick")]
    SlabThickness,
    #[error("a slab of this volume would have more than {SLAB_SHEETS_MAX} sheets; make it thinner")]
    SlabSheets,
    #[error(transparent)]
    Plane(#[from] PlaneError),
}
