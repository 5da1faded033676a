//! Private attributes that may stay: PS3.15 Table E.3.10-1, by private creator, group, element and VR.
//!
//! The list is what the vendors' conformance statements show to name nobody; rows without a VR and rows of free
//! text are left out. A private attribute from an implicit VR file has lost its VR (it reads as UN); where the
//! bytes are a value of the listed numeric or decimal VR, that is what they are taken for.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::LazyLock;

use dicom_core::header::Header;
use dicom_core::value::{PrimitiveValue, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_object::mem::InMemElement;

static SAFE: LazyLock<HashMap<(&'static str, u16, u8), VR>> = LazyLock::new(|| {
    let rows = include_str!("safe_private.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| {
        let mut fields = row.split('\t');
        let creator = fields.next()?;
        let group = u16::from_str_radix(fields.next()?, 16).ok()?;
        let element = u8::from_str_radix(fields.next()?, 16).ok()?;
        Some(((creator, group, element), VR::from_str(fields.next()?).ok()?))
    })
    .collect()
});

/// Longest value of an UN element that is read as a listed VR, in bytes.
const REREAD_BYTES_MAX: usize = 1024;

/// The VR under which the table lists this private attribute.
pub(super) fn safe_vr(creator: &str, tag: Tag) -> Option<VR> {
    SAFE.get(&(creator, tag.group(), (tag.element() & 0xff) as u8)).copied()
}

/// The element if its VR is the listed one, or its bytes can be read as such.
pub(super) fn with_listed_vr(element: InMemElement, listed: VR) -> Option<InMemElement> {
    if element.vr() == listed {
        return Some(element);
    }
    if element.vr() != VR::UN {
        return None;
    }
    let tag = element.tag();
    let Value::Primitive(PrimitiveValue::U8(bytes)) = element.value() else { return None };
    if bytes.len() > REREAD_BYTES_MAX {
        return None;
    }
    let value = match listed {
        VR::DS | VR::IS => {
            let text = std::str::from_utf8(bytes).ok()?.trim_matches(['\0', ' ']);
            let decimal = |part: &str| part.trim().parse::<f64>().is_ok_and(f64::is_finite);
            text.split('\\')
                .all(decimal)
                .then(|| PrimitiveValue::Strs(text.split('\\').map(str::to_owned).collect()))?
        }
        VR::FL => PrimitiveValue::F32(numbers(bytes, f32::from_le_bytes)?),
        VR::FD => PrimitiveValue::F64(numbers(bytes, f64::from_le_bytes)?),
        VR::US => PrimitiveValue::U16(numbers(bytes, u16::from_le_bytes)?),
        VR::SS => PrimitiveValue::I16(numbers(bytes, i16::from_le_bytes)?),
        VR::UL => PrimitiveValue::U32(numbers(bytes, u32::from_le_bytes)?),
        VR::SL => PrimitiveValue::I32(numbers(bytes, i32::from_le_bytes)?),
        _ => return None,
    };
    Some(DataElement::new(tag, listed, value))
}

/// UN comes from implicit VR or from explicit little endian; both are little endian (PS3.5 6.2.2).
fn numbers<const N: usize, T, C: FromIterator<T>>(bytes: &[u8], read: fn([u8; N]) -> T) -> Option<C> {
    let (chunks, []) = bytes.as_chunks::<N>() else { return None };
    Some(chunks.iter().map(|chunk| read(*chunk)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_goes_by_creator_group_and_element() {
        assert_eq!(safe_vr("Philips PET Private Group", Tag(0x7053, 0x1000)), Some(VR::DS));
        assert_eq!(safe_vr("Philips PET Private Group", Tag(0x7053, 0x4200)), Some(VR::DS));
        assert_eq!(safe_vr("GEMS_PARM_01", Tag(0x0043, 0x1039)), Some(VR::IS));
        assert_eq!(safe_vr("SIEMENS MR HEADER", Tag(0x0019, 0x100c)), Some(VR::IS));
        assert_eq!(safe_vr("SIEMENS CSA HEADER", Tag(0x0029, 0x1010)), None);
        assert_eq!(safe_vr("Philips PET Private Group", Tag(0x7055, 0x1000)), None);
        assert_eq!(safe_vr("", Tag(0x7053, 0x1000)), None);
        assert!(SAFE.len() > 110, "{}", SAFE.len());
        assert!(SAFE.values().all(|vr| !matches!(vr, VR::LT | VR::ST | VR::UT | VR::UN | VR::PN | VR::DA | VR::DT)));
    }

    #[test]
    fn another_vr_than_the_listed_one_does_not_pass() {
        let tag = Tag(0x7053, 0x1000);
        let un = |bytes: &[u8]| DataElement::new(tag, VR::UN, PrimitiveValue::from(bytes));
        let read = with_listed_vr(un(b"0.000563 "), VR::DS).unwrap();
        assert_eq!((read.vr(), read.to_float64().unwrap()), (VR::DS, 0.000563));
        for bad in [&b"DOE^JANE"[..], b"", b"1\\Jane", b"\xff\xfe", b"inf", &[b'1'; 2000]] {
            assert!(with_listed_vr(un(bad), VR::DS).is_none());
        }
        assert!(with_listed_vr(un(b"DOE^JANE"), VR::LO).is_none());
        assert!(with_listed_vr(un(&[0, 0, 128, 63]), VR::FL).is_some_and(|e| e.to_float32().unwrap() == 1.0));
        assert!(with_listed_vr(un(&[0, 0, 128]), VR::FL).is_none());
        assert!(with_listed_vr(DataElement::new(tag, VR::LO, "DOE"), VR::DS).is_none());
    }
}
