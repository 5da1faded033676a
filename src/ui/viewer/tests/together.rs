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
