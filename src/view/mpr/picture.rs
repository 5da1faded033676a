//! A reformat as a picture: the series' own window, and a pattern that no patient has where a slice is missing.

use super::{Coverage, Reformat};
use crate::study::pixels::{Frame, Picture, Window, WindowError};

/// Width of the stripes over missing slices, and how often they come, in pixels.
const STRIPE_PX: usize = 2;
const STRIPE_PERIOD_PX: usize = 8;

/// Grey of the stripes.
const STRIPE: u8 = 96;

impl Reformat {
    /// Draws the values as `frame`, one of the series, draws its own. Missing slices are striped; padding, and what is
    /// outside of the volume, is black.
    pub fn picture(&self, frame: &Frame, window: Window) -> Result<Picture, WindowError> {
        let mut shades = frame.shades(window, &self.values)?;
        let columns = self.plane.columns() as usize;
        for (index, (shade, coverage)) in shades.iter_mut().zip(&self.coverage).enumerate() {
            if *coverage == Coverage::Missing {
                let is_striped = (index / columns + index % columns) % STRIPE_PERIOD_PX < STRIPE_PX;
                *shade = if is_striped { STRIPE } else { 0 };
            }
        }
        Ok(Picture { rows: self.plane.rows(), columns: self.plane.columns(), samples: 1, bytes: shades })
    }
}

#[cfg(test)]
mod tests {
    use crate::case::content::Point;
    use crate::study::pixels::{Window, read_frame};
    use crate::study::plane::Plane;
    use crate::study::synthetic;
    use crate::view::mpr::{Cut, Reformat};
    use crate::view::stack::Stack;
    use crate::view::volume::{Sample, Volume};

    #[test]
    fn a_reformat_is_windowed_like_its_series_and_a_missing_slice_is_striped() {
        let frames: Vec<_> =
            [30, 31, 32].map(|index| read_frame(&synthetic::slice(1, index, 60).unwrap(), 1).unwrap()).into();
        let plane = |z| Plane::stated([0.0, 0.0, z], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [1.0, 1.0], 512, 512).unwrap();
        let planes = [0.0, 1.0, 2.0].map(plane);
        let mut volume = Volume::of(Stack::of(&planes).unwrap()).unwrap();
        for slice in [0, 2] {
            let values = frames[slice].values_without_padding().unwrap();
            volume.insert(slice, &planes[slice], &values, frames[slice].unit()).unwrap();
        }
        let window = Window::Values { width: 400.0, level: 40.0 };
        let cuts = Cut::Axial.planes(volume.stack()).unwrap();
        let grey = |index| {
            let reformat = Reformat::of(&volume, &cuts.plane(index).unwrap(), None).unwrap();
            reformat.picture(&frames[0], window).unwrap().bytes
        };
        assert!(grey(2) == frames[0].display(window).unwrap().bytes);
        let missing = grey(1);
        let striped = missing.iter().filter(|shade| **shade == super::STRIPE).count();
        assert_eq!((striped * 4, missing.iter().filter(|shade| **shade == 0).count() * 4), (512 * 512, 512 * 512 * 3));
        let probed =
            Reformat::of(&volume, &cuts.plane(2).unwrap(), None).unwrap().at(Point { column: 163.0, row: 226.0 });
        assert_eq!(probed, Sample::Value(frames[0].modality_at(163, 226).unwrap() as f32));
    }
}
