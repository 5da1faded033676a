//! Pictures as iTerm2 shows them: image files in place of cells.
//!
//! The files are our own PNGs: grey where there is no ink, which is a third of what a general encoder sends. A picture
//! is cut into rows of cells, and only those that changed are sent again. The last line of the screen is left alone, as
//! an image there may scroll it; while something covers a viewport nothing is sent, as an image takes whole cells.

use data_encoding::BASE64;
use ratatui::layout::{Position, Rect, Size};

use crate::view::raster::{INKS, Overlay, Pixels, Raster};

use super::detect::CellSize;
use super::palette::coarsened;
use super::quality::Quality;
use super::{Content, Viewport, ansi, png};

/// What a terminal with iTerm2's protocol shows.
pub struct Iterm2 {
    cell: CellSize,
    shown: Vec<Shown>,
}

struct Shown {
    area: Rect,
    quality: Quality,
    picture: Raster,
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
            if area.is_empty() || covered.iter().any(|covered| covered.intersects(area)) {
                continue;
            }
            let shown = Shown { area, quality, picture: self.composed(&viewport.content, area, quality) };
            let before = self.shown.iter().find(|before| before.area == area && before.quality == quality);
            self.send(&mut out, &shown, before);
            now.push(shown);
        }
        self.shown = now;
        if out.is_empty() {
            return out;
        }
        [ansi::KEEP_CURSOR, &out, ansi::BACK_TO_CURSOR].concat()
    }

    /// The picture with its ink, in the size of the viewport.
    fn composed(&self, content: &Content, area: Rect, quality: Quality) -> Raster {
        let width = u32::from(area.width) * self.cell.width;
        let height = u32::from(area.height) * self.cell.height;
        let (raster, overlay) = match content {
            Content::Flat { raster, overlay } => (Some(*raster), *overlay),
            Content::Scene(_) => (None, None),
        };
        let inked = overlay.filter(|overlay| overlay.ink.iter().any(|ink| *ink != 0));
        let colour = inked.is_some() || raster.is_some_and(|raster| matches!(raster.pixels, Pixels::Rgb(_)));
        let channels = if colour { 3 } else { 1 };
        let row_len = width as usize * channels;
        let mut pixels = vec![0; row_len * height as usize];
        if let Some(raster) = raster {
            let rows = pixels.chunks_exact_mut(row_len);
            let from = raster.width.max(1) as usize;
            match &raster.pixels {
                Pixels::Grey(grey) if colour => rows.zip(grey.chunks_exact(from)).for_each(|(row, grey)| {
                    row.chunks_exact_mut(3).zip(grey).for_each(|(pixel, grey)| pixel.fill(*grey));
                }),
                Pixels::Grey(grey) => rows.zip(grey.chunks_exact(from)).for_each(|(row, grey)| copy(row, grey)),
                Pixels::Rgb(rgb) => rows.zip(rgb.chunks_exact(from * 3)).for_each(|(row, rgb)| copy(row, rgb)),
            }
        }
        let coarse = usize::from(quality.coarse);
        let pixels = if colour { Pixels::Rgb(pixels) } else { Pixels::Grey(pixels) };
        let mut picture = Raster { width, height, pixels };
        if coarse > 1 {
            // Sent small, and enlarged by the terminal: only ink loses its sharpness, until the picture is at rest.
            picture = coarsened(&picture, coarse);
        }
        if let (Some(overlay), Pixels::Rgb(pixels)) = (inked, &mut picture.pixels) {
            draw_ink(pixels, picture.width as usize, overlay, coarse);
        }
        picture
    }

    fn send(&self, out: &mut Vec<u8>, shown: &Shown, before: Option<&Shown>) {
        let picture = &shown.picture;
        let coarse = u32::from(shown.quality.coarse);
        // A row of cells is cut only where a row of pixels begins.
        let cells_at_once = if self.cell.height.is_multiple_of(coarse) { 1 } else { coarse };
        let rows_at_once = (cells_at_once * self.cell.height / coarse) as usize;
        let channels = if matches!(picture.pixels, Pixels::Rgb(_)) { 3 } else { 1 };
        let strip_len = (picture.width as usize * channels * rows_at_once).max(1);
        let strips: Vec<&[u8]> = bytes(picture).chunks(strip_len).collect();
        let same_kind = before.filter(|before| bytes(&before.picture).len() == bytes(picture).len());
        let before: Vec<&[u8]> =
            same_kind.map(|before| bytes(&before.picture).chunks(strip_len).collect()).unwrap_or_default();
        let changed = |at: usize| strips.get(at) != before.get(at);
        let mut at = 0;
        while let Some(first) = (at..strips.len()).find(|at| changed(*at)) {
            let end = (first..strips.len()).find(|at| !changed(*at)).unwrap_or(strips.len());
            let part = strips[first..end].concat();
            let top = first as u16 * cells_at_once as u16;
            let rows = ((end - first) as u16 * cells_at_once as u16).min(shown.area.height - top);
            self.send_strip(out, shown, part, channels, top, rows);
            at = end;
        }
    }

    fn send_strip(&self, out: &mut Vec<u8>, shown: &Shown, part: Vec<u8>, channels: usize, top: u16, rows: u16) {
        let width = shown.picture.width;
        let height = (part.len() / (width as usize * channels).max(1)) as u32;
        let pixels = if channels == 3 { Pixels::Rgb(part) } else { Pixels::Grey(part) };
        let png = png::picture(&Raster { width, height, pixels }, (width, height), shown.quality);
        ansi::go_to(out, Position::new(shown.area.x, shown.area.y + top));
        let (columns, size) = (shown.area.width, png.len());
        let keys =
            format!("inline=1;size={size};width={columns};height={rows};preserveAspectRatio=0;doNotMoveCursor=1");
        out.extend(format!("\x1b]1337;File={keys}:").bytes());
        out.extend(BASE64.encode(&png).bytes());
        out.push(0x07);
    }
}

fn bytes(picture: &Raster) -> &[u8] {
    match &picture.pixels {
        Pixels::Grey(bytes) | Pixels::Rgb(bytes) => bytes,
    }
}

fn copy(row: &mut [u8], source: &[u8]) {
    row.iter_mut().zip(source).for_each(|(pixel, value)| *pixel = *value);
}

fn draw_ink(pixels: &mut [u8], width: usize, overlay: &Overlay, coarse: usize) {
    let (pixels, _) = pixels.as_chunks_mut::<3>();
    for (y, inks) in overlay.ink.chunks_exact((overlay.width as usize).max(1)).enumerate() {
        let Some(row) = pixels.chunks_exact_mut(width.max(1)).nth(y / coarse) else { return };
        for (x, ink) in inks.iter().enumerate().filter(|(_, ink)| **ink != 0) {
            if let Some(pixel) = row.get_mut(x / coarse) {
                *pixel = INKS[usize::from(*ink) % INKS.len()];
            }
        }
    }
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
    fn ink_makes_the_file_a_colour_one() {
        let mut overlay = Overlay { width: 40, height: 60, ink: vec![0; 2400] };
        let mut iterm2 = Iterm2::new(CELL);
        let out = show(&mut iterm2, &grey(9), Some(&overlay), Quality::EXACT);
        assert_eq!(images(&out)[0].3, ::png::ColorType::Grayscale);
        overlay.ink[0] = 2;
        let out = show(&mut iterm2, &grey(9), Some(&overlay), Quality::EXACT);
        assert_eq!((images(&out)[0].2, images(&out)[0].3), ((40, 60), ::png::ColorType::Rgb));
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
    fn nothing_is_sent_under_a_popup_and_all_of_it_afterwards() {
        let mut iterm2 = Iterm2::new(CELL);
        let raster = grey(9);
        let viewports = [Viewport { area: AREA, content: Content::Flat { raster: &raster, overlay: None } }];
        assert_eq!(iterm2.show(&viewports, &[Rect::new(0, 0, 3, 2)], SCREEN, Quality::EXACT), b"");
        assert_eq!(images(&iterm2.show(&viewports, &[], SCREEN, Quality::EXACT)).len(), 1);
        let last_line = Size { width: 80, height: 4 };
        let out = Iterm2::new(CELL).show(&viewports, &[], last_line, Quality::EXACT);
        assert_eq!(images(&out)[0].2, (40, 40));
    }
}
