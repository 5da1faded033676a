//! A scene in an exact size, for what cannot scale by itself: Sixel and iTerm2, pixel by pixel, and half-blocks, with
//! two pixels a cell.
//!
//! Ink is reduced so that a line of one pixel survives: a mark that vanishes because a terminal is small would be
//! a finding nobody sees.

use super::raster::{Overlay, Pixels, Placed, Raster, Scene};
use super::resample::{Filter, Line, Taps, resample};

/// The ink of a halo: it gives way to any other.
const HALO: u8 = super::ink::HALO;

impl Scene {
    /// The whole viewport, drawn in `width` x `height` pixels: picture and ink. Where there is no picture it is black.
    pub fn flatten(&self, width: u32, height: u32) -> (Raster, Option<Overlay>) {
        let raster = self.picture.as_ref().and_then(|placed| self.flat_picture(placed, width, height));
        let black = || Raster { width, height, pixels: Pixels::Grey(vec![0; width as usize * height as usize]) };
        let overlay = self.overlay.as_ref().map(|overlay| overlay.flatten(width, height));
        (raster.unwrap_or_else(black), overlay)
    }

    fn flat_picture(&self, placed: &Placed, width: u32, height: u32) -> Option<Raster> {
        let Placed { raster, crop, target, .. } = placed;
        let filter = if placed.smooth { Filter::Linear } else { Filter::Nearest };
        let taps = |count: u32, viewport: u32, target: (u32, u32), crop: (f64, f64), length: u32| {
            // Raster pixels for a pixel of the viewport, and for one of the output.
            let scale = crop.1 / f64::from(target.1);
            let step = f64::from(viewport) / f64::from(count) * scale;
            let open = (crop.0, crop.0 + crop.1);
            let is_sound = step.is_finite() && step > 0.0 && open.0 >= -1.0 && open.1 <= f64::from(length) + 1.0;
            let line = Line { from: crop.0 - f64::from(target.0) * scale, step, open, length };
            is_sound.then(|| Taps::new(count, line, filter))
        };
        let across = taps(width, self.width, (target.x, target.width), (crop.x, crop.width), raster.width)?;
        let down = taps(height, self.height, (target.y, target.height), (crop.y, crop.height), raster.height)?;
        let row = raster.width as usize;
        let pixels = match &raster.pixels {
            Pixels::Grey(bytes) => {
                Pixels::Grey(resample(bytes.as_chunks::<1>().0, row, &across, &down).into_flattened())
            }
            Pixels::Rgb(bytes) => Pixels::Rgb(resample(bytes.as_chunks::<3>().0, row, &across, &down).into_flattened()),
        };
        Some(Raster { width, height, pixels })
    }
}

impl Overlay {
    /// The same ink in another size. Of several inks in one pixel that with most pixels stays, a halo only where it
    /// fills most of it.
    pub fn flatten(&self, width: u32, height: u32) -> Self {
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let mut ink = vec![0; width as usize * height as usize];
        let row_length = self.width as usize;
        if width > 0 && height > 0 && self.ink.len() == row_length * self.height as usize {
            let columns: Vec<_> = (0..width).map(|x| stretch(x, width, self.width)).collect();
            for (y, out) in (0..height).zip(ink.chunks_exact_mut(width as usize)) {
                let rows = stretch(y, height, self.height);
                let rows = &self.ink[rows.start * row_length..rows.end * row_length];
                if rows.iter().all(|ink| *ink == 0) {
                    continue;
                }
                for (columns, out) in columns.iter().zip(out) {
                    *out = strongest(rows.chunks_exact(row_length).map(|row| &row[columns.clone()]));
                }
            }
        }
        Self { width, height, ink }
    }
}

/// The pixels of one line that an output pixel covers, at least one of them.
fn stretch(output: u32, outputs: u32, inputs: u32) -> std::ops::Range<usize> {
    let at = |output: u64| output * u64::from(inputs);
    let begin = at(output.into()) / u64::from(outputs);
    let end = at(u64::from(output) + 1).div_ceil(outputs.into());
    // Both at most `inputs`.
    begin as usize..end as usize
}

fn strongest<'a>(rows: impl Iterator<Item = &'a [u8]>) -> u8 {
    let mut counts = [0u32; 256];
    let mut pixels = 0;
    for row in rows {
        pixels += row.len() as u32;
        row.iter().for_each(|ink| counts[usize::from(*ink)] += 1);
    }
    let strong = (1..=u8::MAX).filter(|ink| *ink != HALO).max_by_key(|ink| counts[usize::from(*ink)]);
    match strong {
        Some(ink) if counts[usize::from(ink)] > 0 => ink,
        _ if counts[usize::from(HALO)] * 2 > pixels => HALO,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::view::raster::{Area, Crop, PictureId};

    fn scene(bytes: &[u8], columns: u32, crop: (f64, f64, f64, f64), target: (u32, u32, u32, u32)) -> Scene {
        let rows = bytes.len() as u32 / columns;
        let raster = Arc::new(Raster { width: columns, height: rows, pixels: Pixels::Grey(bytes.to_vec()) });
        let crop = Crop { x: crop.0, y: crop.1, width: crop.2, height: crop.3 };
        let target = Area { x: target.0, y: target.1, width: target.2, height: target.3 };
        let picture = Some(Placed { raster, id: PictureId(1), crop, target, smooth: false });
        Scene { width: 8, height: 4, picture, overlay: None }
    }

    fn flat(scene: &Scene, width: u32, height: u32) -> Vec<u8> {
        let (raster, _) = scene.flatten(width, height);
        assert_eq!((raster.width, raster.height), (width, height));
        match raster.pixels {
            Pixels::Grey(bytes) | Pixels::Rgb(bytes) => bytes,
        }
    }

    const PAIR: [u8; 4] = [10, 20, 30, 40];

    #[test]
    fn a_picture_stands_in_its_target_and_black_around_it() {
        let scene = scene(&PAIR, 2, (0.0, 0.0, 2.0, 2.0), (2, 0, 4, 4));
        assert_eq!(flat(&scene, 8, 4)[..8], [0, 0, 10, 10, 20, 20, 0, 0]);
        assert_eq!(flat(&scene, 8, 4)[24..], [0, 0, 30, 30, 40, 40, 0, 0]);
        // Half as large, and half as large in one direction only, as on cells of half-blocks.
        assert_eq!(flat(&scene, 4, 2), [0, 10, 20, 0, 0, 30, 40, 0]);
        assert_eq!(flat(&scene, 4, 1), [0, 20, 30, 0]);
    }

    #[test]
    fn a_smooth_picture_blends_where_it_is_enlarged() {
        let mut scene = scene(&PAIR, 2, (0.0, 0.0, 2.0, 2.0), (0, 0, 8, 4));
        if let Some(placed) = &mut scene.picture {
            placed.smooth = true;
        }
        assert_eq!(flat(&scene, 4, 2), [10, 13, 18, 20, 30, 33, 38, 40]);
        // Reduced again it is averaged, smooth or not.
        assert_eq!(flat(&scene, 1, 1), [25]);
    }

    #[test]
    fn only_the_crop_is_seen() {
        let scene = scene(&[1, 2, 3, 4], 4, (1.0, 0.0, 2.0, 1.0), (0, 0, 8, 4));
        assert_eq!(flat(&scene, 4, 1), [2, 2, 3, 3]);
        assert_eq!(flat(&scene, 2, 1), [2, 3]);
    }

    #[test]
    fn colours_stay_colours() {
        let mut scene = scene(&[0], 1, (0.0, 0.0, 1.0, 1.0), (0, 0, 8, 4));
        if let Some(placed) = &mut scene.picture {
            placed.raster = Arc::new(Raster { width: 1, height: 1, pixels: Pixels::Rgb(vec![1, 2, 3]) });
        }
        assert_eq!(flat(&scene, 2, 1), [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn a_scene_without_a_picture_is_black() {
        let scene = Scene { width: 8, height: 4, picture: None, overlay: None };
        assert_eq!(flat(&scene, 3, 1), [0, 0, 0]);
        assert_eq!(flat(&scene, 0, 1), [0_u8; 0]);
    }

    #[test]
    fn a_placement_that_makes_no_sense_is_black() {
        for (crop, target) in [
            ((0.0, 0.0, f64::NAN, 1.0), (0, 0, 8, 4)),
            ((0.0, 0.0, 2.0, 2.0), (0, 0, 0, 4)),
            ((-9e99, 0.0, 1e300, 1.0), (0, 0, 8, 4)),
            ((0.0, 0.0, -2.0, 2.0), (0, 0, 8, 4)),
        ] {
            assert_eq!(flat(&scene(&PAIR, 2, crop, target), 2, 1), [0, 0]);
        }
    }

    fn overlay(width: u32, ink: &[u8]) -> Overlay {
        Overlay { width, height: ink.len() as u32 / width, ink: ink.to_vec() }
    }

    #[test]
    fn a_thin_line_survives_any_reduction() {
        let mut ink = vec![0; 64 * 64];
        ink.iter_mut().step_by(64).for_each(|ink| *ink = 3);
        assert_eq!(overlay(64, &ink).flatten(2, 2).ink, [3, 0, 3, 0]);
        assert_eq!(overlay(64, &ink).flatten(1, 1).ink, [3]);
    }

    #[test]
    fn the_ink_with_most_pixels_wins_and_a_halo_gives_way() {
        assert_eq!(overlay(4, &[HALO, HALO, 2, HALO]).flatten(1, 1).ink, [2]);
        assert_eq!(overlay(4, &[3, 2, 2, HALO]).flatten(1, 1).ink, [2]);
        assert_eq!(overlay(4, &[0, HALO, HALO, HALO]).flatten(1, 1).ink, [HALO]);
        assert_eq!(overlay(4, &[0, HALO, HALO, 0]).flatten(1, 1).ink, [0]);
    }

    #[test]
    fn ink_may_grow_and_broken_ink_is_none() {
        assert_eq!(overlay(2, &[1, 2]).flatten(4, 2).ink, [1, 1, 2, 2, 1, 1, 2, 2]);
        let broken = Overlay { width: 4, height: 4, ink: vec![1; 3] };
        assert_eq!(broken.flatten(2, 1).ink, [0, 0]);
    }

    proptest! {
        #[test]
        fn every_pixel_of_ink_is_seen_somewhere(
            at in (0u32..50, 0u32..40), to in (1u32..60, 1u32..60),
        ) {
            let mut ink = vec![0; 50 * 40];
            ink[(at.1 * 50 + at.0) as usize] = 9;
            let flat = overlay(50, &ink).flatten(to.0, to.1);
            prop_assert!(flat.ink.contains(&9));
        }

        #[test]
        fn in_the_size_of_the_viewport_an_even_picture_fills_its_target(
            shade in 1u8.., (x, y) in (0u32..8, 0u32..4), (width, height) in (1u32..8, 1u32..4), image in 1u32..20,
        ) {
            let (width, height) = (width.min(8 - x), height.min(4 - y));
            let side = f64::from(image);
            let pixels = vec![shade; (image * image) as usize];
            let flat = flat(&scene(&pixels, image, (0.0, 0.0, side, side), (x, y, width, height)), 8, 4);
            for (index, pixel) in (0u32..).zip(flat) {
                let inside = (x..x + width).contains(&(index % 8)) && (y..y + height).contains(&(index / 8));
                prop_assert_eq!(pixel, if inside { shade } else { 0 });
            }
        }
    }
}
