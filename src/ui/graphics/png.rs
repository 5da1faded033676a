//! Pictures as PNG, compressed as fast as can be: the line to the terminal is short, the reader's patience too.

use std::borrow::Cow;

use ::png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

use crate::view::raster::{INKS, Pixels, Raster};

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

/// Ink with nothing around it.
pub fn ink(ink: &[u8], (width, height): (u32, u32)) -> Vec<u8> {
    let packed = in_half_bytes(ink.iter().map(|ink| ink % INKS.len() as u8), width as usize);
    written(|out| {
        let mut encoder = encoder(out, (width, height), ColorType::Indexed, BitDepth::Four);
        encoder.0.set_palette(INKS.concat());
        encoder.0.set_trns(vec![0]);
        encoder.write(&packed)
    })
}

fn grey(pixels: &[u8], size: (u32, u32), greys: u16) -> Vec<u8> {
    if greys >= GREYS_ALL {
        return written(|out| encoder(out, size, ColorType::Grayscale, BitDepth::Eight).write(pixels));
    }
    let steps = u32::from(greys.max(2)) - 1;
    let step: [u8; 256] = std::array::from_fn(|value| ((value as u32 * steps + 127) / 255) as u8);
    let stepped = pixels.iter().map(|value| step[usize::from(*value)]);
    written(|out| {
        let palette = (0..=steps).flat_map(|step| [((step * 255 + steps / 2) / steps) as u8; 3]).collect::<Vec<u8>>();
        let few = greys <= GREYS_HALF_BYTE;
        let depth = if few { BitDepth::Four } else { BitDepth::Eight };
        let mut encoder = encoder(out, size, ColorType::Indexed, depth);
        encoder.0.set_palette(palette);
        let data = if few { in_half_bytes(stepped, size.0 as usize) } else { stepped.collect() };
        encoder.write(&data)
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

/// Two values a byte; each row begins with a new byte.
fn in_half_bytes(values: impl Iterator<Item = u8>, width: usize) -> Vec<u8> {
    let mut packed = Vec::with_capacity(values.size_hint().0 / 2 + 1);
    let mut column = 0;
    for value in values {
        match packed.last_mut() {
            Some(byte) if column % 2 == 1 => *byte |= value,
            _ => packed.push(value << 4),
        }
        column = if column + 1 == width { 0 } else { column + 1 };
    }
    packed
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
        fn ink_comes_back_with_nothing_around_it(inks in proptest::collection::vec(0_u8..16, 21)) {
            let (_, _, shown) = decoded(&ink(&inks, (7, 3)));
            for (number, [red, green, blue, alpha]) in inks.into_iter().zip(shown) {
                prop_assert_eq!(alpha, if number == 0 { 0 } else { 255 });
                prop_assert!(number == 0 || [red, green, blue] == INKS[usize::from(number)]);
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
