//! Few colours for many greys: the fixed palette of Sixel, and pictures put into it.
//!
//! A general quantiser looks for the best colours of each picture. Grey pictures need none: a fixed ramp is as good,
//! and as it never changes, neither does a pixel that did not. Inks follow the ramp. A colour picture (ultrasound, a
//! photograph) has its greys in the ramp, too, and its colours in a coarse cube behind them.

use crate::view::raster::{INKS, Overlay, Pixels, Raster};

use super::quality::Quality;

/// More greys than this cost bytes and are hardly told apart: registers are set in percent.
const GREYS_MAX: u16 = 64;

/// A pixel that is left as it is on the screen.
pub const HOLE: u8 = 255;

/// Levels of red, green and blue in the cube for colour pictures.
const CUBE: [u16; 3] = [5, 7, 5];
const CUBE_COLOURS: u16 = CUBE[0] * CUBE[1] * CUBE[2];

/// Channels that are this close together are a grey.
pub(super) const GREY_SPREAD_MAX: u8 = 12;

/// Greys, then inks, then the cube if there is room for it.
#[derive(Debug, Clone)]
pub struct Palette {
    greys: u16,
    inks: u8,
    cube: bool,
}

impl Palette {
    /// The palette for so many registers.
    pub fn new(registers: u32) -> Self {
        // With the sixteen registers of a VT340, eight are greys.
        let inks: u8 = if registers >= 32 { 15 } else { 7 };
        let room = u16::try_from(registers.min(u32::from(HOLE))).unwrap_or(0).saturating_sub(inks.into());
        let greys = room.clamp(2, GREYS_MAX);
        Self { greys, inks, cube: room >= greys + CUBE_COLOURS }
    }

    pub fn greys(&self) -> u16 {
        self.greys
    }

    /// The register of each grey. With fewer greys than the palette has, some of its registers are used, so that a
    /// draft and the exact picture can be compared pixel by pixel.
    fn ramp(&self, quality: Quality) -> [u8; 256] {
        let (steps, last) = (u32::from(quality.greys_within(self.greys)) - 1, u32::from(self.greys) - 1);
        std::array::from_fn(|value| {
            let step = (value as u32 * steps + 127) / 255;
            ((step * last + steps / 2) / steps) as u8
        })
    }

    /// The register of an ink; numbers without a colour are the first that has one.
    fn ink(&self, ink: u8) -> u8 {
        self.greys as u8 + (ink - 1) % self.inks
    }

    fn rgb(&self, ramp: &[u8; 256], [red, green, blue]: [u8; 3]) -> u8 {
        let (least, most) = (red.min(green).min(blue), red.max(green).max(blue));
        if !self.cube || most - least <= GREY_SPREAD_MAX {
            return ramp[usize::from(luminance([red, green, blue]))];
        }
        let level = |value: u8, levels: u16| (u16::from(value) * (levels - 1) + 127) / 255;
        let [red, green, blue] = [level(red, CUBE[0]), level(green, CUBE[1]), level(blue, CUBE[2])];
        (self.greys + u16::from(self.inks) + (red * CUBE[1] + green) * CUBE[2] + blue) as u8
    }

    /// What a register shows, in percent of red, green and blue.
    pub fn percent(&self, register: u8) -> [u8; 3] {
        let (greys, inks) = (self.greys, u16::from(self.inks));
        let scaled = |at: u16, last: u16| ((u32::from(at) * 200 + u32::from(last)) / (2 * u32::from(last))) as u8;
        match u16::from(register) {
            grey if grey < greys => [scaled(grey, greys - 1); 3],
            ink if ink < greys + inks => {
                INKS.get(usize::from(ink - greys) + 1).map_or([0; 3], |ink| ink.map(|value| scaled(value.into(), 255)))
            }
            other => {
                let at = other - greys - inks;
                let [red, green, blue] = [at / (CUBE[1] * CUBE[2]), at / CUBE[2] % CUBE[1], at % CUBE[2]];
                [scaled(red, CUBE[0] - 1), scaled(green, CUBE[1] - 1), scaled(blue, CUBE[2] - 1)]
            }
        }
    }

    /// Puts a picture and its ink into registers, row by row, in the size of the viewport: what the raster does not
    /// reach is black.
    pub fn canvas(
        &self,
        raster: &Raster,
        overlay: Option<&Overlay>,
        (width, height): (usize, usize),
        quality: Quality,
    ) -> Vec<u8> {
        let ramp = self.ramp(quality);
        let mut canvas = vec![0; width * height];
        let halved = (quality.coarse > 1).then(|| coarsened(raster, quality.coarse.into()));
        let (raster, coarse) = match &halved {
            Some(smaller) => (smaller, usize::from(quality.coarse)),
            None => (raster, 1),
        };
        let from = (raster.width as usize).max(1);
        // Each row of the raster is as many rows of the canvas as a square has.
        for (y, rows) in canvas.chunks_mut((width * coarse).max(1)).enumerate() {
            let (row, copies) = rows.split_at_mut(width);
            match &raster.pixels {
                Pixels::Grey(pixels) => {
                    let Some(source) = pixels.chunks_exact(from).nth(y) else { break };
                    fill(row, source.iter().map(|value| ramp[usize::from(*value)]), coarse);
                }
                Pixels::Rgb(pixels) => {
                    let Some(source) = pixels.as_chunks::<3>().0.chunks_exact(from).nth(y) else { break };
                    fill(row, source.iter().map(|pixel| self.rgb(&ramp, *pixel)), coarse);
                }
            }
            copies.chunks_exact_mut(width).for_each(|copy| copy.copy_from_slice(row));
        }
        if let Some(overlay) = overlay {
            let rows = overlay.ink.chunks_exact((overlay.width as usize).max(1));
            for (row, inks) in canvas.chunks_exact_mut(width.max(1)).zip(rows) {
                for (pixel, &ink) in row.iter_mut().zip(inks) {
                    if ink != 0 {
                        *pixel = self.ink(ink);
                    }
                }
            }
        }
        canvas
    }
}

fn fill(row: &mut [u8], values: impl Iterator<Item = u8>, coarse: usize) {
    if coarse == 1 {
        row.iter_mut().zip(values).for_each(|(pixel, value)| *pixel = value);
    } else {
        row.chunks_mut(coarse).zip(values).for_each(|(pixels, value)| pixels.fill(value));
    }
}

/// How bright a colour is, as ITU-R BT.601 weighs it.
pub fn luminance([red, green, blue]: [u8; 3]) -> u8 {
    ((u32::from(red) * 77 + u32::from(green) * 150 + u32::from(blue) * 29) >> 8) as u8
}

/// The means of squares of `side` pixels; those at the right and bottom edges may be smaller.
pub fn coarsened(raster: &Raster, side: usize) -> Raster {
    let size = (raster.width as usize, side.max(1));
    let pixels = match &raster.pixels {
        Pixels::Grey(pixels) => Pixels::Grey(means(pixels.as_chunks::<1>().0, size).into_flattened()),
        Pixels::Rgb(pixels) => Pixels::Rgb(means(pixels.as_chunks::<3>().0, size).into_flattened()),
    };
    let side = size.1 as u32;
    Raster { width: raster.width.div_ceil(side), height: raster.height.div_ceil(side), pixels }
}

fn means<const CHANNELS: usize>(pixels: &[[u8; CHANNELS]], (width, side): (usize, usize)) -> Vec<[u8; CHANNELS]> {
    let mut means = Vec::with_capacity(pixels.len() / (side * side) + width);
    let mut sums = vec![[0_u32; CHANNELS]; width.div_ceil(side)];
    for rows in pixels.chunks((width * side).max(1)) {
        sums.fill([0; CHANNELS]);
        for row in rows.chunks_exact(width) {
            for (sum, square) in sums.iter_mut().zip(row.chunks(side)) {
                for pixel in square {
                    sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
                }
            }
        }
        let height = rows.len() / width;
        for (x, sum) in sums.iter().enumerate() {
            let pixels = ((width - x * side).min(side) * height) as u32;
            means.push(sum.map(|sum| ((sum + pixels / 2) / pixels) as u8));
        }
    }
    means
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grey(width: u32, height: u32, pixels: Vec<u8>) -> Raster {
        Raster { width, height, pixels: Pixels::Grey(pixels) }
    }

    #[test]
    fn black_stays_black_and_white_stays_white_in_any_palette() {
        for registers in [2, 4, 16, 32, 64, 100, 256, 1024, u32::MAX] {
            let palette = Palette::new(registers);
            for quality in Quality::LADDER {
                let ramp = palette.ramp(quality);
                assert_eq!((palette.percent(ramp[0]), palette.percent(ramp[255])), ([0; 3], [100; 3]));
            }
            assert!(u32::from(palette.greys() + u16::from(palette.inks)) <= registers.max(9), "{registers}");
        }
    }

    #[test]
    fn a_full_palette_has_64_greys_and_room_for_colours() {
        let palette = Palette::new(256);
        assert_eq!((palette.greys(), palette.cube), (64, true));
        let ramp = palette.ramp(Quality::EXACT);
        assert_eq!(palette.percent(palette.rgb(&ramp, [255, 0, 0])), [100, 0, 0]);
        assert_eq!(palette.percent(palette.rgb(&ramp, [0, 0, 255])), [0, 0, 100]);
        assert_eq!(palette.percent(palette.rgb(&ramp, [255; 3])), [100; 3]);
        assert_eq!(palette.percent(palette.ink(1)), [100; 3]);
        assert_eq!(palette.percent(palette.ink(3)), [0, 90, 46]);
        assert!(palette.rgb(&ramp, [255, 255, 0]) < HOLE);
    }

    #[test]
    fn each_quality_has_its_number_of_greys_in_rising_order() {
        for quality in Quality::LADDER {
            let mut ramp = Palette::new(256).ramp(quality).to_vec();
            assert!(ramp.is_sorted());
            ramp.dedup();
            assert_eq!(ramp.len(), usize::from(quality.greys.min(64)));
        }
    }

    #[test]
    fn what_the_raster_does_not_reach_is_black_and_what_is_beyond_is_left_out() {
        let palette = Palette::new(256);
        let canvas = palette.canvas(&grey(2, 1, vec![255; 2]), None, (3, 2), Quality::EXACT);
        assert_eq!(canvas, [63, 63, 0, 0, 0, 0]);
        let canvas = palette.canvas(&grey(3, 2, vec![255; 6]), None, (2, 1), Quality::EXACT);
        assert_eq!(canvas, [63, 63]);
        assert!(palette.canvas(&grey(0, 0, vec![]), None, (0, 0), Quality::EXACT).is_empty());
    }

    #[test]
    fn ink_is_above_the_picture_at_full_sharpness_even_in_a_draft() {
        let palette = Palette::new(256);
        let overlay = Overlay { width: 4, height: 1, ink: vec![0, 2, 0, 0] };
        let draft = Quality { greys: 64, coarse: 2 };
        let canvas = palette.canvas(&grey(4, 1, vec![0, 255, 10, 10]), Some(&overlay), (4, 1), draft);
        assert_eq!(canvas, [32, palette.ink(2), 2, 2]);
    }

    #[test]
    fn means_of_squares_are_means() {
        let raster = grey(3, 3, vec![0, 10, 100, 20, 30, 200, 7, 9, 1]);
        assert_eq!(coarsened(&raster, 2), grey(2, 2, vec![15, 150, 8, 1]));
        let colour = Raster { width: 2, height: 1, pixels: Pixels::Rgb(vec![10, 20, 30, 20, 40, 60]) };
        let mean = Raster { width: 1, height: 1, pixels: Pixels::Rgb(vec![15, 30, 45]) };
        assert_eq!(coarsened(&colour, 2), mean);
    }

    proptest! {
        #[test]
        fn every_pixel_is_a_register_of_the_palette(
            registers in 2_u32..400, greys in 2_u16..300, colour in any::<[u8; 3]>(), ink in 1_u8..=255,
        ) {
            let palette = Palette::new(registers);
            let ramp = palette.ramp(Quality { greys, coarse: 1 });
            for register in [palette.rgb(&ramp, colour), ramp[usize::from(colour[0])], palette.ink(ink)] {
                prop_assert!(u32::from(register) < registers.max(9));
                prop_assert!(register != HOLE);
                prop_assert!(palette.percent(register).iter().all(|percent| *percent <= 100));
            }
        }
    }
}
