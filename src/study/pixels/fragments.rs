//! From the fragments of encapsulated pixel data to frames (PS3.5 §A.4).
//!
//! How fragments belong to frames is said by the Extended Offset Table, by the Basic Offset Table, or by their
//! number; each of them is missing, truncated or wrong in some files. A table is believed only if every offset
//! lands on a fragment and all ascend. Where nothing tells, the marker that each frame's codestream begins with
//! does, and where even that fails the frames are refused: a picture under the wrong number is worse than none.

use std::borrow::Cow;
use std::ops::Range;

use dicom_core::PrimitiveValue;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::PixelError;

/// Most fragments of one instance.
pub const FRAGMENTS_MAX: usize = 4_000_000;

const ITEM: [u8; 4] = [0xfe, 0xff, 0x00, 0xe0];
const ITEM_HEAD_BYTES: usize = 8;

/// Which fragments are whose frame's: found out once for an image, so that each frame then costs its own bytes only.
#[derive(Debug)]
pub(super) struct FrameMap {
    /// Where the fragments' values stand among the items.
    fragments: Vec<Range<usize>>,
    /// An ascending entry a frame: the index of its first fragment.
    starts: Vec<usize>,
}

impl FrameMap {
    /// Reads the items of an encapsulated Pixel Data element.
    pub(super) fn of(
        items: &[u8],
        header: &InMemDicomObject,
        frames: u32,
        begins_frame: fn(&[u8]) -> bool,
    ) -> Result<Self, PixelError> {
        let (offsets, fragments) = fragments(items)?;
        let unclear = PixelError::FramesUnclear { fragments: fragments.len(), frames };
        let frames = frames as usize;
        let starts = match fragments.len() {
            0 => return Err(unclear),
            _ if frames == 1 => vec![0],
            _ => starts_of_offsets(&extended_offsets(header), &fragments, frames)
                .or_else(|| starts_of_offsets(&basic_offsets(items, offsets), &fragments, frames))
                .or_else(|| (fragments.len() == frames).then(|| (0..frames).collect()))
                .or_else(|| starts_of_markers(items, &fragments, frames, begins_frame))
                .ok_or(unclear)?,
        };
        Ok(Self { fragments, starts })
    }

    /// The bytes of one frame, counted from 1, out of the same items.
    pub(super) fn bytes<'a>(&self, items: &'a [u8], frame: u32) -> Cow<'a, [u8]> {
        let index = (frame as usize).saturating_sub(1);
        let first = self.starts.get(index).copied().unwrap_or(self.fragments.len());
        let end = self.starts.get(index + 1).copied().unwrap_or(self.fragments.len());
        let bytes = |range: &Range<usize>| items.get(range.clone()).unwrap_or_default();
        match self.fragments.get(first..end).unwrap_or_default() {
            [one] => Cow::Borrowed(bytes(one)),
            several => Cow::Owned(several.iter().flat_map(bytes).copied().collect()),
        }
    }
}

/// The values of the items: the Basic Offset Table's, then the fragments'.
fn fragments(items: &[u8]) -> Result<(Range<usize>, Vec<Range<usize>>), PixelError> {
    let mut values = Vec::new();
    let mut at = 0;
    while at < items.len() {
        let head = items.get(at..at + ITEM_HEAD_BYTES).and_then(|head| head.first_chunk::<ITEM_HEAD_BYTES>());
        let value = head.and_then(|&[a, b, c, d, e, f, g, h]| {
            let length = usize::try_from(u32::from_le_bytes([e, f, g, h])).ok()?;
            let start = at + ITEM_HEAD_BYTES;
            let end = start.checked_add(length).filter(|&end| end <= items.len())?;
            ([a, b, c, d] == ITEM).then_some(start..end)
        });
        let value = value.ok_or(PixelError::DamagedFragments)?;
        at = value.end;
        values.push(value);
        if values.len() > FRAGMENTS_MAX {
            return Err(PixelError::DamagedFragments);
        }
    }
    match values.is_empty() {
        true => Err(PixelError::DamagedFragments),
        false => {
            let offsets = values.remove(0);
            Ok((offsets, values))
        }
    }
}

fn basic_offsets(items: &[u8], table: Range<usize>) -> Vec<u64> {
    let table = items.get(table).unwrap_or_default();
    table.chunks_exact(4).map(|b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect()
}

fn extended_offsets(header: &InMemDicomObject) -> Vec<u64> {
    let table = header.get(tags::EXTENDED_OFFSET_TABLE).and_then(|element| element.value().primitive());
    match table {
        Some(PrimitiveValue::U64(offsets)) => offsets.to_vec(),
        Some(PrimitiveValue::U8(bytes)) => {
            bytes.chunks_exact(8).filter_map(|b| b.first_chunk().map(|&b| u64::from_le_bytes(b))).collect()
        }
        _ => Vec::new(),
    }
}

/// Offsets count from the first byte of the first fragment's item.
fn starts_of_offsets(offsets: &[u64], fragments: &[Range<usize>], frames: usize) -> Option<Vec<usize>> {
    let base = fragments.first()?.start;
    let offsets = offsets.get(..frames)?;
    let starts: Option<Vec<usize>> = offsets
        .iter()
        .map(|&offset| {
            let start = usize::try_from(offset).ok()?.checked_add(base)?;
            fragments.binary_search_by_key(&start, |fragment| fragment.start).ok()
        })
        .collect();
    starts.filter(|starts| starts.first() == Some(&0) && starts.is_sorted_by(|a, b| a < b))
}

fn starts_of_markers(
    items: &[u8],
    fragments: &[Range<usize>],
    frames: usize,
    begins_frame: fn(&[u8]) -> bool,
) -> Option<Vec<usize>> {
    let starts: Vec<usize> = (0..fragments.len())
        .filter(|&i| fragments.get(i).and_then(|range| items.get(range.clone())).is_some_and(begins_frame))
        .collect();
    (starts.len() == frames && starts.first() == Some(&0)).then_some(starts)
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, VR};
    use proptest::prelude::*;

    use super::*;

    fn item(value: &[u8]) -> Vec<u8> {
        let length = u32::try_from(value.len()).unwrap().to_le_bytes();
        [&ITEM[..], &length, value].concat()
    }

    fn table(offsets: &[u32]) -> Vec<u8> {
        item(&offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect::<Vec<u8>>())
    }

    fn starts(bytes: &[u8]) -> bool {
        bytes.first() == Some(&0xff)
    }

    fn all(items: &[u8], header: &InMemDicomObject, frames: u32) -> Result<Vec<Vec<u8>>, PixelError> {
        let map = FrameMap::of(items, header, frames, starts)?;
        Ok((1..=frames).map(|frame| map.bytes(items, frame).into_owned()).collect())
    }

    fn nothing() -> InMemDicomObject {
        InMemDicomObject::new_empty()
    }

    #[test]
    fn one_fragment_a_frame_needs_no_table() {
        let items = [table(&[]), item(b"ab"), item(b"cd")].concat();
        assert_eq!(all(&items, &nothing(), 2).unwrap(), [b"ab", b"cd"]);
    }

    #[test]
    fn a_single_frame_takes_all_fragments() {
        let items = [table(&[]), item(b"ab"), item(b"cd")].concat();
        assert_eq!(all(&items, &nothing(), 1).unwrap(), [b"abcd"]);
    }

    #[test]
    fn several_fragments_a_frame_follow_the_basic_offset_table() {
        let items = [table(&[0, 20]), item(b"ab"), item(b"cd"), item(b"ef")].concat();
        assert_eq!(all(&items, &nothing(), 2).unwrap(), [b"abcd".to_vec(), b"ef".to_vec()]);
    }

    #[test]
    fn the_extended_offset_table_comes_first() {
        let mut header = nothing();
        let offsets = PrimitiveValue::U64([0u64, 10].into_iter().collect());
        header.put(DataElement::new(tags::EXTENDED_OFFSET_TABLE, VR::OV, offsets));
        let items = [table(&[]), item(b"ab"), item(b"cd"), item(b"ef")].concat();
        assert_eq!(all(&items, &header, 2).unwrap(), [b"ab".to_vec(), b"cdef".to_vec()]);
    }

    #[test]
    fn without_a_table_the_markers_tell() {
        let items = [table(&[]), item(b"\xffb"), item(b"cd"), item(b"\xfff")].concat();
        assert_eq!(all(&items, &nothing(), 2).unwrap(), [b"\xffbcd".to_vec(), b"\xfff".to_vec()]);
    }

    #[test]
    fn a_lying_table_is_not_believed() {
        for lie in [&[0, 11][..], &[10, 20], &[0, 0], &[20, 0], &[0, u32::MAX], &[0]] {
            let items = [table(lie), item(b"\xffb"), item(b"cd"), item(b"\xfff")].concat();
            assert_eq!(all(&items, &nothing(), 2).unwrap(), [b"\xffbcd".to_vec(), b"\xfff".to_vec()], "{lie:?}");
        }
    }

    #[test]
    fn frames_that_nothing_tells_apart_are_refused() {
        let items = [table(&[]), item(b"ab"), item(b"cd"), item(b"ef")].concat();
        assert_eq!(all(&items, &nothing(), 2), Err(PixelError::FramesUnclear { fragments: 3, frames: 2 }));
        assert_eq!(all(&table(&[]), &nothing(), 1), Err(PixelError::FramesUnclear { fragments: 0, frames: 1 }));
    }

    #[test]
    fn damaged_items_are_refused() {
        for damaged in [&b""[..], b"ab", &item(b"ab")[..9], &[0xff; 16], &[item(b""), vec![0; 8]].concat()] {
            assert_eq!(all(damaged, &nothing(), 1), Err(PixelError::DamagedFragments), "{damaged:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_frames_or_a_refusal(items in prop::collection::vec(any::<u8>(), 0..200), frames in 1u32..5) {
            let _ = all(&items, &nothing(), frames);
        }

        #[test]
        fn frames_come_back_whatever_their_fragments(
            frames in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..4), 1..6)
        ) {
            let mut fragments = Vec::new();
            let mut offsets = Vec::new();
            for frame in &frames {
                offsets.push(u32::try_from(fragments.len()).unwrap());
                frame.iter().for_each(|fragment| fragments.extend(item(fragment)));
            }
            let items = [table(&offsets), fragments].concat();
            let count = u32::try_from(frames.len()).unwrap();
            let whole: Vec<Vec<u8>> = frames.iter().map(|frame| frame.concat()).collect();
            prop_assert_eq!(all(&items, &nothing(), count).unwrap(), whole);
        }
    }
}
