//! Reformats against what they must be: analytic phantoms, the slow way, and scipy.

use proptest::prelude::*;

use super::*;
use crate::study::plane::cross;

const AXIAL: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
const SAGITTAL: [f64; 6] = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0];

/// How a series is acquired.
#[derive(Debug, Clone, Copy)]
struct Scan {
    orientation: [f64; 6],
    origin: Vector,
    /// Between rows, between columns.
    spacing: [f64; 2],
    columns: u32,
    rows: u32,
    slices: u32,
    step_mm: f64,
    /// How far each slice is shifted along its rows and columns against the one before, in mm.
    shear_mm: [f64; 2],
}

impl Scan {
    fn axial() -> Self {
        let origin = [-20.0, -15.0, -12.0];
        let (spacing, step_mm, shear_mm) = ([1.0, 1.0], 1.5, [0.0; 2]);
        Self { orientation: AXIAL, origin, spacing, columns: 41, rows: 31, slices: 17, step_mm, shear_mm }
    }

    /// The same around the origin.
    fn centred(self) -> Self {
        let planes = self.planes();
        let middle = times(plus(planes[0].middle(), planes[planes.len() - 1].middle()), 0.5);
        Self { origin: minus(self.origin, middle), ..self }
    }

    fn planes(&self) -> Vec<Plane> {
        let [a, b, c, d, e, f] = self.orientation;
        let (across, down) = ([a, b, c], [d, e, f]);
        let step = times(cross(across, down), self.step_mm);
        let step = plus(step, plus(times(across, self.shear_mm[0]), times(down, self.shear_mm[1])));
        let plane = |slice: u32| {
            let origin = plus(self.origin, times(step, f64::from(slice)));
            Plane::stated(origin, self.orientation, self.spacing, self.columns, self.rows).unwrap().within("1.2.3")
        };
        (0..self.slices).map(plane).collect()
    }

    /// The volume in which each voxel has its place's value.
    fn volume(&self, value: impl Fn(Vector) -> f32) -> Volume {
        let planes = self.planes();
        let mut volume = Volume::of(Stack::of(&planes).unwrap()).unwrap();
        for (slice, plane) in planes.iter().enumerate() {
            volume.insert(slice, plane, &values(plane, &value), Unit::Hounsfield).unwrap();
        }
        volume
    }
}

fn values(plane: &Plane, value: impl Fn(Vector) -> f32) -> Vec<f32> {
    let pixels = (0..plane.rows()).flat_map(|row| (0..plane.columns()).map(move |column| (column, row)));
    pixels.map(|(column, row)| value(plane.patient(Point { column: f64::from(column), row: f64::from(row) }))).collect()
}

/// Directions turned by three angles.
fn turned(angles: [f64; 3]) -> [f64; 6] {
    let ([sa, sb, sc], [ca, cb, cc]) = (angles.map(f64::sin), angles.map(f64::cos));
    [ca * cb, sa * cb, -sb, ca * sb * sc - sa * cc, sa * sb * sc + ca * cc, cb * sc]
}

/// All pixels of a reformat with their places.
fn pixels(reformat: &Reformat) -> impl Iterator<Item = (Vector, Coverage, f32)> {
    let plane = &reformat.plane;
    let points = (0..plane.rows()).flat_map(|row| (0..plane.columns()).map(move |column| (column, row)));
    let places = points.map(|(column, row)| plane.patient(Point { column: f64::from(column), row: f64::from(row) }));
    places.zip(&reformat.coverage).zip(&reformat.values).map(|((place, coverage), value)| (place, *coverage, *value))
}

const CUTS: [Cut; 4] = [Cut::Axial, Cut::Coronal, Cut::Sagittal, Cut::Acquisition];

/// How series are acquired: head and feet first, supine and prone, in the three planes, oblique, tilted.
fn scans() -> Vec<Scan> {
    let axial = Scan::axial();
    let degrees = f64::to_radians;
    let scans = [
        axial,
        Scan { orientation: [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0], ..axial },
        Scan { orientation: [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0], ..axial },
        Scan { orientation: [1.0, 0.0, 0.0, 0.0, -1.0, 0.0], ..axial },
        Scan { orientation: SAGITTAL, spacing: [1.0, 0.8], ..axial },
        Scan { orientation: [1.0, 0.0, 0.0, 0.0, 0.0, -1.0], ..axial },
        Scan { orientation: turned([degrees(20.0), degrees(-15.0), degrees(10.0)]), ..axial },
        Scan { orientation: turned([degrees(5.0), 0.0, degrees(80.0)]), ..axial },
        Scan { orientation: turned([0.0, 0.0, degrees(-18.5)]), shear_mm: [0.0, -0.48], ..axial },
        Scan { shear_mm: [0.3, 0.7], ..axial },
    ];
    scans.map(Scan::centred).to_vec()
}

#[test]
fn ramps_along_the_patients_axes_come_out_as_they_are_in_every_cut() {
    let ramps: [fn(Vector) -> f32; 4] = [
        |[x, _, _]| x as f32,
        |[_, y, _]| (10.0 * y) as f32,
        |[_, _, z]| (-3.0 * z) as f32,
        |[x, y, z]| (x + 2.0 * y - 4.0 * z + 7.0) as f32,
    ];
    for scan in scans() {
        for ramp in ramps {
            let volume = scan.volume(ramp);
            for cut in CUTS {
                let planes = cut.planes(volume.stack()).unwrap();
                for index in [planes.count() / 3, planes.count() / 2] {
                    let reformat = Reformat::of(&volume, &planes.plane(index).unwrap(), None).unwrap();
                    let (mut inside, mut exact) = (0, 0);
                    for (place, coverage, value) in pixels(&reformat) {
                        if coverage == Coverage::Value {
                            let wrong = (value - ramp(place)).abs();
                            inside += 1;
                            exact += u32::from(wrong < 2e-4);
                            // A place on the very edge may be a two-hundredth of a voxel outside.
                            assert!(wrong < 0.06, "{scan:?} {cut:?} {place:?}: {value}");
                        }
                    }
                    assert!(inside > 100 && exact * 100 >= inside * 99, "{scan:?} {cut:?}: {exact} of {inside}");
                }
            }
        }
    }
}

#[test]
fn a_tilted_ellipsoid_keeps_its_shape_and_place_in_every_cut() {
    let [a, b, c, d, e, f] = turned([0.5, 0.3, -0.4]);
    let (u, v) = ([a, b, c], [d, e, f]);
    let axes = [(u, 9.0), (v, 6.0), (cross(u, v), 7.5)];
    let middle = [1.5, -2.0, 0.5];
    let radius = |place: Vector| {
        let from = minus(place, middle);
        axes.iter().map(|(axis, half)| (dot(from, *axis) / half).powi(2)).sum::<f64>().sqrt()
    };
    // 1000 inside, 0 outside, and a soft edge between.
    let density = |place: Vector| (1000.0 * (4.0 * (1.25 - radius(place))).clamp(0.0, 1.0)) as f32;
    for scan in scans() {
        let fine = Scan { spacing: scan.spacing.map(|mm| mm / 2.0), columns: 81, rows: 61, slices: 49, ..scan };
        let fine = Scan { step_mm: 0.5, shear_mm: scan.shear_mm.map(|mm| mm / 3.0), ..fine }.centred();
        let volume = fine.volume(density);
        for cut in CUTS {
            let planes = cut.planes(volume.stack()).unwrap();
            let index = planes.nearest(middle).unwrap();
            let reformat = Reformat::of(&volume, &planes.plane(index).unwrap(), None).unwrap();
            let (mut worst, mut inside) = (0.0f32, 0);
            for (place, coverage, value) in pixels(&reformat) {
                if coverage == Coverage::Value {
                    worst = worst.max((value - density(place)).abs());
                    inside += u32::from(value > 500.0);
                }
            }
            // Over half a voxel (0.43 mm) the density changes by at most 4 x 1000 / 6 mm; corners are cut by a part of it.
            assert!(worst < 80.0 && inside > 100, "{scan:?} {cut:?}: {worst}, {inside}");
        }
    }
}

#[test]
fn letters_of_cuts_are_the_patients_whatever_the_acquisition() {
    let edges = |plane: &Plane| {
        let letters = plane.letters().unwrap();
        [letters.left, letters.right, letters.top, letters.bottom].join(" ")
    };
    for scan in scans() {
        let stack = Stack::of(&scan.planes()).unwrap();
        let letters = |cut: Cut| edges(&cut.planes(&stack).unwrap().plane(0).unwrap());
        assert_eq!(letters(Cut::Axial), "R L A P");
        assert_eq!(letters(Cut::Coronal), "R L H F");
        assert_eq!(letters(Cut::Sagittal), "A P H F");
        assert_eq!(letters(Cut::Acquisition), edges(&scan.planes()[0]));
    }
}

#[test]
fn a_cut_along_the_acquisition_gives_the_voxels_themselves() {
    let noise = |[x, y, z]: Vector| ((x * 12.9 + y * 78.2 + z * 37.7).sin() * 1000.0).round() as f32;
    let scan = Scan::axial();
    let volume = scan.volume(noise);
    let planes = Cut::Axial.planes(volume.stack()).unwrap();
    assert_eq!((planes.count(), planes.step_mm()), (17, 1.5));
    for index in 0..planes.count() {
        // From head to feet.
        let acquired = &scan.planes()[(planes.count() - 1 - index) as usize];
        let plane = planes.plane(index).unwrap();
        assert_eq!((plane.origin_mm(), plane.columns(), plane.rows()), (acquired.origin_mm(), 41, 31));
        assert_eq!(Reformat::of(&volume, &plane, None).unwrap().values, values(acquired, noise));
    }
}

#[test]
fn a_missing_slice_is_a_hole_in_every_cut_and_a_remark_in_a_slab() {
    let scan = Scan::axial();
    let mut volume = Volume::of(Stack::of(&scan.planes()).unwrap()).unwrap();
    for (slice, plane) in scan.planes().iter().enumerate().filter(|(slice, _)| *slice != 8) {
        volume.insert(slice, plane, &[5.0; 41 * 31], Unit::Hounsfield).unwrap();
    }
    let middle = |cut: Cut| {
        let planes = cut.planes(volume.stack()).unwrap();
        planes.plane(planes.nearest([0.0; 3]).unwrap()).unwrap()
    };
    let axial = Reformat::of(&volume, &middle(Cut::Axial), None).unwrap();
    assert!(axial.coverage.iter().all(|pixel| *pixel == Coverage::Missing));
    assert_eq!(
        (axial.at(Point { column: 3.0, row: 3.0 }), axial.basis()),
        (Sample::Missing, "interpolated, slices are missing".to_owned())
    );
    let coronal = Reformat::of(&volume, &middle(Cut::Coronal), None).unwrap();
    for (place, coverage, value) in pixels(&coronal) {
        // Its two neighbours are there; up to them nothing is known.
        let expected = if place[2].abs() < 1.5 - 1e-9 { Coverage::Missing } else { Coverage::Value };
        assert_eq!(coverage, expected, "{place:?}");
        assert_eq!(value.is_nan(), coverage == Coverage::Missing);
    }
    for projection in [Projection::Maximum, Projection::Minimum, Projection::Mean] {
        let slab = Some(Slab { thickness_mm: 6.0, projection });
        let slab = Reformat::of(&volume, &middle(Cut::Axial), slab).unwrap();
        assert!(slab.coverage.iter().all(|pixel| *pixel == Coverage::Partial));
        assert!(slab.values.iter().all(|value| (value - 5.0).abs() < 1e-5) && slab.is_incomplete());
    }
    let beside = Reformat::of(&volume, &middle(Cut::Axial).moved([0.0, 0.0, 9.0]), None).unwrap();
    assert_eq!((beside.is_incomplete(), beside.basis()), (false, "interpolated".to_owned()));
}

#[test]
fn slabs_show_extremes_and_means_of_what_lies_in_them() {
    // One bright and one dark voxel above each other, on a ramp from head to feet.
    let value = |[x, y, z]: Vector| match (x.round() as i32, y.round() as i32, (z * 2.0).round() as i32) {
        (3, 4, 3) => 900.0,
        (3, 4, -3) => -900.0,
        _ => (2.0 * z) as f32,
    };
    let volume = Scan::axial().volume(value);
    let planes = Cut::Axial.planes(volume.stack()).unwrap();
    let plane = planes.plane(planes.nearest([0.0; 3]).unwrap()).unwrap();
    let slab =
        |thickness_mm, projection| Reformat::of(&volume, &plane, Some(Slab { thickness_mm, projection })).unwrap();
    let at = |reformat: &Reformat, x: f64, y: f64| match reformat.at(plane.pixel([x, y, 0.0])) {
        Sample::Value(value) => value,
        other => panic!("{other:?}"),
    };
    let (highest, lowest) = (slab(4.0, Projection::Maximum), slab(4.0, Projection::Minimum));
    assert_eq!((at(&highest, 3.0, 4.0), at(&highest, 9.0, 4.0)), (900.0, 4.0));
    assert_eq!((at(&lowest, 3.0, 4.0), at(&lowest, 9.0, 4.0)), (-900.0, -4.0));
    assert!(at(&slab(4.0, Projection::Mean), 9.0, 4.0).abs() < 1e-5);
    // Too thin to reach either.
    assert!(at(&slab(0.2, Projection::Maximum), 3.0, 4.0) < 130.0);
    assert_eq!(highest.basis(), "interpolated, MIP of 4.0 mm");
    // At the head's end half of the slab is outside.
    let end = Reformat::of(&volume, &planes.plane(0).unwrap(), highest.slab).unwrap();
    assert_eq!((at(&end, 9.0, 4.0), end.coverage[0]), (24.0, Coverage::Value));
    // Across the slices the sheets are voxels apart; the pixels stand between slices.
    let coronal = Cut::Coronal.planes(volume.stack()).unwrap();
    let coronal = coronal.plane(coronal.nearest([3.0, 2.0, 0.0]).unwrap()).unwrap();
    let slab = Some(Slab { thickness_mm: 4.0, projection: Projection::Maximum });
    let through = Reformat::of(&volume, &coronal, slab).unwrap();
    assert!(through.values.iter().copied().fold(0.0, f32::max) > 590.0);
}

#[test]
fn any_plane_of_the_same_space_cuts_a_volume_and_no_other() {
    let volume = Scan::axial().volume(|[x, _, _]| x as f32);
    let plane = |columns| Plane::stated([0.0; 3], SAGITTAL, [1.0, 1.0], columns, 5).unwrap();
    assert!(Reformat::of(&volume, &plane(5).within("1.2.3"), None).is_ok());
    let refused = |plane: Plane, slab| Reformat::of(&volume, &plane, slab).unwrap_err();
    assert_eq!(refused(plane(5), None), MprError::FrameOfReference);
    assert_eq!(refused(plane(5).within("1.2.4"), None), MprError::FrameOfReference);
    assert_eq!(refused(plane(65_535).within("1.2.3"), None), MprError::TooLarge { columns: 65_535, rows: 5 });
    for thickness_mm in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
        let slab = Some(Slab { thickness_mm, projection: Projection::Mean });
        assert_eq!(refused(plane(5).within("1.2.3"), slab), MprError::SlabThickness);
    }
}

#[test]
fn a_slab_of_more_sheets_than_can_be_drawn_is_refused_not_thinned_out() {
    let fine = Scan { step_mm: 0.02, slices: 1200, columns: 2, rows: 2, ..Scan::axial() };
    let volume = fine.volume(|_| 0.0);
    let slab = |thickness_mm| Some(Slab { thickness_mm, projection: Projection::Maximum });
    for cut in [Cut::Axial, Cut::Coronal] {
        let plane = cut.planes(volume.stack()).unwrap().plane(0).unwrap();
        assert!(Reformat::of(&volume, &plane, slab(19.0)).is_ok());
        assert_eq!(Reformat::of(&volume, &plane, slab(100.0)).unwrap_err(), MprError::SlabSheets);
    }
}

#[test]
fn a_place_is_found_on_its_cut_and_none_beside_all_of_them() {
    let stack = Stack::of(&Scan::axial().planes()).unwrap();
    let coronal = Cut::Coronal.planes(&stack).unwrap();
    let (index, at) = coronal.locate([3.0, 4.2, 6.0]).unwrap();
    assert_eq!((index, at), (19, Point { column: 23.0, row: 6.0 }));
    assert_eq!(coronal.plane(index).unwrap().patient(at), [3.0, 4.0, 6.0]);
    assert_eq!((coronal.locate([3.0, 16.0, 6.0]), coronal.locate([30.0, 4.0, 6.0])), (None, None));
}

#[test]
fn extents_beyond_all_measure_give_larger_pixels_and_fewer_planes() {
    let far = Scan { spacing: [1e-5, 1000.0], columns: 90, rows: 50, slices: 2, step_mm: 9e4, ..Scan::axial() };
    let planes: Vec<Plane> = far.planes();
    let stack = Stack::of(&planes).unwrap();
    for cut in CUTS {
        let planes = cut.planes(&stack).unwrap();
        let plane = planes.plane(planes.count() - 1).unwrap();
        assert!(plane.columns() <= SIDE_PX_MAX && plane.rows() <= SIDE_PX_MAX && planes.count() <= PLANES_MAX);
        assert_eq!(planes.plane(planes.count()), None);
    }
}

/// A volume with everything that can be wrong: lost and late slices, padding, mixed kinds of values, shear.
fn damaged(scan: &Scan, seed: u32) -> Option<Volume> {
    let mut planes = scan.planes();
    planes.retain(|plane| (dot(plane.origin_mm(), plane.normal()) * 7.0) as i32 as u32 % 11 != seed % 11);
    let mut volume = Volume::of(Stack::of(&planes).ok()?).unwrap();
    for (slice, plane) in planes.iter().enumerate() {
        if (slice as u32 + seed).is_multiple_of(5) {
            continue;
        }
        let fraction = if slice % 3 == 0 { 0.25 } else { 0.0 };
        let value = |[x, y, z]: Vector| match (x * 31.0 + y * 17.0 + z * 7.0 + f64::from(seed)).sin() {
            wave if wave > 0.97 => f32::NAN,
            wave => (wave * 800.0).round() as f32 + fraction,
        };
        volume.insert(slice, plane, &values(plane, value), Unit::Hounsfield).unwrap();
    }
    Some(volume)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_are_what_each_pixel_is_by_itself(
        angles in prop::array::uniform3(-3.2f64..3.2),
        cut_angles in prop::array::uniform3(-3.2f64..3.2),
        shear_mm in prop::option::of(prop::array::uniform2(-1.0f64..1.0)),
        axial: bool,
        seed: u32,
        cut in 0usize..5,
    ) {
        let orientation = if axial { AXIAL } else { turned(angles) };
        let scan = Scan { orientation, shear_mm: shear_mm.unwrap_or_default(), origin: [-9.0; 3], ..Scan::axial() };
        let scan = Scan { columns: 19, rows: 17, slices: 11, ..scan };
        let Some(volume) = damaged(&scan, seed) else { return Ok(()) };
        let plane = match CUTS.get(cut) {
            Some(cut) => {
                let planes = cut.planes(volume.stack()).unwrap();
                planes.plane(planes.count() / 2).unwrap()
            }
            None => {
                let first = volume.stack().first();
                let oblique = Plane::stated([0.0; 3], turned(cut_angles), [0.6, 0.7], 40, 30).unwrap();
                let away = minus(first.middle(), oblique.middle());
                oblique.moved(away).beside(first)
            }
        };
        let reformat = Reformat::of(&volume, &plane, None).unwrap();
        for (place, coverage, value) in pixels(&reformat) {
            let expected = volume.sample(place);
            // A hair's breadth may decide on which side of an edge a place is.
            let near = [[1e-3, 0.0, 0.0], [0.0, 1e-3, 0.0], [0.0, 0.0, 1e-3]].map(|by| (plus(place, by), minus(place, by)));
            let is_on_edge = near.iter().any(|&(a, b)| {
                let kind = |at| std::mem::discriminant(&volume.sample(at));
                kind(a) != kind(place) || kind(b) != kind(place)
            });
            match (coverage, expected) {
                (Coverage::Value, Sample::Value(expected)) => prop_assert!((value - expected).abs() < 1.0),
                (Coverage::Padding, Sample::Padding) => prop_assert!(value.is_nan()),
                (Coverage::Missing, Sample::Missing) => prop_assert!(value.is_nan()),
                (Coverage::Outside, Sample::Outside) => prop_assert!(value.is_nan()),
                _ => prop_assert!(is_on_edge, "{:?} {:?} {:?}", place, coverage, expected),
            }
        }
    }

    #[test]
    fn no_sound_planes_make_a_cut_panic_or_too_large(
        orientation in prop::array::uniform3(-3.2f64..3.2),
        places in prop::collection::vec(prop::array::uniform3(-1e5f64..1e5), 2..6),
        spacing in prop::array::uniform2(-5.0f64..3.0),
        (columns, rows) in (1u32..5, 1u32..5),
        slab_mm in 0.0f64..2000.0,
    ) {
        let spacing = spacing.map(|exponent| 10f64.powf(exponent));
        let planes: Vec<Plane> = places
            .iter()
            .map(|place| Plane::stated(*place, turned(orientation), spacing, columns, rows).unwrap())
            .collect();
        let Ok(stack) = Stack::of(&planes) else { return Ok(()) };
        let mut volume = Volume::of(stack).unwrap();
        volume.insert(0, &planes[0], &vec![1.0; (columns * rows) as usize], Unit::Hounsfield).unwrap();
        for cut in CUTS {
            let Ok(cuts) = cut.planes(volume.stack()) else { continue };
            let plane = cuts.plane(cuts.count() - 1).unwrap();
            prop_assert!(cuts.count() <= PLANES_MAX && plane.columns() <= SIDE_PX_MAX && plane.rows() <= SIDE_PX_MAX);
            if plane.columns() * plane.rows() < 10_000 {
                let slab = Slab { thickness_mm: slab_mm, projection: Projection::Mean };
                let _ = Reformat::of(&volume, &plane, Some(slab));
                prop_assert!(Reformat::of(&volume, &plane, None).is_ok());
            }
        }
    }
}
