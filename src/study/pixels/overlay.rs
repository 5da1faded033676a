//! Overlay planes (PS3.3 C.9.2): bitmaps of one bit a pixel that lie over an image, in groups 6000 to 601E.
//!
//! A plane is a layer of its own and never burned into values: who looks may put it away, and statistics know
//! nothing of it. Old files keep a plane in bits of the pixel cells that the image does not use; those are read as
//! well. A plane that cannot be read is named with its reason, and the image is shown without it.
//!
//! Not here: overlays in bits of a codestream (only RLE keeps cells whole), and curves in groups 50xx.

use std::fmt;

use dicom_core::{PrimitiveValue, Tag};
use dicom_object::InMemDicomObject;

use super::attributes::{numbers, text, whole};
use super::description::{Description, FRAME_SAMPLES_MAX};
use crate::encoding::text::shown;

/// Longest label or description of a plane that is shown, in characters: that of LO.
const WORDS_CHARS_MAX: usize = 64;

/// The repeating groups that planes may be in.
const GROUPS: std::ops::RangeInclusive<u16> = 0x6000..=0x601e;

// Elements of a plane's group.
const ROWS: u16 = 0x0010;
const COLUMNS: u16 = 0x0011;
const FRAMES: u16 = 0x0015;
const DESCRIPTION: u16 = 0x0022;
const KIND: u16 = 0x0040;
const ORIGIN: u16 = 0x0050;
const FRAME_ORIGIN: u16 = 0x0051;
const BIT_POSITION: u16 = 0x0102;
const LABEL: u16 = 0x1500;
const DATA: u16 = 0x3000;

/// A bitmap over a frame.
#[derive(Clone, PartialEq, Eq)]
pub struct OverlayPlane {
    /// 6000 to 601E (hexadecimal), which tells planes of one image apart.
    pub group: u16,
    pub kind: OverlayKind,
    pub rows: u32,
    pub columns: u32,
    /// Column and row of the image over which the plane's first pixel lies, from 0; the plane may stick out.
    pub left: i64,
    pub top: i64,
    /// Overlay Label (60xx,1500) and Description (60xx,0022), safe to show.
    pub label: Option<String>,
    pub description: Option<String>,
    /// Row by row without gaps, lowest bit first.
    bits: Vec<u8>,
    first_bit: usize,
}

/// Overlay Type (60xx,0040).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlayKind {
    Graphics,
    RegionOfInterest,
}

impl fmt::Debug for OverlayPlane {
    /// What is drawn is patient data: only where and how large is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:04x} {:?} {} x {} at {},{}]", self.group, self.kind, self.rows, self.columns, self.left, self.top)
    }
}

impl OverlayPlane {
    /// Whether there is ink over a pixel of the image.
    pub fn at(&self, column: u32, row: u32) -> bool {
        let (x, y) = (i64::from(column) - self.left, i64::from(row) - self.top);
        let inside = (0..i64::from(self.columns)).contains(&x) && (0..i64::from(self.rows)).contains(&y);
        // Inside, the product is below the number of pixels, which is limited.
        let bit = self.first_bit as i64 + y * i64::from(self.columns) + x;
        inside && self.bits.get((bit / 8) as usize).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }

    /// One byte a pixel of an image of this size, row by row: 1 where there is ink.
    pub fn layer(&self, rows: u32, columns: u32) -> Vec<u8> {
        (0..rows).flat_map(|row| (0..columns).map(move |column| u8::from(self.at(column, row)))).collect()
    }
}

/// Why a plane cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("overlay plane {group:04x} cannot be shown: {why}")]
pub struct OverlayError {
    pub group: u16,
    pub why: &'static str,
}

/// The planes over a frame, counted from 1. `cells` gives the frame's pixel cells with all their bits.
pub(super) fn planes(
    header: &InMemDicomObject,
    image: &Description,
    frame: u32,
    cells: &dyn Fn() -> Option<Vec<u32>>,
) -> Vec<Result<OverlayPlane, OverlayError>> {
    let groups = GROUPS
        .step_by(2)
        .filter(|&group| [DATA, BIT_POSITION].iter().any(|&element| header.get(Tag(group, element)).is_some()));
    groups
        .filter_map(|group| {
            plane(header, image, frame, group, cells).map_err(|why| OverlayError { group, why }).transpose()
        })
        .collect()
}

/// One plane; none if this frame has none.
fn plane(
    header: &InMemDicomObject,
    image: &Description,
    frame: u32,
    group: u16,
    cells: &dyn Fn() -> Option<Vec<u32>>,
) -> Result<Option<OverlayPlane>, &'static str> {
    let tag = |element| Tag(group, element);
    let size = |of| whole(header, tag(of)).filter(|size| (1..=65_535).contains(size));
    let embedded = header.get(tag(DATA)).is_none();
    let (rows, columns) = match (size(ROWS), size(COLUMNS), embedded) {
        (Some(rows), Some(columns), false) => (rows, columns),
        (rows, columns, true) if rows.is_none_or(|r| r == image.rows) && columns.is_none_or(|c| c == image.columns) => {
            (image.rows, image.columns)
        }
        (_, _, true) => return Err("it stands in the pixel cells and has another size than the image"),
        _ => return Err("its rows or columns are absent or out of range"),
    };
    let pixels = u64::from(rows) * u64::from(columns);
    if pixels > FRAME_SAMPLES_MAX {
        return Err("it is larger than can be shown");
    }
    let frames = whole(header, tag(FRAMES));
    let first_frame = whole(header, tag(FRAME_ORIGIN));
    // C.9.2.1: one plane without an origin lies over all frames.
    let index = match (frames, first_frame) {
        (None | Some(0 | 1), None) => 0,
        (frames, first) => match frame.checked_sub(first.unwrap_or(1)) {
            Some(index) if index < frames.unwrap_or(1) => index,
            _ => return Ok(None),
        },
    };
    let (bits, first_bit) = match embedded {
        true => (embedded_bits(header, image, group, cells)?, 0),
        false => {
            let bytes = bytes(header, tag(DATA)).ok_or("its data is not bits")?;
            // At most 2^27 pixels and 2^32 frames.
            let first = pixels * u64::from(index);
            let range = first / 8..(first + pixels).div_ceil(8);
            let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            let bits = range.and_then(|(from, to)| bytes.get(from..to)).ok_or("its data is cut off")?;
            (bits.to_vec(), (first % 8) as usize)
        }
    };
    let [top, left] = match numbers(header, tag(ORIGIN)).as_slice() {
        &[row, column, ..] => [row, column].map(|from_1| from_1.clamp(-65_536.0, 65_536.0) as i64 - 1),
        _ => [0, 0],
    };
    let words = |of| {
        let words = text(header, tag(of))?;
        let words: String = shown(&words).chars().take(WORDS_CHARS_MAX).collect();
        (!words.is_empty()).then_some(words)
    };
    Ok(Some(OverlayPlane {
        group,
        kind: match text(header, tag(KIND)).as_deref() {
            Some("R") => OverlayKind::RegionOfInterest,
            _ => OverlayKind::Graphics,
        },
        rows,
        columns,
        left,
        top,
        label: words(LABEL),
        description: words(DESCRIPTION),
        bits,
        first_bit,
    }))
}

/// A plane in bits of the pixel cells, as it was until 2004 (PS3.5-2004 §8.1.2).
fn embedded_bits(
    header: &InMemDicomObject,
    image: &Description,
    group: u16,
    cells: &dyn Fn() -> Option<Vec<u32>>,
) -> Result<Vec<u8>, &'static str> {
    let position = whole(header, Tag(group, BIT_POSITION));
    let position = position.filter(|&bit| bit < image.bits_allocated).ok_or("its bit is not in the pixel cells")?;
    if (image.high_bit + 1 - image.bits_stored..=image.high_bit).contains(&position) {
        return Err("its bit belongs to the pixel values");
    }
    if image.samples != 1 {
        return Err("it stands in the cells of a colour image");
    }
    let cells = cells().ok_or("the compressed image kept no bits for it")?;
    let bits =
        |eight: &[u32]| eight.iter().zip(0..).fold(0, |byte, (cell, i)| byte | ((cell >> position & 1) as u8) << i);
    Ok(cells.chunks(8).map(bits).collect())
}

/// The bytes of an OB or OW element; a word's low byte comes first.
fn bytes(header: &InMemDicomObject, tag: Tag) -> Option<Vec<u8>> {
    match header.get(tag)?.value().primitive()? {
        PrimitiveValue::U8(bytes) => Some(bytes.to_vec()),
        PrimitiveValue::U16(words) => Some(words.iter().flat_map(|word| word.to_le_bytes()).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, VR};
    use proptest::prelude::*;

    use super::*;
    use crate::study::pixels::Photometric;

    fn image() -> Description {
        Description {
            rows: 3,
            columns: 4,
            samples: 1,
            bits_allocated: 16,
            bits_stored: 12,
            high_bit: 11,
            signed: false,
            by_plane: false,
            photometric: Photometric::Monochrome2,
            frames: 4,
        }
    }

    fn element(group: u16, element: u16, value: impl Into<PrimitiveValue>) -> DataElement<InMemDicomObject> {
        DataElement::new(Tag(group, element), VR::UN, value.into())
    }

    fn words(words: &[u16]) -> PrimitiveValue {
        PrimitiveValue::U16(words.iter().copied().collect())
    }

    fn header(elements: Vec<DataElement<InMemDicomObject>>) -> InMemDicomObject {
        InMemDicomObject::from_element_iter(elements)
    }

    /// A plane of 2 rows of 3 columns: ink in its corners `#.#` and in its middle `.#.`.
    fn plane_of(group: u16) -> Vec<DataElement<InMemDicomObject>> {
        vec![
            element(group, ROWS, 2u16),
            element(group, COLUMNS, 3u16),
            element(group, KIND, "G "),
            element(group, DATA, words(&[0b010_101])),
        ]
    }

    fn on(header: &InMemDicomObject, frame: u32) -> Vec<Result<OverlayPlane, OverlayError>> {
        planes(header, &image(), frame, &|| Some((0..12).map(|at| if at % 5 == 0 { 0x8fff } else { 0x7fff }).collect()))
    }

    fn picture(plane: &OverlayPlane) -> String {
        let line = |line: &[u8]| line.iter().map(|&ink| if ink == 1 { '#' } else { '.' }).collect::<String>();
        plane.layer(3, 4).chunks(4).map(line).collect::<Vec<_>>().join(" ")
    }

    fn pictures(header: &InMemDicomObject, frame: u32) -> Vec<String> {
        on(header, frame).iter().map(|plane| plane.as_ref().map_or_else(ToString::to_string, picture)).collect()
    }

    #[test]
    fn a_plane_lies_at_its_origin_and_may_stick_out() {
        let with_origin = |origin: [i16; 2]| {
            let mut elements = plane_of(0x6000);
            elements.push(element(0x6000, ORIGIN, PrimitiveValue::I16(origin.into_iter().collect())));
            pictures(&header(elements), 1)
        };
        assert_eq!(pictures(&header(plane_of(0x6000)), 1), ["#.#. .#.. ...."]);
        assert_eq!(with_origin([2, 2]), [".... .#.# ..#."]);
        assert_eq!(with_origin([0, 0]), ["#... .... ...."]);
        assert_eq!(with_origin([i16::MIN, i16::MAX]), [".... .... ...."]);
    }

    #[test]
    fn planes_of_several_groups_come_with_their_kind_and_words() {
        let mut elements = [plane_of(0x6000), plane_of(0x601e), plane_of(0x6020)].concat();
        elements.push(element(0x601e, KIND, "R"));
        elements.push(element(0x601e, LABEL, "les\u{1b}[2Jion "));
        let planes: Vec<OverlayPlane> = on(&header(elements), 1).into_iter().map(Result::unwrap).collect();
        let told: Vec<_> = planes.iter().map(|plane| (plane.group, plane.kind, plane.label.as_deref())).collect();
        let graphics = (0x6000, OverlayKind::Graphics, None);
        assert_eq!(told, [graphics, (0x601e, OverlayKind::RegionOfInterest, Some("les[2Jion"))]);
        assert_eq!(format!("{:?}", planes[0]), "[6000 Graphics 2 x 3 at 0,0]");
    }

    #[test]
    fn a_plane_of_several_frames_lies_over_its_own_only() {
        let mut elements = plane_of(0x6000);
        elements.push(element(0x6000, FRAMES, "2"));
        elements.push(element(0x6000, FRAME_ORIGIN, 2u16));
        // The second plane's bits follow without a gap: `###` over `...`.
        elements.push(element(0x6000, DATA, words(&[0b000_111_010_101])));
        let header = header(elements);
        let of = |frame| pictures(&header, frame);
        assert_eq!(
            (of(1), of(2), of(3), of(4)),
            (vec![], vec!["#.#. .#.. ....".into()], vec!["###. .... ....".into()], vec![])
        );
    }

    #[test]
    fn old_planes_stand_in_bits_that_the_image_does_not_use() {
        let at_bit = |bit: u16| pictures(&header(vec![element(0x6000, BIT_POSITION, bit)]), 1);
        assert_eq!(at_bit(15), ["#... .#.. ..#."]);
        assert_eq!(at_bit(12), [".### #.## ##.#"]);
        assert_eq!(at_bit(11), ["overlay plane 6000 cannot be shown: its bit belongs to the pixel values"]);
        assert_eq!(at_bit(16), ["overlay plane 6000 cannot be shown: its bit is not in the pixel cells"]);
        let old = header(vec![element(0x6000, BIT_POSITION, 15u16)]);
        let none = planes(&old, &image(), 1, &|| None).remove(0).unwrap_err();
        assert_eq!(none.why, "the compressed image kept no bits for it");
    }

    #[test]
    fn a_plane_that_lies_is_named_with_its_reason() {
        for (more, why) in [
            (element(0x6000, ROWS, 0u16), "its rows or columns are absent or out of range"),
            (element(0x6000, ROWS, 6u16), "its data is cut off"),
            (element(0x6000, DATA, "text"), "its data is not bits"),
        ] {
            let mut elements = plane_of(0x6000);
            elements.push(more);
            assert_eq!(on(&header(elements), 1), [Err(OverlayError { group: 0x6000, why })]);
        }
        let mut large = plane_of(0x6000);
        large.push(element(0x6000, ROWS, 65_535u16));
        large.push(element(0x6000, COLUMNS, 65_535u16));
        assert_eq!(on(&header(large), 1)[0].as_ref().unwrap_err().why, "it is larger than can be shown");
        assert_eq!(on(&header(vec![]), 1), []);
    }

    proptest! {
        #[test]
        fn any_plane_is_drawn_or_refused(
            size: [u16; 2], origin: [i16; 2], frames in 0u32..9, first: u16, bit: u16, frame in 1u32..9,
            data in prop::option::of(prop::collection::vec(any::<u16>(), 0..20)),
        ) {
            let mut elements = vec![
                element(0x6002, ROWS, size[0]),
                element(0x6002, COLUMNS, size[1]),
                element(0x6002, ORIGIN, PrimitiveValue::I16(origin.into_iter().collect())),
                element(0x6002, FRAMES, frames.to_string()),
                element(0x6002, FRAME_ORIGIN, first),
                element(0x6002, BIT_POSITION, bit),
            ];
            elements.extend(data.map(|data| element(0x6002, DATA, words(&data))));
            for plane in on(&header(elements), frame).into_iter().flatten() {
                prop_assert_eq!(plane.layer(3, 4).len(), 12);
            }
        }
    }
}
