//! Masks: rectangles over burned-in text, overwritten with black in every frame of an image.
//!
//! The Clean Pixel Data Option (PS3.15 E.3.1) as its notes want it: every frame is decoded, the rectangles are
//! overwritten in each, and the file is written anew with native pixel data, so that nothing of what was there is left
//! in a codestream, a fragment, an offset table or an unused bit. Pixels outside the rectangles stay exactly what they
//! were, or what the codec made of them. It takes a cleaned file and gives one; who has looked, and that
//! (0028,0301) Burned In Annotation is NO now, is the business of whoever lets it out.
//!
//! Three decisions:
//! - **Black** is what the image shows darkest ([`blacks`]): the padding value where it is at least as dark as all
//!   pixels, else the end of the stored range, and that is declared as padding (0028,0120) if nothing outside the
//!   rectangles has it. Otherwise one mask in a CT of 16 signed bits would put -32768 into the range by which a window
//!   is chosen, and into every mean.
//! - **The SOP Instance UID stays.** PS3.3 C.7.6.1.1.2 wants a new one where the difference "is expected to affect
//!   professional interpretation"; a mask over text is none, and the unmasked instance was never given away: images
//!   that a case names are refused before they come here.
//! - **Image Type** value 1 becomes DERIVED, and Derivation Description (0008,2111) says why, as C.12.4.1.1 has it for
//!   a derived image under its source's UID; not in enhanced images, whose frames say themselves that they
//!   were reconstructed from the original data (C.8.16.1.1), which stays true. No code of CID 7203 is a mask, so
//!   (0008,9215) is left alone: 113101 says how it was de-identified, not how it was derived.
//!
//! Start with [`mask`].

use std::sync::atomic::{AtomicBool, Ordering};

use dicom_core::header::Header;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use minicbor::{Decode, Encode};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::deidentify::earn_clean_pixel_data;
use super::part10::{Part10, PixelElement, Syntax};
use super::pixels::attributes::{text, words};
use super::pixels::{Description, Frame, Image, Photometric, PixelError, Values};

/// Most rectangles of a mask.
pub const RECTANGLES_MAX: usize = 64;

/// Longest pixel data once it is decoded and masked, in bytes.
pub const MASKED_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What (0008,2111) says of a masked image, and its longest value (PS3.5 §6.2, ST), in characters.
const DERIVATION: &str = "burned-in text overwritten with black rectangles";
const DERIVATION_CHARS_MAX: usize = 1024;

/// A rectangle of an image in pixels; (0,0) is the top left one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct Rectangle {
    #[n(0)]
    pub column: u32,
    #[n(1)]
    pub row: u32,
    #[n(2)]
    pub columns: u32,
    #[n(3)]
    pub rows: u32,
}

impl std::fmt::Display for Rectangle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{},{},{}", self.column, self.row, self.columns, self.rows)
    }
}

impl Rectangle {
    /// The part that lies over an image of this size; none if there is none.
    pub fn clipped(self, columns: u32, rows: u32) -> Option<Self> {
        let within = |start: u32, length: u32, end: u32| length.min(end.saturating_sub(start));
        let columns = within(self.column, self.columns, columns);
        let rows = within(self.row, self.rows, rows);
        (columns > 0 && rows > 0).then_some(Self { columns, rows, ..self })
    }
}

/// The rectangles of a mask as they lie over an image of this size.
///
/// # Errors
/// Without any, with more than [`RECTANGLES_MAX`], or with one that covers no pixel: whoever drew it thinks that
/// something is covered.
pub fn clipped(rectangles: &[Rectangle], columns: u32, rows: u32) -> Result<Vec<Rectangle>, MaskError> {
    if rectangles.is_empty() {
        return Err(MaskError::NoRectangle);
    }
    if rectangles.len() > RECTANGLES_MAX {
        return Err(MaskError::TooManyRectangles(rectangles.len()));
    }
    let clip =
        |rectangle: &Rectangle| rectangle.clipped(columns, rows).ok_or(MaskError::Outside(*rectangle, columns, rows));
    rectangles.iter().map(clip).collect()
}

/// Masks a cleaned file: every frame decoded, the rectangles black in each, all of it in Explicit VR Little Endian.
/// `is_stopped` is asked between frames.
///
/// # Errors
/// If a rectangle covers no pixel, a frame cannot be decoded or shown as black, or the decoded pixel data would be
/// longer than [`MASKED_BYTES_MAX`].
pub fn mask(
    file: &[u8],
    rectangles: &[Rectangle],
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Part10<'static>, MaskError> {
    let image = Image::read(file)?;
    let description = image.description();
    let rectangles = clipped(rectangles, description.columns, description.rows)?;
    if image.pixel_data().is_none_or(|(_, tag, ..)| tag != tags::PIXEL_DATA) {
        return Err(MaskError::Float);
    }
    // Before anything is decoded; what becomes of colours changes none of the sizes.
    let cell_bytes = cell_bytes(description.bits_allocated);
    let frame_bytes = description.frame_samples() as u64 * u64::from(cell_bytes);
    let bytes = frame_bytes.saturating_mul(u64::from(description.frames));
    let length = usize::try_from(bytes).ok().filter(|_| bytes <= MASKED_BYTES_MAX).ok_or(MaskError::TooLong(bytes))?;
    let frame_bytes = length / description.frames.max(1) as usize;

    let mut form = Form::of(&image, &image.frame(1)?)?;
    let mut pixels = vec![0; length];
    let stopped = AtomicBool::new(false);
    let facts = pixels
        .par_chunks_mut(frame_bytes)
        .enumerate()
        .map(|(index, out)| {
            if stopped.load(Ordering::Relaxed) || is_stopped() {
                stopped.store(true, Ordering::Relaxed);
                return Err(MaskError::Stopped);
            }
            // At most FRAMES_MAX.
            let frame = image.frame(index as u32 + 1)?;
            form.write(&frame, out)?;
            form.facts(&frame, &rectangles)
        })
        .collect::<Result<Vec<_>, _>>()?;
    form.widen(&facts)?;
    let (blacks, padding) = form.blacks(&facts);
    for (frame, black) in pixels.chunks_exact_mut(frame_bytes).zip(blacks) {
        form.fill(frame, &rectangles, &black);
    }
    let pixels = if form.bits_allocated == 1 { packed_bits(&pixels) } else { pixels };
    let header = form.header(&image, padding);
    Ok(Part10 { syntax: Syntax::of(uids::EXPLICIT_VR_LITTLE_ENDIAN), header, pixel: Some(form.element(pixels)) })
}

/// Bytes of a cell while frames are masked; single bits are packed at the end.
fn cell_bytes(bits_allocated: u32) -> u8 {
    match bits_allocated {
        ..=8 => 1,
        9..=16 => 2,
        _ => 4,
    }
}

/// How the masked pixel data is written.
struct Form {
    description: Description,
    photometric: Photometric,
    /// Frames are YBR of which nothing exact is left to keep, and are written as what they show.
    to_rgb: bool,
    bits_allocated: u32,
    bits_stored: u32,
    cell_bytes: u8,
    /// Lowest and highest value that the stored bits can hold.
    lowest: i64,
    highest: i64,
}

/// What one frame says of black.
struct FrameFacts {
    /// Of a grey frame: whether low values are dark.
    low_is_dark: bool,
    /// The lowest and highest stored value outside the rectangles, if there is a pixel.
    outside: Option<(i64, i64)>,
    padding: Option<(i64, i64)>,
    /// Of a frame with a palette: the darkest index.
    darkest_index: Option<i64>,
}

impl Form {
    fn of(image: &Image<'_>, first: &Frame) -> Result<Self, MaskError> {
        let description = first.description.clone();
        let (syntax, _, _, is_compressed) = image.pixel_data().ok_or(PixelError::NoPixelData)?;
        let is_lossy_jpeg = is_compressed && image.lossy() && JPEG_DCT.contains(&syntax);
        let coded = first.photometric();
        let (photometric, to_rgb) = match coded {
            // Of every frame the codec gives each pixel its own colour differences.
            Photometric::YbrFull | Photometric::YbrFull422 if !is_lossy_jpeg || description.bits_stored != 8 => {
                (Photometric::YbrFull, false)
            }
            Photometric::YbrFull
            | Photometric::YbrFull422
            | Photometric::YbrPartial420
            | Photometric::YbrPartial422 => (Photometric::Rgb, true),
            Photometric::YbrIct | Photometric::YbrRct | Photometric::Xyb => return Err(MaskError::Colour(coded)),
            plain => (plain, false),
        };
        if to_rgb && description.bits_stored != 8 {
            return Err(MaskError::Colour(coded));
        }
        let bits_allocated = match description.bits_allocated {
            1 => 1,
            bits => u32::from(cell_bytes(bits)) * 8,
        };
        let bits_stored = description.bits_stored;
        let (lowest, highest) = range_of(bits_stored, description.signed);
        let cell_bytes = cell_bytes(description.bits_allocated);
        if photometric == Photometric::PaletteColor && bits_stored > PALETTE_BITS_MAX {
            return Err(MaskError::Palette);
        }
        Ok(Self { description, photometric, to_rgb, bits_allocated, bits_stored, cell_bytes, lowest, highest })
    }

    /// A lossy codestream may overshoot the stored bits: 4105 in 12 bits must not become 9.
    fn widen(&mut self, facts: &[FrameFacts]) -> Result<(), MaskError> {
        if self.to_rgb {
            return Ok(());
        }
        let signed = self.description.signed;
        let outside = facts.iter().filter_map(|facts| facts.outside).reduce(wider);
        let fits = |bits: u32| {
            let (lowest, highest) = range_of(bits, signed);
            outside.is_none_or(|(low, high)| low >= lowest && high <= highest)
        };
        let bits = (self.bits_stored..=self.bits_allocated).find(|bits| fits(*bits)).ok_or(MaskError::TooWide)?;
        (self.lowest, self.highest) = range_of(bits, signed);
        self.bits_stored = bits;
        Ok(())
    }

    /// Writes the cells of a frame, little endian, samples pixel by pixel. Bits above those stored repeat the sign of
    /// signed values and are 0 otherwise, so that an old overlay in them is gone.
    fn write(&self, frame: &Frame, out: &mut [u8]) -> Result<(), MaskError> {
        if self.to_rgb {
            let rgb = frame.rgb_of_ybr().ok_or(MaskError::Colour(frame.photometric()))?;
            out.iter_mut().zip(rgb).for_each(|(out, sample)| *out = sample);
            return Ok(());
        }
        let width = usize::from(self.cell_bytes);
        match &frame.values {
            Values::I32(values) => {
                for (out, value) in out.chunks_exact_mut(width).zip(values) {
                    out.iter_mut().zip(value.to_le_bytes()).for_each(|(out, byte)| *out = byte);
                }
            }
            Values::U32(values) => {
                for (out, value) in out.chunks_exact_mut(width).zip(values) {
                    out.iter_mut().zip(value.to_le_bytes()).for_each(|(out, byte)| *out = byte);
                }
            }
            Values::F32(_) | Values::F64(_) => return Err(MaskError::Float),
        }
        Ok(())
    }

    fn facts(&self, frame: &Frame, rectangles: &[Rectangle]) -> Result<FrameFacts, MaskError> {
        let is_grey = self.photometric.is_grey();
        let darkest_index = match self.photometric {
            Photometric::PaletteColor => {
                Some(frame.darkest_index(self.lowest, self.highest).ok_or(MaskError::Palette)?)
            }
            _ => None,
        };
        let whole = |(low, high): (f64, f64)| (low as i64, high as i64);
        Ok(FrameFacts {
            low_is_dark: !is_grey || frame.lower_is_darker(self.lowest as f64, self.highest as f64),
            outside: self.outside(frame, rectangles),
            padding: frame.padding().filter(|_| is_grey).map(whole),
            darkest_index,
        })
    }

    /// The lowest and highest value outside the rectangles.
    fn outside(&self, frame: &Frame, rectangles: &[Rectangle]) -> Option<(i64, i64)> {
        let (columns, samples) = (self.description.columns, self.description.samples as usize);
        let mut range: Option<(i64, i64)> = None;
        for row in 0..self.description.rows {
            let over: Vec<_> = rectangles.iter().filter(|r| (r.row..r.row + r.rows).contains(&row)).collect();
            let start = row as usize * columns as usize;
            for column in 0..columns {
                if over.iter().any(|r| (r.column..r.column + r.columns).contains(&column)) {
                    continue;
                }
                let pixel = (start + column as usize) * samples;
                for value in (pixel..pixel + samples).filter_map(|at| whole_at(&frame.values, at)) {
                    range = Some(range.map_or((value, value), |range| wider(range, (value, value))));
                }
            }
        }
        range
    }

    /// The samples of a black pixel, frame by frame, and the value that is to be declared as padding.
    fn blacks(&self, facts: &[FrameFacts]) -> (Vec<Vec<i64>>, Option<i64>) {
        if !self.photometric.is_grey() {
            let middle = 1_i64 << (self.bits_stored - 1);
            let black = |facts: &FrameFacts| match (self.photometric, facts.darkest_index) {
                (Photometric::PaletteColor, index) => vec![index.unwrap_or(self.lowest)],
                // PS3.3 C.7.6.3.1.2: no colour difference is the middle of the range.
                (Photometric::YbrFull, _) => vec![0, middle, middle],
                _ => vec![0; self.description.samples as usize],
            };
            return (facts.iter().map(black).collect(), None);
        }
        let low_is_dark = facts.first().is_none_or(|facts| facts.low_is_dark);
        let end = |low_is_dark: bool| if low_is_dark { self.lowest } else { self.highest };
        if facts.iter().any(|facts| facts.low_is_dark != low_is_dark) {
            return (facts.iter().map(|facts| vec![end(facts.low_is_dark)]).collect(), None);
        }
        let outside = facts.iter().filter_map(|facts| facts.outside);
        let outside = outside.reduce(wider);
        let is_darkest = |value: i64| outside.is_none_or(|(l, h)| if low_is_dark { value <= l } else { value >= h });
        let padding = facts.first().and_then(|facts| facts.padding);
        let padding = padding.map(|(low, high)| if low_is_dark { low } else { high });
        let padding = padding.map(|value| value.clamp(self.lowest, self.highest));
        let (black, declared) = match padding {
            Some(value) if is_darkest(value) => (value, None),
            Some(_) => (end(low_is_dark), None),
            None => {
                let black = end(low_is_dark);
                let is_free = outside.is_some_and(|(low, high)| black != low && black != high);
                // (0028,0120) has 16 bits.
                (black, Some(black).filter(|_| is_free && self.bits_allocated <= 16))
            }
        };
        (vec![vec![black]; facts.len()], declared)
    }

    fn fill(&self, frame: &mut [u8], rectangles: &[Rectangle], black: &[i64]) {
        let width = usize::from(self.cell_bytes);
        let pixel: Vec<u8> = black.iter().flat_map(|sample| sample.to_le_bytes().into_iter().take(width)).collect();
        let row_bytes = self.description.columns as usize * pixel.len();
        for rectangle in rectangles {
            let (column, columns) = (rectangle.column as usize, rectangle.columns as usize);
            let rows = frame.chunks_exact_mut(row_bytes).skip(rectangle.row as usize).take(rectangle.rows as usize);
            for row in rows {
                for out in row.chunks_exact_mut(pixel.len()).skip(column).take(columns) {
                    out.copy_from_slice(&pixel);
                }
            }
        }
    }

    /// The header that goes with the masked pixel data.
    fn header(&self, image: &Image<'_>, padding: Option<i64>) -> InMemDicomObject {
        let mut header = image.header().clone();
        let description = &self.description;
        for tag in UNTRUE_NOW {
            header.remove_element(tag);
        }
        header.retain(|element| {
            let tag = element.tag();
            !((0x6000..=0x60ff).contains(&tag.group()) && image.header().get(Tag(tag.group(), 0x3000)).is_none())
        });
        let short = |tag, number: u32| {
            DataElement::new(tag, VR::US, PrimitiveValue::from(u16::try_from(number).unwrap_or(u16::MAX)))
        };
        header.put(short(tags::SAMPLES_PER_PIXEL, description.samples));
        header.put_str(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, self.photometric.as_str());
        if description.samples > 1 {
            header.put(short(tags::PLANAR_CONFIGURATION, 0));
        }
        header.put(short(tags::BITS_ALLOCATED, self.bits_allocated));
        header.put(short(tags::BITS_STORED, self.bits_stored));
        header.put(short(tags::HIGH_BIT, self.bits_stored - 1));
        header.put(short(tags::PIXEL_REPRESENTATION, u32::from(description.signed)));
        if description.frames > 1 || header.get(tags::NUMBER_OF_FRAMES).is_some() {
            header.put_str(tags::NUMBER_OF_FRAMES, VR::IS, description.frames.to_string());
        }
        if let Some(value) = padding {
            let element = match description.signed {
                true => i16::try_from(value).ok().map(|value| (VR::SS, PrimitiveValue::from(value))),
                false => u16::try_from(value).ok().map(|value| (VR::US, PrimitiveValue::from(value))),
            };
            header.extend(element.map(|(vr, value)| DataElement::new(tags::PIXEL_PADDING_VALUE, vr, value)));
        }
        self.say_lossy(image, &mut header);
        say_derived(&mut header);
        earn_clean_pixel_data(&mut header);
        header
    }

    /// What was lossy stays so, also where only the transfer syntax said it (PS3.3 C.7.6.1.1.5).
    fn say_lossy(&self, image: &Image<'_>, header: &mut InMemDicomObject) {
        if !image.lossy() || text(header, tags::LOSSY_IMAGE_COMPRESSION).as_deref() == Some("01") {
            return;
        }
        header.put_str(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "01");
        let Some((syntax, _, bytes, true)) = image.pixel_data() else { return };
        let method = if JPEG_DCT.contains(&syntax) { "ISO_10918_1" } else { "ISO_14495_1" };
        let d = &self.description;
        let plain = d.frame_samples() as f64 * f64::from(d.frames) * f64::from(cell_bytes(d.bits_allocated));
        header.put_str(tags::LOSSY_IMAGE_COMPRESSION_METHOD, VR::CS, method);
        header.put_str(tags::LOSSY_IMAGE_COMPRESSION_RATIO, VR::DS, format!("{:.3}", plain / bytes.max(1) as f64));
    }

    fn element(&self, mut pixels: Vec<u8>) -> PixelElement<'static> {
        if pixels.len() % 2 == 1 {
            pixels.push(0); // PS3.5 §8.1.1
        }
        let vr = if self.bits_allocated > 8 { VR::OW } else { VR::OB };
        PixelElement { tag: tags::PIXEL_DATA, vr, encapsulated: false, bytes: pixels.into() }
    }
}

/// Transfer syntaxes of the discrete cosine transform, which lose something.
const JPEG_DCT: [&str; 4] = [
    uids::JPEG_BASELINE8_BIT,
    uids::JPEG_EXTENDED12_BIT,
    "1.2.840.10008.1.2.4.53", // spectral selection, retired
    "1.2.840.10008.1.2.4.55", // full progression, retired
];

/// Most stored bits of a palette's index (PS3.3 C.7.6.3.1.5).
const PALETTE_BITS_MAX: u32 = 16;

/// Attributes that describe the pixel data as it was: its range, its fragments, and a small picture of it.
const UNTRUE_NOW: [Tag; 11] = [
    tags::SMALLEST_IMAGE_PIXEL_VALUE,
    tags::LARGEST_IMAGE_PIXEL_VALUE,
    tags::SMALLEST_PIXEL_VALUE_IN_SERIES,
    tags::LARGEST_PIXEL_VALUE_IN_SERIES,
    Tag(0x0028, 0x0110), // Smallest and Largest Image Pixel Value in Plane, retired
    Tag(0x0028, 0x0111),
    tags::EXTENDED_OFFSET_TABLE,
    tags::EXTENDED_OFFSET_TABLE_LENGTHS,
    Tag(0x7fe0, 0x0003), // Encapsulated Pixel Data Value Total Length
    tags::ICON_IMAGE_SEQUENCE,
    tags::PLANAR_CONFIGURATION,
];

/// What so many bits (1 to 32) can hold.
fn range_of(bits: u32, signed: bool) -> (i64, i64) {
    match signed {
        true => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        false => (0, (1 << bits) - 1),
    }
}

fn wider((low, high): (i64, i64), (lower, higher): (i64, i64)) -> (i64, i64) {
    (low.min(lower), high.max(higher))
}

fn whole_at(values: &Values, index: usize) -> Option<i64> {
    match values {
        Values::I32(values) => values.get(index).map(|value| i64::from(*value)),
        Values::U32(values) => values.get(index).map(|value| i64::from(*value)),
        Values::F32(_) | Values::F64(_) => None,
    }
}

/// What only enhanced images have: functional groups, and the macro that says what ORIGINAL means there (C.8.16.2).
const ENHANCED: [Tag; 3] =
    [tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, tags::VOLUMETRIC_PROPERTIES];

fn say_derived(header: &mut InMemDicomObject) {
    if ENHANCED.iter().all(|tag| header.get(*tag).is_none()) {
        let mut kinds = words(header, tags::IMAGE_TYPE);
        if let Some(first) = kinds.first_mut() {
            *first = "DERIVED".into();
            header.put(DataElement::new(tags::IMAGE_TYPE, VR::CS, PrimitiveValue::Strs(kinds.into())));
        }
    }
    let before = text(header, tags::DERIVATION_DESCRIPTION).map(|before| format!("{before}; ")).unwrap_or_default();
    let room = DERIVATION_CHARS_MAX - DERIVATION.len();
    let description: String = before.chars().take(room).chain(DERIVATION.chars()).collect();
    header.put_str(tags::DERIVATION_DESCRIPTION, VR::ST, description);
}

/// Cells of a byte each as single bits, the lowest first, across frames without gaps (PS3.5 §8.1.1).
fn packed_bits(cells: &[u8]) -> Vec<u8> {
    cells.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | (bit & 1))).collect()
}

/// Why an image was not masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    #[error(transparent)]
    Pixels(#[from] PixelError),
    #[error("no rectangle was named")]
    NoRectangle,
    #[error("{0} rectangles were named; at most {RECTANGLES_MAX} are burned in")]
    TooManyRectangles(usize),
    #[error("the rectangle {0} covers no pixel of an image of {1} x {2} pixels")]
    Outside(Rectangle, u32, u32),
    #[error("its pixels are floating-point numbers, in which nothing is burned")]
    Float,
    #[error("its colours ({0}) cannot be written as plain pixels")]
    Colour(Photometric),
    #[error("its palette cannot be read, so nobody knows which value is black")]
    Palette,
    #[error("its pixels need more bits than its header allocates")]
    TooWide,
    #[error("decoded it has {0} bytes of pixel data; images up to {MASKED_BYTES_MAX} bytes are masked")]
    TooLong(u64),
    #[error("it was stopped")]
    Stopped,
}

#[cfg(test)]
mod tests;
