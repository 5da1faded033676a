//! Viewports that go together.

use super::*;

/// Two weightings of the same places, one after the other.
const WEIGHTED: Series = (1, &[30, 32, 34, 130, 132, 134]);

#[test]
fn linked_scrolling_and_the_crosshair_stay_with_the_weighting_that_is_looked_at() {
    let mut case = Case::of(&[THICK, WEIGHTED]);
    case.keys("g ").key(KeyCode::End).keys("kk");
    assert!(case.shows("image 4/6") && case.shows("image 1/3"));
    case.keys(" j");
    assert!(case.shows("image 2/3") && case.shows("image 5/6"));
    case.keys("xj");
    assert!(case.shows("image 3/3") && case.shows("image 6/6"));
}

#[test]
fn the_crosshair_stays_in_its_place_of_the_patient_when_its_viewport_shows_something_else() {
    // The same slices of another patient, and of the same one.
    let mut case = Case::with(&[THICK, (2, &[30, 32, 34]), THIN], Vec::new(), (200, 60));
    case.keys("x");
    assert_eq!(case.count(" HU"), 1);
    let strip = case.scenes()[1].0;
    case.mouse(MouseEventKind::ScrollDown, strip.x + 3, strip.y + 3);
    assert!(case.shows("prior 1 image 1/3"));
    assert_eq!(case.count(" HU"), 0, "another patient has no such place");
    case.mouse(MouseEventKind::ScrollDown, 60, 20);
    assert!(case.shows("prior 1 image 2/3"));
    assert_eq!(case.count(" HU"), 0, "nor is the point carried on to him");
    case.mouse(MouseEventKind::ScrollDown, strip.x + 3, strip.y + 3);
    case.mouse(MouseEventKind::ScrollDown, 60, 20);
    assert!(case.shows("prior 2 image 2/7"));
    assert_eq!(case.count(" HU"), 1, "this series has it, on its second image");
}

#[test]
fn a_reformat_scrolls_with_the_slice_that_it_was_paired_with() {
    let mut case = Case::of(&[THIN, PRIOR]);
    case.keys("g,");
    assert!(case.shows("axial 1/7") && case.shows("prior 1 image 1/3"));
    case.keys(" L");
    assert!(case.shows("Linked by hand"));
    // Slices of the prior are twice as far apart.
    case.keys("j");
    assert!(case.shows("axial 3/7") && case.shows("prior 1 image 2/3"));
    case.keys(" kk");
    assert!(case.shows("axial 1/7") && case.shows("prior 1 image 1/3"));
    // Planes of another direction scroll alone.
    case.keys(",");
    assert!(case.shows("coronal 257/512"));
    case.keys(" j");
    assert!(case.shows("coronal 257/512") && case.shows("prior 1 image 2/3"));
}
