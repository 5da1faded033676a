//! Whether a series' slices make a stack, in which order, and what is wrong with it.
//!
//! A stack is parallel slices of one size at different places. What cannot be one is refused with the reason, never
//! forced: several orientations, sizes or frames of reference, or several slices at one place (time points, echoes).
//! What can be put right exactly is: slices sheared by a tilted gantry, shifted sideways or unevenly spaced keep their
//! true places, and whoever resamples goes by those. What is missing stays missing: a step that is too long for its
//! stack is a gap, and nothing is ever interpolated across it.
//!
//! Nothing here looks at pixels. The planes may come from headers, or from the manifest before one image arrived.

use crate::study::plane::{Plane, Vector, dot, minus, times};

/// Most slices of a stack.
pub const SLICES_MAX: usize = 10_000;

/// Most orientations or sizes that one series is split into.
pub const GROUPS_MAX: usize = 64;

/// Places closer than this along the normal are the same, in mm.
pub const SAME_PLACE_MM: f64 = 0.01;

/// Components of directions that differ by less are parallel.
const PARALLEL_MAX: f64 = 1e-3;

/// Pixel spacings that differ by less are the same, relative.
const SPACING_TOLERANCE: f64 = 1e-4;

/// A step of this many usual ones is a gap.
const GAP_STEPS_MIN: f64 = 1.5;

/// Most missing slices that one gap counts: beyond it the numbers mean something else.
const GAP_SLICES_MAX: f64 = 10_000.0;

/// Steps that differ by less are even, relative.
const EVEN_TOLERANCE: f64 = 0.01;

/// Sideways shifts below this are rounding, in pixels.
const SHIFT_PX_MIN: f64 = 0.1;

/// Slices in their order in the patient. The order runs the way the series does, from its first to its last image.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    first: Plane,
    along: Vector,
    places: Vec<Place>,
    usual_step_mm: f64,
}

/// One slice's place in a stack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The slice's number among those that the stack was made of, from 0.
    pub slice: usize,
    /// Distance from the first slice along the stack.
    pub along_mm: f64,
    /// Where this slice's first pixel lies, counted in pixels of the first slice, seen along the stack.
    pub shift_columns_px: f64,
    pub shift_rows_px: f64,
    /// How many slices seem to be missing before the next one.
    pub missing_after: u32,
}

/// What is remarkable about a stack, for its reader.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Remarks {
    /// Slices that seem to be missing.
    pub missing: u32,
    /// Shortest and longest step that is no gap, if they differ.
    pub uneven_mm: Option<(f64, f64)>,
    pub shift: Option<Shift>,
}

/// How slices lie beside each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shift {
    /// Sheared evenly, as by a tilted gantry.
    Tilt { degrees: f64 },
    /// Otherwise.
    Uneven { most_mm: f64 },
}

impl Stack {
    /// A stack of all of these planes.
    pub fn of(planes: &[Plane]) -> Result<Self, StackError> {
        let (Some(reference), Some(last)) = (planes.first(), planes.last()) else {
            return Err(StackError::TooFew { slices: 0 });
        };
        match planes.len() {
            1 => return Err(StackError::TooFew { slices: 1 }),
            slices if slices > SLICES_MAX => return Err(StackError::TooMany { slices }),
            _ => check_alike(planes, reference)?,
        }
        let normal = reference.normal();
        let falls = dot(minus(last.origin_mm(), reference.origin_mm()), normal) < 0.0;
        let along = if falls { times(normal, -1.0) } else { normal };
        let at = |plane: &Plane| dot(plane.origin_mm(), along);
        let mut order: Vec<usize> = (0..planes.len()).collect();
        order.sort_by(|&a, &b| at(&planes[a]).total_cmp(&at(&planes[b])));

        let first = planes[order[0]].clone();
        let sorted: Vec<&Plane> = order.iter().map(|&slice| &planes[slice]).collect();
        let along_mm: Vec<f64> = sorted.iter().map(|plane| at(plane) - at(&first)).collect();
        check_apart(&along_mm)?;
        let thicknesses: Vec<Option<f64>> = sorted.iter().map(|plane| plane.thickness_mm()).collect();
        let missing = missing_after(&along_mm, &thicknesses);
        let places = order.iter().zip(&sorted).zip(along_mm.iter().zip(missing));
        let places = places.map(|((&slice, plane), (&along_mm, missing_after))| {
            let shift = first.pixel(plane.origin_mm());
            Place { slice, along_mm, shift_columns_px: shift.column, shift_rows_px: shift.row, missing_after }
        });
        Ok(Self { along, places: places.collect(), usual_step_mm: median(&steps(&along_mm)), first })
    }

    /// The first slice in order; all others are parallel to it and of its size.
    pub fn first(&self) -> &Plane {
        &self.first
    }

    /// The direction in which the stack is ordered: the slices' normal, or its opposite.
    pub fn along(&self) -> Vector {
        self.along
    }

    /// All slices in order.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The plane of the slice at a place of the order.
    pub fn plane(&self, place: &Place) -> Plane {
        let across = times(self.first.across(), place.shift_columns_px * self.first.between_columns_mm());
        let down = times(self.first.down(), place.shift_rows_px * self.first.between_rows_mm());
        self.first.moved(times(self.along, place.along_mm)).moved(across).moved(down)
    }

    /// The middle one of all steps.
    pub fn usual_step_mm(&self) -> f64 {
        self.usual_step_mm
    }

    pub fn remarks(&self) -> Remarks {
        let missing = self.places.iter().map(|place| place.missing_after).fold(0, u32::saturating_add);
        let whole = self.places.windows(2).filter(|pair| pair[0].missing_after == 0);
        let steps = whole.map(|pair| pair[1].along_mm - pair[0].along_mm);
        let (least, most) =
            steps.fold((f64::INFINITY, 0.0f64), |(least, most), step| (least.min(step), most.max(step)));
        let uneven_mm = (most > least * (1.0 + EVEN_TOLERANCE)).then_some((least, most));
        Remarks { missing, uneven_mm, shift: self.shift() }
    }

    fn shift(&self) -> Option<Shift> {
        let last = self.places.last()?;
        let in_mm = |columns: f64, rows: f64| {
            (columns * self.first.between_columns_mm()).hypot(rows * self.first.between_rows_mm())
        };
        let shifted =
            |place: &Place| place.shift_columns_px.abs() >= SHIFT_PX_MIN || place.shift_rows_px.abs() >= SHIFT_PX_MIN;
        if !self.places.iter().any(shifted) {
            return None;
        }
        let is_even = self.places.iter().all(|place| {
            let part = place.along_mm / last.along_mm;
            (place.shift_columns_px - part * last.shift_columns_px).abs() < SHIFT_PX_MIN
                && (place.shift_rows_px - part * last.shift_rows_px).abs() < SHIFT_PX_MIN
        });
        let shifts = self.places.iter().map(|place| in_mm(place.shift_columns_px, place.shift_rows_px));
        Some(match is_even {
            true => {
                let sideways_mm = in_mm(last.shift_columns_px, last.shift_rows_px);
                Shift::Tilt { degrees: sideways_mm.atan2(last.along_mm).to_degrees() }
            }
            false => Shift::Uneven { most_mm: shifts.fold(0.0, f64::max) },
        })
    }
}

impl Remarks {
    /// In words, one remark each; none for a stack as it should be.
    pub fn shown(&self) -> Vec<String> {
        let missing = match self.missing {
            0 => None,
            1 => Some("1 slice is missing: nothing is shown in its place".to_owned()),
            n => Some(format!("{n} slices are missing: nothing is shown in their place")),
        };
        let uneven =
            self.uneven_mm.map(|(least, most)| format!("slices are unevenly spaced, {least:.2} to {most:.2} mm apart"));
        let shift = self.shift.map(|shift| match shift {
            Shift::Tilt { degrees } => format!("slices are sheared by {degrees:.1}° (tilted gantry); put right"),
            Shift::Uneven { most_mm } => format!("slices are shifted sideways by up to {most_mm:.1} mm; put right"),
        });
        [missing, uneven, shift].into_iter().flatten().collect()
    }
}

/// Splits a series into what is parallel, of one size, spacing and frame of reference, as numbers of its planes in
/// their order: localizers from the stack that they precede, say. What comes after [`GROUPS_MAX`] groups is in none.
pub fn parallel_groups(planes: &[Plane]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (number, plane) in planes.iter().enumerate() {
        match groups.iter().position(|group| difference(&planes[group[0]], plane).is_none()) {
            Some(own) => groups[own].push(number),
            None if groups.len() < GROUPS_MAX => groups.push(vec![number]),
            None => {}
        }
    }
    groups
}

/// How many slices are missing after each place of an order; the last has none.
///
/// Steps are compared with the usual one. Where slices state their thickness, steps are first divided by it: a head
/// that is scanned in 4 mm slices below and in 7 mm slices above has no gaps, one of overlapping slices may.
pub(super) fn missing_after(along_mm: &[f64], thicknesses_mm: &[Option<f64>]) -> Vec<u32> {
    let mut steps = steps(along_mm);
    let thickest = thicknesses_mm.windows(2).map(|pair| Some(pair[0]?.max(pair[1]?)));
    if let Some(thickest) = thickest.collect::<Option<Vec<f64>>>() {
        for (step, thickness) in steps.iter_mut().zip(thickest) {
            *step /= thickness;
        }
    }
    let usual = median(&steps);
    let missing = steps.iter().map(|step| match step / usual {
        ratio if ratio > GAP_STEPS_MIN => (ratio.round() - 1.0).clamp(1.0, GAP_SLICES_MAX) as u32,
        _ => 0,
    });
    missing.chain([0]).take(along_mm.len()).collect()
}

fn steps(along_mm: &[f64]) -> Vec<f64> {
    along_mm.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// The lower middle one; 0 of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// In what two planes differ so that they cannot be in one stack.
enum Difference {
    Orientation,
    Size,
    Spacing,
    FrameOfReference,
}

fn difference(a: &Plane, b: &Plane) -> Option<Difference> {
    let near = |a: Vector, b: Vector| a.iter().zip(b).all(|(a, b)| (a - b).abs() < PARALLEL_MAX);
    let same = |a: f64, b: f64| (a - b).abs() <= SPACING_TOLERANCE * a.max(b);
    if !near(a.across(), b.across()) || !near(a.down(), b.down()) {
        return Some(Difference::Orientation);
    }
    if (a.columns(), a.rows()) != (b.columns(), b.rows()) {
        return Some(Difference::Size);
    }
    let spacings =
        same(a.between_columns_mm(), b.between_columns_mm()) && same(a.between_rows_mm(), b.between_rows_mm());
    match (spacings, a.frame_of_reference() == b.frame_of_reference()) {
        (false, _) => Some(Difference::Spacing),
        (true, false) => Some(Difference::FrameOfReference),
        (true, true) => None,
    }
}

fn check_alike(planes: &[Plane], reference: &Plane) -> Result<(), StackError> {
    let differing = |plane: &Plane| difference(reference, plane);
    match planes.iter().find_map(differing) {
        None => Ok(()),
        Some(Difference::Orientation) => {
            let other = |plane: &&Plane| matches!(differing(plane), Some(Difference::Orientation));
            Err(StackError::Orientations { slices: planes.len(), others: planes.iter().filter(other).count() })
        }
        Some(Difference::Size) => Err(StackError::Sizes),
        Some(Difference::Spacing) => Err(StackError::Spacings),
        Some(Difference::FrameOfReference) => Err(StackError::FramesOfReference),
    }
}

/// Refuses an order with several slices at one place.
fn check_apart(along_mm: &[f64]) -> Result<(), StackError> {
    let (mut places, mut most, mut here) = (0, 1, 1);
    for step in steps(along_mm) {
        here = if step <= SAME_PLACE_MM { here + 1 } else { 1 };
        places += usize::from(here == 2);
        most = most.max(here);
    }
    if places > 0 { Err(StackError::SamePlace { places, most }) } else { Ok(()) }
}

/// Why slices make no stack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    #[error("{slices} slices make no volume; at least 2 are needed")]
    TooFew { slices: usize },
    #[error("{slices} slices are more than the {SLICES_MAX} that a volume may have")]
    TooMany { slices: usize },
    #[error("the slices are not parallel: {others} of {slices} have another orientation than the first")]
    Orientations { slices: usize, others: usize },
    #[error("the slices have different numbers of rows or columns")]
    Sizes,
    #[error("the slices have different pixel spacings")]
    Spacings,
    #[error("the slices have different frames of reference")]
    FramesOfReference,
    #[error("up to {most} slices lie at the same place: time points, echoes or weightings in one series")]
    SamePlace { places: usize, most: usize },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AXIAL: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];

    fn plane(position: [f64; 3]) -> Plane {
        Plane::stated(position, AXIAL, [0.5, 0.5], 64, 32).unwrap().within("1.2.3")
    }

    fn axial(z: &[f64]) -> Vec<Plane> {
        z.iter().map(|&z| plane([0.0, 0.0, z])).collect()
    }

    fn order(stack: &Stack) -> Vec<usize> {
        stack.places().iter().map(|place| place.slice).collect()
    }

    fn missing(z: &[f64]) -> Vec<u32> {
        Stack::of(&axial(z)).unwrap().places().iter().map(|place| place.missing_after).collect()
    }

    #[test]
    fn slices_are_ordered_in_space_the_way_the_series_runs() {
        let rising = Stack::of(&axial(&[0.0, 2.0, 1.0, 3.0])).unwrap();
        assert_eq!((order(&rising), rising.along()), (vec![0, 2, 1, 3], [0.0, 0.0, 1.0]));
        let falling = Stack::of(&axial(&[9.0, 7.0, 5.0])).unwrap();
        assert_eq!((order(&falling), falling.along()), (vec![0, 1, 2], [0.0, 0.0, -1.0]));
        assert_eq!(falling.places()[2].along_mm, 4.0);
        assert_eq!(falling.remarks(), Remarks { missing: 0, uneven_mm: None, shift: None });
        assert!(falling.remarks().shown().is_empty());
    }

    #[test]
    fn a_lost_slice_is_a_gap_and_an_uneven_one_is_not() {
        assert_eq!(missing(&[0.0, 1.0, 2.0, 5.0, 6.0]), [0, 0, 2, 0, 0]);
        assert_eq!(missing(&[0.0, 1.0, 2.2, 3.1, 4.1]), [0; 5]);
        let uneven = Stack::of(&axial(&[0.0, 1.0, 2.2, 3.1, 4.1])).unwrap().remarks();
        assert_eq!(uneven.shown(), ["slices are unevenly spaced, 0.90 to 1.20 mm apart"]);
        let gap = Stack::of(&axial(&[0.0, 1.0, 2.0, 5.0, 6.0])).unwrap().remarks();
        assert_eq!(gap.shown(), ["2 slices are missing: nothing is shown in their place"]);
    }

    #[test]
    fn thicker_slices_further_apart_are_no_gap_and_overlapping_ones_hide_none() {
        let thick = |slices: &[(f64, f64)]| {
            let planes: Vec<Plane> = slices.iter().map(|&(z, mm)| plane([0.0, 0.0, z]).with_thickness(mm)).collect();
            Stack::of(&planes).unwrap().remarks().missing
        };
        assert_eq!(thick(&[(0.0, 4.0), (4.0, 4.0), (8.0, 4.0), (12.0, 4.0), (18.0, 7.0), (25.0, 7.0)]), 0);
        assert_eq!(thick(&[(0.0, 3.0), (1.0, 3.0), (2.0, 3.0), (4.0, 3.0), (5.0, 3.0)]), 1);
    }

    #[test]
    fn a_tilted_gantry_is_recognised_by_its_places_and_any_other_shift_too() {
        let degrees = 18.5f64;
        let tilt = degrees.to_radians().tan();
        let tilted: Vec<Plane> = (0..5).map(|k| plane([0.0, f64::from(k) * -5.0 * tilt, f64::from(k) * 5.0])).collect();
        let stack = Stack::of(&tilted).unwrap();
        let Some(Shift::Tilt { degrees: found }) = stack.remarks().shift else { panic!("{:?}", stack.remarks()) };
        assert!((found - degrees).abs() < 1e-9);
        assert_eq!(stack.remarks().shown(), ["slices are sheared by 18.5° (tilted gantry); put right"]);
        assert!((stack.places()[1].shift_rows_px - -10.0 * tilt).abs() < 1e-9);
        for (place, plane) in stack.places().iter().zip(&tilted) {
            let apart = minus(stack.plane(place).origin_mm(), plane.origin_mm());
            assert!(dot(apart, apart) < 1e-18);
        }
        let shifted = [plane([0.0; 3]), plane([3.0, 4.0, 1.0]), plane([0.0, 0.0, 2.0])];
        assert_eq!(Stack::of(&shifted).unwrap().remarks().shift, Some(Shift::Uneven { most_mm: 5.0 }));
    }

    #[test]
    fn what_is_no_stack_is_refused_with_the_reason() {
        let why = |planes: &[Plane]| Stack::of(planes).unwrap_err();
        let sagittal = Plane::stated([0.0; 3], [0.0, 1.0, 0.0, 0.0, 0.0, -1.0], [0.5, 0.5], 64, 32).unwrap();
        let other = |columns, spacing| Plane::stated([0.0, 0.0, 1.0], AXIAL, [spacing, spacing], columns, 32).unwrap();
        let one = plane([0.0; 3]);
        assert_eq!(why(&[]), StackError::TooFew { slices: 0 });
        assert_eq!(why(&axial(&[1.0])), StackError::TooFew { slices: 1 });
        assert_eq!(why(&[one.clone(), sagittal.within("1.2.3")]), StackError::Orientations { slices: 2, others: 1 });
        assert_eq!(why(&[one.clone(), other(65, 0.5).within("1.2.3")]), StackError::Sizes);
        assert_eq!(why(&[one.clone(), other(64, 0.6).within("1.2.3")]), StackError::Spacings);
        assert_eq!(why(&[one, other(64, 0.5)]), StackError::FramesOfReference);
        assert_eq!(why(&axial(&[0.0, 1.0, 1.001, 1.002, 2.0, 2.0])), StackError::SamePlace { places: 2, most: 3 });
        let crowd: Vec<f64> = (0..=SLICES_MAX).map(|k| k as f64).collect();
        assert_eq!(why(&axial(&crowd)), StackError::TooMany { slices: SLICES_MAX + 1 });
        assert_eq!(
            StackError::SamePlace { places: 2, most: 3 }.to_string(),
            "up to 3 slices lie at the same place: time points, echoes or weightings in one series"
        );
    }

    #[test]
    fn localizers_are_told_from_the_stack_they_precede() {
        let coronal = Plane::stated([0.0; 3], [1.0, 0.0, 0.0, 0.0, 0.0, -1.0], [0.5, 0.5], 64, 32).unwrap();
        let mut planes = axial(&[0.0, 1.0, 2.0]);
        planes.insert(0, coronal.within("1.2.3"));
        assert_eq!(parallel_groups(&planes), [vec![0], vec![1, 2, 3]]);
    }

    proptest! {
        #[test]
        fn any_places_give_an_ascending_stack_or_a_reason(z in prop::collection::vec(-1e5f64..1e5, 0..60)) {
            if let Ok(stack) = Stack::of(&axial(&z)) {
                prop_assert_eq!(stack.places().len(), z.len());
                prop_assert!(stack.places().windows(2).all(|pair| pair[1].along_mm > pair[0].along_mm));
                prop_assert!(stack.usual_step_mm() > 0.0);
                stack.remarks().shown();
            }
        }
    }
}
