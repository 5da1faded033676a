//! Building a DICOM file anew around a cleaned header.
//!
//! Nothing of the old preamble or file meta information is kept: both hold names of stations and software. The
//! transfer syntax stays, and the pixel data's bytes are carried exactly as they were, compressed or not; only
//! their element's head is written again. Group lengths, trailing padding and groups below 0008, which do not
//! belong into a data set, go.
//!
//! It does not decide what a header may contain: that is de-identification. The same header and pixel data give
//! the same file to the byte, so that nothing is stored twice.

use std::borrow::Cow;
use std::io::Write;

use dicom_core::header::Header;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::text::SpecificCharacterSet;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::packing::{FileParts, Layout};
use super::part10::{Part10, PixelElement, Syntax, uid_of};

/// Names this program as the writer of a file (PS3.7 §D.3.3.2).
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.169048132560992627759880109496160383589";

/// The writer's version for people, at most 16 characters.
pub const IMPLEMENTATION_VERSION_NAME: &str = "OVERREAD_1";

const PREAMBLE_BYTES: usize = 128;

/// A rebuilt file in the three parts that packing wants.
#[derive(Debug)]
pub struct Rebuilt<'a> {
    pub before: Vec<u8>,
    pub pixels: Cow<'a, [u8]>,
    pub after: Vec<u8>,
    pub layout: Option<Layout>,
}

impl Rebuilt<'_> {
    pub fn parts(&self) -> FileParts<'_> {
        FileParts { before: &self.before, pixels: &self.pixels, after: &self.after, layout: self.layout }
    }

    /// The whole file in one piece.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.before[..], &self.pixels, &self.after].concat()
    }
}

/// Builds the file of `part10` with `header`, the cleaned one, in the place of its own.
///
/// # Errors
/// If the header lacks SOP Class or Instance UID, or holds what cannot be written in this syntax.
pub fn rebuild<'a>(part10: Part10<'a>, header: InMemDicomObject) -> Result<Rebuilt<'a>, WriteError> {
    let layout = part10.layout();
    let mut before = meta(&part10.syntax, &header)?;
    let Some(pixel) = part10.pixel else {
        let data_set = elements(header, &part10.syntax, |_| true, SpecificCharacterSet::default())?;
        return Ok(match part10.syntax.deflated {
            true => Rebuilt { before, pixels: Cow::Owned(deflate(&[&data_set])?), after: Vec::new(), layout: None },
            false => {
                before.extend_from_slice(&data_set);
                Rebuilt { before, pixels: Cow::Borrowed(&[]), after: Vec::new(), layout: None }
            }
        });
    };

    let character_set = character_set(&header);
    let (first, last): (Vec<_>, Vec<_>) = header.into_iter().partition(|element| element.tag() < pixel.tag);
    let first = InMemDicomObject::from_element_iter(first);
    let last = InMemDicomObject::from_element_iter(last);
    let mut leading = elements(first, &part10.syntax, |_| true, SpecificCharacterSet::default())?;
    leading.extend_from_slice(&pixel_head(&part10.syntax, &pixel)?);
    let mut trailing = if pixel.encapsulated { SEQUENCE_END.to_vec() } else { Vec::new() };
    trailing.extend(elements(last, &part10.syntax, |tag| tag != pixel.tag, character_set)?);
    if part10.syntax.deflated {
        let deflated = deflate(&[&leading, &pixel.bytes, &trailing])?;
        return Ok(Rebuilt { before, pixels: Cow::Owned(deflated), after: Vec::new(), layout: None });
    }
    before.extend_from_slice(&leading);
    Ok(Rebuilt { before, pixels: pixel.bytes, after: trailing, layout })
}

/// (FFFE,E0DD) with length 0; compressed data is always little endian.
const SEQUENCE_END: [u8; 8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];

/// Preamble and file meta information for the file of a header.
fn meta(syntax: &Syntax, header: &InMemDicomObject) -> Result<Vec<u8>, WriteError> {
    let class = uid_of(header, tags::SOP_CLASS_UID).ok_or(WriteError::NoClass)?;
    let instance = uid_of(header, tags::SOP_INSTANCE_UID).ok_or(WriteError::NoInstance)?;
    file_head(&class, &instance, &syntax.uid)
}

/// What stands before the data set in a file: preamble and file meta information.
pub fn file_head(sop_class: &str, sop_instance: &str, syntax: &str) -> Result<Vec<u8>, WriteError> {
    let table = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(sop_class)
        .media_storage_sop_instance_uid(sop_instance)
        .transfer_syntax(syntax)
        .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(IMPLEMENTATION_VERSION_NAME)
        .build()
        .map_err(|error| WriteError::Header(error.to_string()))?;
    let mut bytes = vec![0; PREAMBLE_BYTES];
    bytes.extend_from_slice(b"DICM");
    table.write(&mut bytes).map_err(|error| WriteError::Header(error.to_string()))?;
    Ok(bytes)
}

fn elements(
    mut object: InMemDicomObject,
    syntax: &Syntax,
    keep: impl Fn(Tag) -> bool,
    character_set: SpecificCharacterSet,
) -> Result<Vec<u8>, WriteError> {
    object.retain(|element| {
        let tag = element.tag();
        (0x0008..0xFFFC).contains(&tag.group()) && tag.element() != 0 && keep(tag)
    });
    let mut bytes = Vec::new();
    object
        .write_dataset_with_ts_cs(&mut bytes, &syntax.of_header(), character_set)
        .map_err(|error| WriteError::Header(error.to_string()))?;
    Ok(bytes)
}

fn character_set(header: &InMemDicomObject) -> SpecificCharacterSet {
    header
        .get(tags::SPECIFIC_CHARACTER_SET)
        .and_then(|element| element.to_multi_str().ok())
        .and_then(|names| SpecificCharacterSet::from_code(names.first()?))
        .unwrap_or_default()
}

fn pixel_head(syntax: &Syntax, pixel: &PixelElement<'_>) -> Result<Vec<u8>, WriteError> {
    let length = match pixel.encapsulated {
        true => u32::MAX,
        false => u32::try_from(pixel.bytes.len()).map_err(|_| WriteError::PixelDataTooLong)?,
    };
    let encoding = syntax.encoding;
    let short = |number: u16| if encoding.big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
    let mut head = Vec::with_capacity(12);
    head.extend_from_slice(&short(pixel.tag.group()));
    head.extend_from_slice(&short(pixel.tag.element()));
    if encoding.explicit {
        let vr = if pixel.encapsulated { VR::OB } else { pixel.vr };
        head.extend_from_slice(&vr.to_bytes());
        head.extend_from_slice(&[0, 0]);
    }
    head.extend_from_slice(&if encoding.big_endian { length.to_be_bytes() } else { length.to_le_bytes() });
    Ok(head)
}

fn deflate(parts: &[&[u8]]) -> Result<Vec<u8>, WriteError> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    for part in parts {
        encoder.write_all(part).map_err(|error| WriteError::Header(error.to_string()))?;
    }
    let mut bytes = encoder.finish().map_err(|error| WriteError::Header(error.to_string()))?;
    if !bytes.len().is_multiple_of(2) {
        bytes.push(0); // PS3.5 §A.5
    }
    Ok(bytes)
}

/// Why a file could not be written anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("it has no SOP Class UID, so nobody could say what it is")]
    NoClass,
    #[error("it has no SOP Instance UID, so nobody could refer to it")]
    NoInstance,
    #[error("the pixel data is longer than 4 GiB")]
    PixelDataTooLong,
    #[error("the header cannot be written: {0}")]
    Header(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::part10;

    #[test]
    fn the_old_preamble_and_writer_are_gone() {
        let object = InMemDicomObject::from_element_iter([
            dicom_core::DataElement::new(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.7"),
            dicom_core::DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, "2.25.1"),
        ]);
        let part10 = Part10 { syntax: Syntax::of("1.2.840.10008.1.2.1"), header: object.clone(), pixel: None };
        let file = rebuild(part10, object).unwrap().to_bytes();
        assert_eq!(file[..128], [0; 128]);
        assert_eq!(&file[128..132], b"DICM");
        let text = String::from_utf8_lossy(&file);
        assert!(text.contains(IMPLEMENTATION_CLASS_UID) && text.contains(IMPLEMENTATION_VERSION_NAME));
        assert!(part10::read(&file).is_ok());
    }

    #[test]
    fn a_file_without_names_is_refused() {
        let part10 =
            Part10 { syntax: Syntax::of("1.2.840.10008.1.2"), header: InMemDicomObject::new_empty(), pixel: None };
        assert_eq!(rebuild(part10, InMemDicomObject::new_empty()).unwrap_err(), WriteError::NoClass);
    }

    #[test]
    fn group_lengths_and_foreign_groups_are_dropped() {
        let names = [
            dicom_core::DataElement::new(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.7"),
            dicom_core::DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, "2.25.1"),
        ];
        let mut object = InMemDicomObject::from_element_iter(names);
        object.put_str(Tag(0x0004, 0x1130), VR::CS, "INDEX");
        object.put_str(Tag(0x0002, 0x0016), VR::AE, "STATION");
        object.put_str(Tag(0xFFFC, 0xFFFC), VR::OB, "rest");
        object.put(dicom_core::DataElement::new(Tag(0x0008, 0x0000), VR::UL, dicom_core::PrimitiveValue::from(9u32)));
        let part10 = Part10 { syntax: Syntax::of("1.2.840.10008.1.2.1"), header: object.clone(), pixel: None };
        let file = rebuild(part10, object).unwrap().to_bytes();
        let kept: Vec<Tag> = part10::read(&file).unwrap().header.tags().collect();
        assert_eq!(kept, [tags::SOP_CLASS_UID, tags::SOP_INSTANCE_UID]);
    }
}
