//! Pictures on their way to a screen: the image itself, where it lies in its viewport, and the ink above it.
//!
//! The image stays at its own resolution as long as it can: a terminal that scales by itself gets it once, and
//! zoom and pan then cost a few bytes. Ink (marks, reference lines, the scale bar) is drawn at the resolution of the
//! screen and kept apart, so that it can move without the image being sent anew.
//!
//! A raster never has more pixels than the screen has for them: an image that is larger comes averaged to the screen's
//! pixels, with a crop of whole ones. Who shows it only ever repeats or blends pixels.

use std::fmt;
use std::sync::Arc;

/// Colours of ink, by number; 0 is nothing. From [`INK_MEMBER_FIRST`] on they tell members apart.
pub const INKS: [[u8; 3]; 16] = [
    [0, 0, 0],
    [255, 255, 255], // labels, scale bar
    [255, 214, 0],   // my pencil
    [0, 230, 118],   // cursor, crosshair
    [255, 82, 82],   // warnings
    [64, 196, 255],  // reference lines
    [0, 0, 0],       // halo around other ink
    [160, 160, 160], // what is not active
    [255, 171, 64],
    [105, 240, 174],
    [234, 128, 252],
    [140, 158, 255],
    [255, 138, 128],
    [132, 255, 255],
    [204, 255, 144],
    [244, 143, 177],
];

/// The first of the eight inks that members have.
pub const INK_MEMBER_FIRST: u8 = 8;

/// A picture of 8 bits a sample.
#[derive(Clone, PartialEq, Eq)]
pub struct Raster {
    pub width: u32,
    pub height: u32,
    pub pixels: Pixels,
}

/// Row by row from the top left.
#[derive(Clone, PartialEq, Eq)]
pub enum Pixels {
    /// One byte a pixel, 0 black.
    Grey(Vec<u8>),
    /// Three bytes a pixel: red, green, blue.
    Rgb(Vec<u8>),
}

impl fmt::Debug for Raster {
    /// Pixels are patient data: only the size is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} x {} pixels]", self.width, self.height)
    }
}

/// Ink of the size of a viewport: one number of [`INKS`] a pixel, row by row from the top left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    pub width: u32,
    pub height: u32,
    pub ink: Vec<u8>,
}

/// Which picture a raster is: equal only for the same image, frame, window, inversion, flip, turn and reduction, and
/// given by counting ([`super::scene::Pictures`]), never by what a colleague could choose. Who shows pictures may keep
/// those it has sent under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PictureId(pub u64);

/// A part of a raster, in its pixels; edges may lie between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crop {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// A rectangle of a viewport, in screen pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// What one viewport shows.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Size of the viewport in screen pixels.
    pub width: u32,
    pub height: u32,
    /// Nothing where there is no image, or none that can be shown; around it is black.
    pub picture: Option<Placed>,
    pub overlay: Option<Overlay>,
}

/// A picture in its place.
#[derive(Debug, Clone)]
pub struct Placed {
    pub raster: Arc<Raster>,
    pub id: PictureId,
    /// The part that is seen.
    pub crop: Crop,
    /// Where that part goes: inside the viewport.
    pub target: Area,
    /// Whether pixels blend into each other when enlarged; otherwise each stays a rectangle.
    pub smooth: bool,
}

impl Scene {
    /// Whether another scene looks the same: pictures by their numbers, ink by every pixel.
    pub fn looks_like(&self, other: &Self) -> bool {
        let placed =
            |scene: &Self| scene.picture.as_ref().map(|placed| (placed.id, placed.crop, placed.target, placed.smooth));
        (self.width, self.height) == (other.width, other.height)
            && placed(self) == placed(other)
            && self.overlay == other.overlay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(id: u64, width: u32, ink: Option<u8>) -> Scene {
        let raster = Arc::new(Raster { width: 1, height: 1, pixels: Pixels::Grey(vec![9]) });
        let crop = Crop { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        let target = Area { x: 0, y: 0, width: 1, height: 1 };
        let picture = Some(Placed { raster, id: PictureId(id), crop, target, smooth: true });
        let overlay = ink.map(|ink| Overlay { width, height: 1, ink: vec![ink; width as usize] });
        Scene { width, height: 1, picture, overlay }
    }

    #[test]
    fn scenes_look_alike_only_if_all_of_them_is_the_same() {
        let one = scene(1, 2, Some(3));
        assert!(one.looks_like(&scene(1, 2, Some(3))));
        let mut turned = scene(1, 2, Some(3));
        turned.picture.as_mut().unwrap().smooth = false;
        let mut moved = scene(1, 2, Some(3));
        moved.picture.as_mut().unwrap().crop.x = 0.5;
        let mut empty = scene(1, 2, Some(3));
        empty.picture = None;
        for other in
            [scene(2, 2, Some(3)), scene(1, 3, Some(3)), scene(1, 2, Some(4)), scene(1, 2, None), turned, moved, empty]
        {
            assert!(!one.looks_like(&other) && !other.looks_like(&one), "{other:?}");
        }
    }
}
