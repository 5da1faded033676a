//! A series' slices as one volume of modality values, complete or not.
//!
//! Slices come one by one, in any order, as they arrive; until one has, its place is missing and is shown so. Each keeps
//! its own true place (see [`super::stack`]): a value between slices is interpolated between the two feet of the
//! perpendiculars on its neighbours, which is exact for tilted, shifted and uneven stacks, and plain trilinear
//! interpolation for all others. Nothing is extrapolated, and nothing is interpolated with padding, with a value that is
//! none, or across a missing slice.
//!
//! Values are kept in two bytes where they are whole (Hounsfield units), else in four. Clones share them, so that a
//! picture can be made of a volume while the next slice is added.

use std::fmt;
use std::sync::Arc;

use super::stack::{Place, SAME_PLACE_MM, Stack};
use crate::study::pixels::Unit;
use crate::study::plane::{Plane, Vector, dot, minus};

/// Most memory that one volume's values take, in bytes: 4000 slices of 512 x 512 whole values.
pub const VOLUME_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// How near to a voxel's centre a place is on it, in pixels and in steps: what computing rounds.
const ROUNDING: f64 = 1e-6;

/// How far outside of the outermost pixel centres a place may be, and how near to a slice whose neighbour is missing, in
/// pixels and in steps: what decimal numbers in headers round.
const HEADER_ROUNDING: f64 = 5e-3;

/// How far a slice's own header may place it from where its stack has it, in mm.
const PLACE_TOLERANCE_MM: f64 = 0.05;

/// The values of a stack, as far as they are there.
#[derive(Clone)]
pub struct Volume {
    stack: Arc<Stack>,
    /// By place in the stack.
    slices: Vec<Option<Voxels>>,
    unit: Option<Unit>,
    range: Option<(f32, f32)>,
}

/// One slice, row by row.
#[derive(Clone)]
pub(super) enum Voxels {
    /// [`WHOLE_NONE`] where there is no value.
    Whole(Arc<[i16]>),
    /// Not a number where there is no value.
    Fine(Arc<[f32]>),
}

/// Stands for "no value" among whole ones.
pub(super) const WHOLE_NONE: i16 = i16::MIN;

/// What there is at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sample {
    /// A modality value.
    Value(f32),
    /// Padding, or no number.
    Padding,
    /// Between slices of which one is missing, or on one.
    Missing,
    /// Outside of the volume.
    Outside,
}

impl fmt::Debug for Volume {
    /// Values are patient data: only their number is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.stack.first();
        write!(f, "[{} x {} x {} voxels]", first.columns(), first.rows(), self.slices.len())
    }
}

impl Volume {
    /// A volume whose slices are all yet to come; they are not allocated before they do.
    pub fn of(stack: Stack) -> Result<Self, VolumeError> {
        let bytes = slice_pixels(stack.first()) as u64 * stack.places().len() as u64 * 2;
        if bytes > VOLUME_BYTES_MAX {
            return Err(VolumeError::TooLarge { bytes });
        }
        Ok(Self { slices: vec![None; stack.places().len()], stack: Arc::new(stack), unit: None, range: None })
    }

    /// Puts a slice into its place: by its number among the planes that the stack was made of, with the plane that its
    /// own header states, its modality values row by row (not a number in padding), and what they are in.
    pub fn insert(&mut self, slice: usize, plane: &Plane, values: &[f32], unit: Unit) -> Result<(), VolumeError> {
        let at = self.stack.places().iter().position(|place| place.slice == slice);
        let at = at.ok_or(VolumeError::NoSuchSlice)?;
        let pixels = slice_pixels(self.stack.first());
        if values.len() != pixels || !self.is_at(plane, &self.stack.places()[at]) {
            return Err(VolumeError::OtherThanStated);
        }
        if self.unit.is_some_and(|of_the_others| of_the_others != unit) {
            return Err(VolumeError::Units);
        }
        let voxels = Voxels::of(values);
        let others = self.slices.iter().enumerate().filter(|(other, _)| *other != at);
        let others: u64 = others.filter_map(|(_, voxels)| voxels.as_ref()).map(Voxels::bytes).sum();
        let bytes = others + voxels.bytes();
        if bytes > VOLUME_BYTES_MAX {
            return Err(VolumeError::TooLarge { bytes });
        }
        for &value in values.iter().filter(|value| value.is_finite()) {
            let (least, most) = self.range.get_or_insert((value, value));
            (*least, *most) = (least.min(value), most.max(value));
        }
        self.unit = Some(unit);
        self.slices[at] = Some(voxels);
        Ok(())
    }

    fn is_at(&self, plane: &Plane, place: &Place) -> bool {
        let stated = self.stack.plane(place);
        let same_size = (plane.columns(), plane.rows()) == (stated.columns(), stated.rows());
        same_size
            && plane.corners().iter().zip(stated.corners()).all(|(a, b)| {
                let apart = minus(*a, b);
                dot(apart, apart) <= PLACE_TOLERANCE_MM * PLACE_TOLERANCE_MM
            })
    }

    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// What the values are in, once there are any.
    pub fn unit(&self) -> Option<Unit> {
        self.unit
    }

    /// Lowest and highest value so far.
    pub fn range(&self) -> Option<(f32, f32)> {
        self.range
    }

    /// Slices of the stack that have not arrived.
    pub fn awaited(&self) -> usize {
        self.slices.iter().filter(|slice| slice.is_none()).count()
    }

    /// Memory of the values, in bytes.
    pub fn bytes(&self) -> u64 {
        self.slices.iter().flatten().map(Voxels::bytes).sum()
    }

    /// What there is at a place in the patient; between voxels it is interpolated.
    pub fn sample(&self, place: Vector) -> Sample {
        let first = self.stack.first();
        let at = first.pixel(place);
        let along_mm = dot(minus(place, first.origin_mm()), self.stack.along());
        let Some((below, share)) = self.between(along_mm) else { return Sample::Outside };
        let places = self.stack.places();
        let on = |slice: usize| {
            let place = &places[slice];
            let (column, row) = (at.column - place.shift_columns_px, at.row - place.shift_rows_px);
            let Some(foot) = Foot::of(column, row, first.columns() as usize, first.rows() as usize) else {
                return Sample::Outside;
            };
            match &self.slices[slice] {
                None => Sample::Missing,
                Some(Voxels::Whole(voxels)) => Sample::of(foot.value(voxels)),
                Some(Voxels::Fine(voxels)) => Sample::of(foot.value(voxels)),
            }
        };
        let share = if self.is_broken(below) { settled_on_header(share) } else { share };
        match share {
            0.0 => on(below),
            1.0 => on(below + 1),
            _ => match (on(below), on(below + 1)) {
                (Sample::Outside, _) | (_, Sample::Outside) => Sample::Outside,
                _ if self.is_broken(below) => Sample::Missing,
                (Sample::Value(a), Sample::Value(b)) => Sample::Value(a + (b - a) * share as f32),
                _ => Sample::Padding,
            },
        }
    }

    /// Whether nothing can be interpolated between a slice and the next.
    pub(super) fn is_broken(&self, below: usize) -> bool {
        let is_there = |slice| self.voxels(slice).is_some();
        self.stack.places()[below].missing_after > 0 || !is_there(below) || !is_there(below + 1)
    }

    /// Between which two slices a place along the stack is: the first of them, and which share of the step beyond it.
    pub(super) fn between(&self, along_mm: f64) -> Option<(usize, f64)> {
        let places = self.stack.places();
        let (first, last) = (places.first()?.along_mm, places.last()?.along_mm);
        if !(first - SAME_PLACE_MM..=last + SAME_PLACE_MM).contains(&along_mm) {
            return None;
        }
        let beyond = places.partition_point(|place| place.along_mm <= along_mm);
        let below = beyond.saturating_sub(1).min(places.len() - 2);
        Some((below, self.share(below, along_mm)))
    }

    /// Which share of the step from one slice to the next a place is beyond the first; exactly 0 or 1 on a slice.
    fn share(&self, below: usize, along_mm: f64) -> f64 {
        let places = self.stack.places();
        let step_mm = places[below + 1].along_mm - places[below].along_mm;
        settled((along_mm - places[below].along_mm) / step_mm)
    }

    pub(super) fn voxels(&self, slice: usize) -> Option<&Voxels> {
        self.slices.get(slice)?.as_ref()
    }
}

impl Sample {
    fn of(value: f32) -> Self {
        if value.is_nan() { Self::Padding } else { Self::Value(value) }
    }
}

impl Voxels {
    fn of(values: &[f32]) -> Self {
        // The lowest whole number stands for no value.
        let is_whole = |value: &f32| f32::from(*value as i16) == *value && *value != f32::from(WHOLE_NONE);
        let is_none = |value: &f32| !value.is_finite();
        match values.iter().all(|value| is_none(value) || is_whole(value)) {
            true => Self::Whole(values.iter().map(|v| if is_none(v) { WHOLE_NONE } else { *v as i16 }).collect()),
            false => Self::Fine(values.iter().map(|v| if is_none(v) { f32::NAN } else { *v }).collect()),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Whole(voxels) => size_of_val(voxels.as_ref()) as u64,
            Self::Fine(voxels) => size_of_val(voxels.as_ref()) as u64,
        }
    }
}

/// A voxel's value as a number; not a number where there is none.
pub(super) trait Voxel: Copy + Sync {
    fn value(self) -> f32;
}

impl Voxel for i16 {
    #[inline(always)]
    fn value(self) -> f32 {
        if self == WHOLE_NONE { f32::NAN } else { f32::from(self) }
    }
}

impl Voxel for f32 {
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }
}

/// Where a place stands between the four pixels around it.
#[derive(Clone, Copy)]
pub(super) struct Foot {
    /// The upper left one, by its number in the slice.
    first: usize,
    columns: usize,
    right: f32,
    lower: f32,
}

impl Foot {
    /// None outside of the pixels' centres.
    #[inline(always)]
    pub(super) fn of(column: f64, row: f64, columns: usize, rows: usize) -> Option<Self> {
        let (right_most, lowest) = ((columns - 1) as f64, (rows - 1) as f64);
        let inside = column >= -HEADER_ROUNDING
            && row >= -HEADER_ROUNDING
            && column <= right_most + HEADER_ROUNDING
            && row <= lowest + HEADER_ROUNDING;
        if !inside {
            return None;
        }
        let (left, right) = split(column, columns);
        let (upper, lower) = split(row, rows);
        Some(Self { first: upper * columns + left, columns, right, lower })
    }

    /// The pixel, by its number in the slice, in whose middle it is; none between pixels.
    #[inline(always)]
    pub(super) fn on_pixel(self) -> Option<usize> {
        (self.right == 0.0 && self.lower == 0.0).then_some(self.first)
    }

    /// The value there: not a number if one of the pixels that have a part in it has none.
    #[inline(always)]
    pub(super) fn value<V: Voxel>(self, slice: &[V]) -> f32 {
        let Self { first, columns, right, lower } = self;
        let at = |index: usize| slice.get(index).map_or(f32::NAN, |voxel| voxel.value());
        if right == 0.0 && lower == 0.0 {
            return at(first);
        }
        if lower == 0.0 {
            return mix(at(first), at(first + 1), right);
        }
        if right == 0.0 {
            return mix(at(first), at(first + columns), lower);
        }
        let upper = mix(at(first), at(first + 1), right);
        mix(upper, mix(at(first + columns), at(first + columns + 1), right), lower)
    }
}

/// A share of a step, exactly 0 or 1 where rounding would make a place miss its slice.
#[inline(always)]
pub(super) fn settled(share: f64) -> f64 {
    settled_within(ROUNDING, share)
}

/// The same beside a missing slice, where a slice's own value must not be lost because its header was rounded.
pub(super) fn settled_on_header(share: f64) -> f64 {
    settled_within(HEADER_ROUNDING, share)
}

#[inline(always)]
fn settled_within(rounding: f64, share: f64) -> f64 {
    match share {
        share if share <= rounding => 0.0,
        share if share >= 1.0 - rounding => 1.0,
        share => share,
    }
}

/// The pixel at or before a place on one axis, and the share of the way to the next; 0 on a pixel.
#[inline(always)]
fn split(at: f64, length: usize) -> (usize, f32) {
    let last = length - 1;
    let at = at.max(0.0);
    // Inside of the axis, as the caller checked.
    let whole = at as usize;
    match at - whole as f64 {
        _ if whole >= last => (last, 0.0),
        share if share < ROUNDING => (whole, 0.0),
        share if share > 1.0 - ROUNDING => (whole + 1, 0.0),
        share => (whole, share as f32),
    }
}

#[inline(always)]
fn mix(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

/// Pixels of a slice: less than 2^32.
fn slice_pixels(plane: &Plane) -> usize {
    plane.columns() as usize * plane.rows() as usize
}

/// Why a volume, or a slice of it, cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VolumeError {
    #[error("a volume of {bytes} bytes is more than the {VOLUME_BYTES_MAX} that are kept in memory")]
    TooLarge { bytes: u64 },
    #[error("the slice does not belong to this volume")]
    NoSuchSlice,
    #[error("the slice's own header gives another size or place than its series did")]
    OtherThanStated,
    #[error("the slices' values are in different units")]
    Units,
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIAL: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];

    fn plane(z: f64) -> Plane {
        Plane::stated([0.0, 0.0, z], AXIAL, [1.0, 1.0], 3, 2).unwrap()
    }

    /// Slices at 0, 1 and 2 mm with their number times ten in every voxel, and a gap before one at 5 mm.
    fn volume(with: &[usize]) -> Volume {
        let planes: Vec<Plane> = [0.0, 1.0, 2.0, 5.0].map(plane).to_vec();
        let mut volume = Volume::of(Stack::of(&planes).unwrap()).unwrap();
        for &slice in with {
            volume.insert(slice, &planes[slice], &[slice as f32 * 10.0; 6], Unit::Hounsfield).unwrap();
        }
        volume
    }

    #[test]
    fn slices_come_in_any_order_and_what_has_not_come_is_missing() {
        let volume = volume(&[3, 0, 1]);
        let at = |z| volume.sample([1.0, 1.0, z]);
        assert_eq!((at(0.0), at(0.25), at(1.0)), (Sample::Value(0.0), Sample::Value(2.5), Sample::Value(10.0)));
        assert_eq!((at(1.01), at(2.0), at(4.98)), (Sample::Missing, Sample::Missing, Sample::Missing));
        assert_eq!((at(5.0), at(5.1), at(-0.1)), (Sample::Value(30.0), Sample::Outside, Sample::Outside));
        assert_eq!((volume.awaited(), volume.bytes(), volume.range()), (1, 36, Some((0.0, 30.0))));
    }

    #[test]
    fn nothing_is_interpolated_across_a_gap() {
        let whole = volume(&[0, 1, 2, 3]);
        let at = |z| whole.sample([1.0, 1.0, z]);
        assert_eq!(
            (at(2.0), at(2.5), at(3.5), at(5.0)),
            (Sample::Value(20.0), Sample::Missing, Sample::Missing, Sample::Value(30.0))
        );
    }

    #[test]
    fn nothing_is_interpolated_with_padding_or_beyond_the_outermost_pixels() {
        let planes = [plane(0.0), plane(1.0)];
        let mut volume = Volume::of(Stack::of(&planes).unwrap()).unwrap();
        let padded = [f32::NAN, 1.0, 2.0, 3.0, 4.0, f32::INFINITY];
        for (slice, plane) in planes.iter().enumerate() {
            volume.insert(slice, plane, &padded, Unit::Hounsfield).unwrap();
        }
        let at = |x, y| volume.sample([x, y, 0.5]);
        assert_eq!((at(0.0, 0.0), at(0.5, 0.0), at(1.0, 0.0)), (Sample::Padding, Sample::Padding, Sample::Value(1.0)));
        assert_eq!((at(1.5, 0.0), at(1.5, 0.5), at(2.0, 1.0)), (Sample::Value(1.5), Sample::Padding, Sample::Padding));
        assert_eq!(
            (at(0.0, 1.0), at(0.5, 1.0), at(2.01, 0.0)),
            (Sample::Value(3.0), Sample::Value(3.5), Sample::Outside)
        );
    }

    #[test]
    fn values_that_are_not_whole_are_kept_as_they_are() {
        let planes = [plane(0.0), plane(1.0)];
        let mut volume = Volume::of(Stack::of(&planes).unwrap()).unwrap();
        volume.insert(0, &planes[0], &[0.125; 6], Unit::Unspecified).unwrap();
        volume.insert(1, &planes[1], &[40_000.0; 6], Unit::Unspecified).unwrap();
        assert_eq!((volume.sample([0.0; 3]), volume.bytes()), (Sample::Value(0.125), 48));
        assert_eq!(volume.sample([0.0, 0.0, 1.0]), Sample::Value(40_000.0));
        volume.insert(1, &planes[1], &[-32_768.0; 6], Unit::Unspecified).unwrap();
        assert_eq!(volume.sample([0.0, 0.0, 1.0]), Sample::Value(-32_768.0));
    }

    #[test]
    fn slices_that_contradict_their_series_are_refused() {
        let mut volume = volume(&[0]);
        let mut insert = |slice, plane: &Plane, values: &[f32], unit| volume.insert(slice, plane, values, unit);
        let hu = Unit::Hounsfield;
        assert_eq!(insert(9, &plane(0.0), &[0.0; 6], hu), Err(VolumeError::NoSuchSlice));
        assert_eq!(insert(1, &plane(1.2), &[0.0; 6], hu), Err(VolumeError::OtherThanStated));
        assert_eq!(insert(1, &plane(1.0), &[0.0; 7], hu), Err(VolumeError::OtherThanStated));
        let longer = Plane::stated([0.0, 0.0, 1.0], AXIAL, [1.0, 1.0], 2, 3).unwrap();
        assert_eq!(insert(1, &longer, &[0.0; 6], hu), Err(VolumeError::OtherThanStated));
        assert_eq!(insert(1, &plane(1.0), &[0.0; 6], Unit::Unspecified), Err(VolumeError::Units));
        assert_eq!(insert(1, &plane(1.0), &[0.0; 6], hu), Ok(()));
    }

    #[test]
    fn a_volume_larger_than_memory_is_refused_before_any_is_taken() {
        let huge = |z| Plane::stated([0.0, 0.0, z], AXIAL, [1.0, 1.0], 65_535, 65_535).unwrap();
        let planes: Vec<Plane> = (0..100).map(|z| huge(f64::from(z))).collect();
        let bytes = 65_535 * 65_535 * 200;
        assert_eq!(Volume::of(Stack::of(&planes).unwrap()).unwrap_err(), VolumeError::TooLarge { bytes });
    }
}
