use std::path::Path;

use proptest::prelude::*;

use super::*;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");

/// One CT slice of 512 x 512, 0.810547 mm, slope 1, intercept -1024. The expected figures are numpy's.
const CT: &str = "ct-series/liver-3-slices/01.dcm";

fn sample(name: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(Path::new(SAMPLES).join(name)).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: no sample {name}");
    }
    bytes
}

fn points(pairs: &[(f64, f64)]) -> Vec<Point> {
    pairs.iter().map(|&(column, row)| Point { column, row }).collect()
}

fn on(file: &[u8], shape: Shape, pairs: &[(f64, f64)]) -> Result<Measurement, MeasureError> {
    measure(file, 1, shape, &points(pairs))
}

fn value(file: &[u8], shape: Shape, pairs: &[(f64, f64)]) -> Measured {
    on(file, shape, pairs).unwrap().measured.unwrap()
}

fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found} instead of {expected}");
}

#[test]
fn a_probe_reads_the_pixel_it_is_in() {
    let Some(file) = sample(CT) else { return };
    for at in [(200.0, 250.0), (199.5, 249.5), (200.49, 250.49)] {
        let measured = value(&file, Shape::Probe, &[at]);
        assert_eq!((measured.value, measured.unit.as_str()), (47.0, "[hnsf'U]"), "{at:?}");
        assert_eq!(measured.basis, "one pixel, rescale slope 1, intercept -1024, HU by default for CT");
    }
}

#[test]
fn a_length_is_in_millimetres_of_the_patient() {
    let Some(file) = sample(CT) else { return };
    let measured = value(&file, Shape::Length, &[(100.0, 100.0), (130.0, 140.0)]);
    assert_close(measured.value, 40.52735);
    assert_eq!(measured.unit, "mm");
    assert_eq!(measured.basis, "in-patient pixel spacing 0.810547 x 0.810547 mm");
}

#[test]
fn a_bidirectional_mark_gives_the_longer_axis_and_beside_it_the_shorter() {
    let Some(file) = sample(CT) else { return };
    let axes = [(100.0, 100.0), (110.0, 100.0), (105.0, 90.0), (105.0, 130.0)];
    let measurement = on(&file, Shape::Bidirectional, &axes).unwrap();
    assert_close(measurement.measured.unwrap().value, 40.0 * 0.810547);
    assert_close(measurement.extra.short_axis.unwrap().value, 10.0 * 0.810547);
}

#[test]
fn angles_are_those_between_the_lines() {
    let Some(file) = sample(CT) else { return };
    let angle = value(&file, Shape::Angle, &[(110.0, 100.0), (100.0, 100.0), (90.0, 110.0)]);
    assert_close(angle.value, 135.0);
    assert_eq!(angle.unit, "deg");
    let right_to_left = [(100.0, 100.0), (110.0, 100.0), (120.0, 110.0), (110.0, 100.0)];
    assert_close(value(&file, Shape::Cobb, &right_to_left).value, 45.0);
}

#[test]
fn a_rectangle_has_numpys_statistics() {
    let Some(file) = sample(CT) else { return };
    let measurement = on(&file, Shape::Rectangle, &[(210.5, 240.0), (200.0, 260.2)]).unwrap();
    let measured = measurement.measured.unwrap();
    assert_close(measured.value, 59.493_506_493_506_494);
    assert_eq!(measured.basis, "mean of 231 pixels, rescale slope 1, intercept -1024, HU by default for CT");
    let statistics = measurement.extra.statistics.unwrap();
    assert_eq!((statistics.count, statistics.left_out), (231, 0));
    assert_eq!((statistics.minimum, statistics.maximum), (-63.0, 164.0));
    assert_close(statistics.standard_deviation, 36.990_565_092_827_22);
    assert_close(measurement.extra.area.unwrap().value, 10.5 * 20.2 * 0.810547 * 0.810547);
    assert_close(measurement.extra.perimeter.unwrap().value, 2.0 * (10.5 + 20.2) * 0.810547);
}

#[test]
fn an_ellipse_has_numpys_statistics_with_its_edge() {
    let Some(file) = sample(CT) else { return };
    let axes = [(180.0, 250.0), (240.0, 250.0), (210.0, 230.0), (210.0, 270.0)];
    let Measurement { measured, extra } = on(&file, Shape::Ellipse, &axes).unwrap();
    assert_close(measured.unwrap().value, 52.413_609_782_030_83);
    let statistics = extra.statistics.unwrap();
    assert_eq!((statistics.count, statistics.minimum, statistics.maximum), (1881, -120.0, 164.0));
    assert_close(statistics.standard_deviation, 36.273_037_275_203_52);
    let area = extra.area.unwrap();
    assert_close(area.value, 1_238.390_262_556_267);
    assert_eq!(area.unit, "mm2");
    // 4 a E(e) with a = 30, b = 20 (scipy: 158.65439589), Ramanujan's being exact to 1e-7 here.
    assert!((extra.perimeter.unwrap().value / 0.810547 - 158.654_395_89).abs() < 1e-4);
}

#[test]
fn a_freehand_outline_has_numpys_statistics() {
    let Some(file) = sample(CT) else { return };
    let corners = [(200.5, 240.5), (230.5, 244.5), (212.5, 270.5)];
    let Measurement { measured, extra } = on(&file, Shape::Freehand, &corners).unwrap();
    assert_close(measured.unwrap().value, 51.757_647_058_823_53);
    let statistics = extra.statistics.unwrap();
    assert_eq!((statistics.count, statistics.minimum, statistics.maximum), (425, -63.0, 162.0));
    assert_close(statistics.standard_deviation, 36.862_033_318_117_72);
    assert_close(extra.area.unwrap().value, 279.876_223_103_034);
    assert_close(extra.perimeter.unwrap().value, 76.352_925_443_488_39);
}

#[test]
fn padding_is_left_out_and_counted() {
    let Some(file) = sample(CT) else { return };
    // The corner of this reconstruction is padding, -2000.
    assert_eq!(on(&file, Shape::Rectangle, &[(0.0, 0.0), (5.0, 5.0)]), Err(MeasureError::EnclosesNothing));
    assert_eq!(on(&file, Shape::Probe, &[(0.0, 0.0)]).unwrap().measured, None);
    let whole = on(&file, Shape::Rectangle, &[(0.0, 0.0), (511.0, 511.0)]).unwrap().extra.statistics.unwrap();
    assert_eq!(whole.count + whole.left_out, 512 * 512);
    assert!(whole.left_out > 0 && whole.minimum >= -1024.0);
}

#[test]
fn arrows_text_and_key_images_measure_nothing() {
    let Some(file) = sample(CT) else { return };
    let marks = [(Shape::Arrow, &[(1.0, 1.0), (2.0, 2.0)][..]), (Shape::Text, &[(1.0, 1.0)]), (Shape::KeyImage, &[])];
    for (shape, at) in marks {
        assert_eq!(on(&file, shape, at).unwrap(), Measurement { measured: None, extra: Extra::default() });
    }
}

#[test]
fn what_cannot_be_measured_is_refused_for_its_reason() {
    let Some(file) = sample(CT) else { return };
    let outside = |column, row| MeasureError::Outside { column, row, columns: 512, rows: 512 };
    type Case<'a> = (Shape, &'a [(f64, f64)], MeasureError);
    let cases: &[Case<'_>] = &[
        (Shape::Length, &[(1.0, 1.0)], MeasureError::Points { least: 2, most: 2, given: 1 }),
        (Shape::Length, &[(1.0, 1.0); 3], MeasureError::Points { least: 2, most: 2, given: 3 }),
        (Shape::Freehand, &[(1.0, 1.0); 2], MeasureError::Points { least: 3, most: MARK_POINTS_MAX, given: 2 }),
        (Shape::Length, &[(1.0, 1.0), (512.0, 1.0)], outside(512.0, 1.0)),
        (Shape::Length, &[(-0.6, 1.0), (5.0, 1.0)], outside(-0.6, 1.0)),
        (Shape::Length, &[(f64::INFINITY, 1.0), (5.0, 1.0)], outside(f64::INFINITY, 1.0)),
        (Shape::Length, &[(1.0, 1.0), (1.0, 1.0)], MeasureError::Coincide),
        (Shape::Angle, &[(1.0, 1.0), (1.0, 1.0), (5.0, 5.0)], MeasureError::Coincide),
        (Shape::Rectangle, &[(1.0, 1.0), (1.0, 9.0)], MeasureError::Coincide),
        (Shape::Rectangle, &[(100.1, 100.1), (100.9, 100.9)], MeasureError::EnclosesNothing),
        (Shape::Freehand, &[(1.0, 1.0), (5.0, 5.0), (9.0, 9.0)], MeasureError::Coincide),
        (Shape::Freehand, &[(1.0, 1.0), (9.0, 9.0), (9.0, 1.0), (1.0, 9.0)], MeasureError::CrossesItself),
        (Shape::Ellipse, &[(1.0, 5.0), (9.0, 5.0), (7.0, 1.0), (7.0, 9.0)], MeasureError::EllipseAxes),
        (Shape::Ellipse, &[(1.0, 5.0), (9.0, 5.0), (4.0, 1.0), (6.0, 9.0)], MeasureError::EllipseAxes),
        (Shape::Ellipse, &[(1.0, 5.0), (1.0, 5.0), (1.0, 1.0), (1.0, 9.0)], MeasureError::Coincide),
    ];
    for (shape, at, expected) in cases {
        assert_eq!(on(&file, *shape, at).as_ref(), Err(expected), "{shape:?} {at:?}");
    }
    assert!(on(&file, Shape::Length, &[(f64::NAN, 1.0), (5.0, 1.0)]).is_err());
    let frame_2 = measure(&file, 2, Shape::Probe, &points(&[(1.0, 1.0)]));
    assert_eq!(frame_2, Err(MeasureError::Pixels(PixelError::NoSuchFrame { frame: 2, frames: 1 })));
}

#[test]
fn without_spacing_lengths_are_in_pixels_and_say_why() {
    let Some(file) = sample("radiographs/cr-chest-monochrome1.dcm") else { return };
    let measured = value(&file, Shape::Length, &[(10.0, 10.0), (13.0, 14.0)]);
    assert_eq!((measured.value, measured.unit.as_str()), (5.0, PIXELS));
    assert_eq!(measured.basis, "pixels: the file states no spacing");
    assert_eq!(shown_unit(&measured.unit), "px");
}

#[test]
fn a_mammogram_is_measured_on_its_detector() {
    let Some(file) = sample("radiographs/mg-12bit.dcm") else { return };
    let measured = value(&file, Shape::Length, &[(0.0, 0.0), (100.0, 0.0)]);
    assert!(measured.basis.contains("mm"), "{}", measured.basis);
    assert!(measured.basis.contains("detector") || measured.basis.contains("magnification"), "{}", measured.basis);
}

#[test]
fn pixels_that_are_not_square_change_lengths_and_angles() {
    // 0.545455 between rows, 0.596847 between columns.
    let Some(file) = sample("media/dicomdir-2-patients/98892001/CT2N/6293") else { return };
    assert_close(value(&file, Shape::Length, &[(0.0, 0.0), (10.0, 0.0)]).value, 5.96847);
    assert_close(value(&file, Shape::Length, &[(0.0, 0.0), (0.0, 10.0)]).value, 5.45455);
    let angle = value(&file, Shape::Angle, &[(10.0, 0.0), (0.0, 0.0), (10.0, 10.0)]).value;
    assert_close(angle, (5.45455f64 / 5.96847).atan().to_degrees());
}

#[test]
fn a_region_of_a_colour_image_has_an_area_and_no_mean() {
    let Some(file) = sample("colour/us-rgb-planar0.dcm") else { return };
    let Measurement { measured, extra } = on(&file, Shape::Rectangle, &[(10.0, 10.0), (20.0, 20.0)]).unwrap();
    assert_eq!((measured, extra.statistics), (None, None));
    assert_eq!(extra.area.unwrap().value, 100.0);
}

#[test]
fn lossy_compression_stands_beside_the_value() {
    let Some(file) = sample("transfer-syntaxes/same-ct-slice/jpeg-extended-12bit.dcm") else { return };
    let measured = value(&file, Shape::Probe, &[(256.0, 256.0)]);
    assert!(measured.basis.ends_with("lossy compressed"), "{}", measured.basis);
}

#[test]
fn an_suv_stands_beside_the_activity() {
    let Some(file) = sample("private/pet-private-creators-no-preamble.dcm") else { return };
    let Measurement { measured, extra } = on(&file, Shape::Rectangle, &[(60.0, 60.0), (100.0, 100.0)]).unwrap();
    let measured = measured.unwrap();
    assert_eq!(measured.unit, "Bq/ml");
    let suv = extra.suv.unwrap().unwrap();
    // 15:56:00 to 17:11:21 is 4521 s.
    let factor = 9.293 * 1000.0 / (90_100_000.0 * (-4521.0 / 6_586.199707f64).exp2());
    assert_close(suv.of(measured.value), measured.value * factor);
    assert_eq!(shown_unit(suv.unit), "SUVbw");
    let Some(ct) = sample(CT) else { return };
    assert_eq!(on(&ct, Shape::Probe, &[(200.0, 250.0)]).unwrap().extra.suv, None);
}

proptest! {
    #[test]
    fn a_polygons_pixels_nearly_fill_its_area(
        corners in prop::collection::vec((10f64..90.0, 10f64..90.0), 3..8)
    ) {
        let corners = points(&corners);
        prop_assume!(!crosses_itself(&corners));
        let outline = Outline::Polygon(corners);
        let inside = (0..100).flat_map(|row| (0..100).map(move |column| (column, row)));
        let count = inside.filter(|&(column, row)| outline.holds(f64::from(column), f64::from(row))).count() as f64;
        // Each pixel the outline passes may be in or out.
        prop_assert!((count - outline.area_pixels()).abs() <= outline.perimeter((1.0, 1.0)) + 4.0);
    }

    #[test]
    fn a_pixel_inside_is_inside_the_bounds(
        middle in 20f64..80.0, long in 1f64..20.0, short in 1f64..20.0, turn in 0f64..6.3,
    ) {
        let at = |sign: f64, length: f64, turn: f64| (middle + sign * length * turn.cos(), middle + sign * length * turn.sin());
        let quarter = turn + std::f64::consts::FRAC_PI_2;
        let axes = points(&[at(-1.0, long, turn), at(1.0, long, turn), at(-1.0, short, quarter), at(1.0, short, quarter)]);
        let outline = Outline::of(Shape::Ellipse, &axes).unwrap();
        let (low, high) = outline.bounds();
        for row in 0..100 {
            for column in 0..100 {
                let (column, row) = (f64::from(column), f64::from(row));
                if outline.holds(column, row) {
                    prop_assert!(low.column - 1e-6 <= column && column <= high.column + 1e-6);
                    prop_assert!(low.row - 1e-6 <= row && row <= high.row + 1e-6);
                }
            }
        }
        prop_assert!((outline.area_pixels() - std::f64::consts::PI * long * short).abs() < 1e-6);
    }
}
