//! Pictures as PNG, compressed as fast as can be: the line to the terminal is short, the reader's patience too.

use std::borrow::Cow;

use ::png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

use crate::view::raster::{INKS, Overlay, Pixels, Raster};

use super::quality::Quality;

/// Greys from which on nothing is gained by a palette.
const GREYS_ALL: u16 = 256;

/// Greys that fit half a byte.
const GREYS_HALF_BYTE: u16 = 16;

/// A picture, with black to the right and below up to the size given, in so many greys.
pub fn picture(raster: &Raster, (width, height): (u32, u32), quality: Quality) -> Vec<u8> {
    match &raster.pixels {
        Pixels::Grey(pixels) => {
            let padded = padded(pixels, raster.width as usize, width as usize, height as usize);
            grey(&padded, (width, height), quality.greys)
        }
        Pixels::Rgb(pixels) => {
            let padded = padded(pixels, raster.width as usize * 3, width as usize * 3, height as usize);
            written(|out| encoder(out, (width, height), ColorType::Rgb, BitDepth::Eight).write(&padded))
        }
    }
}

/// A picture of numbers of colours.
pub fn indexed(numbers: &[u8], size: (u32, u32), colours: &[[u8; 3]]) -> Vec<u8> {
    written(|out| {
        let mut encoder = encoder(out, size, ColorType::Indexed, BitDepth::Eight);
        encoder.0.set_palette(colours.concat());
        encoder.write(numbers)
    })
}

/// The part of an overlay that has ink, and where it lies.
pub struct Ink {
    pub png: Vec<u8>,
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// Ink with nothing around it, within so many pixels; none without ink.
pub fn ink(overlay: &Overlay, (width, height): (u32, u32)) -> Option<Ink> {
    let seen = overlay.width.min(width) as usize;
    let rows = || {
        let rows = overlay.ink.chunks_exact((overlay.width as usize).max(1)).take(height as usize);
        rows.map(|row| &row[..seen])
    };
    // All bits together first: that is done many pixels at a time.
    let has_ink = |row: &[u8]| row.iter().fold(0, |all, ink| all | ink) != 0;
    let (mut top, mut bottom, mut left, mut right) = (None, 0, seen, 0);
    for (y, row) in rows().enumerate().filter(|(_, row)| has_ink(row)) {
        top = top.or(Some(y));
        bottom = y + 1;
        left = left.min(row.iter().position(|ink| *ink != 0).unwrap_or(seen));
        right = right.max(row.iter().rposition(|ink| *ink != 0).map_or(0, |last| last + 1));
    }
    let top = top?;
    let mut packed = Vec::with_capacity((right - left).div_ceil(2) * (bottom - top));
    rows().take(bottom).skip(top).for_each(|row| in_half_bytes(&mut packed, &row[left..right]));
    let [x, y, width, height] = [left, top, right - left, bottom - top].map(|px| px as u32);
    let png = written(|out| {
        let mut encoder = encoder(out, (width, height), ColorType::Indexed, BitDepth::Four);
        encoder.0.set_palette(INKS.concat());
        encoder.0.set_trns(vec![0]);
        encoder.write(&packed)
    });
    Some(Ink { png, x, y, width, height })
}

fn grey(pixels: &[u8], size: (u32, u32), greys: u16) -> Vec<u8> {
    if greys >= GREYS_ALL {
        return written(|out| encoder(out, size, ColorType::Grayscale, BitDepth::Eight).write(pixels));
    }
    let steps = u32::from(greys.max(2)) - 1;
    let step: [u8; 256] = std::array::from_fn(|value| ((value as u32 * steps + 127) / 255) as u8);
    let stepped: Vec<u8> = pixels.iter().map(|value| step[usize::from(*value)]).collect();
    written(|out| {
        let palette = (0..=steps).flat_map(|step| [((step * 255 + steps / 2) / steps) as u8; 3]).collect::<Vec<u8>>();
        let few = greys <= GREYS_HALF_BYTE;
        let depth = if few { BitDepth::Four } else { BitDepth::Eight };
        let mut encoder = encoder(out, size, ColorType::Indexed, depth);
        encoder.0.set_palette(palette);
        if !few {
            return encoder.write(&stepped);
        }
        let mut packed = Vec::with_capacity(stepped.len() / 2 + size.1 as usize);
        stepped.chunks_exact(size.0 as usize).for_each(|row| in_half_bytes(&mut packed, row));
        encoder.write(&packed)
    })
}

/// Rows of `from` bytes in rows of `width` bytes, and rows of zeros below.
fn padded(pixels: &[u8], from: usize, width: usize, height: usize) -> Cow<'_, [u8]> {
    if from == width && pixels.len() == width * height {
        return Cow::Borrowed(pixels);
    }
    let mut padded = vec![0; width * height];
    if from > 0 && width > 0 {
        let both = from.min(width);
        for (row, source) in padded.chunks_exact_mut(width).zip(pixels.chunks_exact(from)) {
            row[..both].copy_from_slice(&source[..both]);
        }
    }
    Cow::Owned(padded)
}

/// Appends a row of values below 16, two a byte.
fn in_half_bytes(packed: &mut Vec<u8>, row: &[u8]) {
    let (pairs, last) = row.as_chunks::<2>();
    packed.extend(pairs.iter().map(|[left, right]| left << 4 | right & 0xf));
    packed.extend(last.iter().map(|value| value << 4));
}

struct InMemory<'a>(Encoder<'a, &'a mut Vec<u8>>);

fn encoder(out: &mut Vec<u8>, (width, height): (u32, u32), colour: ColorType, depth: BitDepth) -> InMemory<'_> {
    let mut encoder = Encoder::new(out, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    encoder.set_compression(Compression::Fastest);
    InMemory(encoder)
}

impl InMemory<'_> {
    fn write(self, data: &[u8]) -> Result<(), EncodingError> {
        self.0.write_header()?.write_image_data(data)
    }
}

/// What was written; nothing if it cannot be (no size, or more bytes than PNG can count).
fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodingError>) -> Vec<u8> {
    let mut out = Vec::new();
    if write(&mut out).is_err() {
        out.clear();
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Red, green, blue and opacity of each pixel.
    pub fn decoded(png: &[u8]) -> (u32, u32, Vec<[u8; 4]>) {
        let mut decoder = ::png::Decoder::new(std::io::Cursor::new(png));
        decoder.set_transformations(::png::Transformations::EXPAND | ::png::Transformations::ALPHA);
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        bytes.truncate(info.buffer_size());
        let pixels = match info.color_type {
            ColorType::GrayscaleAlpha => {
                bytes.as_chunks::<2>().0.iter().map(|[grey, alpha]| [*grey, *grey, *grey, *alpha]).collect()
            }
            _ => bytes.as_chunks::<4>().0.to_vec(),
        };
        (info.width, info.height, pixels)
    }

    fn raster(width: u32, pixels: Vec<u8>) -> Raster {
        Raster { width, height: pixels.len() as u32 / width, pixels: Pixels::Grey(pixels) }
    }

    proptest! {
        #[test]
        fn the_exact_picture_comes_back_with_black_around_it(
            (width, pixels) in (1_u32..20).prop_flat_map(|width| {
                (Just(width), proptest::collection::vec(any::<u8>(), (width * 7) as usize))
            }),
            right in 0_u32..5,
            below in 0_u32..5,
        ) {
            let png = picture(&raster(width, pixels.clone()), (width + right, 7 + below), Quality::EXACT);
            let (shown_width, shown_height, shown) = decoded(&png);
            prop_assert_eq!((shown_width, shown_height), (width + right, 7 + below));
            for (at, pixel) in shown.into_iter().enumerate() {
                let (x, y) = (at as u32 % shown_width, at as u32 / shown_width);
                let value = if x < width && y < 7 { pixels[(y * width + x) as usize] } else { 0 };
                prop_assert_eq!(pixel, [value, value, value, 255]);
            }
        }

        #[test]
        fn fewer_greys_are_the_nearest_of_equal_steps(greys in 2_u16..256, values in any::<[u8; 15]>()) {
            let png = picture(&raster(5, values.to_vec()), (5, 3), Quality { greys, coarse: 1 });
            let (_, _, shown) = decoded(&png);
            for (value, [shown, ..]) in values.into_iter().zip(shown) {
                let half_step = 255.0 / f64::from(greys - 1) / 2.0 + 1.0;
                prop_assert!((f64::from(value) - f64::from(shown)).abs() <= half_step);
            }
        }

        #[test]
        fn ink_comes_back_where_it_was(inks in proptest::collection::vec(prop_oneof![Just(0), 0_u8..16], 21)) {
            let overlay = Overlay { width: 7, height: 3, ink: inks.clone() };
            let ink = ink(&overlay, (6, 9));
            let shown = ink.as_ref().map(|ink| decoded(&ink.png).2);
            for (at, number) in inks.into_iter().enumerate() {
                let (x, y) = (at as u32 % 7, at as u32 / 7);
                let pixel = ink.as_ref().zip(shown.as_ref()).and_then(|(ink, shown)| {
                    let (x, y) = (x.checked_sub(ink.x)?, y.checked_sub(ink.y)?);
                    (x < ink.width && y < ink.height).then(|| shown[(y * ink.width + x) as usize])
                });
                match pixel {
                    Some([red, green, blue, 255]) => prop_assert_eq!([red, green, blue], INKS[usize::from(number)]),
                    Some([.., opacity]) => prop_assert_eq!((opacity, number), (0, 0)),
                    None => prop_assert!(number == 0 || x == 6),
                }
            }
        }
    }

    #[test]
    fn colours_come_back() {
        let raster = Raster { width: 2, height: 1, pixels: Pixels::Rgb(vec![1, 2, 3, 4, 5, 6]) };
        let (_, _, shown) = decoded(&picture(&raster, (2, 1), Quality::EXACT));
        assert_eq!(shown, [[1, 2, 3, 255], [4, 5, 6, 255]]);
    }

    #[test]
    fn a_picture_without_pixels_is_no_png() {
        let raster = Raster { width: 0, height: 0, pixels: Pixels::Grey(Vec::new()) };
        assert_eq!(picture(&raster, (0, 0), Quality::EXACT), b"");
    }
}
