//! Small pictures that tell images apart: reduced once, then placed in whatever room there is.
//!
//! They are for finding an image, not for reading it: nothing is measured on them, and none counts as displayed.

use super::mapping::{ImagePlane, Size};
use super::pose::Pose;
use super::raster::{Area, Placed, Scene};
use super::scene::{Asked, Pictures};
use crate::study::pixels::Picture;

/// Longer side of a thumbnail, in pixels.
pub const SIDE_PX: u32 = 256;

/// A picture of at most [`SIDE_PX`] by [`SIDE_PX`].
#[derive(Debug, Clone)]
pub struct Thumbnail(Placed);

impl Thumbnail {
    /// Reduces a picture whose pixels have this shape; `None` where it is broken.
    pub fn of(plane: &ImagePlane, picture: Picture) -> Option<Self> {
        let (pose, viewport) = (Pose::default(), Size { width: SIDE_PX, height: SIDE_PX });
        let asked = Asked { key: (), plane, pose: &pose, viewport, draft: false };
        let scene = Pictures::default().scene(asked, |_| Ok::<_, std::convert::Infallible>(picture));
        scene.ok()?.picture.map(Self)
    }

    /// As large as it can be in the middle of a viewport.
    pub fn scene(&self, viewport: Size) -> Scene {
        let Size { width, height } = viewport;
        let (wide, high) = (f64::from(self.0.target.width), f64::from(self.0.target.height));
        let factor = (f64::from(width) / wide).min(f64::from(height) / high);
        // Within the viewport, so that whole numbers fit.
        let side = |length: f64, most: u32| ((length * factor).round() as u32).clamp(1.min(most), most);
        let (across, down) = (side(wide, width), side(high, height));
        let target = Area { x: (width - across) / 2, y: (height - down) / 2, width: across, height: down };
        let picture = (!viewport.is_empty()).then(|| Placed { target, ..self.0.clone() });
        Scene { width, height, picture, overlay: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::study::geometry::{PixelsOnly, Scale};

    fn thumbnail(columns: u32, rows: u32, aspect: f64) -> Thumbnail {
        let bytes = vec![9; columns as usize * rows as usize];
        let plane = ImagePlane::new(columns, rows, &Scale::Pixels { aspect, why: PixelsOnly::NoSpacing });
        Thumbnail::of(&plane, Picture { rows, columns, samples: 1, bytes }).unwrap()
    }

    #[test]
    fn an_image_is_reduced_to_its_longer_side_and_a_small_one_keeps_its_pixels() {
        let large = thumbnail(1024, 512, 1.0);
        assert_eq!((large.0.raster.width, large.0.raster.height), (256, 128));
        let small = thumbnail(64, 64, 1.0);
        assert_eq!((small.0.raster.width, small.0.raster.height), (64, 64));
    }

    #[test]
    fn it_stands_in_the_middle_with_the_shape_of_the_image() {
        let target = |viewport| thumbnail(100, 50, 1.0).scene(viewport).picture.unwrap().target;
        let middle = Area { x: 0, y: 25, width: 100, height: 50 };
        assert_eq!(target(Size { width: 100, height: 100 }), middle);
        // Rows twice as far apart as columns make it square.
        let square = thumbnail(100, 50, 2.0).scene(Size { width: 40, height: 20 }).picture.unwrap().target;
        assert_eq!(square, Area { x: 10, y: 0, width: 20, height: 20 });
    }

    #[test]
    fn without_pixels_or_room_there_is_none() {
        let plane = ImagePlane::new(4, 4, &Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing });
        let broken = Picture { rows: 4, columns: 4, samples: 1, bytes: vec![0; 3] };
        assert!(Thumbnail::of(&plane, broken).is_none());
        for viewport in [Size { width: 0, height: 9 }, Size { width: 9, height: 0 }] {
            assert!(thumbnail(4, 4, 1.0).scene(viewport).picture.is_none());
        }
    }

    proptest! {
        #[test]
        fn it_never_leaves_its_viewport(
            (columns, rows) in (1u32..600, 1u32..600),
            aspect in 0.01f64..100.0,
            (width, height) in (1u32..400, 1u32..400),
        ) {
            let scene = thumbnail(columns, rows, aspect).scene(Size { width, height });
            let Area { x, y, width: across, height: down } = scene.picture.unwrap().target;
            prop_assert!(across >= 1 && down >= 1 && x + across <= width && y + down <= height);
        }
    }
}
