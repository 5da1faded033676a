//! Several viewports in one patient: which slice of another series lies here, where planes cross, where a point is.
//!
//! Places of two series mean the same only within one frame of reference. Between examinations, and between series
//! whose scanner lost its reference, nothing is linked until the user pairs two slices: a [`ManualLink`] then says how
//! far apart the two stand along the normal. In the plane it says nothing, so across it a point has a slice but no
//! pixel, and planes draw no lines on each other.
//!
//! "No slice here" is an answer: further than half a step from a slice (half its thickness, if it is alone) no other one
//! is shown in its place.

use super::stack::{SAME_PLACE_MM, median, missing_after, parallel_groups};
use crate::case::content::Point;
use crate::study::plane::{Plane, Vector, cross, dot, times};

/// Planes at a smaller angle scroll together: cosine of 30 degrees.
const TOGETHER_COSINE_MIN: f64 = 0.866;

/// Planes at a smaller angle do not cross in a line worth drawing: sine of half a degree.
const CROSSING_SINE_MIN: f64 = 0.01;

/// Normals whose components differ by less are parallel.
const PARALLEL_MAX: f64 = 1e-3;

/// The slices of one viewport, in the order in which they are scrolled.
#[derive(Debug, Clone)]
pub struct Slices {
    slices: Vec<Option<Slice>>,
}

#[derive(Debug, Clone)]
struct Slice {
    plane: Plane,
    /// How far below and above its plane a slice is still the one that lies there, along its normal.
    reach_mm: [f64; 2],
    /// Which it is of those at its place, from 0: of weightings, echoes and time points that lie on each other.
    rank: usize,
}

/// What another viewport shows for a slice or a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Linked {
    /// The slice that lies there, by its number from 0, and how far it is away.
    Slice {
        index: usize,
        away_mm: f64,
    },
    /// None within half a step; the nearest one.
    NoSliceHere {
        nearest: usize,
        away_mm: f64,
    },
    Apart(Apart),
}

/// Why two viewports do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// No slice of the other one says where it lies.
    NotPlaced,
    FramesOfReference,
    Orientation,
    /// The point is beside all images.
    Beside,
}

impl Apart {
    /// As it stands in the other viewport.
    pub fn shown(self) -> &'static str {
        match self {
            Self::NotPlaced => "the images do not say where they lie",
            Self::FramesOfReference => "another frame of reference: pair two slices to link by hand",
            Self::Orientation => "planes of another orientation",
            Self::Beside => "the point is outside of these images",
        }
    }
}

impl Linked {
    /// As it stands in the other viewport; nothing where a slice is shown.
    pub fn shown(&self) -> Option<String> {
        match self {
            Self::Slice { .. } => None,
            Self::NoSliceHere { away_mm, .. } => Some(format!("no slice here; the nearest is {away_mm:.1} mm away")),
            Self::Apart(why) => Some(why.shown().to_owned()),
        }
    }
}

/// A point in another viewport.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Located {
    /// The slice on which it lies, by its number from 0, and how far that is away.
    pub index: usize,
    pub away_mm: f64,
    /// Where on it; nothing across a [`ManualLink`].
    pub at: Option<Point>,
}

/// Two series that the user has paired, at a slice each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ManualLink {
    along: Vector,
    offset_mm: f64,
}

impl ManualLink {
    /// Links the series of two slices that show the same; nothing unless they are about parallel.
    pub fn between(from: &Plane, to: &Plane) -> Option<Self> {
        let along = from.normal();
        let link = Self { along, offset_mm: along_mm(to, along) - along_mm(from, along) };
        scroll_together(from, to).then_some(link)
    }

    /// The same link, the other way.
    pub fn reversed(self) -> Self {
        Self { offset_mm: -self.offset_mm, ..self }
    }

    /// How much further the other series' slices lie, along the normal of the slice that was paired first.
    pub fn offset_mm(&self) -> f64 {
        self.offset_mm
    }
}

impl Slices {
    /// Slices in the order in which they are scrolled; those without a plane are shown but never linked.
    pub fn new(planes: Vec<Option<Plane>>) -> Self {
        let numbers: Vec<usize> = (0..planes.len()).filter(|&n| planes[n].is_some()).collect();
        let placed: Vec<Plane> = planes.into_iter().flatten().collect();
        let count = numbers.last().map_or(0, |last| last + 1);
        let mut slices: Vec<Option<Slice>> = vec![None; count];
        for group in parallel_groups(&placed) {
            for (member, (reach_mm, rank)) in group.iter().zip(reaches(&placed, &group)) {
                slices[numbers[*member]] = Some(Slice { plane: placed[*member].clone(), reach_mm, rank });
            }
        }
        Self { slices }
    }

    pub fn plane(&self, index: usize) -> Option<&Plane> {
        self.slices.get(index)?.as_ref().map(|slice| &slice.plane)
    }

    /// Whether a place of the patient lies on a slice, or nearer to it than to any other.
    pub fn is_at(&self, index: usize, place: Vector) -> bool {
        let slice = self.slices.get(index).and_then(Option::as_ref);
        slice.is_some_and(|slice| slice.reaches(slice.plane.height_mm(place)))
    }

    fn placed(&self) -> impl Iterator<Item = (usize, &Slice)> {
        self.slices.iter().enumerate().filter_map(|(index, slice)| Some((index, slice.as_ref()?)))
    }

    /// The slice that lies where another viewport's slice does: at its middle, or by a link set by hand. Of several at
    /// one place it is the one that goes with the slice that is shown at present.
    pub fn linked(&self, from: &Plane, link: Option<&ManualLink>, present: usize) -> Linked {
        if self.placed().next().is_none() {
            return Linked::Apart(Apart::NotPlaced);
        }
        let reachable = |slice: &Slice| link.is_some() || from.shares_space_with(&slice.plane);
        if !self.placed().any(|(_, slice)| reachable(slice)) {
            return Linked::Apart(Apart::FramesOfReference);
        }
        let height_mm = |plane: &Plane| match link {
            Some(link) => {
                let ahead = along_mm(from, link.along) + link.offset_mm - along_mm(plane, link.along);
                if dot(plane.normal(), link.along) < 0.0 { -ahead } else { ahead }
            }
            None => plane.height_mm(from.middle()),
        };
        // A link set by hand says nothing of other directions than its own.
        let is_along = link.is_none_or(|link| is_about_parallel(from.normal(), link.along));
        let together =
            self.placed().filter(|(_, slice)| is_along && reachable(slice) && scroll_together(from, &slice.plane));
        let heights = together.map(|(index, slice)| (index, slice, height_mm(&slice.plane)));
        match self.nearest(heights, present) {
            None => Linked::Apart(Apart::Orientation),
            Some((index, slice, height)) if slice.reaches(height) => Linked::Slice { index, away_mm: height.abs() },
            Some((nearest, _, height)) => Linked::NoSliceHere { nearest, away_mm: height.abs() },
        }
    }

    /// Where a point of another viewport's slice lies in this one, which shows the slice `present`.
    pub fn locate(
        &self,
        from: &Plane,
        at: Point,
        link: Option<&ManualLink>,
        present: usize,
    ) -> Result<Located, Linked> {
        if link.is_some() {
            return match self.linked(from, link, present) {
                Linked::Slice { index, away_mm } => Ok(Located { index, away_mm, at: None }),
                not => Err(not),
            };
        }
        if self.placed().next().is_none() {
            return Err(Linked::Apart(Apart::NotPlaced));
        }
        let place = from.patient(at);
        let mut shared = self.placed().filter(|(_, slice)| from.shares_space_with(&slice.plane)).peekable();
        if shared.peek().is_none() {
            return Err(Linked::Apart(Apart::FramesOfReference));
        }
        let here = shared.filter(|(_, slice)| slice.plane.holds(slice.plane.pixel(place)));
        let heights = here.map(|(index, slice)| (index, slice, slice.plane.height_mm(place)));
        match self.nearest(heights, present) {
            None => Err(Linked::Apart(Apart::Beside)),
            Some((index, slice, height)) if slice.reaches(height) => {
                Ok(Located { index, away_mm: height.abs(), at: Some(slice.plane.pixel(place)) })
            }
            Some((nearest, _, height)) => Err(Linked::NoSliceHere { nearest, away_mm: height.abs() }),
        }
    }

    /// The slice of the smallest height. Several may lie there, as weightings and time points do: then the one that has
    /// the rank of the slice that is shown at present, else the next to that, so that no scroll changes a weighting.
    fn nearest<'a>(
        &self,
        heights: impl Iterator<Item = (usize, &'a Slice, f64)>,
        present: usize,
    ) -> Option<(usize, &'a Slice, f64)> {
        let heights: Vec<(usize, &Slice, f64)> = heights.collect();
        let (.., least) = *heights.iter().min_by(|(.., a), (.., b)| a.abs().total_cmp(&b.abs()))?;
        let rank = self.slices.get(present).and_then(Option::as_ref).map(|slice| slice.rank);
        let there = heights.into_iter().filter(|(.., height)| (height - least).abs() <= SAME_PLACE_MM);
        there.min_by_key(|(index, slice, _)| (rank != Some(slice.rank), index.abs_diff(present)))
    }
}

impl Slice {
    fn reaches(&self, height_mm: f64) -> bool {
        let [below, above] = self.reach_mm;
        (-below - SAME_PLACE_MM..=above + SAME_PLACE_MM).contains(&height_mm)
    }
}

/// How far each slice of a parallel group reaches below and above, and which it is of those at its place.
fn reaches(planes: &[Plane], group: &[usize]) -> Vec<([f64; 2], usize)> {
    let normal = planes[group[0]].normal();
    let at: Vec<f64> = group.iter().map(|&number| dot(planes[number].origin_mm(), normal)).collect();
    let mut order: Vec<usize> = (0..group.len()).collect();
    order.sort_by(|&a, &b| at[a].total_cmp(&at[b]));
    // Several slices at one place are one place.
    let mut places: Vec<Vec<usize>> = Vec::new();
    for member in order {
        match places.last_mut() {
            Some(place) if at[member] - at[place[0]] <= SAME_PLACE_MM => place.push(member),
            _ => places.push(vec![member]),
        }
    }
    let heights: Vec<f64> = places.iter().map(|place| at[place[0]]).collect();
    let thicknesses: Vec<Option<f64>> = places.iter().map(|place| planes[group[place[0]]].thickness_mm()).collect();
    let missing = missing_after(&heights, &thicknesses);
    let half_steps: Vec<f64> = heights.windows(2).map(|pair| (pair[1] - pair[0]) / 2.0).collect();
    let whole: Vec<f64> = half_steps.iter().zip(&missing).filter(|(_, n)| **n == 0).map(|(half, _)| *half).collect();
    let usual = median(&whole);
    let mut reaches = vec![([0.0; 2], 0); group.len()];
    for (k, place) in places.iter().enumerate() {
        let alone = || thicknesses[k].unwrap_or(0.0) / 2.0;
        let towards = |step: Option<usize>| match step.and_then(|step| Some((half_steps.get(step)?, missing[step]))) {
            Some((half, 0)) => *half,
            // Into a gap, and beyond the ends.
            _ if !whole.is_empty() => usual,
            _ => alone(),
        };
        let mut in_order = place.clone();
        in_order.sort_unstable();
        for (rank, member) in in_order.into_iter().enumerate() {
            reaches[member] = ([towards(k.checked_sub(1)), towards(Some(k))], rank);
        }
    }
    reaches
}

/// How far along a direction a plane stands, by its own normal turned that way.
fn along_mm(plane: &Plane, along: Vector) -> f64 {
    let normal = plane.normal();
    let turned = if dot(normal, along) < 0.0 { times(normal, -1.0) } else { normal };
    dot(plane.origin_mm(), turned)
}

fn scroll_together(a: &Plane, b: &Plane) -> bool {
    is_about_parallel(a.normal(), b.normal())
}

fn is_about_parallel(a: Vector, b: Vector) -> bool {
    dot(a, b).abs() >= TOGETHER_COSINE_MIN
}

/// The line in which a viewport's plane crosses another image: its two ends in pixels of that image, as far as both
/// images reach. None for parallel planes, planes that cross beside the images, and other frames of reference.
pub fn reference_line(of: &Plane, on: &Plane) -> Option<[Point; 2]> {
    let crossing = cross(of.normal(), on.normal());
    if !of.shares_space_with(on) || dot(crossing, crossing).sqrt() < CROSSING_SINE_MIN {
        return None;
    }
    // Heights above the other plane change evenly over the image: the line is where they are 0.
    let height = |column, row| of.height_mm(on.patient(Point { column, row }));
    let middle = Point { column: f64::from(on.columns() - 1) / 2.0, row: f64::from(on.rows() - 1) / 2.0 };
    let here = height(middle.column, middle.row);
    let (across, down) =
        (height(middle.column + 1.0, middle.row) - here, height(middle.column, middle.row + 1.0) - here);
    let steepness = across * across + down * down;
    let foot = Point { column: middle.column - here * across / steepness, row: middle.row - here * down / steepness };
    let at = |s: f64| Point { column: foot.column - s * down, row: foot.row + s * across };
    let mut span = (f64::NEG_INFINITY, f64::INFINITY);
    clip(&mut span, at(0.0), at(1.0), on);
    clip(&mut span, of.pixel(on.patient(at(0.0))), of.pixel(on.patient(at(1.0))), of);
    let (start, end) = span;
    (start.is_finite() && end.is_finite() && start < end).then(|| [at(start), at(end)])
}

/// Narrows a span of a line, given by its points at 0 and at 1, to the part over an image.
fn clip(span: &mut (f64, f64), at_0: Point, at_1: Point, image: &Plane) {
    let axes = [(at_0.column, at_1.column, image.columns()), (at_0.row, at_1.row, image.rows())];
    for (from, to, length) in axes {
        let (low, high) = (-0.5, f64::from(length) - 0.5);
        let step = to - from;
        if step.abs() < 1e-12 {
            if !(low..=high).contains(&from) {
                *span = (f64::INFINITY, f64::NEG_INFINITY);
            }
            continue;
        }
        let (a, b) = ((low - from) / step, (high - from) / step);
        *span = (span.0.max(a.min(b)), span.1.min(a.max(b)));
    }
}

/// The distance of two parallel slices of one frame of reference, in mm.
pub fn distance_mm(a: &Plane, b: &Plane) -> Option<f64> {
    let turned = if dot(a.normal(), b.normal()) < 0.0 { -1.0 } else { 1.0 };
    let parallel = a.normal().iter().zip(b.normal()).all(|(a, b)| (a - turned * b).abs() < PARALLEL_MAX);
    (parallel && a.shares_space_with(b)).then(|| a.height_mm(b.middle()).abs())
}

/// Where a slice lies, in a word that people can compare, such as "H 12.5 mm": its distance along the normal from the
/// origin of its frame of reference, and towards which side of the patient.
pub fn location(plane: &Plane) -> String {
    let along_mm = dot(plane.origin_mm(), plane.normal());
    if along_mm.abs() < 0.05 {
        return "0.0 mm".to_owned();
    }
    let [x, y, z] = times(plane.normal(), along_mm.signum());
    let letter = match (x.abs(), y.abs(), z.abs()) {
        (a, b, c) if a > b && a > c => {
            if x > 0.0 {
                'L'
            } else {
                'R'
            }
        }
        (_, b, c) if b > c => {
            if y > 0.0 {
                'P'
            } else {
                'A'
            }
        }
        _ => {
            if z > 0.0 {
                'H'
            } else {
                'F'
            }
        }
    };
    format!("{letter} {:.1} mm", along_mm.abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AXIAL: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    const CORONAL: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0];
    const SAGITTAL: [f64; 6] = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0];

    fn plane(orientation: [f64; 6], position: [f64; 3]) -> Plane {
        Plane::stated(position, orientation, [0.5, 0.5], 200, 100).unwrap().within("1.2")
    }

    fn axial(z: f64) -> Plane {
        plane(AXIAL, [-50.0, -25.0, z])
    }

    fn slices(planes: impl IntoIterator<Item = Plane>) -> Slices {
        Slices::new(planes.into_iter().map(Some).collect())
    }

    fn index(linked: Linked) -> Option<usize> {
        if let Linked::Slice { index, .. } = linked { Some(index) } else { None }
    }

    #[test]
    fn the_nearest_slice_is_shown_and_beyond_half_a_step_none() {
        let other = slices([0.0, 5.0, 10.0, 25.0, 30.0].map(axial));
        let at = |z| other.linked(&axial(z), None, 0);
        assert_eq!(at(0.4), Linked::Slice { index: 0, away_mm: 0.4 });
        assert_eq!((index(at(6.0)), index(at(7.6)), index(at(12.5))), (Some(1), Some(2), Some(2)));
        assert_eq!(at(13.0), Linked::NoSliceHere { nearest: 2, away_mm: 3.0 });
        assert_eq!(at(13.0).shown().unwrap(), "no slice here; the nearest is 3.0 mm away");
        assert_eq!((index(at(-2.5)), index(at(32.5))), (Some(0), Some(4)));
        assert_eq!(at(-12.0), Linked::NoSliceHere { nearest: 0, away_mm: 12.0 });
    }

    #[test]
    fn of_slices_at_one_place_the_one_is_shown_that_goes_with_the_present_one() {
        // Two weightings, one after the other and by turns; the last place has one of them only.
        let apart = slices([0.0, 5.0, 10.0, 0.0, 5.0].map(axial));
        let by_turns = slices([0.0, 0.0, 5.0, 5.0, 10.0].map(axial));
        let at = |slices: &Slices, z, present| index(slices.linked(&axial(z), None, present));
        assert_eq!((at(&apart, 5.0, 0), at(&apart, 5.0, 3), at(&apart, 10.0, 4)), (Some(1), Some(4), Some(2)));
        assert_eq!((at(&by_turns, 5.0, 0), at(&by_turns, 5.0, 1), at(&by_turns, 0.0, 3)), (Some(2), Some(3), Some(1)));
        let point = Point { column: 9.0, row: 9.0 };
        assert_eq!(apart.locate(&axial(5.0), point, None, 3).unwrap().index, 4);
        // At the end where one is missing the nearest stands in, and says by its number that it does.
        assert_eq!((at(&by_turns, 10.0, 3), at(&by_turns, 5.0, 9)), (Some(4), Some(3)));
    }

    #[test]
    fn a_slice_that_is_alone_reaches_as_far_as_it_is_thick() {
        let thick = slices([axial(0.0).with_thickness(4.0)]);
        assert_eq!(index(thick.linked(&axial(2.0), None, 0)), Some(0));
        assert_eq!(index(thick.linked(&axial(2.1), None, 0)), None);
        let thin = slices([axial(0.0)]);
        assert_eq!(
            (index(thin.linked(&axial(0.0), None, 0)), index(thin.linked(&axial(0.1), None, 0))),
            (Some(0), None)
        );
    }

    #[test]
    fn nothing_is_linked_across_frames_of_reference_or_orientations() {
        let shown = |planes: Vec<Plane>| slices(planes).linked(&axial(0.0), None, 0).shown().unwrap();
        let prior = vec![axial(0.0).within("1.3"), axial(5.0).within("1.3")];
        assert_eq!(shown(prior.clone()), "another frame of reference: pair two slices to link by hand");
        assert_eq!(shown(vec![plane(SAGITTAL, [0.0; 3])]), "planes of another orientation");
        assert_eq!(Slices::new(vec![None, None]).linked(&axial(0.0), None, 0), Linked::Apart(Apart::NotPlaced));
        let at = Point { column: 10.0, row: 10.0 };
        assert_eq!(
            slices(prior.clone()).locate(&axial(0.0), at, None, 0),
            Err(Linked::Apart(Apart::FramesOfReference))
        );
        assert_eq!(reference_line(&plane(SAGITTAL, [0.0; 3]), &prior[0]), None);
        assert_eq!(distance_mm(&axial(0.0), &prior[1]), None);
        let unstated = Plane::stated([0.0; 3], AXIAL, [1.0, 1.0], 9, 9).unwrap();
        assert_eq!(slices([unstated.clone()]).linked(&unstated, None, 0), Linked::Apart(Apart::FramesOfReference));
    }

    #[test]
    fn a_pair_of_slices_links_two_examinations_along_the_normal_only() {
        // The prior was counted from the feet, with its normal the other way.
        let turned = [1.0, 0.0, 0.0, 0.0, -1.0, 0.0];
        let prior: Vec<Plane> = (0..20).map(|k| plane(turned, [0.0, 0.0, f64::from(k) * 3.0]).within("1.3")).collect();
        let link = ManualLink::between(&axial(100.0), &prior[4]).unwrap();
        assert_eq!(link.offset_mm(), -88.0);
        let there = slices(prior.clone());
        for (z, expected) in [(100.0, Some(4)), (106.0, Some(6)), (97.2, Some(3)), (88.0, Some(0)), (80.0, None)] {
            assert_eq!(index(there.linked(&axial(z), Some(&link), 0)), expected, "{z}");
        }
        let here = slices((0..50).map(|k| axial(f64::from(k) * 2.0 + 80.0)));
        assert_eq!(index(here.linked(&prior[6], Some(&link.reversed()), 0)), Some(13));
        let located = there.locate(&axial(106.0), Point { column: 3.0, row: 4.0 }, Some(&link), 0).unwrap();
        assert_eq!(located, Located { index: 6, away_mm: 0.0, at: None });
        assert_eq!(ManualLink::between(&axial(0.0), &plane(SAGITTAL, [0.0; 3])), None);
        let across = slices([plane(SAGITTAL, [0.0; 3]).within("1.3")]);
        let linked = across.linked(&plane(SAGITTAL, [0.0; 3]), Some(&link), 0);
        assert_eq!(linked, Linked::Apart(Apart::Orientation), "it was paired along the normal of axial slices");
    }

    #[test]
    fn a_point_is_found_on_its_slice_of_every_orientation() {
        let from = axial(10.0);
        let at = Point { column: 110.0, row: 60.0 }; // x 5, y 5, z 10
        let sagittals = slices((0..11).map(|k| plane(SAGITTAL, [f64::from(k) - 5.0, -25.0, 40.0])));
        let found = sagittals.locate(&from, at, None, 0).unwrap();
        assert_eq!(found, Located { index: 10, away_mm: 0.0, at: Some(Point { column: 60.0, row: 60.0 }) });
        let outside = sagittals.locate(&from, Point { column: 0.0, row: 0.0 }, None, 0);
        assert_eq!(outside, Err(Linked::NoSliceHere { nearest: 0, away_mm: 45.0 }));
        let beside = slices([plane(SAGITTAL, [5.0, 30.0, 40.0])]).locate(&from, at, None, 0);
        assert_eq!(beside, Err(Linked::Apart(Apart::Beside)));
    }

    #[test]
    fn a_reference_line_ends_where_either_image_does() {
        let coronal = plane(CORONAL, [-50.0, 0.0, 20.0]);
        let line = reference_line(&coronal, &axial(0.0)).unwrap();
        assert_eq!(line.map(|end| end.row), [50.0, 50.0]);
        let mut columns = line.map(|end| end.column);
        columns.sort_by(f64::total_cmp);
        assert_eq!(columns, [-0.5, 199.5]);
        let narrow = Plane::stated([-10.0, 0.0, 20.0], CORONAL, [0.5, 0.5], 41, 100).unwrap().within("1.2");
        let mut columns = reference_line(&narrow, &axial(0.0)).unwrap().map(|end| end.column);
        columns.sort_by(f64::total_cmp);
        assert_eq!(columns, [79.5, 120.5]);
        assert_eq!(reference_line(&axial(5.0), &axial(0.0)), None);
        assert_eq!(reference_line(&plane(CORONAL, [-50.0, 90.0, 20.0]), &axial(0.0)), None);
    }

    #[test]
    fn slices_say_where_they_lie_and_how_far_apart() {
        assert_eq!(location(&axial(12.54)), "H 12.5 mm");
        assert_eq!(location(&axial(-250.0)), "F 250.0 mm");
        assert_eq!(location(&axial(0.0)), "0.0 mm");
        assert_eq!(location(&plane(CORONAL, [0.0, -7.0, 3.0])), "A 7.0 mm");
        assert_eq!(location(&plane(SAGITTAL, [4.0, -7.0, 3.0])), "L 4.0 mm");
        assert_eq!(distance_mm(&axial(-3.0), &axial(4.5)), Some(7.5));
        assert_eq!(distance_mm(&axial(-3.0), &plane(SAGITTAL, [0.0; 3])), None);
    }

    fn turned(angles: [f64; 3]) -> [f64; 6] {
        let ([sa, sb, sc], [ca, cb, cc]) = (angles.map(f64::sin), angles.map(f64::cos));
        [ca * cb, sa * cb, -sb, ca * sb * sc - sa * cc, sa * sb * sc + ca * cc, cb * sc]
    }

    proptest! {
        #[test]
        fn ends_of_a_reference_line_lie_in_both_planes_and_both_images(
            a in prop::array::uniform3(-3.2f64..3.2),
            b in prop::array::uniform3(-3.2f64..3.2),
            from in prop::array::uniform3(-60.0f64..60.0),
            to in prop::array::uniform3(-60.0f64..60.0),
        ) {
            let (of, on) = (plane(turned(a), from), plane(turned(b), to));
            if let Some(ends) = reference_line(&of, &on) {
                for end in ends {
                    let place = on.patient(end);
                    prop_assert!(of.height_mm(place).abs() < 1e-6 && on.height_mm(place).abs() < 1e-6);
                    let wide = |p: Point, by: f64| Point { column: p.column * by, row: p.row * by };
                    let slack = 1.0 - 1e-9;
                    prop_assert!(on.holds(wide(end, slack)) && of.holds(wide(of.pixel(place), slack)));
                }
            }
        }

        #[test]
        fn scrolling_on_never_scrolls_a_linked_series_back(
            steps in prop::collection::vec(0.1f64..9.0, 1..40),
            tilt in -0.4f64..0.4,
            from in -50.0f64..50.0,
            by in 0.1f64..4.0,
            offset in prop::option::of(-30.0f64..30.0),
        ) {
            let mut z = -60.0;
            let orientation = turned([0.0, 0.0, tilt]);
            let other = slices(steps.iter().map(|step| {
                z += step;
                plane(orientation, [-50.0, -25.0, z])
            }));
            let link = offset.map(|mm| ManualLink { along: [0.0, 0.0, 1.0], offset_mm: mm });
            let mut last = 0;
            for k in 0..50 {
                let linked = other.linked(&axial(from + by * f64::from(k)), link.as_ref(), 0);
                if let Linked::Slice { index, .. } | Linked::NoSliceHere { nearest: index, .. } = linked {
                    prop_assert!(index >= last);
                    last = index;
                }
            }
        }
    }
}
