//! Rectangles over images that somebody looks at: drawn, not yet burned in.
//!
//! A rectangle is drawn with the mouse held down, or with a cursor of one pixel that sets two opposite corners. What was
//! burned into an image before is where its rectangles begin; a mask is always made from the original, so what stands
//! here is all of it.

use std::collections::BTreeMap;

use crate::node::api::{LeftOutImage, Rectangle};
use crate::study::mask::RECTANGLES_MAX;

/// A pixel of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pixel {
    pub(super) column: u32,
    pub(super) row: u32,
}

/// The cursor that draws, while it is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) at: Pixel,
    /// The first corner, once it is set.
    pub(super) corner: Option<Pixel>,
}

/// The rectangles over the images of one study.
#[derive(Default)]
pub(super) struct Masks {
    /// By SOP Instance UID, of images whose rectangles are not those burned in.
    drawn: BTreeMap<String, Vec<Rectangle>>,
    pub(super) cursor: Option<Cursor>,
    /// Where the mouse went down and where it is now.
    pub(super) drag: Option<(Pixel, Pixel)>,
}

/// The rectangle with two pixels as its opposite corners, both in it.
pub(super) fn between(one: Pixel, other: Pixel) -> Rectangle {
    let (column, row) = (one.column.min(other.column), one.row.min(other.row));
    Rectangle {
        column,
        row,
        columns: one.column.abs_diff(other.column).saturating_add(1),
        rows: one.row.abs_diff(other.row).saturating_add(1),
    }
}

impl Masks {
    /// The rectangles over an image, as they would be burned in.
    pub(super) fn of<'a>(&'a self, image: &'a LeftOutImage) -> &'a [Rectangle] {
        self.drawn.get(&image.sop_instance_uid).map_or(&image.mask, Vec::as_slice)
    }

    /// Whether they differ from those that were burned in.
    pub(super) fn is_changed(&self, image: &LeftOutImage) -> bool {
        self.of(image) != image.mask
    }

    /// Images with rectangles that are not burned in.
    pub(super) fn changed<'a>(&self, images: impl Iterator<Item = &'a LeftOutImage>) -> usize {
        images.filter(|image| self.is_changed(image)).count()
    }

    /// Adds one; `false` if there are as many as can be.
    pub(super) fn add(&mut self, image: &LeftOutImage, rectangle: Rectangle) -> bool {
        let rectangles = self.own(image);
        let has_room = rectangles.len() < RECTANGLES_MAX;
        if has_room {
            rectangles.push(rectangle);
        }
        has_room
    }

    /// Takes the last one back; `false` if there is none.
    pub(super) fn undo(&mut self, image: &LeftOutImage) -> bool {
        self.own(image).pop().is_some()
    }

    /// Takes away the topmost one that covers a pixel; `false` if none does.
    pub(super) fn delete(&mut self, image: &LeftOutImage, at: Pixel) -> bool {
        let covers = |r: &Rectangle| {
            let over = |start: u32, length: u32, at: u32| at.checked_sub(start).is_some_and(|from| from < length);
            over(r.column, r.columns, at.column) && over(r.row, r.rows, at.row)
        };
        let rectangles = self.own(image);
        let found = rectangles.iter().rposition(covers);
        found.map(|index| rectangles.remove(index)).is_some()
    }

    /// Puts these over an image instead of its own; whether that changed any.
    pub(super) fn put(&mut self, image: &LeftOutImage, rectangles: &[Rectangle]) -> bool {
        let changes = self.of(image) != rectangles;
        self.drawn.insert(image.sop_instance_uid.clone(), rectangles.to_vec());
        changes
    }

    /// Forgets what was drawn over images that are written.
    pub(super) fn forget(&mut self, is_written: impl Fn(&str) -> bool) {
        self.drawn.retain(|uid, _| !is_written(uid));
        (self.cursor, self.drag) = (None, None);
    }

    fn own(&mut self, image: &LeftOutImage) -> &mut Vec<Rectangle> {
        self.drawn.entry(image.sop_instance_uid.clone()).or_insert_with(|| image.mask.clone())
    }
}

/// A byte a pixel of a frame of this size, 1 under a rectangle.
pub(super) fn covered(rectangles: &[Rectangle], columns: u32, rows: u32) -> Vec<u8> {
    let width = columns as usize;
    let mut bytes = vec![0; width * rows as usize];
    for rectangle in rectangles.iter().filter_map(|rectangle| rectangle.clipped(columns, rows)) {
        let (first, columns) = (rectangle.column as usize, rectangle.columns as usize);
        let lines = bytes.chunks_exact_mut(width).skip(rectangle.row as usize).take(rectangle.rows as usize);
        lines.for_each(|line| line[first..first + columns].fill(1));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::tests::image;
    use super::*;

    fn pixel(column: u32, row: u32) -> Pixel {
        Pixel { column, row }
    }

    #[test]
    fn two_corners_in_any_order_give_the_rectangle_with_both_in_it() {
        let expected = Rectangle { column: 3, row: 4, columns: 6, rows: 2 };
        for (one, other) in [((3, 4), (8, 5)), ((8, 5), (3, 4)), ((3, 5), (8, 4)), ((8, 4), (3, 5))] {
            assert_eq!(between(pixel(one.0, one.1), pixel(other.0, other.1)), expected);
        }
        assert_eq!(between(pixel(7, 7), pixel(7, 7)), Rectangle { column: 7, row: 7, columns: 1, rows: 1 });
        assert_eq!(between(pixel(0, 0), pixel(u32::MAX, 0)).columns, u32::MAX);
    }

    #[test]
    fn what_was_burned_in_is_where_drawing_begins() {
        let burned = between(pixel(0, 0), pixel(9, 9));
        let image = LeftOutImage { mask: vec![burned], ..image("1.1", 1, 1) };
        let mut masks = Masks::default();
        assert!(masks.of(&image) == [burned] && !masks.is_changed(&image));
        let more = between(pixel(5, 5), pixel(20, 20));
        assert!(masks.add(&image, more) && masks.is_changed(&image));
        assert_eq!(masks.of(&image), [burned, more]);
        assert!(masks.delete(&image, pixel(6, 6)), "the topmost goes");
        assert_eq!((masks.of(&image), masks.is_changed(&image)), (&[burned][..], false));
        assert!(!masks.delete(&image, pixel(30, 2)) && masks.undo(&image) && !masks.undo(&image));
        assert!(masks.is_changed(&image), "it would be unmasked");
    }

    #[test]
    fn no_image_has_more_rectangles_than_are_burned_in() {
        let (image, mut masks) = (image("1.1", 1, 1), Masks::default());
        for _ in 0..RECTANGLES_MAX {
            assert!(masks.add(&image, between(pixel(0, 0), pixel(1, 1))));
        }
        assert!(!masks.add(&image, between(pixel(0, 0), pixel(1, 1))));
        assert_eq!(masks.of(&image).len(), RECTANGLES_MAX);
    }

    #[test]
    fn what_is_covered_is_cut_at_the_edges_of_the_frame() {
        let rectangles = [
            Rectangle { column: 2, row: 1, columns: 9, rows: 1 },
            Rectangle { column: u32::MAX, row: 0, columns: u32::MAX, rows: u32::MAX },
        ];
        assert_eq!(covered(&rectangles, 4, 3), [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]);
    }
}
