//! Rules of the engine, each on the smallest header that shows it.

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::preset::{Method, Preset};
use super::secrets::GroupSecrets;
use super::vocabulary::Approvals;
use super::{Deidentified, Done, Instance, LeftOut, NESTING_MAX, PixelFacts, Reason, Rules, deidentify};
use crate::identity::keys::Secret;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";

fn group() -> GroupSecrets {
    GroupSecrets::new(&Secret::new([7; 32]))
}

fn text(tag: Tag, vr: VR, text: &str) -> InMemElement {
    DataElement::new(tag, vr, PrimitiveValue::Strs(text.split('\\').map(str::to_owned).collect()))
}

fn item(elements: impl IntoIterator<Item = InMemElement>) -> InMemDicomObject {
    InMemDicomObject::from_element_iter(elements)
}

fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> InMemElement {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

fn header(more: impl IntoIterator<Item = InMemElement>) -> InMemDicomObject {
    let mut header = item([
        text(tags::SOP_CLASS_UID, VR::UI, CT),
        text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4"),
        text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3"),
        text(tags::MODALITY, VR::CS, "CT"),
        text(tags::PATIENT_NAME, VR::PN, "Holmes^Sherlock"),
        text(tags::PATIENT_ID, VR::LO, "BAKER-221"),
        text(tags::PATIENT_BIRTH_DATE, VR::DA, "19300106"),
        text(tags::STUDY_DATE, VR::DA, "20040119"),
    ]);
    for element in more {
        header.put(element);
    }
    header
}

fn run(header: InMemDicomObject, preset: Preset) -> Deidentified {
    let instance = Instance { header, meta_sop_class_uid: None, pixels: Some(PixelFacts::default()), reviewed: false };
    deidentify(instance, &Rules::new(preset, Approvals::default()), &group()).expect("an object of the standard")
}

fn consult(more: impl IntoIterator<Item = InMemElement>) -> Deidentified {
    run(header(more), Preset::consult())
}

fn value(of: &Deidentified, tag: Tag) -> Option<String> {
    of.header.get(tag).map(|element| element.to_str().expect("text").trim().to_owned())
}

fn reason(of: &Deidentified, tag: Tag) -> Option<(Done, Reason)> {
    of.actions.iter().find(|action| action.path.last() == Some(&tag)).map(|action| (action.done, action.reason))
}

#[test]
fn the_consult_preset_leaves_what_a_second_reader_needs() {
    let out = consult([
        text(tags::PATIENT_SEX, VR::CS, "M"),
        text(tags::PATIENT_WEIGHT, VR::DS, "80.5"),
        text(tags::STUDY_DESCRIPTION, VR::LO, "CT Thorax for Sherlock Holmes"),
        text(tags::SERIES_TIME, VR::TM, "083000.12"),
        text(tags::ACQUISITION_DATE_TIME, VR::DT, "20040119083000.5+0100"),
        text(tags::INSTITUTION_NAME, VR::LO, "Barts"),
        text(tags::STATION_NAME, VR::SH, "CT99"),
        text(tags::MANUFACTURER, VR::LO, "SIEMENS"),
        text(tags::ACCESSION_NUMBER, VR::SH, "A4711"),
        text(tags::IMAGE_COMMENTS, VR::LT, "Holmes again"),
        text(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "Watson^John"),
        DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(512u16)),
    ]);
    let pseudonym = group().pseudonym().to_owned();
    for (tag, expected) in [
        (tags::PATIENT_NAME, Some(pseudonym.as_str())),
        (tags::PATIENT_ID, Some(pseudonym.as_str())),
        (tags::PATIENT_SEX, Some("M")),
        (tags::PATIENT_AGE, Some("074Y")),
        (tags::PATIENT_WEIGHT, Some("80.5")),
        (tags::PATIENT_BIRTH_DATE, Some("")),
        (tags::STUDY_DESCRIPTION, Some("CT Thorax for")),
        (tags::SERIES_TIME, Some("083000.12")),
        (tags::INSTITUTION_NAME, Some("NA")),
        (tags::STATION_NAME, Some("NA")),
        (tags::MANUFACTURER, Some("SIEMENS")),
        (tags::ACCESSION_NUMBER, Some("")),
        (tags::IMAGE_COMMENTS, None),
        (tags::REFERRING_PHYSICIAN_NAME, Some("")),
        (tags::ROWS, Some("512")),
        (tags::PATIENT_IDENTITY_REMOVED, Some("YES")),
        (tags::DEIDENTIFICATION_METHOD, Some("Overread consult, PS3.15 2024e")),
        (tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, Some("MODIFIED")),
        (tags::BURNED_IN_ANNOTATION, None),
        (tags::SPECIFIC_CHARACTER_SET, None),
    ] {
        assert_eq!(value(&out, tag).as_deref(), expected, "{tag}");
    }
    let shifted = super::dates::shift_datetime("20040119083000.5+0100", group().date_offset_days());
    assert_eq!(value(&out, tags::ACQUISITION_DATE_TIME), shifted);
    assert_eq!(value(&out, tags::SOP_INSTANCE_UID), Some(group().map_uid("1.2.3.4")));
    assert_eq!(out.sop_instance_uid, group().map_uid("1.2.3.4"));
    assert_eq!(
        out.methods,
        [Method::BasicProfile, Method::CleanDescriptors, Method::ModifiedDates, Method::PatientCharacteristics]
    );
    let codes = out.header.get(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE).and_then(|codes| codes.items()).unwrap();
    let codes: Vec<_> =
        codes.iter().map(|code| code.element(tags::CODE_VALUE).unwrap().to_str().unwrap().into_owned()).collect();
    assert_eq!(codes, ["113100", "113105", "113107", "113108"]);
}

#[test]
fn the_basic_preset_keeps_no_option_and_claims_none() {
    let out = run(
        header([
            text(tags::PATIENT_AGE, VR::AS, "073Y"),
            text(tags::SERIES_DESCRIPTION, VR::LO, "Thorax"),
            text(tags::ACQUISITION_DATE_TIME, VR::DT, "20040119083000"),
            sequence(tags::CONTENT_SEQUENCE, vec![item([text(tags::VALUE_TYPE, VR::CS, "CODE")])]),
        ]),
        Preset::basic(),
    );
    for (tag, expected) in [
        (tags::PATIENT_AGE, None),
        (tags::SERIES_DESCRIPTION, None),
        (tags::STUDY_DATE, Some("")),
        (tags::ACQUISITION_DATE_TIME, Some("19000101000000")),
        (tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, Some("REMOVED")),
    ] {
        assert_eq!(value(&out, tag).as_deref(), expected, "{tag}");
    }
    assert_eq!(out.methods, [Method::BasicProfile]);
    let content = out.header.get(tags::CONTENT_SEQUENCE).and_then(|content| content.items()).unwrap();
    assert_eq!(content[0].element(tags::TEXT_VALUE).unwrap().to_str().unwrap(), "NA");
}

#[test]
fn uids_keep_their_relations_and_well_known_ones_stay() {
    let out = consult([
        text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.840.10008.1.4.1.1"),
        sequence(
            tags::REFERENCED_IMAGE_SEQUENCE,
            vec![item([
                text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, CT),
                text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, "1.2.3.4"),
            ])],
        ),
        text(tags::RELATED_GENERAL_SOP_CLASS_UID, VR::UI, "1.2.3.4.5"),
        text(tags::MAPPING_RESOURCE_UID, VR::UI, "1.2.840.10008.8.1.1"),
    ]);
    assert_eq!(value(&out, tags::FRAME_OF_REFERENCE_UID).as_deref(), Some("1.2.840.10008.1.4.1.1"));
    let reference = &out.header.get(tags::REFERENCED_IMAGE_SEQUENCE).and_then(|images| images.items()).unwrap()[0];
    let referenced = reference.element(tags::REFERENCED_SOP_INSTANCE_UID).unwrap().to_str().unwrap();
    assert_eq!(referenced, out.sop_instance_uid);
    assert_eq!(reference.element(tags::REFERENCED_SOP_CLASS_UID).unwrap().to_str().unwrap(), CT);
    assert_eq!(reason(&out, tags::RELATED_GENERAL_SOP_CLASS_UID), Some((Done::Removed, Reason::NotForeseen)));
    assert_eq!(value(&out, tags::MAPPING_RESOURCE_UID).as_deref(), Some("1.2.840.10008.8.1.1"));
}

#[test]
fn what_the_table_does_not_foresee_goes_with_its_reason() {
    let out = consult([
        text(Tag(0x0008, 0xfff0), VR::LO, "unknown"),
        text(tags::TEXT_VALUE, VR::UT, "free text"),
        DataElement::new(Tag(0x0018, 0x0050), VR::UN, PrimitiveValue::from(&b"1.0 "[..])),
        DataElement::new(tags::COLUMNS, VR::LT, PrimitiveValue::from("Holmes")),
        text(tags::SLICE_LOCATION, VR::DS, "Holmes"),
        text(tags::KVP, VR::LO, "120"),
        DataElement::new(Tag(0x6000, 0x3000), VR::OW, PrimitiveValue::from(&[0u8; 8][..])),
        DataElement::new(Tag(0x60fe, 0x1500), VR::LO, PrimitiveValue::from("label")),
        DataElement::new(Tag(0x5002, 0x3000), VR::OW, PrimitiveValue::from(&[0u8; 8][..])),
        sequence(tags::ICON_IMAGE_SEQUENCE, vec![item([])]),
        sequence(tags::DIGITAL_SIGNATURES_SEQUENCE, vec![item([])]),
        sequence(tags::ENCRYPTED_ATTRIBUTES_SEQUENCE, vec![item([])]),
        sequence(tags::ORIGINAL_ATTRIBUTES_SEQUENCE, vec![item([])]),
        text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
        text(tags::SCAN_OPTIONS, VR::CS, "HELICAL\\SHERLOCK"),
        text(tags::CONVOLUTION_KERNEL, VR::SH, "\u{1b}$B;3ED"),
        text(tags::SEQUENCE_NAME, VR::SH, &"x".repeat(65)),
        DataElement::new(Tag(0x7fe0, 0x0010), VR::OW, PrimitiveValue::from(&[0u8; 8][..])),
    ]);
    for (tag, reason_expected) in [
        (Tag(0x0008, 0xfff0), Reason::UnknownAttribute),
        (tags::TEXT_VALUE, Reason::NotForeseen),
        (tags::SLICE_THICKNESS, Reason::NotForeseen),
        (tags::COLUMNS, Reason::ContradictoryVr),
        (tags::SLICE_LOCATION, Reason::ContradictoryVr),
        (Tag(0x6000, 0x3000), Reason::Overlay),
        (Tag(0x60fe, 0x1500), Reason::Overlay),
        (Tag(0x5002, 0x3000), Reason::Curve),
        (tags::ICON_IMAGE_SEQUENCE, Reason::Profile),
        (tags::DIGITAL_SIGNATURES_SEQUENCE, Reason::Profile),
        (tags::ENCRYPTED_ATTRIBUTES_SEQUENCE, Reason::HiddenOriginal),
        (tags::ORIGINAL_ATTRIBUTES_SEQUENCE, Reason::Profile),
        (tags::BURNED_IN_ANNOTATION, Reason::NotReviewed),
        (tags::SCAN_OPTIONS, Reason::IdentifyingWord),
        (tags::CONVOLUTION_KERNEL, Reason::Unreadable),
        (tags::SEQUENCE_NAME, Reason::TooLong),
        (tags::PIXEL_DATA, Reason::PixelData),
    ] {
        assert_eq!(reason(&out, tag), Some((Done::Removed, reason_expected)), "{tag}");
        assert!(out.header.get(tag).is_none(), "{tag}");
    }
    assert_eq!(out.header.get(tags::KVP).map(|element| element.vr()), Some(VR::DS));
}

#[test]
fn ages_over_89_become_90_and_invalid_dates_are_reported() {
    let out = consult([
        text(tags::PATIENT_AGE, VR::AS, "093Y"),
        text(tags::SERIES_DATE, VR::DA, "20040230"),
        text(tags::ACQUISITION_DATE_TIME, VR::DT, "last week"),
        text(tags::ACQUISITION_DATE, VR::DA, "20040119\\20040120"),
    ]);
    assert_eq!(value(&out, tags::PATIENT_AGE).as_deref(), Some("090Y"));
    assert_eq!(reason(&out, tags::SERIES_DATE), Some((Done::Removed, Reason::InvalidDate)));
    assert_eq!(reason(&out, tags::ACQUISITION_DATE_TIME), Some((Done::Removed, Reason::InvalidDate)));
    let moved = |text| super::dates::shift_date(text, group().date_offset_days()).unwrap();
    let both = format!("{}\\{}", moved("20040119"), moved("20040120"));
    assert_eq!(value(&out, tags::ACQUISITION_DATE), Some(both));
}

#[test]
fn a_report_keeps_codes_and_numbers_and_drops_text_names_and_dates() {
    let content = |kind: &str, more: Vec<InMemElement>| {
        item(
            [text(tags::VALUE_TYPE, VR::CS, kind), text(tags::RELATIONSHIP_TYPE, VR::CS, "CONTAINS")]
                .into_iter()
                .chain(more),
        )
    };
    let number = content(
        "NUM",
        vec![sequence(tags::MEASURED_VALUE_SEQUENCE, vec![item([text(tags::NUMERIC_VALUE, VR::DS, "12.5")])])],
    );
    let nested = content(
        "CONTAINER",
        vec![sequence(
            tags::CONTENT_SEQUENCE,
            vec![
                content("TEXT", vec![text(tags::TEXT_VALUE, VR::UT, "Holmes fell")]),
                content("PNAME", vec![text(tags::PERSON_NAME, VR::PN, "Watson")]),
                content("DATETIME", vec![text(tags::DATE_TIME, VR::DT, "20040119")]),
                content("UIDREF", vec![text(tags::UID, VR::UI, "1.2.3.4")]),
                number.clone(),
            ],
        )],
    );
    let report = |places: Option<InMemElement>| {
        let mut header = header([sequence(tags::CONTENT_SEQUENCE, vec![nested.clone(), item(places)])]);
        header.put(text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.88.33"));
        let out = run(header, Preset::consult());
        assert!(out.methods.contains(&Method::CleanStructuredContent));
        let items = |object: &InMemDicomObject| -> Vec<InMemDicomObject> {
            object.get(tags::CONTENT_SEQUENCE).and_then(|content| content.items()).unwrap().to_vec()
        };
        items(&items(&out.header)[0])
    };
    let kinds = |items: &[InMemDicomObject]| -> Vec<String> {
        items.iter().map(|item| item.element(tags::VALUE_TYPE).unwrap().to_str().unwrap().into_owned()).collect()
    };
    let kept = report(None);
    assert_eq!(kinds(&kept), ["UIDREF", "NUM"]);
    assert_eq!(kept[0].element(tags::UID).unwrap().to_str().unwrap(), group().map_uid("1.2.3.4"));
    let measured = kept[1].get(tags::MEASURED_VALUE_SEQUENCE).and_then(|values| values.items()).unwrap();
    assert_eq!(measured[0].element(tags::NUMERIC_VALUE).unwrap().to_str().unwrap(), "12.5");

    let by_place = DataElement::new(tags::REFERENCED_CONTENT_ITEM_IDENTIFIER, VR::UL, PrimitiveValue::from(1u32));
    let kept = report(Some(by_place));
    assert_eq!(kinds(&kept), ["TEXT", "TEXT", "TEXT", "UIDREF", "NUM"]);
    assert_eq!(kept[0].element(tags::TEXT_VALUE).unwrap().to_str().unwrap(), "NA");
}

#[test]
fn a_presentation_state_keeps_its_drawings_and_cleans_their_text() {
    let annotation = item([
        sequence(
            tags::TEXT_OBJECT_SEQUENCE,
            vec![
                item([text(tags::UNFORMATTED_TEXT_VALUE, VR::ST, "lesion Holmes 12 mm")]),
                item([text(tags::UNFORMATTED_TEXT_VALUE, VR::ST, "Holmes")]),
            ],
        ),
        sequence(
            tags::GRAPHIC_OBJECT_SEQUENCE,
            vec![item([DataElement::new(
                tags::GRAPHIC_DATA,
                VR::FL,
                PrimitiveValue::F32([1.0, 2.0].into_iter().collect()),
            )])],
        ),
    ]);
    let out = consult([sequence(tags::GRAPHIC_ANNOTATION_SEQUENCE, vec![annotation])]);
    assert!(out.methods.contains(&Method::CleanGraphics));
    let annotation = &out.header.get(tags::GRAPHIC_ANNOTATION_SEQUENCE).and_then(|items| items.items()).unwrap()[0];
    let texts = annotation.get(tags::TEXT_OBJECT_SEQUENCE).and_then(|items| items.items()).unwrap();
    let texts: Vec<_> = texts
        .iter()
        .map(|item| item.element(tags::UNFORMATTED_TEXT_VALUE).unwrap().to_str().unwrap().into_owned())
        .collect();
    assert_eq!(texts, ["lesion 12 mm", "NA"]);
    assert!(annotation.get(tags::GRAPHIC_OBJECT_SEQUENCE).is_some());
}

/// Every private element was held beside every creator before it, of whatever group, and a header may hold a million of
/// each.
#[test]
fn creators_are_searched_within_their_group() {
    let groups = (0x1001..0x1201).step_by(2);
    let creators = groups.flat_map(|group| (0x10..0x100).map(move |block| text(Tag(group, block), VR::LO, "ACME")));
    let last = (0x1000..=0xffff).map(|element| text(Tag(0x1201, element), VR::LO, "x"));
    let out = consult(creators.chain(last));
    assert_eq!(out.actions.iter().filter(|action| action.reason == Reason::PrivateAttribute).count(), 0xf000);
    let elsewhere =
        [text(Tag(0x7053, 0x0010), VR::LO, "Philips PET Private Group"), text(Tag(0x7055, 0x1000), VR::DS, "1")];
    assert_eq!(reason(&consult(elsewhere), Tag(0x7055, 0x1000)), Some((Done::Removed, Reason::PrivateAttribute)));
}

#[test]
fn private_attributes_go_except_the_safe_list_with_its_creator() {
    let out = consult([
        text(Tag(0x7053, 0x0010), VR::LO, "Philips PET Private Group"),
        text(Tag(0x7053, 0x1000), VR::DS, "0.000563"),
        text(Tag(0x7053, 0x1001), VR::LO, "Holmes"),
        text(Tag(0x7053, 0x0011), VR::LO, "Somebody Else"),
        text(Tag(0x7053, 0x1100), VR::DS, "1"),
        text(Tag(0x0029, 0x0010), VR::LO, "SIEMENS CSA HEADER"),
        DataElement::new(Tag(0x0029, 0x1010), VR::OB, PrimitiveValue::from(&b"Holmes"[..])),
        text(Tag(0x0019, 0x1000), VR::LO, "no creator"),
        text(Tag(0x0045, 0x0010), VR::LO, "GEMS_HELIOS_01"),
        text(Tag(0x0045, 0x1001), VR::LO, "Holmes"),
    ]);
    let kept: Vec<_> = out.header.tags().filter(|tag| tag.group() & 1 == 1).collect();
    assert_eq!(kept, [Tag(0x7053, 0x0010), Tag(0x7053, 0x1000)]);
    assert!(out.methods.contains(&Method::SafePrivate));
    assert_eq!(reason(&out, Tag(0x0029, 0x1010)), Some((Done::Removed, Reason::PrivateAttribute)));
    assert!(
        !run(
            header([
                text(Tag(0x7053, 0x0010), VR::LO, "Philips PET Private Group"),
                text(Tag(0x7053, 0x1000), VR::DS, "1")
            ]),
            Preset::basic()
        )
        .header
        .tags()
        .any(|tag| tag.group() & 1 == 1)
    );
}

#[test]
fn local_code_meanings_are_cleaned_and_public_ones_stay() {
    let code = |scheme: &str, meaning: &str| {
        item([
            text(tags::CODE_VALUE, VR::SH, "X1"),
            text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme),
            text(tags::CODE_MEANING, VR::LO, meaning),
        ])
    };
    let out = consult([sequence(
        tags::ANATOMIC_REGION_SEQUENCE,
        vec![
            code("SCT", "Structure of sella"),
            code("99BARTS", "Knee Dr Moriarty"),
            code("99BARTS", "Moriarty"),
            code("SCT", "Holmes sign"),
        ],
    )]);
    let codes = out.header.get(tags::ANATOMIC_REGION_SEQUENCE).and_then(|codes| codes.items()).unwrap();
    let meanings: Vec<_> =
        codes.iter().map(|code| code.element(tags::CODE_MEANING).unwrap().to_str().unwrap().into_owned()).collect();
    assert_eq!(meanings, ["Structure of sella", "Knee Dr", "NA", "sign"]);
}

#[test]
fn only_a_review_says_that_nothing_is_burned_in() {
    let reviewed = |pixels| {
        let instance = Instance {
            header: header([
                text(tags::BURNED_IN_ANNOTATION, VR::CS, "YES"),
                text(tags::RECOGNIZABLE_VISUAL_FEATURES, VR::CS, "NO"),
            ]),
            meta_sop_class_uid: None,
            pixels,
            reviewed: true,
        };
        deidentify(instance, &Rules::new(Preset::consult(), Approvals::default()), &group()).unwrap()
    };
    let out = reviewed(Some(PixelFacts::default()));
    assert_eq!(value(&out, tags::BURNED_IN_ANNOTATION).as_deref(), Some("NO"));
    assert_eq!(value(&out, tags::RECOGNIZABLE_VISUAL_FEATURES), None);
    assert_eq!(value(&reviewed(None), tags::BURNED_IN_ANNOTATION).as_deref(), Some("YES"));
    let unreviewed = consult([text(tags::BURNED_IN_ANNOTATION, VR::CS, "YES")]);
    assert_eq!(value(&unreviewed, tags::BURNED_IN_ANNOTATION).as_deref(), Some("YES"));
    assert_eq!(unreviewed.burned_in, [super::burned_in::BurnedInRisk::SaysSo]);
}

#[test]
fn text_beyond_ascii_is_written_as_utf8_and_is_told() {
    let out =
        consult([text(tags::MANUFACTURER, VR::LO, "東芝"), text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "GB18030")]);
    assert_eq!(value(&out, tags::SPECIFIC_CHARACTER_SET).as_deref(), Some("ISO_IR 192"));
    let plain = consult([text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO 2022 IR 13\\ISO 2022 IR 87")]);
    assert_eq!(value(&plain, tags::SPECIFIC_CHARACTER_SET), None);
}

#[test]
fn objects_that_cannot_be_de_identified_are_named() {
    for (class, why) in [
        ("1.3.46.670589.5.0.1.1", LeftOut::PrivateSopClass),
        ("1.2.840.10008.5.1.4.1.1.2.99", LeftOut::PrivateSopClass),
        ("1.2.840.10008.1.3.10", LeftOut::Directory),
        ("1.2.840.10008.1.1", LeftOut::NotStored),
        ("1.2.840.10008.5.1.4.1.1.104.1", LeftOut::EncapsulatedDocument),
        ("1.2.840.10008.5.1.4.1.1.9.4.1", LeftOut::Voice),
        ("", LeftOut::NoSopClass),
    ] {
        let header = header([text(tags::SOP_CLASS_UID, VR::UI, class)]);
        let instance = Instance { header, meta_sop_class_uid: None, pixels: None, reviewed: false };
        let rules = Rules::new(Preset::consult(), Approvals::default());
        assert_eq!(deidentify(instance, &rules, &group()).err(), Some(why), "{class}");
    }
    let mut no_instance = header([]);
    no_instance.remove_element(tags::SOP_INSTANCE_UID);
    let instance = Instance { header: no_instance, meta_sop_class_uid: Some(CT), pixels: None, reviewed: false };
    let rules = Rules::new(Preset::consult(), Approvals::default());
    assert_eq!(deidentify(instance, &rules, &group()).err(), Some(LeftOut::NoSopInstance));
}

#[test]
fn hostile_nesting_and_value_counts_are_removed() {
    let mut deep = item([text(tags::PATIENT_NAME, VR::PN, "Holmes")]);
    for _ in 0..40 {
        deep = item([sequence(tags::ANATOMIC_REGION_SEQUENCE, vec![deep])]);
    }
    let many = vec!["1.2.3"; 100_000].join("\\");
    let words = vec!["a"; 100_000].join("\\");
    let numbers = vec!["1.5"; 100_000].join("\\");
    let out = consult([
        sequence(tags::ANATOMIC_REGION_SEQUENCE, vec![deep]),
        text(tags::IRRADIATION_EVENT_UID, VR::UI, &many),
        text(tags::CONVOLUTION_KERNEL, VR::SH, &words),
        text(tags::CONTOUR_DATA, VR::DS, &numbers),
        DataElement::new(tags::STUDY_ID, VR::SQ, DataSetSequence::from(vec![])),
        DataElement::new(tags::REFERENCED_SERIES_SEQUENCE, VR::LO, PrimitiveValue::from("Holmes")),
    ]);
    assert!(out.actions.iter().any(|action| action.reason == Reason::NestedTooDeep));
    assert!(out.actions.iter().all(|action| action.path.len() <= NESTING_MAX + 1));
    assert!(out.header.get(tags::IRRADIATION_EVENT_UID).is_none());
    assert_eq!(reason(&out, tags::CONVOLUTION_KERNEL), Some((Done::Removed, Reason::TooLong)));
    assert!(out.header.get(tags::CONTOUR_DATA).is_some());
    assert_eq!(reason(&out, tags::REFERENCED_SERIES_SEQUENCE), Some((Done::Removed, Reason::ContradictoryVr)));
}

#[test]
fn an_approved_word_stays_in_a_description() {
    let rules = Rules::new(Preset::consult(), Approvals::new(["Lever"]));
    let header = header([text(tags::STUDY_DESCRIPTION, VR::LO, "MR Lever Xyzzy")]);
    let instance = Instance { header, meta_sop_class_uid: None, pixels: None, reviewed: false };
    let out = deidentify(instance, &rules, &group()).unwrap();
    assert_eq!(value(&out, tags::STUDY_DESCRIPTION).as_deref(), Some("MR Lever"));
    let remaining = out.remaining_text.iter().find(|text| text.tag == tags::STUDY_DESCRIPTION).unwrap();
    assert_eq!(remaining.dropped.iter().map(|word| word.reveal().as_str()).collect::<Vec<_>>(), ["Xyzzy"]);
}

#[test]
fn nothing_of_a_patient_prints_itself() {
    let out = consult([text(tags::STUDY_DESCRIPTION, VR::LO, "Sherlock knee")]);
    let shown = format!("{:?} {:?} {:?}", out.actions, out.identity, out.remaining_text);
    for word in ["Holmes", "Sherlock", "BAKER", "1930", "knee"] {
        assert!(!shown.contains(word), "{word}");
    }
}

#[test]
fn the_plan_tells_patient_actions_gaps_faces_and_what_is_left_out() {
    let mut plan = super::plan::Plan::new();
    for number in (1..=30).filter(|number| *number != 12) {
        let out = consult([
            text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.9"),
            text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.9.{number}")),
            text(tags::STUDY_DESCRIPTION, VR::LO, "Head for Xyzzy"),
            text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string()),
            text(tags::SLICE_THICKNESS, VR::DS, "1.0"),
            text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0"),
            text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("-10\\-10\\{number}.0")),
            text(tags::BURNED_IN_ANNOTATION, VR::CS, if number > 28 { "YES" } else { "" }),
        ]);
        plan.add(&out, number == 30);
    }
    plan.leave_out(LeftOut::Voice);
    let (_, study) = plan.studies().next().unwrap();
    let series = study.series.values().next().unwrap();
    assert_eq!((series.instances, series.left_out, series.face_slices), (28, 1, 29));
    assert_eq!(series.gaps().to_string(), "29 images, 1 position missing");
    let shown = plan.text();
    for part in [
        "patient Holmes^Sherlock (BAKER-221), born 19300106, study of 20040119",
        "28 to send, 1 left out",
        "left out until reviewed: 1 x the header says text is burned in",
        "the face can be rebuilt from 29 thin head slices",
        "1 position missing",
        "(0020,000D) StudyInstanceUID: UIDs replaced (Basic Profile), 29 x",
        "\"Head for\", 29 x",
        "words that drop: Xyzzy",
        "not taken: 1 x a sound recording",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    let json = plan.json();
    assert_eq!(json["studies"][0]["patient"]["id"], "BAKER-221");
    assert_eq!(json["studies"][0]["series"][0]["gaps"]["positions"], 1);
    let debug = format!("{plan:?}");
    assert!(!["Holmes", "BAKER", "Xyzzy", "20040119"].iter().any(|word| debug.contains(word)));
}
