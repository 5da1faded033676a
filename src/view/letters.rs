//! Which side is which, as the picture is turned.
//!
//! A wrong side is the worst error a viewer can make. Letters come from `study::geometry` or not at all, and move with
//! every turn and mirror by the same rule as the pixels do.

use super::pose::Orientation;
use crate::study::geometry::Letters;

/// The letters at the edges of the screen; none where the image has none.
pub fn letters(unturned: Option<&Letters>, orientation: Orientation) -> Option<Letters> {
    // A pose turns first and mirrors then.
    let turned = unturned?.turned(false, orientation.quarter_turns().into());
    Some(turned.turned(orientation.is_mirrored(), 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::content::Point;
    use crate::study::geometry::{PixelsOnly, Scale};
    use crate::view::mapping::{ImagePlane, Size};
    use crate::view::pose::Pose;

    fn axial() -> Letters {
        let [left, right, top, bottom] = ["R", "L", "A", "P"].map(String::from);
        Letters { left, right, top, bottom }
    }

    fn edges(orientation: Orientation) -> String {
        let Letters { left, right, top, bottom } = letters(Some(&axial()), orientation).unwrap();
        [left, right, top, bottom].concat()
    }

    #[test]
    fn letters_move_with_turns_and_mirrors() {
        let upright = Orientation::default();
        assert_eq!(edges(upright), "RLAP");
        assert_eq!(edges(upright.clockwise()), "PARL");
        assert_eq!(edges(upright.anticlockwise()), "APLR");
        assert_eq!(edges(upright.flipped_horizontally()), "LRAP");
        assert_eq!(edges(upright.flipped_vertically()), "RLPA");
        assert_eq!(edges(upright.clockwise().flipped_horizontally()), "APRL");
    }

    #[test]
    fn no_letters_stay_none() {
        assert_eq!(letters(None, Orientation::new(1, true)), None);
    }

    #[test]
    fn a_letter_is_at_the_edge_where_its_pixels_are() {
        let plane = ImagePlane::new(40, 40, &Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing });
        let viewport = Size { width: 40, height: 40 };
        // The middles of the edges of the unturned image, with their letters.
        let sides = [('R', 0.0, 19.5), ('L', 39.0, 19.5), ('A', 19.5, 0.0), ('P', 19.5, 39.0)];
        for n in 0..8 {
            let orientation = Orientation::new(n, n >= 4);
            let mapping = Pose { orientation, ..Pose::default() }.mapping(&plane, viewport).unwrap();
            let letters = letters(Some(&axial()), orientation).unwrap();
            for (letter, column, row) in sides {
                let (x, y) = mapping.to_screen(Point { column, row });
                let edge = match (x, y) {
                    (x, _) if x < 1.0 => &letters.left,
                    (x, _) if x > 39.0 => &letters.right,
                    (_, y) if y < 1.0 => &letters.top,
                    _ => &letters.bottom,
                };
                assert_eq!(edge, &letter.to_string(), "{orientation:?}");
            }
        }
    }
}
