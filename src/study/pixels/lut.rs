//! Lookup tables: Modality, VOI and palette (PS3.3 C.11.1.1.1, C.11.2.1.1, C.7.6.3.1.5).
//!
//! Written here because the tables of dicom-rs panic when empty or too wide, and because many devices lie in the
//! descriptor: the number of bits an entry uses is taken from the data.

use dicom_core::{PrimitiveValue, Tag};
use dicom_object::InMemDicomObject;

use super::attributes::numbers;

/// Most entries of a table: the descriptor's 16 bits, 0 meaning all.
const ENTRIES_MAX: usize = 65_536;

/// A table from values to entries of at most 16 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LookupTable {
    /// The value that the first entry is for.
    first: i64,
    /// At least one.
    entries: Vec<u16>,
    highest: u16,
}

impl LookupTable {
    /// Reads a table; `signed` says that the values looked up may be negative, which a descriptor read as US hides.
    pub(super) fn read(holder: &InMemDicomObject, descriptor: Tag, data: Tag, signed: bool) -> Option<Self> {
        let Descriptor { count, first, bits } = Descriptor::read(holder, descriptor, signed)?;
        Self::of(first, entries(holder, data, count, bits)?, count)
    }

    /// A table of entries, of which `count` belong to it.
    pub(super) fn of(first: i64, mut entries: Vec<u16>, count: usize) -> Option<Self> {
        entries.truncate(count);
        let highest = u16::MAX >> entries.iter().copied().max()?.max(255).leading_zeros();
        Some(Self { first, entries, highest })
    }

    /// The entry for a value; values before the first and after the last get those.
    pub(super) fn at(&self, value: f64) -> u16 {
        let last = self.entries.len() - 1; // at least one entry
        let index = (value.floor() - self.first as f64).clamp(0.0, last as f64) as usize;
        self.entries.get(index).copied().unwrap_or_default()
    }

    /// The entry for a share of the input range, 0 for the first and 1 for the last (PS3.3 C.11.6.1.1).
    pub(super) fn at_share(&self, share: f64) -> u16 {
        let last = self.entries.len() - 1; // at least one entry
        self.entries.get((share * last as f64).round().clamp(0.0, last as f64) as usize).copied().unwrap_or_default()
    }

    /// The value that the first entry is for.
    pub(super) fn first(&self) -> i64 {
        self.first
    }

    /// The highest value that entries of these bits have: 255 or, as the data says, up to 65535.
    pub(super) fn highest(&self) -> u16 {
        self.highest
    }
}

/// The three values of a LUT Descriptor.
pub(super) struct Descriptor {
    /// 1 to 65,536.
    pub(super) count: usize,
    pub(super) first: i64,
    pub(super) bits: f64,
}

impl Descriptor {
    pub(super) fn read(holder: &InMemDicomObject, tag: Tag, signed: bool) -> Option<Self> {
        let numbers = numbers(holder, tag);
        let &[count, first, bits] = numbers.first_chunk()?;
        let count = (count as i64).rem_euclid(1 << 16) as usize;
        let first = first as i64;
        Some(Self {
            count: if count == 0 { ENTRIES_MAX } else { count },
            first: if signed && first > 0x7fff { first - 0x1_0000 } else { first },
            bits,
        })
    }
}

/// The 16-bit words of an OW element, however it was read.
pub(super) fn words_of(holder: &InMemDicomObject, tag: Tag) -> Option<Vec<u16>> {
    match holder.get(tag)?.value().primitive()? {
        PrimitiveValue::U16(words) => Some(words.to_vec()),
        PrimitiveValue::I16(words) => Some(words.iter().map(|&word| word as u16).collect()),
        PrimitiveValue::U8(bytes) => Some(bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect()),
        _ => None,
    }
}

fn entries(holder: &InMemDicomObject, data: Tag, count: usize, bits: f64) -> Option<Vec<u16>> {
    let words = words_of(holder, data)?;
    // Entries of 8 bits stand two in a word, or, as some write them, one in each.
    match bits == 8.0 && words.len() < count && words.len() * 2 >= count {
        true => Some(words.iter().flat_map(|word| word.to_le_bytes()).map(u16::from).collect()),
        false => Some(words),
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, VR};
    use dicom_dictionary_std::tags;

    use super::*;

    fn table(descriptor: [u16; 3], data: &[u16], signed: bool) -> Option<LookupTable> {
        let value = |words: &[u16]| PrimitiveValue::U16(words.iter().copied().collect());
        let holder = InMemDicomObject::from_element_iter([
            DataElement::new(tags::LUT_DESCRIPTOR, VR::US, value(&descriptor)),
            DataElement::new(tags::LUT_DATA, VR::OW, value(data)),
        ]);
        LookupTable::read(&holder, tags::LUT_DESCRIPTOR, tags::LUT_DATA, signed)
    }

    #[test]
    fn values_outside_get_the_first_and_last_entry() {
        let table = table([3, 10, 16], &[5, 6, 700], false).unwrap();
        let looked_up = [-1e30, 9.0, 10.0, 11.5, 12.0, 13.0, 1e30, f64::NAN].map(|value| table.at(value));
        assert_eq!(looked_up, [5, 5, 5, 6, 700, 700, 700, 5]);
    }

    #[test]
    fn a_first_value_read_as_unsigned_may_be_negative() {
        assert_eq!(table([2, 65_534, 16], &[5, 6], true).unwrap().at(-1.0), 6);
    }

    #[test]
    fn entries_of_eight_bits_may_stand_two_in_a_word() {
        let table = table([4, 0, 8], &[0x0201, 0x0403], false).unwrap();
        assert_eq!([0.0, 1.0, 2.0, 3.0].map(|value| table.at(value)), [1, 2, 3, 4]);
    }

    #[test]
    fn the_data_says_how_many_bits_are_used() {
        assert_eq!(table([2, 0, 16], &[0, 4095], false).unwrap().highest(), 4095);
        assert_eq!(table([2, 0, 8], &[0, 1000], false).unwrap().highest(), 1023);
        assert_eq!(table([2, 0, 16], &[0, 9], false).unwrap().highest(), 255);
    }

    #[test]
    fn an_empty_short_or_absent_table_is_none_or_what_there_is_of_it() {
        assert_eq!(table([0, 0, 16], &[], false), None);
        assert_eq!(table([0, 0, 16], &[7], false).unwrap().at(9.0), 7);
        assert_eq!(
            LookupTable::read(&InMemDicomObject::new_empty(), tags::LUT_DESCRIPTOR, tags::LUT_DATA, false),
            None
        );
    }
}
