//! Rasters turned by quarters and mirrored, and made negative.

use super::pose::Orientation;

/// Side of the squares that are turned at a time, in pixels: so that both sides stay in the processor's cache.
const SQUARE_PX: usize = 32;

/// Turns a raster with rows of `width` pixels. What is not a whole number of rows is left out.
pub(super) fn turned<T: Copy>(pixels: Vec<T>, width: usize, orientation: Orientation) -> Vec<T> {
    let Some(&any) = pixels.first().filter(|_| width > 0 && orientation != Orientation::default()) else {
        return pixels;
    };
    let height = pixels.len() / width;
    if !orientation.swaps_axes() {
        let upside_down = orientation.quarter_turns() == 2;
        let reversed = upside_down != orientation.is_mirrored();
        let mut out = Vec::with_capacity(width * height);
        for row in 0..height {
            let row = if upside_down { height - 1 - row } else { row };
            let row = &pixels[row * width..(row + 1) * width];
            if reversed { out.extend(row.iter().rev()) } else { out.extend_from_slice(row) }
        }
        return out;
    }
    // A row of the output is a column of the input, from below for one turn, from above for three; mirrored, the
    // other way round. The first row is the first column for one turn, the last for three.
    let from_last_column = orientation.quarter_turns() == 3;
    let upwards = from_last_column == orientation.is_mirrored();
    let mut out = vec![any; width * height];
    for top in (0..width).step_by(SQUARE_PX) {
        for left in (0..height).step_by(SQUARE_PX) {
            for y in top..(top + SQUARE_PX).min(width) {
                let column = if from_last_column { width - 1 - y } else { y };
                let end = (left + SQUARE_PX).min(height);
                for (x, out) in (left..end).zip(&mut out[y * height + left..y * height + end]) {
                    let row = if upwards { height - 1 - x } else { x };
                    *out = pixels[row * width + column];
                }
            }
        }
    }
    out
}

/// Black for white, in place.
pub(super) fn invert(samples: &mut [u8]) {
    samples.iter_mut().for_each(|sample| *sample = 255 - *sample);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::content::Point;
    use crate::study::geometry::{PixelsOnly, Scale};
    use crate::view::mapping::{ImagePlane, Size};
    use crate::view::pose::{Pose, Zoom};

    fn shown(quarter_turns: u32, mirrored: bool) -> Vec<u8> {
        // 1 2 3
        // 4 5 6
        turned(vec![1, 2, 3, 4, 5, 6], 3, Orientation::new(quarter_turns, mirrored))
    }

    #[test]
    fn the_eight_orientations_of_a_small_picture() {
        assert_eq!(shown(0, false), [1, 2, 3, 4, 5, 6]);
        assert_eq!(shown(1, false), [4, 1, 5, 2, 6, 3]);
        assert_eq!(shown(2, false), [6, 5, 4, 3, 2, 1]);
        assert_eq!(shown(3, false), [3, 6, 2, 5, 1, 4]);
        assert_eq!(shown(0, true), [3, 2, 1, 6, 5, 4]);
        assert_eq!(shown(1, true), [1, 4, 2, 5, 3, 6]);
        assert_eq!(shown(2, true), [4, 5, 6, 1, 2, 3]);
        assert_eq!(shown(3, true), [6, 3, 5, 2, 4, 1]);
    }

    #[test]
    fn a_pixel_goes_where_the_mapping_says() {
        let (width, height) = (70u32, 41u32);
        let scale = Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing };
        let plane = ImagePlane::new(width, height, &scale);
        let pixels: Vec<u32> = (0..width * height).collect();
        for n in 0..8 {
            let orientation = Orientation::new(n, n >= 4);
            let size = if orientation.swaps_axes() { (height, width) } else { (width, height) };
            let viewport = Size { width: size.0, height: size.1 };
            let pose = Pose { orientation, zoom: Zoom::Factor(1.0), centre: middle(&plane), ..Pose::default() };
            let mapping = pose.mapping(&plane, viewport).unwrap();
            assert_eq!(mapping.origin(), (0, 0));
            let turned = turned(pixels.clone(), width as usize, orientation);
            for (index, pixel) in pixels.iter().enumerate() {
                let point = Point { column: f64::from(index as u32 % width), row: f64::from(index as u32 / width) };
                let (x, y) = mapping.to_screen(point);
                assert_eq!(turned[y as usize * size.0 as usize + x as usize], *pixel, "{orientation:?} {point:?}");
            }
        }
    }

    fn middle(plane: &ImagePlane) -> Point {
        Point { column: f64::from(plane.columns) / 2.0 - 0.5, row: f64::from(plane.rows) / 2.0 - 0.5 }
    }

    #[test]
    fn nothing_and_rows_of_no_length_stay_as_they_are() {
        assert_eq!(turned::<u8>(vec![], 0, Orientation::new(1, true)), [0_u8; 0]);
        assert_eq!(turned::<u8>(vec![], 5, Orientation::new(1, true)), [0_u8; 0]);
    }

    #[test]
    fn black_and_white_change_places() {
        let mut samples = [0, 1, 128, 255];
        invert(&mut samples);
        assert_eq!(samples, [255, 254, 127, 0]);
    }
}
