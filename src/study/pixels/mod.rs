//! The pixel pipeline: from a file's bytes to one frame's values, and from those to what is shown.
//!
//! ```text
//! file -> Image -> frame n -> stored values -> modality values -> window -> presentation -> 8-bit picture
//!         part10   fragments,    Frame           (HU: probe and      VOI      inversion, table,
//!           |      codec, native                 statistics; SUV)            palette
//!           `---------------> overlay planes, shutter: layers beside the picture
//! ```
//!
//! A colleague's file is hostile: sizes are checked before memory is asked for, every decoder's panic is contained,
//! and what is not understood is refused with a reason rather than drawn. Stored values are the decoder's, with
//! the bits above Bits Stored cleared or sign-extended; colours stay as coded until they are shown.
//!
//! Not here: presentation states, mask subtraction, and everything about screens.
//!
//! Start with [`Image::read`] for several frames of a file or [`read_frame`] for one. What an image knows of its
//! frames is found out once; each frame is then decoded by itself.

pub(super) mod attributes;
mod black;
mod cine;
mod codec;
mod description;
mod display;
mod fragments;
mod jpeg_2000;
mod jpeg_dct;
mod jpeg_ls;
mod lut;
mod modality;
mod native;
mod overlay;
mod palette;
mod shades;
mod shutter;
pub(super) mod suv;
mod window;

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

pub use self::cine::FRAMES_A_SECOND_MAX;
use self::codec::Codec;
pub use self::description::{DIMENSION_PIXELS_MAX, Description, FRAME_SAMPLES_MAX, FRAMES_MAX, Photometric};
use self::display::Presentation;
pub use self::display::{Picture, Sparse};
pub use self::fragments::FRAGMENTS_MAX;
use self::fragments::FrameMap;
use self::modality::Modality;
pub use self::modality::Unit;
use self::native::Stored;
pub use self::overlay::{OverlayError, OverlayKind, OverlayPlane};
use self::palette::Palette;
pub use self::shutter::{SHUTTER_CORNERS_MAX, Shutter};
pub use self::suv::{Named, NoSuv, SUVBW, Suv};
pub use self::window::{CHOICES_MAX, Choice, Preset, VoiFunction, Window, WindowError};
use self::window::{Offered, Voi};
use super::part10::{self, Part10, Part10Error, PixelElement};

/// Decodes one frame, counted from 1, of a DICOM file.
pub fn read_frame(file: &[u8], frame: u32) -> Result<Frame, PixelError> {
    Image::read(file)?.frame(frame)
}

/// A file with pixel data, read but not yet decoded. It has no printing form: its header may name a patient.
pub struct Image<'a> {
    part10: Part10<'a>,
    description: Description,
    /// Found out when the first frame is asked for; only compressed images have one.
    frame_map: OnceLock<Result<FrameMap, PixelError>>,
}

impl<'a> Image<'a> {
    pub fn read(file: &'a [u8]) -> Result<Self, PixelError> {
        let part10 = part10::read(file)?;
        let pixel_tag = part10.pixel.as_ref().ok_or(PixelError::NoPixelData)?.tag;
        let description = Description::of(&part10.header, pixel_tag)?;
        Ok(Self { part10, description, frame_map: OnceLock::new() })
    }

    /// The same with its pixel data its own, for who shows frame after frame and does not want to keep the file.
    pub fn into_owned(self) -> Image<'static> {
        let Part10 { syntax, header, pixel } = self.part10;
        let pixel = pixel.map(|PixelElement { tag, vr, encapsulated, bytes }| PixelElement {
            tag,
            vr,
            encapsulated,
            bytes: Cow::Owned(bytes.into_owned()),
        });
        Image { part10: Part10 { syntax, header, pixel }, description: self.description, frame_map: self.frame_map }
    }

    pub fn header(&self) -> &InMemDicomObject {
        &self.part10.header
    }

    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The transfer syntax's UID, the pixel data's tag, its length in bytes, and whether that is compressed.
    pub(super) fn pixel_data(&self) -> Option<(&str, Tag, usize, bool)> {
        let pixel = self.part10.pixel.as_ref()?;
        Some((&self.part10.syntax.uid, pixel.tag, pixel.bytes.len(), pixel.encapsulated))
    }

    /// Whether the pixel data went through a lossy codec, now or before (0028,2110).
    pub fn lossy(&self) -> bool {
        attributes::text(self.header(), tags::LOSSY_IMAGE_COMPRESSION).as_deref() == Some("01")
            || codec::always_lossy(&self.part10.syntax.uid)
    }

    /// By how much each lossy step made the pixel data smaller (0028,2112), the first first.
    pub fn lossy_ratios(&self) -> Vec<f64> {
        attributes::numbers(self.header(), tags::LOSSY_IMAGE_COMPRESSION_RATIO)
    }

    /// How fast the frames are meant to be played; none where the file does not say.
    pub fn frames_a_second(&self) -> Option<f64> {
        cine::frames_a_second(self.header())
    }

    /// What its maker covered of a frame, counted from 1.
    pub fn shutter(&self, frame: u32) -> Option<Shutter> {
        Shutter::of(self.header(), frame)
    }

    /// The overlay planes over a frame, counted from 1, and those that cannot be shown.
    pub fn overlays(&self, frame: u32) -> Vec<Result<OverlayPlane, OverlayError>> {
        let cells = || self.check_frame(frame).ok().and_then(|()| self.cells(frame));
        overlay::planes(self.header(), &self.description, frame, &cells)
    }

    /// Whether the image has a frame of this number, counted from 1.
    pub fn check_frame(&self, frame: u32) -> Result<(), PixelError> {
        let frames = self.description.frames;
        if (1..=frames).contains(&frame) { Ok(()) } else { Err(PixelError::NoSuchFrame { frame, frames }) }
    }

    /// Decodes a frame, counted from 1.
    pub fn frame(&self, frame: u32) -> Result<Frame, PixelError> {
        self.check_frame(frame)?;
        let (values, photometric) = self.decoded(frame)?;
        let header = self.header();
        let description = Description { photometric, ..self.description.clone() };
        let modality = Modality::of(header, frame, &description);
        let choices = Voi::choices(header, frame, modality.may_be_negative(&description));
        Ok(Frame {
            padding: padding(header, &description),
            presentation: Presentation::of(header, photometric),
            palette: Palette::of(header, frame, &description),
            suv: suv::of(header, modality.is_rescaled()),
            modality,
            choices,
            values,
            description,
        })
    }

    fn decoded(&self, frame: u32) -> Result<(Values, Photometric), PixelError> {
        let description = &self.description;
        let pixel = self.part10.pixel.as_ref().ok_or(PixelError::NoPixelData)?;
        if pixel.encapsulated {
            let (codec, bytes) = self.compressed(pixel, frame)?;
            return codec.decode(&self.part10.syntax.uid, description, &bytes);
        }
        let stored = self.stored(pixel);
        match pixel.tag {
            tags::PIXEL_DATA => native::frame(description, &pixel.bytes, frame, stored),
            _ => Ok((native::float_frame(description, &pixel.bytes, frame, stored)?, description.photometric)),
        }
    }

    /// The codestream of a frame and its codec.
    fn compressed<'b>(&self, pixel: &'b PixelElement<'_>, frame: u32) -> Result<(Codec, Cow<'b, [u8]>), PixelError> {
        let syntax = &self.part10.syntax.uid;
        let codec = Codec::of(syntax).ok_or_else(|| PixelError::UnsupportedSyntax { syntax: syntax.clone() })?;
        let map = self
            .frame_map
            .get_or_init(|| FrameMap::of(&pixel.bytes, self.header(), self.description.frames, codec.begins_frame()));
        Ok((codec, map.as_ref().map_err(Clone::clone)?.bytes(&pixel.bytes, frame)))
    }

    fn stored(&self, pixel: &PixelElement<'_>) -> Stored {
        // A private syntax of GE's: a little-endian data set with big-endian pixels.
        const GE_PRIVATE_IMPLICIT: &str = "1.2.840.113619.5.2";
        let syntax = &self.part10.syntax;
        let big_endian = syntax.encoding.big_endian || syntax.uid == GE_PRIVATE_IMPLICIT;
        Stored { big_endian, words: pixel.vr == VR::OW }
    }

    /// The pixel cells of a frame with all their bits, where the file keeps them whole.
    fn cells(&self, frame: u32) -> Option<Vec<u32>> {
        let pixel = self.part10.pixel.as_ref().filter(|pixel| pixel.tag == tags::PIXEL_DATA)?;
        if !pixel.encapsulated {
            return native::frame_cells(&self.description, &pixel.bytes, frame, self.stored(pixel)).ok();
        }
        match self.compressed(pixel, frame).ok()? {
            (Codec::Rle, bytes) => native::rle_cells(&self.description, &bytes).ok(),
            _ => None,
        }
    }
}

/// The lowest and highest stored value that stand for "no pixel here" (0028,0120 and 0028,0121).
fn padding(header: &InMemDicomObject, description: &Description) -> Option<(f64, f64)> {
    if !description.photometric.is_grey() {
        return None;
    }
    // In implicit VR a negative one is read as unsigned.
    let as_stored = |value: f64| match description.signed && description.bits_allocated <= 16 && value > 32767.0 {
        true => value - 65536.0,
        false => value,
    };
    let [float, float_limit] = match description.bits_allocated {
        64 => [tags::DOUBLE_FLOAT_PIXEL_PADDING_VALUE, tags::DOUBLE_FLOAT_PIXEL_PADDING_RANGE_LIMIT],
        _ => [tags::FLOAT_PIXEL_PADDING_VALUE, tags::FLOAT_PIXEL_PADDING_RANGE_LIMIT],
    };
    let of = |tag| attributes::number(header, tag);
    let (value, limit) = match of(tags::PIXEL_PADDING_VALUE) {
        Some(value) => (as_stored(value), of(tags::PIXEL_PADDING_RANGE_LIMIT).map(as_stored)),
        None => (of(float)?, of(float_limit)),
    };
    let limit = limit.unwrap_or(value);
    Some((value.min(limit), value.max(limit)))
}

/// One decoded frame, with all that belongs to its values.
#[derive(Clone)]
pub struct Frame {
    /// Layout of the values; `photometric` is that of the decoded values.
    pub description: Description,
    pub values: Values,
    padding: Option<(f64, f64)>,
    modality: Modality,
    choices: Vec<Offered>,
    presentation: Presentation,
    palette: Option<Palette>,
    suv: Result<Suv, NoSuv>,
}

impl fmt::Debug for Frame {
    /// Pixels and the names of windows are patient data: only the layout is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("description", &self.description).finish_non_exhaustive()
    }
}

impl Frame {
    pub fn rows(&self) -> u32 {
        self.description.rows
    }

    pub fn columns(&self) -> u32 {
        self.description.columns
    }

    pub fn samples(&self) -> u32 {
        self.description.samples
    }

    pub fn photometric(&self) -> Photometric {
        self.description.photometric
    }

    /// The modality values (HU, where the file says so), row by row, samples of a pixel together.
    pub fn modality(&self) -> Vec<f64> {
        self.values.iter().map(|stored| self.modality.at(stored)).collect()
    }

    /// What the modality values are in.
    pub fn unit(&self) -> Unit {
        self.modality.unit
    }

    /// What the modality values rest on, in words.
    pub fn value_basis(&self) -> &str {
        &self.modality.basis
    }

    /// The modality value of one pixel of a grey image; `None` outside, in padding, and where it is no number.
    pub fn modality_at(&self, column: u32, row: u32) -> Option<f64> {
        if column >= self.columns() || row >= self.rows() || !self.photometric().is_grey() {
            return None;
        }
        let stored = self.values.at(row as usize * self.columns() as usize + column as usize)?;
        let value = self.modality.at(stored);
        (!self.is_padding(stored) && value.is_finite()).then_some(value)
    }

    /// How modality values become SUVs, or what stands in the way.
    pub fn suv(&self) -> Result<&Suv, &NoSuv> {
        self.suv.as_ref()
    }

    fn is_padding(&self, stored: f64) -> bool {
        self.padding.is_some_and(|(lowest, highest)| (lowest..=highest).contains(&stored))
    }

    /// How many windows and tables the file offers for this frame.
    pub fn windows(&self) -> usize {
        self.choices.len()
    }

    /// The file's windows and tables for this frame in their order, to choose from.
    pub fn choices(&self) -> Vec<Choice> {
        self.choices.iter().enumerate().map(|(index, offered)| offered.shown(index)).collect()
    }

    /// The stored values as a little-endian array in numpy's terms: type and bytes, row by row.
    pub fn stored_array(&self) -> (&'static str, Vec<u8>) {
        let wide = self.description.bits_allocated;
        match &self.values {
            Values::F32(values) => ("<f4", values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::F64(values) => ("<f8", values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::U32(values) => ("<u4", values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::I32(values) => {
                let bytes = match wide {
                    ..=8 => 1,
                    9..=16 => 2,
                    _ => 4,
                };
                let kind = match (self.description.signed, bytes) {
                    (false, 1) => "|u1",
                    (false, 2) => "<u2",
                    (false, _) => "<u4",
                    (true, 1) => "|i1",
                    (true, 2) => "<i2",
                    (true, _) => "<i4",
                };
                (kind, values.iter().flat_map(|v| v.to_le_bytes().into_iter().take(bytes)).collect())
            }
        }
    }
}

/// Stored values, row by row, the samples of a pixel together.
#[derive(Clone, PartialEq)]
pub enum Values {
    I32(Vec<i32>),
    /// 32 stored bits without sign.
    U32(Vec<u32>),
    /// Float Pixel Data.
    F32(Vec<f32>),
    /// Double Float Pixel Data.
    F64(Vec<f64>),
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::I32(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn at(&self, index: usize) -> Option<f64> {
        match self {
            Self::I32(values) => values.get(index).map(|&value| f64::from(value)),
            Self::U32(values) => values.get(index).map(|&value| f64::from(value)),
            Self::F32(values) => values.get(index).map(|&value| f64::from(value)),
            Self::F64(values) => values.get(index).copied(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.len()).filter_map(|index| self.at(index))
    }
}

impl fmt::Debug for Values {
    /// Pixels are patient data: only their number is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} values]", self.len())
    }
}

/// Why a frame cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PixelError {
    #[error(transparent)]
    File(#[from] Part10Error),
    #[error("the file holds no pixel data")]
    NoPixelData,
    #[error("the image cannot be read: {name} is not usable ({why})")]
    Attribute { name: &'static str, why: String },
    #[error("there is no frame {frame}; the image has {frames}, counted from 1")]
    NoSuchFrame { frame: u32, frames: u32 },
    #[error("an image of {rows} x {columns} pixels is larger than can be shown")]
    TooLarge { rows: u32, columns: u32 },
    #[error("the pixel data is cut off: {needed} bytes are needed, {present} are there")]
    TooShort { needed: u64, present: u64 },
    #[error("the fragments of the compressed pixel data are damaged")]
    DamagedFragments,
    #[error("which of the {fragments} fragments belong to which of the {frames} frames cannot be told")]
    FramesUnclear { fragments: usize, frames: u32 },
    #[error("images in transfer syntax {syntax} cannot be shown yet")]
    UnsupportedSyntax { syntax: String },
    #[error("the image (transfer syntax {syntax}) cannot be decoded: {why}")]
    Undecodable { syntax: String, why: String },
}

#[cfg(test)]
mod tests;
