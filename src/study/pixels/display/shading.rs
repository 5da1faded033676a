//! What a picture needs that is made of several frames, as a reformat is: a frame's values without its padding, and its
//! shades for values that are not its own.

use super::super::{Frame, Values};
use super::{Window, WindowError};

/// Widest range of stored values for which values are computed once each.
const TABLE_VALUES_MAX: i64 = 65_536;

impl Frame {
    /// The modality values row by row, not a number in padding and where there is none; `None` of colours.
    pub fn values_without_padding(&self) -> Option<Vec<f32>> {
        if !self.photometric().is_grey() {
            return None;
        }
        let value = |stored: f64| match self.is_padding(stored) {
            true => f32::NAN,
            false => self.modality.at(stored) as f32,
        };
        if let Values::I32(values) = &self.values {
            let lowest = values.iter().copied().min().unwrap_or_default();
            let highest = values.iter().copied().max().unwrap_or_default();
            if i64::from(highest) - i64::from(lowest) < TABLE_VALUES_MAX {
                let table: Vec<f32> = (lowest..=highest).map(|stored| value(f64::from(stored))).collect();
                let of = |stored: &i32| table.get(stored.abs_diff(lowest) as usize).copied().unwrap_or(f32::NAN);
                return Some(values.iter().map(of).collect());
            }
        }
        Some(self.values.iter().map(value).collect())
    }

    /// Modality values of any number as this frame would draw them; black where there is none.
    pub fn shades(&self, window: Window, values: &[f32]) -> Result<Vec<u8>, WindowError> {
        let voi = self.voi(window)?;
        let shade = |value: &f32| match value.is_nan() {
            true => 0,
            false => {
                let share = self.presentation.share(voi.share(f64::from(*value)));
                (share * 255.0).round() as u8
            }
        };
        Ok(values.iter().map(shade).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Presentation;
    use crate::study::pixels::{Photometric, Preset, Window, read_frame};
    use crate::study::synthetic;

    #[test]
    fn shades_of_a_frames_own_values_are_its_picture() {
        let mut frame = read_frame(&synthetic::slice(1, 30, 60).unwrap(), 1).unwrap();
        // Air outside of the scan: stored 0.
        frame.padding = Some((0.0, 0.0));
        let values = frame.values_without_padding().unwrap();
        assert!(values[0].is_nan() && values.iter().filter(|value| value.is_nan()).count() < values.len() / 3);
        for presentation in [Presentation::Identity, Presentation::Inverse] {
            frame.presentation = presentation;
            let narrow = Window::Values { width: 0.5, level: 40.0 };
            for window in [Window::Default, Window::File(2), Window::Preset(Preset::Lung), narrow] {
                assert!(frame.shades(window, &values).unwrap() == frame.display(window).unwrap().bytes);
            }
        }
        assert!(frame.shades(Window::File(9), &values).is_err());
        frame.description.photometric = Photometric::Rgb;
        assert_eq!(frame.values_without_padding(), None);
    }
}
