//! Pictures of characters: each cell two pixels, one above the other. For orientation, not for reading.
//!
//! Drawn into ratatui's buffer, which sends only the cells that changed. Where a cell can have 24-bit colours it is the
//! upper half block, its colour the upper pixel and its background the lower. With fewer colours the picture is
//! dithered in a fixed pattern (a random one would move with every frame), and without any it becomes characters of
//! growing weight.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Color;

use crate::view::raster::{INKS, Overlay, Pixels, Raster};

use super::detect::Colours;
use super::palette::{GREY_SPREAD_MAX, luminance};
use super::quality::Quality;

/// From empty to full, for terminals without colours.
const WEIGHTS: [&str; 10] = [" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"];

/// Greys of the palette of 256, darkest first: black, the ramp with the greys of the cube in between, white.
const RAMP: [(u8, u8); 30] = ramp();

/// Greys among the sixteen colours, as most terminals show them.
const SIXTEEN: [(u8, Color); 4] = [(0, Color::Black), (128, Color::DarkGray), (192, Color::Gray), (255, Color::White)];

/// How bright the dark ones of the six colours are: between 128 and 205, as the terminal likes.
const DARK: u8 = 170;

/// Thresholds of ordered dithering (Bayer), 0 to 15.
const DITHER: [[u16; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];

/// Greys that cells can have.
pub fn greys(colours: Colours) -> u16 {
    match colours {
        Colours::True => 256,
        Colours::Palette256 => RAMP.len() as u16,
        Colours::Sixteen => SIXTEEN.len() as u16,
        Colours::None => WEIGHTS.len() as u16,
    }
}

/// The size of the raster for an area: one pixel a column, two a row.
pub fn size_px(area: Rect) -> (u32, u32) {
    (area.width.into(), u32::from(area.height) * 2)
}

/// Draws a picture of that size; what it does not reach is black.
pub fn draw(
    buffer: &mut Buffer,
    area: Rect,
    raster: &Raster,
    overlay: Option<&Overlay>,
    colours: Colours,
    quality: Quality,
) {
    let area = area.intersection(buffer.area);
    let picture = Picture { raster, overlay, steps: u32::from(quality.greys.clamp(2, 256)) - 1 };
    for row in 0..area.height {
        for column in 0..area.width {
            let (x, y) = (u32::from(column), u32::from(row) * 2);
            let (upper, lower) = (picture.at(x, y), picture.at(x, y + 1));
            let Some(cell) = buffer.cell_mut(Position::new(area.x + column, area.y + row)) else { continue };
            cell.reset();
            if colours == Colours::None {
                let mean = (u16::from(luminance(upper)) + u16::from(luminance(lower))) / 2;
                cell.set_symbol(weight(mean, x, y / 2));
                continue;
            }
            let (upper, lower) = (colour(colours, upper, x, y), colour(colours, lower, x, y + 1));
            // One colour is half the bytes of two.
            if upper == lower {
                cell.set_symbol(" ").set_bg(lower);
            } else {
                cell.set_symbol("▀").set_fg(upper).set_bg(lower);
            }
        }
    }
}

struct Picture<'a> {
    raster: &'a Raster,
    overlay: Option<&'a Overlay>,
    steps: u32,
}

impl Picture<'_> {
    fn at(&self, x: u32, y: u32) -> [u8; 3] {
        let index = |width: u32| x as usize + y as usize * width as usize;
        let ink = (self.overlay.filter(|overlay| x < overlay.width && y < overlay.height))
            .and_then(|overlay| overlay.ink.get(index(overlay.width)))
            .filter(|ink| **ink != 0);
        if let Some(ink) = ink {
            return INKS[usize::from(*ink) % INKS.len()];
        }
        if x >= self.raster.width || y >= self.raster.height {
            return [0; 3];
        }
        let at = index(self.raster.width);
        let pixel = match &self.raster.pixels {
            Pixels::Grey(pixels) => pixels.get(at).map(|grey| [*grey; 3]),
            Pixels::Rgb(pixels) => pixels.as_chunks().0.get(at).copied(),
        };
        pixel.unwrap_or_default().map(|value| {
            let step = (u32::from(value) * self.steps + 127) / 255;
            ((step * 255 + self.steps / 2) / self.steps) as u8
        })
    }
}

fn colour(colours: Colours, [red, green, blue]: [u8; 3], x: u32, y: u32) -> Color {
    let is_grey = red == green && green == blue;
    match colours {
        Colours::True => Color::Rgb(red, green, blue),
        Colours::Palette256 if is_grey => Color::Indexed(dithered(&RAMP, red.into(), x, y)),
        Colours::Palette256 => {
            let level = |value: u8| (u16::from(value) * 5 + 127) / 255;
            Color::Indexed((16 + level(red) * 36 + level(green) * 6 + level(blue)) as u8)
        }
        Colours::Sixteen | Colours::None => sixteen([red, green, blue], x, y),
    }
}

fn weight(grey: u16, x: u32, y: u32) -> &'static str {
    let scaled = grey * (WEIGHTS.len() as u16 - 1);
    let (step, rest) = (scaled / 255, scaled % 255);
    let up = usize::from(rest * 16 > threshold(x, y) * 255 + 127);
    WEIGHTS.get(usize::from(step) + up).copied().unwrap_or("@")
}

fn threshold(x: u32, y: u32) -> u16 {
    DITHER[(y % 4) as usize][(x % 4) as usize]
}

/// One of the two levels around a grey, so that squares of pixels have it on average.
fn dithered<T: Copy>(levels: &[(u8, T)], grey: u16, x: u32, y: u32) -> T {
    let above = levels.partition_point(|(level, _)| u16::from(*level) < grey).min(levels.len() - 1);
    let below = above.saturating_sub(1);
    let (low, high) = (u16::from(levels[below].0), u16::from(levels[above].0));
    let up = low >= high || grey.saturating_sub(low) * 16 > threshold(x, y) * (high - low) + (high - low) / 2;
    levels[if up { above } else { below }].1
}

/// One of the sixteen colours with the same strong channels, as bright as the strongest of them.
fn sixteen([red, green, blue]: [u8; 3], x: u32, y: u32) -> Color {
    let (least, most) = (red.min(green).min(blue), red.max(green).max(blue));
    let (dark, bright) = match [red, green, blue].map(|value| value > most / 2) {
        [true, true, false] => (Color::Yellow, Color::LightYellow),
        [true, false, true] => (Color::Magenta, Color::LightMagenta),
        [true, false, false] => (Color::Red, Color::LightRed),
        [false, true, true] => (Color::Cyan, Color::LightCyan),
        [false, true, false] => (Color::Green, Color::LightGreen),
        [false, false, true] => (Color::Blue, Color::LightBlue),
        [true, true, true] | [false, false, false] => (Color::Gray, Color::White),
    };
    // JPEG leaves greys with a tint.
    if bright == Color::White || most - least <= GREY_SPREAD_MAX {
        return dithered(&SIXTEEN, luminance([red, green, blue]).into(), x, y);
    }
    dithered(&[(0, Color::Black), (DARK, dark), (255, bright)], most.into(), x, y)
}

/// Level and number of each grey: 16 and 231 end the cube, 59, 102, 145 and 188 are its diagonal, 232 to 255 the ramp.
const fn ramp() -> [(u8, u8); 30] {
    const CUBE: [(u8, u8); 4] = [(95, 59), (135, 102), (175, 145), (215, 188)];
    let mut all = [(0, 16); 30];
    let (mut at, mut grey, mut cube) = (1, 0, 0);
    while grey < 24 {
        let level = 8 + grey * 10;
        if cube < CUBE.len() && CUBE[cube].0 < level {
            all[at] = CUBE[cube];
            cube += 1;
        } else {
            all[at] = (level, 232 + grey);
            grey += 1;
        }
        at += 1;
    }
    all[at] = (255, 231);
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grey(width: u32, height: u32, pixels: Vec<u8>) -> Raster {
        Raster { width, height, pixels: Pixels::Grey(pixels) }
    }

    fn drawn(area: Rect, raster: &Raster, overlay: Option<&Overlay>, colours: Colours) -> Buffer {
        let mut buffer = Buffer::empty(area);
        draw(&mut buffer, area, raster, overlay, colours, Quality::EXACT);
        buffer
    }

    #[test]
    fn a_cell_is_two_pixels() {
        let buffer = drawn(Rect::new(0, 0, 2, 1), &grey(2, 2, vec![10, 77, 200, 77]), None, Colours::True);
        assert_eq!(buffer[(0, 0)].symbol(), "▀");
        assert_eq!((buffer[(0, 0)].fg, buffer[(0, 0)].bg), (Color::Rgb(10, 10, 10), Color::Rgb(200, 200, 200)));
        assert_eq!((buffer[(1, 0)].symbol(), buffer[(1, 0)].bg), (" ", Color::Rgb(77, 77, 77)));
    }

    #[test]
    fn ink_lies_above_and_what_the_raster_does_not_reach_is_black() {
        let overlay = Overlay { width: 1, height: 2, ink: vec![2, 0] };
        let buffer = drawn(Rect::new(3, 4, 2, 2), &grey(1, 2, vec![5, 6]), Some(&overlay), Colours::True);
        assert_eq!((buffer[(3, 4)].fg, buffer[(3, 4)].bg), (Color::Rgb(255, 214, 0), Color::Rgb(6, 6, 6)));
        assert_eq!(buffer[(4, 5)].bg, Color::Rgb(0, 0, 0));
    }

    #[test]
    fn an_area_beyond_the_buffer_is_cut() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 2, 1));
        let area = Rect::new(1, 0, 50, 50);
        draw(&mut buffer, area, &grey(0, 0, Vec::new()), None, Colours::True, Quality::EXACT);
        assert_eq!((buffer[(0, 0)].bg, buffer[(1, 0)].bg), (Color::Reset, Color::Rgb(0, 0, 0)));
    }

    #[test]
    fn the_ramp_of_256_colours_rises_and_has_no_doubles() {
        assert!(RAMP.is_sorted_by(|one, other| one.0 < other.0), "{RAMP:?}");
    }

    #[test]
    fn dithering_keeps_the_mean() {
        for value in [0, 1, 40, 64, 100, 127, 160, 200, 254, 255] {
            let buffer = drawn(Rect::new(0, 0, 8, 4), &grey(8, 8, vec![value; 64]), None, Colours::Sixteen);
            let level = |colour: Color| {
                SIXTEEN.iter().find(|(_, known)| *known == colour).map(|(level, _)| f64::from(*level)).unwrap()
            };
            let sum: f64 = (buffer.content.iter())
                .map(|cell| level(cell.bg) + level(if cell.symbol() == " " { cell.bg } else { cell.fg }))
                .sum();
            let mean = sum / 64.0;
            assert!((mean - f64::from(value)).abs() <= 5.0, "{value} became {mean}");
        }
    }

    #[test]
    fn with_sixteen_colours_a_tinted_pixel_is_as_bright_as_it_is() {
        let of = |pixel: [u8; 3]| {
            let raster = Raster { width: 8, height: 8, pixels: Pixels::Rgb(pixel.repeat(64)) };
            let buffer = drawn(Rect::new(0, 0, 8, 4), &raster, None, Colours::Sixteen);
            let lower = buffer.content.iter().map(|cell| cell.bg);
            let upper = buffer.content.iter().map(|cell| if cell.symbol() == " " { cell.bg } else { cell.fg });
            let mut all: Vec<_> = lower.chain(upper).collect();
            all.sort_by_key(|colour| colour.to_string());
            all.dedup();
            all
        };
        // Noise in the dark and in the grey of an ultrasound image, a flow towards and away from the probe, skin.
        for (pixel, colours) in [
            ([3, 2, 2], &[Color::Black][..]),
            ([2, 1, 1], &[Color::Black]),
            ([100, 96, 98], &[Color::Black, Color::DarkGray]),
            ([255, 250, 252], &[Color::Gray, Color::White]),
            ([30, 2, 2], &[Color::Black, Color::Red]),
            ([170, 0, 0], &[Color::Red]),
            ([0, 40, 200], &[Color::Blue, Color::LightBlue]),
            ([255, 0, 0], &[Color::LightRed]),
            ([90, 70, 60], &[Color::Black, Color::DarkGray]),
        ] {
            assert_eq!(of(pixel), colours, "{pixel:?}");
        }
    }

    #[test]
    fn without_colours_brighter_is_heavier() {
        let pixels: Vec<u8> = (0..2).flat_map(|_| (0..10).map(|step| step * 28)).collect();
        let buffer = drawn(Rect::new(0, 0, 10, 1), &grey(10, 2, pixels), None, Colours::None);
        let text: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text, " .:-=+*#%@");
        assert!(buffer.content.iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
        let white = drawn(Rect::new(0, 0, 1, 1), &grey(1, 2, vec![255; 2]), None, Colours::None);
        assert_eq!(white[(0, 0)].symbol(), "@");
    }

    #[test]
    fn a_draft_has_few_colours() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 256, 1));
        let pixels: Vec<u8> = (0..=255).chain(0..=255).collect();
        let quality = Quality { greys: 16, coarse: 1 };
        draw(&mut buffer, Rect::new(0, 0, 256, 1), &grey(256, 2, pixels), None, Colours::True, quality);
        let mut colours: Vec<Color> = buffer.content.iter().map(|cell| cell.bg).collect();
        colours.dedup();
        assert_eq!(colours.len(), 16);
    }

    proptest! {
        #[test]
        fn any_picture_in_any_area_is_drawn(
            width in 0_u32..6, height in 0_u32..6, area_width in 0_u16..6, area_height in 0_u16..6, ink in 0_u8..=255,
        ) {
            let area = Rect::new(0, 0, area_width, area_height);
            let raster = grey(width, height, vec![130; (width * height) as usize]);
            let overlay = Overlay { width: height, height: width, ink: vec![ink; (width * height) as usize] };
            for colours in [Colours::True, Colours::Palette256, Colours::Sixteen, Colours::None] {
                drawn(area, &raster, Some(&overlay), colours);
            }
        }
    }
}
