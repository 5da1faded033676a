//! From values to an 8-bit picture: window, presentation, palette and colour (PS3.3 C.11.6, C.7.6.3.1).
//!
//! Padding is black whatever the window and the inversion, so that it does not glare around a MONOCHROME1 image.

use std::fmt;

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{first_item, text};
use super::description::Photometric;
use super::lut::LookupTable;
use super::modality::Unit;
use super::window::{Voi, VoiFunction, Window, WindowError};
use super::{Frame, Values};

mod shading;
mod sparse;

pub use self::sparse::Sparse;

/// A picture of 8 bits a sample, ready to be shown at its own resolution.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    pub rows: u32,
    pub columns: u32,
    /// 1: grey; 3: red, green, blue.
    pub samples: u32,
    /// Row by row, the samples of a pixel together.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Picture {
    /// Pixels are patient data: only the size is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} x {} x {}]", self.rows, self.columns, self.samples)
    }
}

impl Frame {
    /// Draws the frame. Colour images have no window: there it decides nothing.
    pub fn display(&self, window: Window) -> Result<Picture, WindowError> {
        let (samples, bytes) = self.drawn(&self.values, window)?;
        Ok(Picture { rows: self.rows(), columns: self.columns(), samples, bytes })
    }

    /// Draws only the pixel in the middle of every square of `step` x `step`: for drafts of large images, of which most
    /// pixels are left out anyway. Squares that reach over the right or lower edge are left out.
    pub fn display_sparse(&self, window: Window, step: u32) -> Result<Picture, WindowError> {
        let step = step.clamp(1, self.rows().min(self.columns()).max(1));
        if step == 1 {
            return self.display(window);
        }
        let places = Sparse { columns: self.columns(), rows: self.rows(), samples: self.samples(), step };
        let (samples, bytes) = self.drawn(&places.of_values(&self.values), window)?;
        Ok(Picture { rows: self.rows() / step, columns: self.columns() / step, samples, bytes })
    }

    /// Draws values, all of the frame's or some.
    fn drawn(&self, values: &Values, window: Window) -> Result<(u32, Vec<u8>), WindowError> {
        Ok(match self.photometric() {
            Photometric::Monochrome1 | Photometric::Monochrome2 => {
                let grey = self.grey(values, window)?;
                match &self.palette {
                    Some(palette) if palette.is_supplemental() => {
                        let pixels = values.iter().zip(grey);
                        (3, pixels.flat_map(|(stored, grey)| palette.colour(stored).unwrap_or([grey; 3])).collect())
                    }
                    _ => (1, grey),
                }
            }
            Photometric::PaletteColor => {
                let palette = self.palette.as_ref().ok_or(WindowError::Palette)?;
                (3, values.iter().flat_map(|index| palette.colour(index).unwrap_or_default()).collect())
            }
            colour => (3, self.colour(values, colour)),
        })
    }

    fn grey(&self, values: &Values, window: Window) -> Result<Vec<u8>, WindowError> {
        let voi = self.voi(window)?;
        let shade = |stored: f64| match self.is_padding(stored) {
            true => 0,
            false => {
                let share = self.presentation.share(voi.share(self.modality.at(stored)));
                (share * 255.0).round() as u8
            }
        };
        Ok(values.shades(shade))
    }

    /// Width and level with which [`Window::Values`] draws what this window draws, or, of a sigmoid, what is nearest
    /// to it; none of a table. From here a drag of the mouse goes on.
    pub fn width_level(&self, window: Window) -> Result<Option<(f64, f64)>, WindowError> {
        if !self.photometric().is_grey() {
            return Ok(None);
        }
        Ok(self.voi(window)?.width_level())
    }

    fn voi(&self, window: Window) -> Result<Voi, WindowError> {
        let linear = |(width, level): (f64, f64)| Voi::Window { center: level, width, function: VoiFunction::Linear };
        match window {
            Window::Default => Ok(self.choices.first().map_or_else(|| self.whole_range(), |choice| choice.voi.clone())),
            Window::Auto => Ok(self.whole_range()),
            Window::File(asked) => {
                let index = (asked as usize).checked_sub(1);
                let choice = index.and_then(|index| self.choices.get(index));
                choice.map(|choice| choice.voi.clone()).ok_or(WindowError::NotInFile { asked, has: self.choices.len() })
            }
            Window::Values { width, level } => Ok(linear((width, level))),
            Window::Preset(preset) if self.unit() == Unit::Hounsfield => Ok(linear(preset.width_level())),
            Window::Preset(preset) => Err(WindowError::NeedsHounsfield { preset: preset.name() }),
        }
    }

    /// Lowest and highest modality value of a grey image, padding apart; none if it has no values.
    pub fn range(&self) -> Option<(f64, f64)> {
        if !self.photometric().is_grey() {
            return None;
        }
        self.extremes()
    }

    fn whole_range(&self) -> Voi {
        let (lowest, highest) = self.extremes().unwrap_or((f64::INFINITY, f64::NEG_INFINITY));
        Voi::Range { lowest, highest }
    }

    fn extremes(&self) -> Option<(f64, f64)> {
        let value_of = |stored: f64| {
            let value = self.modality.at(stored);
            (!self.is_padding(stored) && value.is_finite()).then_some(value)
        };
        self.values.extremes(value_of)
    }

    pub(super) fn colour(&self, values: &Values, photometric: Photometric) -> Vec<u8> {
        let highest = f64::from(u32::MAX >> (32 - self.description.bits_stored.min(32)));
        let eighth: Vec<u8> =
            values.iter().map(|value| (value / highest * 255.0).clamp(0.0, 255.0).round() as u8).collect();
        let to_rgb: fn([f64; 3]) -> [f64; 3] = match photometric {
            Photometric::YbrFull | Photometric::YbrFull422 => rgb_of_full,
            Photometric::YbrPartial420 | Photometric::YbrPartial422 => rgb_of_partial,
            _ => return eighth,
        };
        let pixels = eighth.chunks_exact(3).map(|p| to_rgb([p[0], p[1], p[2]].map(f64::from)));
        pixels.flat_map(|rgb| rgb.map(|value| value.clamp(0.0, 255.0).round() as u8)).collect()
    }
}

/// PS3.3 C.7.6.3.1.2, the inverse of YBR_FULL.
fn rgb_of_full([y, b, r]: [f64; 3]) -> [f64; 3] {
    let (b, r) = (b - 128.0, r - 128.0);
    [y + 1.402 * r, y - 0.344_136 * b - 0.714_136 * r, y + 1.772 * b]
}

/// The inverse of YBR_PARTIAL: brightness 16 to 235, colour differences 16 to 240.
fn rgb_of_partial([y, b, r]: [f64; 3]) -> [f64; 3] {
    let (y, b, r) = (1.164_4 * (y - 16.0), b - 128.0, r - 128.0);
    [y + 1.596_0 * r, y - 0.391_8 * b - 0.813_0 * r, y + 2.017_2 * b]
}

/// From the window's share of white to that of the screen (PS3.3 C.11.6).
#[derive(Debug, Clone)]
pub(super) enum Presentation {
    Identity,
    Inverse,
    Table(LookupTable),
}

impl Presentation {
    /// A table or a shape decides where there is one (C.11.6.1.2), else the photometric interpretation.
    pub(super) fn of(header: &InMemDicomObject, photometric: Photometric) -> Self {
        let table = first_item(header, tags::PRESENTATION_LUT_SEQUENCE)
            .and_then(|item| LookupTable::read(item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, false));
        match (table, text(header, tags::PRESENTATION_LUT_SHAPE).as_deref()) {
            (Some(table), _) => Self::Table(table),
            (None, Some("INVERSE")) => Self::Inverse,
            (None, Some("IDENTITY")) => Self::Identity,
            _ if photometric == Photometric::Monochrome1 => Self::Inverse,
            _ => Self::Identity,
        }
    }

    /// Whether more is shown brighter.
    pub(super) fn rises(&self) -> bool {
        self.share(0.0) <= self.share(1.0)
    }

    fn share(&self, share: f64) -> f64 {
        match self {
            Self::Identity => share,
            Self::Inverse => 1.0 - share,
            Self::Table(table) => f64::from(table.at_share(share)) / f64::from(table.highest()),
        }
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::value::DataSetSequence;
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::*;

    #[test]
    fn a_presentation_table_decides_over_shape_and_photometric_interpretation() {
        let words = |words: &[u16]| PrimitiveValue::U16(words.iter().copied().collect());
        let table = InMemDicomObject::from_element_iter([
            DataElement::new(tags::LUT_DESCRIPTOR, VR::US, words(&[3, 0, 12])),
            DataElement::new(tags::LUT_DATA, VR::OW, words(&[4095, 1024, 0])),
        ]);
        let mut header = InMemDicomObject::new_empty();
        let share = |header: &InMemDicomObject, photometric| {
            let presentation = Presentation::of(header, photometric);
            [0.0, 0.5, 1.0].map(|share| (presentation.share(share) * 4095.0).round())
        };
        assert_eq!(share(&header, Photometric::Monochrome2), [0.0, 2048.0, 4095.0]);
        assert_eq!(share(&header, Photometric::Monochrome1), [4095.0, 2048.0, 0.0]);
        header.put(DataElement::new(tags::PRESENTATION_LUT_SHAPE, VR::CS, PrimitiveValue::from("IDENTITY")));
        assert_eq!(share(&header, Photometric::Monochrome1), [0.0, 2048.0, 4095.0]);
        header.put(DataElement::new(tags::PRESENTATION_LUT_SEQUENCE, VR::SQ, DataSetSequence::from(vec![table])));
        assert_eq!(share(&header, Photometric::Monochrome2), [4095.0, 1024.0, 0.0]);
    }
}
