//! Uncompressed frames and RLE: cells of 1 to 32 bits to stored values (PS3.5 §8.1 and Annex G).

use std::borrow::Cow;

use super::description::{Description, Photometric};
use super::{PixelError, Values};

/// Most bytes that one byte of RLE can become: two bytes repeat one up to 128 times.
const RLE_RATIO_MAX: usize = 64;

/// Most segments of an RLE frame (PS3.5 §G.5).
const RLE_SEGMENTS_MAX: usize = 15;
const RLE_HEADER_BYTES: usize = 64;

/// How native pixel data stands in the file.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    pub(super) big_endian: bool,
    /// VR OW: 16-bit words even where cells are smaller, which matters in big endian only.
    pub(super) words: bool,
}

/// One frame, counted from 1, of native Pixel Data.
pub(super) fn frame(
    description: &Description,
    bytes: &[u8],
    frame: u32,
    stored: Stored,
) -> Result<(Values, Photometric), PixelError> {
    let cells = frame_cells(description, bytes, frame, stored)?;
    if half_colour(description) {
        let whole = match description.photometric {
            Photometric::YbrFull422 => Photometric::YbrFull,
            partial => partial,
        };
        return Ok((values_of_cells(description, &full_colour(&cells)), whole));
    }
    let cells = match description.by_plane {
        true => interleaved(&cells, description.frame_pixels()),
        false => cells,
    };
    Ok((values_of_cells(description, &cells), description.photometric))
}

/// The cells of one frame, with all their bits, in the order of the file.
pub(super) fn frame_cells(
    description: &Description,
    bytes: &[u8],
    frame: u32,
    stored: Stored,
) -> Result<Vec<u32>, PixelError> {
    let cells_in_file = match half_colour(description) {
        true => description.frame_pixels() * 2,
        false => description.frame_samples(),
    };
    // At most 2^27 samples of 32 bits and 10^6 frames: far below what 64 bits hold.
    let bits = cells_in_file as u64 * u64::from(description.bits_allocated);
    let first_bit = bits * u64::from(frame - 1);
    let swapped_words = stored.big_endian && stored.words && description.bits_allocated < 16;
    let (mut first_byte, mut needed) = (first_bit / 8, (first_bit + bits).div_ceil(8));
    if swapped_words {
        (first_byte, needed) = (first_byte / 2 * 2, needed.next_multiple_of(2));
    }
    if (bytes.len() as u64) < needed {
        return Err(PixelError::TooShort { needed, present: bytes.len() as u64 });
    }
    // Both bounds are inside `bytes`, whose length is a usize.
    let from = bytes.get(first_byte as usize..needed as usize).unwrap_or_default();
    let from = match swapped_words {
        true => Cow::Owned(from.chunks_exact(2).flat_map(|pair| [pair[1], pair[0]]).collect()),
        false => Cow::Borrowed(from),
    };
    let skipped_bits = (first_bit - first_byte * 8) as usize; // at most 15
    Ok(match (description.bits_allocated, stored.big_endian) {
        (8, _) => from.iter().skip(skipped_bits / 8).take(cells_in_file).map(|&byte| u32::from(byte)).collect(),
        (16, false) => from.chunks_exact(2).map(|b| u32::from(u16::from_le_bytes([b[0], b[1]]))).collect(),
        (16, true) => from.chunks_exact(2).map(|b| u32::from(u16::from_be_bytes([b[0], b[1]]))).collect(),
        (32, false) => from.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        (32, true) => from.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect(),
        (width, _) => packed_cells(&from, skipped_bits, width as usize, cells_in_file),
    })
}

/// Two pixels share a pair of colour differences.
fn half_colour(description: &Description) -> bool {
    let by_pairs = matches!(description.photometric, Photometric::YbrFull422 | Photometric::YbrPartial422);
    description.samples == 3 && by_pairs
}

/// One frame of Float or Double Float Pixel Data.
pub(super) fn float_frame(
    description: &Description,
    bytes: &[u8],
    frame: u32,
    stored: Stored,
) -> Result<Values, PixelError> {
    let width = description.bits_allocated as usize / 8;
    let frame_bytes = description.frame_samples() * width;
    // Frames and frame bytes are limited, so the product fits 64 bits.
    let start = frame_bytes as u64 * u64::from(frame - 1);
    let needed = start + frame_bytes as u64;
    if (bytes.len() as u64) < needed {
        return Err(PixelError::TooShort { needed, present: bytes.len() as u64 });
    }
    let from = bytes.get(start as usize..needed as usize).unwrap_or_default();
    Ok(match width {
        4 => Values::F32(
            from.chunks_exact(4)
                .map(|b| [b[0], b[1], b[2], b[3]])
                .map(|b| if stored.big_endian { f32::from_be_bytes(b) } else { f32::from_le_bytes(b) })
                .collect(),
        ),
        _ => Values::F64(
            from.chunks_exact(8)
                .filter_map(|b| b.first_chunk::<8>().copied())
                .map(|b| if stored.big_endian { f64::from_be_bytes(b) } else { f64::from_le_bytes(b) })
                .collect(),
        ),
    })
}

/// Cells that follow each other without gaps, lowest bit first (PS3.5 §8.1.1).
fn packed_cells(bytes: &[u8], first_bit: usize, width: usize, count: usize) -> Vec<u32> {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| u32::from(byte >> (at % 8) & 1));
    (0..count)
        .map(|cell| {
            let start = first_bit + cell * width;
            (0..width).fold(0, |value, i| value | bit(start + i) << i)
        })
        .collect()
}

/// Y1 Y2 Cb Cr to Y Cb Cr, Y Cb Cr.
fn full_colour(cells: &[u32]) -> Vec<u32> {
    cells.chunks_exact(4).flat_map(|c| [c[0], c[2], c[3], c[1], c[2], c[3]]).collect()
}

/// Planes one after the other to samples pixel by pixel.
pub(super) fn interleaved(planes: &[u32], pixels: usize) -> Vec<u32> {
    let (first, rest) = planes.split_at(pixels.min(planes.len()));
    let (second, third) = rest.split_at(pixels.min(rest.len()));
    first.iter().zip(second).zip(third).flat_map(|((&a, &b), &c)| [a, b, c]).collect()
}

/// Takes the stored bits out of cells, and extends their sign.
pub(super) fn values_of_cells(description: &Description, cells: &[u32]) -> Values {
    let shift = description.high_bit + 1 - description.bits_stored;
    values_of_bits(cells.iter().map(|cell| cell >> shift), description.bits_stored, description.signed)
}

/// Values of the lowest `bits` (1 to 32) of each number.
pub(super) fn values_of_bits(cells: impl Iterator<Item = u32>, bits: u32, signed: bool) -> Values {
    let unused = 32 - bits;
    match signed {
        true => Values::I32(cells.map(|cell| ((cell << unused) as i32) >> unused).collect()),
        false if bits == 32 => Values::U32(cells.collect()),
        false => Values::I32(cells.map(|cell| ((cell << unused) >> unused) as i32).collect()),
    }
}

/// Decodes an RLE frame into cells, samples pixel by pixel.
pub(super) fn rle_cells(description: &Description, bytes: &[u8]) -> Result<Vec<u32>, &'static str> {
    let pixels = description.frame_pixels();
    let cell_bytes = match description.bits_allocated {
        8 | 16 | 32 => description.bits_allocated as usize / 8,
        _ => return Err("RLE of cells that are not of 8, 16 or 32 bits"),
    };
    let header = bytes.get(..RLE_HEADER_BYTES).ok_or("its RLE header is cut off")?;
    let word = |i: usize| {
        let word = header.get(i * 4..i * 4 + 4).and_then(|b| b.first_chunk().copied());
        word.and_then(|b| usize::try_from(u32::from_le_bytes(b)).ok()).unwrap_or(usize::MAX)
    };
    let segments = description.samples as usize * cell_bytes;
    if word(0) != segments || segments > RLE_SEGMENTS_MAX {
        return Err("the number of RLE segments does not fit the image");
    }
    if bytes.len().saturating_mul(RLE_RATIO_MAX) < pixels * segments {
        return Err("the RLE data is too short for the image");
    }
    let samples = description.samples as usize;
    let mut cells = vec![0u32; pixels * samples];
    for segment in 0..segments {
        let start = word(segment + 1);
        let end = if segment + 1 < segments { word(segment + 2) } else { bytes.len() };
        let packed =
            bytes.get(start..end).filter(|_| start >= RLE_HEADER_BYTES).ok_or("an RLE segment lies outside")?;
        let plain = unpack_bits(packed, pixels).ok_or("an RLE segment is too short")?;
        // Segments go from the most significant byte of the first sample on (PS3.5 §G.2).
        let sample = segment / cell_bytes;
        for (cell, &byte) in cells.iter_mut().skip(sample).step_by(samples).zip(&plain) {
            *cell = *cell << 8 | u32::from(byte);
        }
    }
    Ok(cells)
}

fn unpack_bits(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(length);
    let mut rest = packed;
    while plain.len() < length {
        let (&control, after) = rest.split_first()?;
        match control {
            0..=127 => {
                let count = usize::from(control) + 1;
                // Some writers let the last run overshoot the end.
                let literal = after.get(..count.min(after.len()))?;
                plain.extend_from_slice(literal.get(..(length - plain.len()).min(literal.len()))?);
                rest = after.get(literal.len()..)?;
            }
            128 => rest = after,
            129..=255 => {
                let (&value, after) = after.split_first()?;
                let count = (257 - usize::from(control)).min(length - plain.len());
                plain.resize(plain.len() + count, value);
                rest = after;
            }
        }
    }
    Some(plain)
}
