//! How much of an image a pose shows, said so that it holds in a viewport of any size, and back.
//!
//! [`crate::case::attached`] says what a span is and why.

use super::mapping::Size;
use super::pose::{Pose, ZOOM_MAX, ZOOM_MIN, Zoom};
use crate::case::attached::{CENTRE_MAX, SPAN_MAX, SPAN_MIN, ShownPart};

/// The part of an image that a pose shows in a viewport; none if all of it is shown, or the viewport is empty.
pub fn part_of(pose: &Pose, viewport: Size) -> Option<ShownPart> {
    let Zoom::Factor(factor) = pose.zoom else { return None };
    let centre = pose.centre;
    let is_sound = factor > 0.0 && centre.column.abs() <= CENTRE_MAX && centre.row.abs() <= CENTRE_MAX;
    if !is_sound || shorter_side(viewport) == 0.0 {
        return None;
    }
    let span = shorter_side(viewport) / factor.clamp(ZOOM_MIN, ZOOM_MAX);
    Some(ShownPart { span: span.clamp(SPAN_MIN, SPAN_MAX), centre })
}

/// A pose that shows this part in a viewport, turned and mirrored as it was.
#[must_use]
pub fn pose_showing(part: Option<ShownPart>, pose: Pose, viewport: Size) -> Pose {
    match part {
        Some(ShownPart { span, centre }) if span > 0.0 && shorter_side(viewport) > 0.0 => {
            let factor = (shorter_side(viewport) / span).clamp(ZOOM_MIN, ZOOM_MAX);
            Pose { zoom: Zoom::Factor(factor), centre, ..pose }
        }
        _ => Pose { zoom: Zoom::Fit, ..pose },
    }
}

fn shorter_side(viewport: Size) -> f64 {
    f64::from(viewport.width.min(viewport.height))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::case::content::Point;
    use crate::study::geometry::{PixelsOnly, Scale};
    use crate::view::mapping::ImagePlane;

    fn at(column: f64, row: f64) -> Point {
        Point { column, row }
    }

    #[test]
    fn the_same_part_is_shown_in_a_viewport_of_another_size() {
        let plane = ImagePlane::new(512, 512, &Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing });
        let (here, there) = (Size { width: 800, height: 400 }, Size { width: 200, height: 300 });
        let pose = Pose { zoom: Zoom::Factor(4.0), centre: at(100.0, 300.0), ..Pose::default() };
        let part = part_of(&pose, here).unwrap();
        assert_eq!(part.span, 100.0);
        let restored = pose_showing(Some(part), Pose::default(), there);
        assert_eq!((restored.zoom, restored.centre), (Zoom::Factor(2.0), at(100.0, 300.0)));
        let mapping = restored.mapping(&plane, there).unwrap();
        let (left, right) = (mapping.to_image(0.0, 150.0), mapping.to_image(200.0, 150.0));
        assert!((right.column - left.column - 100.0).abs() < 1.0);
    }

    #[test]
    fn a_whole_image_stays_whole_and_nonsense_shows_it() {
        let size = Size { width: 800, height: 400 };
        let zoomed = Pose { zoom: Zoom::Factor(2.0), ..Pose::default() };
        assert_eq!(part_of(&Pose::default(), size), None);
        assert_eq!(part_of(&zoomed, Size { width: 0, height: 9 }), None);
        for factor in [f64::NAN, 0.0, -1.0] {
            assert_eq!(part_of(&Pose { zoom: Zoom::Factor(factor), ..zoomed }, size), None);
        }
        for centre in [at(f64::NAN, 0.0), at(0.0, f64::INFINITY), at(1e300, 0.0)] {
            assert_eq!(part_of(&Pose { centre, ..zoomed }, size), None);
        }
        assert_eq!(pose_showing(None, zoomed, size).zoom, Zoom::Fit);
        for span in [f64::NAN, 0.0, -1.0] {
            let part = ShownPart { span, centre: at(0.0, 0.0) };
            assert_eq!(pose_showing(Some(part), zoomed, size).zoom, Zoom::Fit);
        }
    }

    proptest! {
        #[test]
        fn in_the_same_viewport_the_pose_comes_back(
            factor in ZOOM_MIN..ZOOM_MAX, (width, height) in (1u32..8000, 1u32..8000), column in -1e5f64..1e5,
        ) {
            let size = Size { width, height };
            let pose = Pose { zoom: Zoom::Factor(factor), centre: at(column, -column), inverted: true, ..Pose::default() };
            let back = pose_showing(part_of(&pose, size), pose, size);
            let Zoom::Factor(again) = back.zoom else { panic!("not whole") };
            prop_assert!((again / factor - 1.0).abs() < 1e-9 && back.centre == pose.centre && back.inverted);
        }
    }
}
