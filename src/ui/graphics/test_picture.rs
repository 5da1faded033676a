//! A picture that shows how many greys a terminal can show, after the test patterns of SMPTE RP 133 and AAPM TG18.
//!
//! From top to bottom: rows of 16, 32 and 64 equal steps, a ramp of all 256, and two large patches, black and white,
//! each with a smaller one in it that differs by five percent. Who cannot see the small patches, or counts fewer steps
//! than there are, sees less of a patient than the program sent. It calibrates nothing.

use std::sync::Arc;

use crate::view::raster::{Area, Crop, PictureId, Pixels, Placed, Raster, Scene};

/// Steps of the rows, from the top.
pub const STEPS: [u32; 4] = [16, 32, 64, 256];

/// How much the inner patches differ from the outer ones: 5 % and 95 % on 0 % and 100 %.
const PATCH_PERCENT: u32 = 5;

/// Black lines between the rows, so that none borrows brightness from its neighbour; fewer where rows are low.
const GAP_PX: u32 = 2;

/// No image is counted so far.
const ID: PictureId = PictureId(u64::MAX);

/// A viewport full of it.
pub fn scene(width: u32, height: u32) -> Scene {
    let crop = Crop { x: 0.0, y: 0.0, width: f64::from(width), height: f64::from(height) };
    let target = Area { x: 0, y: 0, width, height };
    let raster = Arc::new(grey_steps(width, height));
    Scene { width, height, picture: Some(Placed { raster, id: ID, crop, target, smooth: false }), overlay: None }
}

/// The picture in the size asked for; at least 256 x 60 pixels are needed to show all of it.
pub fn grey_steps(width: u32, height: u32) -> Raster {
    let rows = STEPS.len() as u32 + 2;
    let row_height = (height / rows).max(1);
    let gap_px = GAP_PX.min(row_height / 3);
    let mut pixels = Vec::with_capacity(width as usize * height as usize);
    for y in 0..height {
        let (row, within) = (y / row_height, y % row_height);
        let gap = within >= row_height - gap_px;
        for x in 0..width {
            pixels.push(match STEPS.get(row as usize) {
                Some(_) if gap => 0,
                Some(&steps) => step(x, width, steps),
                None => patches(x, y - STEPS.len() as u32 * row_height, width, height, row_height),
            });
        }
    }
    Raster { width, height, pixels: Pixels::Grey(pixels) }
}

/// The grey of a column in a row of equal steps from black to white.
fn step(x: u32, width: u32, steps: u32) -> u8 {
    let step = x * steps / width.max(1);
    (step * 255 / (steps - 1)).min(255) as u8
}

/// Left the black patch, right the white one, each with its inner patch in the middle.
fn patches(x: u32, y: u32, width: u32, height: u32, row_height: u32) -> u8 {
    let (half, tall) = ((width / 2).max(1), height.saturating_sub(STEPS.len() as u32 * row_height).max(1));
    let middle = |at: u32, size: u32| (size / 3..size - size / 3).contains(&at);
    let inner = middle(x % half, half) && middle(y, tall);
    let by = (255 * PATCH_PERCENT / 100) as u8;
    match (x < half, inner) {
        (true, false) => 0,
        (true, true) => by,
        (false, true) => 255 - by,
        (false, false) => 255,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(picture: &Raster, y: u32) -> Vec<u8> {
        let Pixels::Grey(pixels) = &picture.pixels else { panic!("the test picture is grey") };
        let start = (y * picture.width) as usize;
        pixels[start..start + picture.width as usize].to_vec()
    }

    #[test]
    fn each_row_has_as_many_steps_as_it_claims_from_black_to_white() {
        let picture = grey_steps(512, 240);
        for (index, steps) in STEPS.into_iter().enumerate() {
            let mut row = row(&picture, index as u32 * 40 + 20);
            assert!(row.is_sorted());
            assert_eq!((row[0], row[511]), (0, 255));
            row.dedup();
            assert_eq!(row.len(), steps as usize);
        }
    }

    #[test]
    fn low_rows_are_seen_as_well() {
        // Eight rows of half-blocks.
        let picture = grey_steps(72, 16);
        for (index, steps) in STEPS.into_iter().enumerate() {
            let mut row = row(&picture, index as u32 * 2 + 1);
            row.dedup();
            assert_eq!(row.len(), steps.min(72) as usize);
        }
    }

    #[test]
    fn the_inner_patches_differ_by_five_percent() {
        let picture = grey_steps(512, 240);
        let middle = row(&picture, 200);
        assert_eq!((middle[128], middle[10], middle[384], middle[500]), (12, 0, 243, 255));
    }

    #[test]
    fn any_size_is_drawn() {
        for (width, height) in [(0, 0), (1, 1), (3, 200), (300, 3), (7, 5)] {
            let picture = grey_steps(width, height);
            let Pixels::Grey(pixels) = &picture.pixels else { panic!("the test picture is grey") };
            assert_eq!(pixels.len(), (width * height) as usize);
        }
    }
}
