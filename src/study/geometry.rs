//! Where a frame lies in the patient: what a pixel measures, and which side is which.
//!
//! Promise 8: every millimetre says what it rests on, and where the header does not allow one, pixels are shown.
//! A CT or MR pixel has its size in the patient; a radiograph's has it on the detector, unless somebody calibrated
//! it; an ultrasound image has it inside its regions only. And no letter is better than a guessed one.
//!
//! Deliberately not here: where pixels lie in the patient ([`super::plane`]), and anything that needs two frames
//! (slice distance, stacking, reference lines: `view`).
//!
//! Start with [`spacing`] and [`orientation`].

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::pixels::attributes::{FrameGroups, items, number, numbers, text, whole, words};
use crate::case::content::Point;

/// Largest believable distance of two pixels, in millimetres.
pub const SPACING_MM_MAX: f64 = 1000.0;

/// Most ultrasound regions that are looked at.
pub const REGIONS_MAX: usize = 256;

/// How far two region scales may differ to count as equal, relative.
const SCALE_TOLERANCE: f64 = 1e-3;

/// How far direction cosines may be from unit length and from a right angle.
const COSINE_TOLERANCE: f64 = 1e-2;

/// Components of a direction that are smaller get no letter.
const LETTER_MIN: f64 = 1e-4;

/// What a pixel measures.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// Distances of neighbouring pixels, in millimetres.
    Millimetres { between_columns_mm: f64, between_rows_mm: f64, basis: SpacingBasis },
    /// No millimetre can be had; `aspect` is the distance of rows over that of columns, 1 for square pixels.
    Pixels { aspect: f64, why: PixelsOnly },
}

/// What a millimetre rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpacingBasis {
    /// In the plane of the patient.
    InPatient,
    /// Pixel Spacing, calibrated by an object of known size.
    Calibrated,
    /// Corrected for the geometric magnification.
    MagnificationCorrected,
    /// On the detector: larger than in the patient by an unknown factor.
    Detector,
    /// On the specimen, not in a patient.
    Specimen,
    /// An ultrasound region's own scale.
    UltrasoundRegion,
    /// Pixel Spacing whose calibration the file does not state.
    Unknown,
}

impl SpacingBasis {
    /// As it stands beside a number.
    pub fn shown(self) -> &'static str {
        match self {
            Self::InPatient => "in-patient pixel spacing",
            Self::Calibrated => "calibrated pixel spacing (fiducial)",
            Self::MagnificationCorrected => "corrected for magnification (ERMF)",
            Self::Detector => "detector pixel spacing, not corrected for magnification (Proj)",
            Self::Specimen => "spacing on the specimen",
            Self::UltrasoundRegion => "ultrasound region calibration",
            Self::Unknown => "pixel spacing of unknown calibration",
        }
    }
}

/// Why there are only pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelsOnly {
    NoSpacing,
    OutsideRegions,
    UnequalAxes,
    NotDistances,
    RegionsDisagree,
}

impl PixelsOnly {
    /// As it stands beside a number.
    pub fn shown(self) -> &'static str {
        match self {
            Self::NoSpacing => "pixels: the file states no spacing",
            Self::OutsideRegions => "pixels: not within one calibrated ultrasound region",
            Self::UnequalAxes => "pixels: the ultrasound region's axes are scaled unequally",
            Self::NotDistances => "pixels: the ultrasound region's axes are not both distances",
            Self::RegionsDisagree => "pixels: ultrasound regions overlap and disagree",
        }
    }
}

/// What a pixel of a frame (from 1) measures around all of `points`.
pub fn spacing(header: &InMemDicomObject, frame: u32, points: &[Point]) -> Scale {
    let groups = FrameGroups::of(header, frame);
    let modality = text(header, tags::MODALITY).unwrap_or_default();
    let class = text(header, tags::SOP_CLASS_UID).unwrap_or_default();
    let regions = items(header, tags::SEQUENCE_OF_ULTRASOUND_REGIONS);
    if !regions.is_empty() {
        return region_scale(regions, points);
    }
    let measures = groups.holder(tags::PIXEL_MEASURES_SEQUENCE);
    let stated = pair_mm(measures, tags::PIXEL_SPACING);
    let millimetres = |(rows, columns): (f64, f64), basis| Scale::Millimetres {
        between_rows_mm: rows,
        between_columns_mm: columns,
        basis,
    };
    let secondary = is_secondary_capture(&class);
    if is_projection(&modality) && !secondary {
        return projection(header, stated).map_or_else(
            || Scale::Pixels { aspect: aspect(header), why: PixelsOnly::NoSpacing },
            |(pair, basis)| millimetres(pair, basis),
        );
    }
    let placed = numbers(groups.holder(tags::PLANE_ORIENTATION_SEQUENCE), tags::IMAGE_ORIENTATION_PATIENT).len() == 6;
    let basis = match modality.as_str() {
        _ if secondary => calibration(header).unwrap_or(SpacingBasis::Unknown),
        "CT" | "MR" | "PT" => SpacingBasis::InPatient,
        "SM" => SpacingBasis::Specimen,
        _ if placed => SpacingBasis::InPatient,
        _ => calibration(header).unwrap_or(SpacingBasis::Unknown),
    };
    match stated {
        Some(pair) => millimetres(pair, basis),
        None => Scale::Pixels { aspect: aspect(header), why: PixelsOnly::NoSpacing },
    }
}

/// Row and column distance; `None` unless both are there, positive and believable.
fn pair_mm(holder: &InMemDicomObject, tag: Tag) -> Option<(f64, f64)> {
    let &[rows, columns] = numbers(holder, tag).first_chunk()?;
    let believable = |mm: f64| mm > 0.0 && mm <= SPACING_MM_MAX;
    (believable(rows) && believable(columns)).then_some((rows, columns))
}

/// Pixel Aspect Ratio (0028,0034): vertical to horizontal size of a pixel.
fn aspect(header: &InMemDicomObject) -> f64 {
    let ratio = numbers(header, tags::PIXEL_ASPECT_RATIO);
    let ratio = ratio.first_chunk().map(|&[vertical, horizontal]| vertical / horizontal);
    ratio.filter(|ratio| (0.01..=100.0).contains(ratio)).unwrap_or(1.0)
}

pub(super) fn is_projection(modality: &str) -> bool {
    matches!(modality, "CR" | "DX" | "MG" | "XA" | "RF" | "XRF" | "RG" | "IO" | "PX")
}

fn is_secondary_capture(class: &str) -> bool {
    matches!(
        class,
        uids::SECONDARY_CAPTURE_IMAGE_STORAGE
            | uids::MULTI_FRAME_SINGLE_BIT_SECONDARY_CAPTURE_IMAGE_STORAGE
            | uids::MULTI_FRAME_GRAYSCALE_BYTE_SECONDARY_CAPTURE_IMAGE_STORAGE
            | uids::MULTI_FRAME_GRAYSCALE_WORD_SECONDARY_CAPTURE_IMAGE_STORAGE
            | uids::MULTI_FRAME_TRUE_COLOR_SECONDARY_CAPTURE_IMAGE_STORAGE
    )
}

/// Pixel Spacing Calibration Type (0028,0A02).
fn calibration(header: &InMemDicomObject) -> Option<SpacingBasis> {
    match text(header, tags::PIXEL_SPACING_CALIBRATION_TYPE)?.as_str() {
        "GEOMETRY" => Some(SpacingBasis::MagnificationCorrected),
        "FIDUCIAL" => Some(SpacingBasis::Calibrated),
        _ => None,
    }
}

/// The rule for projections (PS3.3 10.7.1.3): a stated calibration first, then the detector's spacing over the
/// magnification, then the detector's alone; a Pixel Spacing by itself is of unknown origin.
fn projection(header: &InMemDicomObject, stated: Option<(f64, f64)>) -> Option<((f64, f64), SpacingBasis)> {
    if let (Some(pair), Some(basis)) = (stated, calibration(header)) {
        return Some((pair, basis));
    }
    let Some((rows, columns)) = pair_mm(header, tags::IMAGER_PIXEL_SPACING) else {
        return stated.map(|pair| (pair, SpacingBasis::Unknown));
    };
    let to_detector = number(header, tags::DISTANCE_SOURCE_TO_DETECTOR);
    let to_patient = number(header, tags::DISTANCE_SOURCE_TO_PATIENT).filter(|distance| *distance > 0.0);
    let magnification = number(header, tags::ESTIMATED_RADIOGRAPHIC_MAGNIFICATION_FACTOR)
        .or_else(|| Some(to_detector? / to_patient?))
        // 1 says no more than the detector does, and is often a placeholder.
        .filter(|factor| *factor > 1.0 && *factor <= 20.0);
    Some(match magnification {
        Some(factor) => ((rows / factor, columns / factor), SpacingBasis::MagnificationCorrected),
        None => ((rows, columns), SpacingBasis::Detector),
    })
}

/// One region's scale (PS3.3 C.8.5.5), in millimetres a pixel where its axes are distances.
#[derive(Clone, Copy)]
struct Region {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    across_mm: Option<f64>,
    down_mm: Option<f64>,
}

impl Region {
    fn of(item: &InMemDicomObject) -> Option<Self> {
        const CENTIMETRES: u32 = 3;
        let mm = |units, delta| {
            let delta = number(item, delta)?.abs() * 10.0;
            let distance = whole(item, units) == Some(CENTIMETRES) && delta > 0.0 && delta <= SPACING_MM_MAX;
            distance.then_some(delta)
        };
        Some(Self {
            left: number(item, tags::REGION_LOCATION_MIN_X0)?,
            top: number(item, tags::REGION_LOCATION_MIN_Y0)?,
            right: number(item, tags::REGION_LOCATION_MAX_X1)?,
            bottom: number(item, tags::REGION_LOCATION_MAX_Y1)?,
            across_mm: mm(tags::PHYSICAL_UNITS_X_DIRECTION, tags::PHYSICAL_DELTA_X),
            down_mm: mm(tags::PHYSICAL_UNITS_Y_DIRECTION, tags::PHYSICAL_DELTA_Y),
        })
    }

    /// Bounds are whole pixels and belong to the region.
    fn holds(&self, point: &Point) -> bool {
        (self.left - 0.5..=self.right + 0.5).contains(&point.column)
            && (self.top - 0.5..=self.bottom + 0.5).contains(&point.row)
    }

    fn same_scale(&self, other: &Self) -> bool {
        let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => nearly_equal(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        same(self.across_mm, other.across_mm) && same(self.down_mm, other.down_mm)
    }
}

fn nearly_equal(a: f64, b: f64) -> bool {
    (a - b).abs() <= SCALE_TOLERANCE * a.max(b)
}

fn region_scale(regions: &[InMemDicomObject], points: &[Point]) -> Scale {
    let pixels = |why| Scale::Pixels { aspect: 1.0, why };
    let regions: Vec<Region> = regions.iter().take(REGIONS_MAX).filter_map(Region::of).collect();
    let mut holding = regions.iter().filter(|region| points.iter().all(|point| region.holds(point)));
    let Some(region) = holding.next() else { return pixels(PixelsOnly::OutsideRegions) };
    if !holding.all(|other| other.same_scale(region)) {
        return pixels(PixelsOnly::RegionsDisagree);
    }
    match (region.across_mm, region.down_mm) {
        (Some(across), Some(down)) if nearly_equal(across, down) => Scale::Millimetres {
            between_columns_mm: across,
            between_rows_mm: down,
            basis: SpacingBasis::UltrasoundRegion,
        },
        (Some(across), Some(down)) => Scale::Pixels { aspect: down / across, why: PixelsOnly::UnequalAxes },
        _ => pixels(PixelsOnly::NotDistances),
    }
}

/// The letters at the edges of an unturned frame, such as "R" or "AL".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letters {
    pub left: String,
    pub right: String,
    pub top: String,
    pub bottom: String,
}

impl Letters {
    /// The letters after the picture was mirrored left to right and then turned clockwise by quarters.
    pub fn turned(&self, mirrored: bool, quarters: u32) -> Self {
        let Self { mut left, mut right, mut top, mut bottom } = self.clone();
        if mirrored {
            std::mem::swap(&mut left, &mut right);
        }
        for _ in 0..quarters % 4 {
            (top, right, bottom, left) = (left, top, right, bottom);
        }
        Self { left, right, top, bottom }
    }
}

/// The edges' letters for a frame (from 1); `None` where the file does not say, or contradicts itself.
pub fn orientation(header: &InMemDicomObject, frame: u32) -> Option<Letters> {
    let holder = FrameGroups::of(header, frame).holder(tags::PLANE_ORIENTATION_SEQUENCE);
    let stated = stated_letters(header);
    let [right, bottom] = match numbers(holder, tags::IMAGE_ORIENTATION_PATIENT).as_slice() {
        [] => stated?,
        &[rx, ry, rz, cx, cy, cz] => {
            let computed = letters_of_cosines([rx, ry, rz], [cx, cy, cz])?;
            if stated.is_some_and(|stated| contradict(&stated, &computed)) {
                return None;
            }
            computed
        }
        _ => return None,
    };
    Some(Letters { left: opposite(&right), top: opposite(&bottom), right, bottom })
}

/// The letters at the edges of a plane whose columns and rows are counted in these directions.
pub fn edges(across: [f64; 3], down: [f64; 3]) -> Option<Letters> {
    let [right, bottom] = letters_of_cosines(across, down)?;
    Some(Letters { left: opposite(&right), top: opposite(&bottom), right, bottom })
}

fn letters_of_cosines(row: [f64; 3], column: [f64; 3]) -> Option<[String; 2]> {
    let dot = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let unit = |v| (dot(v, v) - 1.0).abs() <= COSINE_TOLERANCE;
    if !unit(row) || !unit(column) || dot(row, column).abs() > COSINE_TOLERANCE {
        return None;
    }
    Some([letters(row), letters(column)])
}

/// Letters of a direction in the patient (LPS), by falling size.
fn letters([x, y, z]: [f64; 3]) -> String {
    let mut axes = [
        (x, if x < 0.0 { 'R' } else { 'L' }),
        (y, if y < 0.0 { 'A' } else { 'P' }),
        (z, if z < 0.0 { 'F' } else { 'H' }),
    ];
    axes.sort_by(|(a, _), (b, _)| b.abs().total_cmp(&a.abs()));
    axes.iter().filter(|(size, _)| size.abs() >= LETTER_MIN).map(|(_, letter)| letter).collect()
}

/// Patient Orientation (0020,0020): towards the right edge, towards the bottom edge.
fn stated_letters(header: &InMemDicomObject) -> Option<[String; 2]> {
    let [right, bottom] = <[String; 2]>::try_from(words(header, tags::PATIENT_ORIENTATION)).ok()?;
    let sound = |direction: &String| {
        let axes: Vec<Option<usize>> = direction.chars().map(axis).collect();
        let distinct = (0..3).all(|axis| axes.iter().filter(|found| **found == Some(axis)).count() <= 1);
        (1..=3).contains(&axes.len()) && axes.iter().all(Option::is_some) && distinct
    };
    let across = right.chars().next().and_then(axis) != bottom.chars().next().and_then(axis);
    (sound(&right) && sound(&bottom) && across).then_some([right, bottom])
}

fn axis(letter: char) -> Option<usize> {
    ["RL", "AP", "FH"].iter().position(|pair| pair.contains(letter))
}

fn opposite(direction: &str) -> String {
    const OPPOSITES: [(char, char); 6] = [('R', 'L'), ('L', 'R'), ('A', 'P'), ('P', 'A'), ('F', 'H'), ('H', 'F')];
    direction.chars().filter_map(|c| OPPOSITES.iter().find(|(a, _)| *a == c).map(|(_, b)| *b)).collect()
}

/// Whether one says left where the other says right.
fn contradict(stated: &[String; 2], computed: &[String; 2]) -> bool {
    stated.iter().zip(computed).any(|(stated, computed)| {
        let against = opposite(stated);
        let main = computed.chars().next();
        main.is_some_and(|main| against.contains(main)) || !stated.chars().any(|letter| computed.contains(letter))
    })
}

#[cfg(test)]
mod tests {
    use dicom_core::value::DataSetSequence;
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::*;

    fn header(attributes: &[(Tag, &str)]) -> InMemDicomObject {
        let elements =
            attributes.iter().map(|&(tag, value)| DataElement::new(tag, VR::LO, PrimitiveValue::from(value)));
        InMemDicomObject::from_element_iter(elements)
    }

    fn nest(tag: Tag, items: Vec<InMemDicomObject>) -> DataElement<InMemDicomObject> {
        DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
    }

    fn scale_of(attributes: &[(Tag, &str)]) -> Scale {
        spacing(&header(attributes), 1, &[])
    }

    fn mm(between_rows_mm: f64, between_columns_mm: f64, basis: SpacingBasis) -> Scale {
        Scale::Millimetres { between_columns_mm, between_rows_mm, basis }
    }

    const NO_SPACING: Scale = Scale::Pixels { aspect: 1.0, why: PixelsOnly::NoSpacing };
    const MODALITY: Tag = tags::MODALITY;
    const PIXEL: Tag = tags::PIXEL_SPACING;
    const IMAGER: Tag = tags::IMAGER_PIXEL_SPACING;
    const TYPE: Tag = tags::PIXEL_SPACING_CALIBRATION_TYPE;

    #[test]
    fn row_spacing_comes_first() {
        assert_eq!(scale_of(&[(MODALITY, "CT"), (PIXEL, "0.5\\0.7")]), mm(0.5, 0.7, SpacingBasis::InPatient));
    }

    #[test]
    fn each_projection_says_what_its_millimetres_rest_on() {
        let ermf = tags::ESTIMATED_RADIOGRAPHIC_MAGNIFICATION_FACTOR;
        let both = [(MODALITY, "DX"), (PIXEL, "0.1\\0.1"), (IMAGER, "0.2\\0.2")];
        let with = |more: &[(Tag, &'static str)]| scale_of(&[&both[..], more].concat());
        assert_eq!(with(&[(TYPE, "GEOMETRY")]), mm(0.1, 0.1, SpacingBasis::MagnificationCorrected));
        assert_eq!(with(&[(TYPE, "FIDUCIAL")]), mm(0.1, 0.1, SpacingBasis::Calibrated));
        assert_eq!(with(&[]), mm(0.2, 0.2, SpacingBasis::Detector));
        assert_eq!(with(&[(ermf, "1.25")]), mm(0.16, 0.16, SpacingBasis::MagnificationCorrected));
        let distances = [(tags::DISTANCE_SOURCE_TO_DETECTOR, "1000"), (tags::DISTANCE_SOURCE_TO_PATIENT, "800")];
        assert_eq!(with(&distances), mm(0.16, 0.16, SpacingBasis::MagnificationCorrected));
        assert_eq!(with(&[(ermf, "0")]), mm(0.2, 0.2, SpacingBasis::Detector));
        assert_eq!(scale_of(&both[..2]), mm(0.1, 0.1, SpacingBasis::Unknown));
        assert_eq!(scale_of(&both[..1]), NO_SPACING);
    }

    #[test]
    fn a_secondary_capture_is_never_in_the_patient() {
        let class = (tags::SOP_CLASS_UID, uids::SECONDARY_CAPTURE_IMAGE_STORAGE);
        let captured = [(MODALITY, "CT"), class, (PIXEL, "0.5\\0.5")];
        assert_eq!(scale_of(&captured), mm(0.5, 0.5, SpacingBasis::Unknown));
        let nominal = [(MODALITY, "OT"), class, (tags::NOMINAL_SCANNED_PIXEL_SPACING, "0.5\\0.5")];
        assert_eq!(scale_of(&nominal), NO_SPACING);
    }

    #[test]
    fn unbelievable_spacing_is_none() {
        for wrong in ["0\\0", "0.5", "-1\\1", "1\\x", "NaN\\1", "1e9\\1", "0.000\\0.000", ""] {
            assert_eq!(scale_of(&[(MODALITY, "CT"), (PIXEL, wrong)]), NO_SPACING, "{wrong}");
        }
    }

    #[test]
    fn each_frame_has_its_own_spacing() {
        let frame = |pair: &str| {
            let measures = nest(tags::PIXEL_MEASURES_SEQUENCE, vec![header(&[(PIXEL, pair)])]);
            InMemDicomObject::from_element_iter([measures])
        };
        let mut image = header(&[(MODALITY, "MR")]);
        image.put(nest(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, vec![frame("1\\1"), frame("2\\3")]));
        assert_eq!(spacing(&image, 2, &[]), mm(2.0, 3.0, SpacingBasis::InPatient));
        assert_eq!(spacing(&image, 3, &[]), NO_SPACING);
    }

    fn region(bounds: [u32; 4], units: [u16; 2], deltas: [f64; 2]) -> InMemDicomObject {
        let long = |tag, value: u32| DataElement::new(tag, VR::UL, PrimitiveValue::from(value));
        let short = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
        let float = |tag, value: f64| DataElement::new(tag, VR::FD, PrimitiveValue::from(value));
        InMemDicomObject::from_element_iter([
            long(tags::REGION_LOCATION_MIN_X0, bounds[0]),
            long(tags::REGION_LOCATION_MIN_Y0, bounds[1]),
            long(tags::REGION_LOCATION_MAX_X1, bounds[2]),
            long(tags::REGION_LOCATION_MAX_Y1, bounds[3]),
            short(tags::PHYSICAL_UNITS_X_DIRECTION, units[0]),
            short(tags::PHYSICAL_UNITS_Y_DIRECTION, units[1]),
            float(tags::PHYSICAL_DELTA_X, deltas[0]),
            float(tags::PHYSICAL_DELTA_Y, deltas[1]),
        ])
    }

    #[test]
    fn ultrasound_is_measured_inside_one_calibrated_region_only() {
        let us = |regions: Vec<InMemDicomObject>, points: &[(f64, f64)]| {
            let mut image = header(&[(MODALITY, "US"), (PIXEL, "9\\9")]);
            image.put(nest(tags::SEQUENCE_OF_ULTRASOUND_REGIONS, regions));
            let points: Vec<Point> = points.iter().map(|&(column, row)| Point { column, row }).collect();
            spacing(&image, 1, &points)
        };
        let tissue = || region([10, 10, 99, 99], [3, 3], [0.05, 0.05]);
        let doppler = || region([10, 110, 99, 199], [4, 7], [0.01, 2.0]);
        let why = |scale| match scale {
            Scale::Pixels { why, .. } => Some(why),
            Scale::Millimetres { .. } => None,
        };
        let inside = [(10.0, 10.0), (99.5, 99.0)];
        assert_eq!(us(vec![tissue(), doppler()], &inside), mm(0.5, 0.5, SpacingBasis::UltrasoundRegion));
        let across = [(20.0, 20.0), (20.0, 120.0)];
        assert_eq!(why(us(vec![tissue(), doppler()], &across)), Some(PixelsOnly::OutsideRegions));
        assert_eq!(why(us(vec![doppler()], &[(20.0, 120.0)])), Some(PixelsOnly::NotDistances));
        let unequal = us(vec![region([0, 0, 9, 9], [3, 3], [0.05, 0.1])], &[(1.0, 1.0)]);
        assert_eq!(unequal, Scale::Pixels { aspect: 2.0, why: PixelsOnly::UnequalAxes });
        let other = region([0, 0, 200, 200], [3, 3], [0.06, 0.06]);
        assert_eq!(why(us(vec![tissue(), other], &inside)), Some(PixelsOnly::RegionsDisagree));
    }

    fn edges(attributes: &[(Tag, &str)]) -> Option<String> {
        let Letters { left, right, top, bottom } = orientation(&header(attributes), 1)?;
        Some([left, right, top, bottom].join(" "))
    }

    const COSINES: Tag = tags::IMAGE_ORIENTATION_PATIENT;
    const STATED: Tag = tags::PATIENT_ORIENTATION;

    #[test]
    fn letters_follow_the_direction_cosines() {
        assert_eq!(edges(&[(COSINES, "1\\0\\0\\0\\1\\0")]).unwrap(), "R L A P");
        assert_eq!(edges(&[(COSINES, "1\\0\\0\\0\\0\\-1")]).unwrap(), "R L H F");
        assert_eq!(edges(&[(COSINES, "0\\1\\0\\0\\0\\-1")]).unwrap(), "A P H F");
        assert_eq!(edges(&[(COSINES, "-1\\0\\0\\0\\-1\\0")]).unwrap(), "L R P A");
        assert_eq!(edges(&[(COSINES, "0.96\\-0.28\\0\\0\\0\\-1")]).unwrap(), "RP LA H F");
    }

    #[test]
    fn letters_move_with_the_picture() {
        let axial = orientation(&header(&[(COSINES, "1\\0\\0\\0\\1\\0")]), 1).unwrap();
        let edges = |mirrored, quarters| {
            let Letters { left, right, top, bottom } = axial.turned(mirrored, quarters);
            [left, right, top, bottom].concat()
        };
        assert_eq!([edges(false, 0), edges(true, 0), edges(false, 4)], ["RLAP", "LRAP", "RLAP"]);
        // Clockwise: what was at the left is at the top.
        assert_eq!([edges(false, 1), edges(false, 2), edges(false, 3)], ["PARL", "LRPA", "APLR"]);
        assert_eq!(edges(true, 1), "PALR");
    }

    #[test]
    fn radiographs_use_the_stated_orientation() {
        assert_eq!(edges(&[(STATED, "L\\F")]).unwrap(), "R L H F");
        assert_eq!(edges(&[(STATED, "AR\\FP")]).unwrap(), "PL AR HA FP");
    }

    #[test]
    fn what_is_not_stated_or_not_sound_gets_no_letter() {
        for cosines in [
            "1\\0\\0",
            "1\\0\\0\\1\\0\\0",
            "0\\0\\0\\0\\0\\0",
            "2\\0\\0\\0\\2\\0",
            "1\\0\\0\\0\\1\\x",
            "1\\0\\0\\0.5\\0.8\\0",
        ] {
            assert_eq!(edges(&[(COSINES, cosines), (STATED, "")]), None, "{cosines}");
        }
        for stated in ["", "L", "L\\", "X\\F", "LR\\F", "L\\R", "l\\f", "L\\F\\F", "LAHF\\P"] {
            assert_eq!(edges(&[(STATED, stated)]), None, "{stated}");
        }
    }

    #[test]
    fn a_file_that_contradicts_itself_gets_no_letter() {
        assert_eq!(edges(&[(COSINES, "1\\0\\0\\0\\1\\0"), (STATED, "L\\P")]).unwrap(), "R L A P");
        assert_eq!(edges(&[(COSINES, "1\\0\\0\\0\\1\\0"), (STATED, "R\\P")]), None);
        assert_eq!(edges(&[(COSINES, "1\\0\\0\\0\\1\\0"), (STATED, "L\\F")]), None);
    }
}
