//! Pictures by Kitty's protocol: sent once, placed as often as wanted.
//!
//! ```text
//!   z (lowest first)   black over the viewport | the picture, scaled by the terminal | ink | the cells' own text
//! ```
//!
//! An image is sent at its own resolution under a number and stays with the terminal, so zoom, pan and a slice seen
//! before cost one short command each. The terminal's memory is not ours to fill: what was not placed for longest is
//! freed. A new picture is placed before the old one is taken away, so that nothing flickers. Everything lies beneath
//! cells with a background of their own: a popup needs no word to cover a picture.
//!
//! The terminal interpolates, and it can only scale to the edges of cells. Where that is not good enough (single pixels
//! much enlarged, edges of pixels to be seen) [`Kitty::can_place`] says no, and the picture comes drawn for the screen.

mod command;
mod place;

use std::collections::{HashMap, HashSet};

use ratatui::layout::Rect;

use crate::view::raster::{Overlay, PictureId, Pixels, Placed, Raster, Scene};

use super::detect::CellSize;
use super::palette::coarsened;
use super::quality::Quality;
use super::{Content, Viewport, ansi, png};
use place::{MISFIT_PX_MAX, Placement, Span};

/// Memory of the terminal that our images may take; Kitty gives all programs of a window 320 MB.
const TERMINAL_BYTES_MAX: usize = 192 << 20;

/// Bytes of a pixel in the terminal's memory.
const TERMINAL_PIXEL_BYTES: usize = 4;

/// Lower than half of the least number: beneath cells that have a background.
const Z_BLACK: i32 = i32::MIN / 2 - 10;
const Z_PICTURE: i32 = Z_BLACK + 1;
const Z_INK: i32 = Z_PICTURE + 1;

/// Bits of an image's number that count; the others tell programs apart.
const COUNTING_BITS: u32 = 16;

/// Side of the black image, and of the part of it that is shown: away from its edges, which terminals blend with
/// nothing.
const BLACK_PX: u32 = 32;
const BLACK_PART: Span = Span { cell: 0, offset_px: 0, cells: None, source: 8, source_len: 16, misfit_px: 0.0 };

/// A multiple of these black pixels goes with an image, where its edge lies inside a cell.
const MARGIN_STEP_PX: u32 = 16;

/// What a terminal with Kitty's protocol holds and shows.
pub struct Kitty {
    cell: CellSize,
    images: Images,
    black: Option<u32>,
    kept: HashMap<Key, Kept>,
    /// Counts the calls of `show`, to tell what was placed longest ago.
    now: u64,
    /// One for each viewport.
    shown: Vec<Shown>,
}

/// Which image the terminal keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    id: PictureId,
    width: u32,
    height: u32,
    quality: Quality,
}

/// An image that the terminal keeps.
#[derive(Debug, Clone, Copy)]
struct Kept {
    image: u32,
    /// Its size with the black that goes with it.
    width: u32,
    height: u32,
    placed_at: u64,
}

/// What lies in a viewport.
#[derive(Default)]
struct Shown {
    area: Rect,
    picture: Option<(u32, Placement)>,
    /// A picture drawn for the screen, which is not kept.
    flat: Option<(u32, Raster, Quality)>,
    ink: Option<(u32, Overlay, InkBox)>,
}

/// The part of an overlay that has ink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InkBox {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

/// Images with the terminal, under numbers that no other program uses.
struct Images {
    base: u32,
    last: u32,
    sent: HashSet<u32>,
}

impl Kitty {
    /// `seed` is different for each program at the same terminal.
    pub fn new(cell: CellSize, seed: u32) -> Self {
        let (black, kept, shown) = (None, HashMap::new(), Vec::new());
        Self { cell, images: Images::new(seed), black, kept, now: 0, shown }
    }

    /// Whether the terminal can show this scene from the picture itself.
    pub fn can_place(&self, scene: &Scene) -> bool {
        let Some(placed) = &scene.picture else { return true };
        Placement::of(placed, (scene.width, scene.height), self.cell).is_some_and(|placement| {
            let pixel_by_pixel = placement.across.cells.is_none() && placement.down.cells.is_none();
            (placed.smooth || pixel_by_pixel) && placement.misfit_px() <= MISFIT_PX_MAX
        })
    }

    /// Forgets what was sent: the terminal was reset, or its cells have another size.
    pub fn forget(&mut self) {
        (self.black, self.now) = (None, 0);
        self.images.sent.clear();
        self.kept.clear();
        self.shown.clear();
    }

    /// Frees everything that was sent.
    pub fn clear(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.images.free_all(&mut out);
        self.forget();
        out
    }

    pub fn show(&mut self, viewports: &[Viewport], quality: Quality) -> Vec<u8> {
        self.now += 1;
        let mut out = Vec::new();
        let mut before = std::mem::take(&mut self.shown);
        for gone in before.drain(viewports.len().min(before.len())..).enumerate() {
            let (number, shown) = (placement_number(viewports.len() + gone.0), gone.1);
            self.take_away(&mut out, number, shown);
        }
        before.resize_with(viewports.len(), Shown::default);
        for (index, (viewport, before)) in viewports.iter().zip(before).enumerate() {
            let shown = self.show_one(&mut out, placement_number(index), viewport, before, quality);
            self.shown.push(shown);
        }
        self.free_the_oldest(&mut out);
        if out.is_empty() {
            return out;
        }
        [ansi::KEEP_CURSOR, &out, ansi::BACK_TO_CURSOR].concat()
    }

    fn show_one(
        &mut self,
        out: &mut Vec<u8>,
        number: u32,
        viewport: &Viewport,
        before: Shown,
        quality: Quality,
    ) -> Shown {
        let area = viewport.area;
        let mut shown = Shown { area, ..Shown::default() };
        if area.is_empty() {
            self.take_away(out, number, before);
            return shown;
        }
        let moved = before.area != area;
        if moved {
            self.place_black(out, number, area);
        }
        let mut old_images = Vec::new();
        match &viewport.content {
            Content::Scene(scene) => {
                if let Some(placed) = &scene.picture
                    && let Some((image, placement)) = self.keep(out, placed, (scene.width, scene.height), quality)
                {
                    if moved || before.picture != Some((image, placement)) {
                        command::place(out, image, number, area.as_position(), &placement, Z_PICTURE);
                    }
                    shown.picture = Some((image, placement));
                }
            }
            Content::Flat { raster, .. } => match before.flat {
                Some((image, ref same, same_quality)) if !moved && *same == **raster && same_quality == quality => {
                    shown.flat = Some((image, (*raster).clone(), quality));
                }
                _ => {
                    let image = self.place_flat(out, number, area, raster, quality);
                    shown.flat = image.map(|image| (image, (*raster).clone(), quality));
                }
            },
        }
        shown.ink = match viewport.content.overlay() {
            None => None,
            Some(overlay) => match before.ink {
                Some((image, ref same, bounds)) if !moved && same == overlay => Some((image, overlay.clone(), bounds)),
                _ => self.place_ink(out, number, area, overlay),
            },
        };
        // Only now: what was seen stays until what follows it is there.
        if let Some((image, _)) = before.picture
            && shown.picture.is_none_or(|(now, _)| now != image)
        {
            command::take_away(out, image, number);
        }
        old_images.extend(before.flat.map(|(image, ..)| image));
        old_images.extend(before.ink.map(|(image, ..)| image));
        let still = [shown.flat.as_ref().map(|(image, ..)| *image), shown.ink.as_ref().map(|(image, ..)| *image)];
        for image in old_images.into_iter().filter(|image| !still.contains(&Some(*image))) {
            self.images.free(out, image);
        }
        shown
    }

    /// Finds the image with the terminal or sends it, and says where it goes.
    fn keep(
        &mut self,
        out: &mut Vec<u8>,
        placed: &Placed,
        viewport: (u32, u32),
        quality: Quality,
    ) -> Option<(u32, Placement)> {
        let (width, height) = (placed.raster.width, placed.raster.height);
        let key = |quality| Key { id: placed.id, width, height, quality };
        // The exact picture, once there, costs no more than a draft.
        for quality in [Quality::EXACT, quality] {
            let placed = scaled_down(placed, quality.coarse);
            let placement = Placement::of(&placed, viewport, self.cell)?;
            if let Some(kept) = self.kept.get_mut(&key(quality))
                && kept.holds(&placement)
            {
                kept.placed_at = self.now;
                return Some((kept.image, placement));
            }
        }
        let smaller;
        let raster = if quality.coarse > 1 {
            smaller = coarsened(&placed.raster, quality.coarse.into());
            &smaller
        } else {
            &*placed.raster
        };
        let placement = Placement::of(&scaled_down(placed, quality.coarse), viewport, self.cell)?;
        let with_margin = |size: u32, end: u32| size + end.saturating_sub(size).next_multiple_of(MARGIN_STEP_PX);
        let size = (
            with_margin(raster.width, placement.across.source_end()),
            with_margin(raster.height, placement.down.source_end()),
        );
        let image = self.images.send(out, &png::picture(raster, size, quality));
        let kept = Kept { image, width: size.0, height: size.1, placed_at: self.now };
        if let Some(smaller_margin) = self.kept.insert(key(quality), kept) {
            self.images.free(out, smaller_margin.image);
        }
        if quality.is_exact() {
            let drafts: Vec<Key> = (Quality::LADDER.into_iter().map(key))
                .filter(|draft| !draft.quality.is_exact() && self.kept.contains_key(draft))
                .collect();
            // Freed with the oldest, after the exact picture has been placed over them.
            for draft in drafts {
                if let Some(draft) = self.kept.get_mut(&draft) {
                    draft.placed_at = 0;
                }
            }
        }
        Some((image, placement))
    }

    fn place_black(&mut self, out: &mut Vec<u8>, number: u32, area: Rect) {
        let image = match self.black {
            Some(image) => image,
            None => {
                let pixels = Pixels::Grey(vec![0; (BLACK_PX * BLACK_PX) as usize]);
                let raster = Raster { width: BLACK_PX, height: BLACK_PX, pixels };
                let png = png::picture(&raster, (BLACK_PX, BLACK_PX), Quality::EXACT);
                *self.black.insert(self.images.send(out, &png))
            }
        };
        let span = |cells: u16| Span { cells: Some(cells.into()), ..BLACK_PART };
        let placement = Placement { across: span(area.width), down: span(area.height) };
        command::place(out, image, number, area.as_position(), &placement, Z_BLACK);
    }

    /// Sends and places a picture that has the viewport's size; what is larger is cut off.
    fn place_flat(
        &mut self,
        out: &mut Vec<u8>,
        number: u32,
        area: Rect,
        raster: &Raster,
        quality: Quality,
    ) -> Option<u32> {
        let smaller;
        let size = (u32::from(area.width) * self.cell.width, u32::from(area.height) * self.cell.height);
        let (sent, cells) = if quality.coarse > 1 && size == (raster.width, raster.height) {
            smaller = coarsened(raster, quality.coarse.into());
            (&smaller, true)
        } else {
            (raster, false)
        };
        let span = |image_len: u32, cells_len: u16, cell: u32| Span {
            cells: cells.then_some(cells_len.into()),
            source_len: if cells { image_len } else { image_len.min(u32::from(cells_len) * cell) },
            source: 0,
            ..BLACK_PART
        };
        let across = span(sent.width, area.width, self.cell.width);
        let down = span(sent.height, area.height, self.cell.height);
        if across.source_len == 0 || down.source_len == 0 {
            return None;
        }
        let image = self.images.send(out, &png::picture(sent, (sent.width, sent.height), quality));
        command::place(out, image, number, area.as_position(), &Placement { across, down }, Z_PICTURE);
        Some(image)
    }

    /// Sends and places the part of an overlay that has ink.
    fn place_ink(
        &mut self,
        out: &mut Vec<u8>,
        number: u32,
        area: Rect,
        overlay: &Overlay,
    ) -> Option<(u32, Overlay, InkBox)> {
        let size = (u32::from(area.width) * self.cell.width, u32::from(area.height) * self.cell.height);
        let bounds = InkBox::of(overlay, size)?;
        let ink: Vec<u8> = (overlay.ink.chunks_exact(overlay.width as usize))
            .skip(bounds.y as usize)
            .take(bounds.height as usize)
            .flat_map(|row| &row[bounds.x as usize..(bounds.x + bounds.width) as usize])
            .copied()
            .collect();
        let image = self.images.send(out, &png::ink(&ink, (bounds.width, bounds.height)));
        let span = |start: u32, len: u32, cell: u32| Span {
            cell: start / cell,
            offset_px: start % cell,
            source: 0,
            source_len: len,
            ..BLACK_PART
        };
        let across = span(bounds.x, bounds.width, self.cell.width);
        let down = span(bounds.y, bounds.height, self.cell.height);
        command::place(out, image, number, area.as_position(), &Placement { across, down }, Z_INK);
        Some((image, overlay.clone(), bounds))
    }

    fn take_away(&mut self, out: &mut Vec<u8>, number: u32, shown: Shown) {
        if let Some(black) = self.black.filter(|_| !shown.area.is_empty()) {
            command::take_away(out, black, number);
        }
        if let Some((image, _)) = shown.picture {
            command::take_away(out, image, number);
        }
        for image in shown.flat.map(|(image, ..)| image).into_iter().chain(shown.ink.map(|(image, ..)| image)) {
            self.images.free(out, image);
        }
    }

    /// Frees images until the rest fits; those on the screen stay.
    fn free_the_oldest(&mut self, out: &mut Vec<u8>) {
        let mut total: usize = self.kept.values().map(Kept::terminal_bytes).sum();
        loop {
            let oldest = (self.kept.iter())
                .filter(|(_, kept)| kept.placed_at != self.now)
                .min_by_key(|(_, kept)| (kept.placed_at, kept.image))
                .map(|(key, kept)| (*key, *kept));
            let Some((key, kept)) = oldest.filter(|(_, kept)| total > TERMINAL_BYTES_MAX || kept.placed_at == 0) else {
                return;
            };
            total -= kept.terminal_bytes();
            self.kept.remove(&key);
            self.images.free(out, kept.image);
        }
    }
}

/// Numbers of placements begin with 1.
fn placement_number(viewport: usize) -> u32 {
    u32::try_from(viewport).unwrap_or(u32::MAX - 1) + 1
}

/// The same place for a picture with fewer pixels. The raster itself stays: only its size is looked at.
fn scaled_down(placed: &Placed, coarse: u8) -> Placed {
    let mut placed = placed.clone();
    if coarse > 1 {
        let side = f64::from(coarse);
        let crop = &mut placed.crop;
        (crop.x, crop.y, crop.width, crop.height) =
            (crop.x / side, crop.y / side, crop.width / side, crop.height / side);
    }
    placed
}

impl Kept {
    fn holds(&self, placement: &Placement) -> bool {
        placement.across.source_end() <= self.width && placement.down.source_end() <= self.height
    }

    fn terminal_bytes(&self) -> usize {
        self.width as usize * self.height as usize * TERMINAL_PIXEL_BYTES
    }
}

impl InkBox {
    /// The smallest that holds all ink within a viewport's size; none without ink.
    fn of(overlay: &Overlay, (width, height): (u32, u32)) -> Option<Self> {
        let row_len = overlay.width as usize;
        let seen = row_len.min(width as usize);
        let rows = || overlay.ink.chunks_exact(row_len.max(1)).take(height as usize).map(|row| &row[..seen]);
        let has_ink = |ink: &u8| *ink != 0;
        let top = rows().position(|row| row.iter().any(has_ink))?;
        let (mut bottom, mut left, mut right) = (top, seen, 0);
        for (y, row) in rows().enumerate().skip(top) {
            if let Some(first) = row.iter().position(has_ink) {
                bottom = y;
                left = left.min(first);
                right = right.max(row.iter().rposition(has_ink).unwrap_or(first));
            }
        }
        let [x, y, last_x, last_y] = [left, top, right, bottom].map(|at| at as u32);
        Some(Self { x, y, width: last_x + 1 - x, height: last_y + 1 - y })
    }
}

impl Images {
    fn new(seed: u32) -> Self {
        // Spread, as process numbers are close to each other; never 0, which is no number.
        let base = (seed.wrapping_mul(0x9e37_79b1) | 1 << 31) & !((1 << COUNTING_BITS) - 1);
        Self { base, last: 0, sent: HashSet::new() }
    }

    /// Sends an image under a number that none on the other side has.
    fn send(&mut self, out: &mut Vec<u8>, png: &[u8]) -> u32 {
        loop {
            // Ends: the terminal's memory holds fewer images than there are numbers.
            self.last = if self.last + 1 == 1 << COUNTING_BITS { 1 } else { self.last + 1 };
            let image = self.base | self.last;
            if self.sent.insert(image) {
                command::transmit(out, image, png);
                return image;
            }
        }
    }

    fn free(&mut self, out: &mut Vec<u8>, image: u32) {
        if self.sent.remove(&image) {
            command::free(out, image);
        }
    }

    fn free_all(&mut self, out: &mut Vec<u8>) {
        self.sent.drain().for_each(|image| command::free(out, image));
    }
}

#[cfg(test)]
mod tests;
