//! Which instances a person must look at before they leave: burned-in text, and faces.
//!
//! Judged per instance from the header and one fact about the pixels. It recognises no text in pixels; a risky
//! instance is left out, named and counted, until somebody has looked (design 4, PS3.15 E.3.1).

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::words::{folded, words};
use super::{PixelFacts, text_of, values};

/// Why text could be burned into an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BurnedInRisk {
    SaysSo,
    Ultrasound,
    SecondaryCapture,
    ScreenSave,
    Converted,
    DerivedSecondary,
    EightBitRange,
    Modality,
    VisibleLight,
}

impl BurnedInRisk {
    pub const fn words(self) -> &'static str {
        match self {
            Self::SaysSo => "the header says text is burned in",
            Self::Ultrasound => "ultrasound",
            Self::SecondaryCapture => "secondary capture",
            Self::ScreenSave => "screen save",
            Self::Converted => "converted from film, video or a workstation (Conversion Type)",
            Self::DerivedSecondary => "derived secondary image of CT or MR",
            Self::EightBitRange => "16 bits with values of 8 bits only, as after a conversion",
            Self::Modality => "a modality that burns text into its images",
            Self::VisibleLight => "visible light image",
        }
    }
}

/// Slices up to this thickness let a face be rebuilt.
pub const FACE_SLICE_MM_MAX: f64 = 3.0;

const ULTRASOUND: &[&str] = &["US", "IVUS", "BDUS", "EC"];
const BURNING: &[&str] = &["XA", "RF", "ES", "OT", "SC", "DF", "DS"];
/// Scanners of these use more than 8 of 16 bits; nuclear counts, masks and maps need not.
const DEEP: &[&str] = &["CT", "MR", "CR", "DX", "MG", "IO", "PX"];
const VISIBLE_LIGHT: &[&str] = &["XC", "GM", "SM", "OP", "OPV", "OPT", "DMS", "VL", "DOC", "EPS"];

pub(super) fn risks(header: &InMemDicomObject, sop_class_uid: &str, pixels: PixelFacts) -> Vec<BurnedInRisk> {
    let first = |tag: Tag| text_of(header, tag).unwrap_or_default().to_ascii_uppercase();
    let modality = first(tags::MODALITY);
    let modality = modality.as_str();
    let class = sop_class_uid.strip_prefix("1.2.840.10008.5.1.4.1.1.").unwrap_or_default();
    let class_is = |root: &str| class.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let image_type: Vec<String> = header
        .get(tags::IMAGE_TYPE)
        .and_then(values::texts)
        .map(|texts| texts.iter().map(|text| text.trim().to_ascii_uppercase()).collect())
        .unwrap_or_default();
    let is_ct_or_mr = matches!(modality, "CT" | "MR") || ["2", "4"].iter().any(|root| class_is(root));
    let derived_secondary =
        image_type.first().is_some_and(|t| t == "DERIVED") && image_type.get(1).is_some_and(|t| t == "SECONDARY");
    let screen = |text: &str| {
        let text = folded(text).replace([' ', '_', '-'], "");
        ["screensave", "screencapture", "screenshot", "snapshot"].iter().any(|kind| text.contains(kind))
    };
    let screen_save = image_type.iter().any(|text| text == "SCREEN" || screen(text))
        || text_of(header, tags::SERIES_DESCRIPTION).is_some_and(|text| screen(&text));
    let mut risks: Vec<_> = [
        (first(tags::BURNED_IN_ANNOTATION) == "YES", BurnedInRisk::SaysSo),
        (
            ULTRASOUND.contains(&modality) || ["3", "3.1", "6", "6.1", "6.2", "6.3"].iter().any(|root| class_is(root)),
            BurnedInRisk::Ultrasound,
        ),
        (class_is("7"), BurnedInRisk::SecondaryCapture),
        (screen_save, BurnedInRisk::ScreenSave),
        (!first(tags::CONVERSION_TYPE).is_empty(), BurnedInRisk::Converted),
        (is_ct_or_mr && derived_secondary, BurnedInRisk::DerivedSecondary),
        ((is_ct_or_mr || DEEP.contains(&modality)) && pixels.eight_bit_range, BurnedInRisk::EightBitRange),
        (
            BURNING.contains(&modality) || ["12.1", "12.2", "12.1.1", "12.2.1"].iter().any(|root| class_is(root)),
            BurnedInRisk::Modality,
        ),
        (VISIBLE_LIGHT.contains(&modality) || class_is("77.1"), BurnedInRisk::VisibleLight),
    ]
    .into_iter()
    .filter_map(|(is_risk, risk)| is_risk.then_some(risk))
    .collect();
    risks.dedup();
    risks
}

/// Whether all samples of uncompressed 16-bit pixel data lie in 0..=255. It stops at the first that does not,
/// so real CT and MR cost almost nothing. `pixels` are the stored bytes of all frames.
pub fn fits_in_eight_bits(pixels: &[u8], bits_allocated: u16, big_endian: bool) -> bool {
    if bits_allocated != 16 || pixels.len() < 2 {
        return false;
    }
    let high = usize::from(!big_endian);
    let (samples, _) = pixels.as_chunks::<2>();
    samples.iter().all(|sample| sample[high] == 0)
}

/// Whether slices like this one let a face be rebuilt: CT or MR, head, thin.
pub(super) fn shows_face(header: &InMemDicomObject) -> bool {
    let is_ct_or_mr = text_of(header, tags::MODALITY).is_some_and(|modality| matches!(modality.as_str(), "CT" | "MR"));
    let number = |tag| text_of(header, tag).and_then(|text| text.trim().parse::<f64>().ok()).filter(|mm| *mm > 0.0);
    let thickness = number(tags::SLICE_THICKNESS)
        .or_else(|| number(tags::SPACING_BETWEEN_SLICES))
        .or_else(|| shared_thickness(header));
    let is_thin = thickness.is_some_and(|mm| mm <= FACE_SLICE_MM_MAX);
    is_ct_or_mr && is_thin && says_head(header)
}

/// Slice thickness of an enhanced multi-frame object, from its shared functional groups.
fn shared_thickness(header: &InMemDicomObject) -> Option<f64> {
    let shared = header.get(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE)?.items()?.first()?;
    let measures = shared.get(tags::PIXEL_MEASURES_SEQUENCE)?.items()?.first()?;
    text_of(measures, tags::SLICE_THICKNESS)?.trim().parse().ok()
}

fn says_head(header: &InMemDicomObject) -> bool {
    const HEAD: &[&str] = &[
        "head",
        "brain",
        "skull",
        "face",
        "facial",
        "neuro",
        "cranium",
        "cranial",
        "orbit",
        "orbita",
        "sinus",
        "sinuses",
        "kopf",
        "schadel",
        "gehirn",
        "hirn",
        "nnh",
        "crane",
        "cerveau",
        "tete",
        "cabeza",
        "craneo",
        "cerebro",
        "maxillofacial",
        "dental",
        "iac",
        "tmj",
        "pituitary",
        "headneck",
    ];
    [tags::BODY_PART_EXAMINED, tags::STUDY_DESCRIPTION, tags::SERIES_DESCRIPTION, tags::PROTOCOL_NAME]
        .into_iter()
        .filter_map(|tag| text_of(header, tag))
        .any(|text| words(&text).any(|(_, word)| HEAD.contains(&folded(word).as_ref())))
}

#[cfg(test)]
mod tests {
    use dicom_core::value::PrimitiveValue;
    use dicom_core::{DataElement, VR};

    use super::*;

    fn header(modality: &str, more: &[(Tag, VR, &str)]) -> InMemDicomObject {
        let more = more.iter().map(|(tag, vr, text)| {
            DataElement::new(*tag, *vr, PrimitiveValue::Strs(text.split('\\').map(str::to_owned).collect()))
        });
        InMemDicomObject::from_element_iter(
            std::iter::once(DataElement::new(tags::MODALITY, VR::CS, modality)).chain(more),
        )
    }

    const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
    const PLAIN: PixelFacts = PixelFacts { eight_bit_range: false };

    #[test]
    fn every_listed_risk_is_seen_and_a_plain_ct_has_none() {
        use BurnedInRisk::*;
        let image_type = |kind| (tags::IMAGE_TYPE, VR::CS, kind);
        for (modality, class, more, expected) in [
            ("CT", CT, vec![image_type("ORIGINAL\\PRIMARY\\AXIAL")], vec![]),
            ("CT", CT, vec![image_type("DERIVED\\PRIMARY\\MPR")], vec![]),
            ("CT", CT, vec![image_type("DERIVED\\SECONDARY\\REFORMATTED")], vec![DerivedSecondary]),
            ("CT", CT, vec![image_type("DERIVED\\SECONDARY\\SCREEN SAVE")], vec![ScreenSave, DerivedSecondary]),
            ("CT", CT, vec![(tags::BURNED_IN_ANNOTATION, VR::CS, "YES")], vec![SaysSo]),
            ("CT", CT, vec![(tags::BURNED_IN_ANNOTATION, VR::CS, "NO")], vec![]),
            ("MR", "1.2.840.10008.5.1.4.1.1.7", vec![], vec![SecondaryCapture]),
            ("CR", "1.2.840.10008.5.1.4.1.1.1", vec![(tags::CONVERSION_TYPE, VR::CS, "DF")], vec![Converted]),
            ("US", "1.2.840.10008.5.1.4.1.1.6.1", vec![], vec![Ultrasound]),
            ("XA", "1.2.840.10008.5.1.4.1.1.12.1", vec![], vec![Modality]),
            ("RF", "1.2.840.10008.5.1.4.1.1.12.2", vec![], vec![Modality]),
            ("OT", "1.2.840.10008.5.1.4.1.1.7.4", vec![], vec![SecondaryCapture, Modality]),
            ("ES", "1.2.840.10008.5.1.4.1.1.77.1.1", vec![], vec![Modality, VisibleLight]),
            ("SM", "1.2.840.10008.5.1.4.1.1.77.1.6", vec![], vec![VisibleLight]),
            ("MG", "1.2.840.10008.5.1.4.1.1.1.2", vec![], vec![]),
        ] {
            assert_eq!(risks(&header(modality, &more), class, PLAIN), expected, "{modality} {class} {more:?}");
        }
        let eight = PixelFacts { eight_bit_range: true };
        assert_eq!(risks(&header("CT", &[]), CT, eight), [EightBitRange]);
        assert_eq!(risks(&header("CR", &[]), "1.2.840.10008.5.1.4.1.1.1", eight), [EightBitRange]);
        assert_eq!(risks(&header("NM", &[]), "1.2.840.10008.5.1.4.1.1.20", eight), []);
    }

    #[test]
    fn eight_bit_values_in_sixteen_bits_are_found_in_both_byte_orders() {
        assert!(fits_in_eight_bits(&[255, 0, 0, 0], 16, false));
        assert!(fits_in_eight_bits(&[0, 255, 0, 0], 16, true));
        assert!(!fits_in_eight_bits(&[255, 0, 0, 1], 16, false));
        assert!(!fits_in_eight_bits(&[24, 252], 16, false)); // -1000
        assert!(!fits_in_eight_bits(&[1, 2], 8, false) && !fits_in_eight_bits(&[], 16, false));
    }

    #[test]
    fn a_thin_head_shows_a_face_and_a_thick_one_or_a_thorax_does_not() {
        let thin = (tags::SLICE_THICKNESS, VR::DS, "1.0 ");
        let head = (tags::BODY_PART_EXAMINED, VR::CS, "HEAD");
        assert!(shows_face(&header("CT", &[head, thin])));
        assert!(shows_face(&header("MR", &[(tags::STUDY_DESCRIPTION, VR::LO, "MRT Schädel"), thin])));
        assert!(!shows_face(&header("CT", &[head, (tags::SLICE_THICKNESS, VR::DS, "5")])));
        assert!(!shows_face(&header("CT", &[(tags::BODY_PART_EXAMINED, VR::CS, "CHEST"), thin])));
        assert!(!shows_face(&header("CR", &[head, thin])));
    }
}
