//! Values against their VR: what a dictionary VR allows, and what a header may claim instead.
//!
//! A header may state any VR for any attribute; a name hidden in Rows or in a decimal string must not pass
//! because nobody looked. So the dictionary's VR decides, and a value that is none of that VR goes.

use std::borrow::Cow;

use dicom_core::dictionary::VirtualVr;
use dicom_core::header::Header;
use dicom_core::value::{PrimitiveValue, Value};
use dicom_core::{Tag, VR};
use dicom_object::mem::InMemElement;

/// Longest LO, SH or CS value that stays, in characters. The standard allows 64 or 16; some vendors write more
/// into SH and CS than they should.
pub(super) const SHORT_TEXT_CHARS_MAX: usize = 64;
/// Longest UC value that stays, in characters.
pub(super) const LONG_TEXT_CHARS_MAX: usize = 1024;

/// The text values of an element; `None` if its value is no text.
pub(super) fn texts(element: &InMemElement) -> Option<Cow<'_, [String]>> {
    match element.value() {
        Value::Primitive(PrimitiveValue::Strs(texts)) => Some(Cow::Borrowed(texts)),
        Value::Primitive(PrimitiveValue::Str(text)) => Some(Cow::Borrowed(std::slice::from_ref(text))),
        Value::Primitive(PrimitiveValue::Empty) => Some(Cow::Borrowed(&[])),
        Value::Primitive(value @ (PrimitiveValue::Date(_) | PrimitiveValue::Time(_) | PrimitiveValue::DateTime(_))) => {
            Some(Cow::Owned(value.to_multi_str().into_owned()))
        }
        _ => None,
    }
}

/// The VR to treat an element by: the dictionary's, or the stated one where the dictionary leaves a choice.
/// `None` if the stated VR contradicts the dictionary.
pub(super) fn agreed_vr(stated: VR, listed: VirtualVr) -> Option<VR> {
    match listed {
        VirtualVr::Exact(vr) if vr == stated => Some(vr),
        VirtualVr::Exact(vr) if is_text(vr) && is_text(stated) => Some(vr),
        VirtualVr::Exact(vr) if is_number(vr) && is_number(stated) => Some(stated),
        VirtualVr::Exact(vr) if is_bulk(vr) && is_bulk(stated) => Some(stated),
        VirtualVr::Xs if is_number(stated) => Some(stated),
        VirtualVr::Ox | VirtualVr::Px if is_bulk(stated) => Some(stated),
        VirtualVr::Lt if matches!(stated, VR::US | VR::SS | VR::OW) => Some(stated),
        _ => None,
    }
}

pub(super) fn is_text(vr: VR) -> bool {
    use VR::*;
    matches!(vr, AE | AS | CS | DA | DS | DT | IS | LO | LT | PN | SH | ST | TM | UC | UI | UR | UT)
}

fn is_number(vr: VR) -> bool {
    use VR::*;
    matches!(vr, US | SS | UL | SL | UV | SV | FL | FD | AT)
}

pub(super) fn is_bulk(vr: VR) -> bool {
    use VR::*;
    matches!(vr, OB | OW | OF | OD | OL | OV)
}

/// Whether a value may be what its VR says, by its characters (PS3.5 Table 6.2-1, with the usual leniency).
pub(super) fn is_plausible(vr: VR, text: &str) -> bool {
    let text = text.trim_matches(['\0', ' ']);
    match vr {
        VR::DS => text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E' | b' ')),
        VR::IS => text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b' ')),
        VR::TM => text.len() <= 32 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b':' | b'-')),
        VR::AS => text.is_empty() || super::dates::capped_age(text).is_some(),
        VR::CS | VR::SH | VR::LO => is_readable(text) && text.chars().count() <= SHORT_TEXT_CHARS_MAX,
        VR::UC => is_readable(text) && text.chars().count() <= LONG_TEXT_CHARS_MAX,
        _ => true,
    }
}

/// Control characters come from escape sequences of a character set that was not decoded, a backslash inside
/// one value from undecodable bytes: neither can be judged, so neither stays.
pub(super) fn is_readable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c == '\\' || c == '\u{fffd}')
}

/// Byte strings whose content is known to be numbers: lookup tables, palettes, colour profiles, waveforms,
/// surfaces.
pub(super) fn may_keep_bytes(tag: Tag, vr: VR) -> bool {
    vr != VR::OB
        || matches!(
            (tag.group(), tag.element()),
            (0x0028, 0x1200..=0x1223 | 0x2000 | 0x3006) | (0x5400, _) | (0x5600, _) | (0x0066, _) | (0x0064, _)
        )
}

/// A timezone offset `&ZZXX` (PS3.3 C.12.1.1).
pub(super) fn is_timezone(text: &str) -> bool {
    let text = text.trim_matches(['\0', ' ']);
    text.len() == 5
        && text.starts_with(['+', '-'])
        && text.get(1..).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()) && digits <= "1400")
}

/// Whether an element is short enough to look through.
pub(super) fn has_few_values(element: &InMemElement) -> bool {
    let checked =
        matches!(element.vr(), VR::DS | VR::IS) || element.value().multiplicity() as usize <= super::TEXT_VALUES_MAX;
    checked && element.tag() != Tag(0xfffc, 0xfffc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vr_that_contradicts_the_dictionary_is_refused() {
        for (stated, listed, agreed) in [
            (VR::US, VirtualVr::Exact(VR::US), Some(VR::US)),
            (VR::LT, VirtualVr::Exact(VR::US), None),
            (VR::SH, VirtualVr::Exact(VR::LO), Some(VR::LO)),
            (VR::LT, VirtualVr::Exact(VR::CS), Some(VR::CS)),
            (VR::UN, VirtualVr::Exact(VR::CS), None),
            (VR::UL, VirtualVr::Exact(VR::US), Some(VR::UL)),
            (VR::SS, VirtualVr::Xs, Some(VR::SS)),
            (VR::PN, VirtualVr::Xs, None),
            (VR::OB, VirtualVr::Ox, Some(VR::OB)),
            (VR::UT, VirtualVr::Ox, None),
            (VR::SQ, VirtualVr::Exact(VR::LO), None),
        ] {
            assert_eq!(agreed_vr(stated, listed), agreed, "{stated} {listed:?}");
        }
    }

    #[test]
    fn a_name_is_no_number_time_or_age() {
        for vr in [VR::DS, VR::IS, VR::TM, VR::AS] {
            assert!(!is_plausible(vr, "DOE^JANE"));
            assert!(!is_plausible(vr, "Dödel"));
        }
        for (vr, text) in
            [(VR::DS, "-1.5e+03 "), (VR::IS, " 12"), (VR::TM, "083000.123"), (VR::AS, "045Y"), (VR::LO, "東京")]
        {
            assert!(is_plausible(vr, text));
        }
        for text in ["\u{1b}$B;3ED", "a\\304b", "a\u{fffd}"] {
            assert!(!is_plausible(VR::LO, text));
        }
        assert!(!is_plausible(VR::LO, &"a".repeat(65)));
        assert!(is_timezone("+0100") && is_timezone("-0530 ") && !is_timezone("Berlin") && !is_timezone("+9999"));
    }
}
