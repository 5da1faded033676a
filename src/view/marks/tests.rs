use proptest::prelude::*;

use super::*;
use crate::study::geometry::{PixelsOnly, Scale};
use crate::view::pose::{Pose, Zoom};
use crate::view::raster::Overlay;

const SHAPES: [(Shape, usize); 10] = [
    (Shape::Probe, 1),
    (Shape::Length, 2),
    (Shape::Angle, 3),
    (Shape::Cobb, 4),
    (Shape::Bidirectional, 4),
    (Shape::Ellipse, 4),
    (Shape::Rectangle, 2),
    (Shape::Freehand, 5),
    (Shape::Arrow, 2),
    (Shape::Text, 1),
];

fn plane() -> ImagePlane {
    ImagePlane::new(50, 40, &Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing })
}

/// Two screen pixels a pixel, the whole image in the viewport.
fn mapping() -> Mapping {
    Pose::default().mapping(&plane(), Size { width: 100, height: 80 }).unwrap()
}

fn at(column: f64, row: f64) -> Point {
    Point { column, row }
}

/// Points that fit a shape, within the image.
fn points(shape: Shape) -> Vec<Point> {
    match shape {
        Shape::Ellipse => vec![at(10.0, 20.0), at(30.0, 20.0), at(20.0, 15.0), at(20.0, 25.0)],
        _ => {
            let count = SHAPES.iter().find(|(known, _)| *known == shape).unwrap().1;
            [at(10.0, 10.0), at(30.0, 12.0), at(28.0, 30.0), at(12.0, 31.0), at(9.0, 20.0)][..count].to_vec()
        }
    }
}

fn drawn<'a>(shape: Shape, points: &'a [Point]) -> Drawn<'a> {
    Drawn { shape, points, ink: 9, is_draft: false, is_active: false, width_px: 1, text: "12.3 mm" }
}

fn on_canvas(mark: &Drawn<'_>) -> (Option<Overlay>, Result<Option<Label>, NotDrawn>) {
    let mut canvas = Canvas::new(100, 80);
    let label = draw(&mut canvas, &mapping(), mark);
    (canvas.finish(), label)
}

#[test]
fn a_key_image_draws_nothing_has_no_label_and_cannot_be_taken_hold_of() {
    assert_eq!(on_canvas(&drawn(Shape::KeyImage, &[])), (None, Ok(None)));
    assert_eq!(hit([(Shape::KeyImage, &[][..])], &mapping(), (20.0, 20.0), 1e6), None);
    let (_, label) = on_canvas(&drawn(Shape::KeyImage, &[at(1.0, 1.0)]));
    assert_eq!(label, Err(NotDrawn::Points { given: 1 }));
}

#[test]
fn every_shape_draws_in_its_members_ink_and_has_a_label() {
    for (shape, _) in SHAPES {
        let points = points(shape);
        let (overlay, label) = on_canvas(&drawn(shape, &points));
        let ink = overlay.unwrap().ink;
        assert!(ink.iter().filter(|ink| **ink == 9).count() >= 5, "{shape:?}");
        let label = label.unwrap().unwrap();
        assert_eq!((label.text.as_str(), label.ink), ("12.3 mm", 9));
        assert!(label.at.0 < 100 && label.at.1 < 80);
    }
}

#[test]
fn an_arrow_has_its_head_at_the_second_point() {
    let (overlay, _) = on_canvas(&drawn(Shape::Arrow, &[at(10.0, 20.0), at(40.0, 20.0)]));
    let ink = overlay.unwrap().ink;
    // Rows beside the line have ink only near the head, which ends in pixel 81.
    let beside: Vec<usize> = (0..100).filter(|x| ink[38 * 100 + x] == 9).collect();
    assert!(!beside.is_empty() && beside.iter().all(|x| (65..81).contains(x)), "{beside:?}");
}

#[test]
fn drafts_have_gaps_and_the_chosen_mark_has_handles() {
    let count = |is_draft, is_active| {
        let points = points(Shape::Freehand);
        let mark = Drawn { is_draft, is_active, ..drawn(Shape::Freehand, &points) };
        on_canvas(&mark).0.unwrap().ink.iter().filter(|ink| **ink == 9).count()
    };
    assert!(count(true, false) < count(false, false) * 3 / 4);
    assert!(count(false, true) > count(false, false) + 60);
}

#[test]
fn a_mark_outside_the_image_is_not_drawn_but_told() {
    for outside in [at(-0.6, 3.0), at(3.0, 39.6), at(1e300, 3.0), at(f64::NAN, 3.0)] {
        let (overlay, label) = on_canvas(&drawn(Shape::Length, &[at(3.0, 3.0), outside]));
        assert_eq!((overlay, label), (None, Err(NotDrawn::Outside)));
    }
    assert_eq!(NotDrawn::Outside.to_string(), "the mark lies outside the image and is not drawn");
    assert!(on_canvas(&drawn(Shape::Length, &[at(-0.5, -0.5), at(49.5, 39.5)])).1.is_ok());
}

#[test]
fn points_that_do_not_fit_the_shape_are_told() {
    for (shape, count) in SHAPES.into_iter().filter(|(shape, _)| *shape != Shape::Freehand) {
        let many = vec![at(3.0, 3.0); count + 1];
        assert_eq!(on_canvas(&drawn(shape, &many)).1, Err(NotDrawn::Points { given: count + 1 }));
        assert_eq!(on_canvas(&drawn(shape, &[])).1, Err(NotDrawn::Points { given: 0 }));
    }
    let skewed = [at(10.0, 20.0), at(30.0, 20.0), at(25.0, 15.0), at(25.0, 25.0)];
    assert_eq!(on_canvas(&drawn(Shape::Ellipse, &skewed)).1, Err(NotDrawn::EllipseAxes));
}

#[test]
fn a_label_stands_to_the_right_of_its_mark_and_in_the_viewport() {
    let label = |shape, points: &[Point]| on_canvas(&drawn(shape, points)).1.unwrap().unwrap().at;
    // Column 30 ends at 62 pixels, its middle is at 61.
    assert_eq!(label(Shape::Length, &[at(30.0, 12.0), at(10.0, 10.0)]), (69, 25));
    assert_eq!(label(Shape::Arrow, &[at(10.0, 10.0), at(30.0, 12.0)]), (29, 21));
    assert_eq!(label(Shape::Rectangle, &[at(10.0, 30.0), at(30.0, 12.0)]), (69, 25));
    assert_eq!(label(Shape::Probe, &[at(49.0, 39.0)]), (99, 79));
}

#[test]
fn a_mark_beside_the_viewport_has_no_label() {
    let pose = Pose { zoom: Zoom::Factor(10.0), centre: at(45.0, 35.0), ..Pose::default() };
    let mapping = pose.mapping(&plane(), Size { width: 60, height: 60 }).unwrap();
    let mut canvas = Canvas::new(60, 60);
    let points = points(Shape::Length);
    assert_eq!(draw(&mut canvas, &mapping, &drawn(Shape::Length, &points)), Ok(None));
    assert_eq!(canvas.finish(), None);
}

#[test]
fn members_beyond_the_eighth_share_colours() {
    assert_eq!([0, 7, 8, usize::MAX].map(member_ink), [8, 15, 8, 15]);
}

#[test]
fn a_label_says_the_words_and_the_value_safely() {
    let measured = |value, unit: &str| Measured { value, unit: unit.into(), basis: String::new() };
    assert_eq!(label_text(Some("new"), Some(&measured(12.34, "mm"))), "new 12.3 mm");
    assert_eq!(label_text(None, Some(&measured(41.0, "[hnsf'U]"))), "41.0 HU");
    assert_eq!(label_text(Some(" \u{1b} "), Some(&measured(90.0, "deg"))), "90.0°");
    assert_eq!(label_text(Some("a\u{202e}b"), None), "ab");
    assert_eq!(label_text(None, Some(&measured(0.5, "\u{1b}[2Jmm"))), "0.5 [2Jmm");
    assert_eq!(label_text(Some(&"x".repeat(500)), None).len(), LABEL_CHARS_MAX);
    assert_eq!(label_text(None, None), "");
}

#[test]
fn handles_go_before_lines_and_the_nearest_before_others() {
    let (length, ellipse) = (points(Shape::Length), points(Shape::Ellipse));
    let hit = |x, y| {
        let marks = [(Shape::Length, length.as_slice()), (Shape::Ellipse, ellipse.as_slice())];
        super::hit(marks, &mapping(), (x, y), 5.0)
    };
    assert_eq!(hit(21.0, 21.0), Some((0, Part::Handle(0))));
    assert_eq!(hit(62.0, 27.0), Some((0, Part::Handle(1))));
    assert_eq!(hit(41.0, 24.0), Some((0, Part::Whole)));
    assert_eq!(hit(41.0, 34.0), Some((1, Part::Handle(2))));
    // On the ellipse, 45 degrees from its ends.
    assert_eq!(hit(41.0 + 14.14, 41.0 + 7.07), Some((1, Part::Whole)));
    // Inside the ellipse is no line.
    assert_eq!(hit(41.0, 41.0), None);
}

#[test]
fn of_marks_in_one_place_the_last_one_is_taken_and_hidden_ones_never() {
    let (same, outside) = (points(Shape::Length), [at(10.0, 10.0), at(99.0, 10.0)]);
    let marks = [(Shape::Length, &same[..]), (Shape::Arrow, &same[..]), (Shape::Length, &outside[..])];
    assert_eq!(hit(marks, &mapping(), (21.0, 21.0), 5.0), Some((1, Part::Handle(0))));
    assert_eq!(hit(marks, &mapping(), (f64::NAN, 21.0), 5.0), None);
}

#[test]
fn a_handle_moves_alone_and_the_whole_together() {
    let length = points(Shape::Length);
    let moved = |part, from, to| moved(Shape::Length, &length, part, from, to, &plane());
    assert_eq!(moved(Part::Handle(1), at(30.0, 12.0), at(31.0, 20.0)), [at(10.0, 10.0), at(31.0, 20.0)]);
    assert_eq!(moved(Part::Whole, at(20.0, 11.0), at(22.0, 10.0)), [at(12.0, 9.0), at(32.0, 11.0)]);
    // As far as the image goes.
    assert_eq!(moved(Part::Whole, at(0.0, 0.0), at(1e9, -1e9)), [at(29.5, -0.5), at(49.5, 1.5)]);
    assert_eq!(moved(Part::Handle(0), at(0.0, 0.0), at(-70.0, 10.0)), [at(-0.5, 10.0), at(30.0, 12.0)]);
    assert_eq!(moved(Part::Handle(9), at(0.0, 0.0), at(1.0, 1.0)), length);
    assert_eq!(moved(Part::Handle(0), at(0.0, 0.0), at(f64::NAN, 1.0)), length);
}

#[test]
fn all_corners_of_a_rectangle_can_be_pulled() {
    let corners = [at(10.0, 10.0), at(30.0, 20.0)];
    assert_eq!(handles(Shape::Rectangle, &corners)[2..], [at(10.0, 20.0), at(30.0, 10.0)]);
    let pull = |corner| moved(Shape::Rectangle, &corners, Part::Handle(corner), corners[0], at(5.0, 25.0), &plane());
    assert_eq!(pull(0), [at(5.0, 25.0), at(30.0, 20.0)]);
    assert_eq!(pull(2), [at(5.0, 10.0), at(30.0, 25.0)]);
    assert_eq!(pull(3), [at(10.0, 25.0), at(5.0, 20.0)]);
}

#[test]
fn an_ellipse_pulled_at_one_end_keeps_the_other_end_and_its_right_angle() {
    let ellipse = points(Shape::Ellipse);
    let pulled = moved(Shape::Ellipse, &ellipse, Part::Handle(1), ellipse[1], at(10.0, 36.0), &plane());
    // Now upright, 16 long, its other axis 10 as before; ends on the sides where they were.
    assert_eq!(pulled, [at(10.0, 20.0), at(10.0, 36.0), at(15.0, 28.0), at(5.0, 28.0)]);
    let collapsed = moved(Shape::Ellipse, &ellipse, Part::Handle(1), ellipse[1], ellipse[0], &plane());
    assert_eq!(collapsed, ellipse);
    // Wider than long: the order changes when it settles, not under the pointer.
    let wide = moved(Shape::Ellipse, &ellipse, Part::Handle(2), ellipse[2], at(20.0, 0.0), &plane());
    assert_eq!(wide, [at(10.0, 12.5), at(30.0, 12.5), at(20.0, 0.0), at(20.0, 25.0)]);
    assert_eq!(settled(Shape::Ellipse, &wide), [wide[2], wide[3], wide[0], wide[1]]);
    assert_eq!(settled(Shape::Length, &wide), wide);
}

#[test]
fn an_ellipse_is_drawn_into_a_rectangle_with_its_longer_axis_first() {
    let flat = ellipse_in(at(30.0, 10.0), at(10.0, 20.0));
    assert_eq!(flat, [at(10.0, 15.0), at(30.0, 15.0), at(20.0, 10.0), at(20.0, 20.0)]);
    let upright = ellipse_in(at(10.0, 10.0), at(20.0, 30.0));
    assert_eq!(upright, [at(15.0, 10.0), at(15.0, 30.0), at(10.0, 20.0), at(20.0, 20.0)]);
}

proptest! {
    #[test]
    fn whatever_is_moved_can_still_be_drawn(
        n in 0usize..10, handle in 0usize..6, whole: bool, from in (-90f64..90.0, -90f64..90.0),
        to in (-90f64..90.0, -90f64..90.0),
    ) {
        let (shape, _) = SHAPES[n];
        let part = if whole { Part::Whole } else { Part::Handle(handle) };
        let points = moved(shape, &points(shape), part, at(from.0, from.1), at(to.0, to.1), &plane());
        prop_assert_eq!(check(shape, &points, &plane()), Ok(()));
    }

    #[test]
    fn a_whole_mark_keeps_its_form(
        n in 0usize..10, by in (-90f64..90.0, -90f64..90.0),
    ) {
        let (shape, _) = SHAPES[n];
        let before = points(shape);
        let after = moved(shape, &before, Part::Whole, at(0.0, 0.0), at(by.0, by.1), &plane());
        let by = (after[0].column - before[0].column, after[0].row - before[0].row);
        for (before, after) in before.iter().zip(&after) {
            prop_assert!((after.column - before.column - by.0).abs() < 1e-9);
            prop_assert!((after.row - before.row - by.1).abs() < 1e-9);
        }
    }

    #[test]
    fn hostile_points_do_no_harm(
        n in 0usize..10, numbers in prop::collection::vec((any::<f64>(), any::<f64>()), 0..6), x: f64, y: f64,
    ) {
        let (shape, _) = SHAPES[n];
        let points: Vec<Point> = numbers.iter().map(|(column, row)| at(*column, *row)).collect();
        let mark = Drawn { is_active: true, ..drawn(shape, &points) };
        let _ = on_canvas(&mark);
        let _ = hit([(shape, points.as_slice())], &mapping(), (x, y), 5.0);
        for part in [Part::Whole, Part::Handle(1), Part::Handle(3)] {
            let _ = moved(shape, &points, part, at(x, y), at(y, x), &plane());
        }
        let _ = settled(shape, &points);
    }
}
