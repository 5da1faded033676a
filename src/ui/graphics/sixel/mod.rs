//! Pictures as Sixel: what is on the screen, and which parts of it to draw anew.
//!
//! The terminal keeps nothing for us, so each picture is sent again; but only the cells that changed, which for a
//! moved crosshair is little. Cells, as a graphic can only begin at one. Three habits of terminals shape the rest:
//!
//! - A graphic that reaches the last line scrolls the screen. The last line is left alone.
//! - In *display mode* (DECSDM) graphics go to the top left whatever the cursor says. Its number was understood in both
//!   senses by different terminals, and `CSI ? 80 l` may switch on what it should switch off; so it is sent only to
//!   the xterms that are known to be right.
//! - xterm holds 16 graphics and then forgets the topmost, which may be on the screen: after the next exposure an older
//!   picture would be seen. There the pictures of all viewports are one graphic, always complete; if its limit of size
//!   needs several, the cells are wiped first, so that what gets lost is black and not another slice.
//!
//! Text may lie above a picture if its cells are named as covered; [`super::Screen::must_clear`] says when a change of
//! layout needs the whole screen cleared.

mod encode;

use ratatui::layout::{Position, Rect, Size};

use super::detect::{Capabilities, CellSize};
use super::palette::{HOLE, Palette};
use super::quality::Quality;
use super::{Content, Viewport, ansi, pieces};
use encode::{Encoder, Part};

/// The first xterm whose DECSDM has the sense of the VT340's manual.
const XTERM_DECSDM_RIGHT: u32 = 369;

/// Cells that may be drawn without need to save a graphic of its own.
const SPARE_CELLS: usize = 16;

/// What a terminal with Sixel shows.
pub struct Sixel {
    palette: Palette,
    encoder: Encoder,
    cell: CellSize,
    size_max_px: Option<(u32, u32)>,
    xterm: Option<u32>,
    shown: Vec<Sheet>,
}

/// One or more viewports in registers.
struct Sheet {
    area: Rect,
    canvas: Vec<u8>,
}

/// Cells of a sheet: from column and row up to, not including, column and row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cells {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Sixel {
    pub fn new(capabilities: &Capabilities) -> Self {
        Self {
            palette: Palette::new(capabilities.registers()),
            encoder: Encoder::default(),
            cell: capabilities.cell,
            size_max_px: capabilities.sixel_size_max_px(),
            xterm: capabilities.xterm,
            shown: Vec::new(),
        }
    }

    pub fn forget(&mut self) {
        self.shown.clear();
    }

    pub fn show(&mut self, viewports: &[Viewport], covered: &[Rect], screen: Size, quality: Quality) -> Vec<u8> {
        let without_last_line = Rect::new(0, 0, screen.width, screen.height.saturating_sub(1));
        let pictures: Vec<(Rect, &Content)> = (viewports.iter())
            .map(|viewport| (viewport.area.intersection(without_last_line), &viewport.content))
            .filter(|(area, _)| !area.is_empty())
            .collect();
        let groups: Vec<&[(Rect, &Content)]> =
            if self.xterm.is_some() { vec![pictures.as_slice()] } else { pictures.chunks(1).collect() };
        let sheets: Vec<Sheet> = (groups.into_iter().filter(|group| !group.is_empty()))
            .map(|group| self.sheet(group, covered, quality))
            .collect();
        let mut drawn = Vec::new();
        for sheet in &sheets {
            let before = self.shown.iter().find(|before| before.area == sheet.area);
            let parts = self.changed(sheet, before.map(|before| before.canvas.as_slice()));
            let parts: Vec<Part> = parts.into_iter().flat_map(|part| self.within_size_max(part)).collect();
            if self.xterm.is_some() && parts.len() > 1 {
                wipe(&mut drawn, sheet.area, covered);
            }
            for part in parts {
                let column = sheet.area.x + (part.x / self.cell.width as usize) as u16;
                let row = sheet.area.y + (part.y / self.cell.height as usize) as u16;
                let before = drawn.len();
                ansi::go_to(&mut drawn, Position::new(column, row));
                let after = drawn.len();
                let width = usize::from(sheet.area.width) * self.cell.width as usize;
                self.encoder.encode(&mut drawn, &sheet.canvas, width, part, &self.palette);
                if drawn.len() == after {
                    drawn.truncate(before);
                }
            }
        }
        self.shown = sheets;
        if drawn.is_empty() {
            return drawn;
        }
        let display_mode_off: &[u8] =
            if self.xterm.is_some_and(|patch| patch >= XTERM_DECSDM_RIGHT) { b"\x1b[?80l" } else { b"" };
        [ansi::KEEP_CURSOR, display_mode_off, &drawn, ansi::BACK_TO_CURSOR].concat()
    }

    fn sheet(&self, group: &[(Rect, &Content)], covered: &[Rect], quality: Quality) -> Sheet {
        let (cell_width, cell_height) = (self.cell.width as usize, self.cell.height as usize);
        let pixels = |area: Rect| (usize::from(area.width) * cell_width, usize::from(area.height) * cell_height);
        let canvas_of = |content: &Content, size| match content {
            Content::Flat { raster, overlay } => self.palette.canvas(raster, *overlay, size, quality),
            Content::Scene(_) => vec![0; size.0 * size.1],
        };
        let (area, mut canvas) = match group {
            [(area, content)] => (*area, canvas_of(content, pixels(*area))),
            _ => {
                let all = group.iter().map(|(area, _)| *area).reduce(Rect::union).unwrap_or_default();
                let (width, height) = pixels(all);
                let mut canvas = vec![HOLE; width * height];
                for (area, content) in group {
                    let (part_width, part_height) = pixels(*area);
                    let part = canvas_of(content, (part_width, part_height));
                    let x = usize::from(area.x - all.x) * cell_width;
                    let rows = canvas.chunks_exact_mut(width).skip(usize::from(area.y - all.y) * cell_height);
                    for (row, source) in rows.zip(part.chunks_exact(part_width)) {
                        row[x..x + part_width].copy_from_slice(source);
                    }
                }
                (all, canvas)
            }
        };
        for covered in covered.iter().map(|covered| covered.intersection(area)).filter(|covered| !covered.is_empty()) {
            let (width, _) = pixels(area);
            let (hole_width, hole_height) = pixels(covered);
            let x = usize::from(covered.x - area.x) * cell_width;
            let y = usize::from(covered.y - area.y) * cell_height;
            for row in canvas.chunks_exact_mut(width).skip(y).take(hole_height) {
                row[x..x + hole_width].fill(HOLE);
            }
        }
        Sheet { area, canvas }
    }

    /// The parts that differ from what was shown, in whole cells.
    fn changed(&self, sheet: &Sheet, before: Option<&[u8]>) -> Vec<Part> {
        let (cell_width, cell_height) = (self.cell.width as usize, self.cell.height as usize);
        let (columns, rows) = (usize::from(sheet.area.width), usize::from(sheet.area.height));
        let all = Cells { left: 0, top: 0, right: columns, bottom: rows };
        let groups = match before {
            None => vec![all],
            Some(before) if before == sheet.canvas => Vec::new(),
            Some(_) if self.xterm.is_some() => vec![all],
            Some(before) => {
                let row_bytes = columns * cell_width * cell_height;
                let rows = sheet.canvas.chunks_exact(row_bytes).zip(before.chunks_exact(row_bytes));
                let changed = rows.enumerate().filter_map(|(row, (now, before))| {
                    let (left, right) = changed_columns(now, before, columns * cell_width)?;
                    let (left, right) = (left / cell_width, right / cell_width + 1);
                    Some(Cells { left, top: row, right, bottom: row + 1 })
                });
                grouped(changed)
            }
        };
        let part = |cells: Cells| Part {
            x: cells.left * cell_width,
            y: cells.top * cell_height,
            width: (cells.right - cells.left) * cell_width,
            height: (cells.bottom - cells.top) * cell_height,
        };
        groups.into_iter().map(part).collect()
    }

    /// Cuts a part into pieces that the terminal takes, each beginning at a cell.
    fn within_size_max(&self, part: Part) -> Vec<Part> {
        let Some((width_max, height_max)) = self.size_max_px else { return vec![part] };
        let whole_cells = |max: u32, cell: u32| (max / cell).max(1) as usize * cell as usize;
        let (width_max, height_max) =
            (whole_cells(width_max, self.cell.width), whole_cells(height_max, self.cell.height));
        let mut parts = Vec::new();
        for y in (0..part.height).step_by(height_max) {
            for x in (0..part.width).step_by(width_max) {
                let (width, height) = (width_max.min(part.width - x), height_max.min(part.height - y));
                parts.push(Part { x: part.x + x, y: part.y + y, width, height });
            }
        }
        parts
    }
}

/// The first and the last column in which rows of pixels differ.
fn changed_columns(now: &[u8], before: &[u8], width: usize) -> Option<(usize, usize)> {
    if now == before {
        return None;
    }
    let mut range: Option<(usize, usize)> = None;
    for (now, before) in now.chunks_exact(width).zip(before.chunks_exact(width)) {
        let differs = |(now, before): (&u8, &u8)| now != before;
        let Some(first) = now.iter().zip(before).position(differs) else { continue };
        let last = now.iter().zip(before).rposition(differs).unwrap_or(first);
        range = Some(range.map_or((first, last), |(left, right)| (left.min(first), right.max(last))));
    }
    range
}

/// Joins rows of cells that follow each other where that draws few cells in vain.
fn grouped(rows: impl Iterator<Item = Cells>) -> Vec<Cells> {
    let mut groups: Vec<Cells> = Vec::new();
    for row in rows {
        if let Some(last) = groups.last_mut()
            && last.bottom == row.top
        {
            let (left, right) = (last.left.min(row.left), last.right.max(row.right));
            let both = Cells { left, right, top: last.top, bottom: row.bottom };
            if both.count() <= last.count() + row.count() + SPARE_CELLS {
                *last = both;
                continue;
            }
        }
        groups.push(row);
    }
    groups
}

impl Cells {
    fn count(self) -> usize {
        (self.right - self.left) * (self.bottom - self.top)
    }
}

/// Blanks the cells of an area that are not covered, and with them all graphics there.
fn wipe(out: &mut Vec<u8>, area: Rect, covered: &[Rect]) {
    out.extend(b"\x1b[m");
    for piece in pieces::free(area, covered) {
        for y in piece.y..piece.bottom() {
            ansi::go_to(out, Position::new(piece.x, y));
            out.extend(format!("\x1b[{}X", piece.width).bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::detect::{Answer, Environment, Protocol, Setting, SixelLimits};
    use super::encode::decoder::decode;
    use super::*;
    use crate::view::raster::{Overlay, Pixels, Raster};

    const SCREEN: Size = Size { width: 40, height: 20 };

    fn sixel(xterm: Option<&str>, size_max_px: Option<(u32, u32)>) -> Sixel {
        let environment = Environment::read(|name| xterm.filter(|_| name == "XTERM_VERSION").map(str::to_owned));
        let cell = Some(CellSize { width: 10, height: 20 });
        let sixel = SixelLimits { registers: Some(256), size_max_px };
        let answer = Answer { protocol: Protocol::Sixel, cell, sixel };
        Sixel::new(&Capabilities::of(&environment, Some(&answer), Setting::Auto))
    }

    fn grey(area: Rect, value: u8) -> Raster {
        let (width, height) = (u32::from(area.width) * 10, u32::from(area.height) * 20);
        Raster { width, height, pixels: Pixels::Grey(vec![value; (width * height) as usize]) }
    }

    fn viewport<'a>(area: Rect, raster: &'a Raster, overlay: Option<&'a Overlay>) -> Viewport<'a> {
        Viewport { area, content: Content::Flat { raster, overlay } }
    }

    /// Where each graphic begins (column and row from 1) and its size in pixels.
    fn graphics(out: &[u8]) -> Vec<((usize, usize), (usize, usize))> {
        let mut found = Vec::new();
        let mut rest = out;
        while let Some(start) = rest.windows(3).position(|window| window == b"\x1bP0") {
            let to = rest[..start].strip_suffix(b"H").unwrap();
            let from = to.iter().rposition(|byte| *byte == b'[').unwrap() + 1;
            let (row, column) = std::str::from_utf8(&to[from..]).unwrap().split_once(';').unwrap();
            let end = start + rest[start..].windows(2).position(|window| window == b"\x1b\\").unwrap() + 2;
            let graphic = decode(&rest[start..end]);
            found.push(((column.parse().unwrap(), row.parse().unwrap()), (graphic.width, graphic.height)));
            rest = &rest[end..];
        }
        found
    }

    #[test]
    fn what_is_on_the_screen_already_is_not_sent_again() {
        let area = Rect::new(2, 3, 10, 5);
        let raster = grey(area, 99);
        let mut sixel = sixel(None, None);
        let first = sixel.show(&[viewport(area, &raster, None)], &[], SCREEN, Quality::EXACT);
        assert_eq!(graphics(&first), [((3, 4), (100, 100))]);
        assert_eq!(sixel.show(&[viewport(area, &raster, None)], &[], SCREEN, Quality::EXACT), b"");
        sixel.forget();
        assert_eq!(sixel.show(&[viewport(area, &raster, None)], &[], SCREEN, Quality::EXACT), first);
    }

    #[test]
    fn only_the_cells_that_changed_are_drawn_anew() {
        let area = Rect::new(0, 0, 10, 5);
        let raster = grey(area, 99);
        let mut sixel = sixel(None, None);
        sixel.show(&[viewport(area, &raster, None)], &[], SCREEN, Quality::EXACT);
        let mut overlay = Overlay { width: 100, height: 100, ink: vec![0; 10_000] };
        overlay.ink[45 * 100 + 33] = 2;
        let out = sixel.show(&[viewport(area, &raster, Some(&overlay))], &[], SCREEN, Quality::EXACT);
        assert_eq!(graphics(&out), [((4, 3), (10, 20))]);
    }

    #[test]
    fn the_last_line_of_the_screen_is_left_alone() {
        let area = Rect::new(0, 0, 40, 20);
        let raster = grey(area, 99);
        let out = sixel(None, None).show(&[viewport(area, &raster, None)], &[], SCREEN, Quality::EXACT);
        assert_eq!(graphics(&out), [((1, 1), (400, 380))]);
        let tiny = Size { width: 40, height: 1 };
        assert_eq!(sixel(None, None).show(&[viewport(area, &raster, None)], &[], tiny, Quality::EXACT), b"");
    }

    #[test]
    fn covered_cells_are_not_painted_and_drawn_when_they_are_free_again() {
        let area = Rect::new(0, 0, 10, 5);
        let raster = grey(area, 99);
        let viewports = [viewport(area, &raster, None)];
        let mut sixel = sixel(None, None);
        let popup = Rect::new(2, 1, 3, 2);
        let out = sixel.show(&viewports, &[popup], SCREEN, Quality::EXACT);
        let start = out.windows(3).position(|window| window == b"\x1bP0").unwrap();
        let graphic = decode(out[start..].strip_suffix(ansi::BACK_TO_CURSOR).unwrap());
        for (at, pixel) in graphic.pixels.iter().enumerate() {
            let (x, y) = (at % 100, at / 100);
            assert_eq!(pixel.is_none(), (20..50).contains(&x) && (20..60).contains(&y), "{x} {y}");
        }
        let out = sixel.show(&viewports, &[], SCREEN, Quality::EXACT);
        assert_eq!(graphics(&out), [((3, 2), (30, 40))]);
    }

    #[test]
    fn xterm_gets_all_viewports_as_one_complete_graphic() {
        let (left, right) = (Rect::new(0, 0, 10, 5), Rect::new(11, 0, 10, 5));
        let (one, other, changed) = (grey(left, 99), grey(right, 10), grey(right, 20));
        let mut sixel = sixel(Some("XTerm(379)"), None);
        let first =
            sixel.show(&[viewport(left, &one, None), viewport(right, &other, None)], &[], SCREEN, Quality::EXACT);
        assert!(first.starts_with(b"\x1b7\x1b[?80l"));
        let next =
            sixel.show(&[viewport(left, &one, None), viewport(right, &changed, None)], &[], SCREEN, Quality::EXACT);
        for out in [first, next] {
            assert_eq!(graphics(&out), [((1, 1), (210, 100))]);
        }
    }

    #[test]
    fn a_limit_of_size_cuts_at_cells_and_in_xterm_wipes_first() {
        let area = Rect::new(0, 0, 10, 5);
        let raster = grey(area, 99);
        let out = sixel(Some("XTerm(300)"), Some((55, 1000))).show(
            &[viewport(area, &raster, None)],
            &[Rect::new(3, 1, 2, 1)],
            SCREEN,
            Quality::EXACT,
        );
        assert_eq!(graphics(&out), [((1, 1), (50, 100)), ((6, 1), (50, 100))]);
        let text = String::from_utf8_lossy(&out);
        assert!(text.starts_with("\x1b7\x1b[m\x1b[1;1H\x1b[10X\x1b[2;1H\x1b[3X\x1b[2;6H\x1b[5X\x1b[3;1H"), "{text:?}");
        assert!(!text.contains("?80l"));
    }

    #[test]
    fn a_moved_crosshair_is_three_parts() {
        let row = |top, left, right| Cells { left, top, right, bottom: top + 1 };
        let rows = [row(0, 7, 9), row(1, 7, 9), row(2, 0, 80), row(3, 7, 9)];
        let groups = grouped(rows.into_iter());
        assert_eq!(groups, [Cells { left: 7, top: 0, right: 9, bottom: 2 }, row(2, 0, 80), row(3, 7, 9)]);
    }
}
