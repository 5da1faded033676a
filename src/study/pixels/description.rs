//! How an image's pixel data is laid out (PS3.3 C.7.6.3), checked before anything is allocated.

use std::fmt;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::PixelError;
use super::attributes::{text, whole, words};

/// Most rows or columns of an image, in pixels: what the attributes' 16 bits can say.
pub const DIMENSION_PIXELS_MAX: u32 = 65_535;

/// Most samples of one frame (rows x columns x samples per pixel): 512 MiB once decoded.
pub const FRAME_SAMPLES_MAX: u64 = 128 * 1024 * 1024;

/// Most frames of one instance.
pub const FRAMES_MAX: u32 = 1_000_000;

/// The Image Pixel attributes that decide how a frame is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub rows: u32,
    pub columns: u32,
    /// Samples per pixel: 1 or 3.
    pub samples: u32,
    pub bits_allocated: u32,
    pub bits_stored: u32,
    pub high_bit: u32,
    pub signed: bool,
    /// Planar Configuration 1: all red, then all green, then all blue.
    pub by_plane: bool,
    pub photometric: Photometric,
    /// Number of Frames, 1 if absent.
    pub frames: u32,
}

impl Description {
    pub(super) fn of(header: &InMemDicomObject, pixel_tag: Tag) -> Result<Self, PixelError> {
        let samples = whole(header, tags::SAMPLES_PER_PIXEL).unwrap_or(1);
        if samples != 1 && samples != 3 {
            return Err(PixelError::Attribute {
                name: "SamplesPerPixel",
                why: format!("{samples} is neither 1 nor 3"),
            });
        }
        let rows = dimension(header, tags::ROWS, "Rows")?;
        let columns = dimension(header, tags::COLUMNS, "Columns")?;
        let frame_samples = u64::from(rows) * u64::from(columns) * u64::from(samples);
        if frame_samples > FRAME_SAMPLES_MAX {
            return Err(PixelError::TooLarge { rows, columns });
        }
        let frames = frames(header)?;
        let photometric = Photometric::of(header, samples)?;
        let by_plane = samples > 1 && whole(header, tags::PLANAR_CONFIGURATION) == Some(1);
        let signed = whole(header, tags::PIXEL_REPRESENTATION) == Some(1);
        let float_bits = match pixel_tag {
            tags::FLOAT_PIXEL_DATA => Some(32),
            tags::DOUBLE_FLOAT_PIXEL_DATA => Some(64),
            _ => None,
        };
        let (bits_allocated, bits_stored, high_bit) = match float_bits {
            Some(bits) => (bits, bits, bits - 1),
            None => bits(header)?,
        };
        Ok(Self {
            rows,
            columns,
            samples,
            bits_allocated,
            bits_stored,
            high_bit,
            signed: signed && float_bits.is_none(),
            by_plane,
            photometric,
            frames,
        })
    }

    /// Pixels of a frame; at most [`FRAME_SAMPLES_MAX`].
    pub fn frame_pixels(&self) -> usize {
        self.rows as usize * self.columns as usize
    }

    /// Samples of a decoded frame; at most [`FRAME_SAMPLES_MAX`].
    pub fn frame_samples(&self) -> usize {
        self.frame_pixels() * self.samples as usize
    }
}

fn dimension(header: &InMemDicomObject, tag: Tag, name: &'static str) -> Result<u32, PixelError> {
    let number = whole(header, tag).ok_or(PixelError::Attribute { name, why: "absent or not a number".into() })?;
    match (1..=DIMENSION_PIXELS_MAX).contains(&number) {
        true => Ok(number),
        false => Err(PixelError::Attribute { name, why: format!("{number} is out of range") }),
    }
}

/// An IS with rubbish behind the number was seen; what can be read of it counts.
fn frames(header: &InMemDicomObject) -> Result<u32, PixelError> {
    let written = words(header, tags::NUMBER_OF_FRAMES).first().cloned().unwrap_or_default();
    let digits: String = written.chars().take_while(char::is_ascii_digit).collect();
    match digits.parse::<u32>() {
        Ok(frames) if frames > FRAMES_MAX => {
            Err(PixelError::Attribute { name: "NumberOfFrames", why: format!("more than {FRAMES_MAX}") })
        }
        Ok(frames) => Ok(frames.max(1)),
        Err(_) => Ok(1),
    }
}

fn bits(header: &InMemDicomObject) -> Result<(u32, u32, u32), PixelError> {
    let allocated = whole(header, tags::BITS_ALLOCATED)
        .filter(|bits| (1..=32).contains(bits))
        .ok_or(PixelError::Attribute { name: "BitsAllocated", why: "absent or not of 1 to 32".into() })?;
    let stored = whole(header, tags::BITS_STORED).unwrap_or(allocated);
    if !(1..=allocated).contains(&stored) {
        return Err(PixelError::Attribute {
            name: "BitsStored",
            why: format!("{stored} of {allocated} allocated bits"),
        });
    }
    let high = whole(header, tags::HIGH_BIT).filter(|high| (stored - 1..allocated).contains(high));
    Ok((allocated, stored, high.unwrap_or(stored - 1)))
}

/// Photometric Interpretation (PS3.3 C.7.6.3.1.2), without those that were retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Photometric {
    Monochrome1,
    Monochrome2,
    PaletteColor,
    Rgb,
    YbrFull,
    YbrFull422,
    YbrPartial420,
    YbrPartial422,
    YbrIct,
    YbrRct,
    Xyb,
}

impl Photometric {
    const ALL: [(Self, &'static str); 11] = [
        (Self::Monochrome1, "MONOCHROME1"),
        (Self::Monochrome2, "MONOCHROME2"),
        (Self::PaletteColor, "PALETTE COLOR"),
        (Self::Rgb, "RGB"),
        (Self::YbrFull, "YBR_FULL"),
        (Self::YbrFull422, "YBR_FULL_422"),
        (Self::YbrPartial420, "YBR_PARTIAL_420"),
        (Self::YbrPartial422, "YBR_PARTIAL_422"),
        (Self::YbrIct, "YBR_ICT"),
        (Self::YbrRct, "YBR_RCT"),
        (Self::Xyb, "XYB"),
    ];

    /// ACR-NEMA had no such attribute: there one sample is a brightness.
    fn of(header: &InMemDicomObject, samples: u32) -> Result<Self, PixelError> {
        let refused = |why| PixelError::Attribute { name: "PhotometricInterpretation", why };
        let photometric = match text(header, tags::PHOTOMETRIC_INTERPRETATION) {
            None if samples == 1 => Self::Monochrome2,
            None => return Err(refused("absent".into())),
            Some(name) => match Self::ALL.iter().find(|(_, known)| *known == name) {
                Some((photometric, _)) => *photometric,
                None => return Err(refused("not one that can be shown".into())),
            },
        };
        match photometric.is_colour() == (samples == 3) {
            true => Ok(photometric),
            false => Err(refused(format!("{photometric} does not go with {samples} samples per pixel"))),
        }
    }

    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(photometric, _)| *photometric == self).map_or("", |(_, name)| name)
    }

    /// One sample that is a brightness, so that values and windows mean something.
    pub fn is_grey(self) -> bool {
        matches!(self, Self::Monochrome1 | Self::Monochrome2)
    }

    fn is_colour(self) -> bool {
        !self.is_grey() && self != Self::PaletteColor
    }
}

impl fmt::Display for Photometric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
