//! Where a frame's pixels lie in the patient: the Image Plane (PS3.3 C.7.6.2), read from a header and checked once.
//!
//! A [`Plane`] is sound by construction: finite, of believable size, with directions of unit length at a right angle.
//! So nothing that builds on it has to think of NaN, of zero spacing or of cosines that are none. Places are in
//! millimetres in the patient's own axes (LPS: x to the left, y to the back, z to the head), whatever way the patient
//! lay in the scanner. Pixels are counted as everywhere: (0,0) is the centre of the first one, column before row.
//!
//! What the header does not state is refused, never filled in: a projection has no plane in the patient, a multi-frame
//! image without positions of its frames has one for none of them, and a file that contradicts itself about its sides
//! places nothing. Not here: the planes of NM detectors, dose grids and ultrasound volumes, which are stated otherwise.

use std::sync::Arc;

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::geometry::{self, Letters, SPACING_MM_MAX};
use super::pixels::attributes::{FrameGroups, number, numbers, text, whole};
use crate::case::content::Point;

/// A place or a direction in the patient: LPS, places in mm.
pub type Vector = [f64; 3];

/// Furthest believable place from the origin of a frame of reference, in mm: a hundred metres.
pub const POSITION_MM_MAX: f64 = 1e5;

/// Smallest believable distance of two pixels, in mm: a tenth of what a microscope resolves.
pub const SPACING_MM_MIN: f64 = 1e-5;

/// Most rows or columns of a plane, in pixels.
pub const SIDE_PX_MAX: u32 = 65_535;

/// How far directions may be from unit length (squared) and from a right angle: less than a pixel over 500 mm. Letters
/// need less (see [`geometry::orientation`]).
const COSINE_TOLERANCE: f64 = 1e-3;

/// The plane of one frame, with the rectangle of pixels in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    origin_mm: Vector,
    across: Vector,
    down: Vector,
    normal: Vector,
    between_columns_mm: f64,
    between_rows_mm: f64,
    columns: u32,
    rows: u32,
    thickness_mm: Option<f64>,
    frame_of_reference: Option<Arc<str>>,
}

impl Plane {
    /// The plane of a frame, counted from 1.
    pub fn of(header: &InMemDicomObject, frame: u32) -> Result<Self, PlaneError> {
        let groups = FrameGroups::of(header, frame);
        let positions = groups.holder(tags::PLANE_POSITION_SEQUENCE);
        let is_in_groups = !std::ptr::eq(positions, header);
        let frames = whole(header, tags::NUMBER_OF_FRAMES).unwrap_or(1).max(1);
        if !(1..=frames).contains(&frame) {
            return Err(PlaneError::NoSuchFrame { frame, frames });
        }
        if frames > 1 && !is_in_groups {
            return Err(PlaneError::FramesNotPlaced);
        }
        if !is_in_groups && geometry::is_projection(&text(header, tags::MODALITY).unwrap_or_default()) {
            return Err(PlaneError::Projection);
        }
        let position = exactly(positions, tags::IMAGE_POSITION_PATIENT, "Image Position (Patient)")?;
        let orientations = groups.holder(tags::PLANE_ORIENTATION_SEQUENCE);
        let orientation = exactly(orientations, tags::IMAGE_ORIENTATION_PATIENT, "Image Orientation (Patient)")?;
        let measures = groups.holder(tags::PIXEL_MEASURES_SEQUENCE);
        let spacing = exactly(measures, tags::PIXEL_SPACING, "Pixel Spacing")?;
        let side = |tag| whole(header, tag).unwrap_or(0);
        let plane = Self::stated(position, orientation, spacing, side(tags::COLUMNS), side(tags::ROWS))?;
        if geometry::orientation(header, frame).is_none() {
            return Err(PlaneError::Contradiction);
        }
        let plane = match number(measures, tags::SLICE_THICKNESS) {
            Some(thickness_mm) => plane.with_thickness(thickness_mm),
            None => plane,
        };
        Ok(match text(header, tags::FRAME_OF_REFERENCE_UID) {
            Some(uid) => plane.within(&uid),
            None => plane,
        })
    }

    /// A plane from the numbers of its attributes: the first pixel's place, the directions of a row and of a column,
    /// the spacing between rows and between columns.
    pub fn stated(
        position_mm: [f64; 3],
        orientation: [f64; 6],
        spacing_mm: [f64; 2],
        columns: u32,
        rows: u32,
    ) -> Result<Self, PlaneError> {
        if !position_mm.iter().all(|mm| mm.abs() <= POSITION_MM_MAX) {
            return Err(PlaneError::Unbelievable { what: "Image Position (Patient)" });
        }
        if !spacing_mm.iter().all(|mm| (SPACING_MM_MIN..=SPACING_MM_MAX).contains(mm)) {
            return Err(PlaneError::Unbelievable { what: "Pixel Spacing" });
        }
        let sides = 1..=SIDE_PX_MAX;
        if !sides.contains(&columns) || !sides.contains(&rows) {
            return Err(PlaneError::Unbelievable { what: "Rows or Columns" });
        }
        let [a, b, c, d, e, f] = orientation;
        let (across, down) = ([a, b, c], [d, e, f]);
        let is_unit = |v: Vector| (dot(v, v) - 1.0).abs() <= COSINE_TOLERANCE;
        // A NaN compares false, and so is refused.
        if !(is_unit(across) && is_unit(down) && dot(across, down).abs() <= COSINE_TOLERANCE) {
            return Err(PlaneError::NotDirections);
        }
        let across = unit(across);
        let down = unit(minus(down, times(across, dot(across, down))));
        Ok(Self {
            origin_mm: position_mm,
            across,
            down,
            normal: cross(across, down),
            between_columns_mm: spacing_mm[1],
            between_rows_mm: spacing_mm[0],
            columns,
            rows,
            thickness_mm: None,
            frame_of_reference: None,
        })
    }

    /// The same with its slice thickness; one that is not believable is none.
    pub fn with_thickness(self, thickness_mm: f64) -> Self {
        let believable = (SPACING_MM_MIN..=SPACING_MM_MAX).contains(&thickness_mm);
        Self { thickness_mm: believable.then_some(thickness_mm), ..self }
    }

    /// The same in the frame of reference with this UID.
    pub fn within(self, frame_of_reference: &str) -> Self {
        let uid = frame_of_reference.trim_matches([' ', '\0']);
        Self { frame_of_reference: (!uid.is_empty()).then(|| uid.into()), ..self }
    }

    /// The same in the frame of reference of another one.
    pub fn beside(self, other: &Self) -> Self {
        Self { frame_of_reference: other.frame_of_reference.clone(), ..self }
    }

    /// The same, moved.
    pub fn moved(&self, by_mm: Vector) -> Self {
        Self { origin_mm: plus(self.origin_mm, by_mm), ..self.clone() }
    }

    /// The place of a pixel.
    pub fn patient(&self, at: Point) -> Vector {
        let across = times(self.across, at.column * self.between_columns_mm);
        let down = times(self.down, at.row * self.between_rows_mm);
        plus(self.origin_mm, plus(across, down))
    }

    /// The pixel on which a place lies, seen along the normal; it may be outside of the image and between pixels.
    pub fn pixel(&self, place: Vector) -> Point {
        let from_origin = minus(place, self.origin_mm);
        Point {
            column: dot(from_origin, self.across) / self.between_columns_mm,
            row: dot(from_origin, self.down) / self.between_rows_mm,
        }
    }

    /// How far a place lies above the plane, along the normal.
    pub fn height_mm(&self, place: Vector) -> f64 {
        dot(minus(place, self.origin_mm), self.normal)
    }

    /// Whether a pixel belongs to the image, its outer half pixels included.
    pub fn holds(&self, at: Point) -> bool {
        let within = |at: f64, length: u32| (-0.5..=f64::from(length) - 0.5).contains(&at);
        within(at.column, self.columns) && within(at.row, self.rows)
    }

    /// The middle of the image.
    pub fn middle(&self) -> Vector {
        self.patient(Point { column: f64::from(self.columns - 1) / 2.0, row: f64::from(self.rows - 1) / 2.0 })
    }

    /// The centres of the four pixels in the corners.
    pub fn corners(&self) -> [Vector; 4] {
        let (right, bottom) = (f64::from(self.columns - 1), f64::from(self.rows - 1));
        [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)]
            .map(|(column, row)| self.patient(Point { column, row }))
    }

    /// The letters at the image's edges.
    pub fn letters(&self) -> Option<Letters> {
        geometry::edges(self.across, self.down)
    }

    /// Whether places of both mean the same: their frame of reference is stated, and the same one.
    pub fn shares_space_with(&self, other: &Self) -> bool {
        self.frame_of_reference.is_some() && self.frame_of_reference == other.frame_of_reference
    }

    /// The centre of the first pixel.
    pub fn origin_mm(&self) -> Vector {
        self.origin_mm
    }

    /// The direction in which columns are counted: along a row.
    pub fn across(&self) -> Vector {
        self.across
    }

    /// The direction in which rows are counted: along a column.
    pub fn down(&self) -> Vector {
        self.down
    }

    /// Across x down.
    pub fn normal(&self) -> Vector {
        self.normal
    }

    pub fn between_columns_mm(&self) -> f64 {
        self.between_columns_mm
    }

    pub fn between_rows_mm(&self) -> f64 {
        self.between_rows_mm
    }

    pub fn columns(&self) -> u32 {
        self.columns
    }

    pub fn rows(&self) -> u32 {
        self.rows
    }

    pub fn thickness_mm(&self) -> Option<f64> {
        self.thickness_mm
    }

    /// Frame of Reference UID.
    pub fn frame_of_reference(&self) -> Option<&str> {
        self.frame_of_reference.as_deref()
    }
}

/// Exactly so many numbers of an attribute.
fn exactly<const N: usize>(
    holder: &InMemDicomObject,
    tag: dicom_core::Tag,
    what: &'static str,
) -> Result<[f64; N], PlaneError> {
    <[f64; N]>::try_from(numbers(holder, tag)).map_err(|_| PlaneError::NotStated { what })
}

pub fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub fn plus(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub fn times(a: Vector, by: f64) -> Vector {
    a.map(|x| x * by)
}

/// For directions only: never a vector of length 0.
fn unit(a: Vector) -> Vector {
    times(a, 1.0 / dot(a, a).sqrt())
}

/// Why a frame has no plane in the patient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaneError {
    #[error("the image does not say where it lies in the patient: {what} is absent or no set of numbers")]
    NotStated { what: &'static str },
    #[error("the image's place in the patient cannot be used: {what} is not believable")]
    Unbelievable { what: &'static str },
    #[error("the image's directions are not of unit length and at a right angle")]
    NotDirections,
    #[error("the file contradicts itself about the sides of the patient")]
    Contradiction,
    #[error("a projection has no single plane in the patient")]
    Projection,
    #[error("the file does not say where each of its frames lies")]
    FramesNotPlaced,
    #[error("there is no frame {frame}; the image has {frames}, counted from 1")]
    NoSuchFrame { frame: u32, frames: u32 },
}

#[cfg(test)]
mod tests {
    use dicom_core::value::DataSetSequence;
    use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
    use proptest::prelude::*;

    use super::*;

    const HEAD_FIRST_SUPINE: &str = "1\\0\\0\\0\\1\\0";

    fn header(attributes: &[(Tag, &str)]) -> InMemDicomObject {
        let mut header = InMemDicomObject::new_empty();
        let usual = [
            (tags::MODALITY, "CT"),
            (tags::IMAGE_POSITION_PATIENT, "-100\\-80\\40"),
            (tags::IMAGE_ORIENTATION_PATIENT, HEAD_FIRST_SUPINE),
            (tags::PIXEL_SPACING, "0.5\\0.25"),
            (tags::FRAME_OF_REFERENCE_UID, "1.2.3\0"),
            (tags::SLICE_THICKNESS, "3"),
        ];
        for (tag, text) in usual.iter().chain(attributes) {
            header.put(DataElement::new(*tag, VR::LO, PrimitiveValue::from(*text)));
        }
        header.put(DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(100u16)));
        header.put(DataElement::new(tags::COLUMNS, VR::US, PrimitiveValue::from(200u16)));
        header
    }

    fn refused(attributes: &[(Tag, &str)]) -> PlaneError {
        Plane::of(&header(attributes), 1).unwrap_err()
    }

    #[test]
    fn columns_run_along_the_first_direction_with_the_second_spacing() {
        let plane = Plane::of(&header(&[]), 1).unwrap();
        assert_eq!(plane.patient(Point { column: 4.0, row: 0.0 }), [-99.0, -80.0, 40.0]);
        assert_eq!(plane.patient(Point { column: 0.0, row: 4.0 }), [-100.0, -78.0, 40.0]);
        assert_eq!((plane.normal(), plane.thickness_mm()), ([0.0, 0.0, 1.0], Some(3.0)));
        assert_eq!((plane.columns(), plane.rows(), plane.frame_of_reference()), (200, 100, Some("1.2.3")));
        assert_eq!(plane.middle(), [-100.0 + 99.5 * 0.25, -80.0 + 49.5 * 0.5, 40.0]);
    }

    #[test]
    fn letters_do_not_depend_on_how_the_patient_lay() {
        let edges = |orientation| {
            let plane = Plane::of(&header(&[(tags::IMAGE_ORIENTATION_PATIENT, orientation)]), 1).unwrap();
            let Letters { left, right, top, bottom } = plane.letters().unwrap();
            [left, right, top, bottom].concat()
        };
        assert_eq!(edges(HEAD_FIRST_SUPINE), "RLAP");
        assert_eq!(edges("-1\\0\\0\\0\\-1\\0"), "LRPA"); // head first, prone
        assert_eq!(edges("-1\\0\\0\\0\\1\\0"), "LRAP"); // feet first, supine, as seen from the head
        assert_eq!(edges("1\\0\\0\\0\\-1\\0"), "RLPA"); // feet first, prone
    }

    #[test]
    fn frames_of_a_multi_frame_image_have_planes_of_their_own_or_none() {
        let nest = |tag, items: Vec<InMemDicomObject>| DataElement::new(tag, VR::SQ, DataSetSequence::from(items));
        let placed = |position: &str| {
            let item = InMemDicomObject::from_element_iter([DataElement::new(
                tags::IMAGE_POSITION_PATIENT,
                VR::DS,
                PrimitiveValue::from(position),
            )]);
            InMemDicomObject::from_element_iter([nest(tags::PLANE_POSITION_SEQUENCE, vec![item])])
        };
        let mut image = header(&[(tags::NUMBER_OF_FRAMES, "3")]);
        assert_eq!(Plane::of(&image, 2), Err(PlaneError::FramesNotPlaced));
        let frames = vec![placed("0\\0\\1"), placed("0\\0\\2"), InMemDicomObject::new_empty()];
        image.put(nest(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames));
        assert_eq!(Plane::of(&image, 2).unwrap().origin_mm(), [0.0, 0.0, 2.0]);
        assert_eq!(Plane::of(&image, 3), Err(PlaneError::FramesNotPlaced));
        for frame in [0, 4, u32::MAX] {
            assert_eq!(Plane::of(&image, frame), Err(PlaneError::NoSuchFrame { frame, frames: 3 }));
        }
    }

    #[test]
    fn hostile_headers_are_refused_in_words() {
        const POSITION: Tag = tags::IMAGE_POSITION_PATIENT;
        const COSINES: Tag = tags::IMAGE_ORIENTATION_PATIENT;
        for position in ["", "1\\2", "1\\2\\x", "NaN\\0\\0", "inf\\0\\0", "1\\2\\3\\4"] {
            assert_eq!(refused(&[(POSITION, position)]), PlaneError::NotStated { what: "Image Position (Patient)" });
        }
        assert_eq!(refused(&[(POSITION, "1e9\\0\\0")]), PlaneError::Unbelievable { what: "Image Position (Patient)" });
        for spacing in ["0\\0", "1\\-1", "1e9\\1", "1e-300\\1"] {
            assert_eq!(refused(&[(tags::PIXEL_SPACING, spacing)]), PlaneError::Unbelievable { what: "Pixel Spacing" });
        }
        for cosines in ["0\\0\\0\\0\\0\\0", "2\\0\\0\\0\\2\\0", "1\\0\\0\\1\\0\\0", "1\\0\\0\\0.1\\0.995\\0"] {
            assert_eq!(refused(&[(COSINES, cosines)]), PlaneError::NotDirections, "{cosines}");
        }
        assert_eq!(refused(&[(tags::MODALITY, "CR")]), PlaneError::Projection);
        assert_eq!(refused(&[(tags::PATIENT_ORIENTATION, "R\\P")]), PlaneError::Contradiction);
        let mut without_size = header(&[]);
        without_size.remove_element(tags::ROWS);
        assert_eq!(Plane::of(&without_size, 1), Err(PlaneError::Unbelievable { what: "Rows or Columns" }));
        let nan = [f64::NAN, 0.0, 0.0, 0.0, 1.0, 0.0];
        assert_eq!(Plane::stated([0.0; 3], nan, [1.0, 1.0], 1, 1), Err(PlaneError::NotDirections));
        let unbelievable = Plane::stated([f64::NAN; 3], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [1.0, 1.0], 1, 1);
        assert_eq!(unbelievable, Err(PlaneError::Unbelievable { what: "Image Position (Patient)" }));
        let thin = Plane::of(&header(&[(tags::SLICE_THICKNESS, "-1")]), 1).unwrap();
        assert_eq!(thin.thickness_mm(), None);
    }

    #[test]
    fn space_is_shared_only_where_both_say_the_same_frame_of_reference() {
        let plane = |uid: &str| Plane::of(&header(&[(tags::FRAME_OF_REFERENCE_UID, uid)]), 1).unwrap();
        assert!(plane("1.2").shares_space_with(&plane("1.2")));
        assert!(!plane("1.2").shares_space_with(&plane("1.3")));
        assert!(!plane("").shares_space_with(&plane("")));
    }

    proptest! {
        #[test]
        fn a_pixel_comes_back_from_the_patient(
            position in prop::array::uniform3(-1e4f64..1e4),
            turn in prop::array::uniform3(-3.2f64..3.2),
            spacing in prop::array::uniform2(0.01f64..10.0),
            (column, row) in (-1e3f64..1e3, -1e3f64..1e3),
            above in -1e3f64..1e3,
        ) {
            let ([sa, sb, sc], [ca, cb, cc]) = (turn.map(f64::sin), turn.map(f64::cos));
            let orientation = [
                ca * cb, sa * cb, -sb,
                ca * sb * sc - sa * cc, sa * sb * sc + ca * cc, cb * sc,
            ];
            let plane = Plane::stated(position, orientation, spacing, 512, 512).unwrap();
            let place = plus(plane.patient(Point { column, row }), times(plane.normal(), above));
            let back = plane.pixel(place);
            prop_assert!((back.column - column).abs() < 1e-6 && (back.row - row).abs() < 1e-6);
            prop_assert!((plane.height_mm(place) - above).abs() < 1e-8);
        }

        #[test]
        fn no_numbers_panic(
            position in prop::array::uniform3(any::<f64>()),
            orientation in prop::array::uniform6(any::<f64>()),
            spacing in prop::array::uniform2(any::<f64>()),
            columns: u32,
            rows: u32,
        ) {
            let _ = Plane::stated(position, orientation, spacing, columns, rows);
        }
    }
}
