//! Display shutters (PS3.3 C.7.6.11): the part of an image that its maker wanted covered.
//!
//! A shutter is a layer above the picture. Values under it stay what they are, so that probes and statistics are
//! the same with and without it; whoever shows the picture may lift it.
//!
//! Not here: bitmap shutters, which belong to presentation states, and the colour of a shutter over a colour image,
//! where the grey one does.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{FrameGroups, number, numbers, words};

/// Most corners of a polygonal shutter.
pub const SHUTTER_CORNERS_MAX: usize = 1024;

/// The shutter of a frame: what all of its shapes leave open is seen. Places count from 0 here, from 1 in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Shutter {
    shapes: Vec<Opening>,
    /// Shutter Presentation Value (0018,1622) in 8 bits: what the covered part is drawn in.
    pub grey: u8,
}

/// What one shape leaves open; its edges are open.
#[derive(Debug, Clone, PartialEq)]
enum Opening {
    Rectangle {
        left: f64,
        right: f64,
        upper: f64,
        lower: f64,
    },
    Circle {
        column: f64,
        row: f64,
        radius: f64,
    },
    /// Columns and rows of corners.
    Polygon(Vec<(f64, f64)>),
}

impl Shutter {
    /// The shutter of a frame, counted from 1; none if the file states no shape that can be drawn.
    pub(super) fn of(header: &InMemDicomObject, frame: u32) -> Option<Self> {
        let holder = FrameGroups::of(header, frame).holder(tags::FRAME_DISPLAY_SHUTTER_SEQUENCE);
        let shapes: Vec<Opening> =
            words(holder, tags::SHUTTER_SHAPE).iter().take(3).filter_map(|shape| Opening::of(holder, shape)).collect();
        let value = number(holder, tags::SHUTTER_PRESENTATION_VALUE).unwrap_or(0.0);
        let grey = (value / 65_535.0 * 255.0).clamp(0.0, 255.0).round() as u8;
        (!shapes.is_empty()).then_some(Self { shapes, grey })
    }

    /// One byte a pixel of an image of this size, row by row: 1 where it is covered.
    pub fn mask(&self, rows: u32, columns: u32) -> Vec<u8> {
        let mut mask = Vec::with_capacity(rows as usize * columns as usize);
        for row in 0..rows {
            let open: Vec<Vec<Span>> = self.shapes.iter().map(|shape| shape.open(f64::from(row))).collect();
            mask.extend((0..columns).map(|column| {
                let at = f64::from(column);
                let seen = open.iter().all(|spans| spans.iter().any(|(from, to)| (*from..=*to).contains(&at)));
                u8::from(!seen)
            }));
        }
        mask
    }
}

/// From a column to another, both included.
type Span = (f64, f64);

impl Opening {
    fn of(holder: &InMemDicomObject, shape: &str) -> Option<Self> {
        let edge = |tag: Tag| number(holder, tag).map(|edge| edge - 1.0);
        match shape {
            "RECTANGULAR" => Some(Self::Rectangle {
                left: edge(tags::SHUTTER_LEFT_VERTICAL_EDGE)?,
                right: edge(tags::SHUTTER_RIGHT_VERTICAL_EDGE)?,
                upper: edge(tags::SHUTTER_UPPER_HORIZONTAL_EDGE)?,
                lower: edge(tags::SHUTTER_LOWER_HORIZONTAL_EDGE)?,
            }),
            "CIRCULAR" => {
                let &[row, column] = numbers(holder, tags::CENTER_OF_CIRCULAR_SHUTTER).first_chunk()?;
                let radius = number(holder, tags::RADIUS_OF_CIRCULAR_SHUTTER).filter(|radius| *radius > 0.0)?;
                Some(Self::Circle { column: column - 1.0, row: row - 1.0, radius })
            }
            "POLYGONAL" => {
                let places = numbers(holder, tags::VERTICES_OF_THE_POLYGONAL_SHUTTER);
                let corners: Vec<(f64, f64)> =
                    places.chunks_exact(2).map(|corner| (corner[1] - 1.0, corner[0] - 1.0)).collect();
                (3..=SHUTTER_CORNERS_MAX).contains(&corners.len()).then_some(Self::Polygon(corners))
            }
            _ => None,
        }
    }

    /// The columns of a row that are open.
    fn open(&self, row: f64) -> Vec<Span> {
        match self {
            Self::Rectangle { left, right, upper, lower } => match (*upper..=*lower).contains(&row) {
                true => vec![(*left, *right)],
                false => Vec::new(),
            },
            Self::Circle { column, row: middle, radius } => {
                let half = (radius * radius - (row - middle).powi(2)).sqrt(); // no number outside
                if half.is_nan() { Vec::new() } else { vec![(column - half, column + half)] }
            }
            Self::Polygon(corners) => {
                let sides = || corners.iter().zip(corners.iter().cycle().skip(1));
                let crossing = |a: &(f64, f64), b: &(f64, f64)| a.0 + (b.0 - a.0) * (row - a.1) / (b.1 - a.1);
                let mut crossings: Vec<f64> =
                    sides().filter(|(a, b)| (a.1 > row) != (b.1 > row)).map(|(a, b)| crossing(a, b)).collect();
                crossings.sort_by(f64::total_cmp);
                // A closed outline crosses a line an even number of times; its sides are open themselves.
                let inside = crossings.chunks_exact(2).map(|pair| (pair[0], pair[1]));
                let edges =
                    sides().filter(|(a, b)| (a.1.min(b.1)..=a.1.max(b.1)).contains(&row)).map(|(a, b)| {
                        match a.1 == b.1 {
                            true => (a.0.min(b.0), a.0.max(b.0)),
                            false => (crossing(a, b), crossing(a, b)),
                        }
                    });
                inside.chain(edges).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::value::DataSetSequence;
    use dicom_core::{DataElement, PrimitiveValue, VR};
    use proptest::prelude::*;

    use super::*;

    fn header(attributes: &[(Tag, &str)]) -> InMemDicomObject {
        let elements = attributes.iter().map(|&(tag, text)| DataElement::new(tag, VR::IS, PrimitiveValue::from(text)));
        InMemDicomObject::from_element_iter(elements)
    }

    const RECTANGLE: [(Tag, &str); 4] = [
        (tags::SHUTTER_LEFT_VERTICAL_EDGE, "2"),
        (tags::SHUTTER_RIGHT_VERTICAL_EDGE, "4"),
        (tags::SHUTTER_UPPER_HORIZONTAL_EDGE, "1"),
        (tags::SHUTTER_LOWER_HORIZONTAL_EDGE, "2"),
    ];

    /// What is open of 4 rows of 5 columns, as text.
    fn picture(attributes: &[(Tag, &str)]) -> Option<String> {
        let mask = Shutter::of(&header(attributes), 1)?.mask(4, 5);
        let line = |line: &[u8]| line.iter().map(|&covered| if covered == 1 { '#' } else { '.' }).collect::<String>();
        Some(mask.chunks(5).map(line).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_rectangle_is_open_with_its_edges() {
        let shape = [(tags::SHUTTER_SHAPE, "RECTANGULAR")];
        assert_eq!(picture(&[&shape[..], &RECTANGLE].concat()).unwrap(), "#...# #...# ##### #####");
    }

    #[test]
    fn a_circle_is_open_within_its_radius() {
        let circle = [
            (tags::SHUTTER_SHAPE, "CIRCULAR"),
            (tags::CENTER_OF_CIRCULAR_SHUTTER, "2\\3"),
            (tags::RADIUS_OF_CIRCULAR_SHUTTER, "1"),
        ];
        assert_eq!(picture(&circle).unwrap(), "##.## #...# ##.## #####");
    }

    #[test]
    fn a_polygon_is_open_with_its_sides() {
        let polygon =
            |corners| [(tags::SHUTTER_SHAPE, "POLYGONAL"), (tags::VERTICES_OF_THE_POLYGONAL_SHUTTER, corners)];
        assert_eq!(picture(&polygon("1\\2\\1\\4\\3\\4\\3\\2")).unwrap(), "#...# #...# #...# #####");
        assert_eq!(picture(&polygon("1\\1\\4\\1\\4\\4")).unwrap(), ".#### ..### ...## ....#");
        // Two towers with a valley between.
        assert_eq!(picture(&polygon("1\\1\\3\\3\\1\\5\\4\\5\\4\\1")).unwrap(), ".###. ..#.. ..... .....");
    }

    #[test]
    fn what_several_shapes_leave_open_is_seen() {
        let both = [
            (tags::SHUTTER_SHAPE, "CIRCULAR\\RECTANGULAR"),
            (tags::CENTER_OF_CIRCULAR_SHUTTER, "2\\3"),
            (tags::RADIUS_OF_CIRCULAR_SHUTTER, "1"),
        ];
        assert_eq!(picture(&[&both[..], &RECTANGLE].concat()).unwrap(), "##.## #...# ##### #####");
    }

    #[test]
    fn a_shape_without_its_numbers_covers_nothing() {
        for shape in ["", "RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP", "ROUND"] {
            assert_eq!(picture(&[(tags::SHUTTER_SHAPE, shape)]), None, "{shape}");
        }
        let two = [(tags::SHUTTER_SHAPE, "POLYGONAL"), (tags::VERTICES_OF_THE_POLYGONAL_SHUTTER, "1\\1\\2\\2")];
        assert_eq!(picture(&two), None);
    }

    #[test]
    fn each_frame_has_its_own_and_its_grey() {
        let shape = [(tags::SHUTTER_SHAPE, "RECTANGULAR"), (tags::SHUTTER_PRESENTATION_VALUE, "32896")];
        let shutter = header(&[&shape[..], &RECTANGLE].concat());
        let nest = |tag, items: Vec<InMemDicomObject>| DataElement::new(tag, VR::SQ, DataSetSequence::from(items));
        let first = InMemDicomObject::new_empty();
        let second = InMemDicomObject::from_element_iter([nest(tags::FRAME_DISPLAY_SHUTTER_SEQUENCE, vec![shutter])]);
        let groups = nest(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, vec![first, second]);
        let image = InMemDicomObject::from_element_iter([groups]);
        assert_eq!(Shutter::of(&image, 1), None);
        assert_eq!(Shutter::of(&image, 2).unwrap().grey, 128);
    }

    proptest! {
        #[test]
        fn any_numbers_give_a_mask(
            numbers in prop::collection::vec(-2_000_000_000i64..2_000_000_000, 0..12), shape in 0..3usize,
        ) {
            let text: Vec<String> = numbers.iter().map(i64::to_string).collect();
            let (text, one) = (text.join("\\"), text.first().cloned().unwrap_or_default());
            let shutter = Shutter::of(&header(&[
                (tags::SHUTTER_SHAPE, ["RECTANGULAR", "CIRCULAR", "POLYGONAL"][shape]),
                (tags::VERTICES_OF_THE_POLYGONAL_SHUTTER, &text),
                (tags::CENTER_OF_CIRCULAR_SHUTTER, &text),
                (tags::RADIUS_OF_CIRCULAR_SHUTTER, &one),
                (tags::SHUTTER_LEFT_VERTICAL_EDGE, &one),
                (tags::SHUTTER_RIGHT_VERTICAL_EDGE, "3"),
                (tags::SHUTTER_UPPER_HORIZONTAL_EDGE, "1"),
                (tags::SHUTTER_LOWER_HORIZONTAL_EDGE, &one),
            ]), 1);
            prop_assert!(shutter.is_none_or(|shutter| shutter.mask(4, 5).len() == 20));
        }
    }
}
