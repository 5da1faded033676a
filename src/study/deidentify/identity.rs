//! Who the patient is, as the original header says: for the patient group, the re-identification table and the
//! text check. It stays on the sender's machine, sealed.

use dicom_core::header::Header;
use dicom_core::value::{PrimitiveValue, Value};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::dates::{read_date, read_datetime_date};
use super::words::IdentifyingWords;
use super::{NESTING_MAX, TEXT_VALUES_MAX, values};
use crate::encoding::private::Private;

/// What one header says of its patient, study and itself, as written there, padding aside; empty if absent.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    pub patient_name: Private<String>,
    pub patient_id: Private<String>,
    pub issuer_of_patient_id: Private<String>,
    /// `YYYYMMDD`.
    pub birth_date: Private<String>,
    pub accession_number: Private<String>,
    /// `YYYYMMDD`.
    pub study_date: Private<String>,
    pub study_description: Private<String>,
    pub study_instance_uid: Private<String>,
    pub series_instance_uid: Private<String>,
    pub sop_instance_uid: Private<String>,
    /// Names, identifiers and dates anywhere in the header.
    pub words: IdentifyingWords,
}

/// Attributes that hold an identifier of the patient, the visit or the order.
const IDENTIFIERS: &[Tag] = &[
    tags::PATIENT_ID,
    Tag(0x0010, 0x1000), // Other Patient IDs, retired and still written
    Tag(0x0010, 0x1090), // Medical Record Locator, likewise
    tags::ACCESSION_NUMBER,
    tags::STUDY_ID,
    tags::ADMISSION_ID,
    tags::SERVICE_EPISODE_ID,
    tags::REQUESTED_PROCEDURE_ID,
    tags::SCHEDULED_PROCEDURE_STEP_ID,
    tags::PERFORMED_PROCEDURE_STEP_ID,
    tags::PLACER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST,
    tags::FILLER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST,
    tags::PATIENT_TELEPHONE_NUMBERS,
    tags::CLINICAL_TRIAL_SUBJECT_ID,
    tags::CLINICAL_TRIAL_SUBJECT_READING_ID,
    tags::SPECIMEN_IDENTIFIER,
    tags::CONTAINER_IDENTIFIER,
];

/// Longest value of a contradictory VR that is still looked at for a name, in bytes.
const ODD_VALUE_BYTES_MAX: usize = 1024;

impl Identity {
    pub fn of(header: &InMemDicomObject) -> Self {
        let text = |tag| Private::new(super::text_of(header, tag).unwrap_or_default());
        let mut words = IdentifyingWords::new();
        collect(header, 0, &mut words);
        Self {
            patient_name: text(tags::PATIENT_NAME),
            patient_id: text(tags::PATIENT_ID),
            issuer_of_patient_id: text(tags::ISSUER_OF_PATIENT_ID),
            birth_date: text(tags::PATIENT_BIRTH_DATE),
            accession_number: text(tags::ACCESSION_NUMBER),
            study_date: text(tags::STUDY_DATE),
            study_description: text(tags::STUDY_DESCRIPTION),
            study_instance_uid: text(tags::STUDY_INSTANCE_UID),
            series_instance_uid: text(tags::SERIES_INSTANCE_UID),
            sop_instance_uid: text(tags::SOP_INSTANCE_UID),
            words,
        }
    }
}

fn collect(object: &InMemDicomObject, depth: usize, words: &mut IdentifyingWords) {
    for element in object {
        let tag = element.tag();
        match element.vr() {
            VR::SQ if depth < NESTING_MAX => {
                for item in element.items().unwrap_or_default() {
                    collect(item, depth + 1, words);
                }
            }
            VR::DA => each_text(element, |text| read_date(text).into_iter().for_each(|date| words.add_date(date))),
            VR::DT => each_text(element, |text| {
                read_datetime_date(text).into_iter().for_each(|date| words.add_date(date));
            }),
            VR::PN => each_text(element, |text| add_name(words, text)),
            _ if IDENTIFIERS.contains(&tag) => each_text(element, |text| words.add_identifier(text)),
            _ if tag == tags::PATIENT_NAME => each_text(element, |text| add_name(words, text)),
            _ => {}
        }
    }
}

fn add_name(words: &mut IdentifyingWords, name: &str) {
    words.add_name(name);
    // Bytes that were read in a wrong set give control characters, too.
    if !values::is_readable(name.trim_matches(['\t', '\r', '\n'])) {
        words.add_unread_name();
    }
}

/// The texts of an element, also those a wrong VR hides in bytes.
fn each_text(element: &InMemElement, mut take: impl FnMut(&str)) {
    if let Some(texts) = values::texts(element) {
        texts.iter().take(TEXT_VALUES_MAX).for_each(|text| take(text.trim_matches(['\0', ' '])));
    } else if let Value::Primitive(PrimitiveValue::U8(bytes)) = element.value()
        && bytes.len() <= ODD_VALUE_BYTES_MAX
    {
        take(&String::from_utf8_lossy(bytes));
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::DataElement;
    use dicom_core::value::DataSetSequence;

    use super::*;

    #[test]
    fn names_identifiers_and_dates_are_found_at_every_level_and_under_a_wrong_vr() {
        let request = InMemDicomObject::from_element_iter([
            DataElement::new(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "Watson^John"),
            DataElement::new(tags::REQUESTED_PROCEDURE_ID, VR::SH, "RP-4711"),
        ]);
        let header = InMemDicomObject::from_element_iter([
            DataElement::new(tags::PATIENT_NAME, VR::UN, PrimitiveValue::from(&b"Adler^Irene"[..])),
            DataElement::new(tags::PATIENT_ID, VR::LO, " 77-654 "),
            DataElement::new(tags::STUDY_DATE, VR::DA, "20040119"),
            DataElement::new(tags::REQUEST_ATTRIBUTES_SEQUENCE, VR::SQ, DataSetSequence::from(vec![request])),
        ]);
        let identity = Identity::of(&header);
        assert_eq!(identity.patient_id.reveal(), "77-654");
        for word in ["adler", "IRENE", "watson", "4711", "20040119", "77654"] {
            assert!(identity.words.has(word), "{word}");
        }
        assert!(!format!("{identity:?}").contains("77"));
        assert!(!identity.words.has_unread_names());
    }

    #[test]
    fn a_name_that_cannot_be_read_is_told_of() {
        for (name, unread) in [
            ("Yamada^Tarou", false),
            ("山田^太郎", false),
            ("a\u{1b}$(Zb", true),
            ("M\u{fffd}ller", true),
            ("å±±ç\u{94}°", true),
            ("Doe\r\n", false),
        ] {
            let header = InMemDicomObject::from_element_iter([DataElement::new(tags::PATIENT_NAME, VR::PN, name)]);
            assert_eq!(Identity::of(&header).words.has_unread_names(), unread, "{name:?}");
        }
    }
}
