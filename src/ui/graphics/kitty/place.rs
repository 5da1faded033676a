//! Where Kitty's protocol can put a picture, and how far that is from where it should be.
//!
//! A placement shows a rectangle of whole image pixels and scales it so that its right and bottom edges lie on the
//! edges of cells; only its left and top edges may lie anywhere. What view asks for is a part with edges between pixels
//! in a rectangle with edges inside cells. So the part is widened to whole pixels and to the edge of a cell: over
//! pixels beyond the part, or over black that is sent along with the image. What is left is the misfit: how far an
//! image point lies from the ink that belongs to it.

use ratatui::layout::Rect;

use crate::view::raster::Placed;

use super::super::detect::CellSize;

/// A picture farther off than this is better drawn by ourselves.
pub const MISFIT_PX_MAX: f64 = 1.0;

/// Edges of cells that are tried: with a few the misfit is small already.
const EDGES_TRIED: u32 = 6;

/// A placement in both directions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    pub across: Span,
    pub down: Span,
}

/// A placement in one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// The cell it begins in, from the viewport's edge, and the pixels into that cell.
    pub cell: u32,
    pub offset_px: u32,
    /// Cells it reaches over; none if the picture is shown pixel by pixel.
    pub cells: Option<u32>,
    /// The part of the image in its pixels; it may reach beyond the image, where black has to be.
    pub source: u32,
    pub source_len: u32,
    /// Screen pixels that a point of the picture may be off.
    pub misfit_px: f64,
}

impl Placement {
    /// The best placement in a viewport of this size in pixels; none if there is nothing to show.
    pub fn of(placed: &Placed, viewport: (u32, u32), cell: CellSize) -> Option<Self> {
        let (crop, target, raster) = (placed.crop, placed.target, &placed.raster);
        let across = Line { start: crop.x, len: crop.width, image: raster.width, target: (target.x, target.width) };
        let down = Line { start: crop.y, len: crop.height, image: raster.height, target: (target.y, target.height) };
        if across.is_pixel_by_pixel() && down.is_pixel_by_pixel() {
            let (across, down) =
                (across.pixel_by_pixel(viewport.0, cell.width)?, down.pixel_by_pixel(viewport.1, cell.height)?);
            return Some(Self { across, down });
        }
        Some(Self { across: across.scaled(viewport.0, cell.width)?, down: down.scaled(viewport.1, cell.height)? })
    }

    /// Pixel by pixel, with its top left at a pixel of the viewport.
    pub fn unscaled(x: u32, y: u32, width: u32, height: u32, cell: CellSize) -> Self {
        let span = |start: u32, len: u32, cell: u32| Span {
            cell: start / cell,
            offset_px: start % cell,
            cells: None,
            source: 0,
            source_len: len,
            misfit_px: 0.0,
        };
        Self { across: span(x, width, cell.width), down: span(y, height, cell.height) }
    }

    /// The part of this placement that lies in some cells of the viewport, as exactly as whole pixels allow.
    pub fn within(&self, piece: Rect, cell: CellSize) -> Option<Self> {
        let across = self.across.within(piece.x.into(), piece.right().into(), cell.width)?;
        let down = self.down.within(piece.y.into(), piece.bottom().into(), cell.height)?;
        Some(Self { across, down })
    }

    pub fn misfit_px(&self) -> f64 {
        self.across.misfit_px.max(self.down.misfit_px)
    }
}

/// What is to be shown where, in one direction.
#[derive(Debug, Clone, Copy)]
struct Line {
    start: f64,
    len: f64,
    image: u32,
    target: (u32, u32),
}

impl Line {
    fn is_pixel_by_pixel(self) -> bool {
        self.len == f64::from(self.target.1)
    }

    /// Whether this can be shown at all: part and target hold something, and lie where they should.
    fn is_sound(self, viewport: u32, cell: u32) -> bool {
        let (start, len) = self.target;
        let scale = f64::from(len) / self.len;
        let fits = start.checked_add(len).is_some_and(|end| end <= viewport);
        let within = self.start > -1.0 && self.start + self.len < f64::from(self.image) + 1.0;
        fits && within && len > 0 && self.image > 0 && cell > 0 && scale.is_finite() && scale > 0.0
    }

    /// Where a point of the image belongs on the screen.
    fn ideal_px(self, source: u32) -> f64 {
        f64::from(self.target.0) + (f64::from(source) - self.start) * f64::from(self.target.1) / self.len
    }

    /// The first pixel shown, the pixel of the screen where it begins, and how far off that is.
    fn beginning(self) -> (u32, u32, f64) {
        let source = self.start.round().clamp(0.0, f64::from(self.image - 1)) as u32;
        let ideal = self.ideal_px(source);
        let last = f64::from(self.target.0 + self.target.1 - 1);
        let start = ideal.round().clamp(0.0, last);
        (source, start as u32, (start - ideal).abs())
    }

    fn pixel_by_pixel(self, viewport: u32, cell: u32) -> Option<Span> {
        if !self.is_sound(viewport, cell) {
            return None;
        }
        let (source, start, misfit_px) = self.beginning();
        let source_len = (self.target.0 + self.target.1 - start).min(self.image - source);
        Some(Span { cell: start / cell, offset_px: start % cell, cells: None, source, source_len, misfit_px })
    }

    fn scaled(self, viewport: u32, cell: u32) -> Option<Span> {
        if !self.is_sound(viewport, cell) {
            return None;
        }
        let (source, start, start_misfit) = self.beginning();
        let scale = f64::from(self.target.1) / self.len;
        let first_edge = (self.target.0 + self.target.1).div_ceil(cell);
        let last_edge = (viewport / cell).max(first_edge).min(first_edge + EDGES_TRIED - 1);
        (first_edge..=last_edge)
            .map(|edge| {
                let end = edge * cell;
                let ideal_end = self.start + f64::from(end - self.target.0) / scale;
                let source_end = (ideal_end.round() as u32).max(source + 1);
                let end_misfit = (self.ideal_px(source_end) - f64::from(end)).abs();
                Span {
                    cell: start / cell,
                    offset_px: start % cell,
                    cells: Some(edge - start / cell),
                    source,
                    source_len: source_end - source,
                    misfit_px: start_misfit.max(end_misfit),
                }
            })
            .min_by(|one, other| one.misfit_px.total_cmp(&other.misfit_px))
    }
}

impl Span {
    /// The part between two edges of cells.
    fn within(self, left: u32, right: u32, cell: u32) -> Option<Self> {
        let start = self.cell * cell + self.offset_px;
        let end = self.cells.map_or(start + self.source_len, |cells| (self.cell + cells) * cell);
        let (cut_start, cut_end) = (start.max(left * cell), end.min(right * cell));
        if cut_start >= cut_end {
            return None;
        }
        if (cut_start, cut_end) == (start, end) {
            return Some(self);
        }
        let source_px = f64::from(self.source_len) / f64::from(end - start);
        let source_at = |px: u32| self.source + (f64::from(px - start) * source_px).round() as u32;
        let source = source_at(cut_start).min(self.source_end() - 1);
        Some(Self {
            cell: cut_start / cell,
            offset_px: cut_start % cell,
            cells: self.cells.map(|_| cut_end.div_ceil(cell) - cut_start / cell),
            source,
            source_len: source_at(cut_end).max(source + 1) - source,
            misfit_px: self.misfit_px + 0.5 / source_px,
        })
    }

    pub fn source_end(&self) -> u32 {
        self.source + self.source_len
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::view::raster::{Area, Crop, PictureId, Pixels, Raster};

    const CELL: CellSize = CellSize { width: 10, height: 20 };

    fn placed(size: u32, crop: Crop, target: Area) -> Placed {
        let raster = Raster { width: size, height: size, pixels: Pixels::Grey(vec![0; (size * size) as usize]) };
        Placed { raster: Arc::new(raster), id: PictureId(1), crop, target, smooth: true }
    }

    fn whole(size: u32) -> Crop {
        Crop { x: 0.0, y: 0.0, width: size.into(), height: size.into() }
    }

    #[test]
    fn a_picture_that_fits_cells_is_placed_without_misfit() {
        let target = Area { x: 100, y: 0, width: 1000, height: 1000 };
        let placement = Placement::of(&placed(500, whole(500), target), (1200, 1000), CELL).unwrap();
        assert_eq!(placement.misfit_px(), 0.0);
        let across = Span { cell: 10, offset_px: 0, cells: Some(100), source: 0, source_len: 500, misfit_px: 0.0 };
        assert_eq!(placement.across, across);
        assert_eq!(placement.down.cells, Some(50));
    }

    #[test]
    fn an_edge_inside_a_cell_is_reached_with_black_from_beyond_the_image() {
        let target = Area { x: 103, y: 7, width: 806, height: 806 };
        let placement = Placement::of(&placed(512, whole(512), target), (1000, 820), CELL).unwrap();
        assert!(placement.across.misfit_px < 0.1 && placement.misfit_px() < 0.75, "{placement:?}");
        assert_eq!((placement.across.cell, placement.across.offset_px), (10, 3));
        assert!(placement.across.source_end() > 512);
        assert_eq!(placement.across.cells.unwrap() + 10, 92, "the best edge, not the next, which is 91");
    }

    #[test]
    fn a_picture_pixel_by_pixel_needs_no_cells_to_end_in() {
        let target = Area { x: 3, y: 5, width: 512, height: 512 };
        let placement = Placement::of(&placed(512, whole(512), target), (600, 600), CELL).unwrap();
        assert_eq!(placement.misfit_px(), 0.0);
        assert_eq!((placement.across.cells, placement.across.source_len), (None, 512));
    }

    #[test]
    fn nothing_is_placed_from_nonsense() {
        let target = Area { x: 0, y: 0, width: 100, height: 100 };
        for crop in [
            Crop { width: 0.0, ..whole(50) },
            Crop { width: f64::NAN, ..whole(50) },
            Crop { x: f64::INFINITY, ..whole(50) },
            Crop { x: -20.0, ..whole(50) },
            Crop { width: 1e300, ..whole(50) },
            Crop { width: -50.0, ..whole(50) },
        ] {
            assert_eq!(Placement::of(&placed(50, crop, target), (100, 100), CELL), None, "{crop:?}");
        }
        for (target, viewport) in [
            (Area { width: 0, ..target }, (100, 100)),
            (Area { x: 1, ..target }, (100, 100)),
            (Area { x: u32::MAX, ..target }, (100, 100)),
            (target, (0, 0)),
        ] {
            assert_eq!(Placement::of(&placed(50, whole(50), target), viewport, CELL), None, "{target:?}");
        }
    }

    #[test]
    fn a_piece_shows_what_the_whole_shows_there() {
        let whole = Span { cell: 2, offset_px: 3, cells: Some(20), source: 10, source_len: 100, misfit_px: 0.0 };
        assert_eq!(whole.within(0, 30, 10), Some(whole));
        assert_eq!((whole.within(0, 2, 10), whole.within(22, 30, 10)), (None, None));
        let piece = whole.within(12, 30, 10).unwrap();
        assert_eq!((piece.cell, piece.offset_px, piece.cells, piece.source_end()), (12, 0, Some(10), 110));
        assert_eq!(piece.source, 10 + 49, "97 of 197 pixels");
        let unscaled = Placement::unscaled(13, 0, 50, 10, CELL);
        let piece = unscaled.within(Rect::new(2, 0, 3, 1), CELL).unwrap().across;
        assert_eq!((piece.cell, piece.offset_px, piece.cells, piece.source, piece.source_len), (2, 0, None, 7, 30));
    }

    proptest! {
        #[test]
        fn pieces_hold_what_the_whole_holds(
            cell in 1_u32..20, offset in 0_u32..20, cells in 1_u32..50, source_len in 1_u32..700, cut in 0_u32..60,
            scaled in any::<bool>(),
        ) {
            let offset_px = if cells == 1 { 0 } else { offset % cell };
            let cells = scaled.then_some(cells);
            let whole = Span { cell: 3, offset_px, cells, source: 5, source_len, misfit_px: 0.0 };
            let pieces = [whole.within(0, cut, cell), whole.within(cut, 10_000, cell)];
            prop_assert!(pieces.iter().any(Option::is_some));
            for piece in pieces.into_iter().flatten() {
                prop_assert!(piece.source >= 5 && piece.source_end() <= whole.source_end() && piece.source_len > 0);
            }
            if let [Some(left), Some(right)] = pieces {
                prop_assert!(left.source_end() >= right.source);
                prop_assert_eq!(right.cell, cut);
            }
        }

        /// As view computes it: both edges of the part lie in the image, and the scale is the same everywhere.
        #[test]
        fn up_to_twice_the_size_every_picture_can_be_placed(
            scale in 0.5_f64..2.0,
            x in 0.0_f64..200.0,
            share in 0.1_f64..1.0,
            start in 0_u32..200,
            free in 0_u32..30,
            cell in 6_u32..24,
        ) {
            let crop_len = (512.0 - x) * share;
            let target_len = (crop_len * scale).floor();
            let crop_len = target_len / scale;
            let viewport = (start + target_len as u32 + free).div_ceil(cell) * cell;
            let line = Line { start: x, len: crop_len, image: 512, target: (start, target_len as u32) };
            let span = line.scaled(viewport, cell).unwrap();
            prop_assert!(span.misfit_px <= MISFIT_PX_MAX + 0.5, "{span:?}");
            prop_assert!(span.offset_px < cell);
            prop_assert!((span.cell + span.cells.unwrap_or(1)) * cell <= viewport);
            prop_assert!(span.source < 512);
        }
    }
}
