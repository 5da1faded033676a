//! One compressed frame to stored values, whichever of the transfer syntaxes of PS3.5 Annex A it is in.
//!
//! The decoders are other people's work on strangers' bytes. Each is called directly rather than through the
//! adapters of dicom-rs, which convert YBR to RGB by guess, take sizes from the codestream and narrow 12 bits to
//! 8. So before a decoder runs, the size its codestream states is compared with the header's; while it runs,
//! panics are contained; afterwards the number of samples is checked again. Colours stay as they were coded,
//! but for JPEG 2000 and JPEG XL, whose decoders undo their own transform.
//!
//! Not decoded, and said so: arithmetic-coded and hierarchical JPEG, JPEG of 12 bits in colour, JPIP, video.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_dictionary_std::uids;

use super::description::{Description, Photometric};
use super::jpeg_dct::SCANS_MAX;
use super::native::{self, Stored, values_of_bits};
use super::{PixelError, Values, jpeg_2000, jpeg_dct, jpeg_ls};
use crate::encoding::text::shown;

/// Most memory that the JPEG XL decoder may use, in bytes for each sample of the frame.
const JPEG_XL_BYTES_A_SAMPLE_MAX: usize = 64;

/// What the JPEG XL decoder may use beyond that, in bytes.
const JPEG_XL_BYTES_BASE: usize = 64 * 1024 * 1024;

/// Most frames of a JPEG XL codestream: one is shown, and encoders put a few before it to refer to. The decoder calls
/// itself once for each that lies under another.
const JPEG_XL_FRAMES_MAX: usize = 16;

/// Longest reason of a decoder that is passed on, in characters.
const WHY_CHARS_MAX: usize = 160;

/// How the frames of an encapsulated Pixel Data element are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Uncompressed,
    Deflated,
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
    JpegXl,
}

impl Codec {
    pub(super) fn of(syntax: &str) -> Option<Self> {
        Some(match syntax {
            uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => Self::Uncompressed,
            uids::DEFLATED_IMAGE_FRAME_COMPRESSION => Self::Deflated,
            uids::RLE_LOSSLESS => Self::Rle,
            uids::JPEG_BASELINE8_BIT
            | uids::JPEG_EXTENDED12_BIT
            | "1.2.840.10008.1.2.4.53" // spectral selection, retired
            | "1.2.840.10008.1.2.4.55" // full progression, retired
            | uids::JPEG_LOSSLESS
            | uids::JPEG_LOSSLESS_SV1 => Self::Jpeg,
            uids::JPEGLS_LOSSLESS | uids::JPEGLS_NEAR_LOSSLESS => Self::JpegLs,
            uids::JPEG2000_LOSSLESS
            | uids::JPEG2000
            | uids::JPEG2000MC_LOSSLESS
            | uids::JPEG2000MC
            | uids::HTJ2K_LOSSLESS
            | uids::HTJ2K_LOSSLESS_RPCL
            | uids::HTJ2K => Self::Jpeg2000,
            uids::JPEGXL_LOSSLESS | uids::JPEGXLJPEG_RECOMPRESSION | uids::JPEGXL => Self::JpegXl,
            _ => return None,
        })
    }

    /// Whether a fragment begins with the marker that a frame's codestream begins with.
    pub(super) fn begins_frame(self) -> fn(&[u8]) -> bool {
        match self {
            Self::Jpeg | Self::JpegLs => |fragment| fragment.starts_with(&[0xff, 0xd8, 0xff]),
            Self::Jpeg2000 => {
                |fragment| fragment.starts_with(&[0xff, 0x4f, 0xff, 0x51]) || fragment.starts_with(b"\0\0\0\x0cjP  ")
            }
            Self::JpegXl => |fragment| fragment.starts_with(&[0xff, 0x0a]) || fragment.starts_with(b"\0\0\0\x0cJXL "),
            Self::Uncompressed | Self::Deflated | Self::Rle => |_| false,
        }
    }

    /// Decodes one frame.
    pub(super) fn decode(
        self,
        syntax: &str,
        description: &Description,
        bytes: &[u8],
    ) -> Result<(Values, Photometric), PixelError> {
        let refused = |why: &str| PixelError::Undecodable {
            syntax: syntax.to_string(),
            why: shown(why).chars().take(WHY_CHARS_MAX).collect(),
        };
        let little_endian = Stored { big_endian: false, words: false };
        let decoded = match self {
            Self::Uncompressed => return native::frame(description, bytes, 1, little_endian),
            Self::Deflated => {
                let plain = inflate(description, bytes).map_err(refused)?;
                return native::frame(description, &plain, 1, little_endian);
            }
            Self::Rle => native::rle_cells(description, bytes)
                .map(|cells| native::values_of_cells(description, &cells))
                .map_err(str::to_string),
            Self::Jpeg => contained(|| jpeg(description, bytes)),
            Self::JpegLs => contained(|| jpeg_ls_frame(description, bytes)),
            Self::Jpeg2000 => contained(|| jpeg_2000_frame(description, bytes)),
            Self::JpegXl => contained(|| jpeg_xl(description, bytes)),
        };
        let values = decoded.map_err(|why| refused(&why))?;
        if values.len() != description.frame_samples() {
            return Err(refused("the decoder gave another number of samples"));
        }
        let photometric = match (self, description.photometric) {
            (Self::Jpeg2000, Photometric::YbrIct | Photometric::YbrRct) => Photometric::Rgb,
            (Self::JpegXl, _) if description.samples == 3 => Photometric::Rgb,
            (_, as_coded) => as_coded,
        };
        Ok((values, photometric))
    }
}

/// Runs a decoder; what it panics on is what it cannot decode.
fn contained(decode: impl FnOnce() -> Result<Values, String>) -> Result<Values, String> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err("the decoder gave up".to_string()))
}

fn inflate<'e>(description: &Description, bytes: &[u8]) -> Result<Vec<u8>, &'e str> {
    let bytes_max = description.frame_samples() as u64 * u64::from(description.bits_allocated).div_ceil(8);
    let mut plain = Vec::new();
    let decoder = flate2::read::DeflateDecoder::new(bytes);
    decoder.take(bytes_max).read_to_end(&mut plain).map_err(|_| "the deflated frame is damaged")?;
    Ok(plain)
}

/// The size that a codestream states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coded {
    pub(super) rows: u32,
    pub(super) columns: u32,
    pub(super) samples: u32,
    pub(super) bits: u32,
}

impl Coded {
    pub(super) fn agree(self, description: &Description) -> Result<Self, String> {
        let Self { rows, columns, samples, bits } = self;
        let expected = (description.rows, description.columns, description.samples);
        if (rows, columns, samples) != expected || !(1..=32).contains(&bits) {
            let (r, c, s) = expected;
            return Err(format!(
                "the codestream is {rows} x {columns} x {samples} of {bits} bits, the header says {r} x {c} x {s}"
            ));
        }
        Ok(self)
    }
}

/// The frame header of a JPEG or JPEG-LS codestream (ITU-T T.81 §B.2.2, T.87 §C.2.2) and its SOF marker.
pub(super) fn jpeg_frame_header(bytes: &[u8]) -> Option<(u8, Coded)> {
    let mut at = 2;
    loop {
        let marker = loop {
            match bytes.get(at..at + 2)? {
                [0xff, 0xff] => at += 1,
                [0xff, marker] => break *marker,
                _ => return None,
            }
        };
        let length = usize::from(u16::from_be_bytes(*bytes.get(at + 2..)?.first_chunk()?));
        match marker {
            // Without a length: whoever takes the next bytes for one steps over what the decoder reads.
            0x00 | 0x01 | 0xd0..=0xd8 => return None,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xf7 => {
                let &[bits, r1, r0, c1, c0, samples] = bytes.get(at + 4..)?.first_chunk()?;
                let coded = Coded {
                    rows: u32::from(u16::from_be_bytes([r1, r0])),
                    columns: u32::from(u16::from_be_bytes([c1, c0])),
                    samples: u32::from(samples),
                    bits: u32::from(bits),
                };
                return Some((marker, coded));
            }
            0xda | 0xd9 => return None,
            _ => at = at.checked_add(2 + length.max(2))?,
        }
    }
}

fn jpeg(description: &Description, bytes: &[u8]) -> Result<Values, String> {
    let (marker, coded) = jpeg_frame_header(bytes).ok_or("no JPEG frame header")?;
    let coded = coded.agree(description)?;
    if bytes.windows(2).filter(|pair| pair == &[0xff, 0xda]).count() > SCANS_MAX as usize {
        return Err(format!("it has more than {SCANS_MAX} scans"));
    }
    if (marker == 0xc1 || marker == 0xc2) && coded.bits == 12 {
        return jpeg_dct::decode(bytes, coded).map(|samples| of_codestream(description, coded.bits, samples));
    }
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    // "RGB" means here: no conversion, samples pixel by pixel. Its "None" gives lines by component.
    if coded.samples == 3 {
        decoder.set_color_transform(jpeg_decoder::ColorTransform::RGB);
    }
    decoder.set_max_decoding_buffer_size(description.frame_samples() * 4);
    let decoded = decoder.decode().map_err(|error| error.to_string())?;
    let samples: Vec<u32> = match decoded.len() == description.frame_samples() {
        true => decoded.iter().map(|&sample| u32::from(sample)).collect(),
        false => decoded.chunks_exact(2).map(|b| u32::from(u16::from_ne_bytes([b[0], b[1]]))).collect(),
    };
    Ok(of_codestream(description, coded.bits, samples))
}

/// Samples of a codestream that knows no sign: it stands in the stored bits, or in fewer if the codestream's
/// are fewer.
fn of_codestream(description: &Description, bits: u32, samples: Vec<u32>) -> Values {
    let bits = match description.signed {
        true => bits.min(description.bits_stored),
        false => description.bits_stored,
    };
    values_of_bits(samples.into_iter(), bits, description.signed)
}

fn jpeg_ls_frame(description: &Description, bytes: &[u8]) -> Result<Values, String> {
    let (marker, coded) = jpeg_frame_header(bytes).ok_or("no JPEG-LS frame header")?;
    if marker != 0xf7 {
        return Err("not a JPEG-LS codestream".to_string());
    }
    let coded = coded.agree(description)?;
    jpeg_ls::decode(bytes, coded).map(|samples| of_codestream(description, coded.bits, samples))
}

fn jpeg_2000_frame(description: &Description, bytes: &[u8]) -> Result<Values, String> {
    jpeg_2000::check(bytes, description)?;
    // Not strict, the decoder fills what is missing of a damaged codestream with grey.
    let parameters = jpeg2k::DecodeParameters::new().strict(true);
    let image = jpeg2k::Image::from_bytes_with(bytes, parameters).map_err(|error| error.to_string())?;
    let components = image.components();
    let expected = (description.columns, description.rows);
    if components.len() != description.samples as usize
        || components.iter().any(|component| (component.width(), component.height()) != expected)
    {
        return Err("its components do not fit the image".to_string());
    }
    let samples = description.samples as usize;
    let mut cells = vec![0u32; description.frame_samples()];
    for (at, component) in components.iter().enumerate() {
        for (cell, &value) in cells.iter_mut().skip(at).step_by(samples).zip(component.data()) {
            // The bits of a negative number are its two's complement: what `values_of_bits` reads.
            *cell = value as u32;
        }
    }
    let (signed, precision) = components.first().map_or((false, 0), |first| (first.is_signed(), first.precision()));
    // A lossy codestream of more bits than are stored overshoots: 4124 in 12 bits must not become 28.
    let bits = match (description.signed, signed) {
        (true, true) => 32,
        (false, false) => precision,
        (true, false) => precision.min(description.bits_stored),
        (false, true) => description.bits_stored,
    };
    match (1..=32).contains(&bits) {
        true => Ok(values_of_bits(cells.into_iter(), bits, description.signed)),
        false => Err("its precision is out of range".to_string()),
    }
}

fn jpeg_xl(description: &Description, bytes: &[u8]) -> Result<Values, String> {
    let memory_bytes_max = description.frame_samples() * JPEG_XL_BYTES_A_SAMPLE_MAX + JPEG_XL_BYTES_BASE;
    let tracker = jxl_oxide::AllocTracker::with_limit(memory_bytes_max);
    let image = jxl_oxide::JxlImage::builder().alloc_tracker(tracker).read(bytes).map_err(|error| error.to_string())?;
    if image.num_loaded_frames() > JPEG_XL_FRAMES_MAX {
        return Err(format!("it has more than {JPEG_XL_FRAMES_MAX} frames in one"));
    }
    let bit_depth = image.image_header().metadata.bit_depth;
    if matches!(bit_depth, jxl_oxide::image::BitDepth::FloatSample { .. }) {
        return Err("JPEG XL of float samples".to_string());
    }
    let coded = Coded {
        rows: image.height(),
        columns: image.width(),
        samples: if image.pixel_format().is_grayscale() { 1 } else { 3 },
        bits: bit_depth.bits_per_sample(),
    };
    let coded = coded.agree(description)?;
    let rendered = image.render_frame(0).map_err(|error| error.to_string())?;
    let mut stream = rendered.stream_no_alpha();
    if stream.channels() != description.samples {
        return Err("its channels do not fit the image".to_string());
    }
    // Asked for integers the decoder would stretch 12 bits to 16.
    let mut shares = vec![0f32; description.frame_samples()];
    if stream.write_to_buffer(&mut shares) != shares.len() {
        return Err("the decoder gave another number of samples".to_string());
    }
    let full = f64::from(u32::MAX >> (32 - coded.bits));
    let samples = shares.iter().map(|&share| (f64::from(share).clamp(0.0, 1.0) * full).round() as u32).collect();
    Ok(of_codestream(description, coded.bits, samples))
}

/// Transfer syntaxes that lose something whatever their header says.
pub(super) fn always_lossy(syntax: &str) -> bool {
    matches!(
        syntax,
        uids::JPEG_BASELINE8_BIT
            | uids::JPEG_EXTENDED12_BIT
            | "1.2.840.10008.1.2.4.53"
            | "1.2.840.10008.1.2.4.55"
            | uids::JPEGLS_NEAR_LOSSLESS
    )
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};
    use dicom_dictionary_std::tags;
    use dicom_object::InMemDicomObject;

    use super::*;

    /// An image of 8 bits and this many pixels a side.
    fn grey(side: u16) -> Description {
        let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
        let attributes = [(tags::ROWS, side), (tags::COLUMNS, side), (tags::BITS_ALLOCATED, 8)];
        let header = InMemDicomObject::from_element_iter(attributes.map(|(tag, value)| number(tag, value)));
        Description::of(&header, tags::PIXEL_DATA).unwrap()
    }

    const SOF: [u8; 13] = [0xff, 0xc0, 0, 11, 8, 0xff, 0xff, 0xff, 0xff, 1, 1, 0x11, 0];

    /// The decoder looks for the next marker where this looks for a length, and found there an image of 4 GiB.
    #[test]
    fn a_marker_without_a_length_hides_no_other_frame_header() {
        let small = [0xff, 0xc0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0];
        let hidden = [&[0, SOF.len() as u8 + 2], &SOF[..]].concat();
        for marker in [0x00, 0x01, 0xd0, 0xd7, 0xd8] {
            let bytes = [&[0xff, 0xd8, 0xff, marker][..], &hidden, &small].concat();
            assert_eq!(jpeg_frame_header(&bytes), None, "{marker:02x}");
        }
        let sound = [&[0xff, 0xd8, 0xff, 0xe0][..], &hidden, &small].concat();
        assert_eq!(jpeg_frame_header(&sound).map(|(_, coded)| (coded.rows, coded.columns)), Some((16, 16)));
    }

    /// Each scan is a pass over all blocks, and a few hundred bytes of runs are enough for the largest image's.
    #[test]
    fn a_thousand_scans_are_refused_before_the_first() {
        for sof in [0xc1, 0xc2] {
            let frame = [0xff, 0xd8, 0xff, sof, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0];
            let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0];
            let refused = jpeg(&grey(16), &[&frame[..], &scan.repeat(1000)].concat()).unwrap_err();
            assert_eq!(refused, "it has more than 256 scans");
        }
    }

    /// 24 KB of layers of one pixel used up the stack and ended the program.
    #[test]
    fn a_pile_of_layers_is_refused_before_it_is_rendered() {
        let layers = |count: usize| {
            let start = [0xff, 0x0a, 0, 0x10, 0x10, 0x14, 0x37, 2];
            let layer = |last| [8, 4, last, 0, 0x18, 0, 0x4b, 0x18, 0x8b, 0x15, 0x82, 1];
            [&start[..], &layer(0).repeat(count - 1), &layer(1)].concat()
        };
        for count in [1, JPEG_XL_FRAMES_MAX] {
            assert!(jpeg_xl(&grey(1), &layers(count)) == Ok(Values::I32(vec![0])), "{count} layers");
        }
        for count in [JPEG_XL_FRAMES_MAX + 1, 20_000] {
            assert!(jpeg_xl(&grey(1), &layers(count)) == Err("it has more than 16 frames in one".into()), "{count}");
        }
    }
}
