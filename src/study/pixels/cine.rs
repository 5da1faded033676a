//! How fast the frames of an image are meant to be played (PS3.3 C.7.6.5).

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{number, numbers};

/// Fastest rate that is believed, in frames a second.
pub const FRAMES_A_SECOND_MAX: f64 = 1000.0;

/// Frames a second, from what the file says of display first and of acquisition last; none if it says nothing.
pub(super) fn frames_a_second(header: &InMemDicomObject) -> Option<f64> {
    let believable = |rate: &f64| *rate > 0.0 && *rate <= FRAMES_A_SECOND_MAX;
    let of_time = |milliseconds: f64| 1000.0 / milliseconds;
    // The first entry of a frame time vector is 0, the time before the first frame.
    let vector = || {
        let times = numbers(header, tags::FRAME_TIME_VECTOR);
        let (total, count) = (times.iter().sum::<f64>(), times.len().saturating_sub(1));
        (count > 0).then(|| of_time(total / count as f64))
    };
    let stated = |tag| number(header, tag).filter(believable);
    stated(tags::RECOMMENDED_DISPLAY_FRAME_RATE)
        .or_else(|| stated(tags::CINE_RATE))
        .or_else(|| number(header, tags::FRAME_TIME).map(of_time).filter(believable))
        .or_else(|| vector().filter(believable))
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, Tag, VR};

    use super::*;

    fn rate(attributes: &[(Tag, &str)]) -> Option<f64> {
        let elements = attributes.iter().map(|&(tag, text)| DataElement::new(tag, VR::DS, PrimitiveValue::from(text)));
        frames_a_second(&InMemDicomObject::from_element_iter(elements))
    }

    #[test]
    fn what_is_meant_for_display_comes_first() {
        let all = [
            (tags::RECOMMENDED_DISPLAY_FRAME_RATE, "15"),
            (tags::CINE_RATE, "30"),
            (tags::FRAME_TIME, "50"),
            (tags::FRAME_TIME_VECTOR, "0\\100\\300"),
        ];
        let rates = [0, 1, 2, 3].map(|from| rate(&all[from..]));
        assert_eq!(rates, [Some(15.0), Some(30.0), Some(20.0), Some(5.0)]);
    }

    #[test]
    fn what_cannot_be_a_rate_is_none() {
        for wrong in ["0", "-1", "x", "", "1e9", "NaN"] {
            assert_eq!(rate(&[(tags::CINE_RATE, wrong)]), None, "{wrong}");
        }
        assert_eq!((rate(&[(tags::FRAME_TIME, "0")]), rate(&[(tags::FRAME_TIME_VECTOR, "0")])), (None, None));
    }
}
