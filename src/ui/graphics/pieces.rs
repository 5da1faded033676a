//! What is left of an area when something lies above parts of it.

use ratatui::layout::Rect;

/// The cells of an area that are not covered, as few rectangles from the top down.
pub fn free(area: Rect, covered: &[Rect]) -> Vec<Rect> {
    if area.is_empty() {
        return Vec::new();
    }
    let covered: Vec<Rect> = covered.iter().map(|c| c.intersection(area)).filter(|c| !c.is_empty()).collect();
    let mut edges: Vec<u16> = covered.iter().flat_map(|c| [c.y, c.bottom()]).chain([area.y, area.bottom()]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut pieces: Vec<Rect> = Vec::new();
    // Where the rectangles of the last band begin: those of the next may continue them.
    let mut band_above = 0;
    for band in edges.windows(2) {
        let &[top, bottom] = band else { continue };
        let here = pieces.len();
        let spans = free_columns(area, covered.iter().filter(|c| c.y <= top && c.bottom() >= bottom));
        let above = pieces.get(band_above..).unwrap_or_default();
        let same = above.iter().map(|piece| (piece.x, piece.right())).eq(spans.iter().copied());
        if same && !spans.is_empty() {
            pieces.iter_mut().skip(band_above).for_each(|piece| piece.height = bottom - piece.y);
        } else {
            pieces.extend(spans.iter().map(|(left, right)| Rect::new(*left, top, right - left, bottom - top)));
            band_above = here;
        }
    }
    pieces
}

/// The columns of an area that no rectangle covers, from left to right.
fn free_columns<'a>(area: Rect, covered: impl Iterator<Item = &'a Rect>) -> Vec<(u16, u16)> {
    let mut covered: Vec<(u16, u16)> = covered.map(|c| (c.x, c.right())).collect();
    covered.sort_unstable();
    let mut free = Vec::new();
    let mut at = area.x;
    for (left, right) in covered.into_iter().chain([(area.right(), area.right())]) {
        if left > at {
            free.push((at, left));
        }
        at = at.max(right);
    }
    free
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::layout::Position;

    use super::*;

    #[test]
    fn a_popup_leaves_four_rectangles() {
        let pieces = free(Rect::new(0, 0, 10, 10), &[Rect::new(3, 4, 5, 2)]);
        let expected = [(0, 0, 10, 4), (0, 4, 3, 2), (8, 4, 2, 2), (0, 6, 10, 4)];
        assert_eq!(pieces, expected.map(|(x, y, width, height)| Rect::new(x, y, width, height)));
    }

    #[test]
    fn nothing_above_leaves_all_and_all_above_leaves_nothing() {
        let area = Rect::new(2, 3, 10, 10);
        assert_eq!(free(area, &[Rect::new(20, 3, 5, 5)]), [area]);
        assert_eq!(free(area, &[Rect::new(0, 0, 50, 50)]), []);
        assert_eq!(free(Rect::default(), &[]), []);
    }

    proptest! {
        #[test]
        fn each_free_cell_lies_in_one_rectangle_and_no_covered_cell_in_any(
            covered in proptest::collection::vec((0_u16..14, 0_u16..14, 0_u16..8, 0_u16..8), 0..5),
        ) {
            let covered: Vec<Rect> = covered.into_iter().map(|(x, y, w, h)| Rect::new(x, y, w, h)).collect();
            let area = Rect::new(2, 3, 9, 8);
            let pieces = free(area, &covered);
            for cell in (0..16).flat_map(|y| (0..16).map(move |x| Position::new(x, y))) {
                let is_free = area.contains(cell) && !covered.iter().any(|covered| covered.contains(cell));
                let times = pieces.iter().filter(|piece| piece.contains(cell)).count();
                prop_assert_eq!(times, usize::from(is_free), "{:?}", cell);
            }
        }
    }
}
