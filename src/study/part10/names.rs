//! Person names with code extensions (PS3.5 §6.1.2.5): how Japanese, Korean and Chinese ones are written.
//!
//! `dicom-object` reads a whole data set in the first character set that (0008,0005) names and leaves escape sequences
//! as they are, so that 山田 becomes `\x1b$B;3ED`: nobody would find it in a text. Here the bytes are had back from
//! that reading and read again, each stretch in the set that its escape sequence asks for. Only person names are:
//! other text with escape sequences stays as it is, and de-identification drops it.
//!
//! What cannot be read holds U+FFFD or the escape sequence afterwards.

use dicom_core::header::Header;
use dicom_core::value::{PrimitiveValue, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::text::{SpecificCharacterSet, TextCodec};
use dicom_object::InMemDicomObject;

const ESC: u8 = 0x1b;

/// Reads the person names of a header again. If any of them changes, the header says that it is in UTF-8, which it then
/// can be written in.
pub(super) fn read_again(header: &mut InMemDicomObject) {
    let mut parser = SpecificCharacterSet::default();
    // A header that is looked into for changes forgets the lengths of its sequences.
    if has_extensions(header) && in_object(header, &mut parser, &Declared::default()) {
        header.put(DataElement::new(tags::SPECIFIC_CHARACTER_SET, VR::CS, UTF_8));
        declare_utf_8(header);
    }
}

/// Whether a name has an escape sequence, or more than one character set is named.
fn has_extensions(object: &InMemDicomObject) -> bool {
    object.iter().any(|element| match element.value() {
        Value::Sequence(sequence) => sequence.items().iter().any(has_extensions),
        Value::Primitive(PrimitiveValue::Strs(texts)) => match element.vr() {
            VR::PN => texts.iter().any(|text| text.contains(char::from(ESC))),
            VR::CS => element.tag() == tags::SPECIFIC_CHARACTER_SET && texts.len() > 1,
            _ => false,
        },
        Value::Primitive(PrimitiveValue::Str(text)) => element.vr() == VR::PN && text.contains(char::from(ESC)),
        _ => false,
    })
}

const UTF_8: &str = "ISO_IR 192";

fn declare_utf_8(object: &mut InMemDicomObject) {
    if object.get(tags::SPECIFIC_CHARACTER_SET).is_some() {
        object.put(DataElement::new(tags::SPECIFIC_CHARACTER_SET, VR::CS, UTF_8));
    }
    for tag in tags_of(object, VR::SQ) {
        each_item(object, tag, declare_utf_8);
    }
}

fn tags_of(object: &InMemDicomObject, vr: VR) -> Vec<Tag> {
    object.iter().filter(|element| element.vr() == vr).map(Header::tag).collect()
}

fn each_item(object: &mut InMemDicomObject, tag: Tag, mut take: impl FnMut(&mut InMemDicomObject)) {
    object.update_value(tag, |value| {
        if let Value::Sequence(sequence) = value {
            sequence.items_mut().iter_mut().for_each(&mut take);
        }
    });
}

/// What (0008,0005) says of a data set, or of that around an item.
#[derive(Clone, Default)]
struct Declared {
    /// There is more than one value, and the first is the default repertoire: bytes above 127 need an escape sequence.
    ascii_first: bool,
    /// The set of bytes above 127 until an escape sequence names another.
    upper: Option<SpecificCharacterSet>,
}

impl Declared {
    fn of(names: &[String]) -> Self {
        let codec = |name: &String| SpecificCharacterSet::from_code(name.trim_matches(['\0', ' ']));
        let (first, others) = names.split_first().map_or((None, names), |(first, others)| (Some(first), others));
        let ascii_first = !others.is_empty()
            && first.is_none_or(|name| {
                name.trim_matches(['\0', ' ']).is_empty() || codec(name) == Some(SpecificCharacterSet::ISO_IR_6)
            });
        if !ascii_first {
            return Self { ascii_first, upper: first.and_then(codec) };
        }
        // Some Korean writers leave the escape sequence out: where there is but one set to choose, it is that.
        let mut upper = others.iter().filter_map(codec).filter(|set| *set != japanese());
        Self { ascii_first, upper: upper.next().filter(|_| upper.next().is_none()) }
    }
}

/// ISO IR 87, whose codec knows JIS X 0212 as well.
fn japanese() -> SpecificCharacterSet {
    SpecificCharacterSet::from_code("ISO 2022 IR 87").unwrap_or_default()
}

/// Whether a name changed. `parser` is the set that `dicom-object` has read with up to here: it keeps that of an item
/// for what comes behind it.
fn in_object(object: &mut InMemDicomObject, parser: &mut SpecificCharacterSet, outer: &Declared) -> bool {
    let mut declared = outer.clone();
    let mut changed = false;
    for tag in object.tags().collect::<Vec<_>>() {
        let Some(element) = object.get(tag) else { continue };
        match element.vr() {
            VR::CS if tag == tags::SPECIFIC_CHARACTER_SET => {
                let names = element.to_multi_str().map(|names| names.into_owned()).unwrap_or_default();
                if let Some(set) = names.first().and_then(|name| SpecificCharacterSet::from_code(name)) {
                    *parser = set;
                }
                declared = Declared::of(&names);
            }
            VR::PN => {
                let read = match element.value() {
                    Value::Primitive(PrimitiveValue::Strs(texts)) => again(texts, parser, &declared),
                    Value::Primitive(PrimitiveValue::Str(text)) => again(std::slice::from_ref(text), parser, &declared),
                    _ => None,
                };
                if let Some(texts) = read {
                    object.put(DataElement::new(tag, VR::PN, PrimitiveValue::Strs(texts.into())));
                    changed = true;
                }
            }
            VR::SQ => each_item(object, tag, |item| changed |= in_object(item, parser, &declared)),
            _ => {}
        }
    }
    changed
}

/// The values of a name, if they must be read again and their bytes can be had back.
fn again(texts: &[String], parser: &SpecificCharacterSet, declared: &Declared) -> Option<Vec<String>> {
    let extended = |text: &String| text.contains(char::from(ESC)) || (declared.ascii_first && !text.is_ascii());
    // The parser cuts values at backslashes; one inside stands for a byte that its set does not have.
    if !texts.iter().any(extended) || texts.iter().any(|text| text.contains('\\')) {
        return None;
    }
    let values = texts.iter().map(|text| parser.encode(text).ok()).collect::<Option<Vec<_>>>()?;
    // A half of an ideograph may be a backslash, so it is cut anew.
    let bytes = values.join(&b'\\');
    let upper = if declared.ascii_first { declared.upper.clone() } else { Some(parser.clone()) };
    Some(decoded(&bytes, upper))
}

/// The values of a name. `upper` is the set of bytes above 127 at the beginning and behind each delimiter.
fn decoded(bytes: &[u8], upper: Option<SpecificCharacterSet>) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut active = Active { lower: None, upper: upper.clone() };
    let mut run = Vec::new();
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        let Some(value) = values.last_mut() else { break };
        rest = tail;
        if byte == ESC {
            value.push_str(&active.decoded(&std::mem::take(&mut run)));
            match active.escaped(tail) {
                Some(length) => rest = tail.get(length..).unwrap_or_default(),
                None => value.push(char::from(ESC)),
            }
            continue;
        }
        let delimits = byte.is_ascii_control() || (active.lower.is_none() && matches!(byte, b'\\' | b'^' | b'='));
        if byte != b'\\' || !delimits {
            run.push(byte);
        }
        if delimits {
            value.push_str(&active.decoded(&std::mem::take(&mut run)));
            // Who has nothing to go back to, and does not escape again, has gone on in the same set.
            active = Active { lower: None, upper: upper.clone().or(active.upper) };
            if byte == b'\\' {
                values.push(String::new());
            }
        }
    }
    if let Some(value) = values.last_mut() {
        value.push_str(&active.decoded(&run));
    }
    values
}

/// The sets that are in use (ISO 2022: G0 and G1).
struct Active {
    /// The escape sequence of a Japanese set of two bytes a character; else ASCII.
    lower: Option<&'static [u8]>,
    upper: Option<SpecificCharacterSet>,
}

impl Active {
    /// Follows the escape sequence that stands behind ESC; gives its length if it is known (PS3.3 Table C.12-3, C.12-4).
    fn escaped(&mut self, behind: &[u8]) -> Option<usize> {
        const LOWER: [(&[u8], Option<&[u8]>); 5] = [
            (b"(B", None),
            (b"(J", None),
            (b"$B", Some(b"\x1b$B")),
            (b"$@", Some(b"\x1b$@")),
            (b"$(D", Some(b"\x1b$(D")),
        ];
        const UPPER: [(&[u8], &str); 12] = [
            (b")I", "ISO 2022 IR 13"),
            (b"$)A", "ISO 2022 IR 58"),
            (b"$)C", "ISO 2022 IR 149"),
            (b"-A", "ISO 2022 IR 100"),
            (b"-B", "ISO 2022 IR 101"),
            (b"-C", "ISO 2022 IR 109"),
            (b"-D", "ISO 2022 IR 110"),
            (b"-F", "ISO 2022 IR 126"),
            (b"-G", "ISO 2022 IR 127"),
            (b"-H", "ISO 2022 IR 138"),
            (b"-L", "ISO 2022 IR 144"),
            (b"-T", "ISO 2022 IR 166"),
        ];
        if let Some((sequence, lower)) = LOWER.iter().find(|(sequence, _)| behind.starts_with(sequence)) {
            self.lower = *lower;
            return Some(sequence.len());
        }
        let (sequence, name) = UPPER.iter().find(|(sequence, _)| behind.starts_with(sequence))?;
        self.upper = SpecificCharacterSet::from_code(name);
        Some(sequence.len())
    }

    fn decoded(&self, run: &[u8]) -> String {
        let text = match (self.lower, &self.upper) {
            (Some(sequence), _) => japanese().decode(&[sequence, run].concat()),
            (None, Some(set)) => set.decode(run),
            (None, None) => return run.iter().map(|&byte| if byte < 128 { byte.into() } else { '\u{fffd}' }).collect(),
        };
        // There is no backslash in a run; the codecs write one for a byte that they do not know.
        text.map_or_else(|_| '\u{fffd}'.to_string(), |text| text.replace('\\', "\u{fffd}"))
    }
}

#[cfg(test)]
mod tests;
