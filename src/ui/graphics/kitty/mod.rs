//! Pictures by Kitty's protocol: sent once, placed as often as wanted.
//!
//! ```text
//!   from below:   black over the viewport | the picture, scaled by the terminal | ink
//! ```
//!
//! An image is sent at its own resolution under a number and stays with the terminal, so zoom, pan and a slice seen
//! before cost a short command each. The terminal's memory is not ours to fill: what was not seen for longest is freed.
//! A new picture is placed before the old one is taken away, so that nothing flickers.
//!
//! All of it lies above the text of the cells. The protocol can do the other way round, but Kitty 0.26, which Debian 12
//! has, draws text and colours wrong there without a graphics card. So where something lies above a picture, the
//! picture is placed in pieces around it.
//!
//! The terminal interpolates, and it can only scale to the edges of cells. Where that is not good enough (single pixels
//! much enlarged, edges of pixels to be seen) [`Kitty::can_place`] says no, and the picture comes drawn for the screen.

mod command;
mod images;
mod place;

use ratatui::layout::Rect;

use crate::view::raster::{Overlay, Pixels, Placed, Raster, Scene};

use super::detect::CellSize;
use super::palette::coarsened;
use super::quality::Quality;
use super::{Content, Viewport, ansi, pieces, png};
use images::{Images, Key};
use place::{MISFIT_PX_MAX, Placement, Span};

const Z_BLACK: i32 = 0;
const Z_PICTURE: i32 = 1;
const Z_INK: i32 = 2;

/// The terminal blends four pixels into one: reduced more than that it leaves pixels out.
const SCALE_MIN: f64 = 0.5;

/// Numbers of placements that each viewport has: pieces beyond are not shown.
const PIECES_MAX: usize = 256;

/// Side of the black image, and the part of it that is shown: away from its edges, which terminals blend with nothing.
const BLACK_PX: u32 = 32;
const BLACK_PART: Span = Span { cell: 0, offset_px: 0, cells: None, source: 8, source_len: 16, misfit_px: 0.0 };

/// A multiple of these black pixels goes with an image, where its edge lies inside a cell.
const MARGIN_STEP_PX: u32 = 16;

/// What a terminal with Kitty's protocol holds and shows.
pub struct Kitty {
    cell: CellSize,
    images: Images,
    black: Option<u32>,
    /// One for each viewport.
    shown: Vec<Shown>,
}

/// What lies in a viewport.
#[derive(Default)]
struct Shown {
    area: Rect,
    /// Its cells that nothing lies above, in pieces.
    free: Vec<Rect>,
    black: Option<Layer>,
    picture: Option<Layer>,
    /// The picture, if it was drawn for the screen: such a one is not kept.
    flat: Option<(Raster, Quality)>,
    ink: Option<(Layer, Overlay)>,
}

/// An image in its place.
#[derive(Clone, PartialEq)]
struct Layer {
    image: u32,
    placement: Placement,
    /// Numbers of the placements that show it, one for each piece it reaches into.
    numbers: Vec<u32>,
}

/// Where the layers of a viewport go.
struct Spot<'a> {
    area: Rect,
    free: &'a [Rect],
    /// The number of the first placement of each image here.
    first_number: u32,
    cell: CellSize,
}

impl Kitty {
    /// `seed` is different for each program at the same terminal.
    pub fn new(cell: CellSize, seed: u32) -> Self {
        Self { cell, images: Images::new(seed), black: None, shown: Vec::new() }
    }

    /// Whether the terminal can show this scene from the picture itself: well enough for a picture that moves, or as
    /// well as we could draw it.
    pub fn can_place(&self, scene: &Scene, moving: bool) -> bool {
        let Some(placed) = &scene.picture else { return true };
        let scale = |screen_px: u32, image_px: f64| f64::from(screen_px) / image_px;
        let least = scale(placed.target.width, placed.crop.width).min(scale(placed.target.height, placed.crop.height));
        Placement::of(placed, (scene.width, scene.height), self.cell).is_some_and(|placement| {
            let pixel_by_pixel = placement.across.cells.is_none() && placement.down.cells.is_none();
            let is_sound = (placed.smooth || pixel_by_pixel) && least >= SCALE_MIN;
            moving || is_sound && placement.misfit_px() <= MISFIT_PX_MAX
        })
    }

    /// Forgets what was sent: the terminal was reset, or its cells have another size.
    pub fn forget(&mut self) {
        self.images.forget();
        self.black = None;
        self.shown.clear();
    }

    /// Frees everything that was sent.
    pub fn clear(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.images.free_all(&mut out);
        self.forget();
        out
    }

    pub fn show(&mut self, viewports: &[Viewport], covered: &[Rect], quality: Quality) -> Vec<u8> {
        self.images.begin_frame();
        let mut out = Vec::new();
        let mut before = std::mem::take(&mut self.shown).into_iter();
        for (index, viewport) in viewports.iter().enumerate() {
            let before = before.next().unwrap_or_default();
            let first_number = (index * PIECES_MAX) as u32 + 1;
            let shown = self.show_one(&mut out, first_number, viewport, covered, &before, quality);
            self.take_away(&mut out, before, Some(&shown));
            self.shown.push(shown);
        }
        for gone in before {
            self.take_away(&mut out, gone, None);
        }
        self.images.end_frame(&mut out);
        if out.is_empty() {
            return out;
        }
        [ansi::KEEP_CURSOR, &out, ansi::BACK_TO_CURSOR].concat()
    }

    fn show_one(
        &mut self,
        out: &mut Vec<u8>,
        first_number: u32,
        viewport: &Viewport,
        covered: &[Rect],
        before: &Shown,
        quality: Quality,
    ) -> Shown {
        let area = viewport.area;
        let mut shown = Shown { area, free: pieces::free(area, covered), ..Shown::default() };
        // What lay there before counts only as long as the cells are the same.
        let nothing = Shown::default();
        let same = if (before.area, &before.free) == (area, &shown.free) { before } else { &nothing };
        let spot = Spot { area, free: &shown.free, first_number, cell: self.cell };
        let lay = |out: &mut Vec<u8>, image, placement, z, same: Option<&Layer>| match same {
            Some(same) if (same.image, same.placement) == (image, placement) => same.clone(),
            _ => spot.lay(out, image, placement, z),
        };
        if !shown.free.is_empty() {
            let black = *self.black.get_or_insert_with(|| send_black(&mut self.images, out));
            let span = |cells: u16| Span { cells: Some(cells.into()), ..BLACK_PART };
            let placement = Placement { across: span(area.width), down: span(area.height) };
            shown.black = Some(lay(out, black, placement, Z_BLACK, same.black.as_ref()));
        }
        match &viewport.content {
            Content::Scene(scene) => {
                let size = (scene.width, scene.height);
                let kept = scene.picture.as_ref().and_then(|placed| self.keep(out, placed, size, quality));
                shown.picture =
                    kept.map(|(image, placement)| lay(out, image, placement, Z_PICTURE, same.picture.as_ref()));
            }
            Content::Flat { raster, .. } => {
                let known = (before.flat.as_ref().zip(before.picture.as_ref()))
                    .filter(|_| before.area.as_size() == area.as_size())
                    .filter(|((known, known_quality), _)| *known == **raster && *known_quality == quality)
                    .map(|(_, layer)| (layer.image, layer.placement));
                let sent = known.or_else(|| self.send_flat(out, area, raster, quality));
                shown.flat = sent.map(|_| ((*raster).clone(), quality));
                shown.picture =
                    sent.map(|(image, placement)| lay(out, image, placement, Z_PICTURE, same.picture.as_ref()));
            }
        }
        if let Some(overlay) = viewport.content.overlay() {
            let known = (before.ink.as_ref())
                .filter(|(_, known)| before.area.as_size() == area.as_size() && known == overlay)
                .map(|(layer, _)| (layer.image, layer.placement));
            let sent = known.or_else(|| self.send_ink(out, area, overlay));
            let same = same.ink.as_ref().map(|(layer, _)| layer);
            shown.ink = sent.map(|(image, placement)| (lay(out, image, placement, Z_INK, same), overlay.clone()));
        }
        shown
    }

    /// Finds the picture with the terminal or sends it, and says where it goes.
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
            let placement = Placement::of(&scaled_down(placed, quality.coarse), viewport, self.cell)?;
            if let Some(image) = self.images.find(key(quality), &placement) {
                return Some((image, placement));
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
        let png = png::picture(raster, size, quality);
        Some((self.images.send_to_keep(out, key(quality), &png, size), placement))
    }

    /// Sends a picture that has the viewport's size; what is larger is cut off.
    fn send_flat(
        &mut self,
        out: &mut Vec<u8>,
        area: Rect,
        raster: &Raster,
        quality: Quality,
    ) -> Option<(u32, Placement)> {
        let (width, height) = self.size_px(area);
        let fits = (width, height) == (raster.width, raster.height);
        let smaller;
        let (raster, placement) = if quality.coarse > 1 && fits {
            smaller = coarsened(raster, quality.coarse.into());
            let span = |cells: u16, source_len| Span { cells: Some(cells.into()), source: 0, source_len, ..BLACK_PART };
            let (across, down) = (span(area.width, smaller.width), span(area.height, smaller.height));
            (&smaller, Placement { across, down })
        } else {
            (raster, Placement::unscaled(0, 0, raster.width.min(width), raster.height.min(height), self.cell))
        };
        if placement.across.source_len == 0 || placement.down.source_len == 0 {
            return None;
        }
        let png = png::picture(raster, (raster.width, raster.height), quality);
        Some((self.images.send(out, &png), placement))
    }

    /// Sends the part of an overlay that has ink.
    fn send_ink(&mut self, out: &mut Vec<u8>, area: Rect, overlay: &Overlay) -> Option<(u32, Placement)> {
        let ink = png::ink(overlay, self.size_px(area))?;
        let placement = Placement::unscaled(ink.x, ink.y, ink.width, ink.height, self.cell);
        Some((self.images.send(out, &ink.png), placement))
    }

    /// Takes away what is not there any more.
    fn take_away(&mut self, out: &mut Vec<u8>, before: Shown, now: Option<&Shown>) {
        let black_now = now.and_then(|now| now.black.as_ref());
        let picture_now = now.and_then(|now| now.picture.as_ref());
        let ink_now = now.and_then(|now| now.ink.as_ref()).map(|(layer, _)| layer);
        let (flat, ink) = (before.flat.is_some(), before.ink.map(|(layer, _)| layer));
        for (layer, now, is_kept) in
            [(before.black, black_now, true), (before.picture, picture_now, !flat), (ink, ink_now, false)]
        {
            let Some(layer) = layer else { continue };
            match now.filter(|now| now.image == layer.image) {
                None if !is_kept => self.images.free(out, layer.image),
                now => {
                    let still = now.map(|now| now.numbers.as_slice()).unwrap_or_default();
                    let gone = layer.numbers.into_iter().filter(|number| !still.contains(number));
                    gone.for_each(|number| command::take_away(out, layer.image, number));
                }
            }
        }
    }

    fn size_px(&self, area: Rect) -> (u32, u32) {
        (u32::from(area.width) * self.cell.width, u32::from(area.height) * self.cell.height)
    }
}

impl Spot<'_> {
    /// Places an image in all pieces that it reaches into.
    fn lay(&self, out: &mut Vec<u8>, image: u32, placement: Placement, z: i32) -> Layer {
        let mut numbers = Vec::new();
        for (number, piece) in (self.first_number..).take(PIECES_MAX).zip(self.free) {
            let piece = Rect::new(piece.x - self.area.x, piece.y - self.area.y, piece.width, piece.height);
            if let Some(part) = placement.within(piece, self.cell) {
                command::place(out, image, number, self.area.as_position(), &part, z);
                numbers.push(number);
            }
        }
        Layer { image, placement, numbers }
    }
}

fn send_black(images: &mut Images, out: &mut Vec<u8>) -> u32 {
    let pixels = Pixels::Grey(vec![0; (BLACK_PX * BLACK_PX) as usize]);
    let raster = Raster { width: BLACK_PX, height: BLACK_PX, pixels };
    images.send(out, &png::picture(&raster, (BLACK_PX, BLACK_PX), Quality::EXACT))
}

/// The same place for a picture with fewer pixels.
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

#[cfg(test)]
mod tests;
