//! Palettes: three tables from a stored value to a colour (PS3.3 C.7.6.3.1.5), whole or in segments (C.7.9).
//!
//! A PALETTE COLOR image is all palette. A supplemental palette (C.7.6.19) colours the values from its first one on
//! and leaves those below to the window; it counts only where the image or the frame asks for colour.
//!
//! Not here: the alpha table, which belongs to blending presentation states.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::attributes::{FrameGroups, text};
use super::description::{Description, Photometric};
use super::lut::{Descriptor, LookupTable, words_of};

/// The tables' descriptors, entries and segments: red, green, blue.
const TABLES: [(Tag, Tag, Tag); 3] = [
    (
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
    (
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
    (
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
];

/// The three tables of a palette.
#[derive(Debug, Clone)]
pub(super) struct Palette {
    tables: [LookupTable; 3],
    /// Entries are of 16 bits; which they are is told by all three tables together.
    wide: bool,
    /// Only values from this one on have a colour.
    from: Option<f64>,
}

impl Palette {
    /// The palette of a frame, counted from 1, if it has one.
    pub(super) fn of(header: &InMemDicomObject, frame: u32, description: &Description) -> Option<Self> {
        let supplemental = match description.photometric {
            Photometric::PaletteColor => false,
            Photometric::Monochrome2 if asks_for_colour(header, frame) => true,
            _ => return None,
        };
        let [red, green, blue] = TABLES.map(|(descriptor, data, segments)| {
            LookupTable::read(header, descriptor, data, description.signed)
                .or_else(|| segmented(header, descriptor, segments, description.signed))
        });
        let tables = [red?, green?, blue?];
        let from = supplemental.then(|| tables[0].first() as f64);
        Some(Self { wide: tables.iter().any(|table| table.highest() > 255), tables, from })
    }

    /// Whether it is not for all values.
    pub(super) fn is_supplemental(&self) -> bool {
        self.from.is_some()
    }

    /// The colour of a stored value; none for values that a supplemental palette leaves grey.
    pub(super) fn colour(&self, stored: f64) -> Option<[u8; 3]> {
        let entry = |table: &LookupTable| {
            let entry = table.at(stored);
            if self.wide { (entry >> 8) as u8 } else { entry as u8 }
        };
        self.from.is_none_or(|from| stored >= from).then(|| self.tables.each_ref().map(entry))
    }
}

/// Pixel Presentation (0008,9205) of the frame's type, or of the image (PS3.3 C.8.16.2.1.1).
fn asks_for_colour(header: &InMemDicomObject, frame: u32) -> bool {
    const FRAME_TYPES: [Tag; 3] =
        [tags::CT_IMAGE_FRAME_TYPE_SEQUENCE, tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, tags::PET_FRAME_TYPE_SEQUENCE];
    let groups = FrameGroups::of(header, frame);
    let of_frame = FRAME_TYPES.iter().find_map(|&sequence| text(groups.holder(sequence), tags::PIXEL_PRESENTATION));
    matches!(of_frame.as_deref(), Some("COLOR"))
}

fn segmented(header: &InMemDicomObject, descriptor: Tag, data: Tag, signed: bool) -> Option<LookupTable> {
    let Descriptor { count, first, bits } = Descriptor::read(header, descriptor, signed)?;
    let words = words_of(header, data)?;
    let (units, unit_bytes) = match bits == 8.0 {
        true => (words.iter().flat_map(|word| word.to_le_bytes()).map(u16::from).collect(), 1),
        false => (words, 2),
    };
    LookupTable::of(first, Segments { units: &units, unit_bytes }.expand(count)?, count)
}

/// Segments as they stand in the data, in units of an entry (PS3.3 C.7.9.2).
struct Segments<'a> {
    units: &'a [u16],
    unit_bytes: usize,
}

impl Segments<'_> {
    /// The entries, at most `count`; what is not understood makes the whole table unusable.
    fn expand(&self, count: usize) -> Option<Vec<u16>> {
        let mut entries = Vec::new();
        let mut at = 0;
        // A zero may pad the data at its end.
        while entries.len() < count && at + 1 < self.units.len() {
            at = match self.units.get(at)? {
                2 => self.indirect(at, count, &mut entries)?,
                _ => self.direct(at, count, &mut entries)?,
            };
        }
        (!entries.is_empty()).then_some(entries)
    }

    /// One discrete or linear segment; gives where the next begins.
    fn direct(&self, at: usize, count: usize, entries: &mut Vec<u16>) -> Option<usize> {
        let (kind, length) = (*self.units.get(at)?, usize::from(*self.units.get(at + 1)?));
        let (start, room) = (at + 2, count.saturating_sub(entries.len()));
        match kind {
            // Each segment gives an entry, so that there cannot be more of them than entries.
            _ if length == 0 => None,
            0 => {
                let discrete = self.units.get(start..start + length)?;
                entries.extend(discrete.iter().take(room));
                Some(start + length)
            }
            1 => {
                let (from, to) = (f64::from(*entries.last()?), f64::from(*self.units.get(start)?));
                let step = (to - from) / length as f64;
                // Between two 16-bit numbers.
                entries.extend((1..=length).take(room).map(|i| (from + step * i as f64).round() as u16));
                Some(start + 1)
            }
            _ => None,
        }
    }

    /// Copies segments that were there before; those may not be indirect themselves.
    fn indirect(&self, at: usize, count: usize, entries: &mut Vec<u16>) -> Option<usize> {
        let segments = *self.units.get(at + 1)?;
        let offset_units = 4 / self.unit_bytes;
        let parts = self.units.get(at + 2..at + 2 + offset_units)?;
        let offset = parts.iter().rev().fold(0, |offset, &part| offset << (8 * self.unit_bytes) | usize::from(part));
        let mut from = offset / self.unit_bytes;
        for _ in 0..segments {
            if entries.len() >= count {
                break;
            }
            from = self.direct(from, count, entries)?;
        }
        Some(at + 2 + offset_units)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expanded(units: &[u16], unit_bytes: usize, count: usize) -> Option<Vec<u16>> {
        Segments { units, unit_bytes }.expand(count)
    }

    #[test]
    fn segments_become_the_entries_of_the_standards_text() {
        // Discrete 0 10 20, linear in 4 steps to 60, then both again from byte 0.
        let words = [0, 3, 0, 10, 20, 1, 4, 60, 2, 2, 0, 0];
        let once = [0, 10, 20, 30, 40, 50, 60];
        assert_eq!(expanded(&words, 2, 14).unwrap(), [once, once].concat());
        assert_eq!(expanded(&words, 2, 9).unwrap(), [&once[..], &[0, 10]].concat());
        // The linear one alone, whose first value follows the entry before: byte 10 is word 5.
        let linear = [0, 3, 0, 10, 20, 1, 4, 60, 0, 1, 20, 2, 1, 10, 0];
        assert_eq!(expanded(&linear, 2, 12).unwrap(), [&once[..], &[20, 30, 40, 50, 60]].concat());
        // Of 8 bits: an offset of four bytes, the lowest first.
        assert_eq!(expanded(&[0, 2, 7, 9, 2, 1, 0, 0, 0, 0], 1, 4).unwrap(), [7, 9, 7, 9]);
    }

    #[test]
    fn a_line_falls_too_and_a_padding_zero_ends_nothing() {
        assert_eq!(expanded(&[0, 1, 65_535, 1, 3, 0, 0], 2, 4).unwrap(), [65_535, 43_690, 21_845, 0]);
    }

    #[test]
    fn segments_that_make_no_sense_make_no_table() {
        for (what, units) in [
            ("nothing", &[][..]),
            ("a line from nowhere", &[1, 4, 60]),
            ("a copy of nothing yet", &[2, 1, 0, 0]),
            ("an empty one", &[0, 1, 5, 0, 0, 0, 1, 5]),
            ("an unknown kind", &[0, 1, 5, 3, 1, 1]),
            ("a discrete one cut off", &[0, 9, 5, 5]),
            ("an offset outside", &[0, 1, 5, 2, 1, 999, 999]),
            ("an indirect one that copies itself", &[0, 1, 5, 2, 1, 6, 0]),
        ] {
            assert_eq!(expanded(units, 2, 100), None, "{what}");
        }
    }

    proptest! {
        #[test]
        fn any_segments_give_at_most_the_entries_announced(
            units in prop::collection::vec(0u16..6, 0..60), unit_bytes in 1usize..=2, count in 1usize..70_000,
        ) {
            prop_assert!(expanded(&units, unit_bytes, count).is_none_or(|entries| entries.len() <= count));
        }
    }
}
