//! Attributes of a header as numbers and words, and the functional groups of a multi-frame image.
//!
//! A value that cannot be read is absent, never a default: a wrong millimetre is worse than a pixel. And a frame
//! whose own functional group lacks a macro gets the shared one or none, never that of the first frame.

use dicom_core::{PrimitiveValue, Tag};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

/// Text of an attribute without its padding, if there is any.
pub(in crate::study) fn text(header: &InMemDicomObject, tag: Tag) -> Option<String> {
    let text = header.get(tag)?.to_str().ok()?;
    let text = text.trim_matches(['\0', ' ']);
    (!text.is_empty()).then(|| text.to_string())
}

/// All words of an attribute, as in Image Type.
pub(in crate::study) fn words(header: &InMemDicomObject, tag: Tag) -> Vec<String> {
    let Some(values) = header.get(tag).and_then(|element| element.to_multi_str().ok()) else { return Vec::new() };
    let words = values.iter().flat_map(|value| value.split('\\'));
    words.map(|word| word.trim_matches(['\0', ' ']).to_string()).collect()
}

/// All numbers of an attribute; none if any of them cannot be read or is not finite.
pub(in crate::study) fn numbers(header: &InMemDicomObject, tag: Tag) -> Vec<f64> {
    let Some(element) = header.get(tag) else { return Vec::new() };
    let numbers: Option<Vec<f64>> = match element.value().primitive() {
        Some(PrimitiveValue::Str(_) | PrimitiveValue::Strs(_)) => {
            let words = words(header, tag);
            words.iter().map(|word| word.parse().ok()).collect()
        }
        Some(PrimitiveValue::Empty) | None => None,
        Some(_) => element.to_multi_float64().ok(),
    };
    numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite())).unwrap_or_default()
}

/// The first number of an attribute.
pub(in crate::study) fn number(header: &InMemDicomObject, tag: Tag) -> Option<f64> {
    numbers(header, tag).first().copied()
}

/// The first number of an attribute that holds whole numbers of at most 32 bits.
pub(in crate::study) fn whole(header: &InMemDicomObject, tag: Tag) -> Option<u32> {
    number(header, tag).filter(|n| n.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(n)).map(|n| n as u32)
}

/// The first item of a sequence.
pub(in crate::study) fn first_item(header: &InMemDicomObject, sequence: Tag) -> Option<&InMemDicomObject> {
    items(header, sequence).first()
}

/// The items of a sequence.
pub(in crate::study) fn items(header: &InMemDicomObject, sequence: Tag) -> &[InMemDicomObject] {
    header.get(sequence).and_then(|element| element.items()).unwrap_or_default()
}

/// Where one frame's macros stand (PS3.3 C.7.6.16): its own functional group, the shared one, the image itself.
#[derive(Clone, Copy)]
pub(in crate::study) struct FrameGroups<'a> {
    image: &'a InMemDicomObject,
    shared: Option<&'a InMemDicomObject>,
    own: Option<&'a InMemDicomObject>,
}

impl<'a> FrameGroups<'a> {
    /// The groups of a frame, counted from 1.
    pub(in crate::study) fn of(image: &'a InMemDicomObject, frame: u32) -> Self {
        let own = frame.checked_sub(1).and_then(|index| {
            items(image, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).get(usize::try_from(index).ok()?)
        });
        Self { image, shared: first_item(image, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE), own }
    }

    /// The item of a macro's sequence for this frame, or the image itself, where single-frame images keep the
    /// same attributes.
    pub(in crate::study) fn holder(&self, sequence: Tag) -> &'a InMemDicomObject {
        let of = |group: Option<&'a InMemDicomObject>| group.and_then(|group| first_item(group, sequence));
        of(self.own).or_else(|| of(self.shared)).unwrap_or(self.image)
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::value::DataSetSequence;
    use dicom_core::{DataElement, VR};

    use super::*;

    fn with(tag: Tag, vr: VR, text: &str) -> InMemDicomObject {
        InMemDicomObject::from_element_iter([DataElement::new(tag, vr, PrimitiveValue::from(text))])
    }

    fn nest(tag: Tag, items: Vec<InMemDicomObject>) -> DataElement<InMemDicomObject> {
        DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
    }

    #[test]
    fn decimal_strings_in_every_usual_form_are_numbers() {
        for (form, numbers_of_it) in [
            ("001.367188E+00\\01.367188E+00", vec![1.367188, 1.367188]),
            (" 0.5 \\0.25 ", vec![0.5, 0.25]),
            ("-1024", vec![-1024.0]),
        ] {
            assert_eq!(numbers(&with(tags::PIXEL_SPACING, VR::DS, form), tags::PIXEL_SPACING), numbers_of_it);
        }
    }

    #[test]
    fn what_is_no_number_is_absent_whole() {
        for form in ["", "0.5\\x", "NaN\\1", "inf\\1", "0,5\\0,5"] {
            assert!(numbers(&with(tags::PIXEL_SPACING, VR::DS, form), tags::PIXEL_SPACING).is_empty(), "{form}");
        }
        assert_eq!(whole(&with(tags::ROWS, VR::IS, "-1"), tags::ROWS), None);
        assert_eq!(whole(&with(tags::ROWS, VR::IS, "4294967296"), tags::ROWS), None);
    }

    #[test]
    fn a_frame_without_its_own_macro_gets_the_shared_one_and_never_the_first_frames() {
        let macro_of = |slope: &str| {
            nest(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, vec![with(tags::RESCALE_SLOPE, VR::DS, slope)])
        };
        let first = InMemDicomObject::from_element_iter([macro_of("2")]);
        let second = InMemDicomObject::new_empty();
        let mut image = InMemDicomObject::from_element_iter([nest(
            tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
            vec![first, second],
        )]);
        let slope = |image: &InMemDicomObject, frame| {
            let holder = FrameGroups::of(image, frame).holder(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
            number(holder, tags::RESCALE_SLOPE)
        };
        assert_eq!([slope(&image, 1), slope(&image, 2), slope(&image, 3)], [Some(2.0), None, None]);
        let shared = InMemDicomObject::from_element_iter([macro_of("3")]);
        image.put(nest(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared]));
        assert_eq!([slope(&image, 1), slope(&image, 2), slope(&image, 3)], [Some(2.0), Some(3.0), Some(3.0)]);
    }
}
