//! Pictures as iTerm2 shows them: image files in place of cells.
//!
//! The files are our own PNGs: one byte a pixel, where a general encoder sends three or four. With ink on the picture it
//! has a palette of 241 greys and the inks; every seventeenth grey is then shown as its neighbour. A picture is cut into
//! rows of cells around what lies above it, and only rows that changed are sent again. The last line of the screen is
//! left alone, as an image there may scroll it.

use std::ops::Range;

use data_encoding::BASE64;
use ratatui::layout::{Position, Rect, Size};

use crate::view::raster::{INKS, Overlay, Pixels, Raster};

use super::detect::CellSize;
use super::palette::coarsened;
use super::quality::Quality;
use super::{Content, Viewport, ansi, pieces, png};

/// Greys beside inks in a palette of 256 colours: all but one of each seventeen.
const GREYS_BESIDE_INKS: usize = 241;

/// What a terminal with iTerm2's protocol shows.
pub struct Iterm2 {
    cell: CellSize,
    shown: Vec<Shown>,
}

struct Shown {
    area: Rect,
    /// Its cells that nothing lies above, in pieces.
    free: Vec<Rect>,
    quality: Quality,
    picture: Picture,
}

/// A picture with its ink, in the size of the viewport or, coarse, a part of it.
struct Picture {
    width: u32,
    kind: Kind,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Grey,
    /// Greys and inks of the palette.
    Inked,
    Rgb,
}

impl Iterm2 {
    pub fn new(cell: CellSize) -> Self {
        Self { cell, shown: Vec::new() }
    }

    pub fn forget(&mut self) {
        self.shown.clear();
    }

    pub fn show(&mut self, viewports: &[Viewport], covered: &[Rect], screen: Size, quality: Quality) -> Vec<u8> {
        let without_last_line = Rect::new(0, 0, screen.width, screen.height.saturating_sub(1));
        let mut out = Vec::new();
        let mut now = Vec::new();
        for viewport in viewports {
            let area = viewport.area.intersection(without_last_line);
            if area.is_empty() {
                continue;
            }
            let size = (u32::from(area.width) * self.cell.width, u32::from(area.height) * self.cell.height);
            let (free, picture) = (pieces::free(area, covered), Picture::composed(&viewport.content, size, quality));
            let shown = Shown { area, free, quality, picture };
            let before = self.shown.iter().find(|before| before.is_comparable(&shown));
            self.send(&mut out, &shown, before.map(|before| &before.picture));
            now.push(shown);
        }
        self.shown = now;
        if out.is_empty() {
            return out;
        }
        [ansi::KEEP_CURSOR, &out, ansi::BACK_TO_CURSOR].concat()
    }

    /// Sends the rows of cells that differ from what was there.
    fn send(&self, out: &mut Vec<u8>, shown: &Shown, before: Option<&Picture>) {
        let (area, coarse) = (shown.area, u32::from(shown.quality.coarse));
        // In a draft a cell may begin within a pixel, which then belongs to both cells.
        let pixels = |from: u16, to: u16, cell: u32| {
            let (first, end) = (u32::from(from) * cell / coarse, (u32::from(to) * cell).div_ceil(coarse));
            first as usize..end as usize
        };
        for piece in &shown.free {
            let columns = pixels(piece.x - area.x, piece.right() - area.x, self.cell.width);
            let lines = |top: u16, bottom: u16| pixels(top - area.y, bottom - area.y, self.cell.height);
            let changed = |row: &u16| {
                let lines = lines(*row, row + 1);
                let now = shown.picture.rows(columns.clone(), lines.clone());
                before.is_none_or(|before| !before.rows(columns.clone(), lines).eq(now))
            };
            let mut at = piece.y;
            while let Some(top) = (at..piece.bottom()).find(changed) {
                at = (top..piece.bottom()).find(|row| !changed(row)).unwrap_or(piece.bottom());
                let png = shown.picture.part(columns.clone(), lines(top, at)).png(shown.quality);
                let (size, width, height) = (png.len(), piece.width, at - top);
                ansi::go_to(out, Position::new(piece.x, top));
                let keys = format!("inline=1;size={size};width={width};height={height};preserveAspectRatio=0");
                out.extend(format!("\x1b]1337;File={keys};doNotMoveCursor=1:{}\x07", BASE64.encode(&png)).bytes());
            }
        }
    }
}

impl Shown {
    /// Whether what did not change since can be left as it is.
    fn is_comparable(&self, now: &Self) -> bool {
        (self.area, &self.free, self.quality) == (now.area, &now.free, now.quality)
            && self.picture.kind == now.picture.kind
    }
}

impl Picture {
    fn composed(content: &Content, (width, height): (u32, u32), quality: Quality) -> Self {
        let (raster, overlay) = match content {
            Content::Flat { raster, overlay } => (Some(*raster), *overlay),
            Content::Scene(_) => (None, None),
        };
        let coarse = usize::from(quality.coarse);
        let inked = overlay.filter(|overlay| overlay.ink.iter().fold(0, |all, ink| all | ink) != 0);
        let (width, height) = (width.div_ceil(quality.coarse.into()), height.div_ceil(quality.coarse.into()));
        let smaller = raster.filter(|_| coarse > 1).map(|raster| coarsened(raster, coarse));
        let kind = match raster.map(|raster| &raster.pixels) {
            Some(Pixels::Rgb(_)) => Kind::Rgb,
            _ if inked.is_some() => Kind::Inked,
            _ => Kind::Grey,
        };
        let mut picture = Self { width, kind, bytes: Vec::new() };
        picture.bytes.resize(picture.row_len() * height as usize, 0);
        if let Some(raster) = smaller.as_ref().or(raster) {
            picture.draw(raster);
        }
        if let Some(overlay) = inked {
            picture.draw_ink(overlay, coarse);
        }
        picture
    }

    fn rows(&self, columns: Range<usize>, lines: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let pixel_len = if self.kind == Kind::Rgb { 3 } else { 1 };
        let bytes = columns.start * pixel_len..columns.end.min(self.width as usize) * pixel_len;
        let rows = self.bytes.chunks_exact(self.row_len()).take(lines.end).skip(lines.start);
        rows.filter_map(move |row| row.get(bytes.clone()))
    }

    fn part(&self, columns: Range<usize>, lines: Range<usize>) -> Self {
        let width = columns.end.min(self.width as usize).saturating_sub(columns.start);
        let mut part = Self { width: width as u32, kind: self.kind, bytes: Vec::new() };
        self.rows(columns, lines).for_each(|row| part.bytes.extend_from_slice(row));
        part
    }

    fn row_len(&self) -> usize {
        (self.width as usize).max(1) * if self.kind == Kind::Rgb { 3 } else { 1 }
    }

    fn draw(&mut self, raster: &Raster) {
        let (len, from) = (self.row_len(), (raster.width as usize).max(1));
        let grey: [u8; 256] = std::array::from_fn(|value| match self.kind {
            Kind::Inked => (value - value.div_ceil(17)) as u8,
            Kind::Grey | Kind::Rgb => value as u8,
        });
        let rows = self.bytes.chunks_exact_mut(len);
        match &raster.pixels {
            Pixels::Grey(pixels) => rows.zip(pixels.chunks_exact(from)).for_each(|(row, source)| {
                row.iter_mut().zip(source).for_each(|(pixel, value)| *pixel = grey[usize::from(*value)]);
            }),
            Pixels::Rgb(pixels) => rows.zip(pixels.chunks_exact(from * 3)).for_each(|(row, source)| {
                row.iter_mut().zip(source).for_each(|(pixel, value)| *pixel = *value);
            }),
        }
    }

    fn draw_ink(&mut self, overlay: &Overlay, coarse: usize) {
        let (len, is_rgb) = (self.row_len(), self.kind == Kind::Rgb);
        let inks = overlay.ink.chunks_exact((overlay.width as usize).max(1));
        for (y, inks) in inks.enumerate().filter(|(_, inks)| inks.iter().fold(0, |all, ink| all | ink) != 0) {
            let Some(row) = self.bytes.chunks_exact_mut(len).nth(y / coarse) else { return };
            for (x, ink) in inks.iter().enumerate().filter(|(_, ink)| **ink != 0) {
                let ink = usize::from(*ink) % INKS.len();
                if is_rgb {
                    row.as_chunks_mut::<3>().0.get_mut(x / coarse).into_iter().for_each(|pixel| *pixel = INKS[ink]);
                } else if let Some(pixel) = row.get_mut(x / coarse) {
                    *pixel = (GREYS_BESIDE_INKS + ink.max(1) - 1) as u8;
                }
            }
        }
    }

    fn png(self, quality: Quality) -> Vec<u8> {
        let size = (self.width, (self.bytes.len() / self.row_len()) as u32);
        let raster = |pixels| Raster { width: size.0, height: size.1, pixels };
        match self.kind {
            Kind::Grey => png::picture(&raster(Pixels::Grey(self.bytes)), size, quality),
            Kind::Rgb => png::picture(&raster(Pixels::Rgb(self.bytes)), size, quality),
            Kind::Inked => png::indexed(&self.bytes, size, &palette()),
        }
    }
}

/// The greys that remain beside inks, and the inks.
fn palette() -> Vec<[u8; 3]> {
    let greys = (0..=255_u8).filter(|value| value % 17 != 1);
    greys.map(|value| [value; 3]).chain(INKS.into_iter().skip(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: CellSize = CellSize { width: 10, height: 20 };
    const AREA: Rect = Rect { x: 2, y: 1, width: 4, height: 3 };
    const SCREEN: Size = Size { width: 80, height: 24 };

    fn grey(value: u8) -> Raster {
        Raster { width: 40, height: 60, pixels: Pixels::Grey(vec![value; 2400]) }
    }

    fn show(iterm2: &mut Iterm2, raster: &Raster, overlay: Option<&Overlay>, quality: Quality) -> Vec<u8> {
        iterm2.show(&[Viewport { area: AREA, content: Content::Flat { raster, overlay } }], &[], SCREEN, quality)
    }

    /// Cell, keys, and size and kind of each image.
    fn images(out: &[u8]) -> Vec<(String, String, (u32, u32), ::png::ColorType)> {
        let text = std::str::from_utf8(out).unwrap();
        let parts = text.split("\x1b[").skip(1).map(|part| {
            let (cell, rest) = part.split_once('H').unwrap();
            let (keys, payload) = rest.strip_prefix("\x1b]1337;File=").unwrap().split_once(':').unwrap();
            let png = BASE64.decode(payload.split_once('\x07').unwrap().0.as_bytes()).unwrap();
            assert!(keys.contains(&format!("size={};", png.len())));
            let reader = ::png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
            let info = reader.info();
            (cell.to_owned(), keys.to_owned(), (info.width, info.height), info.color_type)
        });
        parts.collect()
    }

    #[test]
    fn a_grey_picture_is_one_grey_file_over_its_cells() {
        let out = show(&mut Iterm2::new(CELL), &grey(9), None, Quality::EXACT);
        let [(cell, keys, size, kind)] = &images(&out)[..] else { panic!("one image") };
        assert_eq!((cell.as_str(), *size, *kind), ("2;3", (40, 60), ::png::ColorType::Grayscale));
        assert!(keys.contains("inline=1;") && keys.contains(";width=4;height=3;preserveAspectRatio=0"));
    }

    #[test]
    fn only_rows_of_cells_that_changed_are_sent_again() {
        let mut iterm2 = Iterm2::new(CELL);
        let mut raster = grey(9);
        show(&mut iterm2, &raster, None, Quality::EXACT);
        assert_eq!(show(&mut iterm2, &raster, None, Quality::EXACT), b"");
        if let Pixels::Grey(pixels) = &mut raster.pixels {
            pixels[40 * 25 + 7] = 10;
        }
        let out = show(&mut iterm2, &raster, None, Quality::EXACT);
        let [(cell, _, size, _)] = &images(&out)[..] else { panic!("one image") };
        assert_eq!((cell.as_str(), *size), ("3;3", (40, 20)));
    }

    #[test]
    fn beside_ink_a_grey_is_at_most_one_step_off() {
        let palette = palette();
        assert_eq!((palette.len(), palette[0], palette[240], palette[241]), (256, [0; 3], [255; 3], INKS[1]));
        let raster = Raster { width: 256, height: 1, pixels: Pixels::Grey((0..=255).collect()) };
        let mut picture = Picture { width: 256, kind: Kind::Inked, bytes: vec![0; 256] };
        picture.draw(&raster);
        for (value, shown) in picture.bytes.into_iter().enumerate() {
            assert!(palette[usize::from(shown)][0].abs_diff(value as u8) <= 1, "{value}");
        }
    }

    #[test]
    fn ink_makes_the_file_one_with_a_palette() {
        let mut overlay = Overlay { width: 40, height: 60, ink: vec![0; 2400] };
        let mut iterm2 = Iterm2::new(CELL);
        let out = show(&mut iterm2, &grey(9), Some(&overlay), Quality::EXACT);
        assert_eq!(images(&out)[0].3, ::png::ColorType::Grayscale);
        overlay.ink[0] = 2;
        let out = show(&mut iterm2, &grey(9), Some(&overlay), Quality::EXACT);
        assert_eq!((images(&out)[0].2, images(&out)[0].3), ((40, 60), ::png::ColorType::Indexed));
    }

    #[test]
    fn a_draft_is_a_smaller_file_over_the_same_cells() {
        for coarse in [2, 4, 8] {
            let out = show(&mut Iterm2::new(CELL), &grey(9), None, Quality { greys: 16, coarse });
            let [(_, keys, (width, height), _)] = &images(&out)[..] else { panic!("one image") };
            let side = u32::from(coarse);
            assert_eq!((*width, *height), (40_u32.div_ceil(side), 60_u32.div_ceil(side)));
            assert!(keys.contains(";width=4;height=3;"));
        }
    }

    #[test]
    fn a_picture_is_drawn_around_what_lies_above_it() {
        let mut iterm2 = Iterm2::new(CELL);
        let raster = grey(9);
        let viewports = [Viewport { area: AREA, content: Content::Flat { raster: &raster, overlay: None } }];
        let out = iterm2.show(&viewports, &[Rect::new(0, 0, 3, 2)], SCREEN, Quality::EXACT);
        let around: Vec<_> = images(&out).into_iter().map(|(cell, _, size, _)| (cell, size)).collect();
        assert_eq!(around, [("2;4".to_owned(), (30, 20)), ("3;3".to_owned(), (40, 40))]);
        assert_eq!(iterm2.show(&viewports, &[Rect::new(0, 0, 3, 2)], SCREEN, Quality::EXACT), b"");
        assert_eq!(images(&iterm2.show(&viewports, &[], SCREEN, Quality::EXACT)).len(), 1);
    }

    #[test]
    fn the_last_line_of_the_screen_is_left_alone() {
        let raster = grey(9);
        let viewports = [Viewport { area: AREA, content: Content::Flat { raster: &raster, overlay: None } }];
        let out = Iterm2::new(CELL).show(&viewports, &[], Size { width: 80, height: 4 }, Quality::EXACT);
        assert_eq!(images(&out)[0].2, (40, 40));
    }
}
