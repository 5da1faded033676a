//! How the viewports share the screen, in cells.
//!
//! Several viewports have a line around and between them, which neighbours share; a single one has the whole area.
//! Cells that do not divide go to the first rows and columns, so that nothing moves when the last one is closed.

use std::fmt;
use std::str::FromStr;

/// Least cells of a viewport: below, nothing in it can be told.
const WIDTH_MIN: u16 = 8;
const HEIGHT_MIN: u16 = 3;

/// Rows and columns of viewports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    #[default]
    Single,
    /// One row of two.
    Beside,
    /// One column of two.
    Above,
    Four,
    /// Two rows of three.
    SixWide,
    /// Three rows of two.
    SixHigh,
}

/// A rectangle of the screen, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellArea {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

/// The way from a viewport to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Left,
    Right,
    Up,
    Down,
}

impl Layout {
    pub const ALL: [Self; 6] = [Self::Single, Self::Beside, Self::Above, Self::Four, Self::SixWide, Self::SixHigh];

    pub fn rows(self) -> u16 {
        match self {
            Self::Single | Self::Beside => 1,
            Self::Above | Self::Four | Self::SixWide => 2,
            Self::SixHigh => 3,
        }
    }

    pub fn columns(self) -> u16 {
        match self {
            Self::Single | Self::Above => 1,
            Self::Beside | Self::Four | Self::SixHigh => 2,
            Self::SixWide => 3,
        }
    }

    pub fn viewports(self) -> usize {
        usize::from(self.rows() * self.columns())
    }

    /// The next one of [`Self::ALL`], after the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|layout| *layout == self).unwrap_or_default();
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// The viewports without their borders, row by row. Where there is no room for all of them there is only the one
    /// that `active` counts from 0, in all of the area; and none where there is no room at all.
    pub fn areas(self, area: CellArea, active: usize) -> Vec<Option<CellArea>> {
        let (rows, columns) = (self.rows(), self.columns());
        let mut areas = vec![None; self.viewports()];
        let widths = spans(area.width, columns).filter(|spans| spans.iter().all(|span| span.1 >= WIDTH_MIN));
        let heights = spans(area.height, rows).filter(|spans| spans.iter().all(|span| span.1 >= HEIGHT_MIN));
        if let (Some(widths), Some(heights)) = (widths, heights)
            && self != Self::Single
        {
            let places = heights.iter().flat_map(|height| widths.iter().map(move |width| (width, height)));
            for (out, (width, height)) in areas.iter_mut().zip(places) {
                let (x, y) = (area.x.saturating_add(width.0), area.y.saturating_add(height.0));
                *out = Some(CellArea { x, y, width: width.1, height: height.1 });
            }
        } else if area.width > 0 && area.height > 0 {
            let active = active.min(areas.len() - 1); // a layout has at least one viewport
            areas[active] = Some(area);
        }
        areas
    }

    /// Which viewport a cell is in, counted from 0; on a border it is in none.
    pub fn viewport_at(self, area: CellArea, active: usize, column: u16, row: u16) -> Option<usize> {
        self.areas(area, active).iter().position(|area| area.is_some_and(|area| area.holds(column, row)))
    }

    /// The viewport beside another; at the edge, that one.
    pub fn beside(self, viewport: usize, direction: Direction) -> usize {
        let columns = usize::from(self.columns());
        let (row, column) = (viewport / columns, viewport % columns);
        let (last_row, last_column) = (usize::from(self.rows()) - 1, columns - 1); // at least one of each
        let (row, column) = match direction {
            Direction::Left => (row, column.saturating_sub(1)),
            Direction::Right => (row, (column + 1).min(last_column)),
            Direction::Up => (row.saturating_sub(1), column),
            Direction::Down => (row + 1, column),
        };
        row.min(last_row) * columns + column
    }
}

impl fmt::Display for Layout {
    /// Rows and columns, as in `2x3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows(), self.columns())
    }
}

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(written: &str) -> Result<Self, UnknownLayout> {
        Self::ALL.into_iter().find(|layout| layout.to_string() == written).ok_or(UnknownLayout)
    }
}

/// A layout that this program does not have, as a colleague's newer one may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this layout is not one of 1x1, 1x2, 2x1, 2x2, 2x3 and 3x2")]
pub struct UnknownLayout;

impl CellArea {
    pub fn holds(&self, column: u16, row: u16) -> bool {
        let within = |at: u16, from: u16, length: u16| at >= from && at - from < length;
        within(column, self.x, self.width) && within(row, self.y, self.height)
    }
}

/// Begin and length of each of `count` viewports along a side, with a line before, between and after them.
fn spans(length: u16, count: u16) -> Option<Vec<(u16, u16)>> {
    let room = length.checked_sub(count + 1)?;
    let (each, left_over) = (room / count, room % count);
    let mut begin = 1;
    let mut spans = Vec::with_capacity(usize::from(count));
    for i in 0..count {
        let length = each + u16::from(i < left_over);
        spans.push((begin, length));
        begin += length + 1;
    }
    Some(spans)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn area(x: u16, y: u16, width: u16, height: u16) -> CellArea {
        CellArea { x, y, width, height }
    }

    #[test]
    fn one_viewport_has_all_the_room() {
        assert_eq!(Layout::Single.areas(area(3, 1, 80, 24), 0), [Some(area(3, 1, 80, 24))]);
    }

    #[test]
    fn neighbours_share_the_line_between_them() {
        let [left, right] = Layout::Beside.areas(area(0, 0, 22, 10), 0)[..] else { panic!("two viewports") };
        // |..........|.........|
        assert_eq!((left, right), (Some(area(1, 1, 10, 8)), Some(area(12, 1, 9, 8))));
    }

    #[test]
    fn rows_come_one_after_the_other() {
        let areas = Layout::SixWide.areas(area(10, 5, 100, 41), 0);
        assert_eq!(areas[0], Some(area(11, 6, 32, 19)));
        assert_eq!(areas[2], Some(area(77, 6, 32, 19)));
        assert_eq!(areas[3], Some(area(11, 26, 32, 19)));
    }

    #[test]
    fn without_room_for_all_only_the_active_one_is_shown() {
        let areas = Layout::Four.areas(area(0, 0, 12, 10), 2);
        assert_eq!(areas, [None, None, Some(area(0, 0, 12, 10)), None]);
        assert_eq!(Layout::Four.areas(area(0, 0, 12, 10), 99)[3], Some(area(0, 0, 12, 10)));
        assert_eq!(Layout::Four.areas(area(0, 0, 0, 10), 2), [None; 4]);
        assert_eq!(Layout::Four.viewport_at(area(0, 0, 12, 10), 2, 5, 5), Some(2));
    }

    #[test]
    fn a_cell_is_in_its_viewport_and_a_border_in_none() {
        let at = |column, row| Layout::Four.viewport_at(area(0, 0, 41, 21), 0, column, row);
        assert_eq!([at(1, 1), at(39, 1), at(1, 19), at(39, 19)], [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!([at(0, 0), at(20, 5), at(5, 10), at(40, 20), at(999, 0)], [None; 5]);
    }

    #[test]
    fn layouts_are_written_as_rows_and_columns() {
        let names: Vec<String> = Layout::ALL.iter().map(Layout::to_string).collect();
        assert_eq!(names, ["1x1", "1x2", "2x1", "2x2", "2x3", "3x2"]);
        for layout in Layout::ALL {
            assert_eq!(layout.to_string().parse(), Ok(layout));
        }
        for wrong in ["", "0x0", "9x9", "2X2", "1x1 "] {
            assert_eq!(wrong.parse::<Layout>(), Err(UnknownLayout));
        }
        assert_eq!(Layout::SixHigh.next(), Layout::Single);
    }

    #[test]
    fn arrows_lead_to_the_viewport_beside() {
        let six = Layout::SixWide;
        use Direction::{Down, Left, Right, Up};
        let from = |viewport| [Left, Right, Up, Down].map(|way| six.beside(viewport, way));
        assert_eq!(from(0), [0, 1, 0, 3]);
        assert_eq!(from(4), [3, 5, 1, 4]);
        assert_eq!(from(5), [4, 5, 2, 5]);
        assert!(six.beside(usize::MAX, Up) < 6);
    }

    proptest! {
        #[test]
        fn viewports_lie_within_and_apart(
            n in 0usize..6, (x, y) in (0u16..900, 0u16..900), (width, height) in (0u16..900, 0u16..900), active: usize,
        ) {
            let all = area(x, y, width, height);
            let shown: Vec<CellArea> = Layout::ALL[n].areas(all, active).into_iter().flatten().collect();
            for (i, one) in shown.iter().enumerate() {
                prop_assert!(all.holds(one.x, one.y));
                prop_assert!(all.holds(one.x + one.width - 1, one.y + one.height - 1));
                for other in &shown[i + 1..] {
                    prop_assert!(!other.holds(one.x, one.y) && !one.holds(other.x, other.y));
                }
            }
        }

        #[test]
        fn an_area_at_the_end_of_numbers_does_no_harm(
            n in 0usize..6, x: u16, y: u16, width: u16, height: u16, active: usize, column: u16, row: u16,
        ) {
            let viewport = Layout::ALL[n].viewport_at(area(x, y, width, height), active, column, row);
            prop_assert!(viewport.is_none_or(|viewport| viewport < Layout::ALL[n].viewports()));
        }
    }
}
