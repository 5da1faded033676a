use dicom_core::value::DataSetSequence;
use dicom_object::mem::InMemElement;

use super::*;
use crate::study::deidentify::identity::Identity;
use crate::study::part10;
use crate::study::typed_text;

/// A data set of a character set and a name, as `dicom-object` and then we read it.
fn read(character_set: &str, name: &[u8]) -> InMemDicomObject {
    let mut bytes = Vec::new();
    for (head, value) in [(b"\x08\0\x05\0CS", character_set.as_bytes()), (b"\x10\0\x10\0PN", name)] {
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(&u16::try_from(value.len().next_multiple_of(2)).unwrap().to_le_bytes());
        bytes.extend_from_slice(value);
        bytes.extend(vec![b' '; value.len() % 2]);
    }
    part10::read(&bytes).unwrap().header
}

fn name_of(header: &InMemDicomObject) -> String {
    header.get(tags::PATIENT_NAME).unwrap().to_str().unwrap().trim_end().to_owned()
}

const JAPANESE: &[u8] = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B";
const KATAKANA: &[u8] = b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\
                          \x1b$B$?$m$&\x1b(J";
const KOREAN: &[u8] = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf";
const CHINESE: &[u8] = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=";

#[test]
fn the_examples_of_the_standard_are_read() {
    // PS3.5 §H.3.1, §H.3.2, §I.2, §K.2.
    for (character_set, bytes, name) in [
        ("\\ISO 2022 IR 87", JAPANESE, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", KATAKANA, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("\\ISO 2022 IR 149", KOREAN, "Hong^Gildong=洪^吉洞=홍^길동"),
        ("\\ISO 2022 IR 58", CHINESE, "Zhang^XiaoDong=张^小东="),
    ] {
        let header = read(character_set, bytes);
        assert_eq!(name_of(&header), name);
        assert_eq!(header.get(tags::SPECIFIC_CHARACTER_SET).unwrap().to_str().unwrap(), "ISO_IR 192");
        assert!(!Identity::of(&header).words.has_unread_names());
    }
}

#[test]
fn what_is_written_otherwise_than_the_standard_wants_is_read_or_told_of() {
    for (character_set, bytes, name, unread) in [
        // No escape sequence, with one set to choose, and with none.
        ("\\ISO 2022 IR 149", &b"Hong=\xc8\xab^\xb1\xe6\xb5\xbf"[..], "Hong=홍^길동", false),
        ("\\ISO 2022 IR 87", b"\xd4\xcf^A", "\u{fffd}\u{fffd}^A", true),
        // Named alone, which is against the standard, and once for both components.
        ("ISO 2022 IR 149", b"\x1b$)C\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동", false),
        ("\\ISO 2022 IR 58\\ISO 2022 IR 149", b"\x1b$)C\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동", false),
        ("ISO 2022 IR 87", JAPANESE, "Yamada^Tarou=山田^太郎=やまだ^たろう", false),
        // Not named at all.
        ("", b"\x1b$B;3ED\x1b(B", "山田", false),
        // Back to the first set behind a delimiter.
        ("ISO 2022 IR 100\\ISO 2022 IR 126", b"J\xe9r\xf4me^\x1b-F\xc4\xe9^\xe9", "Jérôme^Δι^é", false),
        // Half an ideograph is a backslash, one a caret and one an equals sign; two values.
        ("\\ISO 2022 IR 87", b"\x1b$B0\\0^0=\x1b(B\\\x1b$B0l\x1b(B", "移緯綾\\一", false),
        // JIS X 0212.
        ("\\ISO 2022 IR 159", b"\x1b$(D0!\x1b(B", "丂", false),
        ("\\ISO 2022 IR 87", b"\x1b$B;3ED^\x1b$BB@\x1b(B", "", true),
        ("\\ISO 2022 IR 203", b"a\x1b-b\xa4", "", true),
        ("\\ISO 2022 IR 87", b"a\x1b", "a\x1b", true),
        ("ISO_IR 192", b"M\xfcller", "M\\374ller", true),
        // As they were.
        ("ISO_IR 100", b"M\xfcller", "Müller", false),
        ("ISO_IR 192", "山田".as_bytes(), "山田", false),
        ("\\ISO 2022 IR 87", b"Doe^Jane", "Doe^Jane", false),
    ] {
        let header = read(character_set, bytes);
        if !name.is_empty() {
            assert_eq!(name_of(&header), name, "{character_set}");
        }
        assert_eq!(Identity::of(&header).words.has_unread_names(), unread, "{character_set} {:?}", name_of(&header));
    }
}

#[test]
fn a_typed_question_is_checked_against_every_group_of_the_name() {
    for (character_set, bytes, texts) in [
        ("\\ISO 2022 IR 87", JAPANESE, &["山田太郎さん", "やまだたろう", "Yamada?", "ヤマダ 山田", "は山田 の"][..]),
        ("\\ISO 2022 IR 149", KOREAN, &["홍길동", "길동의 폐", "吉洞", "gildong"]),
        ("\\ISO 2022 IR 58", CHINESE, &["张小东", "小东", "Zhang"]),
    ] {
        let words = Identity::of(&read(character_set, bytes)).words;
        for text in texts {
            let hits = typed_text::check(text, Some(&words));
            assert!(hits.iter().any(|hit| hit.kind == typed_text::HitKind::Name), "{text}");
        }
        assert_eq!(typed_text::check("右肺の結節 8 mm, 폐 결절", Some(&words)), [], "{character_set}");
    }
}

#[test]
fn an_item_has_its_own_character_set_or_that_around_it() {
    let element = |tag, vr, text: &str| -> InMemElement { DataElement::new(tag, vr, PrimitiveValue::from(text)) };
    let set = |texts: &[&str]| -> InMemElement {
        let texts = PrimitiveValue::Strs(texts.iter().map(ToString::to_string).collect());
        DataElement::new(tags::SPECIFIC_CHARACTER_SET, VR::CS, texts)
    };
    // As `dicom-object` reads them: in Latin-1, as nothing else is named first.
    let korean = "\u{1b}$)C\u{c8}\u{ab}";
    let own = InMemDicomObject::from_element_iter([
        set(&["", "ISO 2022 IR 149"]),
        element(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "\u{c8}\u{ab}"),
    ]);
    let inherits = InMemDicomObject::from_element_iter([element(tags::REFERRING_PHYSICIAN_NAME, VR::PN, korean)]);
    let mut header = InMemDicomObject::from_element_iter([
        set(&["", "ISO 2022 IR 87"]),
        element(tags::STUDY_DESCRIPTION, VR::LO, "\u{1b}$B;3ED\u{1b}(B"),
        DataElement::new(tags::REQUEST_ATTRIBUTES_SEQUENCE, VR::SQ, DataSetSequence::from(vec![own, inherits])),
    ]);
    read_again(&mut header);
    for item in header.get(tags::REQUEST_ATTRIBUTES_SEQUENCE).unwrap().items().unwrap() {
        assert_eq!(item.get(tags::REFERRING_PHYSICIAN_NAME).unwrap().to_str().unwrap(), "홍");
        let set = item.get(tags::SPECIFIC_CHARACTER_SET).map(|element| element.to_str().unwrap().into_owned());
        assert!(set.is_none_or(|set| set == UTF_8));
    }
    // Other text is not judged anew.
    assert_eq!(header.get(tags::STUDY_DESCRIPTION).unwrap().to_str().unwrap(), "\u{1b}$B;3ED\u{1b}(B");
}

#[test]
fn real_files_are_read_as_pydicom_reads_them() {
    for (file, name) in [
        ("chrH31", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("chrH32", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("chrI2", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("chrJapMulti", "やまだ^たろう"),
        ("chrSQEncoding", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("chrGerm", "Äneas^Rüdiger"),
        ("chrRuss", "Люкceмбypг"),
        ("chrArab", "قباني^لنزار"),
        ("chrX1", "Wang^XiaoDong=王^小東"),
        ("chrX2", "Wang^XiaoDong=王^小东"),
    ] {
        let path = format!("{}/../shared/samples/charsets/{file}.dcm", env!("CARGO_MANIFEST_DIR"));
        let Ok(bytes) = std::fs::read(&path) else {
            eprintln!("SKIPPED: no sample at {path}");
            continue;
        };
        let header = part10::read(&bytes).unwrap().header;
        if file == "chrSQEncoding" {
            // Its names are in an item.
            let item = header.iter().find_map(|element| element.items()?.first()).unwrap();
            assert_eq!(name_of(item), name);
            continue;
        }
        assert_eq!(name_of(&header).trim_end_matches('='), name, "{file}");
        assert!(!Identity::of(&header).words.has_unread_names());
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(
        proptest::sample::select(b"\x1b$)(BCJDAI-F^=\\\xc8\xab\x81a0!".as_slice()), 0..40,
    )) {
        for upper in [None, Some(japanese()), SpecificCharacterSet::from_code("GBK")] {
            let _ = decoded(&bytes, upper);
        }
        let _ = read("\\ISO 2022 IR 87", &bytes);
    }
}
